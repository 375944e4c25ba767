"""IWbemObjectSink: what a program subclasses, and how the service calls it (calls.md B.4, C.1).

:class:`SinkCall` stands between one call of the service and one sink of the program: it turns batches, progress and
the outcome into Indicate and SetStatus on a worker thread, and keeps the reference the service holds (B17, C13).
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any, ClassVar, Final

from openwmi.contract.flags import WBEM_STATUS_COMPLETE, WBEM_STATUS_PROGRESS
from openwmi.faces.com.calling import invalid
from openwmi.faces.com.constants import E_FAIL, E_NOTIMPL
from openwmi.faces.com.guids import IID_IUnknown, IID_IWbemObjectSink
from openwmi.faces.com.objects import class_object, optional_object
from openwmi.faces.com.unknown import IUnknown
from openwmi.faces.workers import WORKERS

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from uuid import UUID

    from openwmi.contract.outcome import Outcome, Progress
    from openwmi.faces.com.connection import Connection
    from openwmi.faces.com.objects import IWbemClassObject
    from openwmi.model.batches import Batch

_LOG: Final = logging.getLogger("openwmi.com")
_LOCK: Final = threading.Lock()
# The calls whose sink has not been released yet.
_LIVE: Final[dict[int, SinkCall]] = {}


class IWbemObjectSink(IUnknown):
    """Receives the results of an asynchronous call. Programs subclass it and define Indicate and SetStatus.

    Both return an HRESULT; None counts as 0, an exception as E_FAIL. A failure from Indicate or from a progress
    report ends the call with WBEM_E_CALL_CANCELLED (C5). They run on worker threads, one at a time for one call.
    """

    interfaces_: ClassVar[tuple[UUID, ...]] = (IID_IWbemObjectSink,)

    def Indicate(self, objects: list[IWbemClassObject]) -> int | None:
        """One or more objects. They are the caller's: AddRef one to keep it (C1)."""
        return E_NOTIMPL

    def SetStatus(
        self,
        lFlags: int,
        hResult: int,
        strParam: str | None,
        pObjParam: IWbemClassObject | None,
    ) -> int | None:
        """lFlags WBEM_STATUS_PROGRESS: done and total in hResult (B34). WBEM_STATUS_COMPLETE: the final status."""
        return E_NOTIMPL


def checked_sink(sink: object) -> IWbemObjectSink:
    """A sink argument; INVALID_PARAMETER for NULL and for what is no sink (B6)."""
    if not isinstance(sink, IWbemObjectSink):
        raise invalid("the sink is NULL or no IWbemObjectSink", "pResponseHandler")
    return sink


def identity(sink: IUnknown) -> object:
    """What the service compares when it looks for the calls of a sink: one token per object (D16)."""
    return sink.__dict__.setdefault("identity_of_sink_", _Token())


class _Token:
    __slots__ = ()


def namesake(sink: IUnknown) -> IUnknown | None:
    """The sink of a running call that is the same COM object behind another pointer: QueryInterface for IUnknown
    gives one pointer for both (D16). Only sinks with a QueryInterface of their own are asked."""
    wanted = _unknown(sink)
    if wanted is None:
        return None
    with _LOCK:
        live = [call.sink for call in _LIVE.values()]
    return next((other for other in live if other is not sink and (_unknown(other) or other) is wanted), None)


def _unknown(sink: IUnknown) -> object | None:
    if type(sink).QueryInterface is IUnknown.QueryInterface:
        return None
    try:
        hr, found = sink.QueryInterface(IID_IUnknown)
        if hr == 0:
            found.Release()
            return found  # type: ignore[no-any-return]
    except Exception:  # noqa: BLE001 - a program's own code
        _LOG.exception("QueryInterface of %r raised", sink)
    return None


class SinkCall:
    """One call's side of a sink. Implements contract.services.Sink."""

    __slots__ = ("_connection", "_held", "_lock", "_owner", "_released", "identity", "sink")

    def __init__(self, sink: IWbemObjectSink, connection: Connection, owner: object = None) -> None:
        self.sink = sink
        self.identity = identity(sink)
        self._connection = connection
        self._owner = owner  # what must not go away while the call waits
        self._lock = threading.Lock()
        self._held = False
        self._released = False

    # From the service, on its loop

    def on_objects(self, batch: Batch) -> Future[int]:
        return self._call(lambda: self._indicate(batch))

    def on_progress(self, progress: Progress) -> Future[int]:
        return self._call(
            lambda: self._set_status(WBEM_STATUS_PROGRESS, progress.hresult, progress.message, None)
        )

    def on_completed(self, outcome: Outcome) -> Future[int]:
        return self._call(lambda: self._complete(outcome))

    def _call(self, job: Callable[[], int]) -> Future[int]:
        return WORKERS.call(job, self._connection.client)

    # On worker threads

    def hold(self) -> None:
        """Take the service's reference: when the call was accepted or at its first callback, whichever is first."""
        with self._lock:
            if self._held:
                return
            self._held = True
            with _LOCK:
                _LIVE[id(self)] = self
            self._asked("AddRef")

    def release(self) -> int:
        """Drop the service's reference, once (B22). Done on the thread of the final status, so that it has happened
        when CancelAsyncCall returns (D7)."""
        with self._lock:
            if self._released:
                return 0
            self._released = True
        with _LOCK:
            _LIVE.pop(id(self), None)
        self._asked("Release")
        return 0

    def abandon(self) -> None:
        """The call was accepted, but nobody may call back: the sink is released and hears nothing (A1, A2)."""
        self.hold()
        WORKERS.call(self.release)

    def _indicate(self, batch: Batch) -> int:
        self.hold()
        find = self._connection.find_class
        objects = [class_object(item, find) for item in batch]
        try:
            return self._asked("Indicate", objects)
        finally:
            for item in objects:
                item.Release()

    def _set_status(self, flags: int, status: int, text: str | None, detail: Any) -> int:
        self.hold()
        subject = optional_object(detail, self._connection.find_class)
        try:
            return self._asked("SetStatus", flags, status & 0xFFFFFFFF, text, subject)
        finally:
            if subject is not None:
                subject.Release()

    def _complete(self, outcome: Outcome) -> int:
        try:
            return self._set_status(WBEM_STATUS_COMPLETE, outcome.status, outcome.text, outcome.error)
        finally:
            self.release()

    def _asked(self, name: str, *args: object) -> int:
        """Call a method of the program's sink; whatever it does, an HRESULT comes back."""
        try:
            answer = getattr(self.sink, name)(*args)
        except BaseException:  # noqa: BLE001 - a program's own code; its worker goes on
            _LOG.exception("%s of %r raised", name, self.sink)
            return E_FAIL
        if answer is None:
            return 0
        if isinstance(answer, int):
            return answer & 0xFFFFFFFF
        _LOG.error("%s of %r returned %r, which is no HRESULT", name, self.sink, answer)
        return E_FAIL
