"""Messages under the keys of a finished handshake: signed, sealed, checked ([MS-NLMP] 3.4.4.2).

A signature has 16 bytes: version 1, the first 8 of HMAC-MD5(signing key, sequence number + message), which RC4 hides
when keys were exchanged, and the sequence number. RC4 runs on from message to message, so each direction must see its
messages in the order of the wire. The two MD5 states of the HMAC, set up with the key, are copied per message: that is
what makes a fragment cost little more than its RC4 and its MD5 (perf.md 2).
"""

from __future__ import annotations

import hmac
from hashlib import md5
from typing import Final

from openwmi.wire.buffers import Layout
from openwmi.wire.errors import AuthenticationFailed
from openwmi.wire.ntlm.keys import sealing_key, signing_key
from openwmi.wire.ntlm.rc4 import rc4

SIGNATURE_SIZE: Final = 16
_NUMBER: Final = Layout("I")
_BLOCK: Final = 64  # of MD5; RFC 2104 pads its key to one, and has it twice, changed
_INNER: Final = bytes(number ^ 0x36 for number in range(256))
_OUTER: Final = bytes(number ^ 0x5C for number in range(256))
_VERSION: Final = b"\x01\x00\x00\x00"


class _Direction:
    """What one side sends and the other receives."""

    __slots__ = ("_exchanged", "_inner", "_key", "_number", "_outer", "_stream")

    def __init__(self, exported: bytes, *, to_server: bool, exchanged: bool) -> None:
        padded = signing_key(exported, to_server=to_server).ljust(_BLOCK, b"\0")
        self._inner = md5(padded.translate(_INNER), usedforsecurity=False)
        self._outer = md5(padded.translate(_OUTER), usedforsecurity=False)
        self._key = sealing_key(exported, to_server=to_server)
        self._exchanged = exchanged
        self._number = 0
        self.reset()

    def reset(self) -> None:
        self._stream = rc4(self._key)

    def signature(self, head: bytes, body: bytes, end: bytes) -> bytes:
        """The signature of the next message, given in the clear in three parts."""
        number = _NUMBER.pack(self._number)
        self._number = (self._number + 1) & 0xFFFFFFFF
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(number + head)
        inner.update(body)
        inner.update(end)
        outer.update(inner.digest())
        proof = outer.digest()[:8]
        return _VERSION + (self._stream(proof) if self._exchanged else proof) + number

    def crypt(self, body: bytes) -> bytes:
        return self._stream(body)


class Session:
    """Both directions, seen from one side."""

    __slots__ = ("_in", "_out")

    def __init__(self, exported: bytes, *, initiator: bool, exchanged: bool) -> None:
        self._out = _Direction(exported, to_server=initiator, exchanged=exchanged)
        self._in = _Direction(exported, to_server=not initiator, exchanged=exchanged)

    def reset(self, *, outgoing: bool) -> None:
        """Start the cipher of one direction afresh, as SPNEGO does after its mechListMIC; the numbers go on."""
        (self._out if outgoing else self._in).reset()

    def restart_incoming(self) -> None:
        """SPNEGO's mechListMIC went by, checked by somebody else: its number is used up, the cipher begins anew."""
        self._in.signature(b"", b"", b"")
        self._in.reset()

    def sign(self, head: bytes, body: bytes = b"", end: bytes = b"") -> bytes:
        return self._out.signature(head, body, end)

    def seal(self, head: bytes, body: bytes, end: bytes) -> tuple[bytes, bytes]:
        """(sealed body, signature). The body goes through RC4 before the signature does."""
        sealed = self._out.crypt(body)
        return sealed, self._out.signature(head, body, end)

    def verify(self, signature: bytes, head: bytes, body: bytes = b"", end: bytes = b"") -> None:
        if not hmac.compare_digest(self._in.signature(head, body, end), signature):
            raise AuthenticationFailed("a message was changed or is out of order", "[MS-NLMP] 3.4.4.2")

    def unseal(self, signature: bytes, head: bytes, sealed: bytes, end: bytes) -> bytes:
        body = self._in.crypt(sealed)
        self.verify(signature, head, body, end)
        return body
