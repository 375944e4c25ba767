"""Every command and every Python block of README.md and docs/ runs, and prints what the page says.

A fenced block marked `console` holds commands after `$ ` and what they print; `...` stands for anything, over lines
too. `console exit=2` says how the last command ends, 0 if not said. A block marked `python` is a program that must
end well. Other fences are text.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    page: str
    line: int
    info: str
    text: str

    @property
    def language(self) -> str:
        return self.info.split()[0] if self.info else ""

    @property
    def exit_code(self) -> int:
        told = re.search(r"exit=(\d+)", self.info)
        return int(told[1]) if told else 0


def blocks(language: str) -> list[Block]:
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in FENCE.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            found.append(Block(str(page.relative_to(ROOT)), line, match[1].strip(), match[2]))
    return [block for block in found if block.language == language]


def name_of(block: Block) -> str:
    return f"{block.page}:{block.line}"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory that looks like the clone, where commands may leave files."""
    for name in ("openwmi", "examples", "test"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


@pytest.fixture
def environment(tmp_path: Path, place: Path) -> dict[str, str]:
    """A shell where `openwmi` is the launcher of this tree and `import openwmi` its package; nothing is stored yet."""
    return {
        **os.environ,
        "PATH": f"{place}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "src"),
        "OPENWMI_HOME": str(tmp_path / "home"),
        "LC_ALL": "C.UTF-8",
    }


def commands(block: Block) -> list[tuple[str, str]]:
    """The commands of a block, each with the output that the page shows."""
    found: list[tuple[str, str]] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], ""))
        else:
            assert found, f"{name_of(block)}: output before the first command"
            found[-1] = (found[-1][0], f"{found[-1][1]}{line}\n")
    return found


def matches(shown: str, printed: str) -> bool:
    """Whether the output is what the page shows, `...` standing for anything; nothing shown means anything goes."""
    if not shown:
        return True
    pattern = ".*?".join(re.escape(part.strip(" ")) for part in _single(shown).split("..."))
    return re.fullmatch(pattern, _single(printed), re.DOTALL) is not None


def _single(text: str) -> str:
    """Without blanks at the ends of lines, and with one blank where there are several."""
    return re.sub(r" +", " ", re.sub(r" +$", "", text, flags=re.MULTILINE)).rstrip("\n")


@pytest.mark.slow
@pytest.mark.parametrize("block", blocks("console"), ids=name_of)
def test_commands_print_what_the_page_says(block: Block, environment: dict[str, str], place: Path) -> None:
    for position, (command, shown) in enumerate(commands(block), 1):
        ended = subprocess.run(
            ["bash", "-c", command],
            cwd=place,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
        last = position == len(commands(block))
        printed = ended.stdout + ended.stderr
        assert ended.returncode == (block.exit_code if last else 0), f"$ {command}\n{printed}"
        assert matches(shown, printed), f"$ {command}\n{printed}\n-- the page says --\n{shown}"


@pytest.mark.slow
def test_nobody_takes_a_failure_for_the_word_that_is_waited_for(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """Of a port that is taken, it is said that it is "already in use"."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        failed = subprocess.run(
            ["openwmi", "serve", "--quiet", "--listen", f"127.0.0.1:{taken.getsockname()[1]}"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert failed.returncode != 0
    said = failed.stdout + failed.stderr
    waits = {
        wait for block in blocks("console") for wait in re.findall(r"until (grep \S+ ready) \S+;", block.text)
    }
    assert waits
    for wait in waits:
        for printed, found in ((said, 1), (f"listening on 127.0.0.1:135\nready\n{said}", 0)):
            assert subprocess.run(wait.split(), input=printed, text=True).returncode == found, (wait, printed)


@pytest.mark.slow
@pytest.mark.parametrize("block", blocks("python"), ids=name_of)
def test_programs_run(block: Block, environment: dict[str, str], place: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", block.text],
        cwd=place,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_links_lead_somewhere() -> None:
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in PAGES
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    assert not broken


def test_nothing_shown_is_left_untested() -> None:
    """A fence is a command, a program, or says that it is text."""
    fences = [
        match[1].split()[0] if match[1] else ""
        for page in PAGES
        for match in FENCE.finditer(page.read_text())
    ]
    assert set(fences) <= {"console", "python", "text"}
    assert fences.count("console") > 10


@pytest.mark.parametrize(
    ("shown", "printed", "fits"),
    [
        ("a ... b\n", "a 1 2 b\n", True),
        ("a\n...\nb\n", "a\nx\ny\nb\n", True),
        ("a\n", "b\n", False),
        ("a ...\n", "b c\n", False),
        ("(x) : 1\n", "(x)   : 1\n", True),
    ],
)
def test_the_page_is_really_compared(shown: str, printed: str, fits: bool) -> None:
    assert matches(shown, printed) is fits
