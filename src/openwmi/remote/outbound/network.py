"""How one gets to other machines: the way, the patience, the limits there, and the log-on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from openwmi.remote.outbound.dialling import Dial, dial_tcp
from openwmi.wire.rpc import Limits
from openwmi.wire.rpc.constants import LARGEST_FRAGMENT, AuthLevel

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from openwmi.wire.decoding import Trace
    from openwmi.wire.rpc.security import SecurityContext

# Fragments as large as the field can hold cost a third less per object than those of Windows (wire.md 7.8).
LIMITS: Final = Limits(fragment=LARGEST_FRAGMENT)


class Deadlines(NamedTuple):
    """How long each phase may take, in seconds: name and TCP together, the bind with its handshake, one call."""

    connect: float = 10.0
    bind: float = 10.0
    call: float = 30.0


class Network(NamedTuple):
    """How one gets out, how patient and how generous one is there, and who is told of every PDU."""

    dial: Dial = dial_tcp
    deadlines: Deadlines = Deadlines()
    limits: Limits = LIMITS
    trace: Trace | None = None


NETWORK: Final = Network()


class Security(NamedTuple):
    """How an association logs on. initiate: the service's name, as `RPCSS/host`, -> a fresh context."""

    initiate: Callable[[str], SecurityContext | Awaitable[SecurityContext]]
    level: int = AuthLevel.PRIVACY
