"""The shipped classes are those of Windows: compared with what others read in a real repository and on real hosts.

Oracles: two decoders of a Windows 11 repository (about two thirds of the classes), the pages of Microsoft's
documentation for the rest (names and types), and the class that a Windows Server 2019 sent (methods).
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.providers.questions import class_named

from openwmi.model.cimtypes import ARRAY, NAMES, type_name
from openwmi.model.classes import Class, Method, Property
from openwmi.model.qualifiers import QualifierSet
from openwmi.mof import class_declarations
from openwmi.providers import CLASSES

CIMV2 = "root\\CIMV2"
# The names that the decoders give to the repository's dictionary.
DICTIONARY = {
    "PROP_QUALIFIER_TYPE": "cimtype",
    "PROP_QUALIFIER_READ_ACCESS": "read",
    "PROP_QUALIFIER_KEY": "key",
    "CLASS_QUALIFIER_PROVIDER": "provider",
    "CLASS_QUALIFIER_DYNAMIC": "dynamic",
    "None": "write",
}
# Texts, which are ours; and what says nothing about how a class behaves.
OURS = {"description", "displayname", "values", "bitvalues", "units", "cimtype"}
DOCUMENTED = {
    "Win32_ComputerSystem": "win32-computersystem.md",
    "Win32_Processor": "win32-processor.md",
    "CIM_LogicalDevice": "cim-logicaldevice.md",
    "CIM_DataFile": "cim-datafile.md",
    "Win32_Directory": "win32-directory.md",
}
# In neither: the pages of their subclasses list what they inherit, a sister or a base class is in the repository.
UNSEEN = {
    "CIM_StorageExtent",
    "CIM_Processor",
    "Win32_CurrentTime",
    "Win32_UTCTime",
    "Win32_ProcessStopTrace",
}
IN_REPOSITORY = sorted(set(CLASSES) - {name.lower() for name in (*DOCUMENTED, *UNSEEN)})
every_known_class = pytest.mark.parametrize("name", IN_REPOSITORY)


def records(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def read_by_others(shared_data: Path, namespace: str) -> dict[str, dict[str, Any]]:
    """Our classes in a namespace: what python-cim read, or dissect.cim where python-cim knows too few types."""
    found: dict[str, dict[str, Any]] = {}
    folder = shared_data / "repo" / "win11-dissect"
    for file in ("oracle-dissect.jsonl.gz", "oracle-pythoncim.jsonl.gz"):
        for record in records(folder / file):
            name = record.get("class", "").lower()
            if record["ns"] == namespace and name in CLASSES and "err" not in record:
                found[name] = record
    return found


@pytest.fixture(scope="module")
def repository(shared_data: Path) -> dict[str, dict[str, Any]]:
    return read_by_others(shared_data, CIMV2)


@pytest.fixture(scope="module")
def amended(shared_data: Path) -> dict[str, dict[str, Any]]:
    """The texts of the same classes for American English."""
    return read_by_others(shared_data, CIMV2 + "\\ms_409")


def functional(qualifiers: Mapping[str, object]) -> dict[str, object]:
    named = {DICTIONARY.get(name, name).lower(): value for name, value in qualifiers.items()}
    return {name: value for name, value in named.items() if name not in OURS}


def ours(qualifiers: QualifierSet) -> dict[str, object]:
    return {
        one.name.lower(): list(one.value) if isinstance(one.value, tuple) else one.value
        for one in qualifiers.local()
        if one.name.lower() not in OURS
    }


def is_readable(value: object) -> bool:
    """dissect.cim prints where the strings of an array begin instead of the strings."""
    return not (isinstance(value, list) and all(isinstance(one, int) for one in value))


def oracle_type(record: Mapping[str, Any]) -> str:
    name = record["t"].lower().rpartition("cim_type_")[2]
    if name == "langid":
        return str(record["q"]["PROP_QUALIFIER_TYPE"]).lower()
    return "s" + name if name.startswith("int") else str(name)


def declared(class_: Class) -> dict[str, Property]:
    return {one.name: one for one in class_.declaration.properties}


def test_the_oracles_hold_these_classes(
    repository: dict[str, dict[str, Any]], amended: dict[str, dict[str, Any]]
) -> None:
    assert sorted(repository) == sorted(amended) == IN_REPOSITORY


@every_known_class
def test_a_class_is_the_one_in_the_repository(repository: dict[str, dict[str, Any]], name: str) -> None:
    record = repository[name]
    class_ = class_named(name)
    assert class_.name == record["class"]
    assert (class_.superclass or "") == record["super"]
    expected = functional(record["q"])
    actual = ours(class_.qualifiers)
    assert actual.keys() == expected.keys()
    assert {key: actual[key] for key in expected if is_readable(expected[key])} == {
        key: value for key, value in expected.items() if is_readable(value)
    }
    in_order = sorted(record["props"], key=lambda one: one["index"])
    assert list(declared(class_)) == [one["name"] for one in in_order]


@every_known_class
def test_its_properties_are_those_in_the_repository(repository: dict[str, dict[str, Any]], name: str) -> None:
    record = repository[name]
    properties = declared(class_named(name))
    for one in record["props"]:
        mine = properties[one["name"]]
        assert NAMES[mine.type & ~ARRAY] == oracle_type(one), one["name"]
        if "arr" in one:
            assert bool(mine.type & ARRAY) == one["arr"], one["name"]
        actual, expected = ours(mine.qualifiers), functional(one["q"])
        assert actual.keys() == expected.keys(), one["name"]
        for key, value in expected.items():
            if is_readable(value):
                assert actual[key] == value, (one["name"], key)


def lower_case(qualifiers: Mapping[str, object]) -> dict[str, object]:
    return {key.lower(): value for key, value in qualifiers.items()}


@pytest.mark.req("G-06")
@every_known_class
def test_units_are_those_of_windows(
    repository: dict[str, dict[str, Any]], amended: dict[str, dict[str, Any]], name: str
) -> None:
    """They stand with the texts for American English, or where nobody has thought of translating them."""
    properties = declared(class_named(name))
    neutral = {one["name"]: lower_case(one["q"]).get("units") for one in repository[name]["props"]}
    for one in amended[name]["props"]:
        units = lower_case(one["q"]).get("units") or neutral.get(one["name"])
        if one["name"] in properties:
            assert properties[one["name"]].qualifiers.value("Units") == units, one["name"]


def test_no_description_is_a_copy(amended: dict[str, dict[str, Any]]) -> None:
    """Facts are free, sentences are not."""
    texts = {str(r["q"].get("Description")).strip().lower() for r in amended.values()}
    texts |= {
        str(one["q"].get("Description")).strip().lower() for r in amended.values() for one in r["props"]
    }
    for name in CLASSES:
        class_ = class_named(name)
        sets = [class_.qualifiers, *(one.qualifiers for one in declared(class_).values())]
        sets += [one.qualifiers for one in class_.declaration.methods]
        for qualifiers in sets:
            text = qualifiers.value("Description")
            assert isinstance(text, str)
            assert text
            assert text.strip().lower() not in texts


@pytest.mark.parametrize("name", sorted(DOCUMENTED))
def test_a_class_is_the_one_in_the_documentation(shared_data: Path, name: str) -> None:
    blocks = records(shared_data / "mof" / "msdocs-blocks.jsonl.gz")
    (block,) = [one for one in blocks if one["src"].endswith("CIMWin32Prov/" + DOCUMENTED[name])]
    found = re.findall(r"^\s+(\w+)\s+(\w+)(\[\])?;", block["text"], re.MULTILINE)
    documented = {one: type_ + array for type_, one, array in found}
    class_ = class_named(name)
    assert {one.name: type_name(one.type) for one in class_.properties.values()} == documented
    header = re.search(r"class (\w+) : (\w+)", block["text"])
    assert header is not None
    assert header.groups() == (class_.name, class_.superclass)
    assert str(class_.qualifiers.value("UUID")) in block["text"]


# Methods ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sent(shared_data: Path) -> Class:
    """Win32_Process as a Windows Server 2019 sent it; its printer lists all ancestors where MOF has one."""
    text = (shared_data / "wmio" / "wmio_win32_process.mof").read_text("utf-8")
    text = re.sub(r"(class\s+\w+\s*:\s*\w+)(?:\s+\w+)*(\s*\{)", r"\1\2", text)
    (_, process) = class_declarations(text, file="wmio_win32_process.mof")
    return process


def signature(method: Method) -> list[tuple[object, ...]]:
    """Direction, name, type, class and ID of each parameter, the return value last."""
    found: dict[object, tuple[object, ...]] = {}
    for direction, parameters in (("in", method.inputs), ("out", method.outputs)):
        for one in parameters.properties.values() if parameters else ():
            found[one.qualifiers.value("ID", 99)] = (direction, one.name, one.type, one.reference)
    return [found[key] for key in sorted(found, key=int)]  # type: ignore[call-overload]


@pytest.mark.req("G-26")
def test_methods_of_processes_are_those_that_windows_sends(sent: Any) -> None:
    mine = {one.name: one for one in class_named("Win32_Process").declaration.methods}
    theirs = {one.name: one for one in sent.methods}
    assert list(mine) == list(theirs)
    for name, method in mine.items():
        assert signature(method) == signature(theirs[name]), name
        assert ours(method.qualifiers) == ours(theirs[name].qualifiers), name


@pytest.mark.parametrize(
    ("name", "method", "expected"),
    [
        ("Win32_OperatingSystem", "Win32Shutdown", ["Flags", "Reserved"]),
        ("Win32_OperatingSystem", "SetDateTime", ["LocalDateTime"]),
        ("Win32_OperatingSystem", "Reboot", []),
        ("Win32_Service", "ChangeStartMode", ["StartMode"]),
        ("Win32_Service", "UserControlService", ["ControlCode"]),
        ("Win32_Service", "StopService", []),
        ("Win32_ComputerSystem", "Rename", ["Name", "Password", "UserName"]),
        (
            "Win32_ComputerSystem",
            "JoinDomainOrWorkgroup",
            ["Name", "Password", "UserName", "AccountOU", "FJoinOptions"],
        ),
        ("Win32_LogicalDisk", "ScheduleAutoChk", ["LogicalDisk"]),
        ("Win32_Processor", "SetPowerState", ["PowerState", "Time"]),
    ],
)
def test_methods_that_the_documentation_describes(name: str, method: str, expected: list[str]) -> None:
    found = class_named(name).method(method)
    assert found is not None
    assert [one[1] for one in signature(found)] == [*expected, "ReturnValue"]
