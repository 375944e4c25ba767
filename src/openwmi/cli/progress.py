"""Progress reports of a running call, on standard error."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from openwmi.cli.console import Console

PATIENCE = 0.3  # nobody needs to read that a fast call makes progress
INTERVAL = 0.1


class Progress:
    """Takes (current, total, message) as often as a provider likes and shows what a person can follow.

    On a terminal one line that changes, after PATIENCE; elsewhere, when asked for, a line each: the first report, the
    last of every INTERVAL, and the one that says that all is done.
    """

    def __init__(self, console: Console, *, asked: bool) -> None:
        self._console = console
        self._moving = console.narrates
        self._asked = asked
        self._started = monotonic()
        self._shown = self._started + (PATIENCE if self._moving else 0.0) - INTERVAL

    def __call__(self, current: int, total: int, message: str | None = None) -> None:
        now = monotonic()
        done = bool(total) and current >= total
        if now - self._shown < INTERVAL and not (done and self._asked and not self._moving):
            return
        self._shown = now
        text = f"{current} of {total}" if total else str(current)
        if message:
            text += f"  {message}"
        if self._moving:
            self._console.status(f"{text}  {now - self._started:.1f} s (Ctrl-C cancels)")
        else:
            self._console.complain(f"progress: {text}\n")
