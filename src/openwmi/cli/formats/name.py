"""`-o name`: what identifies each object, one a line: the relative path of an instance, the name of a class; of other
results the first column."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.cli.formats import writer
from openwmi.cli.values import shown
from openwmi.model.classes import Class

if TYPE_CHECKING:
    from collections.abc import Sequence

    from openwmi.cli.records import Row
    from openwmi.model.batches import Batch


class Writer(writer.Writer):
    """Paths, as `get` and `call` take them."""

    wants_paths = True

    def batch(self, batch: Batch) -> None:
        names = [one.name if isinstance(one, Class) else one.relpath_ or one.classname_ for one in batch]
        self.console.write("".join([f"{name}\n" for name in names]))

    def rows(self, codes: Sequence[int], rows: list[Row]) -> None:
        form = self.forms(codes)[0]
        self.console.write("".join([f"{shown(form(row[0]))}\n" for row in rows]))
