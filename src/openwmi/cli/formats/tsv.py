"""`-o tsv`, what a pipe gets: one record a line, values separated by tabs, no header.

NULL is `\\N`, an empty string is empty. Inside a value a tab is `\\t`, a line end `\\n`, a backslash `\\\\` and any
other control character `\\xHH`, so that a line is always one record and can be read back exactly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openwmi.cli.formats import writer
from openwmi.cli.values import reversible, text_form
from openwmi.model.cimtypes import CimType

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from openwmi.cli.records import Row

NULL = "\\N"
# Types whose text holds nothing that needs escaping.
_PLAIN = frozenset(
    (CimType.SINT8, CimType.UINT8, CimType.SINT16, CimType.UINT16, CimType.SINT32, CimType.UINT32)
    + (CimType.SINT64, CimType.UINT64, CimType.CHAR16, CimType.REAL32, CimType.REAL64, CimType.BOOLEAN)
    + (CimType.DATETIME,)
)


class Writer(writer.Writer):
    """Tab-separated values."""

    def rows(self, codes: Sequence[int], rows: list[Row]) -> None:
        forms = [_field(code, dmtf=self.raw) for code in codes]
        lines = [
            "\t".join([NULL if value is None else form(value) for form, value in zip(forms, row, strict=True)])
            for row in rows
        ]
        lines.append("")
        self.console.write("\n".join(lines))


def _field(code: int, *, dmtf: bool) -> Callable[[Any], str]:
    form = text_form(code, dmtf=dmtf)
    if code in _PLAIN:
        return form
    if form is str:
        return reversible
    return lambda value: reversible(form(value))
