"""IWbemServices in its three forms (calls.md B.1 to B.6, B.9, B.12, B.13, B.15)."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest
from tests.faces.com.support import Recorder, Source, numbered

from openwmi import com
from openwmi.contract.operations import OPERATIONS

Make = Callable[..., Any]
BAD = com.WBEM_E_INVALID_PARAMETER
BOTH = ("ppObject", "ppCallResult")
INFINITE = com.WBEM_INFINITE


def rows(enumerator: com.IEnumWbemClassObject, count: int = 10_000) -> list[com.IWbemClassObject]:
    hr, objects, returned = enumerator.Next(INFINITE, count)
    assert hr in (0, 1)
    assert returned == len(objects)
    return objects


def names(objects: list[com.IWbemClassObject]) -> list[str]:
    return [item.Get("__CLASS", 0)[1] for item in objects]


@pytest.mark.req("calls:B1")
def test_every_method_of_the_interface_is_there() -> None:
    methods = {name for name, _ in inspect.getmembers(com.IWbemServices, callable) if name[0].isupper()}
    expected = {"OpenNamespace", "CancelAsyncCall", "QueryObjectSink"}
    expected |= {row.method for row in OPERATIONS.values()}
    expected |= {row.async_method for row in OPERATIONS.values()}
    assert methods - {"AddRef", "Release", "QueryInterface"} == expected
    assert len(expected) == 23


@pytest.mark.req("calls:B1")
@pytest.mark.parametrize("row", OPERATIONS.values(), ids=lambda row: row.method)
def test_parameters_stand_in_the_header_s_order(row: Any) -> None:
    arguments = [argument.parameter for argument in row.arguments]
    tail = ["pInParams"] if arguments[-1] == "pInParams" else []
    arguments = arguments[: len(arguments) - len(tail)]
    for name, last in ((row.method, ["out"]), (row.async_method, ["pResponseHandler"])):
        parameters = list(inspect.signature(getattr(com.IWbemServices, name)).parameters)
        assert parameters == ["self", *arguments, "lFlags", "pCtx", *tail, *last]


@pytest.mark.req("calls:B1", "calls:B2", "calls:B3", "calls:B16")
@pytest.mark.parametrize("row", OPERATIONS.values(), ids=lambda row: row.method)
def test_flags_that_a_method_does_not_take(services: com.IWbemServices, row: Any) -> None:
    """Every single bit, in both forms, against the table: outside of it INVALID_PARAMETER, the sink untouched."""
    sink = Recorder()
    empty = services.GetObject(None, 0, None)[1]
    arguments = [empty if one.kind == "object" else None if one.nullable else "x" for one in row.arguments]
    tail = [arguments.pop()] if row.arguments[-1].kind == "params" else []
    for bit in (1 << number for number in range(32)):
        if bit & ~(row.legal("async") | row.ignored):
            assert getattr(services, row.async_method)(*arguments, bit, None, *tail, sink) == BAD
        if bit & ~(row.legal("sync") | row.ignored):
            answer = getattr(services, row.method)(*arguments, bit, None, *tail)
            assert answer == (BAD, *[None] * (len(answer) - 1))
    assert sink.events == []


@pytest.mark.req("calls:B5")
def test_flags_that_exclude_each_other(services: com.IWbemServices) -> None:
    subject = services.GetObject(None, 0, None)[1]
    for flags in (com.WBEM_FLAG_UPDATE_ONLY | com.WBEM_FLAG_CREATE_ONLY, 0x60):
        assert services.PutClass(subject, flags, None) == (BAD, None)
        assert services.PutClassAsync(subject, flags, None, Recorder()) == BAD
    assert services.PutInstance(subject, 3, None) == (BAD, None)


@pytest.mark.req("calls:B6")
def test_null_arguments(services: com.IWbemServices) -> None:
    sink = Recorder()
    assert services.DeleteClass(None, 0, None) == (BAD, None)
    assert services.CreateInstanceEnum(None, 0, None) == (BAD, None)
    assert services.DeleteInstance(None, 0, None) == (BAD, None)
    assert services.ExecMethod(None, "m", 0, None, None) == (BAD, None, None)
    assert services.ExecMethod("p", None, 0, None, None) == (BAD, None, None)
    assert services.ExecQuery("WQL", None, 0, None) == (BAD, None)
    assert services.ExecQuery(None, "x", 0, None) == (BAD, None)
    assert services.ExecQuery(None, None, 0, None) == (BAD, None)
    assert services.PutClass(None, 0, None) == (BAD, None)
    assert services.PutInstance(None, 0, None) == (BAD, None)
    assert services.ExecQuery("WQL", "x", 0, None, out=()) == (BAD, None)
    assert services.CreateClassEnum(None, 0, None, out=()) == (BAD, None)
    assert services.GetObject("x", 0, None, out=()) == (BAD, None, None)
    assert services.PutClassAsync(None, 0, None, sink) == BAD
    assert services.PutInstanceAsync(None, 0, None, sink) == BAD
    assert services.DeleteClassAsync(None, 0, None, sink) == BAD
    assert services.DeleteInstanceAsync(None, 0, None, sink) == BAD
    assert services.CreateInstanceEnumAsync(None, 0, None, sink) == BAD
    assert services.ExecMethodAsync("p", None, 0, None, None, sink) == BAD
    assert services.ExecNotificationQueryAsync("WQL", None, 0, None, sink) == BAD
    assert services.ExecQueryAsync("WQL", "x", 0, "no context", sink) == BAD  # type: ignore[arg-type]
    assert services.PutClassAsync("no object", 0, None, sink) == BAD  # type: ignore[arg-type]
    assert sink.events == []


@pytest.mark.req("calls:B7")
def test_lengths(services: com.IWbemServices) -> None:
    quota = com.WBEM_E_QUOTA_VIOLATION
    sink = Recorder()
    assert services.CreateInstanceEnum("C" * 0x1001, 0, None)[0] == quota
    assert services.GetObject("C" * 0x2001, 0, None)[0] == quota
    assert services.ExecQueryAsync("WQL", " " * 0x4001, 0, None, sink) == quota
    assert sink.events == []


@pytest.mark.req("calls:B8", "calls:B47")
def test_failures_leave_every_out_null(services: com.IWbemServices) -> None:
    assert services.GetObject("No_Such_Class", 0, None) == (com.WBEM_E_NOT_FOUND, None, None)
    assert services.GetObject("Win32_Process = 1", 0, None) == (com.WBEM_E_INVALID_OBJECT_PATH, None, None)
    assert services.ExecQuery("WQL", "x", 0, None) == (com.WBEM_E_INVALID_QUERY, None)


@pytest.mark.req("calls:B6", "calls:B96")
def test_arguments_of_the_wrong_kind_are_refused_by_name(services: com.IWbemServices) -> None:
    hr, process, _ = services.GetObject("Win32_Process", 0, None)
    hr, qualifiers = process.GetQualifierSet()
    bad: Any = "text"
    number: Any = 5
    assert process.GetNames(number, 1, None) == (0x80041008, None)
    assert qualifiers.BeginEnumeration(bad) == 0x80041008
    hr, info = com.GetErrorInfo(0)
    assert info.GetDescription()[1] == "lFlags is int, not str"
    path = com.IWbemPath()
    assert path.GetText(bad, 8) == (0x80041008, None, None)
    assert com.IWbemUnsecuredApartment().CreateSinkStub(Recorder(), bad, None) == (0x80041008, None)
    # The input class in the place of its instance.
    assert services.ExecMethod("Win32_Process", "Create", 0, None, process) == (0x8004102F, None, None)


@pytest.mark.req("calls:B46", "calls:B48", "calls:B49", "A-180")
def test_get_object(services: com.IWbemServices, source: Make) -> None:
    made = source(get=lambda keys: {"Id": 7, "Text": "seven"} if keys["Id"] == 7 else None)
    assert names([services.GetObject(made.name, 0, None)[1]]) == [made.name]
    for path in (f"{made.name}.Id=7", f"{made.name}=7", f"\\\\.\\root\\cimv2:{made.name}.Id=7"):
        hr, found, result = services.GetObject(path, 0, None)
        assert (hr, result) == (0, None)
        assert found.Get("Text", 0)[1] == "seven"
    assert services.GetObject(f"{made.name}.Id=8", 0, None)[0] == com.WBEM_E_NOT_FOUND
    assert services.GetObject("Win32_OperatingSystem=@", 0, None)[0] == 0
    for path in (None, ""):
        hr, found, _ = services.GetObject(path, 0, None)
        assert hr == 0
        assert found.Get("__GENUS", 0)[1] == com.WBEM_GENUS_CLASS
        assert found.Get("__CLASS", 0)[1] is None


@pytest.mark.req("calls:B11", "calls:B12", "calls:B15", "calls:F27")
def test_call_result_instead_of_the_object(services: com.IWbemServices, source: Make) -> None:
    import threading

    go_on = threading.Event()

    def get(keys: dict[str, Any]) -> dict[str, Any]:
        go_on.wait(10)
        return {"Id": 7, "Text": "seven"}

    made = source(get=get)
    path = f"{made.name}.Id=7"
    assert services.GetObject(path, 0x10, None) == (BAD, None, None)
    for flags, out in ((0x10, BOTH), (0x10, "ppCallResult"), (0, "ppCallResult")):
        go_on.clear()
        hr, direct, result = services.GetObject(path, flags, None, out=out)
        assert (hr, direct) == (0, None)
        assert result.GetCallStatus(0) == (com.WBEM_S_TIMEDOUT, None)
        assert result.GetResultObject(20) == (com.WBEM_S_TIMEDOUT, None)
        go_on.set()
        assert result.GetCallStatus(INFINITE) == (0, 0)
        hr, found = result.GetResultObject(0)
        assert hr == 0
        assert found.Get("Text", 0)[1] == "seven"
    hr, direct, result = services.GetObject(path, 0, None, out=BOTH)
    assert hr == 0
    assert direct.Get("Text", 0)[1] == result.GetResultObject(0)[1].Get("Text", 0)[1]


@pytest.mark.req("calls:B13", "calls:F28", "calls:F29", "calls:F31", "calls:F33")
def test_call_result_of_a_failing_call(services: com.IWbemServices) -> None:
    not_found = com.WBEM_E_NOT_FOUND
    for flags in (0, 0x10):
        hr, direct, result = services.GetObject("No_Such_Class", flags, None, out=BOTH)
        assert (hr, direct) == (0, None)
        assert result.GetCallStatus(INFINITE) == (0, not_found)
        assert result.GetResultObject(INFINITE) == (not_found, None)
        assert result.GetResultString(INFINITE) == (not_found, None)
        assert result.GetResultServices(INFINITE) == (not_found, None)
        assert result.GetCallStatus(-2) == (BAD, None)
        assert result.GetCallStatus(0, out=()) == (BAD, None)
    assert services.ExecMethod("X", "m", 0x10, None, None) == (BAD, None, None)
    assert services.DeleteInstance("X.Y=1", 0x10, None) == (BAD, None)


@pytest.mark.req("calls:B14", "calls:F31", "calls:F32")
def test_getters_of_a_call_result(services: com.IWbemServices) -> None:
    hr, _, result = services.GetObject("Win32_Process", 0x10, None, out=BOTH)
    assert hr == 0
    first, second = (result.GetResultObject(INFINITE)[1] for _ in range(2))
    assert first is not second
    assert result.GetResultString(INFINITE) == (com.WBEM_E_INVALID_OPERATION, None)
    assert result.GetResultServices(INFINITE) == (com.WBEM_E_INVALID_OPERATION, None)
    assert result.Release() == 0
    assert result.GetCallStatus(0) == (com.RPC_E_DISCONNECTED, None)


@pytest.mark.req("calls:B30", "calls:B26")
def test_get_object_async(services: com.IWbemServices) -> None:
    found, missing = Recorder(), Recorder()
    assert services.GetObjectAsync("Win32_Process", 0, None, found) == 0
    assert services.GetObjectAsync("No_Such_Class", 0, None, missing) == 0
    found.wait()
    missing.wait()
    assert found.indicated == [1]
    assert found.statuses == [(0, 0, None, None)]
    assert missing.indicated == []
    assert missing.finals == [com.WBEM_E_NOT_FOUND]


@pytest.mark.req("calls:B61", "calls:B62", "A-266")
def test_class_enumeration(services: com.IWbemServices) -> None:
    deep = names(rows(services.CreateClassEnum("CIM_Process", 0, None)[1]))
    assert deep == ["Win32_Process"]
    every = names(rows(services.CreateClassEnum(None, 0, None)[1]))
    top = names(rows(services.CreateClassEnum("", com.WBEM_FLAG_SHALLOW, None)[1]))
    assert {"Win32_Process", "CIM_Process", "__SystemClass"} <= set(every)
    assert "Win32_Process" not in top
    assert set(top) < set(every)
    assert services.CreateClassEnum("No_Such", 0, None) == (com.WBEM_E_INVALID_CLASS, None)
    sink = Recorder()
    assert services.CreateClassEnumAsync("CIM_Process", 0, None, sink) == 0
    sink.wait()
    assert names(sink.objects) == deep


@pytest.mark.req("calls:B10", "calls:B75", "calls:B76")
def test_instance_enumeration(services: com.IWbemServices, source: Make) -> None:
    made = source(numbered(3))
    assert len(rows(services.CreateInstanceEnum(made.name, 0, None)[1])) == 3
    assert len(rows(services.CreateInstanceEnum(made.name, 0x30, None)[1])) == 3
    assert services.CreateInstanceEnum("No_Such", 0, None) == (com.WBEM_E_INVALID_CLASS, None)
    sink = Recorder()
    assert services.CreateInstanceEnumAsync(made.name, 0, None, sink) == 0
    sink.wait()
    assert sum(sink.indicated) == 3


@pytest.mark.req("calls:B77", "calls:B78", "calls:B79", "calls:B20", "calls:F11")
def test_query_errors_in_the_three_forms(services: com.IWbemServices) -> None:
    cases = {
        "SELECT * FROM No_Such_Class": com.WBEM_E_INVALID_CLASS,
        "SELECT Nothing FROM Win32_Process": com.WBEM_E_INVALID_QUERY,
        "SELECT FROM": com.WBEM_E_INVALID_QUERY,
    }
    for query, code in cases.items():
        assert services.ExecQuery("WQL", query, 0, None) == (code, None)
        hr, enumerator = services.ExecQuery("wql", query, 0x30, None)
        assert hr == 0
        assert enumerator.Next(INFINITE, 1) == (code, [], 0)
        sink = Recorder()
        assert services.ExecQueryAsync("WQL", query, 0, None, sink) == 0
        sink.wait()
        assert sink.finals == [code]
    assert (
        services.ExecQuery("SQL", "SELECT * FROM Win32_Process", 0, None)[0] == com.WBEM_E_INVALID_QUERY_TYPE
    )


@pytest.mark.req("calls:B9")
def test_the_context_travels(services: com.IWbemServices, source: Make) -> None:
    made = source(get=lambda keys: {"Id": 1, "Text": "text", "Large": 5})
    context = com.IWbemContext()
    context.SetValue("__GET_EXTENSIONS", 0, True)
    context.SetValue("__GET_EXT_PROPERTIES", 0, ["Large"])
    hr, found, _ = services.GetObject(f"{made.name}.Id=1", 0, context)
    assert hr == 0
    assert [found.Get(name, 0)[1] for name in ("Id", "Text", "Large")] == [1, None, "5"]


@pytest.mark.req("calls:B84", "D-103")
def test_notification_queries_are_never_synchronous(services: com.IWbemServices) -> None:
    query = "SELECT * FROM __InstanceCreationEvent WITHIN 1"
    for flags in (0, 0x10, 0x20):
        assert services.ExecNotificationQuery("WQL", query, flags, None) == (BAD, None)


@pytest.mark.req("calls:B98")
def test_query_object_sink_takes_no_flags(services: com.IWbemServices) -> None:
    assert services.QueryObjectSink(1) == (BAD, None)


@pytest.mark.req("calls:B92", "calls:B93", "calls:B94", "calls:B95", "calls:B96", "A-300", "A-301")
def test_methods(services: com.IWbemServices, source: Make) -> None:
    def total(path: str, params: dict[str, Any]) -> dict[str, Any]:
        return {"ReturnValue": 0, "Total": params["A"] + params["B"]}

    made: Source = source(methods={"Sum": total})
    _, class_, _ = services.GetObject(made.name, 0, None)
    hr, signature, _ = class_.GetMethod("sum", 0)
    assert hr == 0
    _, params = signature.SpawnInstance(0)
    assert params.Put("A", 0, 2, 0) == 0
    assert params.Put("B", 0, 3, 0) == 0
    hr, answer, result = services.ExecMethod(made.name, "SUM", 0, None, params)
    assert (hr, result) == (0, None)
    assert answer.Get("Total", 0)[1] == 5
    assert answer.Get("__CLASS", 0)[1] == "__PARAMETERS"
    assert services.ExecMethod(made.name, "Sum", 0, None, params, out=()) == (0, None, None)
    hr, answer, result = services.ExecMethod(
        made.name, "Sum", 0x10, None, params, out=("ppOutParams", "ppCallResult")
    )
    assert (hr, answer) == (0, None)
    assert result.GetResultObject(INFINITE)[1].Get("Total", 0)[1] == 5
    assert services.ExecMethod(made.name, "Sum", 0, None, None)[0] == BAD
    assert services.ExecMethod(made.name, "None", 0, None, None)[0] == com.WBEM_E_INVALID_METHOD
    sink = Recorder()
    assert services.ExecMethodAsync(made.name, "Sum", 0, None, params, sink) == 0
    sink.wait()
    assert sink.objects[0].Get("Total", 0)[1] == 5


def test_real_processes(services: com.IWbemServices) -> None:
    import os

    query = f"SELECT Name, ProcessId FROM Win32_Process WHERE ProcessId = {os.getpid()}"
    (me,) = rows(services.ExecQuery("WQL", query, 0x30, None)[1])
    assert me.Get("ProcessId", 0)[:3] == (0, os.getpid(), com.CIM_UINT32)
    assert me.Get("Handle", 0)[0] == com.WBEM_E_NOT_FOUND
