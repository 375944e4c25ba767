"""`--trace FILE`: every PDU of the connections of this process, decoded, one line of JSON each, without secrets."""

from __future__ import annotations

import os
import time
from functools import cache
from typing import TYPE_CHECKING

from openwmi.cli.options import Misuse

if TYPE_CHECKING:
    from openwmi.wire.decoding import Trace


class _Lines:
    """A file that grows line by line while the process lives. When the disk takes no more, only the trace ends."""

    def __init__(self, path: str) -> None:
        self._path = path
        # What calls carry is nobody else's business.
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._failed = False

    def write(self, line: str) -> None:
        if self._failed:
            return
        try:
            os.write(self._descriptor, line.encode())
        except OSError as reason:
            import logging

            self._failed = True
            logging.getLogger("openwmi.trace").error("%s: %s: the trace ends", self._path, reason.strerror)


@cache
def opened(path: str | None) -> Trace | None:
    """The trace that was asked for, if one was; one for each file. Misuse where it cannot be had."""
    if path is None:
        return None
    from openwmi.wire.decoding import Trace

    try:
        return Trace(_Lines(path).write, time.time)
    except OSError as reason:
        raise Misuse(f"{path}: {reason.strerror}") from None
