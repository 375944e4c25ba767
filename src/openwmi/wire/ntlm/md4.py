"""MD4 (RFC 1320), which OpenSSL 3 no longer has by default. Passwords are short, so its speed is no matter."""

from __future__ import annotations

from typing import Final

from openwmi.wire.buffers import Layout

_MASK: Final = 0xFFFFFFFF
_BLOCK: Final = Layout("16I")
_DIGEST: Final = Layout("4I")
_LENGTH: Final = Layout("Q")
_ROUNDS: Final = (
    (0x00000000, (3, 7, 11, 19), (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)),
    (0x5A827999, (3, 5, 9, 13), (0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15)),
    (0x6ED9EBA1, (3, 9, 11, 15), (0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15)),
)


def _mix(number: int, b: int, c: int, d: int) -> int:
    if number == 0:
        return (b & c) | (~b & d)
    if number == 1:
        return (b & c) | (b & d) | (c & d)
    return b ^ c ^ d


def md4(data: bytes) -> bytes:
    """The 16-byte digest."""
    state = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476)
    padded = data + b"\x80" + bytes(-(len(data) + 9) % 64) + _LENGTH.pack(len(data) * 8)
    for start in range(0, len(padded), 64):
        words = _BLOCK.unpack_from(padded, start)
        a, b, c, d = state
        for number, (constant, shifts, order) in enumerate(_ROUNDS):
            for step, index in enumerate(order):
                total = (a + _mix(number, b, c, d) + words[index] + constant) & _MASK
                shift = shifts[step % 4]
                a, b, c, d = d, ((total << shift) | (total >> (32 - shift))) & _MASK, b, c
        state = tuple((old + new) & _MASK for old, new in zip(state, (a, b, c, d), strict=True))  # type: ignore[assignment]
    return _DIGEST.pack(*state)
