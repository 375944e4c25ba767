"""./openwmi: runs the sources of its clone from anywhere, at once, and makes an environment only when asked."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SAYS = "import sys\n__version__ = '1'\ndef main():\n    print(sys.executable, *sys.argv[1:], sep='|')\n    return 7\n"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone with a command line that says which Python runs it, and with what."""
    (tmp_path / "a clone" / "src" / "openwmi" / "cli").mkdir(parents=True)
    shutil.copy(ROOT / "openwmi", tmp_path / "a clone")
    (tmp_path / "a clone/src/openwmi/__init__.py").write_text("")
    (tmp_path / "a clone/src/openwmi/cli/__init__.py").write_text(SAYS)
    return tmp_path / "a clone"


def run(program: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "OPENWMI"))}
    clean["PATH"] = f"{Path(os.path.realpath(sys.executable)).parent}:/usr/bin:/bin"
    return subprocess.run(
        [program, *arguments],
        cwd="/",
        env={**clean, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_arguments_and_the_exit_code_pass_through(clone: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(clone / "openwmi")
    for program in (clone / "openwmi", tmp_path / "link"):
        done = run(program, "query", "SELECT * FROM C WHERE N = 'a b'", "", "--", "$HOME")
        assert done.stderr == ""
        assert done.stdout.strip().split("|")[1:] == [
            "query",
            "SELECT * FROM C WHERE N = 'a b'",
            "",
            "--",
            "$HOME",
        ]
        assert done.returncode == 7


def test_modules_stay_compiled_whatever_the_environment_says(clone: Path) -> None:
    run(clone / "openwmi", PYTHONDONTWRITEBYTECODE="1", PYTHONPATH="/nowhere", PYTHONHOME="/nowhere")
    assert list((clone / "src/openwmi/cli/__pycache__").glob("__init__.*.pyc"))


def test_a_named_python_is_used_and_a_missing_one_passed_over(clone: Path, tmp_path: Path) -> None:
    named = tmp_path / "my-python"
    named.write_text(f'#!/bin/sh\necho mine >&2\nexec "{os.path.realpath(sys.executable)}" "$@"\n')
    named.chmod(0o755)
    assert run(clone / "openwmi", PYTHON=str(named)).stderr == "mine\n"
    assert run(clone / "openwmi", PYTHON="no-such-python").returncode == 7


def test_an_extra_that_is_installed_already_leads_into_the_environment(clone: Path) -> None:
    (clone / ".venv/bin").mkdir(parents=True)
    (clone / ".venv/.openwmi-extras").write_text("wire\nterminal\n")
    python = clone / ".venv/bin/python"
    python.write_text(f'#!/bin/sh\necho environment >&2\nexec "{os.path.realpath(sys.executable)}" "$@"\n')
    python.chmod(0o755)
    done = run(clone / "openwmi", "query", OPENWMI_NEEDS="terminal")
    assert done.stderr == "environment\n"
    assert done.stdout.endswith("|query\n")


def test_an_environment_that_cannot_be_made_is_a_clear_failure(clone: Path, tmp_path: Path) -> None:
    broken = tmp_path / "python3"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    done = run(clone / "openwmi", OPENWMI_NEEDS="wire", PYTHON=str(broken))
    assert done.returncode == 1
    assert "needs the extra 'wire'" in done.stderr
    assert "python3-venv" in done.stderr
