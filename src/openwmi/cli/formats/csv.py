"""`-o csv`: RFC 4180, with a header; NULL is an empty field without quotes, an empty string is `""`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.cli.formats import writer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from openwmi.cli.records import Row

_SPECIAL = frozenset(',"\r\n')


class Writer(writer.Writer):
    """Comma-separated values."""

    def start(self, names: Sequence[str]) -> None:
        self.console.write(",".join(map(_field, names)) + "\r\n")

    def rows(self, codes: Sequence[int], rows: list[Row]) -> None:
        forms = self.forms(codes)
        lines = [
            ",".join(
                ["" if value is None else _field(form(value)) for form, value in zip(forms, row, strict=True)]
            )
            for row in rows
        ]
        lines.append("")
        self.console.write("\r\n".join(lines))


def _field(text: str) -> str:
    if text and _SPECIAL.isdisjoint(text):
        return text
    doubled = text.replace('"', '""')
    return f'"{doubled}"'
