"""What the service and a host process say to each other, as bytes.

    offset  size  meaning
    0       4     length of the payload, at most MAX_PAYLOAD, big-endian
    4       1     kind, one of the letters below
    5       4     number of the call, 0 for what concerns none
    9       ...   payload: UTF-8 JSON of the repository's encoding of raw values

JSON, and not a format that can name code: a host process runs foreign code, and what it sends is only ever data.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_PAYLOAD: Final = 16 << 20
_HEAD: Final = 9

# From the service
CLASS: Final = b"C"  # [key, namespace, server, [declaration, ...]]: a class, its topmost ancestor first
LOAD: Final = b"L"  # [number, module, class name, initialization]: make a provider object
# [object, method, class key, columns, conditions, caller, context, arguments, reports, credit, publisher]
CALL: Final = b"Q"
GRANT: Final = b"G"  # count: so many rows more may come
CANCEL: Final = b"X"  # nobody wants the rest
UNLOAD: Final = b"U"  # number: release a provider object
# From the host process
ROWS: Final = b"R"  # [row, ...]
END: Final = b"E"  # null, or [code (0: none of WMI's), text]
PROGRESS: Final = b"P"  # [current, total, message]
LATE: Final = b"T"  # [code, text]: what the call had taken over has failed, after its end


class FrameError(Exception):
    """The other side does not speak as it should."""


def frame(kind: bytes, call: int, content: Any = None) -> bytes:
    """One frame; FrameError when it would be too long."""
    payload = json.dumps(content, separators=(",", ":")).encode()
    if len(payload) > MAX_PAYLOAD:
        raise FrameError(f"a message of {len(payload)} bytes; at most {MAX_PAYLOAD} are allowed")
    return len(payload).to_bytes(4, "big") + kind + call.to_bytes(4, "big") + payload


def content_of(payload: bytes) -> Any:
    """The value of a payload; FrameError when it is none."""
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):
        raise FrameError("a message that is not JSON") from None


class Frames:
    """Bytes in, frames out, as they become complete."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def received(self, data: bytes) -> Iterator[tuple[bytes, int, bytes]]:
        """The (kind, call, payload) that are complete now; FrameError when the length cannot be."""
        buffer = self._buffer
        buffer += data
        start = 0
        try:
            while len(buffer) - start >= _HEAD:
                length = int.from_bytes(buffer[start : start + 4], "big")
                if length > MAX_PAYLOAD:
                    raise FrameError(f"a message of {length} bytes; at most {MAX_PAYLOAD} are allowed")
                end = start + _HEAD + length
                if len(buffer) < end:
                    return
                kind, call = (
                    bytes(buffer[start + 4 : start + 5]),
                    int.from_bytes(buffer[start + 5 : start + 9], "big"),
                )
                payload = bytes(buffer[start + _HEAD : end])
                start = end
                yield kind, call, payload
        finally:
            del buffer[:start]
