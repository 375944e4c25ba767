"""Getting a transport: addresses, names looked up beside the loop, TCP as RPC wants it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

from openwmi.remote.places import Address, is_literal
from openwmi.threads import Threads

if TYPE_CHECKING:
    from collections.abc import Iterable

# A name server may be silent for longer than anybody waits; its threads can be left behind (openwmi.threads).
_LOOKUPS: Final = Threads(32, name="openwmi-names")
_ONE_ADDRESS: Final = 3.0


class NoSuchName(OSError):
    """The host has no address."""


Connected: TypeAlias = tuple[asyncio.BaseTransport, asyncio.BaseProtocol]
Dial: TypeAlias = Callable[[Callable[[], asyncio.Protocol], Address], Awaitable[Connected]]


async def look_up(host: str) -> list[str]:
    """The addresses of a host in the system's order, families taking turns; NoSuchName when it has none."""
    if is_literal(host):
        return [host]
    return await _LOOKUPS.run(lambda: _addresses(host))


def _addresses(host: str) -> list[str]:
    try:
        rows = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as reason:
        raise NoSuchName(getattr(reason, "strerror", None) or str(reason)) from None
    return _alternating(str(row[4][0]) for row in rows)


def _alternating(addresses: Iterable[str]) -> list[str]:
    """Each address once, the families taking turns, so that a dead one does not cost all its addresses first."""
    unique = list(dict.fromkeys(addresses))
    first = [a for a in unique if (":" in a) == (":" in unique[0])]
    second = [a for a in unique if a not in first]
    turns = [a for pair in zip(first, second, strict=False) for a in pair]
    return turns + first[len(second) :] + second[len(first) :]


async def dial_tcp(
    factory: Callable[[], asyncio.Protocol], address: Address, *, source: str | None = None
) -> Connected:
    """A TCP connection without Nagle's delay (wire.md 2.5). OSError when none of the addresses answers.

    source: the address of ours to come from; the system's choice unless given.
    """
    loop = asyncio.get_running_loop()
    connect = partial(loop.create_connection, factory, local_addr=(source, 0) if source else None)
    candidates = await look_up(address.host)
    for candidate in candidates[:-1]:
        try:
            async with asyncio.timeout(_ONE_ADDRESS):
                return _tuned(await connect(candidate, address.port))
        except OSError:  # TimeoutError is one
            continue
    return _tuned(await connect(candidates[-1], address.port))


def _tuned(connected: tuple[asyncio.Transport, asyncio.Protocol]) -> Connected:
    sock = connected[0].get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return connected
