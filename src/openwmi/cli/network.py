"""The network face of `openwmi serve`: where it listens, who may log on, and how it begins and ends."""

from __future__ import annotations

import errno
import os
import socket
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from openwmi.accounts import Accounts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from openwmi.host import Host
    from openwmi.remote.server import Server
    from openwmi.wire.decoding import Trace

PORT: Final = 135  # where every client of DCOM asks first
LOOPBACK: Final = "127.0.0.1"
_FIRST_PASSED: Final = 3  # SD_LISTEN_FDS_START


class Place(NamedTuple):
    """Where to listen: an address or a name of this machine, and a port, 0 for any free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def place(text: str) -> Place | None:
    """`ADDR:PORT`, `[ADDR]:PORT` or `ADDR`; None for `none`. ValueError for anything else."""
    if text == "none":
        return None
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, port = text, str(PORT)
    bracketed = host.startswith("[") and host.endswith("]")
    host = host[1:-1] if bracketed else host
    if not host or (":" in host and not bracketed) or not (port.isascii() and port.isdigit()):
        raise ValueError(text)
    if int(port) > 0xFFFF:
        raise ValueError(text)
    return Place(host, int(port))


def names() -> tuple[str, ...]:
    """What this machine is called, the shortest name first."""
    full = socket.gethostname() or "localhost"
    return tuple(dict.fromkeys((full.partition(".")[0], full)))


def passed_sockets() -> list[socket.socket]:
    """The listening sockets that the service manager has opened for this process (sd_listen_fds), once."""
    count, process = os.environ.pop("LISTEN_FDS", ""), os.environ.pop("LISTEN_PID", "")
    os.environ.pop("LISTEN_FDNAMES", None)
    if process != str(os.getpid()) or not count.isdigit():
        return []
    found = []
    for number in range(_FIRST_PASSED, _FIRST_PASSED + int(count)):
        os.set_inheritable(number, False)
        found.append(socket.socket(fileno=number))
    return found


class Network:
    """A part of the foreground (see `foreground.Part`): the DCOM server of a host."""

    def __init__(
        self,
        host: Host,
        places: Sequence[Place],
        sockets: Sequence[socket.socket],
        *,
        fallback: bool = False,
        objects: int | None = None,
        aliases: Sequence[str] = (),
        trace: Trace | None = None,
    ) -> None:
        """objects: the port of the objects, where the others only lead to them; fallback: where a port cannot be had,
        any free one will do; aliases: what clients call this machine besides its names; trace: is told of every PDU."""
        from openwmi.host import home
        from openwmi.remote.server import Server

        self._kind = Server
        self._places = places
        self._sockets = sockets
        self._fallback = fallback
        self._objects = objects
        self._trace = trace
        self._host = host
        self._aliases = aliases
        self.accounts = Accounts(home(), names=(*names(), *(one.partition("[")[0] for one in aliases)))
        self._server: Server | None = None

    async def __aenter__(self) -> str:
        """Begin to listen; the lines that tell where."""
        server = self._server = self._kind(
            self._host.log_on, self.accounts, names(), aliases=self._aliases, trace=self._trace
        )
        try:
            for passed in self._sockets:
                await server.adopt(passed, objects=self._objects)
            for one in self._places:
                await self._listen(server, one)
        except BaseException:
            await server.close()
            raise
        return "\n".join(self._lines(server))

    @staticmethod
    def _lines(server: Server) -> Iterator[str]:
        from openwmi.remote.inbound.addresses import Part

        part = server.exporter.addresses.part
        places = sorted(server.listener.addresses, key=lambda address: part(address) is Part.OBJECTS)
        for address in places:
            verb = "objects" if part(address) is Part.OBJECTS else "listening"
            yield f"{verb} on {Place(*address)}"

    async def _listen(self, server: Server, one: Place) -> None:
        try:
            await server.listen(*one, objects=self._objects)
        except OSError as reason:
            if not self._fallback or reason.errno not in (errno.EACCES, errno.EADDRINUSE):
                raise OSError(
                    reason.errno, f"cannot listen on {one}: {os.strerror(reason.errno or 0)}"
                ) from None
            await server.listen(one.host, 0, objects=self._objects)

    async def __aexit__(self, *reason: Any) -> None:
        """End every call with WBEM_E_SHUTTING_DOWN, then the connections."""
        if self._server is not None:
            await self._server.close()

    def reload(self) -> None:
        """Read the accounts anew, and break off the connections of those that are gone. Called from any thread."""
        self.accounts.reload()
        if self._server is not None:
            self._host.portal.loop.call_soon_threadsafe(self._server.accounts_changed)


def network(
    host: Host,
    listen: Sequence[Place | None],
    *,
    objects: int | None = None,
    aliases: Sequence[str] = (),
    trace: Trace | None = None,
) -> Network | None:
    """The network face that was asked for: the sockets passed on and the places named; without either, loopback alone,
    on port 135 where that may be had. None when nothing shall listen. ModuleNotFoundError where the package is missing
    that log-ons need: now, while it can still be installed, and not with the first client."""
    from openwmi.wire.ntlm.rc4 import loaded

    if listen and not any(listen):
        return None
    loaded()
    sockets = passed_sockets()
    places = [one for one in listen if one is not None]
    fallback = not listen and not sockets
    if fallback:
        places = [Place(LOOPBACK, PORT)]
    return Network(host, places, sockets, fallback=fallback, objects=objects, aliases=aliases, trace=trace)
