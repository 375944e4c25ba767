"""The flags of GetNames and BeginEnumeration."""

from __future__ import annotations

from typing import Any

import pytest
from tests.model.making import qualifier, qualifiers

from openwmi.model.cimtypes import ARRAY, CimType
from openwmi.model.errors import WbemError
from openwmi.model.listing import Entry, enumeration, names
from openwmi.model.status import WBEM_E_INVALID_PARAMETER

ENTRIES = [
    Entry("__PATH", None, CimType.STRING, 0x40, system=True),
    Entry("__CLASS", "C", CimType.STRING, 0x40, system=True),
    Entry(
        "size",
        1,
        CimType.UINT32,
        0,
        own=True,
        qualifiers=qualifiers(qualifier("Max", 5), qualifier("Values", ("a",))),
    ),
    Entry("Name", "a", CimType.STRING, 0x20, qualifiers=qualifiers("key")),
    Entry(
        "End", "p", CimType.REFERENCE, 0, overridden=True, qualifiers=qualifiers("key", qualifier("Max", 6))
    ),
    Entry("Ends", (), CimType.REFERENCE | ARRAY, 0x20),
]


@pytest.mark.req("A-204", "A-205", "A-206")
@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (0, ["__PATH", "__CLASS", "End", "Ends", "Name", "size"]),
        (0x70, ["__PATH", "__CLASS", "End", "Ends", "Name", "size"]),
        (0x04, ["End", "Name"]),
        (0x08, ["End", "Ends"]),
        (0x0C, ["End"]),
        (0x10, ["size"]),
        (0x20, ["End", "Ends", "Name"]),
        (0x24, ["End", "Name"]),
        (0x30, ["__PATH", "__CLASS"]),
        (0x40, ["End", "Ends", "Name", "size"]),
        (0x100, ["End"]),
        (0x140, ["End"]),
        (0x200, ["End", "size"]),
        (0x204, ["End"]),
    ],
)
def test_origins_and_kinds(flags: int, expected: list[str]) -> None:
    assert [one.name for one in enumeration(ENTRIES, flags, of_class=True)] == expected
    if flags < 0x100:
        assert names(ENTRIES, flags) == expected


@pytest.mark.req("A-204")
@pytest.mark.parametrize(
    ("flags", "name", "value", "expected"),
    [
        (0x41, "MAX", None, ["End", "size"]),
        (0x42, "max", None, ["Ends", "Name"]),
        (0x43, "max", 5, ["size"]),
        (0x43, "max", "5", []),
        (0x43, "values", ["a"], ["size"]),
        (0x43, "key", True, ["End", "Name"]),
        (0x43, "key", 1, []),
        (0x45, "max", None, ["End"]),
        (0x01, "max", None, ["End", "size"]),
        (0x02, "max", None, ["__PATH", "__CLASS", "Ends", "Name"]),
        (0x40, "max", None, ["End", "Ends", "Name", "size"]),
    ],
)
def test_conditions(flags: int, name: str, value: Any, expected: list[str]) -> None:
    assert names(ENTRIES, flags, name, value) == expected


@pytest.mark.req("A-204", "A-205")
@pytest.mark.parametrize("flags", [0x50, 0x60, 0x80, 0x300, 0x110, 0x120, 0x1000, -1])
def test_flags_that_are_not_possible(flags: int) -> None:
    with pytest.raises(WbemError) as caught:
        enumeration(ENTRIES, flags, of_class=True)
    assert caught.value.code == WBEM_E_INVALID_PARAMETER


@pytest.mark.req("A-204", "A-205")
def test_conditions_need_their_arguments() -> None:
    for arguments in [(1,), (2, ""), (3, "max"), (0x100,)]:
        with pytest.raises(WbemError) as caught:
            names(ENTRIES, *arguments)  # type: ignore[arg-type]
        assert caught.value.code == WBEM_E_INVALID_PARAMETER
    with pytest.raises(WbemError):
        enumeration(ENTRIES, 1)
