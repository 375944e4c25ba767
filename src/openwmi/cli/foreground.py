"""A service in the foreground: what runs in it, the signals that end it, the lines that tell of it.

Everything happens on the service's own loop; the main thread only waits for a signal. Two bounds make the end certain:
parts get PARTS_WAIT seconds in all, then the host ends its calls within about a second (host.shut_down).
"""

from __future__ import annotations

import logging
import os
import signal
from contextlib import AsyncExitStack, contextmanager
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final, TypeAlias

from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_TIMED_OUT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractAsyncContextManager
    from types import FrameType

    from openwmi.host import Host

    # Entering one gives the line that tells it is ready, "" for none.
    Part: TypeAlias = AbstractAsyncContextManager[str]

PARTS_WAIT: Final = 3.0
# How long parts may take to begin.
BEGIN_WAIT: Final = 30.0
ENDING: Final = (signal.SIGTERM, signal.SIGINT)
RELOADING: Final = signal.SIGHUP
_LOG: Final = logging.getLogger("openwmi.serve")


@contextmanager
def signals() -> Iterator[SimpleQueue[int]]:
    """The first signal that asks for the end goes into the queue, the next one ends the process at once; every one
    that asks for a reload goes there, too."""
    # A put into a SimpleQueue is safe inside a handler, even while the same thread is in get.
    arrived: SimpleQueue[int] = SimpleQueue()

    def on_signal(number: int, frame: FrameType | None) -> None:
        for one in ENDING:
            signal.signal(one, _leave)
        arrived.put(number)

    def on_reload(number: int, frame: FrameType | None) -> None:
        arrived.put(number)

    before = {one: signal.signal(one, on_signal) for one in ENDING}
    before[RELOADING] = signal.signal(RELOADING, on_reload)
    try:
        yield arrived
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave(number: int, frame: FrameType | None) -> None:
    os._exit(128 + number)


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

    def _begin(self, arrived: SimpleQueue[int]) -> int:
        """Enter the parts; the signal that came meanwhile, or 0."""
        host = self._host
        host.portal.loop.call_soon_threadsafe(self._tell_owner)
        beginning = host.portal.submit(self._enter)
        beginning.add_done_callback(lambda _: arrived.put(0))
        try:
            while (number := arrived.get(timeout=BEGIN_WAIT)) == RELOADING:
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
