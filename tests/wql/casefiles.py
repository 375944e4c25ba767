"""Fixture files of queries and what they come to: blocks between empty lines, `#` lines are comments.

The first line of a block is the query (<LF>, <CR> and <TAB> stand for these characters); the rest is expected.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

FOLDER = Path(__file__).with_name("cases")


class Case(NamedTuple):
    """One block of a file."""

    query: str
    expected: list[str]


def cases(name: str) -> list[Case]:
    """The blocks of one file."""
    found = []
    for block in (FOLDER / name).read_text("utf-8").split("\n\n"):
        lines = [line for line in block.splitlines() if line.strip() and not line.startswith("#")]
        if lines:
            query = lines[0].replace("<LF>", "\n").replace("<CR>", "\r").replace("<TAB>", "\t")
            found.append(Case(query, lines[1:]))
    return found


def every_case(name: str) -> pytest.MarkDecorator:
    """Parametrise a test with `case` over the blocks of a file."""
    return pytest.mark.parametrize("case", [pytest.param(case, id=case.query[:60]) for case in cases(name)])
