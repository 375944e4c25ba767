"""Results pulled: enumerators page by page, the next page asked for before this one is decoded (calls.md F.1; E18).

Pages come through IWbemWCOSmartEnum, where a class travels once, and through IEnumWbemClassObject::Next from servers
that do not have it (F26). What nobody wants yet is not asked for.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid4

from openwmi.model.errors import WbemError, error
from openwmi.model.status import WBEM_S_FALSE, WBEM_S_TIMEDOUT, failed
from openwmi.remote.client.failures import RemoteFailure, as_told
from openwmi.remote.client.hearing import explanation, reported, succeeded, tell
from openwmi.wire.dcom import objref
from openwmi.wire.errors import PeerMisbehaved, ProtocolError
from openwmi.wire.wmi import enumerators as wire
from openwmi.wire.wmi import guids
from openwmi.wmio import Decoder
from openwmi.wmio.arrays import ArrayDecoder

if TYPE_CHECKING:
    from collections.abc import Callable

    from openwmi.calls.running import RunningCall
    from openwmi.model.batches import Batch
    from openwmi.remote.client.settings import Settings
    from openwmi.remote.outbound.channel import Call
    from openwmi.remote.outbound.references import Proxy
    from openwmi.wire.dcom.orpc import OrpcThat

# How long a page may gather at the server, in milliseconds: little at first, so that a slow source's first objects do
# not wait for a full page; more while nothing comes.
_SHORTEST: Final = 50
_LONGEST: Final = 2000
# An event is not kept waiting for others.
_EVENT_WAIT: Final = 5000


class Page:
    """One answer: its objects, still undecoded, what it says about the rest, and what is said beside it."""

    __slots__ = ("beside", "count", "decode", "reports", "status")

    def __init__(self, count: int, status: int, decode: Callable[[], Batch], beside: OrpcThat) -> None:
        self.count = count
        self.status = status
        self.decode = decode
        self.beside = beside
        self.reports = reported(beside)

    @property
    def last(self) -> bool:
        """Whether no other page will come: the end, or a failure. Timing out is neither (F4)."""
        return self.status not in (0, WBEM_S_TIMEDOUT)


class SmartPages:
    """Pages of IWbemWCOSmartEnum. The classes that came stay known for its whole life ([MS-WMI] 3.1.4.7.1)."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._guid: UUID = uuid4()
        self._decoder = ArrayDecoder()

    def ask(self, count: int, milliseconds: int, deadline: float) -> Call:
        return self._proxy.send(
            wire.SMART_NEXT, wire.SmartNext(self._guid, milliseconds, count), deadline=deadline
        )

    def read(self, stub: bytes) -> Page:
        that, answer = self._proxy.answered(wire.SMART_NEXT, stub)

        def decode() -> Batch:
            found: Batch = [] if answer.packet is None else self._decoder.decode(answer.packet)
            if len(found) != answer.returned:
                raise _contradiction(self._proxy, f"{answer.returned} objects announced, {len(found)} sent")
            return found

        return Page(answer.returned, answer.result, decode, that)


