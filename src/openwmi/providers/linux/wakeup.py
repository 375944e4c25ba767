"""A thread that waits for a descriptor of the kernel, and can be woken by others."""

from __future__ import annotations

from select import POLLIN, poll
from socket import socketpair
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from types import TracebackType


class Descriptor(Protocol):
    def fileno(self) -> int: ...


class Wakeup:
    """Used as a context: `wait` in one thread, `wake` from any."""

    def __enter__(self) -> Wakeup:
        self._here, self._there = socketpair()
        self._here.setblocking(False)
        self._there.setblocking(False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._here.close()
        self._there.close()

    def wake(self) -> None:
        try:
            self._there.send(b"!")
        except OSError:  # it is awake already, or has ended
            pass

    def wait(self, descriptor: Descriptor, milliseconds: float | None = None) -> bool:
        """Until there is something to read, or somebody calls `wake`; True in that case."""
        waiting = poll()
        waiting.register(descriptor, POLLIN)
        waiting.register(self._here, POLLIN)
        waiting.poll(milliseconds)
        try:
            return bool(self._here.recv(100))
        except BlockingIOError:
            return False
