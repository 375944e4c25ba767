"""How fast the page's call returns: ExecQueryAsync with a provider that is blocked before its first row."""

from __future__ import annotations

import statistics
import threading
import time

from bench.harness import Budget, Line
from bench.sources import NAMESPACE, Blocked, serve
from openwmi import com

CALLS = 100


class Sink(com.IWbemObjectSink):
    """Waits for its release."""

    def __init__(self) -> None:
        self.released = threading.Event()

    def Release(self) -> int:
        self.released.set()
        return super().Release()

    def Indicate(self, objects: list[com.IWbemClassObject]) -> int:
        return com.WBEM_S_NO_ERROR

    def SetStatus(self, *status: object) -> int:
        return com.WBEM_S_NO_ERROR


def measure() -> list[Line]:
    blocked = Blocked("Bench_ComBlocked")
    serve(blocked, blocked.name)
    services = _connected()
    query = f"SELECT * FROM {blocked.name}"
    sinks = [Sink() for _ in range(CALLS)]
    times = [_timed(services, query, sink) for sink in sinks]
    blocked.release.set()
    for sink in sinks:
        sink.released.wait(10)
    services.Release()
    median = statistics.median(times) * 1000
    return [
        Budget(
            f"ExecQueryAsync returns while its provider is blocked, median of {CALLS}",
            median,
            10,
            at_least=False,
            unit=" ms",
            detail=f"slowest {max(times) * 1000:.2f} ms",
        )
    ]


def _timed(services: com.IWbemServices, query: str, sink: Sink) -> float:
    began = time.perf_counter()
    hr = services.ExecQueryAsync("WQL", query, 0, None, sink)
    taken = time.perf_counter() - began
    assert hr == com.WBEM_S_NO_ERROR
    return taken


def _connected() -> com.IWbemServices:
    locator: com.IWbemLocator
    com.CoInitializeEx(None, com.COINIT_MULTITHREADED)
    com.CoInitializeSecurity(
        None, -1, None, None, 0, com.RPC_C_IMP_LEVEL_IMPERSONATE, None, com.EOAC_NONE, None
    )
    _, locator = com.CoCreateInstance(
        com.CLSID_WbemLocator, None, com.CLSCTX_INPROC_SERVER, com.IID_IWbemLocator
    )
    hr, services = locator.ConnectServer(NAMESPACE, None, None, None, 0, None, None)
    assert hr == com.S_OK
    assert services is not None
    return services
