"""The sink that QueryObjectSink gives to remote callers: they raise extrinsic events with it (calls.md B98 to B100)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_INVALID_PARAMETER
from openwmi.remote.server.protected import protected
from openwmi.wire.wmi import guids
from openwmi.wire.wmi import results as w
from openwmi.wire.wmi.login import Result
from openwmi.wire.wmi.types import object_in

if TYPE_CHECKING:
    from openwmi.remote.inbound import Incoming
    from openwmi.remote.server.server import Server
    from openwmi.remote.server.services import ServicesObject


class EventSinkObject:
    """Takes events of one namespace from one caller."""

    __slots__ = ("_server", "_sink", "services")

    def __init__(self, server: Server, services: ServicesObject, sink: Any) -> None:
        self._server = server
        self.services = services
        self._sink = sink

    def released(self) -> None:
        """Nothing is held back: batching is for providers in this machine."""

    def given(self, incoming: Incoming) -> bytes:
        """The reference for the caller."""
        return self._server.give(self, guids.IWbemObjectSink.uuid, incoming)

    async def _indicate(self, incoming: Incoming, asked: w.Indicate) -> Result:
        if not asked.objects or None in asked.objects:
            raise error(WBEM_E_INVALID_PARAMETER, "Indicate: an object is NULL", parameter="apObjArray")
        answer = self._sink.on_objects([object_in(one) for one in asked.objects])
        return Result(int(await answer if hasattr(answer, "__await__") else answer or 0))

    def _set_status(self, incoming: Incoming, asked: w.SetStatus) -> Result:
        """Event sinks need none, and nobody hears it (C27)."""
        return Result(0)

    interfaces: ClassVar = {
        guids.IWbemObjectSink.uuid: protected((w.INDICATE, _indicate), (w.SET_STATUS, _set_status))
    }


EVENT_SINKS: Final = tuple(EventSinkObject.interfaces)
