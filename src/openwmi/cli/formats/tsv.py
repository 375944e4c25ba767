"""`-o tsv`, what a pipe gets: one record a line, values separated by tabs, no header.

NULL is `\\N`, an empty string is empty. Inside a value a tab is `\\t`, a line end `\\n`, a backslash `\\\\` and any
other control character `\\xHH`, so that a line is always one record and can be read back exactly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.cli.formats import writer
from openwmi.cli.values import NUMBERS, reversible
from openwmi.model.cimtypes import CimType

if TYPE_CHECKING:
    from collections.abc import Sequence

    from openwmi.cli.records import Row

NULL = "\\N"
# Types whose text holds nothing that needs escaping.
_PLAIN = NUMBERS | {CimType.BOOLEAN, CimType.DATETIME}


class Writer(writer.Writer):
    """Tab-separated values."""

    def form(self, code: int) -> writer.Form:
        form = super().form(code)
        if code in _PLAIN:
            return form
        return lambda value: reversible(form(value))

    def rows(self, codes: Sequence[int], rows: list[Row]) -> None:
        forms = self.forms(codes)
        lines = [
            "\t".join(
                [NULL if value is None else form(value) for form, value in zip(forms, row, strict=True)]
            )
            for row in rows
        ]
        lines.append("")
        self.console.write("\n".join(lines))
