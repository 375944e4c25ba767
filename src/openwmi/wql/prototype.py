"""What a query's results look like: its class with the selected properties alone ([MS-WMI] 2.2.4.1, calls.md B45)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.model.cimtypes import ARRAY, CimType
from openwmi.model.classes import Class
from openwmi.model.qualifiers import Qualifier

if TYPE_CHECKING:
    from openwmi.wql.plan import Plan


def prototype(plan: Plan) -> Class:
    """The class of FROM without the properties that are not selected.

    Each property that is carries the qualifier Order, sint32[]: its places in the select list, from 0.
    """
    class_ = plan.class_
    selected = list(class_.properties)
    if plan.selection is not None:
        selected = [name.lower() for name in plan.selection.names]
    properties = {
        lower: declared.replace(
            qualifiers=declared.qualifiers.with_(
                Qualifier("Order", (selected.index(lower),), CimType.SINT32 | ARRAY, 0)
            )
        )
        for lower, declared in class_.properties.items()
        if lower in selected
    }
    return Class(
        class_.name,
        class_.superclass,
        class_.derivation,
        class_.dynasty,
        class_.qualifiers,
        properties,
        class_.methods,
        namespace=class_.namespace,
        server=class_.server,
    )
