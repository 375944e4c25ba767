"""`--trace FILE`: every PDU of the connections of this process, decoded, one line of JSON each, without secrets."""

from __future__ import annotations

import json
import os
import time
from functools import cache
from typing import TYPE_CHECKING, Final

from openwmi.cli.lines import LineWriter
from openwmi.cli.options import Misuse

if TYPE_CHECKING:
    from openwmi.wire.decoding import Trace

# Bytes of lines that may wait for a file that takes its time: seconds of a busy server.
ROOM: Final = 16 << 20
# How long the end of the program waits for a file.
FLUSH_SECONDS: Final = 2.0
_FILES: Final[list[_File]] = []


class _File:
    """A file that grows line by line while the process lives, without anybody waiting for it. When the disk takes no
    more, only the trace ends; what a slow one has no room for is counted in it."""

    def __init__(self, path: str) -> None:
        self._path = path
        # What calls carry is nobody else's business.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._lines = LineWriter(descriptor, ROOM, notice=_missing, failed=self._end)
        self.write = self._lines.put

    def flush(self, seconds: float) -> None:
        """Wait for what is still to be written, no longer than this, and tell of what is not."""
        left = self._lines.flush(seconds)
        if left:
            self._tell(f"{left} PDUs are not in the trace: the file takes too long")

    def _end(self, reason: OSError) -> None:
        self._tell(f"{reason.strerror}: the trace ends")

    def _tell(self, what: str) -> None:
        import logging

        logging.getLogger("openwmi.trace").error("%s: %s", self._path, what)


def _missing(lines: int) -> str:
    """What stands in a trace where PDUs are missing."""
    record = {"time": round(time.time(), 6), "error": "PDUs are missing here", "lost": lines}
    return json.dumps(record, separators=(",", ":")) + "\n"


@cache
def opened(path: str | None) -> Trace | None:
    """The trace that was asked for, if one was; one for each file. Misuse where it cannot be had."""
    if path is None:
        return None
    from openwmi.wire.decoding import Trace

    try:
        file = _File(path)
    except OSError as reason:
        raise Misuse(f"{path}: {reason.strerror}") from None
    _FILES.append(file)
    return Trace(file.write, time.time)


def leave(seconds: float = FLUSH_SECONDS) -> None:
    """Have what is traced written, and wait for it no longer than this."""
    for file in _FILES:
        file.flush(seconds)
