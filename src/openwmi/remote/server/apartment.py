"""The unsecured apartment, as a caller from another machine finds it: it makes stubs for its own machine alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from openwmi.model.status import E_UNEXPECTED
from openwmi.remote.inbound import Incoming, interface
from openwmi.wire.wmi import apartment as w
from openwmi.wire.wmi import guids

if TYPE_CHECKING:
    from openwmi.remote.server.server import Server
    from openwmi.wire.wmi.login import Unread


class Apartment:
    """Refuses whatever it is asked for (calls.md E5); programs have one of their own, `openwmi.com`'s."""

    def __init__(self, server: Server) -> None:
        pass

    def released(self) -> None:
        """Nothing hangs on it."""

    def _refuse(self, incoming: Incoming, asked: Unread) -> w.Stub:
        return w.Stub(None, E_UNEXPECTED)

    interfaces: ClassVar = {
        guids.IUnsecuredApartment.uuid: interface((w.CREATE_OBJECT_STUB, _refuse)),
        guids.IWbemUnsecuredApartment.uuid: interface(
            (w.CREATE_OBJECT_STUB, _refuse), (w.CREATE_SINK_STUB, _refuse)
        ),
    }
