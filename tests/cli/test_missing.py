"""openwmi.cli.missing: the launcher brings what a verb lacks, once, and otherwise the user is told."""

from __future__ import annotations

import os
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


def test_the_launcher_is_asked_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = (
        "import sys; from openwmi.cli.missing import repair\n"
        "sys.argv = ['openwmi', 'query', 'a b']\n"
        "print(repair(ModuleNotFoundError('', name='rich')))"
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
    assert run(OPENWMI_NEEDS="terminal").startswith("this needs the package rich")


def test_every_extra_is_one_of_the_package() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for extra in EXTRAS.values():
        assert f"\n{extra} = [" in project
