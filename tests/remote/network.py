"""A loop that is a network as well: every port and connection in memory, and a wire that a test can spoil.

What listens with `create_server` is reached with `create_connection`, so clients and servers run on it as they are.
Bytes arrive in order in later turns of the loop; a PDU that is written is announced to `spoil` before it leaves.
"""

from __future__ import annotations

import asyncio
import gc
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from tests.remote.clock import JumpingLoop

CLIENT, SERVER = "10.0.0.1", "10.0.0.2"
_HIGH, _LOW = 1 << 16, 1 << 14
_HEADER = 16


class _Ending:
    """The last thing that arrives: an end of file, or a reset."""

    def __init__(self, reason: Exception | None) -> None:
        self.reason = reason


class Half(asyncio.Transport):
    """One end of a connection."""

    def __init__(self, wire: Wire, protocol: asyncio.Protocol, own: tuple[str, int]) -> None:
        super().__init__()
        self.wire = wire
        self.protocol = protocol
        self.own = own
        self.other: Half
        self.inbox: deque[bytes | _Ending] = deque()
        self.waiting = 0  # bytes in the inbox
        self.reading = True
        self.closing = False  # nothing more is written
        self.lost = False  # connection_lost has been called
        self.dead = False  # the cable is out: what is written goes nowhere
        self.singly = False  # bytes arrive one by one
        self.written = bytearray()
        self.halted = False

    # What protocols use

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"sockname": self.own, "peername": self.other.own}.get(name, default)

    def write(self, data: Any) -> None:
        if self.closing:
            return
        self.written += data
        if self.written[:2] not in (b"\5", b"\5\0"):  # no PDU
            self.send(bytes(self.written))
            self.written.clear()
        while len(self.written) >= _HEADER:
            size = max(int.from_bytes(self.written[8:10], "little"), _HEADER)
            if len(self.written) < size or self.closing:
                break
            pdu = bytes(self.written[:size])
            del self.written[:size]
            self.wire.loop.announced(self, pdu)

    def send(self, data: bytes) -> None:
        """Have bytes on their way to the other end."""
        if self.dead or self.other.lost:
            return
        self.other.inbox.append(data)
        self.other.waiting += len(data)
        if self.other.waiting > _HIGH and not self.closing:
            self.protocol.pause_writing()
        self.other._soon()

    def get_write_buffer_size(self) -> int:
        return self.other.waiting

    def can_write_eof(self) -> bool:
        return False

    def is_closing(self) -> bool:
        return self.closing

    def is_reading(self) -> bool:
        return self.reading

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True
        self._soon()

    def close(self) -> None:
        """In order: what is written arrives before the end does."""
        if not self.closing:
            self.closing = True
            self._tell(None)
            self.wire.loop.call_soon(self._lose, None)

    def abort(self) -> None:
        self.closing = True
        self._tell(ConnectionResetError(104, "Connection reset by peer"))
        self.wire.loop.call_soon(self._lose, None)

    # What happens to it

    def _tell(self, reason: Exception | None) -> None:
        if not self.dead and not self.other.lost:
            self.other.inbox.append(_Ending(reason))
            self.other._soon()

    def _soon(self) -> None:
        self.wire.loop.call_soon(self._deliver)

    def _deliver(self) -> None:
        """The next thing arrives."""
        if not self.inbox or self.lost or self.halted or not self.reading:
            return
        item = self.inbox.popleft()
        if isinstance(item, _Ending):
            self._ended(item.reason)
            return
        self.waiting -= len(item)
        if self.waiting < _LOW and not self.other.closing:
            self.other.protocol.resume_writing()
        pieces = [item[at : at + 1] for at in range(len(item))] if self.singly else [item]
        while pieces and not self.closing:
            self.protocol.data_received(pieces.pop(0))
            if not self.reading and pieces:
                rest = b"".join(pieces)
                self.inbox.appendleft(rest)
                self.waiting += len(rest)
                return
        if self.inbox:
            self._soon()

    def _ended(self, reason: Exception | None) -> None:
        if reason is None and not self.closing:
            self.protocol.eof_received()
        self.closing = True
        self._lose(reason)

    def _lose(self, reason: Exception | None) -> None:
        if not self.lost:
            self.lost = True
            self.inbox.clear()
            self.protocol.connection_lost(reason)

    def halt(self, *, on: bool = True) -> None:
        """Nothing arrives here any more, or again."""
        self.halted = on
        if not on:
            self._soon()


class Wire:
    """A connection. number: the how manieth of its loop; client, server: its two ends."""

    def __init__(self, loop: NetworkLoop, number: int) -> None:
        self.loop = loop
        self.number = number
        self.client: Half
        self.server: Half

    @property
    def over(self) -> bool:
        """Whether both ends know that it has ended, or one does and the cable is out."""
        gone = (self.client.lost, self.server.lost)
        return all(gone) or (any(gone) and self.client.dead)

    def reset(self) -> None:
        """The connection dies under both."""
        for half in (self.client, self.server):
            half.closing = True
            half.inbox.clear()
            self.loop.call_soon(half._lose, ConnectionResetError(104, "Connection reset by peer"))

    def tear(self, half: Half, data: bytes) -> None:
        """Bytes of one end arrive still, then a reset; the end itself learns of it at once."""
        half.send(data)
        reason = ConnectionResetError(104, "Connection reset by peer")
        half._tell(reason)
        half.closing = True
        half.inbox.clear()
        self.loop.call_soon(half._lose, reason)

    def unplug(self) -> None:
        """Nothing arrives any more, and nobody is told."""
        for half in (self.client, self.server):
            half.dead = True
            half.inbox.clear()
            half.waiting = 0

    def stall(self, seconds: float) -> None:
        """Nothing arrives for a while."""
        for half in (self.client, self.server):
            half.halt()
            self.loop.call_later(seconds, lambda half=half: half.halt(on=False))

    def chop(self) -> None:
        """From here on bytes arrive one by one."""
        self.client.singly = self.server.singly = True


