"""The sink's contract seen from a program: threads, references, cancel (calls.md B.3, B.4, C.1, D)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from tests.faces.com.support import SECONDS, Recorder, Source, connected, endless, numbered

from openwmi import com
from openwmi.faces.workers import Workers

Make = Callable[..., Any]
CANCELLED = 0x80041032


@pytest.mark.req("calls:B16", "calls:B6", "calls:C15")
def test_null_sink_and_what_is_no_sink(services: com.IWbemServices) -> None:
    for bad in (None, "text", com.IWbemContext()):
        assert services.ExecQueryAsync("WQL", "SELECT * FROM Win32_Process", 0, None, bad) == 0x80041008  # type: ignore[arg-type]


@pytest.mark.req("calls:B17", "calls:B21", "calls:C14")
def test_the_call_returns_while_the_provider_is_blocked(services: com.IWbemServices, source: Make) -> None:
    made = source(numbered(1), open_for=0)
    sink = Recorder()
    assert services.ExecQueryAsync("WQL", made.query, 0, None, sink) == 0
    assert sink.references == 2  # visible when the method returns
    assert made.asked.wait(SECONDS)
    assert not made.gate.is_set()
    assert sink.events == [("AddRef", 2)]
    assert services.CancelAsyncCall(sink) == 0
    assert sink.finals == [CANCELLED]


@pytest.mark.req("calls:D5", "calls:D6", "calls:D7", "calls:D11")
def test_an_endless_provider_is_cancelled_within_a_second(services: com.IWbemServices, source: Make) -> None:
    began = time.monotonic()
    made = source(endless())
    sink = Recorder()
    assert services.ExecQueryAsync("WQL", made.query, 0, None, sink) == 0
    assert sink.called.wait(SECONDS)
    assert services.CancelAsyncCall(sink) == 0
    assert made.ended.wait(SECONDS)
    sink.wait()
    assert time.monotonic() - began < 1.0
    heard = len(sink.events)
    assert sink.finals == [CANCELLED]
    assert sink.events[-1] == ("Release", 1)
    assert len(sink.events) == heard


@pytest.mark.req("calls:F22", "calls:F23")
def test_an_endless_provider_ends_with_its_enumerator(services: com.IWbemServices, source: Make) -> None:
    began = time.monotonic()
    made = source(endless())
    hr, enumerator = services.ExecQuery("WQL", made.query, 0x30, None)
    assert hr == 0
    assert enumerator.Next(com.WBEM_INFINITE, 10)[2] == 10
    assert enumerator.Release() == 0
    assert made.ended.wait(SECONDS)
    assert time.monotonic() - began < 1.0


@pytest.mark.req("calls:C10")
def test_callbacks_come_on_other_threads(services: com.IWbemServices, source: Make) -> None:
    seen: set[int] = set()
    sink = Recorder(lambda objects: seen.add(threading.get_ident()))
    services.ExecQueryAsync("WQL", source(numbered(3)).query, 0, None, sink)
    sink.wait()
    assert seen
    assert threading.get_ident() not in seen


@pytest.mark.req("calls:B24")
def test_callbacks_of_one_call_never_overlap(services: com.IWbemServices, source: Make) -> None:
    busy = threading.Lock()
    overlaps: list[bool] = []

    def indicate(objects: list[Any]) -> None:
        overlaps.append(not busy.acquire(blocking=False))
        time.sleep(0)
        busy.release()

    sink = Recorder(indicate)
    services.ExecQueryAsync("WQL", source(numbered(20_000)).query, 0, None, sink)
    sink.wait()
    assert sum(sink.indicated) == 20_000
    assert not any(overlaps)
    assert all(count >= 1 for count in sink.indicated)


@pytest.mark.req("calls:C1")
def test_references_of_indicated_objects(services: com.IWbemServices, source: Make) -> None:
    counts: list[int] = []
    kept: list[Any] = []

    def indicate(objects: list[Any]) -> None:
        counts.append(objects[0].AddRef())
        kept.append(objects[0])

    class Sink(com.IWbemObjectSink):
        done = threading.Event()

        def Indicate(self, objects: list[Any]) -> None:
            indicate(objects)

        def SetStatus(self, *status: Any) -> None:
            self.done.set()

    sink = Sink()
    services.ExecQueryAsync("WQL", source(numbered(1)).query, 0, None, sink)
    assert sink.done.wait(SECONDS)
    assert counts == [2]
    assert kept[0].Get("Id", 0)[1] == 0
    assert kept[0].Release() == 0


@pytest.mark.req("calls:D2", "calls:D3")
def test_cancel_of_nothing(services: com.IWbemServices) -> None:
    assert services.CancelAsyncCall(None) == com.WBEM_E_INVALID_PARAMETER
    assert services.CancelAsyncCall(com.IWbemObjectSink()) == com.WBEM_E_NOT_FOUND
    assert services.CancelAsyncCall("text") == com.WBEM_E_INVALID_PARAMETER  # type: ignore[arg-type]


@pytest.mark.req("calls:D13")
def test_cancel_through_other_services(services: com.IWbemServices, source: Make) -> None:
    sink = Recorder()
    services.ExecQueryAsync("WQL", source(numbered(1), open_for=0).query, 0, None, sink)
    other = connected("root\\default")
    assert other.CancelAsyncCall(sink) == 0
    assert sink.finals == [CANCELLED]


@pytest.mark.req("calls:D12", "calls:C16")
def test_cancel_leaves_other_sinks_alone(services: com.IWbemServices, source: Make) -> None:
    made = source(numbered(2), open_for=1)
    first, second = Recorder(), Recorder()
    services.ExecQueryAsync("WQL", made.query, 0, None, first)
    services.ExecQueryAsync("WQL", made.query, 0, None, second)
    assert services.CancelAsyncCall(first) == 0
    made.gate.set()
    second.wait()
    assert second.finals == [0]
    assert sum(second.indicated) == 2


@pytest.mark.req("calls:D16")
def test_another_pointer_to_the_same_object_cancels(services: com.IWbemServices, source: Make) -> None:
    class Facet(Recorder):
        """A second interface pointer of the sink: its IUnknown is the sink's."""

        def __init__(self, whole: com.IWbemObjectSink) -> None:
            super().__init__()
            self.whole = whole

        def QueryInterface(self, riid: object, *, out: Any = None) -> tuple[int, Any]:
            return self.whole.QueryInterface(riid, out=out)

    sink = Recorder()
    services.ExecQueryAsync("WQL", source(numbered(1), open_for=0).query, 0, None, sink)
    assert services.CancelAsyncCall(Facet(com.IWbemObjectSink())) == com.WBEM_E_NOT_FOUND
    assert services.CancelAsyncCall(Facet(sink)) == 0
    assert sink.finals == [CANCELLED]
    assert sink.references == 1


