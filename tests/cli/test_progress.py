"""openwmi.cli.progress, where it writes lines."""

from __future__ import annotations

import pytest

from openwmi.cli.console import Console
from openwmi.cli.progress import Progress


def test_lines_are_few_and_the_last_one_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    report = Progress(Console(), asked=True)
    for number in range(1, 10_001):
        report(number, 10_000)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "progress: 1 of 10000"
    assert lines[-1] == "progress: 10000 of 10000"
    assert len(lines) < 100


def test_a_message_and_an_unknown_total(capsys: pytest.CaptureFixture[str]) -> None:
    Progress(Console(), asked=True)(3, 0, "reading \x1b[31mdisks")
    assert capsys.readouterr().err == "progress: 3  reading \\x1b[31mdisks\n"
