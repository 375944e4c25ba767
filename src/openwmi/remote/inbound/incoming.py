"""A call that came in, and what an object shows to be called: tables of methods by interface."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

from openwmi.wire.errors import ACCESS_DENIED

if TYPE_CHECKING:
    from uuid import UUID

    from openwmi.remote.inbound.association import Association
    from openwmi.wire.dcom.method import ObjectMethod
    from openwmi.wire.dcom.orpc import OrpcThis


class Fault(Exception):
    """Ends a call with a fault PDU, which says that nothing ran. Failures of methods are HRESULTs in answers instead:
    raise a WbemError for those (wire.md 2.4)."""

    def __init__(self, status: int = ACCESS_DENIED) -> None:
        super().__init__(f"fault 0x{status:08X}")
        self.status = status


class Incoming(NamedTuple):
    """What a method learns about its call besides the parameters.

    identity: who calls, as the security context found out, None without authentication; level: how the call was
    protected (wire.rpc.AuthLevel).
    """

    identity: Any
    level: int
    association: Association
    this: OrpcThis | None = None


# (the object, the call, [in] parameters) -> [out] parameters, an awaitable of them, or the stub of the answer itself.
Handler: TypeAlias = Callable[[Any, Incoming, Any], Any]
Interface: TypeAlias = Mapping[int, "tuple[ObjectMethod[Any, Any], Handler]"]


class Exported(Protocol):
    """An object that can be exported."""

    @property
    def interfaces(self) -> Mapping[UUID, Interface]:
        """By IID, the methods by number; one table for all objects of a kind."""
        ...

    def released(self) -> None:
        """The last reference is gone, nobody has pinged, or the object was withdrawn: called exactly once."""


def interface(
    *methods: tuple[ObjectMethod[Any, Any], Handler],
) -> Interface:
    """The table of one interface, from methods and the functions that serve them."""
    return {method.opnum: (method, function) for method, function in methods}
