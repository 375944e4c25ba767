"""Enumerators for remote callers: IEnumWbemClassObject, IWbemFetchSmartEnum and IWbemWCOSmartEnum.

[MS-WMI] 3.1.4.4, 3.1.4.6, 3.1.4.7; wire.md 5.9 and 7.7. All read from one position of one result set.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, ClassVar, Final

from openwmi.model.status import WBEM_S_NO_ERROR
from openwmi.remote.server.eager import eager
from openwmi.remote.server.positions import Position
from openwmi.remote.server.protected import protected
from openwmi.wire.dcom.orpc import NO_THAT
from openwmi.wire.wmi import enumerators as w
from openwmi.wire.wmi import guids
from openwmi.wire.wmi.login import Result
from openwmi.wire.wmi.types import reference_to
from openwmi.wmio.arrays import ArrayEncoder, joined

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from uuid import UUID

    from openwmi.model.classes import Class
    from openwmi.model.instances import Instance
    from openwmi.remote.inbound import Incoming
    from openwmi.remote.server.server import Server
    from openwmi.remote.server.services import ServicesObject

    # Answers, or their stubs where something is said beside them.
    _Page = w.NextAnswer | bytes
    _SmartPage = w.SmartNextAnswer | bytes

_GUID: Final = 16


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
        return self._position.ready(self, asked) or eager(self._page(asked))

    def foreseen(self, asked: w.Next, objects: list[Instance | Class]) -> bytes:
        """Every object brings its class along, whatever went before."""
        references = [reference_to(one) for one in objects]
        return w.NEXT.answer(w.NextAnswer(references, WBEM_S_NO_ERROR, asked.count))

    async def _page(self, asked: w.Next) -> _Page:
        references: list[bytes] = []

        def take(objects: list[Instance | Class]) -> int:
            added = [reference_to(one) for one in objects]
            references.extend(added)
            return sum(map(len, added))

        status = await self._position.page(self, asked, take)
        answer = w.NextAnswer(references, status, asked.count)
        that = self._position.beside(status)
        return answer if that is NO_THAT else w.NEXT.answer(answer, that)

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
        return self._position.ready(self, asked) or eager(self._page(asked))

    def foreseen(self, asked: w.SmartNext, objects: list[Instance | Class]) -> bytes | None:
        """Only where the proxy has every class: one that goes along counts as sent."""
        encoder = self._encoders.get(asked.proxy)
        if encoder is None or not encoder.has_sent(objects):
            return None
        return w.SMART_NEXT.answer(w.SmartNextAnswer(len(objects), encoder.encode(objects), WBEM_S_NO_ERROR))

    async def _page(self, asked: w.SmartNext) -> _SmartPage:
        packets: list[bytes] = []
        returned = 0

        def take(objects: list[Instance | Class]) -> int:
            nonlocal returned
            returned += len(objects)
            packets.append(self._encoder(asked.proxy).encode(objects))
            return len(packets[-1])

        status = await self._position.page(self, asked, take)
        answer = w.SmartNextAnswer(returned, joined(packets) if packets else None, status)
        that = self._position.beside(status)
        return answer if that is NO_THAT else w.SMART_NEXT.answer(answer, that)

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
