"""Classes and instances made, changed and deleted through the COM-shaped face (calls.md B.7, B.8, B.10, B.11; K4)."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import pytest
from tests.faces.com.support import Recorder, connected

from openwmi import com

COMPLETE = com.WBEM_STATUS_COMPLETE
INFINITE = com.WBEM_INFINITE
_numbers = itertools.count(1)


@pytest.fixture
def services() -> Iterable[com.IWbemServices]:
    found = connected("root\\default")
    yield found
    found.Release()


def new_class(services: com.IWbemServices, key: int = com.CIM_STRING) -> str:
    """A static class with a key Name and two more properties, stored; its name."""
    name = f"Com_Written{next(_numbers)}"
    _, made, _ = services.GetObject(None, 0, None)
    assert made.Put("__CLASS", 0, name, 0) == 0
    assert made.Put("Name", 0, None, key) == 0
    assert made.Put("Size", 0, "7", com.CIM_UINT64) == 0
    assert made.Put("Text", 0, None, com.CIM_STRING) == 0
    assert made.GetPropertyQualifierSet("Name")[1].Put("key", True, 0) == 0
    assert services.PutClass(made, 0, None) == (0, None)
    return name


def new_instance(services: com.IWbemServices, name: str, key: Any) -> com.IWbemClassObject:
    _, class_, _ = services.GetObject(name, 0, None)
    _, made = class_.SpawnInstance(0)
    assert made.Put("Name", 0, key, 0) == 0
    return made


@pytest.mark.req("calls:K4", "calls:B28", "calls:B14", "A-262")
def test_k4_put_instance(services: com.IWbemServices) -> None:
    name = new_class(services)
    subject = new_instance(services, name, "a")
    sink = Recorder()
    assert services.PutInstanceAsync(subject, 0, None, sink) == 0
    sink.wait()
    ((flags, status, path, detail),) = sink.statuses
    assert (flags, status, detail) == (COMPLETE, 0, None)
    assert sink.indicated == []
    hr, result = services.PutInstance(subject, 0, None, out="ppCallResult")
    assert hr == 0
    assert result.GetResultString(INFINITE) == (0, path)
    assert result.GetCallStatus(INFINITE) == (0, 0)
    hr, found, _ = services.GetObject(path, 0, None)
    assert hr == 0
    assert found.CompareTo(com.WBEM_FLAG_IGNORE_OBJECT_SOURCE, subject) == com.WBEM_S_SAME


@pytest.mark.req("A-092", "calls:B65")
def test_a_null_key_becomes_a_guid(services: com.IWbemServices) -> None:
    name = new_class(services)
    _, class_, _ = services.GetObject(name, 0, None)
    _, blank = class_.SpawnInstance(0)
    hr, result = services.PutInstance(blank, 0x10, None, out="ppCallResult")
    assert hr == 0
    hr, path = result.GetResultString(INFINITE)
    assert hr == 0
    assert services.GetObject(path, 0, None)[1].Get("Name", 0)[1]


@pytest.mark.req("calls:B18", "calls:B64", "calls:B53", "calls:B12", "calls:B13")
def test_puts_that_fail(services: com.IWbemServices) -> None:
    name = new_class(services)
    subject = new_instance(services, name, "a")
    not_found, exists = com.WBEM_E_NOT_FOUND, com.WBEM_E_ALREADY_EXISTS
    assert services.PutInstance(subject, com.WBEM_FLAG_UPDATE_ONLY, None)[0] == not_found
    assert services.PutInstance(subject, com.WBEM_FLAG_CREATE_ONLY, None)[0] == 0
    assert services.PutInstance(subject, com.WBEM_FLAG_CREATE_ONLY, None)[0] == exists
    for flags in (com.WBEM_FLAG_CREATE_ONLY, com.WBEM_FLAG_CREATE_ONLY | 0x10):
        hr, result = services.PutInstance(subject, flags, None, out="ppCallResult")
        assert hr == 0  # the failure shows in the call result alone
        assert result.GetCallStatus(INFINITE) == (0, exists)
        assert result.GetResultString(INFINITE) == (exists, None)
    sink = Recorder()
    assert services.PutInstanceAsync(subject, com.WBEM_FLAG_CREATE_ONLY, None, sink) == 0
    sink.wait()
    assert sink.finals == [exists]
    assert sink.statuses[0][3].Get("Operation", 0)[1] == "PutInstance"
    _, class_, _ = services.GetObject(name, 0, None)
    assert services.PutInstance(class_, 0, None)[0] == com.WBEM_E_INVALID_OBJECT
    assert services.PutClass(subject, 0, None)[0] == com.WBEM_E_INVALID_CLASS
    assert services.PutInstance(subject, 0x10, None) == (com.WBEM_E_INVALID_PARAMETER, None)


@pytest.mark.req("calls:B72", "calls:B60", "calls:B59", "calls:B19")
def test_deletes(services: com.IWbemServices) -> None:
    name = new_class(services)
    path = f'{name}.Name="a"'
    assert services.PutInstance(new_instance(services, name, "a"), 0, None)[0] == 0
    assert services.DeleteInstance(path, 0, None) == (0, None)
    assert services.DeleteInstance(path, 0, None)[0] == com.WBEM_E_NOT_FOUND
    first, second = Recorder(), Recorder()
    assert services.DeleteInstanceAsync(path, 0, None, first) == 0
    assert services.DeleteClassAsync("No_Such_Class", 0, None, second) == 0
    for sink in (first, second):
        sink.wait()
        assert sink.finals == [com.WBEM_E_NOT_FOUND]
    hr, result = services.DeleteClass(name, 0x10, None, out="ppCallResult")
    assert hr == 0
    assert result.GetCallStatus(INFINITE) == (0, 0)
    assert result.GetResultString(0) == (com.WBEM_E_INVALID_OPERATION, None)
    assert services.GetObject(name, 0, None)[0] == com.WBEM_E_NOT_FOUND


@pytest.mark.req("calls:B29", "A-208", "A-203", "A-108")
def test_a_derived_class(services: com.IWbemServices) -> None:
    base = new_class(services)
    _, above, _ = services.GetObject(base, 0, None)
    _, made = above.SpawnDerivedClass(0)
    assert made.Put("__CLASS", 0, f"{base}_Below", 0) == 0
    assert made.Put("Own", 0, True, 0) == 0
    assert made.Put("Size", 0, "8", 0) == 0
    sink = Recorder()
    assert services.PutClassAsync(made, 0, None, sink) == 0
    sink.wait()
    assert sink.finals == [0]
    path = sink.statuses[0][2]
    hr, found, _ = services.GetObject(path, 0, None)
    assert hr == 0
    assert found.Get("__SUPERCLASS", 0)[1] == base
    assert found.Get("Size", 0)[1:] == ("8", com.CIM_UINT64, 0)
    assert found.GetPropertyOrigin("Size") == (0, base)
    # What the override hides comes from the superclass, which the connection is asked for.
    assert found.Delete("Size") == com.WBEM_S_RESET_TO_DEFAULT
    assert found.Get("Size", 0)[1:] == ("7", com.CIM_UINT64, com.WBEM_FLAVOR_ORIGIN_PROPAGATED)
    assert services.PutClass(found, com.WBEM_FLAG_UPDATE_ONLY, None)[0] == 0
    _, again, _ = services.GetObject(path, 0, None)
    assert again.Get("Size", 0)[1] == "7"


@pytest.mark.req("calls:B69", "calls:B70", "A-290", "A-291")
def test_a_partial_update(services: com.IWbemServices) -> None:
    name = new_class(services)
    subject = new_instance(services, name, "a")
    subject.Put("Text", 0, "old", 0)
    assert services.PutInstance(subject, 0, None)[0] == 0
    change = new_instance(services, name, "a")
    change.Put("Text", 0, "new", 0)
    change.Put("Size", 0, "99", 0)
    context = com.IWbemContext()
    context.SetValue("__PUT_EXTENSIONS", 0, True)
    context.SetValue("__PUT_EXT_CLIENT_REQUEST", 0, True)
    context.SetValue("__PUT_EXT_PROPERTIES", 0, ["Text"])
    assert services.PutInstance(change, 0, context)[0] == com.WBEM_E_INVALID_CONTEXT
    assert services.PutInstance(change, com.WBEM_FLAG_UPDATE_ONLY, context)[0] == 0
    _, found, _ = services.GetObject(f'{name}.Name="a"', 0, None)
    assert [found.Get(one, 0)[1] for one in ("Text", "Size")] == ["new", "7"]


def test_the_page_s_own_query(services: com.IWbemServices) -> None:
    name = new_class(services)
    for key in "abc":
        assert services.PutInstance(new_instance(services, name, key), 0, None)[0] == 0
    sink = Recorder()
    assert services.ExecQueryAsync("WQL", f"SELECT * FROM {name}", 0, None, sink) == 0
    sink.wait()
    assert sorted(item.Get("Name", 0)[1] for item in sink.objects) == ["a", "b", "c"]
    assert sink.finals == [0]
