"""Tables of methods that are answered only at the level that the namespace behind them asks for (calls.md A12)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from openwmi.remote.inbound import Incoming, interface

if TYPE_CHECKING:
    from openwmi.remote.inbound import Interface
    from openwmi.remote.inbound.incoming import Handler
    from openwmi.remote.server.services import ServicesObject
    from openwmi.wire.dcom.method import ObjectMethod


class OfServices(Protocol):
    """An object that a log-on has given."""

    @property
    def services(self) -> ServicesObject: ...


def protected(*methods: tuple[ObjectMethod[Any, Any], Handler]) -> Interface:
    """The table of one interface; a namespace that requires encryption requires it of what comes out of it, too."""
    return interface(*((method, _checked(function)) for method, function in methods))


def _checked(function: Handler) -> Handler:
    def serve(target: OfServices, incoming: Incoming, asked: Any) -> Any:
        target.services.checked(incoming)
        return function(target, incoming, asked)

    return serve
