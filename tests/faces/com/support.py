"""Helpers of the tests of the COM-shaped face: a sink that records, classes to query, a program's first lines."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable
from typing import Any

from openwmi import com, testing

SECONDS = 60.0  # how long anything here may take before the test fails; nothing waits for it to pass
NAMESPACE = "root\\cimv2"
_numbers = itertools.count(1)


def created(clsid: object, iid: object, context: int = com.CLSCTX_INPROC_SERVER) -> Any:
    """A new object, or the test fails."""
    hr, made = com.CoCreateInstance(clsid, None, context, iid)
    assert hr == com.S_OK
    return made


def connected(namespace: str = NAMESPACE) -> com.IWbemServices:
    """A log-on to this machine."""
    locator = created(com.CLSID_WbemLocator, com.IID_IWbemLocator)
    hr, services = locator.ConnectServer(namespace, None, None, None, 0, None, None)
    assert hr == com.S_OK
    return services


class Recorder(com.IWbemObjectSink):
    """A sink that writes down everything it hears and every reference taken and dropped."""

    def __init__(self, indicate: Callable[[list[Any]], int | None] | None = None) -> None:
        self.events: list[tuple[Any, ...]] = []
        self.objects: list[com.IWbemClassObject] = []
        self.references = 1
        self.called = threading.Event()
        self.final = threading.Event()
        self.released = threading.Event()
        self._indicate = indicate

    def AddRef(self) -> int:
        self.references = super().AddRef()
        self.events.append(("AddRef", self.references))
        return self.references

    def Release(self) -> int:
        self.references = super().Release()
        self.events.append(("Release", self.references))
        self.released.set()
        return self.references

    def Indicate(self, objects: list[com.IWbemClassObject]) -> int | None:
        self.events.append(("Indicate", len(objects)))
        for item in objects:
            item.AddRef()
        self.objects.extend(objects)
        self.called.set()
        return None if self._indicate is None else self._indicate(objects)

    def SetStatus(
        self, lFlags: int, hResult: int, strParam: str | None, pObjParam: com.IWbemClassObject | None
    ) -> int:
        if pObjParam is not None:
            pObjParam.AddRef()
        self.events.append(("SetStatus", lFlags, hResult, strParam, pObjParam))
        self.called.set()
        if lFlags == com.WBEM_STATUS_COMPLETE:
            self.final.set()
        return com.WBEM_S_NO_ERROR

    @property
    def indicated(self) -> list[int]:
        return [event[1] for event in self.events if event[0] == "Indicate"]

    @property
    def statuses(self) -> list[tuple[Any, ...]]:
        return [event[1:] for event in self.events if event[0] == "SetStatus"]

    @property
    def finals(self) -> list[int]:
        return [status[1] for status in self.statuses if status[0] == com.WBEM_STATUS_COMPLETE]

    @property
    def releases(self) -> int:
        return sum(event[0] == "Release" for event in self.events)

    def wait(self) -> None:
        """Until the service has let go of the sink."""
        assert self.released.wait(SECONDS)


class Source:
    """A class served for one test: rows, optionally a gate that closes after some of them, and a note of its end."""

    def __init__(
        self, rows: Iterable[dict[str, Any]] = (), *, open_for: int | None = None, **roles: Any
    ) -> None:
        self.name = f"Com_Test{next(_numbers)}"
        self.rows = rows
        self.open_for = open_for
        self.asked = threading.Event()
        self.gate = threading.Event()
        self.ended = threading.Event()
        mof = (
            f"class {self.name} {{ [key] uint32 Id; string Text; uint64 Large; uint32 Count; datetime Seen; "
            "[static] uint32 Sum([in] uint32 A, [in] uint32 B, [out] uint32 Total); uint32 Answer(); };"
        )
        testing.provide(NAMESPACE, mof, instances=self._instances, **roles)

    def _instances(self) -> Iterable[dict[str, Any]]:
        self.asked.set()
        try:
            for number, row in enumerate(self.rows):
                if number == self.open_for:
                    self.gate.wait(SECONDS)
                yield row
            if self.open_for is not None:
                self.gate.wait(SECONDS)
        finally:
            self.ended.set()

    @property
    def query(self) -> str:
        return f"SELECT * FROM {self.name}"


def numbered(count: int) -> list[dict[str, Any]]:
    return [{"Id": number, "Text": f"row {number}"} for number in range(count)]


def endless() -> Iterable[dict[str, Any]]:
    for number in itertools.count():
        yield {"Id": number, "Text": f"row {number}"}


PREAMBLE = """
from openwmi import com, testing
import sys, threading, time
def initialise(security=True, impersonation=com.RPC_C_IMP_LEVEL_IMPERSONATE):
    assert com.CoInitializeEx(None, com.COINIT_MULTITHREADED) == 0
    if security:
        assert com.CoInitializeSecurity(None, -1, None, None, 0, impersonation, None, 0, None) == 0
def connect(namespace="root/cimv2"):
    hr, locator = com.CoCreateInstance(com.CLSID_WbemLocator, None, 1, com.IID_IWbemLocator)
    assert hr == 0, hex(hr)
    hr, services = locator.ConnectServer(namespace, None, None, None, 0, None, None)
    assert hr == 0, hex(hr)
    return services
"""
