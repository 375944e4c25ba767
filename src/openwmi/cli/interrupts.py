"""Ctrl-C: the first cancels the call at its source, the second leaves at once."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

CANCELLED = 130


class Interrupts:
    """While entered, an interrupt is a KeyboardInterrupt once; the next one ends the process, whatever runs.

    A provider that swallows the first one, or takes its time to end, cannot hold the user. Where interrupts are
    ignored, or somebody else handles them, nothing changes; nor outside the main thread.
    """

    __slots__ = ("_installed",)

    def __enter__(self) -> Interrupts:
        self._installed = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if self._installed:
            try:
                signal.signal(signal.SIGINT, _first)
            except ValueError:  # not the main thread
                self._installed = False
        return self

    def __exit__(self, *_: object) -> None:
        if self._installed and signal.getsignal(signal.SIGINT) is _first:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def _first(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGINT, _second)
    raise KeyboardInterrupt


def _second(number: int, frame: FrameType | None) -> None:
    os._exit(CANCELLED)
