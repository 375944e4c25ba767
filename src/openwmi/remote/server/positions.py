"""Positions in result sets that remote enumerators read from, and answers that are ready before they are asked for.

A client that reads row by row asks, decodes, and asks the same again. While it decodes, the next few answers are made
from objects that stay unread; the requests that they fit have only to fetch them. Nothing else can tell the difference.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from openwmi.model.errors import WbemError
from openwmi.model.status import WBEM_S_FALSE, WBEM_S_NO_ERROR, WBEM_S_TIMEDOUT
from openwmi.remote.server.telling import beside
from openwmi.wire.dcom.orpc import NO_THAT

if TYPE_CHECKING:
    from collections.abc import Callable

    from openwmi.faces.views import Enumerator
    from openwmi.model.classes import Class
    from openwmi.model.instances import Instance
    from openwmi.remote.server.server import Server
    from openwmi.wire.dcom.orpc import OrpcThat

_AT_ONCE: Final = 500
# Objects of the answers that are made at a time; a single answer may have more. Making them one by one, each when the
# processor has just done something else, takes twice as long.
_AHEAD: Final = 8


class Asked(Protocol):
    """A request for objects: within so many milliseconds, so many."""

    @property
    def timeout(self) -> int: ...

    @property
    def count(self) -> int: ...


A_contra = TypeVar("A_contra", bound=Asked, contravariant=True)
A = TypeVar("A", bound=Asked)


class Reader(Protocol[A_contra]):
    """An object through which a client reads a position."""

    def foreseen(self, asked: A_contra, objects: list[Instance | Class]) -> bytes | None:
        """The answer that gives these objects to a request; None where making it for nothing would matter."""
        ...


class _Ready:
    """Answers that were made before their requests: to whom, to what, and with the objects from where on."""

    __slots__ = ("asked", "position", "reader", "stubs")

    def __init__(self, reader: Reader[Any], asked: Asked, position: int, stubs: list[bytes]) -> None:
        self.reader = reader
        self.asked = asked
        self.position = position
        self.stubs = stubs  # the next one is the last


class Position:
    """A view of a result set, which ends with the last of the objects that read from it. listened: whether its client
    hears what is said beside answers."""

    __slots__ = ("__weakref__", "_holders", "_ready", "_server", "_turn", "listened", "view")

    def __init__(self, server: Server, view: Enumerator, *, listened: bool = False) -> None:
        self._server = server
        self.view = view
        self.listened = listened
        self._holders = 0
        self._turn = asyncio.Lock()  # answers are put together one after the other (F20)
        self._ready: _Ready | None = None
        server.positions.add(self)

    async def page(self, reader: Reader[A], asked: A, take: Callable[[list[Instance | Class]], int]) -> int:
        """Give the objects that a request wants to `take`, which tells their size; the status of the answer.

        An answer that is full, but not of all that was asked for, is like one whose time was up: there is more (F3,
        F4). So is one that a failure cut short, and one that has progress to tell; the failure is the next answer (F9).
        """
        limits, loop = self._server.limits, asyncio.get_running_loop()
        timeout, count = asked.timeout, asked.count
        until = loop.time() + timeout / 1000
        async with self._turn:
            taken = size = 0
            while True:
                left = timeout if timeout <= 0 else max(0, round((until - loop.time()) * 1000))
                try:
                    status, objects = await self.view.next(left, min(_AT_ONCE, count - taken))
                except WbemError:
                    if taken or self.view.reports:
                        return WBEM_S_TIMEDOUT
                    raise
                if objects:
                    size += take(objects)
                    taken += len(objects)
                if status != WBEM_S_NO_ERROR or taken == count:
                    break
                if taken >= limits.page or size >= limits.page_size:
                    return WBEM_S_TIMEDOUT
                await asyncio.sleep(0)  # others' calls have their turn
        if status == WBEM_S_NO_ERROR and taken <= _AT_ONCE and size <= limits.ready:
            loop.call_soon(self._foresee, reader, asked)
        return status

    def beside(self, status: int) -> OrpcThat:
        """What an answer of this status says besides."""
        over = status == WBEM_S_FALSE
        if not self.listened or not (over or self.view.reports):
            return NO_THAT
        return beside(self.view, over=over)

    def ready(self, reader: Reader[A], asked: A) -> bytes | None:
        """The answer to a request, where it was foreseen; its objects are read with it."""
        found, view = self._ready, self.view
        if found is None:
            return None
        if (
            found.reader is not reader
            or found.position != view.position
            or found.asked != asked
            or view.reports
            or self._turn.locked()
            or not view.passes(asked.count)
        ):
            self._ready = None
            return None
        found.position = view.position
        stub = found.stubs.pop()
        if not found.stubs:
            self._ready = None
            asyncio.get_running_loop().call_soon(self._foresee, reader, asked)
        return stub

    def _foresee(self, reader: Reader[A], asked: A) -> None:
        """Make the answers to the same request, a few times over; a fault is left for the request itself to find."""
        count = asked.count
        if self._turn.locked() or not count:
            return
        objects = self.view.ahead(max(count, _AHEAD))
        stubs: list[bytes] = []
        size = 0
        for start in range(0, len(objects) - count + 1, count):
            try:
                stub = reader.foreseen(asked, objects[start : start + count])
            except Exception:  # noqa: BLE001 - nobody has asked yet; who does hears of it
                break
            if stub is None:
                break
            stubs.append(stub)
            size += len(stub)
            if size >= self._server.limits.ready:
                break
        if stubs:
            self._ready = _Ready(reader, asked, self.view.position, stubs[::-1])

    def hold(self) -> None:
        self._holders += 1

    def let_go(self) -> None:
        self._holders -= 1
        if not self._holders:
            self._ready = None
            self._server.positions.discard(self)
            self._server.spawn(self.view.release())
