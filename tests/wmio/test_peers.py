"""impacket and aiowmi, unmodified: they read what we write, and we read what impacket writes.

Where they show something else, it is one of their own faults (wire.md 7.9), each an expectation with a name.
"""

from __future__ import annotations

import contextlib
import datetime
import io
from pathlib import Path
from typing import Any

import pytest
from tests.model.making import key, make, prop
from tests.wmio.making import MOMENT, PART, family
from tests.wmio.real import dump

from bench import wmio
from openwmi.model.batches import Rows
from openwmi.model.cimtypes import ARRAY, NAMES, CimType
from openwmi.model.classes import Class
from openwmi.model.instances import Instance
from openwmi.wmio import decode, decode_class, encode
from openwmi.wmio.arrays import ArrayEncoder

wmi = pytest.importorskip("impacket.dcerpc.v5.dcom.wmi")
smart_response = pytest.importorskip("aiowmi.ndr.smart_response")
object_block = pytest.importorskip("aiowmi.ndr.object_block")
next_response = pytest.importorskip("aiowmi.ndr.next_response")

pytestmark = pytest.mark.slow  # impacket takes 10 to 50 ms an object

REALS = (CimType.REAL32, CimType.REAL64)
CODES = [code for code in NAMES if code not in REALS]
TYPES = make(
    "Test_Types",
    key(),
    *[prop(f"One_{NAMES[code]}_x", code) for code in CODES],
    *[prop(f"Many_{NAMES[code]}_x", code | ARRAY) for code in CODES if code != CimType.OBJECT],
    prop("Default", CimType.UINT32, default=7),
    prop("Null", CimType.UINT16),
    prop("NullText"),
)
SINGLE: dict[int, Any] = {
    CimType.SINT8: -5,
    CimType.SINT16: -500,
    CimType.SINT32: -70_000,
    CimType.SINT64: -(2**40),
    CimType.STRING: "Grüße",
    CimType.BOOLEAN: True,
    CimType.OBJECT: PART.spawn({"Name": "inner", "Size": 9}),
    CimType.DATETIME: MOMENT,
    CimType.REFERENCE: 'Test_Part.Name="a"',
}


def one_of(code: int) -> Any:
    return SINGLE.get(code, 65)


def types() -> Instance:
    values: dict[str, Any] = {"Name": "first"}
    for code in CODES:
        values[f"One_{NAMES[code]}_x"] = one_of(code)
        if code != CimType.OBJECT:
            values[f"Many_{NAMES[code]}_x"] = [one_of(code), one_of(code)]
    return TYPES.spawn(values).with_(Null=None, NullText=None)


def impacket_object(unit: bytes) -> Any:
    return wmio.impacket_object(wmi, unit)


def unit_of(objref: Any) -> bytes:
    data = objref["pObjectData"]
    return bytes(data if isinstance(data, bytes) else data.getData())


# What they read ---------------------------------------------------------------------------------------------------


def test_impacket_reads_instances() -> None:
    seen = impacket_object(encode(types())).getProperties()
    assert list(seen) == [*TYPES.layout.names]
    for code in CODES:
        shown = seen[f"One_{NAMES[code]}_x"]
        if code == CimType.OBJECT:
            continue
        wanted = "True" if code == CimType.BOOLEAN else one_of(code)  # booleans are the text 'True'
        assert shown["value"] == wanted, NAMES[code]
    assert "key" in seen["Name"]["qualifiers"]
    assert seen["Name"]["qualifiers"]["CIMTYPE"] == "string"
    assert seen["NullText"]["value"] is None
    for code in (CimType.STRING, CimType.UINT32, CimType.SINT64):  # of other texts it shows the references
        assert seen[f"Many_{NAMES[code]}_x"]["value"] == [one_of(code)] * 2


def test_impacket_shows_no_class_defaults() -> None:
    """It takes the empty slot of a class default for the value: 0 for a number, None for text."""
    defaults = make(
        "Test_Defaults", key(), prop("Count", CimType.UINT32, default=7), prop("Text", default="d")
    )
    seen = impacket_object(encode(defaults.spawn({"Name": "a"}))).getProperties()
    assert (seen["Count"]["value"], seen["Text"]["value"]) == (0, None)
    seen = impacket_object(encode(defaults.spawn({"Name": "a", "Count": 7, "Text": "d"}))).getProperties()
    assert (seen["Count"]["value"], seen["Text"]["value"]) == (7, "d")


def test_names_of_the_dictionary_are_read() -> None:
    words = make("Test_Words", key("key"), prop("provider"), prop("Key2"), prop("DWORD", CimType.UINT32))
    one = words.spawn({"key": "a", "provider": "b", "Key2": "c", "DWORD": 4})
    assert b"\0provider\0" not in encode(one)
    seen = impacket_object(encode(one)).getProperties()
    assert {name: shown["value"] for name, shown in seen.items()} == one.as_dict_()
    found = _Seen(encode(one)).get_properties()
    assert {name: shown.value for name, shown in found.items()} == one.as_dict_()
    assert decode(encode(one)) == one


def test_impacket_reads_embedded_objects() -> None:
    seen = impacket_object(encode(types()))
    inner = seen.One_object_x
    assert (inner.Name, inner.Size) == ("inner", 9)


