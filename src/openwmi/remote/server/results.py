"""IWbemCallResult for remote callers ([MS-WMI] 3.1.4.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from openwmi.model.status import WBEM_S_NO_ERROR
from openwmi.remote.server.protected import protected
from openwmi.remote.server.telling import beside
from openwmi.wire.dcom.orpc import NO_THAT
from openwmi.wire.wmi import guids
from openwmi.wire.wmi import results as w
from openwmi.wire.wmi.types import reference_to

if TYPE_CHECKING:
    from openwmi.faces.views import CallResult
    from openwmi.remote.inbound import Incoming
    from openwmi.remote.server.server import Server
    from openwmi.remote.server.services import ServicesObject


class CallResultObject:
    """The outcome of one operation, now or later. listened: whether its client hears what is said beside answers."""

    __slots__ = ("_server", "_view", "listened", "services")

    def __init__(
        self, server: Server, services: ServicesObject, view: CallResult, *, listened: bool = False
    ) -> None:
        self._server = server
        self.services = services
        self.listened = listened
        self._view = view

    def released(self) -> None:
        """The operation goes on (F35)."""

    def given(self, incoming: Incoming) -> bytes:
        """The reference for the caller."""
        return self._server.give(self, guids.IWbemCallResult.uuid, incoming)

    async def _object(self, incoming: Incoming, asked: w.Timeout) -> w.ResultObject:
        status, found = await self._view.object(asked.timeout)
        return w.ResultObject(None if found is None else reference_to(found), status)

    async def _string(self, incoming: Incoming, asked: w.Timeout) -> w.ResultString:
        status, text = await self._view.string(asked.timeout)
        return w.ResultString(text, status)

    async def _opened(self, incoming: Incoming, asked: w.Timeout) -> w.ResultObject:
        status, services = await self._view.services(asked.timeout)
        return w.ResultObject(None if services is None else self.services.given(services, incoming), status)

    async def _status(self, incoming: Incoming, asked: w.Timeout) -> w.CallStatus | bytes:
        """Who listens hears here how far it is, and how it ended."""
        status, final = await self._view.call_status(asked.timeout)
        answer = w.CallStatus(final or 0, status)
        that = beside(self._view, over=status == WBEM_S_NO_ERROR) if self.listened else NO_THAT
        return answer if that is NO_THAT else w.GET_CALL_STATUS.answer(answer, that)

    interfaces: ClassVar = {
        guids.IWbemCallResult.uuid: protected(
            (w.GET_RESULT_OBJECT, _object),
            (w.GET_RESULT_STRING, _string),
            (w.GET_RESULT_SERVICES, _opened),
            (w.GET_CALL_STATUS, _status),
        )
    }


RESULTS: Final = tuple(CallResultObject.interfaces)
