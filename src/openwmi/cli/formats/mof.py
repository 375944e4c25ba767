"""`-o mof`: instances and classes as MOF text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.cli.formats import writer
from openwmi.model.classes import Class

if TYPE_CHECKING:
    from openwmi.model.batches import Batch


class Writer(writer.Writer):
    """Objects as their MOF declarations."""

    needs_objects = True

    def batch(self, batch: Batch) -> None:
        from openwmi.mof import print_class, print_instance

        for one in batch:
            text = print_class(one) if isinstance(one, Class) else print_instance(one)
            self.console.write(text.rstrip() + "\n\n")
