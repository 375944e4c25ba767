"""What holds for the instances of every family: declared types, common columns, one row wherever it comes from."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from tests.providers.questions import Ask, check_types, class_named, opened_files, request

from openwmi.model.cimtypes import CimType
from openwmi.providers import CLASSES
from openwmi.providers.cimwin32 import CimWin32

# What has instances only beside a program of the system, or for a question that names some, is checked with its family.
ASKED_ELSEWHERE = {"win32_ntlogevent", "win32_service", "cim_datafile", "win32_directory"}
READ = sorted(name for name, entry in CLASSES.items() if entry.module and name not in ASKED_ELSEWHERE)
every_class = pytest.mark.parametrize("name", READ)
CLOCKS = {"win32_localtime", "win32_utctime"}  # of no base class, and without a name
STEADY = ("Win32_ComputerSystem", "Win32_Environment", "Win32_LogicalDisk", "Win32_Processor")


@pytest.mark.req("G-62", "A-001")
@every_class
def test_values_are_raw_values_of_the_declared_type(ask: Ask, name: str) -> None:
    check_types(name, ask(name))


@pytest.mark.req("G-04")
@pytest.mark.parametrize("name", sorted(set(READ) - CLOCKS))
def test_every_instance_has_a_caption_a_description_and_a_name(ask: Ask, name: str) -> None:
    for row in ask(name, "Caption", "Description", "Name"):
        assert all(row.values()), row


@pytest.mark.req("G-03")
@every_class
def test_the_columns_that_name_classes_and_the_system(ask: Ask, name: str) -> None:
    expected = {
        "CreationClassName": class_named(name).name,
        "SystemCreationClassName": "Win32_ComputerSystem",
        "CSCreationClassName": "Win32_ComputerSystem",
        "OSCreationClassName": "Win32_OperatingSystem",
        "SystemName": os.uname().nodename.partition(".")[0].upper(),
        "CSName": os.uname().nodename.partition(".")[0].upper(),
    }
    columns = [column for column in expected if class_named(name).property(column) is not None]
    for row in ask(name, *columns) if columns else ():
        assert row == {column: expected[column] for column in columns}
    if name in ("win32_logicaldisk", "win32_processor", "win32_operatingsystem", "win32_computersystem"):
        assert {row["Status"] for row in ask(name, "Status")} == {"OK"}


@pytest.mark.req("A-020", "A-027", "G-10")
@pytest.mark.parametrize("name", sorted(set(READ) - CLOCKS))
def test_datetimes_are_local_with_the_offset_of_that_moment(ask: Ask, name: str) -> None:
    class_ = class_named(name)
    columns = [one.name for one in class_.properties.values() if one.type == CimType.DATETIME]
    for row in ask(name, *columns):
        for text in filter(None, row.values()):
            assert isinstance(text, str)
            assert re.fullmatch(r"\d{14}\.\d{6}[+-]\d{3}", text)
            moment = datetime.strptime(text[:21], "%Y%m%d%H%M%S.%f").replace(tzinfo=UTC).timestamp()
            offset = int(text[21:]) * 60
            assert datetime.fromtimestamp(moment - offset).astimezone().utcoffset().total_seconds() == offset  # type: ignore[union-attr]


@pytest.mark.req("G-05", "D-55")
@pytest.mark.parametrize("name", STEADY)
def test_a_key_look_up_gives_the_row_of_the_enumeration(
    ask: Ask, look_up: Callable[..., dict[str, object] | None], name: str
) -> None:
    class_ = class_named(name)
    moving = {"FreeSpace", "LoadPercentage", "CurrentClockSpeed"}
    columns = [one.name for one in class_.properties.values() if one.name not in moving]
    rows = ask(name, *columns)
    identities = {tuple(row[key] for key in class_.keys) for row in rows}
    assert len(identities) == len(rows)
    for row in rows:
        assert look_up(name, *columns, **{key: row[key] for key in class_.keys}) == row
    nowhere = dict.fromkeys(class_.keys, "no such thing")
    assert look_up(name, *columns, **nowhere) is None


@pytest.mark.req("A-007")
@pytest.mark.parametrize("name", STEADY)
def test_keys_are_found_in_any_case(
    ask: Ask, look_up: Callable[..., dict[str, object] | None], name: str
) -> None:
    keys = class_named(name).keys
    for row in ask(name, *keys):
        assert look_up(name, *keys, **{key: str(row[key]).swapcase() for key in keys}) is not None
        assert row in ask(name, *keys, **{keys[0]: str(row[keys[0]]).swapcase()})


@every_class
def test_one_column_at_a_time_says_what_all_say_together(ask: Ask, name: str) -> None:
    """Columns are read independently: what a query leaves out changes nothing in what it asks for."""
    class_ = class_named(name)
    identity = {"win32_process": {"ProcessId": os.getpid()}}.get(name, {})
    moving = re.compile(
        r"Free\w*|LoadPercentage|CurrentClockSpeed|LocalDateTime|NumberOfProcesses|\w+ModeTime|Page\w+|Peak\w+|\w+Count"
        r"|WorkingSetSize|VirtualSize"
    )
    together = ask(name, **identity)
    for column in (one.name for one in class_.properties.values()):
        if not moving.fullmatch(column):
            assert [row[column] for row in ask(name, column, **identity)] == [row[column] for row in together]


@every_class
def test_asking_reads_nothing_before_the_first_row_is_fetched(name: str) -> None:
    """The service may ask on its loop; only the fetching is done in a thread."""
    families = CimWin32()
    families.instances(request(name, "Caption"))  # loads the module
    with opened_files() as paths:
        rows = families.instances(request(name))
    assert paths == []
    assert next(iter(rows))
