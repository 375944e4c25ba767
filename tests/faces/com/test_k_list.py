"""The minimum test list for the central page: calls.md K, line by line. K4 comes with the repository."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from tests.faces.com.support import SECONDS, Recorder, numbered

from openwmi import com, host

COMPLETE = com.WBEM_STATUS_COMPLETE
Make = Callable[..., Any]


@pytest.mark.req("calls:K1", "calls:B17", "calls:B22", "calls:B25", "calls:B27", "calls:C13")
def test_k1_three_objects(services: com.IWbemServices, source: Make) -> None:
    sink = Recorder()
    assert services.ExecQueryAsync("WQL", source(numbered(3)).query, 0, None, sink) == com.WBEM_S_NO_ERROR
    sink.wait()
    assert sum(sink.indicated) == 3
    assert sink.statuses == [(COMPLETE, 0, None, None)]
    names = [event[0] for event in sink.events]
    assert names == ["AddRef", *["Indicate"] * len(sink.indicated), "SetStatus", "Release"]
    assert sink.references == 1


@pytest.mark.req("calls:K2", "calls:B23")
def test_k2_empty_result(services: com.IWbemServices, source: Make) -> None:
    sink = Recorder()
    assert services.ExecQueryAsync("WQL", source().query, 0, None, sink) == 0
    sink.wait()
    assert sink.indicated == []
    assert sink.statuses == [(COMPLETE, 0, None, None)]


@pytest.mark.req("calls:K3", "calls:B18", "calls:G10", "calls:G11", "calls:B27")
def test_k3_bad_syntax(services: com.IWbemServices) -> None:
    sink = Recorder()
    query = "SELEC * FROM Win32_Process"
    assert services.ExecQueryAsync("WQL", query, 0, None, sink) == 0
    sink.wait()
    ((flags, status, text, details),) = sink.statuses
    assert (flags, status, text) == (COMPLETE, 0x80041017, None)
    assert details.Get("__CLASS", 0)[1] == "__ExtendedStatus"
    assert details.Get("Operation", 0)[1] == "ExecQuery"
    assert details.Get("ParameterInfo", 0)[1] == query
    assert sink.indicated == []


@pytest.mark.req("calls:K3", "calls:B6", "calls:B16", "calls:C15")
@pytest.mark.parametrize("query", [None, ""])
def test_k3_null_query(services: com.IWbemServices, query: str | None) -> None:
    sink = Recorder()
    assert services.ExecQueryAsync("WQL", query, 0, None, sink) == 0x80041008
    assert sink.events == []


@pytest.mark.req("calls:K5", "calls:B31")
def test_k5_method_that_returns_5(services: com.IWbemServices, source: Make) -> None:
    made = source(get=lambda keys: {"Id": 1}, methods={"Answer": lambda path, params: {"ReturnValue": 5}})
    sink = Recorder()
    assert services.ExecMethodAsync(f"{made.name}.Id=1", "Answer", 0, None, None, sink) == 0
    sink.wait()
    assert sink.indicated == [1]
    assert sink.objects[0].Get("ReturnValue", 0)[:3] == (0, 5, com.CIM_UINT32)
    assert sink.statuses == [(COMPLETE, 0, None, None)]


@pytest.mark.req("calls:K6", "calls:D3", "calls:D4", "calls:D5", "calls:D6", "calls:D7", "calls:D9")
def test_k6_cancel_during_a_slow_query(services: com.IWbemServices, source: Make) -> None:
    made = source(numbered(10), open_for=1)
    sink = Recorder()
    assert services.ExecQueryAsync("WQL", made.query, 0, None, sink) == 0
    assert sink.called.wait(SECONDS)
    assert services.CancelAsyncCall(sink) == com.WBEM_S_NO_ERROR
    # Both have happened when CancelAsyncCall returns, for no callback was running.
    assert sink.statuses == [(COMPLETE, 0x80041032, None, None)]
    assert sink.references == 1
    assert services.CancelAsyncCall(sink) == com.WBEM_E_NOT_FOUND
    heard = list(sink.events)
    made.gate.set()
    assert made.ended.wait(SECONDS)
    assert sink.events == heard


@pytest.mark.req("calls:K7", "calls:C16", "calls:C17", "calls:D1")
def test_k7_one_sink_two_queries_one_cancel(services: com.IWbemServices, source: Make) -> None:
    sink = Recorder()
    for _ in range(2):
        assert services.ExecQueryAsync("WQL", source(numbered(10), open_for=0).query, 0, None, sink) == 0
    assert sink.references == 3
    assert services.CancelAsyncCall(sink) == 0
    assert sink.finals == [0x80041032, 0x80041032]
    assert sink.releases == 2
    assert sink.references == 1


@pytest.mark.req("calls:K8", "calls:C5")
@pytest.mark.parametrize(
    "answer", [com.E_FAIL, com.E_FAIL - (1 << 32), "not an HRESULT", ZeroDivisionError()]
)
def test_k8_sink_that_fails(services: com.IWbemServices, source: Make, answer: Any) -> None:
    def indicate(objects: list[Any]) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    made = source(numbered(10), open_for=1)
    sink = Recorder(indicate)
    assert services.ExecQueryAsync("WQL", made.query, 0, None, sink) == 0
    sink.wait()
    assert sink.statuses == [(COMPLETE, 0x80041032, None, None)]
    assert sink.indicated == [1]
    assert sink.references == 1


@pytest.mark.req("calls:K8", "calls:C7", "calls:C8")
def test_k8_sink_that_hangs(
    services: com.IWbemServices, source: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host.local().settings, "sink_patience", 0.05)
    hanging, hang_over = threading.Event(), threading.Event()

    def indicate(objects: list[Any]) -> None:
        hanging.set()
        hang_over.wait(SECONDS)

    made = source(numbered(5000))
    sink = Recorder(indicate)
    try:
        assert services.ExecQueryAsync("WQL", made.query, 0, None, sink) == 0
        assert hanging.wait(SECONDS)
        assert made.ended.wait(SECONDS)  # the source is told to stop
        assert services.CancelAsyncCall(sink) == com.WBEM_E_NOT_FOUND  # the operation is gone
        assert sink.finals == []  # nothing beside the hanging callback
    finally:
        hang_over.set()
    sink.wait()
    assert sink.finals == [0x80041032]
    assert sink.references == 1


@pytest.mark.slow
@pytest.mark.req("calls:K9", "calls:A1", "calls:A2")
def test_k9_without_process_security(program: Callable[[str], Any]) -> None:
    done = program(
        """
