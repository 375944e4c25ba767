"""IUnsecuredApartment and IWbemUnsecuredApartment (calls.md E.1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.faces.com.support import SECONDS, Recorder, created, numbered

from openwmi import com

Make = Callable[..., Any]


@pytest.fixture
def apartment() -> com.IWbemUnsecuredApartment:
    return created(com.CLSID_UnsecuredApartment, com.IID_IWbemUnsecuredApartment, com.CLSCTX_LOCAL_SERVER)


@pytest.mark.req("calls:E1", "calls:E6")
def test_object_stub(apartment: com.IWbemUnsecuredApartment) -> None:
    sink = Recorder()
    hr, stub = apartment.CreateObjectStub(sink)
    assert hr == 0
    assert sink.references == 2
    assert sink.Release() == 1  # the application may let go of its own at once
    hr, as_sink = stub.QueryInterface(com.IID_IWbemObjectSink)
    assert hr == 0
    assert stub.Release() == 1
    assert as_sink.Release() == 0
    assert sink.references == 0
    assert apartment.CreateObjectStub(com.IWbemContext()) == (com.E_NOINTERFACE, None)
    assert apartment.CreateObjectStub(None) == (com.WBEM_E_INVALID_PARAMETER, None)
    assert apartment.CreateObjectStub("no object") == (com.E_NOINTERFACE, None)  # type: ignore[arg-type]


@pytest.mark.req("calls:E2")
def test_flags_of_a_sink_stub(apartment: com.IWbemUnsecuredApartment) -> None:
    sink = Recorder()
    for flags in (0, com.WBEM_FLAG_UNSECAPP_CHECK_ACCESS, com.WBEM_FLAG_UNSECAPP_DONT_CHECK_ACCESS):
        hr, stub = apartment.CreateSinkStub(sink, flags, None)
        assert hr == 0
        assert stub.Release() == 0
    assert sink.references == 1
    bad = (com.WBEM_E_INVALID_PARAMETER, None)
    assert apartment.CreateSinkStub(sink, 3, None) == bad
    assert apartment.CreateSinkStub(sink, 0, "reserved") == bad
    assert apartment.CreateSinkStub(None, 0, None) == bad
    assert apartment.CreateSinkStub(sink, 0, None, out=()) == bad
    assert sink.references == 1


@pytest.mark.req("calls:E7", "calls:E8", "calls:B22")
def test_a_stub_released_in_the_final_status(
    services: com.IWbemServices, source: Make, apartment: com.IWbemUnsecuredApartment
) -> None:
    class Sink(Recorder):
        stub: Any = None

        def SetStatus(self, *status: Any) -> int:
            super().SetStatus(*status)
            self.stub.Release()
            return 0

    sink = Sink()
    _, stub = apartment.CreateSinkStub(sink, 0, None)
    sink.stub = stub
    assert services.ExecQueryAsync("WQL", source(numbered(3)).query, 0, None, stub) == 0
    sink.wait()
    assert sink.finals == [0]
    assert sum(sink.indicated) == 3
    assert sink.references == 1  # the stub is gone, and with it its reference


@pytest.mark.req("calls:E8", "calls:C5")
@pytest.mark.parametrize("answer", [com.E_FAIL, ValueError()])
def test_a_stub_passes_the_sinks_answer_on(
    services: com.IWbemServices, source: Make, apartment: com.IWbemUnsecuredApartment, answer: Any
) -> None:
    def indicate(objects: list[Any]) -> int:
        if isinstance(answer, Exception):
            raise answer
        return int(answer)

    sink = Recorder(indicate)
    _, stub = apartment.CreateSinkStub(sink, 0, None)
    assert services.ExecQueryAsync("WQL", source(numbered(3), open_for=1).query, 0, None, stub) == 0
    assert sink.final.wait(SECONDS)
    assert sink.finals == [0x80041032]
    assert len(sink.indicated) == 1
