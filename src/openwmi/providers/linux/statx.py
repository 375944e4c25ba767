"""What stat(2) does not tell of a file: when it was made, and what its file system does with it."""

from __future__ import annotations

from ctypes import CDLL, c_char_p, c_int, c_uint, create_string_buffer
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from ctypes import _NamedFuncPointer

_HERE: Final = -100  # AT_FDCWD
_BIRTH: Final = 0x800  # STATX_BTIME
_SIZE: Final = 256
# Where it stands: the mask of what was found, attributes and which of them the file system knows, seconds and
# nanoseconds of the birth.
_MASK, _ATTRIBUTES, _KNOWN = slice(0, 4), slice(8, 16), slice(56, 64)
_SECONDS, _NANOSECONDS = slice(80, 88), slice(88, 92)
_COMPRESSED, _ENCRYPTED = 0x4, 0x800


class Extra(NamedTuple):
    """None where the file system does not know. born: nanoseconds since 1970."""

    born: int | None = None
    compressed: bool | None = None
    encrypted: bool | None = None


def extra(path: bytes) -> Extra:
    """Of a file, or what a link leads to; nothing where the C library or the kernel is too old."""
    call = _call()
    answer = create_string_buffer(_SIZE)
    if call is None or call(_HERE, path, 0, _BIRTH, answer) != 0:
        return Extra()
    raw = answer.raw
    mask, attributes, known = (int.from_bytes(raw[part], "little") for part in (_MASK, _ATTRIBUTES, _KNOWN))
    seconds, nanoseconds = (
        int.from_bytes(raw[part], "little", signed=True) for part in (_SECONDS, _NANOSECONDS)
    )
    return Extra(
        seconds * 1_000_000_000 + nanoseconds if mask & _BIRTH else None,
        bool(attributes & _COMPRESSED) if known & _COMPRESSED else None,
        bool(attributes & _ENCRYPTED) if known & _ENCRYPTED else None,
    )


@cache
def _call() -> _NamedFuncPointer | None:
    try:
        statx = CDLL(None).statx
    except AttributeError:
        return None
    statx.argtypes = (c_int, c_char_p, c_int, c_uint, c_char_p)
    return statx
