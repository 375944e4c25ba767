"""Secrets that open a capture, and the security contexts of its handshakes, followed from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from openwmi.wire.decoding.tokens import inner
from openwmi.wire.errors import RemoteProtocolError
from openwmi.wire.ntlm.constants import SIGNATURE
from openwmi.wire.ntlm.overhearing import Overheard, overheard
from openwmi.wire.rpc.constants import SUPPORT_HEADER_SIGN, AuthLevel
from openwmi.wire.rpc.security import Security, unprotected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from openwmi.wire.ntlm.session import Session
    from openwmi.wire.rpc.frame import Frame, Verifier

_CHALLENGE, _AUTHENTICATE = 2, 3


class Keys:
    """NT hashes of users whose conversations may be opened. Prints without them."""

    __slots__ = ("_nt_hashes",)

    def __init__(self, nt_hashes: Sequence[bytes] = ()) -> None:
        self._nt_hashes = tuple(nt_hashes)

    def __repr__(self) -> str:
        return f"Keys({len(self._nt_hashes)} hashes)"

    def ntlm(self, challenge: bytes, answer: bytes) -> Overheard | None:
        """The sessions of an NTLM handshake; None when nobody's hash fits it."""
        for hashed in self._nt_hashes:
            try:
                return overheard(challenge, answer, hashed)
            except RemoteProtocolError:
                continue
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
        self._opened: dict[bool, Security] = {}
        self._sessions: Overheard | None = None
        self._lost: set[bool] = set()

    def token(self, verifier: Verifier, flags: int, *, up: bool) -> None:
        """A token went by; up: from the client."""
        token, mic = inner(verifier.token)
        if token is not None and token.startswith(SIGNATURE) and len(token) > 8:
            if token[8] == _CHALLENGE:
                self._challenge = token
            elif token[8] == _AUTHENTICATE and self._challenge:
                self._established(self._keys.ntlm(self._challenge, token), flags)
        if mic and self._sessions is not None:
            # SPNEGO's MIC took a number of its direction's, after which the cipher begins anew ([MS-SPNG] 3.3.5.1).
            session = self._sessions.at_server if up else self._sessions.at_client
            session.restart_incoming()

    def _established(self, sessions: Overheard | None, flags: int) -> None:
        if sessions is None:
            return
        self._sessions = sessions
        for up, session in ((True, sessions.at_server), (False, sessions.at_client)):
            context: Any = _Reading(self.auth_type, session)
            header = bool(flags & SUPPORT_HEADER_SIGN)
            self._opened[up] = Security(self._number, self.level, context, sign_head=header)

    def lost(self, *, up: bool) -> None:
        """Bytes of this direction are missing: a stream cipher cannot be picked up behind them."""
        self._lost.add(up)

    def stub(self, frame: Frame, start: int, *, up: bool) -> tuple[bytes | None, str | None]:
        """(the stub in the clear or None, what is to be said about it)."""
        sealed = self.level >= AuthLevel.PRIVACY
        opened = self._opened.get(up)
        if opened is None or frame.verifier is None:
            if sealed and frame.verifier is not None:
                return None, "sealed"
            return unprotected(frame, start), None
        if up in self._lost:
            return (
                (None, "sealed; the keys are out of step behind a gap")
                if sealed
                else (
                    unprotected(frame, start),
                    None,
                )
            )
        try:
            return opened.unprotect(frame, start), "verified"
        except RemoteProtocolError as error:
            self._lost.add(up)
            return (None if sealed else unprotected(frame, start)), f"not verified: {error}"
