"""Messages under the keys of a finished handshake: signed, sealed, checked ([MS-NLMP] 3.4.4.2).

A signature has 16 bytes: version 1, the first 8 of HMAC-MD5(signing key, sequence number + message), which RC4 hides
when keys were exchanged, and the sequence number. RC4 runs on from message to message, so each direction must see its
messages in the order of the wire. One HMAC state, set up with the key, is copied per message: that is what makes
a fragment cost little more than its RC4 and its MD5 (perf.md 2).
"""

from __future__ import annotations

import hmac
from typing import Final

from openwmi.wire.buffers import Layout
from openwmi.wire.errors import AuthenticationFailed
from openwmi.wire.ntlm.keys import sealing_key, signing_key
from openwmi.wire.ntlm.rc4 import rc4

SIGNATURE_SIZE: Final = 16
_NUMBER: Final = Layout("I")
_VERSION: Final = b"\x01\x00\x00\x00"


class _Direction:
    """What one side sends and the other receives."""

    __slots__ = ("_exchanged", "_key", "_mac", "_number", "_stream")

    def __init__(self, exported: bytes, *, to_server: bool, exchanged: bool) -> None:
        self._mac = hmac.new(signing_key(exported, to_server=to_server), digestmod="md5")
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
        mac = self._mac.copy()
        mac.update(number + head)
        mac.update(body)
        if end:
            mac.update(end)
        proof = mac.digest()[:8]
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
