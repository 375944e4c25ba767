"""The rows of class T that the fixture files ask about."""

from __future__ import annotations

from typing import Any

from tests.wql.catalog import Catalog

from openwmi.model.values import coerce


def rows(schema: Catalog) -> list[tuple[Any, ...]]:
    """Rows aligned with all properties of T; what is left out is NULL."""
    layout = schema.classes["t"].layout
    found = []
    for values in _values(schema):
        row = [
            coerce(values.get(name), code) if name in values else None
            for name, code in zip(layout.names, layout.types, strict=True)
        ]
        found.append(tuple(row))
    return found


def _values(schema: Catalog) -> list[dict[str, Any]]:
    inner, child = schema.classes["inner"], schema.classes["innerchild"]
    deepest = inner.spawn({"Number": 9})
    return [
        {
            "Id": "a",
            "I8": 1,
            "U8": 0,
            "U32": 7,
            "I64": 1,
            "U64": 9,
            "R32": 0.1,
            "R64": 1.5,
            "S": "Explorer.EXE",
            "B": True,
            "D": "20240229120000.000000+000",
            "Ref": "T.Id='a'",
            "C": ord("A"),
            "E": inner.spawn({"Number": 5, "Text": "deep"}),
            "E2": inner.spawn({"Number": 2}),
        },
        {
            "Id": "b",
            "U8": 255,
            "U32": 8,
            "U64": 10_000_000_000,
            "R32": 7.5,
            "R64": 2.0,
            "S": "42",
            "B": False,
            "D": "20240229130000.000000+060",
            "Ref": '\\\\HOST\\root\\cimv2:T.Id="A"',
            "C": ord("B"),
            "E": child.spawn({"Number": 6, "More": "more", "Deeper": deepest}),
        },
        {
            "Id": "c",
            "I8": -8,
            "U32": 4_294_967_295,
            "I64": -(2**63),
            "U64": 2**64 - 1,
            "R64": -0.25,
            "S": "[x]_1",
            "B": False,
            "D": "20240229120001.000000+000",
            "Ref": "T.Id='c'",
            "C": ord("C"),
            "E": inner,
        },
        {"Id": "d", "U32": 9, "S": "Straße", "D": "********120000.000000+***", "Ref": "No path!"},
        {"Id": "n"},
    ]
