"""Methods parts: signatures, qualifiers, origins, and what Windows leaves in them."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.wmio.making import PART, family
from tests.wmio.real import dump

from openwmi.model.errors import InvalidStream
from openwmi.wmio import decode_class
from openwmi.wmio.buffers import Reader
from openwmi.wmio.heaps import NONE
from openwmi.wmio.methods import methods_part, read_methods
from openwmi.wmio.objects import block_of

EMPTY = bytes.fromhex("0c00000000000000 00000080")


def test_methods_come_back() -> None:
    derived, _ = family()
    chain = ("Test_Base", "Test_Derived")
    found = read_methods(Reader(methods_part(derived.methods.values(), chain)), chain)
    assert found == derived.methods
    assert [one.name for one in found.values()] == ["Stop", "Start"]
    assert not found["stop"].local
    assert found["stop"].inputs is None


def test_no_methods_take_twelve_bytes() -> None:
    assert methods_part((), ("T",)) == EMPTY
    assert read_methods(Reader(EMPTY), ("T",)) == {}


def test_what_stands_where_nothing_should_is_not_looked_at() -> None:
    """Windows leaves bytes of something else behind the count."""
    assert read_methods(Reader(EMPTY[:6] + b"__" + EMPTY[8:]), ("T",)) == {}


def test_the_methods_of_win32_process(shared_data: Path) -> None:
    class_, parent = decode_class(dump(shared_data, "wmio_win32_process"))
    assert parent is not None
    assert parent.methods == {}
    assert [one.name for one in class_.methods.values()] == [
        "Create",
        "Terminate",
        "GetOwner",
        "GetOwnerSid",
        "SetPriority",
        "AttachDebugger",
        "GetAvailableVirtualSize",
    ]
    create = class_.methods["create"]
    assert create.inputs is not None
    assert create.outputs is not None
    assert create.inputs.name == "__PARAMETERS"
    assert create.inputs.is_abstract
    assert [one.name for one in create.inputs.properties.values()] == [
        "CommandLine",
        "CurrentDirectory",
        "ProcessStartupInformation",
    ]
    assert create.inputs.properties["processstartupinformation"].reference == "Win32_ProcessStartup"
    assert [one.name for one in create.outputs.properties.values()] == ["ProcessId", "ReturnValue"]
    assert class_.methods["getowner"].inputs is None
    assert create.origin == "Win32_Process"


def test_reference_none_is_no_signature() -> None:
    data = bytearray(methods_part(family()[1].methods.values(), ("Test_Base",)))
    data[8 + 16 : 8 + 20] = NONE.to_bytes(4, "little")
    assert read_methods(Reader(bytes(data)), ("Test_Base",))["stop"].inputs is None


def test_a_signature_is_a_class() -> None:
    derived, _ = family()
    data = methods_part([derived.methods["start"]], ("Test_Derived",))
    block = block_of(PART.spawn())
    at = int.from_bytes(data[8 + 16 : 8 + 20], "little") + 8 + 24 + 4
    with pytest.raises(InvalidStream, match="no class"):
        read_methods(
            Reader(data[:at] + len(block).to_bytes(4, "little") + block + data[at + 4 + len(block) :]), ("T",)
        )


def test_a_count_beyond_the_part_is_refused() -> None:
    with pytest.raises(InvalidStream):
        read_methods(Reader(EMPTY[:4] + b"\xff\xff" + EMPTY[6:]), ("T",))
