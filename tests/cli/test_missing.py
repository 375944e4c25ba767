"""openwmi.cli.missing: the launcher brings what a verb lacks, once, and otherwise the user is told."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from openwmi.cli.missing import EXTRAS, repair

ROOT = Path(__file__).resolve().parents[2]


def missing(module: str) -> ModuleNotFoundError:
    return ModuleNotFoundError(f"No module named {module!r}", name=module)


def test_without_the_launcher_the_user_is_told_which_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENWMI_LAUNCHER", raising=False)
    assert repair(missing("cryptography.hazmat")) == (
        "this needs the package cryptography.hazmat: pip install 'openwmi[wire]'"
    )


def test_a_module_that_no_extra_brings_is_a_fault_of_ours() -> None:
    with pytest.raises(ModuleNotFoundError, match="openwmi.nowhere"):
        repair(missing("openwmi.nowhere"))


OF_A_VERB = "print(repair(ModuleNotFoundError('', name='rich')))"
OF_A_PROVIDER = """
from openwmi.cli.console import Console
from openwmi.cli.failures import report
from openwmi.model.errors import error
try:
    raise error(0x80041013, "this needs the package rich") from ModuleNotFoundError("", name="rich")
except Exception as failure:
    sys.stderr = sys.stdout
    report(failure, Console())
"""


@pytest.mark.parametrize("what", [OF_A_VERB, OF_A_PROVIDER], ids=["verb", "provider"])
def test_the_launcher_is_asked_once(tmp_path: Path, what: str) -> None:
    program = (
        f"import sys; from openwmi.cli.missing import repair\nsys.argv = ['openwmi', 'query', 'a b']\n{what}"
    )
    launcher = tmp_path / "launcher"
    launcher.write_text('#!/bin/sh\necho "asked for $OPENWMI_NEEDS: $1|$2"\n')
    launcher.chmod(0o755)
    environment = {**os.environ, "OPENWMI_LAUNCHER": str(launcher), "PYTHONPATH": str(ROOT / "src")}

    def run(**more: str) -> str:
        return subprocess.run(
            [sys.executable, "-c", program],
            env={**environment, **more},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    assert run() == "asked for terminal: query|a b"
    assert "this needs the package rich" in run(OPENWMI_NEEDS="terminal")


def test_every_extra_is_one_of_the_package() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for extra in EXTRAS.values():
        assert f"\n{extra} = [" in project


@pytest.mark.slow
@pytest.mark.parametrize(
    "verb",
    [
        ["serve", "--listen", "127.0.0.1:0"],
        ["query", "-H", "127.0.0.1[PORT]", "--user", "ada", "--password-file", "PASSWORD", "SELECT * FROM T"],
    ],
)
def test_the_network_asks_for_what_log_ons_need_before_anything_is_said(
    tmp_path: Path, verb: list[str]
) -> None:
    (tmp_path / "PASSWORD").write_text("secret\n")
    (tmp_path / "PASSWORD").chmod(0o600)
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = str(nobody.getsockname()[1])
        _lacks_cryptography([word.replace("PORT", port) for word in verb], tmp_path)


def _lacks_cryptography(verb: list[str], folder: Path) -> None:
    program = f"import sys; sys.path.insert(0, {str(ROOT / 'src')!r}); from openwmi.cli import main; sys.exit(main())"
    clean = {name: value for name, value in os.environ.items() if name != "OPENWMI_LAUNCHER"}
    ended = subprocess.run(  # -S: without packages, as the launcher runs the core
        [sys.executable, "-I", "-S", "-c", program, *verb],
        env={**clean, "OPENWMI_HOME": str(folder)},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.stdout == ""
    assert "this needs the package cryptography: pip install 'openwmi[wire]'" in ended.stderr
    assert ended.returncode == 1
