"""The exporter: hands out references to objects and brings calls to them ([MS-DCOM] 3.1.1).

Calls go by the IPID in the request, whatever presentation context they come in (wire.md 8, trap 1), and every IPID
works only for the user who received it.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_ACCESS_DENIED
from openwmi.remote.inbound.addresses import Part
from openwmi.remote.inbound.answering import Explain, answered, answered_plainly, unexplained
from openwmi.remote.inbound.incoming import Exported, Fault, Handler, Incoming, Interface
from openwmi.remote.inbound.limits import ExporterLimits
from openwmi.remote.inbound.objects import Objects, Pointer
from openwmi.remote.inbound.remunknown import REM_UNKNOWN
from openwmi.remote.inbound.resolver import RESOLVER, UNCHECKED, UNCHECKED_PINGS
from openwmi.wire.dcom import guids
from openwmi.wire.dcom.objref import Standard, StdObjRef
from openwmi.wire.errors import (
    ACCESS_DENIED,
    OPNUM_OUT_OF_RANGE,
    RPC_E_DISCONNECTED,
    UNKNOWN_INTERFACE,
)
from openwmi.wire.rpc import AuthLevel, SyntaxId

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping

    from openwmi.remote.inbound.addresses import Addresses
    from openwmi.remote.inbound.association import Association
    from openwmi.remote.places import Address
    from openwmi.wire.dcom.method import ObjectMethod
    from openwmi.wire.rpc.events import RequestReceived

# For references that whoever has them may use: a sink judges its callers itself.
ANYONE: Final = object()
_REM_UNKNOWN: Final = frozenset({guids.IRemUnknown, guids.IRemUnknown2})


def _itself(identity: Any) -> Hashable:
    return identity  # type: ignore[no-any-return]


class Exporter:
    """The objects of one process, behind one OXID.

    interfaces: what a client may bind to besides what every exporter has; activators: interfaces without an object,
    with what their methods get as target. level: the floor for calls; principal: what two log-ons of one user have in
    common; explain: what an answer says beside the HRESULT of a failure; random, clock: as os.urandom, time.monotonic;
    connected: whether who never pings keeps objects by a connection.
    """

    def __init__(
        self,
        interfaces: Iterable[UUID],
        addresses: Addresses,
        *,
        activators: Mapping[UUID, tuple[Interface, Any]] | None = None,
        level: int = AuthLevel.INTEGRITY,
        authn_hint: int = AuthLevel.INTEGRITY,
        principal: Callable[[Any], Hashable] = _itself,
        explain: Explain = unexplained,
        random: Callable[[int], bytes] = os.urandom,
        clock: Callable[[], float] = time.monotonic,
        connected: bool = True,
        limits: ExporterLimits | None = None,
    ) -> None:
        self.oxid = int.from_bytes(random(8), "little")
        self.rem_unknown = UUID(bytes_le=random(16))
        self.addresses = addresses
        self.level = level
        # The level that clients are asked for. Higher than INTEGRITY is more than some can do (wire.md 8, trap 5).
        self.authn_hint = authn_hint
        self.principal = principal
        self.explain = explain
        self.clock = clock
        self.objects = Objects(random, limits or ExporterLimits(), connected=connected)
        self._oid = int.from_bytes(random(8), "little")
        self._activators = dict(activators or {})
        self._of_resolver = {guids.IObjectExporter, *map(SyntaxId, self._activators)}
        self._of_objects = {*_REM_UNKNOWN, *map(SyntaxId, interfaces)}

    def __len__(self) -> int:
        return len(self.objects)

    # References

    def export(
        self, exported: Exported, iid: UUID, *, user: Hashable, local: Address, refs: int = 1, flags: int = 0
    ) -> bytes:
        """An OBJREF to an interface of an object, for a reader who reaches us at `local`. See `Objects.marshalled`.

        One reference by default: some clients release one whatever they got, and the object should go then.
        """
        now = self.clock()
        pointer = self.objects.marshalled(exported, iid, user, references=refs, flags=flags, now=now)
        return Standard(iid, self.std(pointer, refs), self.addresses.resolver(local)).encode()

    def answer(self, exported: Exported, iid: UUID, incoming: Incoming) -> bytes:
        """The same for the caller of a method, over whose connection it is used."""
        user = self.principal(incoming.identity)
        reference = self.export(exported, iid, user=user, local=incoming.association.local)
        if not incoming.association.gone.is_set():
            # Else it was given to nobody, and goes when its time is up.
            self.objects.use_of(exported, incoming.association)
        return reference

    def std(self, pointer: Pointer, refs: int) -> StdObjRef:
        entry = pointer.entry
        return StdObjRef(entry.flags, refs, self.oxid, entry.oid, pointer.ipid)

    def std_of_rem_unknown(self, refs: int) -> StdObjRef:
        return StdObjRef(0, refs, self.oxid, self._oid, self.rem_unknown)

    def withdraw(self, exported: Exported) -> None:
        """Forget an object; calls to it are answered with RPC_E_DISCONNECTED from now on."""
        self.objects.withdraw(exported)

    # For the listener

    def serves(self, interface: SyntaxId, local: Address) -> bool:
        part = self.addresses.part(local)
        if interface in self._of_resolver:
            return part is not Part.OBJECTS
        return interface in self._of_objects and part is not Part.RESOLVER

    def awaited(self, association: Association) -> bool:
        return self.objects.pinged_over(association)

    def lost(self, association: Association) -> None:
        self.objects.lost(association, self.clock())

    def sweep(self, now: float) -> None:
        self.objects.expire(now)

    def called(self, association: Association, request: RequestReceived) -> bytes | Awaitable[bytes]:
        target = request.object
        pointer = self.objects.find(target) if target is not None else None
        incoming = Incoming(request.identity, request.level, association)
        if pointer is not None:
            if request.level < self.level:
                raise Fault(ACCESS_DENIED)
            return self._invoke(incoming, request, pointer)
        if request.interface == guids.IObjectExporter:
            return self._resolve(incoming, request)
        if request.level < self.level:
            raise Fault(ACCESS_DENIED)
        if request.interface.uuid in self._activators and (target is None or not target.int):
            interface, activator = self._activators[request.interface.uuid]
            return answered(*_method(interface, request.opnum), activator, incoming, request.stub)
        if target is None:
            raise Fault(UNKNOWN_INTERFACE)
        if target == self.rem_unknown:
            return answered(*_method(REM_UNKNOWN, request.opnum), self, incoming, request.stub)
        raise Fault(RPC_E_DISCONNECTED)

    def _resolve(self, incoming: Incoming, request: RequestReceived) -> bytes:
        unchecked = UNCHECKED if self.objects.connected else UNCHECKED_PINGS
        if request.level < self.level and request.opnum not in unchecked:
            raise Fault(ACCESS_DENIED)
        found = RESOLVER.get(request.opnum)
        if found is None:
            raise Fault(OPNUM_OUT_OF_RANGE)
        method, handler = found
        return answered_plainly(method, handler, self, incoming, request.stub)

    def _invoke(
        self, incoming: Incoming, request: RequestReceived, pointer: Pointer
    ) -> bytes | Awaitable[bytes]:
        method, handler = _method(pointer.interface, request.opnum)
        if not self.admits(pointer, incoming):
            return answered(method, _denied, None, incoming, request.stub, self.explain)
        entry = pointer.entry
        self.objects.used(entry, incoming.association)
        answer = answered(method, handler, entry.object, incoming, request.stub, self.explain)
        if isinstance(answer, bytes):
            return answer
        return self._counted(pointer, answer)

    async def _counted(self, pointer: Pointer, answer: Awaitable[bytes]) -> bytes:
        pointer.entry.calls += 1
        try:
            return await answer
        finally:
            pointer.entry.calls -= 1

    def admits(self, pointer: Pointer, incoming: Incoming) -> bool:
        """Whether the caller is the user that the reference was given to."""
        return pointer.user is ANYONE or bool(pointer.user == self.principal(incoming.identity))


def _method(interface: Interface, opnum: int) -> tuple[ObjectMethod[Any, Any], Handler]:
    found = interface.get(opnum)
    if found is None:
        raise Fault(OPNUM_OUT_OF_RANGE)
    return found


def _denied(target: None, incoming: Incoming, inputs: Any) -> None:
    raise error(WBEM_E_ACCESS_DENIED, "this object was given to another user")
