"""How many programs of one consumer run at a time, and waiting for them to end."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_SERVER_TOO_BUSY

if TYPE_CHECKING:
    from openwmi.model.instances import Instance

# Programs of one consumer that may run at a time; further events wait in its queue.
RUNNING: Final = 16
# How long an event waits for one of them to end before another attempt is asked for.
PATIENCE: Final = 10.0


class Running:
    """The programs that a provider has started; used from any thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._count: dict[str, int] = {}

    def enter(self, consumer: Instance) -> str:
        """A place for one more, as the name that `left` is told; SERVER_TOO_BUSY when none becomes free in time."""
        key = f"{consumer.namespace_}:{consumer.relpath_}".lower()
        with self._changed:
            if not self._changed.wait_for(lambda: self._count.get(key, 0) < RUNNING, PATIENCE):
                raise error(WBEM_E_SERVER_TOO_BUSY, f"{RUNNING} programs of this consumer are still running")
            self._count[key] = self._count.get(key, 0) + 1
        return key

    def left(self, key: str) -> None:
        with self._changed:
            self._count[key] -= 1
            if not self._count[key]:
                del self._count[key]
            self._changed.notify_all()

    def settle(self, seconds: float) -> bool:
        """Wait until no program runs any more, but not longer than that."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._count, seconds)
