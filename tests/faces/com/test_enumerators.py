"""IEnumWbemClassObject (calls.md F.1)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from tests.faces.com.support import SECONDS, Recorder, endless, numbered

from openwmi import com

Make = Callable[..., Any]
INFINITE = com.WBEM_INFINITE
TIMED_OUT, FALSE = com.WBEM_S_TIMEDOUT, com.WBEM_S_FALSE
BAD = com.WBEM_E_INVALID_PARAMETER


def opened(services: com.IWbemServices, query: str, flags: int = 0x30) -> com.IEnumWbemClassObject:
    hr, enumerator = services.ExecQuery("WQL", query, flags, None)
    assert hr == 0
    return enumerator


def ids(objects: list[com.IWbemClassObject]) -> list[int]:
    return [item.Get("Id", 0)[1] for item in objects]


@pytest.mark.req("calls:F2", "calls:F7", "calls:F8")
def test_arguments_of_next(services: com.IWbemServices, source: Make) -> None:
    enumerator = opened(services, source(numbered(3)).query)
    assert enumerator.Next(INFINITE, 1, out={"apObjects"}) == (BAD, [], 0)
    assert enumerator.Next(INFINITE, 1, out={"puReturned"}) == (BAD, [], 0)
    assert enumerator.Next(-2, 1) == (BAD, [], 0)
    assert enumerator.Next(INFINITE, 0) == (0, [], 0)
    assert ids(enumerator.Next(INFINITE, 5)[1]) == [0, 1, 2]


@pytest.mark.req("calls:F3", "calls:F5", "calls:F6", "calls:F10", "calls:F12")
def test_next_to_the_end(services: com.IWbemServices, source: Make) -> None:
    enumerator = opened(services, source(numbered(3)).query)
    hr, objects, returned = enumerator.Next(-1, 3)
    assert (hr, ids(objects), returned) == (0, [0, 1, 2], 3)
    assert enumerator.Next(-1, 3) == (FALSE, [], 0)
    assert enumerator.Next(0, 1) == (FALSE, [], 0)


@pytest.mark.req("calls:F6")
def test_next_without_waiting(services: com.IWbemServices, source: Make) -> None:
    made = source(numbered(2), open_for=0)
    enumerator = opened(services, made.query)
    assert enumerator.Next(com.WBEM_NO_WAIT, 1) == (TIMED_OUT, [], 0)
    made.gate.set()
    assert enumerator.Next(INFINITE, 2)[0] == 0


@pytest.mark.req("calls:F9", "calls:F11")
def test_a_failure_after_objects(services: com.IWbemServices, source: Make) -> None:
    def failing() -> Any:
        yield {"Id": 1}
        raise RuntimeError("broken")

    enumerator = opened(services, source(failing()).query)
    hr, objects, returned = enumerator.Next(INFINITE, 5)
    assert (ids(objects), returned) == ([1], 1)
    assert enumerator.Next(INFINITE, 5) == (com.WBEM_E_PROVIDER_FAILURE, [], 0)
    hr, info = com.GetErrorInfo(0)
    assert hr == 0
    assert "broken" in info.GetDescription()[1]


@pytest.mark.req("calls:F13")
def test_skip(services: com.IWbemServices, source: Make) -> None:
    made = source(numbered(5), open_for=2)
    enumerator = opened(services, made.query)
    assert enumerator.Skip(INFINITE, 1) == 0
    assert enumerator.Skip(20, 3) == TIMED_OUT
    made.gate.set()
    assert ids(enumerator.Next(INFINITE, 1)[1]) == [2]
    assert enumerator.Skip(INFINITE, 9) == FALSE


@pytest.mark.req("calls:F18", "calls:F19", "calls:F21", "A-270")
def test_reset_and_clone(services: com.IWbemServices, source: Make) -> None:
    both_ways = opened(services, source(numbered(4)).query, 0x10)
    assert ids(both_ways.Next(INFINITE, 3)[1]) == [0, 1, 2]
    hr, twin = both_ways.Clone()
    assert hr == 0
    assert both_ways.Reset() == 0
    assert ids(both_ways.Next(INFINITE, 2)[1]) == [0, 1]
    assert both_ways.Release() == 0
    assert ids(twin.Next(INFINITE, 2)[1]) == [3]
    assert twin.Clone(out=()) == (BAD, None)

    forward = opened(services, source(numbered(4)).query)
    assert forward.Reset() == com.WBEM_E_INVALID_OPERATION
    assert forward.Clone() == (com.WBEM_E_INVALID_OPERATION, None)


@pytest.mark.req("calls:F14", "calls:F15", "calls:F16", "calls:F17", "calls:F24")
def test_next_async(services: com.IWbemServices, source: Make) -> None:
    made = source(numbered(3), open_for=2)
    enumerator = opened(services, made.query)
    first, second = Recorder(), Recorder()
    assert enumerator.NextAsync(0, first) == FALSE
    assert enumerator.NextAsync(1, None) == BAD
    assert first.events == []
    assert enumerator.NextAsync(2, first) == 0
    assert enumerator.NextAsync(2, second) == 0
    first.wait()
    assert first.indicated == [2]
    assert first.finals == [0]
    assert first.references == 1
    made.gate.set()
    second.wait()
    assert ids(second.objects) == [2]
    assert second.finals == [FALSE]
    third = Recorder()
    assert enumerator.NextAsync(1, third) == FALSE
    assert third.events == []


@pytest.mark.req("calls:D1")
def test_cancel_of_a_waiting_request(services: com.IWbemServices, source: Make) -> None:
    enumerator = opened(services, source(numbered(2), open_for=1).query)
    sink = Recorder()
    assert enumerator.NextAsync(2, sink) == 0
    assert services.CancelAsyncCall(sink) == 0
    sink.wait()
    assert sink.finals == [0x80041032]
    assert ids(enumerator.Next(20, 2)[1]) == [0]


@pytest.mark.req("calls:F22")
def test_a_forgotten_enumerator_ends_its_provider(services: com.IWbemServices, source: Make) -> None:
    import gc

    made = source(endless())
    enumerator = opened(services, made.query)
    assert enumerator.Next(INFINITE, 1)[2] == 1
    del enumerator
    gc.collect()
    assert made.ended.wait(SECONDS)


@pytest.mark.req("calls:F15")
def test_a_waiting_request_keeps_its_enumerator(services: com.IWbemServices, source: Make) -> None:
    import gc

    made = source(numbered(2), open_for=0)
    enumerator = opened(services, made.query)
    sink = Recorder()
    assert enumerator.NextAsync(2, sink) == 0
    del enumerator
    gc.collect()
    made.gate.set()
    sink.wait()
    assert ids(sink.objects) == [0, 1]


@pytest.mark.req("calls:F22")
def test_release_ends_what_waits(services: com.IWbemServices, source: Make) -> None:
    enumerator = opened(services, source(numbered(2), open_for=0).query)
    sink = Recorder()
    enumerator.NextAsync(1, sink)
    answers: list[int] = []
    waiting = threading.Thread(target=lambda: answers.append(enumerator.Next(INFINITE, 1)[0]))
    waiting.start()
    assert enumerator.Release() == 0
    waiting.join(SECONDS)
    assert answers[0] in (com.WBEM_E_CALL_CANCELLED, com.RPC_E_DISCONNECTED)
    sink.wait()
    assert sink.finals == [0x80041032]
