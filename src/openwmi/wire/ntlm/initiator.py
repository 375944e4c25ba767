"""The client's side of an NTLM handshake ([MS-NLMP] 3.1.5)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from openwmi.wire.buffers import Layout, Reader
from openwmi.wire.errors import LocalProtocolError, PeerIncompatible, PeerMisbehaved
from openwmi.wire.ntlm import constants as c
from openwmi.wire.ntlm.avpairs import Pairs, number_of, read_pairs, value_of, write_pairs
from openwmi.wire.ntlm.context import NtlmContext
from openwmi.wire.ntlm.keys import hmac_md5, proof, response_key
from openwmi.wire.ntlm.messages import Authenticate, Challenge, Negotiate, client_blob
from openwmi.wire.ntlm.rc4 import loaded, rc4
from openwmi.wire.ntlm.session import Session

if TYPE_CHECKING:
    from openwmi.wire.ntlm.credential import Credential

_FLAGS: Final = Layout("I")
RANDOMNESS: Final = 24


class Initiator(NtlmContext):
    """Logs on.

    randomness: 24 fresh bytes (client challenge, session key); filetime: now, in 100 ns since 1601, for servers that do
    not tell the time; target: the service's name, as `host/name`; channel_binding: the MD5 of the channel's bindings.
    """

    def __init__(
        self,
        credential: Credential,
        randomness: bytes,
        *,
        filetime: int,
        target: str = "",
        workstation: str = "",
        channel_binding: bytes = bytes(16),
    ) -> None:
        super().__init__()
        if len(randomness) != RANDOMNESS:
            raise LocalProtocolError(f"an NTLM handshake takes {RANDOMNESS} random bytes")
        loaded()
        self._credential = credential
        self._challenge = randomness[:8]
        self._key = randomness[8:]
        self._filetime = filetime
        self._target = target
        self._workstation = workstation
        self._binding = channel_binding
        self._opening = b""

    def step(self, token: bytes) -> bytes:
        """b"" gives NEGOTIATE, the server's CHALLENGE gives AUTHENTICATE, after which we are done."""
        if self.complete:
            raise LocalProtocolError("the NTLM handshake is over")
        if not self._opening:
            self._opening = Negotiate(c.SUPPORTED).encode()
            return self._opening
        return self._answer(token)

    def _answer(self, raw: bytes) -> bytes:
        challenge = Challenge.decode(raw)
        flags = challenge.flags & c.SUPPORTED
        missing = (c.REQUIRED | c.TARGET_INFO) & ~flags
        if missing:
            raise PeerIncompatible(
                f"the server does without NTLM flags 0x{missing:08X}", "[MS-NLMP] 3.1.5.1.2"
            )
        pairs = read_pairs(Reader(challenge.info, "[MS-NLMP] 2.2.2.1"))
        timestamp = value_of(pairs, c.AV_TIMESTAMP)
        if timestamp is not None and len(timestamp) != 8:
            raise PeerMisbehaved("a timestamp is eight bytes", "[MS-NLMP] 2.2.2.1")
        now = number_of(pairs, c.AV_TIMESTAMP) or self._filetime
        blob = client_blob(now, self._challenge, write_pairs(self._attributes(pairs)))

        user, domain = self._credential.user, self._credential.domain
        key = response_key(self._credential.hashed, user, domain)
        proved = proof(key, challenge.challenge, blob)
        lm = bytes(24)
        if timestamp is None:
            lm = hmac_md5(key, challenge.challenge, self._challenge) + self._challenge
        base = hmac_md5(key, proved)
        exchanged = bool(flags & c.KEY_EXCHANGE)
        exported = self._key if exchanged else base
        encrypted = rc4(base)(exported) if exchanged else b""
        message = Authenticate(
            flags, lm, proved + blob, domain, user, self._workstation, encrypted, bytes(16)
        )
        mic = hmac_md5(exported, self._opening, raw, message.encode())
        self._session = Session(exported, initiator=True, exchanged=exchanged)
        return replace(message, mic=mic).encode()

    def _attributes(self, pairs: Pairs) -> Pairs:
        """The server's attributes with ours among them: that there is a MIC, whom we think we talk to, over what."""
        ours = (c.AV_FLAGS, c.AV_TARGET_NAME, c.AV_CHANNEL_BINDINGS)
        flags = number_of(pairs, c.AV_FLAGS) | c.AV_FLAG_MIC
        return (
            *((number, value) for number, value in pairs if number not in ours),
            (c.AV_FLAGS, _FLAGS.pack(flags & 0xFFFFFFFF)),
            (c.AV_CHANNEL_BINDINGS, self._binding),
            (c.AV_TARGET_NAME, self._target.encode("utf-16-le")),
        )
