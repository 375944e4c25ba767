"""Class parts, written: byte for byte what Windows writes, and what a class says about its superclass."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from tests.wmio.making import classes, family
from tests.wmio.real import NAMES_OF_DUMPS, dump

from openwmi.model.cimtypes import CimType
from openwmi.model.classes import Class
from openwmi.model.errors import TypeMismatch
from openwmi.model.members import Property
from openwmi.wmio.buffers import Reader
from openwmi.wmio.classparts import read_class_part
from openwmi.wmio.classwriting import class_part, parent_of
from openwmi.wmio.methods import read_methods
from openwmi.wmio.objects import CLASS, read_decoration

# Parts whose unused bits of the NdTable are not FF: classes that Windows built property by property.
UNEVEN = {"Base"}


def parts(data: bytes) -> list[tuple[str, bytes, bytes]]:
    """(name, bytes as they are, bytes as we write them) of the class parts of a unit."""
    reader = Reader(data, 8)
    flags, _, _ = read_decoration(reader)
    found = []
    for _ in range(2 if flags & CLASS else 1):
        start = reader.at
        part = read_class_part(reader)
        found.append((part.name, data[start : reader.at], class_part(part.as_class())))
        if flags & CLASS:
            read_methods(reader, (part.name,))
    return found


def without_slack(real: bytes, ours: bytes) -> bytes:
    """`real` with the unused end of its heap cut off and both lengths set right."""
    slack = len(real) - len(ours)
    at = next(
        at
        for at in range(len(real) - 4)
        if int.from_bytes(real[at : at + 4], "little") == 0x80000000 | (len(real) - at - 4)
    )
    heap = (0x80000000 | (len(real) - at - 4 - slack)).to_bytes(4, "little")
    return len(ours).to_bytes(4, "little") + real[4:at] + heap + real[at + 4 : len(real) - slack]


@pytest.mark.parametrize("name", NAMES_OF_DUMPS)
def test_parts_are_written_as_windows_writes_them(shared_data: Path, name: str) -> None:
    """To the byte, but for room that Windows leaves at the end of a heap and for bits that mean nothing."""
    for class_name, real, ours in parts(dump(shared_data, name)):
        expected = without_slack(real, ours)
        if class_name in UNEVEN:
            different = [at for at in range(len(ours)) if ours[at] != expected[at]]
            assert len(different) == 1
            assert ours[different[0]] | expected[different[0]] == ours[different[0]]  # unused bits alone
        else:
            assert ours == expected


@pytest.mark.slow
@given(classes())
def test_parts_come_back(class_: Class) -> None:
    assert read_class_part(Reader(class_part(class_))).as_class() == class_


def test_defaults_of_ancestors_are_written_as_theirs() -> None:
    derived, _ = family()
    found = read_class_part(Reader(class_part(derived))).as_class()
    assert found == Class(
        derived.name, derived.superclass, derived.derivation, None, derived.qualifiers, derived.properties
    )
    said = {
        one.name: (one.default, one.has_default, one.local, one.origin) for one in found.properties.values()
    }
    assert said["Text"] == ("inherited", False, False, "Test_Base")
    assert said["Size"] == (6, True, True, "Test_Base")
    assert said["Flags"] == ((1, 2, 255), True, True, "Test_Derived")


def test_a_class_made_by_hand_gets_its_cimtypes() -> None:
    bare = Class("T", properties={"p": Property("P", CimType.OBJECT, "Q", origin="T")})
    found = read_class_part(Reader(class_part(bare))).properties[0]
    assert found.qualifiers.value("CIMTYPE") == "object:Q"
    assert found.reference == "Q"


@pytest.mark.parametrize(
    ("code", "value"), [(CimType.UINT8, 256), (CimType.STRING, 5), (CimType.REAL32, 1e300)]
)
def test_a_default_that_is_not_of_its_type_is_named(code: int, value: object) -> None:
    wrong = Class("T", properties={"p": Property("P", code, default=value, has_default=True, origin="T")})
    with pytest.raises(TypeMismatch, match="default of P"):
        class_part(wrong)


def test_what_a_class_tells_about_its_superclass() -> None:
    derived, base = family()
    found = parent_of(derived)
    assert (found.name, found.superclass, found.derivation) == ("Test_Base", None, ())
    assert list(found.properties) == list(base.properties)
    assert list(found.methods) == ["stop"]
    assert found.methods["stop"].local
    assert found.property("Text") == base.property("Text")
    lost = found.property("Size")
    assert lost is not None
    assert lost.default is None  # overridden: nobody knows any more
    assert parent_of(base).name == ""
