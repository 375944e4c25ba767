"""A service in the foreground: what runs in it, the signals that end it, the lines that tell of it.

Everything happens on the service's own loop; the main thread only waits for a signal. Two bounds make the end certain:
parts get PARTS_WAIT seconds in all, then the host ends its calls within about a second (host.shut_down).
"""

from __future__ import annotations

import asyncio
import logging
import os
import select
import signal
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from queue import Empty, SimpleQueue
from time import monotonic
from typing import TYPE_CHECKING, Final, TypeAlias

from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_TIMED_OUT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence
    from contextlib import AbstractAsyncContextManager
    from types import FrameType

    from openwmi.host import Host

    # Entering one gives the line that tells it is ready, "" for none.
    Part: TypeAlias = AbstractAsyncContextManager[str]

PARTS_WAIT: Final = 3.0
DRAIN_WAIT: Final = 2.0
# How long parts may take to begin.
BEGIN_WAIT: Final = 30.0
ENDING: Final = (signal.SIGTERM, signal.SIGINT)
RELOADING: Final = signal.SIGHUP
# Some tell a process and then its group, as timeout(1) does: a signal that comes again so soon is still the first one.
TWICE_SECONDS: Final = 0.5
_LOG: Final = logging.getLogger("openwmi.serve")


class Arrivals:
    """Numbers that the main thread waits for: those of signals, and 0 for other news.

    The wait is for a byte in a pipe, which the interpreter writes whichever thread the kernel has interrupted. A wait
    for a lock would go on where that was another one, or where the signal came just before it began.
    """

    def __init__(self) -> None:
        self._numbers: SimpleQueue[int] = SimpleQueue()
        self._reading, self.writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def put(self, number: int) -> None:
        """From any thread, and from a signal's handler."""
        self._numbers.put(number)
        try:
            os.write(self.writing, b"\0")
        except OSError:
            pass  # full: it wakes as it is; closed: nobody waits any more

    def get(self, seconds: float | None = None) -> int:
        """The next one. Raises Empty when none comes in time."""
        until = None if seconds is None else monotonic() + seconds
        while self._numbers.empty():
            left = None if until is None else max(0.0, until - monotonic())
            if not select.select([self._reading], [], [], left)[0]:
                raise Empty
            os.read(self._reading, 4096)
        return self._numbers.get()

    def close(self) -> None:
        reading, writing = self._reading, self.writing
        self._reading = self.writing = -1
        os.close(reading)
        os.close(writing)


@contextmanager
def signals() -> Iterator[Arrivals]:
    """The first signal that asks for the end arrives, the next one ends the process at once, unless it is the same one
    told twice; every one that asks for a reload arrives, too."""
    arrived = Arrivals()
    first: list[float] = []

    def on_signal(number: int, frame: FrameType | None) -> None:
        if not first:
            first.append(monotonic())
            arrived.put(number)
        elif monotonic() - first[0] > TWICE_SECONDS:
            os._exit(128 + number)

    def on_reload(number: int, frame: FrameType | None) -> None:
        arrived.put(number)

    waking = signal.set_wakeup_fd(arrived.writing, warn_on_full_buffer=False)
    before = {one: signal.signal(one, on_signal) for one in ENDING}
    before[RELOADING] = signal.signal(RELOADING, on_reload)
    try:
        yield arrived
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(waking)
        arrived.close()


def _nothing() -> None:
    """There is nothing to read anew."""


class Foreground:
    """One host with its parts, from the first line to the last."""

    def __init__(
        self,
        host: Host,
        parts: Sequence[Part],
        tell: Callable[[str], None],
        *,
        reload: Callable[[], None] = _nothing,
    ) -> None:
        """tell: prints a line on standard output; reload: what SIGHUP asks for."""
        self._host = host
        self._parts = parts
        self._tell = tell
        self._reload = reload
        self._stack = AsyncExitStack()

    def run(self) -> int:
        """Run until a signal comes; its number. Raises what kept a part from beginning."""
        with signals() as arrived:
            try:
                number = self._begin(arrived)
                while not number:
                    number = self._next(arrived.get())
                _LOG.info("%s: ending", signal.Signals(number).name)
                notify("STOPPING=1")
            finally:
                self._end()
            return number

    def _next(self, number: int) -> int:
        """A signal has come: reload, or give the number of the one that asks for the end."""
        if number != RELOADING:
            return number
        _LOG.info("reloading")
        notify("RELOADING=1")
        self._reload()
        notify("READY=1")
        return 0

    def _begin(self, arrived: Arrivals) -> int:
        """Enter the parts; the signal that came meanwhile, or 0."""
        host = self._host
        host.portal.loop.call_soon_threadsafe(self._tell_owner)
        beginning = host.portal.submit(self._enter)
        beginning.add_done_callback(lambda _: arrived.put(0))
        try:
            while (number := arrived.get(BEGIN_WAIT)) == RELOADING:
                pass  # everything has just been read
            if number:
                return number
        except Empty:
            raise error(
                WBEM_E_TIMED_OUT, f"the service did not begin within {BEGIN_WAIT:g} seconds"
            ) from None
        for line in beginning.result():
            self._tell(line)
        self._tell("ready")
        _LOG.info("ready", extra={"fields": {"repository": host.repository.path, "pid": os.getpid()}})
        notify("READY=1")
        return 0

    async def _enter(self) -> list[str]:
        lines = [await self._stack.enter_async_context(part) for part in self._parts]
        return [line for line in lines if line]

    def _tell_owner(self) -> None:
        """On the loop: say who runs the timers and permanent subscriptions, now and when that changes."""
        ownership = self._host.service.ownership
        assert ownership is not None
        if not ownership.held:
            fields = {"holder": ownership.holder or "unknown"}
            _LOG.warning(
                "another process runs the timers and permanent subscriptions; waiting to take over",
                extra={"fields": fields},
            )
        ownership.when_held(
            lambda: _LOG.info("running the timers and permanent subscriptions"),
            lambda: _LOG.info("no longer running the timers and permanent subscriptions"),
        )

    def _end(self) -> None:
        ending = self._host.portal.submit(self._stack.aclose)
        try:
            ending.result(PARTS_WAIT)
        except TimeoutError:
            _LOG.error("what was to end has not ended within %g seconds", PARTS_WAIT)
        finally:
            self._host.shut_down()
        _LOG.info("ended")


@asynccontextmanager
async def delivering(host: Host) -> AsyncIterator[str]:
    """Permanent subscriptions: in force before it is said that all is ready; and when all ends, what is on its way to
    consumers has DRAIN_WAIT seconds to get there."""
    permanent = host.service.permanent
    await permanent.begun()
    yield ""
    try:
        await asyncio.wait_for(permanent.drained(), DRAIN_WAIT)
    except TimeoutError:
        pass  # what has not been delivered is told as dropped when the lock is given back


def notify(state: str) -> None:
    """Tell the service manager that started this process, if one did and wants to know (sd_notify)."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    import socket

    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as link:
            link.settimeout(1.0)
            link.sendto(state.encode(), f"\0{address[1:]}" if address.startswith("@") else address)
    except OSError as reason:
        _LOG.warning("the service manager cannot be told %s: %s", state, reason)
