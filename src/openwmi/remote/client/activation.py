"""The first step on another machine: activate WMI's log-on object, which also says where it is ([MS-DCOM] 3.2.4.1.1).

RemoteCreateInstance at integrity at least: hardened servers take nothing less (wire.md 4.6).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from openwmi.model.status import E_NOINTERFACE, failed
from openwmi.remote.outbound import failures
from openwmi.remote.outbound.resolving import addresses_of
from openwmi.wire.dcom import activation as wire
from openwmi.wire.dcom.guids import IRemoteSCMActivator
from openwmi.wire.dcom.properties import (
    ActivationContextInfo,
    InstantiationInfo,
    LocationInfo,
    PropsOutInfo,
    ScmReplyInfo,
    ScmRequest,
    ScmRequestInfo,
)
from openwmi.wire.errors import PeerMisbehaved, ProtocolError
from openwmi.wire.wmi.guids import CLSID_WbemLevel1Login, IWbemLevel1Login, IWbemLoginClientID

if TYPE_CHECKING:
    from uuid import UUID

    from openwmi.remote.outbound.channel import Channel

# Both in one request: asking the object for the second would be one more round trip.
_WANTED: Final = (IWbemLevel1Login.uuid, IWbemLoginClientID.uuid)
_LOCAL_SERVER: Final = 0x14  # CLSCTX_LOCAL_SERVER | CLSCTX_REMOTE_SERVER


class Activated(NamedTuple):
    """The log-on object. ports: of its exporter, in the server's order; reference, client: OBJREFs of its interfaces,
    the second where it has one."""

    oxid: int
    rem_unknown: UUID
    ports: tuple[int, ...]
    authn_hint: int
    reference: bytes
    client: bytes | None = None


async def activate(channel: Channel) -> Activated:
    """Create the object over a channel to the activator."""
    properties = wire.activation_in(
        [
            InstantiationInfo(CLSID_WbemLevel1Login, _WANTED, _LOCAL_SERVER),
            ActivationContextInfo(),
            LocationInfo(),
            ScmRequestInfo(ScmRequest()),
        ]
    )
    method = wire.REMOTE_CREATE_INSTANCE
    answer = await channel.invoke(IRemoteSCMActivator, None, method, wire.CreateInstance(properties))
    if failed(answer.result):
        raise failures.failure(answer.result, "WMI cannot be activated", channel.peer, "activation")
    try:
        return _read(channel, answer.properties)
    except ProtocolError as reason:
        raise channel.misbehaved("activation", reason) from reason


def _read(channel: Channel, properties: bytes | None) -> Activated:
    found = wire.properties_out(properties)
    out, reply = wire.find(found, PropsOutInfo), wire.find(found, ScmReplyInfo).reply
    results, interfaces = out.results or (), out.interfaces or ()
    if not results or not interfaces or reply is None:
        raise PeerMisbehaved("an activation without its object", "[MS-DCOM] 2.2.22.2.9")
    if failed(results[0]) or interfaces[0] is None:
        code = results[0] if failed(results[0]) else E_NOINTERFACE
        raise failures.failure(code, "WMI's log-on object is refused", channel.peer, "activation")
    ports = tuple(dict.fromkeys(port for _, port in addresses_of(reply.bindings, None)))
    if not ports:
        raise PeerMisbehaved("an object without a TCP address", "[MS-DCOM] 2.2.22.2.8")
    second = interfaces[1] if len(interfaces) > 1 else None
    return Activated(reply.oxid, reply.rem_unknown, ports, reply.authn_hint, interfaces[0], second)
