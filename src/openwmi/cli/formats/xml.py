"""`-o xml`: one CIM-XML document (DMTF DSP0201) of all objects, instances and classes, an object a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.cli.formats import writer
from openwmi.model.classes import Class

if TYPE_CHECKING:
    from collections.abc import Sequence

    from openwmi.model.batches import Batch

HEAD = '<?xml version="1.0" encoding="utf-8"?>\n<CIM CIMVERSION="2.0" DTDVERSION="2.0"><DECLARATION><DECLGROUP>\n'
TAIL = "</DECLGROUP></DECLARATION></CIM>\n"


class Writer(writer.Writer):
    """Objects as CIM-XML elements."""

    needs_objects = True

    def start(self, names: Sequence[str]) -> None:
        self.console.write(HEAD)

    def batch(self, batch: Batch) -> None:
        from openwmi.mof import class_to_xml, instance_to_xml

        texts = [class_to_xml(one) if isinstance(one, Class) else instance_to_xml(one) for one in batch]
        self.console.write("".join([f"<VALUE.OBJECT>{text}</VALUE.OBJECT>\n" for text in texts]))

    def finish(self) -> None:
        self.console.write(TAIL)
