"""`-o table`, what a terminal gets: aligned columns under a header, or a list where that is too wide for the terminal.

Widths are settled by the first rows - as many as arrive within half a second, at most a thousand - and kept from then
on, so that a result that never ends is shown as it comes.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any

from openwmi.cli.formats import list as lists
from openwmi.cli.formats import writer
from openwmi.cli.records import ABSENT
from openwmi.cli.values import NUMBERS, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from openwmi.cli.records import Row

GAP = "  "
SAMPLE_ROWS = 1000
SAMPLE_SECONDS = 0.5


class Writer(writer.Writer):
    """A table that turns into a list when it does not fit."""

    def start(self, names: Sequence[str]) -> None:
        self._names = list(names)
        self._held: list[tuple[tuple[int, ...], list[Row]]] = []
        self._count = 0
        self._since = 0.0
        self._widths: list[int] | None = None
        self._right: list[bool] = []
        self._instead: lists.Writer | None = None

    def rows(self, codes: Sequence[int], rows: list[Row]) -> None:
        if self._instead is not None:
            self._instead.rows(codes, rows)
        elif self._widths is not None:
            self._lines(self._cells(codes, rows))
        else:
            self._since = self._since or monotonic()
            self._held.append((tuple(codes), rows))
            self._count += len(rows)
            if self._count >= SAMPLE_ROWS or monotonic() - self._since > SAMPLE_SECONDS:
                self._settle()

    def pause(self) -> None:
        self.finish()
        super().pause()

    def finish(self) -> None:
        if self._widths is None and self._instead is None and self._held:
            self._settle()

    def _settle(self) -> None:
        """Enough has been seen: fix the widths, or go over to a list."""
        cells = [line for codes, rows in self._held for line in self._cells(codes, rows)]
        widths = [
            max(map(_width, (name, *column)))
            for name, column in zip(self._names, zip(*cells, strict=True), strict=True)
        ]
        if (
            self.console.width
            and sum(widths) + len(GAP) * (len(widths) - 1) > self.console.width
            and len(widths) > 1
        ):
            self._instead = lists.Writer(self.console, raw=self.raw)
            self._instead.begin(self._names)
            for codes, rows in self._held:
                self._instead.rows(codes, rows)
        else:
            kinds = zip(*(codes for codes, _ in self._held), strict=True)
            self._right = [all(code in NUMBERS for code in codes) for codes in kinds]
            self._widths = widths
            header = GAP.join(map(self._padded, self._names, widths, self._right)).rstrip()
            self.console.draw(f"{self.console.bold(header)}\n{GAP.join('-' * width for width in widths)}\n")
            self._lines(cells)
        self._held = []

    def _cells(self, codes: Sequence[int], rows: list[Row]) -> list[list[str]]:
        forms = self.forms(codes)
        return [
            [_text(code, form, value) for code, form, value in zip(codes, forms, row, strict=True)]
            for row in rows
        ]

    def _lines(self, cells: list[list[str]]) -> None:
        lines = [
            GAP.join(map(self._padded, line, self._widths or (), self._right)).rstrip() + "\n"
            for line in cells
        ]
        self.console.draw("".join(lines))

    @staticmethod
    def _padded(text: str, width: int, right: bool) -> str:
        space = " " * (width - _width(text))
        return space + text if right else text + space


def _text(code: int, form: Callable[[Any], str], value: object) -> str:
    if value is None:
        return "" if code == ABSENT else lists.NULL
    return shown(form(value))


def _width(text: str) -> int:
    """How many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(sign) else 1 + (east_asian_width(sign) in "WF") for sign in text)
