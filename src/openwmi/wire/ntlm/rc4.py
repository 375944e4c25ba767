"""The seam to RC4: a stream from a key, wherever the library keeps the cipher.

`cryptography` has moved it among its decrepit algorithms; older versions have it with the rest. It is the fastest one
that Python can reach (perf.md 2), and it is loaded when the first handshake needs it.
"""

from __future__ import annotations

from collections.abc import Callable

Stream = Callable[[bytes], bytes]


def rc4(key: bytes) -> Stream:
    """A function that encrypts, or decrypts, the next bytes of one stream."""
    from cryptography.hazmat.primitives.ciphers import Cipher

    try:
        from cryptography.hazmat.decrepit.ciphers.algorithms import ARC4
    except ImportError:
        from cryptography.hazmat.primitives.ciphers.algorithms import ARC4
    # NTLM knows no other cipher; what travels under it is worth what NTLM is worth.
    return Cipher(ARC4(key), mode=None).encryptor().update  # noqa: S304
