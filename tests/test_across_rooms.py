"""Requirements that belong to no single room: what the whole does with namespaces, subclasses, names and contexts."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from tests.faces.com.support import Recorder, connected

import openwmi
from openwmi import com, sync, testing

NAMESPACE = "root\\across"
_numbers = itertools.count(1)


@pytest.fixture(scope="module", autouse=True)
def _com_of_this_process() -> None:
    assert com.CoInitializeEx(None, com.COINIT_MULTITHREADED) in (com.S_OK, com.S_FALSE)
    hr = com.CoInitializeSecurity(None, -1, None, None, 0, com.RPC_C_IMP_LEVEL_IMPERSONATE, None, 0, None)
    assert hr in (com.S_OK, com.RPC_E_TOO_LATE)


@pytest.fixture(scope="module")
def wmi() -> Iterator[sync.Connection]:
    """A namespace with a base class, a subclass of it, and a class of methods."""
    testing.provide(
        NAMESPACE,
        "class Across_Base { [key] string Name; uint32 Size; uint32 Speak([out] string Said); };",
        instances=lambda: [{"Name": "base", "Size": 1}],
        methods={"Speak": lambda path, params: {"Said": "base", "ReturnValue": 0}},
    )
    testing.provide(
        NAMESPACE,
        "class Across_Derived : Across_Base { string Colour; [override] uint32 Speak([out] string Said); };",
        instances=lambda: [{"Name": "derived", "Size": 2, "Colour": "red"}],
        methods={"Speak": lambda path, params: {"Said": "derived", "ReturnValue": 0}},
    )
    with sync.connect(NAMESPACE) as connection:
        yield connection


@pytest.mark.req("A-268")
def test_a_deep_read_gives_objects_of_their_own_class(wmi: sync.Connection) -> None:
    found = wmi.query("SELECT * FROM Across_Base").fetch_all()
    assert {row.classname_: row.names_ for row in found} == {
        "Across_Base": ("Name", "Size"),
        "Across_Derived": ("Name", "Size", "Colour"),
    }


@pytest.mark.req("A-302")
def test_a_method_is_the_one_of_the_most_derived_class(wmi: sync.Connection) -> None:
    said = {
        row.Name: wmi.call(row, "Speak").Said for row in wmi.query("SELECT * FROM Across_Base").fetch_all()
    }
    assert said == {"base": "base", "derived": "derived"}


@pytest.mark.req("A-272")
def test_a_class_holds_no_instances(wmi: sync.Connection) -> None:
    found = wmi.get("Across_Base")
    assert found.system_("__GENUS") == 1
    assert not any(hasattr(found, name) for name in ("values_", "rows"))
    assert {name: found.property(name).default for name in ("Name", "Size")} == {"Name": None, "Size": None}


@pytest.mark.req("B-09")
def test_a_query_sees_its_own_namespace_only(wmi: sync.Connection) -> None:
    with pytest.raises(openwmi.errors.InvalidClass):
        wmi.query("SELECT * FROM Win32_Process").fetch_all()
    with pytest.raises(openwmi.errors.InvalidQuery):
        wmi.query("SELECT * FROM root\\cimv2:Win32_Process").fetch_all()
    with sync.connect("root\\cimv2") as other, pytest.raises(openwmi.errors.InvalidClass):
        other.query("SELECT * FROM Across_Base").fetch_all()


@pytest.mark.req("B-12")
@pytest.mark.parametrize("locale", ["german", "MS_", "MS_XYZ", "409"])
def test_a_malformed_locale_is_refused(locale: str) -> None:
    with pytest.raises(openwmi.WbemError) as refused, sync.connect("root\\cimv2", locale=locale):
        pass
    assert refused.value.symbol == "WBEM_E_INVALID_PARAMETER"


@pytest.mark.req("B-12")
@pytest.mark.parametrize("locale", ["MS_409", "ms_40c", "MS_FFFE"])
def test_an_unknown_locale_falls_back(locale: str) -> None:
    with sync.connect("root\\cimv2", locale=locale) as connection:
        assert connection.query("SELECT Name FROM Win32_ComputerSystem").one().Name


@pytest.mark.req("G-63")
@pytest.mark.parametrize("name", ["win32_process", "WIN32_PROCESS", "Win32_process"])
def test_a_class_of_this_machine_is_found_in_any_case(name: str) -> None:
    with sync.connect() as connection:
        assert connection.get(name).name == "Win32_Process"
        row = connection.query(f"SELECT NAME FROM {name} WHERE PROCESSID = 1").one()
        assert row.classname_ == "Win32_Process"
        assert row.names_ == ("Name",)


@pytest.mark.req("A-293")
@pytest.mark.parametrize("bits", [32, 64])
def test_the_providers_architecture_is_accepted_and_ignored(bits: int) -> None:
    context = com.IWbemContext()
    assert context.SetValue("__ProviderArchitecture", 0, bits) == 0
    assert context.SetValue("__RequiredArchitecture", 0, True) == 0
    hr, found = connected().GetObject("Win32_ComputerSystem", 0, context)[:2]
    assert hr == 0
    assert found is not None
    hr, rows = connected().ExecQuery("WQL", "SELECT Name FROM Win32_ComputerSystem", 0, context)
    assert hr == 0
    assert rows.Next(com.WBEM_INFINITE, 2)[::2] == (com.WBEM_S_FALSE, 1)


@pytest.mark.req("A-269")
def test_next_counts_and_waits_as_asked(wmi: sync.Connection) -> None:
    services = connected(NAMESPACE)
    semisync = com.WBEM_FLAG_RETURN_IMMEDIATELY
    hr, rows = services.ExecQuery("WQL", "SELECT * FROM Across_Base", semisync, None)
    assert hr == 0
    hr, got, returned = rows.Next(com.WBEM_INFINITE, 2)
    assert (hr, len(got), returned) == (com.WBEM_S_NO_ERROR, 2, 2)
    assert rows.Next(com.WBEM_INFINITE, 1) == (com.WBEM_S_FALSE, [], 0)
    assert rows.Next(0, 0)[0] == com.WBEM_S_NO_ERROR
    assert rows.Next(0, 1, out=("puReturned",))[0] == com.WBEM_E_INVALID_PARAMETER
    assert rows.Next(0, 1, out=("apObjects",))[0] == com.WBEM_E_INVALID_PARAMETER
    assert rows.Reset() == 0
    assert rows.Next(com.WBEM_INFINITE, 5)[::2] == (com.WBEM_S_FALSE, 2)
    forward = semisync | com.WBEM_FLAG_FORWARD_ONLY
    _, rows = services.ExecQuery("WQL", "SELECT * FROM Across_Base", forward, None)
    assert rows.Reset() == com.WBEM_E_INVALID_OPERATION
    assert rows.Clone() == (com.WBEM_E_INVALID_OPERATION, None)
    _, rows = services.ExecQuery("WQL", "SELECT * FROM Across_Nothing", forward, None)
    assert rows.Next(com.WBEM_INFINITE, 1) == (com.WBEM_E_INVALID_CLASS, [], 0)


@pytest.mark.req("calls:B33")
def test_indicate_brings_objects_and_the_status_says_that_it_was_all(wmi: sync.Connection) -> None:
    sink = Recorder()
    assert connected(NAMESPACE).ExecQueryAsync("WQL", "SELECT * FROM Across_Base", 0, None, sink) == 0
    sink.wait()
    assert len(sink.objects) == sum(sink.indicated) == 2
    assert all(isinstance(one, com.IWbemClassObject) for one in sink.objects)
    assert sink.statuses == [(com.WBEM_STATUS_COMPLETE, 0, None, None)]


@pytest.mark.req("calls:B37")
def test_a_client_hears_two_kinds_of_status_only() -> None:
    sink = Recorder()
    query = "SELECT Name FROM Win32_Process"
    assert connected().ExecQueryAsync("WQL", query, com.WBEM_FLAG_SEND_STATUS, None, sink) == 0
    sink.wait()
    kinds = [status[0] for status in sink.statuses]
    assert set(kinds) == {com.WBEM_STATUS_PROGRESS, com.WBEM_STATUS_COMPLETE}
    assert kinds.index(com.WBEM_STATUS_COMPLETE) == len(kinds) - 1
