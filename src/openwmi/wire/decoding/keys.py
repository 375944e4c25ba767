"""Secrets that open a capture, and the security contexts of its handshakes, followed from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from openwmi.wire.decoding.kerberos.messages import opened_reply, opened_request
from openwmi.wire.decoding.kerberos.session import Reading as KerberosReading
from openwmi.wire.decoding.tokens import inner
from openwmi.wire.errors import RemoteProtocolError
from openwmi.wire.ntlm.constants import SIGNATURE
from openwmi.wire.ntlm.overhearing import Overheard, overheard
from openwmi.wire.rpc.constants import SUPPORT_HEADER_SIGN, AuthLevel
from openwmi.wire.rpc.security import Security, unprotected
from openwmi.wire.spnego.mechanisms import without_frame

if TYPE_CHECKING:
    from collections.abc import Sequence

    from openwmi.wire.decoding.kerberos.encryption import Key
    from openwmi.wire.decoding.kerberos.keytab import ServiceKey
    from openwmi.wire.ntlm.session import Session
    from openwmi.wire.rpc.frame import Frame, Verifier

_CHALLENGE, _AUTHENTICATE = 2, 3
_AP_REQ, _AP_REP = b"\x6e", b"\x6f"


class Keys:
    """NT hashes of users, and long-term keys of services, whose conversations may be opened. Prints without them."""

    __slots__ = ("_nt_hashes", "_services")

    def __init__(self, nt_hashes: Sequence[bytes] = (), services: Sequence[ServiceKey] = ()) -> None:
        self._nt_hashes = tuple(nt_hashes)
        self._services = tuple(services)

    def __repr__(self) -> str:
        return f"Keys({len(self._nt_hashes)} hashes, {len(self._services)} service keys)"

    def ntlm(self, challenge: bytes, answer: bytes) -> Overheard | None:
        """The sessions of an NTLM handshake; None when nobody's hash fits it."""
        for hashed in self._nt_hashes:
            try:
                return overheard(challenge, answer, hashed)
            except RemoteProtocolError:
                continue
        return None

    def kerberos(self, request: bytes) -> tuple[Key, Key] | None:
        """The session key of an AP-REQ and the client's subkey; None when the ticket is for another service."""
        if not self._services:
            return None
        try:
            return opened_request(request, self._services)
        except RemoteProtocolError:
            return None


NO_KEYS: Final = Keys()


class _Reading:
    """One direction of an overheard session, as `Security` wants a context."""

    complete = True
    identity = None

    def __init__(self, auth_type: int, session: Session) -> None:
        self.auth_type = auth_type
        self._session = session

    def unwrap(
        self, head: bytes, stub: bytes, end: bytes, token: bytes, *, sealed: bool, sign_head: bool
    ) -> bytes:
        if sealed:
            return self._session.unseal(token, head, stub, end)
        self._session.verify(token, head, stub, end)
        return stub


class Handshake:
    """A security context that goes by: its tokens, and once they are all there what opens its messages."""

    def __init__(self, verifier: Verifier, keys: Keys) -> None:
        self.auth_type = verifier.auth_type
        self.level = AuthLevel.PACKET if verifier.level == AuthLevel.CALL else verifier.level
        self._number = verifier.context_id
        self._keys = keys
        self._challenge = b""
        self._ticket: tuple[Key, Key] | None = None
        self._headers: dict[bool, bool] = {}
        self._opened: dict[bool, Security] = {}
        self._sessions: Overheard | None = None
        self._lost: set[bool] = set()

    def token(self, verifier: Verifier, flags: int, *, up: bool) -> None:
        """A token went by; up: from the client."""
        self._headers.setdefault(up, bool(flags & SUPPORT_HEADER_SIGN))
        token, mic = inner(verifier.token)
        if token is not None and token.startswith(SIGNATURE) and len(token) > 8:
            if token[8] == _CHALLENGE:
                self._challenge = token
            elif token[8] == _AUTHENTICATE and self._challenge:
                self._established(self._keys.ntlm(self._challenge, token))
        elif token:
            try:
                self._kerberos(without_frame(token), up=up)
            except RemoteProtocolError:
                pass  # what cannot be read is told with the token itself
        if mic and self._sessions is not None:
            # SPNEGO's MIC took a number of its direction's, after which the cipher begins anew ([MS-SPNG] 3.3.5.1).
            session = self._sessions.at_server if up else self._sessions.at_client
            session.restart_incoming()

    def _kerberos(self, token: bytes, *, up: bool) -> None:
        """AP-REQ up, AP-REP down; the third leg brings nothing new."""
        if up and token[:1] == _AP_REQ:
            self._ticket = self._keys.kerberos(token)
        elif not up and token[:1] == _AP_REP and self._ticket is not None:
            session, subkey = self._ticket
            reading = KerberosReading(self.auth_type, subkey, opened_reply(token, session))
            for way in (True, False):
                self._open(reading, up=way)

    def _established(self, sessions: Overheard | None) -> None:
        if sessions is None:
            return
        self._sessions = sessions
        for up, session in ((True, sessions.at_server), (False, sessions.at_client)):
            self._open(_Reading(self.auth_type, session), up=up)

    def _open(self, context: Any, *, up: bool) -> None:
        # Agreed when both sides have said that they can; NTLM signs headers in any case.
        header = self._headers.get(True, False) and self._headers.get(False, False)
        self._opened[up] = Security(self._number, self.level, context, sign_head=header)

    def lost(self, *, up: bool) -> None:
        """Bytes of this direction are missing: NTLM's stream cipher cannot be picked up behind them."""
        if self._sessions is not None:
            self._lost.add(up)

    def stub(self, frame: Frame, start: int, *, up: bool) -> tuple[bytes | None, str | None]:
        """(the stub in the clear or None, what is to be said about it)."""
        hidden = self.level >= AuthLevel.PRIVACY and frame.verifier is not None
        plain = None if hidden else unprotected(frame, start)
        opened = self._opened.get(up)
        if opened is None or frame.verifier is None:
            return plain, "sealed" if hidden else None
        if up in self._lost:
            return plain, "sealed; the keys are out of step behind a gap" if hidden else None
        try:
            return opened.unprotect(frame, start), "verified"
        except RemoteProtocolError as error:
            self.lost(up=up)
            return plain, f"not verified: {error}"
