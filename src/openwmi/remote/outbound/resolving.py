"""From a reference to its object: resolvers asked, bindings chosen, levels tried ([MS-DCOM] 3.2.4.1.2; wire.md 6.1).

A reference comes from a peer and may name any address. Whoever follows one says which addresses are allowed; no
packet goes to another, and a name is looked up once and then replaced by the address that was allowed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

from openwmi.model.errors import WbemError
from openwmi.model.status import (
    E_ACCESSDENIED,
    RPC_E_DISCONNECTED,
    RPC_S_SERVER_UNAVAILABLE,
    RPC_S_UNKNOWN_AUTHN_SERVICE,
    SEC_E_LOGON_DENIED,
)
from openwmi.remote.outbound import failures
from openwmi.remote.outbound.channel import Channel
from openwmi.remote.outbound.dialling import NoSuchName, look_up
from openwmi.remote.outbound.network import NETWORK, Network, Security
from openwmi.remote.outbound.pinging import Pinger
from openwmi.remote.outbound.references import Proxy, RemoteExporter
from openwmi.remote.places import RESOLVER_PORT, Address, is_literal
from openwmi.wire.dcom import objref
from openwmi.wire.dcom.bindings import TOWER_TCP, DualStringArray
from openwmi.wire.dcom.exporter import (
    OR_INVALID_OID,
    OR_INVALID_OXID,
    RESOLVE_OXID2,
    SERVER_ALIVE2,
    Nothing,
    ResolveOxid,
    ResolveOxid2Answer,
    ServerAlive2Answer,
)
from openwmi.wire.dcom.guids import IObjectExporter, IRemUnknown

if TYPE_CHECKING:
    from openwmi.wire.rpc.syntax import SyntaxId

S = TypeVar("S")
T = TypeVar("T")
Allowed: TypeAlias = Callable[[str], bool]
# Another level, or another kind of authentication, may do where these are the answer.
_STEP_DOWN: Final = frozenset({E_ACCESSDENIED, SEC_E_LOGON_DENIED, RPC_S_UNKNOWN_AUTHN_SERVICE})
# Names that one set of bindings may have looked up, and addresses that it may have tried.
_MOST_NAMES: Final = 4
_MOST_ADDRESSES: Final = 16


def addresses_of(bindings: DualStringArray | None, default_port: int | None = RESOLVER_PORT) -> list[Address]:
    """Where TCP bindings lead, in their order: `host[port]`, or `host` at the default port (wire.md 6.2)."""
    found: dict[Address, None] = {}
    for binding in bindings.strings if bindings else ():
        port = default_port if binding.port is None and binding.host == binding.address else binding.port
        if binding.tower == TOWER_TCP and binding.host and port:
            found[Address(binding.host, port)] = None
    return list(found)[:_MOST_ADDRESSES]


async def permitted(addresses: Sequence[Address], allowed: Allowed) -> list[Address]:
    """Those that are allowed. Names are looked up only where no address is allowed as it stands."""
    literal = [address for address in addresses if is_literal(address.host) and allowed(address.host)]
    if literal:
        return literal
    found: dict[Address, None] = {}
    for name, port in [address for address in addresses if not is_literal(address.host)][:_MOST_NAMES]:
        try:
            hosts = await look_up(name)
        except NoSuchName:
            continue
        found.update((Address(host, port), None) for host in hosts if allowed(host))
    return list(found)


async def server_alive2(resolver: Address, *, network: Network = NETWORK) -> ServerAlive2Answer:
    """Ask a resolver, without authentication, whether it is there, and for its bindings."""
    channel = await Channel.open(resolver, IObjectExporter, network=network)
    try:
        return await channel.call(IObjectExporter, SERVER_ALIVE2, Nothing())
    finally:
        await channel.close()


async def resolve_oxid(
    resolver: Address,
    oxid: int,
    securities: Sequence[Security | None],
    *,
    network: Network = NETWORK,
) -> ResolveOxid2Answer:
    """Ask a resolver where an exporter is, at the first level that it takes."""

    async def ask(security: Security | None) -> ResolveOxid2Answer:
        target = f"RPCSS/{resolver.host}"
        channel = await Channel.open(resolver, IObjectExporter, security, target=target, network=network)
        try:
            return await channel.call(IObjectExporter, RESOLVE_OXID2, ResolveOxid(oxid, (TOWER_TCP,)))
        finally:
            await channel.close()

    answer = await first_taken(securities, ask)
    if answer.status:
        gone = answer.status in (OR_INVALID_OXID, OR_INVALID_OID)
        code = RPC_E_DISCONNECTED if gone else 0x80070000 | answer.status & 0xFFFF
        message = f"{resolver.host} does not know the object's exporter (status {answer.status})"
        raise failures.failure(code, message, resolver, "ResolveOxid2")
    return answer


async def first_taken(
    securities: Sequence[S], attempt: Callable[[S], Awaitable[T]], *, refusals: frozenset[int] = _STEP_DOWN
) -> T:
    """What the first way to log on brings that the peer takes; the last refusal where it takes none.

    refusals: codes after which the next way is tried.
    """
    refusal: WbemError | None = None
    for security in securities:
        try:
            return await attempt(security)
        except WbemError as reason:
            if reason.code not in refusals:
                raise
            refusal = reason
    raise refusal or ValueError("no way to log on")


async def reach(
    reference: bytes | objref.Standard | None,
    interface: SyntaxId,
    securities: Sequence[Security | None],
    *,
    allowed: Allowed,
    network: Network = NETWORK,
) -> Proxy:
    """The whole way from a reference to a proxy whose object is there and lets us call it (wire.md 6.1, 6.4).

    securities: tried in order, at the resolver and at the exporter; None means without authentication. allowed: asked
    for every address before anything is sent there.
    """
    found = objref.standard(reference) if isinstance(reference, bytes | None) else reference
    resolver = await _resolver(found.bindings, allowed, network=network)
    answer = await resolve_oxid(resolver, found.std.oxid, securities, network=network)
    places = await _allowed(addresses_of(answer.bindings, None), allowed, "ResolveOxid2")
    last: WbemError | None = None
    for place in places:

        async def attempt(security: Security | None, place: Address = place) -> Proxy:
            channel = await Channel.open(
                place,
                (interface, IRemUnknown),
                security,
                target=f"host/{place.host}",
                network=network,
            )
            pinger = Pinger(resolver, security, network=network)
            exporter = RemoteExporter(channel, found.std.oxid, answer.rem_unknown, pinger)
            try:
                proxy = exporter.adopt(found, interface)
                # Binding says little: only a call shows whether this level will do.
                await exporter.add_reference(proxy)
            except BaseException:
                pinger.close()
                channel.abort()
                raise
            return proxy

        try:
            return await first_taken(securities, attempt)
        except WbemError as reason:
            last = reason
            if reason.code != RPC_S_SERVER_UNAVAILABLE:
                raise
    assert last is not None  # there is a place at least
    raise last


async def _resolver(bindings: DualStringArray, allowed: Allowed, *, network: Network) -> Address:
    """The first allowed address at which a resolver answers."""
    last: WbemError | None = None
    for place in await _allowed(addresses_of(bindings), allowed, "resolve"):
        try:
            await server_alive2(place, network=network)
        except WbemError as reason:
            last = reason
        else:
            return place
    assert last is not None  # there is a place at least
    raise last


async def _allowed(places: Sequence[Address], allowed: Allowed, phase: str) -> list[Address]:
    found = await permitted(places, allowed)
    if not found:
        where = ", ".join(f"{host}[{port}]" for host, port in places) or "no address at all"
        message = f"the object is at {where}, which is not allowed"
        raise failures.failure(E_ACCESSDENIED, message, places[0] if places else None, phase)
    return found
