"""WMI on the scripted host: log-on, IWbemServices, enumerators of both kinds, asynchronous calls into sinks.

[MS-WMI] 3.1.4. What a query finds is what the test put there; queries are told apart by their text alone.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any, ClassVar
from uuid import UUID

from tests.model.making import key, make, prop
from tests.remote.memory import PASSWORD
from tests.remote.network import SERVER, NetworkLoop
from tests.remote.windows.callback import PRIVACY_FIRST, Gone, SinkAbroad, as_user
from tests.remote.windows.host import Called, Host, Table, Thing, table

from openwmi.contract.flags import WBEM_FLAG_RETURN_IMMEDIATELY
from openwmi.contract.operations import (
    CreateClassEnum,
    ExecMethod,
    ExecNotificationQuery,
    GetObject,
    PutClass,
    PutInstance,
    described,
)
from openwmi.model import status as codes
from openwmi.model.cimtypes import CimType
from openwmi.model.classes import Class
from openwmi.model.instances import Instance
from openwmi.wire.dcom import objref
from openwmi.wire.wmi import enumerators, guids, login, services
from openwmi.wire.wmi import results as call_results
from openwmi.wire.wmi.types import EMPTY, reference_to
from openwmi.wmio.arrays import ArrayEncoder

NAMESPACE = "root\\cimv2"
S_FALSE, TIMED_OUT = 1, 0x40004
PROCESS = make(
    "Win32_Process", key("Handle"), prop("Name"), prop("ProcessId", CimType.UINT32), server="WIN-HOST"
)
EVENT = make("Host_Event", key("Number", CimType.UINT32), prop("Text"), server="WIN-HOST")
Objects = Sequence[Class | Instance]


def processes(count: int, start: int = 0) -> list[Instance]:
    return [
        PROCESS.spawn({"Handle": str(n), "Name": f"p{n}.exe", "ProcessId": n})
        for n in range(start, start + count)
    ]


def events_of(*numbers: int) -> list[Instance]:
    return [EVENT.spawn({"Number": n, "Text": f"event {n}"}) for n in numbers]


class Results:
    """What an operation finds, now and later."""

    def __init__(self, found: Objects = (), *, ended: bool = True, status: int = 0) -> None:
        self.waiting: deque[Class | Instance] = deque(found)
        self.ended = ended
        self.status = status
        self._changed = asyncio.Event()

    def add(self, found: Objects) -> None:
        self.waiting.extend(found)
        self._changed.set()

    def end(self, status: int = 0) -> None:
        self.ended = True
        self.status = status
        self._changed.set()

    async def take(self, count: int, seconds: float | None = None) -> tuple[list[Class | Instance], bool]:
        """Up to `count` objects, all of them unless the end or the time comes first; whether the end came."""
        found: list[Class | Instance] = []
        try:
            async with asyncio.timeout(seconds):
                while True:
                    while self.waiting and len(found) < count:
                        found.append(self.waiting.popleft())
                    if self.ended or len(found) >= count:
                        break
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            pass
        return found, self.ended and not self.waiting and len(found) < count

    async def some(self, most: int) -> list[Class | Instance]:
        """Whatever there is, as soon as there is any; nothing at the end."""
        first, _ = await self.take(1)
        while self.waiting and len(first) < most:
            first.append(self.waiting.popleft())
        return first


def _seconds(milliseconds: int) -> float | None:
    return None if milliseconds < 0 else milliseconds / 1000


class Login(Thing):
    """IWbemLevel1Login and IWbemLoginClientID."""

    host: WmiHost

    def establish(self, called: Called) -> Any:
        return login.EstablishPositionAnswer()

    def told(self, called: Called) -> Any:
        self.host.clients.append(called.inputs)
        return login.Result()

    def log_in(self, called: Called) -> Any:
        wanted = (called.inputs.namespace or "").replace("/", "\\").lower().rpartition("root")[2]
        if f"root{wanted}" != NAMESPACE:
            return login.LoginAnswer(None, codes.WBEM_E_INVALID_NAMESPACE)
        return login.LoginAnswer(self.host.reference(Namespace(self.host), guids.IWbemServices.uuid))

    interfaces: ClassVar[Any] = {
        guids.IWbemLevel1Login.uuid: table((login.ESTABLISH_POSITION, establish), (login.NTLM_LOGIN, log_in)),
        guids.IWbemLoginClientID.uuid: table((login.SET_CLIENT_INFO, told)),
    }


class Namespace(Thing):
    """IWbemServices."""

    host: WmiHost

    def start(self, called: Called) -> Any:
        """Any of the ten operations, synchronous or not."""
        opnum, inputs = called.request.opnum, called.inputs
        operation = services.operation_of(opnum, inputs)
        if services.is_asynchronous(opnum):
            return self._asynchronous(called, operation)
        answer = called.method.response.members.holds
        row = described(operation)
        results = self.host.find(operation)
        if results.status and results.ended and not results.waiting:
            return answer(**_nothing(called, results.status))
        if row.enumerator:
            made = Enumerator(self.host, results)
            return answer(enumerator=self.host.reference(made, guids.IEnumWbemClassObject.uuid), result=0)
        values: dict[str, Any] = _nothing(called, 0)
        if inputs.call_result is not None and inputs.flags & WBEM_FLAG_RETURN_IMMEDIATELY:
            made = CallResult(self.host, results)
            values["call_result"] = self.host.reference(made, guids.IWbemCallResult.uuid)
            return answer(**values)
        if row.delivers == "object" and inputs.found is not None:
            values["found"] = reference_to(results.waiting[0]) if results.waiting else EMPTY
        return answer(**values)

    def _asynchronous(self, called: Called, operation: Any) -> Any:
        holds = called.method.response.members.holds
        results = self.host.find(operation)
        self.host.deliver(called.inputs.sink, results)
        return holds(result=0)

    def cancel(self, called: Called) -> Any:
        holds = called.method.response.members.holds
        if called.inputs.sink is None:
            return holds(result=codes.WBEM_E_INVALID_PARAMETER)
        return holds(result=self.host.cancel(called.inputs.sink))

    def open(self, called: Called) -> Any:
        holds = called.method.response.members.holds
        made = Namespace(self.host)
        return holds(services=self.host.reference(made, guids.IWbemServices.uuid), call_result=None, result=0)


_STARTED: Table = {
    opnum: (method, Namespace.start)
    for opnum, method in services.METHODS.items()
    if method not in (services.OPEN, services.CANCEL, services.EVENT_SINK)
}
Namespace.interfaces = {
    guids.IWbemServices.uuid: {
        **_STARTED,
        **table((services.CANCEL, Namespace.cancel), (services.OPEN, Namespace.open)),
    }
}


def _nothing(called: Called, status: int) -> dict[str, Any]:
    """[out] parameters without anything but their HRESULT; a pointer that came comes back, empty."""
    names = called.method.response.members.names
    values = {name: None if getattr(called.inputs, name, None) is None else EMPTY for name in names}
    return {**values, "result": status}


class CallResult(Thing):
    """IWbemCallResult."""

    host: WmiHost

    def __init__(self, host: WmiHost, results: Results) -> None:
        super().__init__(host)
        self.results = results

    def status(self, called: Called) -> Any:
        return call_results.CallStatus(self.results.status)

    def found(self, called: Called) -> Any:
        waiting = self.results.waiting
        return call_results.ResultObject(reference_to(waiting[0]) if waiting else None)

    def text(self, called: Called) -> Any:
        return call_results.ResultString('Win32_Process.Handle="1"')

    interfaces: ClassVar[Any] = {
        guids.IWbemCallResult.uuid: table(
            (call_results.GET_CALL_STATUS, status),
            (call_results.GET_RESULT_OBJECT, found),
            (call_results.GET_RESULT_STRING, text),
        )
    }


class Enumerator(Thing):
    """IEnumWbemClassObject, IWbemFetchSmartEnum."""

    host: WmiHost

    def __init__(self, host: WmiHost, results: Results) -> None:
        super().__init__(host)
        self.results = results

    async def page(self, called: Called) -> Any:
        count = called.inputs.count
        found, over = await self.results.take(count, _seconds(called.inputs.timeout))
        result = S_FALSE if over else 0 if len(found) == count else TIMED_OUT
        if over and self.results.status:
            result = self.results.status
        return enumerators.NextAnswer([reference_to(one) for one in found], result, count)

    def reset(self, called: Called) -> Any:
        return login.Result(codes.WBEM_E_INVALID_OPERATION)

    def smart(self, called: Called) -> Any:
        made = SmartEnumerator(self.host, self.results)
        return enumerators.EnumeratorAnswer(self.host.reference(made, guids.IWbemWCOSmartEnum.uuid))

    interfaces: ClassVar[Any] = {
        guids.IEnumWbemClassObject.uuid: table((enumerators.NEXT, page), (enumerators.RESET, reset)),
        guids.IWbemFetchSmartEnum.uuid: table((enumerators.GET_SMART_ENUM, smart)),
    }


class SmartEnumerator(Thing):
    """IWbemWCOSmartEnum: classes travel once per proxy."""

    host: WmiHost

    def __init__(self, host: WmiHost, results: Results) -> None:
        super().__init__(host)
        self.results = results
        self.encoders: dict[UUID, ArrayEncoder] = {}

    def packet(self, proxy: UUID, found: Objects) -> bytes | None:
        encoder = self.encoders.setdefault(proxy, ArrayEncoder(self._guid))
        return encoder.encode(list(found)) if found else None

    def _guid(self) -> bytes:
        return UUID(int=0xC0C0 << 112 | self.host.fresh()).bytes_le

    async def page(self, called: Called) -> Any:
        asked = called.inputs
        found, over = await self.results.take(asked.count, _seconds(asked.timeout))
        result = S_FALSE if over else 0 if len(found) == asked.count else TIMED_OUT
        if over and self.results.status:
            result = self.results.status
        return enumerators.SmartNextAnswer(len(found), self.packet(asked.proxy, found), result)

    interfaces: ClassVar[Any] = {guids.IWbemWCOSmartEnum.uuid: table((enumerators.SMART_NEXT, page))}


class Delivery:
    """An asynchronous call of the host's: its sink, and the task that calls it."""

    def __init__(self, host: WmiHost, sink: SinkAbroad, results: Results) -> None:
        self.host = host
        self.sink = sink
        self.results = results
        self.cancelled = False
        self.failure: Gone | None = None
        self.task = asyncio.get_running_loop().create_task(self.run())

    async def run(self) -> None:
        pings = asyncio.ensure_future(self.sink.ping())
        try:
            await self.sink.unmarshal()
            await (self.host.script or deliver)(self)
        except Gone as reason:
            self.failure = reason
        except AssertionError as wrong:  # of a test's script
            self.host.wrong.append(wrong)
        finally:
            pings.cancel()
            self.host.pending.discard(self)
            await self.sink.release()

    def cancel(self) -> None:
        self.cancelled = True
        self.results.waiting.clear()
        self.results.end(codes.WBEM_E_CALL_CANCELLED)


