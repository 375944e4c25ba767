"""`-o jsonl`: one JSON object a line; a class comes with its properties, methods and qualifiers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.cli.formats import writer
from openwmi.cli.records import ABSENT
from openwmi.cli.values import json_form, json_text
from openwmi.model.classes import Class

if TYPE_CHECKING:
    from collections.abc import Sequence

    from openwmi.cli.records import Row
    from openwmi.model.batches import Batch


class Writer(writer.Writer):
    """JSON objects, each on its line."""

    def form(self, code: int) -> writer.Form:
        return json_form(code, dmtf=self.raw)

    def batch(self, batch: Batch) -> None:
        if isinstance(batch[0], Class):
            from openwmi.cli.schema import class_document

            self.documents([json_text(class_document(one)) for one in batch if isinstance(one, Class)])
        else:
            super().batch(batch)

    def rows(self, codes: Sequence[int], rows: list[Row]) -> None:
        forms = self.forms(codes)
        fields = [
            (name, forms[position], position)
            for position, name in enumerate(self.columns.names)
            if codes[position] != ABSENT
        ]
        self.documents(
            [json_text({name: form(row[position]) for name, form, position in fields}) for row in rows]
        )

    def documents(self, texts: list[str]) -> None:
        """Write finished JSON objects."""
        texts.append("")
        self.console.write("\n".join(texts))
