"""The seam to RC4: a stream from a key, wherever the library keeps the cipher.

`cryptography` has moved it among its decrepit algorithms; older versions have it with the rest. It is the fastest one
that Python can reach (perf.md 2), and it is loaded when the first handshake needs it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Stream = Callable[[bytes], bytes]


def rc4(key: bytes) -> Stream:
    """A function that encrypts, or decrypts, the next bytes of one stream."""
    cipher, arc4 = loaded()
    # NTLM knows no other cipher; what travels under it is worth what NTLM is worth.
    return cipher(arc4(key), mode=None).encryptor().update  # type: ignore[no-any-return]


def loaded() -> tuple[Any, Any]:
    """The library's cipher and its RC4. ModuleNotFoundError with what to do about it: who asks before a
    handshake begins is told before anything has been sent."""
    try:
        from cryptography.hazmat.primitives.ciphers import Cipher
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "NTLM needs the package cryptography: pip install 'openwmi[wire]'", name="cryptography"
        ) from None
    try:
        from cryptography.hazmat.decrepit.ciphers.algorithms import ARC4
    except ImportError:
        from cryptography.hazmat.primitives.ciphers.algorithms import ARC4
    return Cipher, ARC4