async def deliver(delivery: Delivery) -> None:
    """As a host should: Indicate, one at a time, then the final status ([MS-WMI] 3.1.4.4.1, 3.2.4.1)."""
    while found := await delivery.results.some(delivery.host.batch):
        if delivery.cancelled:
            break
        answer = await delivery.sink.indicate([reference_to(one) for one in found])
        if codes.failed(answer):
            delivery.cancel()
            break
    await delivery.sink.set_status(0, delivery.results.status)


class WmiHost(Host):
    """The host with WMI on it. found: operation -> results; what queries find by default is `processes(5)`."""

    def __init__(self, loop: NetworkLoop, address: str = SERVER, **options: Any) -> None:
        super().__init__(loop, address, **options)
        self.classes[guids.CLSID_WbemLevel1Login] = lambda: Login(self)
        self.clients: list[Any] = []
        self.operations: list[Any] = []
        self.pending: set[Delivery] = set()
        self.deliveries: list[Delivery] = []
        self.references: list[bytes] = []  # of sinks
        self.wrong: list[AssertionError] = []
        self.events: list[Results] = []
        self.batch = 100
        self.callback_as = as_user("ada", PASSWORD)
        self.callback_levels: Sequence[int] = PRIVACY_FIRST

    def find(self, operation: Any) -> Results:
        self.operations.append(operation)
        if self.found is not None:
            return self.found(operation)
        match operation:
            case ExecNotificationQuery():
                results = Results(ended=False)
                self.events.append(results)
                return results
            case GetObject(path="Win32_Process"):
                return Results([PROCESS])
            case GetObject():
                return Results(processes(1))
            case CreateClassEnum():
                return Results([PROCESS])
            case ExecMethod() | PutClass() | PutInstance():
                return Results()
            case _:
                return Results(processes(5))

    def deliver(self, reference: bytes, results: Results) -> None:
        self.references.append(reference)
        sink = SinkAbroad(self.loop, reference, self.callback_as, self.callback_levels)
        made = Delivery(self, sink, results)
        self.pending.add(made)
        self.deliveries.append(made)

    def cancel(self, reference: bytes) -> int:
        """CancelAsyncCall ([MS-WMI] 3.1.4.3.2)."""
        std = objref.standard(reference).std
        found = [one for one in self.pending if one.sink.key == (std.oxid, std.oid)]
        for one in found:
            one.sink.refs += std.public_refs
            one.cancel()
        return 0 if found else codes.WBEM_E_NOT_FOUND

    def close(self) -> None:
        super().close()
        for delivery in self.deliveries:
            delivery.task.cancel()
