"""`-o list`: one property a line, names aligned, an empty line between objects; for reading many columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.cli.formats import writer
from openwmi.cli.records import ABSENT
from openwmi.cli.values import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from openwmi.cli.records import Row

NULL = "NULL"


class Writer(writer.Writer):
    """Property by property."""

    def start(self, names: Sequence[str]) -> None:
        width = max(map(len, names), default=0)
        self._labels = [f"{self.console.bold(name)}{' ' * (width - len(name))} : " for name in names]
        self._first = True

    def rows(self, codes: Sequence[int], rows: list[Row]) -> None:
        forms = self.forms(codes)
        for row in rows:
            if not self._first:
                self.console.draw("\n")
            self._first = False
            fields = zip(self._labels, codes, forms, row, strict=True)
            self.console.draw(
                "".join(
                    [
                        f"{label}{NULL if value is None else shown(form(value))}".rstrip() + "\n"
                        for label, code, form, value in fields
                        if code != ABSENT
                    ]
                )
            )