@pytest.mark.req("calls:D8", "calls:D14", "calls:C12")
def test_cancel_from_inside_a_callback(services: com.IWbemServices, source: Make) -> None:
    codes: list[int] = []
    sink = Recorder()
    sink._indicate = lambda objects: codes.append(services.CancelAsyncCall(sink))
    made = source(endless())
    services.ExecQueryAsync("WQL", made.query, 0, None, sink)
    sink.wait()
    assert codes == [0]
    assert len(sink.indicated) == 1
    assert sink.finals == [CANCELLED]


@pytest.mark.req("calls:D8", "calls:D4")
def test_cancel_waits_for_a_running_callback(services: com.IWbemServices, source: Make) -> None:
    running, go_on = threading.Event(), threading.Event()

    def indicate(objects: list[Any]) -> None:
        running.set()
        go_on.wait(SECONDS)

    sink = Recorder(indicate)
    services.ExecQueryAsync("WQL", source(endless()).query, 0, None, sink)
    assert running.wait(SECONDS)
    opener = threading.Timer(0.05, go_on.set)
    opener.start()
    assert services.CancelAsyncCall(sink) == 0
    assert go_on.is_set()
    assert sink.finals == [CANCELLED]
    assert sink.references == 1


@pytest.mark.slow  # the final status waits until the hanging thread is replaced
@pytest.mark.req("calls:D5", "calls:D6")
def test_a_callback_that_waits_for_a_thread_never_starts_after_a_cancel(
    services: com.IWbemServices, source: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = Workers(1)
    monkeypatch.setattr("openwmi.faces.com.sinks.WORKERS", pool)
    leave = threading.Event()
    hanging = Recorder(lambda objects: int(leave.wait(SECONDS)) * 0)
    assert services.ExecQueryAsync("WQL", source(numbered(1)).query, 0, None, hanging) == 0
    assert hanging.called.wait(SECONDS)  # the only thread is taken
    waiting, made = Recorder(), source(numbered(1))
    assert services.ExecQueryAsync("WQL", made.query, 0, None, waiting) == 0
    assert made.ended.wait(SECONDS)
    while not pool._jobs:  # its objects have been handed over
        time.sleep(0.001)
    assert services.CancelAsyncCall(waiting) == 0
    leave.set()
    waiting.wait()
    assert (waiting.indicated, waiting.finals) == ([], [CANCELLED])
    hanging.wait()


@pytest.mark.req("calls:C12")
def test_a_callback_may_call_wmi(services: com.IWbemServices, source: Make) -> None:
    inner = source(numbered(2))
    found: list[int] = []

    def indicate(objects: list[Any]) -> None:
        hr, enumerator = services.ExecQuery("WQL", inner.query, 0, None)
        found.append(enumerator.Next(com.WBEM_INFINITE, 10)[2])

    sink = Recorder(indicate)
    services.ExecQueryAsync("WQL", source(numbered(1)).query, 0, None, sink)
    sink.wait()
    assert found == [2]


@pytest.mark.req("calls:C13", "calls:C18")
def test_a_sink_made_with_a_count_of_zero_ends_with_its_call(
    services: com.IWbemServices, source: Make
) -> None:
    class QuerySink(com.IWbemObjectSink):
        """The page's sink: it counts for itself and destroys itself at zero."""

        def __init__(self) -> None:
            self.count = 0
            self.destroyed = threading.Event()

        def AddRef(self) -> int:
            self.count += 1
            return self.count

        def Release(self) -> int:
            self.count -= 1
            if not self.count:
                self.destroyed.set()
            return self.count

        def QueryInterface(self, riid: object, *, out: Any = None) -> tuple[int, Any]:
            if riid not in (com.IID_IUnknown, com.IID_IWbemObjectSink):
                return com.E_NOINTERFACE, None
            self.AddRef()
            return com.WBEM_S_NO_ERROR, self

        def Indicate(self, objects: list[Any]) -> int:
            return com.WBEM_S_NO_ERROR

        def SetStatus(self, lFlags: int, hResult: int, strParam: Any, pObjParam: Any) -> int:
            return com.WBEM_S_NO_ERROR

    sink = QuerySink()
    assert services.ExecQueryAsync("WQL", None, 0, None, sink) == com.WBEM_E_INVALID_PARAMETER
    assert sink.count == 0
    assert not sink.destroyed.is_set()
    assert services.ExecQueryAsync("WQL", source(numbered(2)).query, 0, None, sink) == 0
    assert sink.destroyed.wait(SECONDS)
    assert sink.count == 0


@pytest.mark.req("calls:C4")
def test_new_style_is_a_success(services: com.IWbemServices, source: Make) -> None:
    sink = Recorder(lambda objects: com.WBEM_S_NEW_STYLE)
    services.ExecQueryAsync("WQL", source(numbered(3)).query, 0, None, sink)
    sink.wait()
    assert sink.finals == [0]
    assert sum(sink.indicated) == 3


@pytest.mark.req("calls:C6")
def test_a_failing_final_status_changes_nothing(services: com.IWbemServices, source: Make) -> None:
    class Sink(Recorder):
        def SetStatus(self, *status: Any) -> int:
            super().SetStatus(*status)
            raise RuntimeError("too late")

    sink = Sink()
    services.ExecQueryAsync("WQL", source(numbered(1)).query, 0, None, sink)
    sink.wait()
    assert sink.finals == [0]
    assert sink.references == 1


@pytest.mark.req("calls:B25", "calls:B34", "calls:B35", "calls:B36")
def test_progress_of_real_processes(services: com.IWbemServices) -> None:
    quiet, told = Recorder(), Recorder()
    query = "SELECT * FROM Win32_Process"
    assert services.ExecQueryAsync("WQL", query, 0, None, quiet) == 0
    assert services.ExecQueryAsync("WQL", query, com.WBEM_FLAG_SEND_STATUS, None, told) == 0
    quiet.wait()
    told.wait()
    assert len(quiet.statuses) == 1
    reports = [status for status in told.statuses if status[0] == com.WBEM_STATUS_PROGRESS]
    assert reports
    assert all(hr & 0xFFFF <= hr >> 16 for _, hr, _, _ in reports)
    assert told.finals == [0]
    assert told.statuses[-1][0] == com.WBEM_STATUS_COMPLETE


@pytest.mark.req("calls:C5")
def test_a_failing_answer_to_progress_ends_the_call(services: com.IWbemServices) -> None:
    class Sink(Recorder):
        def SetStatus(self, *status: Any) -> int:
            super().SetStatus(*status)
            return com.E_FAIL

    sink = Sink()
    services.ExecQueryAsync("WQL", "SELECT * FROM Win32_Process", com.WBEM_FLAG_SEND_STATUS, None, sink)
    sink.wait()
    assert sink.finals == [CANCELLED]
    assert len(sink.statuses) == 2


@pytest.mark.req("calls:C7")
def test_sinks_that_hang_take_no_place_from_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openwmi.faces.workers.PATIENCE", 0.02)
    workers = Workers(limit=2)
    stop = threading.Event()
    hanging = [workers.call(lambda: stop.wait(SECONDS)) for _ in range(6)]
    try:
        assert workers.call(lambda: 7).result(SECONDS) == 7
        assert not any(future.done() for future in hanging)
    finally:
        stop.set()
    assert all(future.result(SECONDS) for future in hanging)
    assert workers.call(threading.get_ident).result(SECONDS)


@pytest.mark.req("calls:C7")
def test_callbacks_wait_for_a_thread_when_many_run() -> None:
    workers = Workers(limit=3)
    go_on = threading.Event()
    running = [workers.call(lambda: go_on.wait(SECONDS)) for _ in range(10)]
    assert workers.running <= 3
    go_on.set()
    assert all(future.result(SECONDS) for future in running)


def test_what_a_callback_raises_is_its_result() -> None:
    def job() -> None:
        raise SystemExit

    assert isinstance(Workers().call(job).exception(SECONDS), SystemExit)


def test_many_calls_at_once(services: com.IWbemServices, source: Make) -> None:
    made: Source = source(numbered(5))
    sinks = [Recorder() for _ in range(200)]
    for sink in sinks:
        assert services.ExecQueryAsync("WQL", made.query, 0, None, sink) == 0
    for sink in sinks:
        sink.wait()
        assert sum(sink.indicated) == 5
        assert sink.finals == [0]
        assert sink.references == 1


@pytest.mark.req("calls:D9", "calls:B22", "calls:D13")
@pytest.mark.parametrize("count", [0, 1, 5, 3000])
def test_cancels_that_race_with_the_end(services: com.IWbemServices, source: Make, count: int) -> None:
    """Two threads cancel while the call ends by itself: one final status, one release, nothing after it."""
    made = source(numbered(count))
    for _ in range(20):
        sink = Recorder()
        codes: list[int] = []
        start = threading.Barrier(3)

        def cancel(sink: Recorder = sink, codes: list[int] = codes, start: threading.Barrier = start) -> None:
            start.wait()
            codes.append(services.CancelAsyncCall(sink))

        threads = [threading.Thread(target=cancel) for _ in range(2)]
        for thread in threads:
            thread.start()
        assert services.ExecQueryAsync("WQL", made.query, 0, None, sink) == 0
        start.wait()
        for thread in threads:
            thread.join(SECONDS)
        sink.wait()
        assert set(codes) <= {0, com.WBEM_E_NOT_FOUND}
        assert codes.count(0) <= 1
        (final,) = sink.finals
        assert final == (CANCELLED if 0 in codes else 0)
        assert sink.releases == 1
        assert sink.events[-1] == ("Release", 1)
        assert [event[0] for event in sink.events].index("SetStatus") == len(sink.events) - 2