class PlainPages:
    """Pages of IEnumWbemClassObject, where every object brings its class."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._decoder = Decoder()

    def ask(self, count: int, milliseconds: int, deadline: float) -> Call:
        return self._proxy.send(wire.NEXT, wire.Next(milliseconds, count), deadline=deadline)

    def read(self, stub: bytes) -> Page:
        that, answer = self._proxy.answered(wire.NEXT, stub)

        def decode() -> Batch:
            return [self._object(reference) for reference in answer.objects]

        return Page(len(answer.objects), answer.result, decode, that)

    def _object(self, reference: bytes | None) -> Any:
        try:
            return self._decoder.decode(objref.custom(reference, guids.CLSID_WbemClassObject))
        except ProtocolError as reason:
            raise self._proxy.exporter.channel.misbehaved("Next", reason) from reason


def _contradiction(proxy: Proxy, what: str) -> WbemError:
    return proxy.exporter.channel.misbehaved("Next", PeerMisbehaved(what, "[MS-WMI] 3.1.4.7.1"))


async def pages_of(enumerator: Proxy, held: list[Proxy]) -> SmartPages | PlainPages:
    """The best pages that an enumerator has to offer; what is held for them besides it goes into `held`."""
    channel = enumerator.exporter.channel
    try:
        smart = await _smart(enumerator)
        held.append(smart)
        await channel.require(guids.IWbemWCOSmartEnum)
    except WbemError:
        if channel.closed:
            raise
        await channel.require(guids.IEnumWbemClassObject)
        return PlainPages(enumerator)
    return SmartPages(smart)


async def _smart(enumerator: Proxy) -> Proxy:
    fetch = await enumerator.query(guids.IWbemFetchSmartEnum)

    async def ask() -> Proxy:
        try:
            answer = await fetch.call(wire.GET_SMART_ENUM, wire.Nothing())
        finally:
            fetch.drop()
        if failed(answer.result):
            raise error(answer.result)
        return enumerator.exporter.adopt(answer.enumerator, guids.IWbemWCOSmartEnum)

    return await enumerator.exporter.obtain(ask())


class Pull:
    """Feeds a call from an enumerator, as far as its sink wants. Implements calls.running.Source.

    An answer is handled, and the next page asked for, in the very turn of the loop in which it arrives: with small
    pages a task that wakes up for each would cost a third of all the time.

    events: they come one by one and are not kept waiting; progress: whether reports were asked for; explain: gives an
    error its place.
    """

    def __init__(
        self,
        call: RunningCall,
        enumerator: Proxy,
        settings: Settings,
        *,
        events: bool,
        progress: bool,
        explain: Callable[[WbemError], WbemError],
    ) -> None:
        self._call = call
        self._enumerator = enumerator
        self._held: list[Proxy] = [enumerator]
        self._most = settings.page
        self._patience = settings.network.deadlines.call
        self._events = events
        self._progress = progress
        self._explain = explain
        self._loop = asyncio.get_running_loop()
        self._demand = 0
        self._arriving = 0  # objects that have come and are not handed on yet
        self._pages: SmartPages | PlainPages | None = None  # until it is known, and after the end
        self._asked: Call | None = None
        self._rest: asyncio.TimerHandle | None = None
        self._before: Page | None = None
        self._count = 0  # how many objects were asked for last
        self._wait = 0  # and how long the server may take, in milliseconds
        self._since = 0.0
        self._task = self._loop.create_task(self._begin())

    # Source

    def allow(self, demand: int) -> None:
        self._demand = demand - self._arriving
        self._go_on()

    def stop(self) -> None:
        self._task.cancel()
        self._release()

    # Reading

    async def _begin(self) -> None:
        try:
            self._pages = await pages_of(self._enumerator, self._held)
        except WbemError as reason:
            self._fail(reason)
        except asyncio.CancelledError:
            self._release()  # of what has come since `stop`
            raise
        else:
            self._go_on()

    def _go_on(self) -> None:
        """Ask for the next page where somebody wants one and none is under way."""
        if self._pages is None or self._asked is not None or self._rest is not None or self._demand <= 0:
            return
        self._count, self._wait = self._measure(min(self._most, self._demand), self._before)
        self._since = self._loop.time()
        asked = self._pages.ask(self._count, self._wait, self._wait / 1000 + self._patience)
        self._asked = asked
        if asked.done():
            self._loop.call_soon(self._came, asked)  # refused: the channel has ended
        else:
            asked.then = self._came

    def _came(self, asked: Call) -> None:
        """An answer is here, or will never be."""
        pages = self._pages
        if asked is not self._asked or pages is None:
            return
        self._asked = None
        try:
            self._turn(pages.read(asked.result()))
        except WbemError as reason:
            self._fail(reason)

    def _turn(self, page: Page) -> None:
        """Hand a page on. The next one is asked for before this one is decoded: the server works while we do."""
        self._check(page)
        self._before = page
        self._demand -= page.count
        if not page.last:
            if not page.count and self._hasty():
                pause = _SHORTEST if page.reports else self._wait
                self._rest = self._loop.call_later(pause / 1000, self._rested)
            self._go_on()
        if self._asked is None and self._rest is None:
            self._before = None  # whoever asks later begins anew
        if page.reports and self._progress:
            self._arriving = page.count
            tell(self._call, page.reports)
            self._arriving = 0
        batch = page.decode() if page.count else []
        if batch:
            self._demand = 0  # the call says anew what it wants
            self._call.on_batch(batch)
        if page.last:
            self._finish(page)

    def _rested(self) -> None:
        self._rest = None
        self._go_on()

    def _measure(self, count: int, before: Page | None) -> tuple[int, int]:
        """How many objects to ask for, and for how long."""
        found = before is not None and before.count > 0
        if self._events:
            return (count, 0) if found else (1, _EVENT_WAIT)
        if found or before is None:
            return count, _SHORTEST
        return count, min(2 * self._wait, _LONGEST)

    def _hasty(self) -> bool:
        """Whether the server came back with nothing, long before the time was up."""
        return self._loop.time() - self._since < self._wait / 2000

    def _check(self, page: Page) -> None:
        if page.count > self._count:
            raise _contradiction(self._enumerator, f"{page.count} objects where {self._count} were asked for")
        if not page.status and page.count < self._count:
            raise _contradiction(
                self._enumerator, f"a full page of {page.count} objects where {self._count} were asked for"
            )

    def _fail(self, reason: WbemError) -> None:
        self._release()
        self._call.on_outcome(RemoteFailure.of(self._explain(reason)))

    def _finish(self, page: Page) -> None:
        status = page.status
        if failed(status):
            self._fail(as_told(status, explanation(page.beside)))
            return
        self._release()
        self._call.on_outcome(succeeded(0 if status == WBEM_S_FALSE else status, page.reports))

    def _release(self) -> None:
        """Nothing more is wanted."""
        self._pages = None
        asked, self._asked = self._asked, None
        if asked is not None:
            asked.cancel()
        if self._rest is not None:
            self._rest.cancel()
            self._rest = None
        for proxy in self._held:
            proxy.drop()