class _Socket:
    def __init__(self, name: tuple[str, int]) -> None:
        self.name = name

    def getsockname(self) -> tuple[str, int]:
        return self.name


class _Port:
    """What `create_server` gives."""

    def __init__(self, loop: NetworkLoop, name: tuple[str, int], factory: Callable[[], Any]) -> None:
        self.loop = loop
        self.name = name
        self.factory = factory
        self.sockets = [_Socket(name)]

    def close(self) -> None:
        self.loop.ports.pop(self.name, None)

    def is_serving(self) -> bool:
        return self.name in self.loop.ports

    async def wait_closed(self) -> None:
        return None


class NetworkLoop(JumpingLoop):
    """Two machines, CLIENT and SERVER, and whatever else a test names.

    spoil: told of each PDU that is about to leave, (end, PDU, its number among all) -> True when it sees to the PDU
    itself. pdus: how many there were. forbidden: ports that nobody may open. silent: addresses that swallow
    connections. dialled: where connections went.  wires: all connections there were.
    """

    def __init__(self) -> None:
        super().__init__()
        self.ports: dict[tuple[str, int], _Port] = {}
        self.wires: list[Wire] = []
        self.dialled: list[tuple[str, int]] = []
        self.silent: set[tuple[str, int]] = set()
        self.forbidden: set[int] = set()
        self.spoil: Callable[[Half, bytes, int], bool] | None = None
        self.pdus = 0
        self.source: str | None = None  # where connections come from, if not from the other machine
        self.dark = 0.0  # until when nothing arrives anywhere
        self._free = 49152

    def settle(self) -> None:
        """As in ClockedLoop; a whole conversation may take place without any time."""
        for _ in range(50_000):
            self.turn()
            if not self._ready:  # type: ignore[attr-defined]
                return
        raise AssertionError("the loop never comes to rest")

    def black_out(self, seconds: float) -> None:
        """All cables are out, and are put back after a while. What was open then never hears anything again."""
        self.dark = self.now + seconds
        for wire in self.wires:
            wire.unplug()

    def timers(self) -> list[asyncio.TimerHandle]:
        """What would still happen if time went on."""
        return [one for one in self._scheduled if not one.cancelled()]  # type: ignore[attr-defined]

    def announced(self, half: Half, pdu: bytes) -> None:
        number, self.pdus = self.pdus, self.pdus + 1
        if self.spoil is None or not self.spoil(half, pdu, number):
            half.send(pdu)

    async def create_server(self, factory: Any, host: Any = None, port: Any = None, **_: Any) -> Any:
        if port in self.forbidden:
            raise PermissionError(13, "Permission denied")
        if not port:
            self._free += 1
            port = self._free
        name = (str(host), int(port))
        if name in self.ports:
            raise OSError(98, "Address already in use")
        self.ports[name] = _Port(self, name, factory)
        return self.ports[name]

    async def create_connection(self, factory: Any, host: Any = None, port: Any = None, **_: Any) -> Any:
        name = (str(host), int(port))
        self.dialled.append(name)
        if name in self.silent or self.now < self.dark:
            await self.create_future()
        found = self.ports.get(name)
        if found is None:
            raise ConnectionRefusedError(111, "Connection refused")
        self._free += 1
        source = (self.source or CLIENT) if name[0] == SERVER else SERVER
        wire = Wire(self, len(self.wires))
        client, server = factory(), found.factory()
        wire.client = Half(wire, client, (source, self._free))
        wire.server = Half(wire, server, name)
        wire.client.other, wire.server.other = wire.server, wire.client
        self.wires.append(wire)
        server.connection_made(wire.server)
        client.connection_made(wire.client)
        return wire.client, client


def on_network(
    work: Callable[[NetworkLoop], Coroutine[Any, Any, Any]], *, within: float = 3600.0
) -> NetworkLoop:
    """Run one coroutine function on a network of its own. Afterwards nothing may be left: no task, no timer, no port,
    no connection, no complaint of the loop's."""
    loop = NetworkLoop()
    asyncio.set_event_loop(loop)
    try:
        loop.complete(work(loop), within=within)
        loop.settle()
        left = [task for task in asyncio.all_tasks(loop) if not task.done()]
        assert left == [], left
        assert loop.timers() == [], loop.timers()
        assert loop.ports == {}, list(loop.ports)
        open_now = [wire for wire in loop.wires if not wire.over]
        assert open_now == [], [wire.client.other.own for wire in open_now]
        gc.collect(0)
        assert loop.problems == [], loop.problems
        return loop
    finally:
        asyncio.set_event_loop(None)
        loop.close()
