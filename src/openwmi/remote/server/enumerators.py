"""Enumerators for remote callers: IEnumWbemClassObject, IWbemFetchSmartEnum and IWbemWCOSmartEnum.

[MS-WMI] 3.1.4.4, 3.1.4.6, 3.1.4.7; wire.md 5.9 and 7.7. All read from one position of one result set.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING, ClassVar, Final

from openwmi.model.errors import WbemError
from openwmi.model.status import WBEM_S_FALSE, WBEM_S_NO_ERROR, WBEM_S_TIMEDOUT
from openwmi.remote.server.eager import eager
from openwmi.remote.server.protected import protected
from openwmi.remote.server.telling import ended, underway
from openwmi.wire.dcom.orpc import NO_THAT
from openwmi.wire.wmi import enumerators as w
from openwmi.wire.wmi import guids
from openwmi.wire.wmi.login import Result
from openwmi.wire.wmi.reports import telling
from openwmi.wire.wmi.types import reference_to
from openwmi.wmio.arrays import ArrayEncoder, joined

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from uuid import UUID

    from openwmi.faces.views import Enumerator
    from openwmi.model.classes import Class
    from openwmi.model.instances import Instance
    from openwmi.remote.inbound import Incoming
    from openwmi.remote.server.server import Server
    from openwmi.remote.server.services import ServicesObject
    from openwmi.wire.dcom.orpc import OrpcThat

    # Answers, or their stubs where something is said beside them.
    _Page = w.NextAnswer | bytes
    _SmartPage = w.SmartNextAnswer | bytes

_GUID: Final = 16
_AT_ONCE: Final = 500


class Position:
    """A view of a result set, which ends with the last of the objects that read from it. listened: whether its client
    hears what is said beside answers."""

    __slots__ = ("__weakref__", "_holders", "_server", "_turn", "listened", "view")

    def __init__(self, server: Server, view: Enumerator, *, listened: bool = False) -> None:
        self._server = server
        self.view = view
        self.listened = listened
        self._holders = 0
        self._turn = asyncio.Lock()  # answers are put together one after the other (F20)
        server.positions.add(self)

    async def page(self, timeout: int, count: int, take: Callable[[list[Instance | Class]], int]) -> int:
        """Give `count` objects to `take`, which tells their size; the status of the answer.

        An answer that is full, but not of all that was asked for, is like one whose time was up: there is more (F3,
        F4). So is one that a failure cut short, and one that has progress to tell; the failure is the next answer (F9).
        """
        limits, loop = self._server.limits, asyncio.get_running_loop()
        until = loop.time() + timeout / 1000
        async with self._turn:
            taken = size = 0
            while True:
                left = timeout if timeout <= 0 else max(0, round((until - loop.time()) * 1000))
                try:
                    status, objects = await self.view.next(left, min(_AT_ONCE, count - taken))
                except WbemError:
                    if taken or self.view.reports:
                        return WBEM_S_TIMEDOUT
                    raise
                if objects:
                    size += take(objects)
                    taken += len(objects)
                if status != WBEM_S_NO_ERROR or taken == count:
                    return status
                if taken >= limits.page or size >= limits.page_size:
                    return WBEM_S_TIMEDOUT
                await asyncio.sleep(0)  # others' calls have their turn

    def beside(self, status: int) -> OrpcThat:
        """What an answer of this status says besides: progress since the last one, at the end how it was."""
        view = self.view
        if not self.listened or (status != WBEM_S_FALSE and not view.reports):
            return NO_THAT
        reports = underway(view.heard())
        outcome = view.outcome
        if status == WBEM_S_FALSE and outcome is not None and (outcome.status or outcome.text):
            reports.append(ended(outcome))
        return telling(reports)

    def hold(self) -> None:
        self._holders += 1

    def let_go(self) -> None:
        self._holders -= 1
        if not self._holders:
            self._server.positions.discard(self)
            self._server.spawn(self.view.release())


class EnumeratorObject:
    """IEnumWbemClassObject, and the way to its smarter form."""

    __slots__ = ("_position", "_server", "services")

    def __init__(self, server: Server, services: ServicesObject, position: Position) -> None:
        self._server = server
        self.services = services
        self._position = position
        position.hold()

    @property
    def listened(self) -> bool:
        return self._position.listened

    def released(self) -> None:
        self._position.let_go()

    def given(self, incoming: Incoming) -> bytes:
        """The reference for the caller; a refusal ends the operation."""
        return self._server.give(self, guids.IEnumWbemClassObject.uuid, incoming)

    async def _reset(self, incoming: Incoming, asked: w.Nothing) -> Result:
        return Result(await self._position.view.reset())

    def _next(self, incoming: Incoming, asked: w.Next) -> _Page | Awaitable[_Page]:
        return eager(self._page(asked))

    async def _page(self, asked: w.Next) -> _Page:
        references: list[bytes] = []

        def take(objects: list[Instance | Class]) -> int:
            added = [reference_to(one) for one in objects]
            references.extend(added)
            return sum(map(len, added))

        status = await self._position.page(asked.timeout, asked.count, take)
        answer = w.NextAnswer(references, status, asked.count)
        beside = self._position.beside(status)
        return answer if beside is NO_THAT else w.NEXT.answer(answer, beside)

    async def _next_async(self, incoming: Incoming, asked: w.NextAsync) -> Result:
        callbacks = self._server.callbacks
        view = self._position.view
        return Result(
            await callbacks.start_next(view, self.services.services, asked.sink, incoming, asked.count)
        )

    async def _clone(self, incoming: Incoming, asked: w.Nothing) -> w.EnumeratorAnswer:
        view = await self._position.view.clone()
        position = Position(self._server, view, listened=self._position.listened)
        twin = EnumeratorObject(self._server, self.services, position)
        return w.EnumeratorAnswer(twin.given(incoming))

    async def _skip(self, incoming: Incoming, asked: w.Next) -> Result:
        return Result(await self._position.view.skip(asked.timeout, asked.count))

    def _smart(self, incoming: Incoming, asked: w.Nothing) -> w.EnumeratorAnswer:
        made = SmartEnumerator(self._server, self.services, self._position)
        return w.EnumeratorAnswer(self._server.give(made, guids.IWbemWCOSmartEnum.uuid, incoming))

    interfaces: ClassVar = {
        guids.IEnumWbemClassObject.uuid: protected(
            (w.RESET, _reset),
            (w.NEXT, _next),
            (w.NEXT_ASYNC, _next_async),
            (w.CLONE, _clone),
            (w.SKIP, _skip),
        ),
        guids.IWbemFetchSmartEnum.uuid: protected((w.GET_SMART_ENUM, _smart)),
    }


class SmartEnumerator:
    """IWbemWCOSmartEnum: packets in which a class travels once for each of the client's proxies."""

    __slots__ = ("_encoders", "_position", "_server", "services")

    def __init__(self, server: Server, services: ServicesObject, position: Position) -> None:
        self._server = server
        self.services = services
        self._position = position
        self._encoders: OrderedDict[UUID, ArrayEncoder] = OrderedDict()
        position.hold()

    @property
    def listened(self) -> bool:
        return self._position.listened

    def released(self) -> None:
        self._position.let_go()

    def _next(self, incoming: Incoming, asked: w.SmartNext) -> _SmartPage | Awaitable[_SmartPage]:
        return eager(self._page(asked))

    async def _page(self, asked: w.SmartNext) -> _SmartPage:
        packets: list[bytes] = []
        returned = 0

        def take(objects: list[Instance | Class]) -> int:
            nonlocal returned
            returned += len(objects)
            packets.append(self._encoder(asked.proxy).encode(objects))
            return len(packets[-1])

        status = await self._position.page(asked.timeout, asked.count, take)
        answer = w.SmartNextAnswer(returned, joined(packets) if packets else None, status)
        beside = self._position.beside(status)
        return answer if beside is NO_THAT else w.SMART_NEXT.answer(answer, beside)

    def _encoder(self, proxy: UUID) -> ArrayEncoder:
        """What this proxy knows already. One that was forgotten over others gets its classes again: no harm done."""
        found = self._encoders.get(proxy)
        if found is None:
            random = self._server.random
            found = self._encoders[proxy] = ArrayEncoder(lambda: random(_GUID))
            if len(self._encoders) > self._server.limits.proxies:
                self._encoders.popitem(last=False)
        self._encoders.move_to_end(proxy)
        return found

    interfaces: ClassVar = {guids.IWbemWCOSmartEnum.uuid: protected((w.SMART_NEXT, _next))}


ENUMERATORS: Final = (*EnumeratorObject.interfaces, *SmartEnumerator.interfaces)