class Sink(com.IWbemObjectSink):
    heard = []
    def AddRef(self): self.heard.append("AddRef"); return super().AddRef()
    def Release(self): self.heard.append("Release"); count = super().Release(); gone.set(); return count
    def Indicate(self, objects): self.heard.append("Indicate")
    def SetStatus(self, *args): self.heard.append("SetStatus")
gone = threading.Event()
initialise(security=False)
services = connect()
sink = Sink()
print(hex(services.ExecQueryAsync("WQL", "SELECT * FROM Win32_OperatingSystem", 0, None, sink)))
assert gone.wait(10)
print(*sink.heard)
print(hex(services.ExecQueryAsync("WQL", None, 0, None, sink)), *sink.heard)
print(hex(services.CancelAsyncCall(sink)))
gone.clear()
hr, rows = services.ExecQuery("WQL", "SELECT * FROM Win32_OperatingSystem", 0x30, None)
print(hex(rows.NextAsync(1, sink)))
assert gone.wait(10)
print(*sink.heard, rows.Next(-1, 1)[2])
print(hex(com.CoInitializeSecurity(None, -1, None, None, 0, 3, None, 0, None)))
"""
    )
    assert done.stderr == ""
    assert done.stdout.split("\n") == [
        "0x0",
        "AddRef Release",
        "0x80041008 AddRef Release",
        "0x80041002",
        "0x0",
        "AddRef Release AddRef Release 1",
        "0x80010119",
        "",
    ]


@pytest.mark.req("calls:K10", "calls:D15", "calls:E1", "calls:E6")
def test_k10_cancel_through_the_stub_only(services: com.IWbemServices, source: Make) -> None:
    _, apartment = com.CoCreateInstance(
        com.CLSID_UnsecuredApartment, None, com.CLSCTX_LOCAL_SERVER, com.IID_IUnsecuredApartment
    )
    sink = Recorder()
    hr, unknown = apartment.CreateObjectStub(sink)
    assert hr == 0
    assert sink.references == 2
    hr, stub = unknown.QueryInterface(com.IID_IWbemObjectSink)
    assert hr == 0
    unknown.Release()
    assert services.ExecQueryAsync("WQL", source(numbered(5), open_for=1).query, 0, None, stub) == 0
    assert sink.called.wait(SECONDS)
    assert services.CancelAsyncCall(sink) == com.WBEM_E_NOT_FOUND
    assert sink.finals == []
    assert services.CancelAsyncCall(stub) == 0
    assert sink.finals == [0x80041032]
    assert stub.Release() == 0
    assert sink.references == 1


@pytest.mark.req("calls:K11", "calls:B1", "calls:B2", "calls:B3")
def test_k11_flags(services: com.IWbemServices, source: Make) -> None:
    query = source(numbered(1)).query
    sink = Recorder()
    bad = 0x80041008
    assert services.ExecQueryAsync("WQL", query, 0x10, None, sink) == bad
    assert services.ExecQuery("WQL", query, 0x80, None) == (bad, None)
    assert services.ExecMethodAsync("X", "M", 0x20000, None, None, sink) == bad
    assert services.DeleteInstanceAsync("X=1", 0x20000, None, sink) == bad
    assert sink.events == []
    hr, enumerator = services.ExecQuery("WQL", query, 0x40, None)
    assert hr == 0
    assert enumerator.Next(com.WBEM_INFINITE, 2)[2] == 1


@pytest.mark.req("calls:K12", "calls:F3", "calls:F4", "calls:F5")
def test_k12_next(services: com.IWbemServices, source: Make) -> None:
    hr, enumerator = services.ExecQuery("WQL", source(numbered(3)).query, 0x30, None)
    assert hr == 0
    hr, objects, returned = enumerator.Next(com.WBEM_INFINITE, 2)
    assert (hr, len(objects), returned) == (com.WBEM_S_NO_ERROR, 2, 2)
    hr, objects, returned = enumerator.Next(-1, 2)
    assert (hr, len(objects), returned) == (com.WBEM_S_FALSE, 1, 1)

    slow = source(numbered(3), open_for=1)
    _, enumerator = services.ExecQuery("WQL", slow.query, 0x30, None)
    hr, objects, returned = enumerator.Next(com.WBEM_INFINITE, 1)
    assert (hr, returned) == (0, 1)
    hr, objects, returned = enumerator.Next(20, 2)
    assert (hr, objects, returned) == (com.WBEM_S_TIMEDOUT, [], 0)
    slow.gate.set()
    hr, objects, returned = enumerator.Next(com.WBEM_INFINITE, 2)
    assert (hr, returned) == (0, 2)
    assert enumerator.Next(com.WBEM_INFINITE, 2) == (com.WBEM_S_FALSE, [], 0)
