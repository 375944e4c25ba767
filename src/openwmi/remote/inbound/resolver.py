"""IObjectExporter, the resolver, of an exporter that is its own ([MS-DCOM] 3.1.2.5.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from openwmi.wire.dcom import exporter as x
from openwmi.wire.dcom.guids import GUID_NULL

if TYPE_CHECKING:
    from openwmi.remote.inbound.exporter import Exporter
    from openwmi.remote.inbound.incoming import Incoming


def _resolve(exporter: Exporter, incoming: Incoming, asked: x.ResolveOxid) -> x.ResolveOxidAnswer:
    if asked.oxid != exporter.oxid:
        return x.ResolveOxidAnswer(None, GUID_NULL, 0, status=x.OR_INVALID_OXID)
    bindings = exporter.addresses.exporter(incoming.association.local)
    return x.ResolveOxidAnswer(bindings, exporter.rem_unknown, exporter.authn_hint)


def _resolve2(exporter: Exporter, incoming: Incoming, asked: x.ResolveOxid) -> x.ResolveOxid2Answer:
    if asked.oxid != exporter.oxid:
        return x.ResolveOxid2Answer(None, GUID_NULL, 0, status=x.OR_INVALID_OXID)
    bindings = exporter.addresses.exporter(incoming.association.local)
    return x.ResolveOxid2Answer(bindings, exporter.rem_unknown, exporter.authn_hint)


def _simple_ping(exporter: Exporter, incoming: Incoming, asked: x.SimplePing) -> x.Status:
    return x.Status(exporter.objects.pings.simple(asked.set_id, exporter.clock()))


def _complex_ping(exporter: Exporter, incoming: Incoming, asked: x.ComplexPing) -> x.ComplexPingAnswer:
    added, deleted = tuple(asked.added or ()), tuple(asked.deleted or ())
    user = exporter.principal(incoming.identity)
    set_id, status = exporter.objects.changed(
        asked.set_id, asked.sequence, added, deleted, exporter.clock(), user=user
    )
    return x.ComplexPingAnswer(set_id, status=status)


def _alive(exporter: Exporter, incoming: Incoming, asked: x.Nothing) -> x.Status:
    return x.Status()


def _alive2(exporter: Exporter, incoming: Incoming, asked: x.Nothing) -> x.ServerAlive2Answer:
    return x.ServerAlive2Answer(exporter.addresses.resolver(incoming.association.local))


RESOLVER: Final = {
    method.opnum: (method, handler)
    for method, handler in (
        (x.RESOLVE_OXID, _resolve),
        (x.SIMPLE_PING, _simple_ping),
        (x.COMPLEX_PING, _complex_ping),
        (x.SERVER_ALIVE, _alive),
        (x.RESOLVE_OXID2, _resolve2),
        (x.SERVER_ALIVE2, _alive2),
    )
}
# What works for everybody: signs of life ([MS-DCOM] 3.1.2.5.1.4, .6), and the ping that proves nothing but a number.
UNCHECKED: Final = frozenset({x.SERVER_ALIVE.opnum, x.SERVER_ALIVE2.opnum, x.SIMPLE_PING.opnum})
# Where pings alone keep objects alive, they are heard from servers, too, that cannot log on here: a ping takes nothing.
UNCHECKED_PINGS: Final = UNCHECKED | {x.COMPLEX_PING.opnum}
