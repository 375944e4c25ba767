"""The client's side of a negotiation (RFC 4178 5, [MS-SPNG] 3.1.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.wire.errors import AuthenticationFailed, LocalProtocolError, PeerMisbehaved
from openwmi.wire.spnego.mechanisms import Mechanism, Negotiated
from openwmi.wire.spnego.tokens import NegState, NegTokenInit, NegTokenResp, mechanism_list

if TYPE_CHECKING:
    from collections.abc import Sequence


class SpnegoInitiator(Negotiated):
    """Offers mechanisms, the first with its token at once. mechanisms: (OID, context) in order of preference."""

    def __init__(self, mechanisms: Sequence[tuple[bytes, Mechanism]]) -> None:
        super().__init__()
        if not mechanisms:
            raise LocalProtocolError("nothing to negotiate about", "RFC 4178")
        self._offers = dict(mechanisms)
        self._names = tuple(self._offers)
        self._listed = mechanism_list(self._names)
        self._name: bytes | None = None

    @property
    def _changed(self) -> bool:
        """Whether the server chose another mechanism than our first; by another of its names is not another one."""
        return self.chosen is not self._offers[self._names[0]]

    def step(self, token: bytes) -> bytes:
        if self._done:
            raise LocalProtocolError("the negotiation is over", "RFC 4178")
        if self._chosen is None:
            self._chosen = self._offers[self._names[0]]
            return NegTokenInit(self._names, self._chosen.step(b""), self._listed).encode()
        return self._answer(NegTokenResp.decode(token))

    def _answer(self, theirs: NegTokenResp) -> bytes:
        if theirs.state == NegState.REJECT:
            raise AuthenticationFailed("the server rejects all that was offered", "RFC 4178 4.2.2")
        ours = self._settle(theirs)
        mic = None
        if self.chosen.complete:
            if theirs.mic is not None:
                self._see_mic(self._listed, theirs.mic)
            if not self._mic_sent and theirs.state != NegState.ACCEPT_COMPLETED:
                mic = self._make_mic(self._listed)
        if theirs.state == NegState.ACCEPT_COMPLETED:
            self._finish()
        if ours is None and mic is None:
            return b""
        return NegTokenResp(NegState.ACCEPT_INCOMPLETE, None, ours or None, mic).encode()

    def _settle(self, theirs: NegTokenResp) -> bytes | None:
        """Take the server's choice and its token; our next token, None for none."""
        if self._name is None:
            self._name = theirs.mechanism or self._names[0]
            if self._name not in self._offers:
                raise PeerMisbehaved("the server chose what was not offered", "RFC 4178 5")
            self._chosen = self._offers[self._name]
            if self._changed:
                return self._chosen.step(b"") if theirs.token is None else self._moved_on(theirs.token)
        elif theirs.mechanism not in (None, self._name):
            raise PeerMisbehaved("the server changed its choice", "RFC 4178 5")
        return None if theirs.token is None else self._moved_on(theirs.token)

    def _moved_on(self, token: bytes) -> bytes | None:
        if self.chosen.complete:
            raise PeerMisbehaved("a token after the mechanism's last", "RFC 4178 5")
        return self.chosen.step(token) or None

    def _finish(self) -> None:
        if not self.chosen.complete:
            raise PeerMisbehaved("accepted before the mechanism is done", "RFC 4178 4.2.2")
        if self._changed and not self._mic_seen:
            raise AuthenticationFailed("the choice of the mechanism is not signed", "RFC 4178 5")
        self._done = True
