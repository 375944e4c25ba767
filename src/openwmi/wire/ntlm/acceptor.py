"""The server's side of an NTLM handshake ([MS-NLMP] 3.2.5)."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from openwmi.wire.buffers import Layout
from openwmi.wire.errors import AuthenticationFailed, LocalProtocolError, PeerIncompatible
from openwmi.wire.ntlm import constants as c
from openwmi.wire.ntlm.avpairs import number_of, value_of, write_pairs
from openwmi.wire.ntlm.context import NtlmContext
from openwmi.wire.ntlm.keys import hmac_md5, proof, response_key
from openwmi.wire.ntlm.messages import (
    MIC_OFFSET,
    MIC_SIZE,
    Authenticate,
    Challenge,
    ClientBlob,
    Negotiate,
)
from openwmi.wire.ntlm.rc4 import rc4
from openwmi.wire.ntlm.session import Session

_FILETIME: Final = Layout("Q")
_PROOF: Final = 16
_CLAUSE: Final = "[MS-NLMP] 3.2.5.1.2"
# Of an account that does not exist: checking it takes as long as checking one that does.
_NOBODY: Final = bytes(16)

# (domain, user) as the client sent them -> (who that is, NT hash), or None.
Accounts = Callable[[str, str], tuple[Any, bytes] | None]


@dataclass(frozen=True, slots=True)
class ServerNames:
    """What the server calls itself in its challenge."""

    netbios_computer: str
    netbios_domain: str
    dns_computer: str
    dns_domain: str

    def pairs(self, filetime: int) -> tuple[tuple[int, bytes], ...]:
        """In the order that all known clients read (wire.md 4.1)."""
        names = (
            (c.AV_NETBIOS_DOMAIN, self.netbios_domain),
            (c.AV_NETBIOS_COMPUTER, self.netbios_computer),
            (c.AV_DNS_DOMAIN, self.dns_domain),
            (c.AV_DNS_COMPUTER, self.dns_computer),
        )
        texts = tuple((number, name.encode("utf-16-le")) for number, name in names)
        return (*texts, (c.AV_TIMESTAMP, _FILETIME.pack(filetime)))


class Acceptor(NtlmContext):
    """Finds out who logs on.

    challenge: 8 fresh random bytes; filetime: now; accounts: the account store; targets: whether a service name that
    the client says it wants is ours (None: any); require_mic: refuse clients that send none, impacket's among them.
    """

    def __init__(
        self,
        accounts: Accounts,
        names: ServerNames,
        challenge: bytes,
        *,
        filetime: int,
        targets: Callable[[str], bool] | None = None,
        require_mic: bool = False,
        require_key_exchange: bool = True,
    ) -> None:
        super().__init__()
        if len(challenge) != 8:
            raise LocalProtocolError("a challenge has eight bytes", "[MS-NLMP] 2.2.1.2")
        self._accounts = accounts
        self._names = names
        self._challenge = challenge
        self._filetime = filetime
        self._targets = targets
        self._require_mic = require_mic
        self._required = c.REQUIRED | (c.KEY_EXCHANGE if require_key_exchange else 0)
        self._opening = b""
        self._asked = b""
        self._flags = 0

    def step(self, token: bytes) -> bytes:
        """NEGOTIATE gives CHALLENGE; AUTHENTICATE gives b"", and `identity`, or AuthenticationFailed."""
        if self.complete:
            raise LocalProtocolError("the NTLM handshake is over")
        if not self._asked:
            return self._ask(token)
        self._judge(token)
        return b""

    def _ask(self, raw: bytes) -> bytes:
        wanted = Negotiate.decode(raw).flags
        self._check_flags(wanted)
        always = c.NTLM | c.TARGET_INFO | c.ALWAYS_SIGN | c.REQUEST_TARGET | c.TARGET_TYPE_SERVER
        self._flags = (wanted & c.SUPPORTED) | always
        info = write_pairs(self._names.pairs(self._filetime))
        self._opening = raw
        self._asked = Challenge(self._flags, self._challenge, self._names.netbios_computer, info).encode()
        return self._asked

    def _check_flags(self, flags: int) -> None:
        missing = self._required & ~flags
        if missing:
            raise PeerIncompatible(
                f"the client does without NTLM flags 0x{missing:08X}", "[MS-NLMP] 3.2.5.1.1"
            )

    def _judge(self, raw: bytes) -> None:
        message = Authenticate.decode(raw)
        flags = message.flags & self._flags
        self._check_flags(flags)
        if message.flags & c.ANONYMOUS or not (message.user or message.nt_response):
            raise AuthenticationFailed("anonymous log-ons are not accepted", _CLAUSE)
        if len(message.nt_response) <= 24:
            raise AuthenticationFailed("NTLM version 1 is not accepted", _CLAUSE)
        sent, raw_blob = message.nt_response[:_PROOF], message.nt_response[_PROOF:]
        blob = ClientBlob.decode(raw_blob)

        account = self._accounts(message.domain, message.user)
        key = response_key(account[1] if account else _NOBODY, message.user, message.domain)
        # Over the client's own bytes: a blob put together again need not be the same one (wire.md 4.3).
        expected = proof(key, self._challenge, raw_blob)
        if not hmac.compare_digest(expected, sent) or account is None:
            raise AuthenticationFailed(
                f"{message.domain}\\{message.user}: unknown user or wrong password", _CLAUSE
            )

        exported = base = hmac_md5(key, expected)
        exchanged = bool(flags & c.KEY_EXCHANGE)
        if exchanged:
            if len(message.session_key) != 16:
                raise AuthenticationFailed("an exchanged key has 16 bytes", _CLAUSE)
            exported = rc4(base)(message.session_key)
        self._check_mic(raw, message, blob, exported)
        self._check_target(blob)
        self.identity = account[0]
        self._session = Session(exported, initiator=False, exchanged=exchanged)

    def _check_mic(self, raw: bytes, message: Authenticate, blob: ClientBlob, exported: bytes) -> None:
        """Whether there is a MIC, the proven part of the message says, and nothing else (wire.md 4.1)."""
        if not number_of(blob.pairs, c.AV_FLAGS) & c.AV_FLAG_MIC:
            if self._require_mic:
                raise AuthenticationFailed("the handshake carries no integrity code", _CLAUSE)
            return
        blank = raw[:MIC_OFFSET] + bytes(MIC_SIZE) + raw[MIC_OFFSET + MIC_SIZE :]
        expected = hmac_md5(exported, self._opening, self._asked, blank)
        if not hmac.compare_digest(expected, message.mic):
            raise AuthenticationFailed("the handshake was changed on its way", _CLAUSE)

    def _check_target(self, blob: ClientBlob) -> None:
        name = (value_of(blob.pairs, c.AV_TARGET_NAME) or b"").decode("utf-16-le", "replace")
        if name and self._targets is not None and not self._targets(name):
            raise AuthenticationFailed(f"the client wants to log on to {name!r}", _CLAUSE)
