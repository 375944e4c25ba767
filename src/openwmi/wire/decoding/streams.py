"""TCP segments put together: per connection and direction the bytes in their order, and where some are missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from openwmi.wire.decoding.segments import ACK, SYN, Address, Segment

if TYPE_CHECKING:
    from collections.abc import Iterator

_HALF: Final = 1 << 31
_WHOLE: Final = 1 << 32
_MOST_CONNECTIONS: Final = 65_536
_MOST_WAITING: Final = 1024  # segments that wait for one before them


class Piece(NamedTuple):
    """Bytes of one direction that follow each other; missing: how many before them nobody captured.

    connection: a number of its own for each, also where a pair of ports is used again.
    """

    connection: int
    source: Address
    destination: Address
    data: bytes
    missing: int = 0


class _Direction:
    """What one end of a connection sends."""

    __slots__ = ("connection", "expected", "waiting")

    def __init__(self, connection: int) -> None:
        self.connection = connection
        self.expected: int | None = None
        self.waiting: dict[int, tuple[bytes, int]] = {}  # sequence number -> (payload, size on the wire)

    def behind(self, sequence: int) -> int:
        """How far a sequence number is behind the expected one; negative: ahead."""
        distance = ((self.expected or 0) - sequence) % _WHOLE
        return distance - _WHOLE if distance >= _HALF else distance

    def add(self, sequence: int, payload: bytes, size: int) -> None:
        if self.expected is None:
            self.expected = sequence
        known = self.waiting.get(sequence)
        if known is None or len(known[0]) < len(payload):
            self.waiting[sequence] = (payload, size)

    def ready(self) -> Iterator[tuple[bytes, int]]:
        """(bytes, missing before them) that are in order now. What was sent again is passed over."""
        while self.waiting:
            due = [sequence for sequence in self.waiting if self.behind(sequence) >= 0]
            if not due:
                return
            for sequence in sorted(due, key=self.behind, reverse=True):
                payload, size = self.waiting.pop(sequence)
                yield from self._passed(self.behind(sequence), payload, size)

    def _passed(self, known: int, payload: bytes, size: int) -> Iterator[tuple[bytes, int]]:
        if known >= size:
            return
        self.expected = ((self.expected or 0) + size - known) % _WHOLE
        if known < len(payload):
            yield payload[known:], 0
        if len(payload) < size:
            yield b"", size - max(len(payload), known)

    def skipped(self) -> Iterator[tuple[bytes, int]]:
        """Give up what is missing before the first segment that waits."""
        if self.waiting:
            first = max(self.waiting, key=self.behind)
            missing = -self.behind(first)
            self.expected = first
            yield b"", missing
            yield from self.ready()


class Streams:
    """All connections of a capture."""

    def __init__(self) -> None:
        self._directions: dict[tuple[Address, Address], _Direction] = {}
        self._connections = 0

    def add(self, segment: Segment) -> Iterator[Piece]:
        """Take the next segment; the pieces that are complete with it. A new connection begins with a SYN."""
        way = (segment.source, segment.destination)
        if segment.flags & SYN:
            self._begin(way, segment)
            return
        if segment.flags & ACK:
            yield from self._acknowledged((way[1], way[0]), segment.acknowledged)
        direction = self._of(way)
        if segment.size:
            direction.add(segment.sequence, segment.payload, segment.size)
            yield from self._pieces(way, direction, direction.ready())
            if len(direction.waiting) > _MOST_WAITING:
                yield from self._pieces(way, direction, direction.skipped())

    def rest(self) -> Iterator[Piece]:
        """The capture is over: what still waits for bytes that never came."""
        for way, direction in self._directions.items():
            while direction.waiting:
                yield from self._pieces(way, direction, direction.skipped())

    def _begin(self, way: tuple[Address, Address], segment: Segment) -> None:
        if not segment.flags & ACK:
            self._directions.pop((way[1], way[0]), None)
            self._directions.pop(way, None)
        direction = self._of(way)
        direction.expected = (segment.sequence + 1) % _WHOLE

    def _of(self, way: tuple[Address, Address]) -> _Direction:
        """What is known of a direction; one that nobody knew belongs to the connection of the opposite one."""
        direction = self._directions.get(way)
        if direction is None:
            other = self._directions.get((way[1], way[0]))
            if other is None:
                self._connections += 1
            direction = _Direction(other.connection if other is not None else self._connections)
            self._directions[way] = direction
            if len(self._directions) > _MOST_CONNECTIONS:
                del self._directions[next(iter(self._directions))]
        return direction

    def _acknowledged(self, way: tuple[Address, Address], number: int) -> Iterator[Piece]:
        """The receiver has everything before this number; what we lack of it will not come any more."""
        direction = self._directions.get(way)
        if direction is None or not direction.waiting or direction.expected is None:
            return
        first = max(direction.waiting, key=direction.behind)
        if 0 < (number - first) % _WHOLE < _HALF:
            yield from self._pieces(way, direction, direction.skipped())

    def _pieces(
        self, way: tuple[Address, Address], direction: _Direction, parts: Iterator[tuple[bytes, int]]
    ) -> Iterator[Piece]:
        for data, missing in parts:
            yield Piece(direction.connection, *way, data, missing)