def test_impacket_reads_classes_and_signatures() -> None:
    derived, base = family(reals=False)  # it slices by a real64
    seen = impacket_object(encode(derived, parent=base))
    assert seen.getClassName() == "Test_Derived"
    properties = seen.getProperties()
    assert list(properties) == [one.name for one in derived.properties.values()]
    assert {name: one["stype"] for name, one in properties.items()}["Size"] == "uint16"
    assert properties["Text"]["inherited"]
    methods = seen.getMethods()
    assert list(methods) == ["Stop", "Start"]
    assert list(methods["Start"]["InParams"]) == ["Speed", "Name"]
    assert list(methods["Start"]["OutParams"]) == ["ReturnValue", "Job"]
    assert methods["Stop"]["InParams"] is None
    ours = impacket_object(encode(derived))
    assert ours.getProperties() == properties


def test_impacket_reads_win32_process_as_it_reads_the_original(shared_data: Path) -> None:
    data = dump(shared_data, "wmio_win32_process")
    class_, parent = decode_class(data)
    theirs, ours = impacket_object(data), impacket_object(encode(class_, parent=parent))
    assert ours.getProperties() == theirs.getProperties()
    seen, wanted = ours.getMethods(), theirs.getMethods()
    assert list(seen) == list(wanted)
    for name, method in wanted.items():
        for side in ("InParams", "OutParams", "qualifiers", "origin"):
            assert seen[name].get(side) == method.get(side), (name, side)


class _Seen(next_response.NextResponse):  # type: ignore[name-defined,misc]
    """aiowmi's way from an object block to values."""

    def __init__(self, unit: bytes) -> None:
        self._obj_block, _ = object_block.ObjectBlock.from_data(unit, 8)

    def _get_object_block(self) -> Any:
        return self._obj_block


# aiowmi shows a zero as missing, and reads UTF-16 text only where it comes first.
def test_aiowmi_reads_instances() -> None:
    seen = _Seen(encode(types().with_(One_object_x=None))).get_properties()  # it asserts 0 on an object
    assert list(seen) == [*TYPES.layout.names]
    for code in CODES:
        if code in (CimType.OBJECT, CimType.DATETIME):
            continue
        assert seen[f"One_{NAMES[code]}_x"].value == one_of(code), NAMES[code]
    moment = seen["One_datetime_x"].value
    assert moment == datetime.datetime.fromisoformat("2024-02-29T12:34:56.000001+01:00")
    assert seen["NullText"].value == ""  # NULL text is ''
    assert seen["Null"].value in (0, None)  # NULL numbers are 0


def test_aiowmi_reads_object_arrays() -> None:
    sender = ArrayEncoder(lambda: bytes(range(16)))
    classes: dict[str, Any] = {}
    for number in range(3):
        packet = sender.encode(Rows(PART.layout, [(f"n{number}", number + 1)]))
        stub = bytes(8) + (1).to_bytes(4, "little") + bytes(12) + packet
        seen = smart_response.SmartResponse(stub, classes).get_properties()
        assert {name: one.value for name, one in seen.items()} == {"Name": f"n{number}", "Size": number + 1}
    assert len(classes) == 1


# What impacket writes ---------------------------------------------------------------------------------------------


def marshalled(one: Any) -> bytes:
    with contextlib.redirect_stdout(io.StringIO()):  # it prints every property
        return unit_of(one.marshalMe())


def test_instances_that_impacket_writes() -> None:
    given = PART.spawn({"Name": "a", "Size": 3})
    theirs = impacket_object(encode(given))
    assert decode(marshalled(theirs)) == given
    theirs.Name = "other"
    theirs.Size = 65535
    found = decode(marshalled(theirs))
    assert isinstance(found, Instance)
    assert (found.Name, found.Size) == ("other", 65535)
    assert found.class_ == PART


def test_arguments_that_impacket_writes(shared_data: Path) -> None:
    """An instance of a signature, undecorated or not: what ExecMethod gets from impacket."""
    class_, _ = decode_class(dump(shared_data, "wmio_win32_process"))
    create = class_.methods["create"].inputs
    assert create is not None
    arguments = impacket_object(encode(create)).SpawnInstance()
    arguments.CommandLine = "notepad.exe"
    arguments.CurrentDirectory = "C:\\"
    found = decode(marshalled(arguments))
    assert isinstance(found, Instance)
    assert found.classname_ == "__PARAMETERS"
    assert found.as_dict_() == {
        "CommandLine": "notepad.exe",
        "CurrentDirectory": "C:\\",
        "ProcessStartupInformation": None,
    }


def test_a_class_that_impacket_writes() -> None:
    """It appends properties to the table unsorted and without origins, and does not set the bits of a default.

    Where the NdTable had room left, they inherit its unused bits, which say that there is no default.
    """
    four = make("Test_Four", key(), *[prop(f"P{at}", CimType.UINT16, default=at) for at in range(3)])
    theirs = impacket_object(encode(four))
    theirs.setClassName("Test_Other")
    theirs.addNewAttribute("Zeta", wmi.CIM_TYPE_ENUM.CIM_TYPE_UINT32, 5)
    theirs.addNewAttribute("Alpha", wmi.CIM_TYPE_ENUM.CIM_TYPE_STRING, "text")
    found = decode(marshalled(theirs))
    assert isinstance(found, Class)
    assert found.name == "Test_Other"
    assert {one.name: (one.type, one.default) for one in found.properties.values()} == {
        "Name": (CimType.STRING, None),
        "P0": (CimType.UINT16, 0),
        "P1": (CimType.UINT16, 1),
        "P2": (CimType.UINT16, 2),
        "Alpha": (CimType.STRING, "text"),
        "Zeta": (CimType.UINT32, 5),
    }
    theirs = impacket_object(encode(PART))
    theirs.addNewAttribute("Zeta", wmi.CIM_TYPE_ENUM.CIM_TYPE_UINT32, 5)
    lost = decode(marshalled(theirs))
    assert isinstance(lost, Class)
    assert lost.properties["zeta"].default is None
