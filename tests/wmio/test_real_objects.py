"""The five real objects: decoded to the byte, equal to the MOF beside them, and the same after writing them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.wmio.real import (
    NAMES_OF_DUMPS,
    Facts,
    differences,
    dump,
    facts_of_class,
    facts_of_node,
    sidecar,
)

from openwmi.model.classes import Class
from openwmi.model.instances import Instance
from openwmi.wmio import decode, decode_class, encode

# Where the MOF beside a dump says something else, because whoever wrote or printed it left it out or slipped.
READ_LEFT_OUT = "the printer leaves out a qualifier read that stands alone or behind CIMTYPE"
KEY_LEFT_OUT = "the MOF was written by hand without key and Description"
NO_BRACKETS = "the printer writes an array like a scalar"
BITS_BY_NAME = "the printer reads the bits of the NdTable by name: the default of ErrorMode fell to YSize"
SLIPS: dict[tuple[str, str], dict[tuple[Any, ...], str]] = {
    ("wmio_structure_example", "Base"): {("property", "Id", "[]", "key"): KEY_LEFT_OUT},
    **{
        (name, "MyClass"): {
            ("[]", "description"): KEY_LEFT_OUT,
            ("property", "Id", "[]", "key"): KEY_LEFT_OUT,
            ("property", "Array"): NO_BRACKETS,
        }
        for name in NAMES_OF_DUMPS[:3]
    },
    ("wmio_class_encoding_with_methods", "MyClass2"): {
        ("property", "Id", "[]", "key"): KEY_LEFT_OUT,
        ("property", "Array"): NO_BRACKETS,
    },
    ("wmio_win32_process_startup", "Win32_ProcessStartup"): {
        ("property", "EnvironmentVariables"): NO_BRACKETS,
        ("property", "ErrorMode"): BITS_BY_NAME,
        ("property", "YSize"): BITS_BY_NAME,
    },
    ("wmio_win32_process", "CIM_Process"): {
        ("property", name, "[]", "read"): READ_LEFT_OUT
        for name in (
            *("Description", "ExecutionState", "KernelModeTime", "Name", "Priority", "TerminationDate"),
            *("UserModeTime", "WorkingSetSize"),
        )
    },
    ("wmio_win32_process", "Win32_Process"): {
        ("property", name, "[]", "read"): READ_LEFT_OUT
        for name in (
            "CommandLine",
            "Description",
            "ExecutionState",
            "Name",
            "TerminationDate",
            "WorkingSetSize",
        )
    },
}


def classes_of(shared_data: Path, name: str) -> list[Class]:
    """The classes of a dump, the superclass first."""
    data = dump(shared_data, name)
    one = decode(data)
    if isinstance(one, Instance):
        assert one.class_ is not None
        return [one.class_]
    class_, parent = decode_class(data)
    assert parent is not None
    return [parent, class_]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES_OF_DUMPS)
def test_classes_equal_their_mof_but_for_its_slips(shared_data: Path, name: str) -> None:
    nodes = sidecar(shared_data, name)
    compared = 0
    for class_, node in zip(classes_of(shared_data, name), nodes, strict=False):
        real: Facts = facts_of_class(class_)
        printed = facts_of_node(node)
        assert {key for key, _, _ in differences(real, printed)} == set(SLIPS.get((name, class_.name), {}))
        assert list(class_.properties) == [one.name.lower() for one in node.properties]
        assert list(class_.methods) == [one.name.lower() for one in node.methods]
        compared += len(real)
    assert compared > 4


def test_the_default_that_the_printer_misplaced(shared_data: Path) -> None:
    startup = classes_of(shared_data, "wmio_win32_process_startup")[1]
    said = {one.name: (one.default, one.has_default) for one in startup.properties.values()}
    assert said["ErrorMode"] == (0, True)
    assert said["YSize"] == (None, False)


def test_the_instance_equals_its_mof(shared_data: Path) -> None:
    (node,) = [
        one for one in sidecar(shared_data, "wmio_instance_encoding") if type(one).__name__ == "InstanceNode"
    ]
    one = decode(dump(shared_data, "wmio_instance_encoding"))
    assert isinstance(one, Instance)
    assert {assigned.name: assigned.value for assigned in node.assignments} == dict(
        zip(one.names_, one.values_, strict=True)
    )


@pytest.mark.parametrize("name", NAMES_OF_DUMPS)
def test_objects_are_equal_after_writing_them(shared_data: Path, name: str) -> None:
    data = dump(shared_data, name)
    one = decode(data)
    if isinstance(one, Instance):
        again = decode(encode(one))
        assert isinstance(again, Instance)
        assert again.class_ == one.class_
        assert again.path_ == one.path_
        assert again.defaults_ == one.defaults_
        assert again == one
        return
    class_, parent = decode_class(data)
    ours = encode(class_, parent=parent)
    assert decode_class(ours) == (class_, parent)
    assert encode(*decode_class(ours)[:1], parent=decode_class(ours)[1]) == ours
    assert decode(encode(class_)) == class_
    assert (class_.namespace, class_.server) == (decode(ours).namespace, decode(ours).server)  # type: ignore[union-attr]


def test_the_instance_is_written_as_windows_writes_it_but_for_the_order_of_its_heap(
    shared_data: Path,
) -> None:
    """Windows puts values into the heap as they are set, we put strings before arrays; nothing else differs."""
    data = dump(shared_data, "wmio_instance_encoding")
    theirs, ours = data[-73:], encode(decode(data))[-73:]
    heap = 9 + 17 + 5 + 4
    assert theirs[:9] == ours[:9]
    assert theirs[9:14] == ours[9:14] == b"\x20" + (123).to_bytes(4, "little")
    assert theirs[26:heap] == ours[26:heap]
    assert theirs[heap : heap + 9] == ours[heap : heap + 9] == b"\0MyClass\0"
    text, array = b"\0StringField\0", b"".join([one.to_bytes(4, "little") for one in (3, 1, 2, 3)])
    assert theirs[heap + 9 :] == array + text
    assert ours[heap + 9 :] == text + array
