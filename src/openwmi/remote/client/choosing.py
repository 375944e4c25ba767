"""How a program's sinks hear of their objects: pushed by the server into an exported sink, or polled for.

Pushing is what the page describes; it needs a way back from the server to this process. Polling needs none, and is what
`delivery="auto"` falls back to. The choice says why it was made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from openwmi.model.errors import error
from openwmi.model.status import (
    E_ACCESSDENIED,
    RPC_S_CALL_FAILED,
    RPC_S_CALL_FAILED_DNE,
    RPC_S_SERVER_UNAVAILABLE,
    RPC_S_UNKNOWN_AUTHN_SERVICE,
    SEC_E_LOGON_DENIED,
    WBEM_E_NOT_SUPPORTED,
    WBEM_E_TIMED_OUT,
    WBEM_E_TRANSPORT_FAILURE,
)
from openwmi.remote.places import RESOLVER_PORT

if TYPE_CHECKING:
    from openwmi.remote.client.machine import Machine
    from openwmi.remote.client.settings import Delivery
    from openwmi.remote.places import Address

_OR_INVALID_OXID: Final = 0x80070776
# What servers answer to a call whose sink they cannot reach, or may not log on to. Nothing has run then.
UNREACHED: Final = frozenset(
    {
        E_ACCESSDENIED,
        RPC_S_CALL_FAILED,
        RPC_S_CALL_FAILED_DNE,
        RPC_S_SERVER_UNAVAILABLE,
        RPC_S_UNKNOWN_AUTHN_SERVICE,
        SEC_E_LOGON_DENIED,
        WBEM_E_TIMED_OUT,
        WBEM_E_TRANSPORT_FAILURE,
        _OR_INVALID_OXID,
    }
)


class Choice(NamedTuple):
    """mode: "sink" or "poll"; why: a clause for people; place: where the server is expected, None when polling."""

    mode: Delivery
    why: str
    place: Address | None = None


async def choose(machine: Machine) -> Choice:
    """What suits a machine. Raises where `delivery="sink"` asks for what cannot be."""
    wanted = machine.settings.delivery
    if wanted == "poll":
        return Choice("poll", "polling was asked for")
    if not machine.by_ntlm and not machine.credentials.keytab:
        why = "after a Kerberos log-on this process has no key by which a callback could prove who it comes from"
        return _settled(wanted, WBEM_E_NOT_SUPPORTED, why)
    try:
        place = await machine.receiver.place(machine)
    except OSError as reason:
        port = machine.settings.callback_port
        which = f"port {port} cannot" if port else "no port can"
        why = f"{which} be opened for callbacks on {machine.local}: {reason.strerror or reason}"
        return _settled(wanted, WBEM_E_TRANSPORT_FAILURE, why)
    where = f"{machine.host} calls back to {place.host}[{place.port}]"
    told = machine.settings.callback_port != 0
    if wanted == "auto" and not told and machine.resolver.port == RESOLVER_PORT != place.port:
        # A server that keeps to the letter comes to 135 whatever a reference says (wire.md 6.2).
        return Choice("poll", f"port {RESOLVER_PORT}, to which servers call back, cannot be opened here")
    return Choice("sink", where, place)


def _settled(wanted: Delivery, code: int, why: str) -> Choice:
    """Polling, unless a sink was asked for and nothing else."""
    if wanted == "sink":
        raise error(code, why)
    return Choice("poll", why)
