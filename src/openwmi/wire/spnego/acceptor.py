"""The server's side of a negotiation (RFC 4178 5, [MS-SPNG] 3.2.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.wire.errors import AuthenticationFailed, LocalProtocolError, PeerMisbehaved
from openwmi.wire.spnego.mechanisms import Mechanism, Negotiated
from openwmi.wire.spnego.tokens import NegState, NegTokenInit, NegTokenResp

if TYPE_CHECKING:
    from collections.abc import Callable


class SpnegoAcceptor(Negotiated):
    """Takes the first mechanism on the client's list that `mechanisms` has a context for."""

    def __init__(self, mechanisms: Callable[[bytes], Mechanism | None]) -> None:
        super().__init__()
        self._mechanisms = mechanisms
        self._listed = b""
        self._name = b""
        self._preferred = True

    def step(self, token: bytes) -> bytes:
        if self._done:
            raise LocalProtocolError("the negotiation is over", "RFC 4178")
        if self._chosen is None:
            return self._open(NegTokenInit.decode(token))
        theirs = NegTokenResp.decode(token)
        if theirs.state == NegState.REJECT:
            raise AuthenticationFailed("the client gives up", "RFC 4178 4.2.2")
        return self._go_on(theirs.token, theirs.mic)

    def _open(self, opening: NegTokenInit) -> bytes:
        for number, name in enumerate(opening.mechanisms):
            context = self._mechanisms(name)
            if context is not None:
                self._chosen, self._name, self._preferred = context, name, number == 0
                break
        else:
            raise AuthenticationFailed("no mechanism in common", "RFC 4178 5")
        self._listed = opening.listed
        if self._preferred and opening.token is not None:
            return self._go_on(opening.token, None, self._name)
        # The token, if there is one, is for a mechanism that we do not have.
        state = NegState.ACCEPT_INCOMPLETE if self._preferred else NegState.REQUEST_MIC
        return NegTokenResp(state, self._name).encode()

    def _go_on(self, token: bytes | None, mic: bytes | None, name: bytes | None = None) -> bytes:
        ours = None
        if token is not None:
            if self.chosen.complete:
                raise PeerMisbehaved("a token after the mechanism's last", "RFC 4178 5")
            ours = self.chosen.step(token) or None
        elif mic is None:
            raise PeerMisbehaved("a leg that says nothing", "RFC 4178 4.2.2")
        if not self.chosen.complete:
            return NegTokenResp(NegState.ACCEPT_INCOMPLETE, name, ours).encode()
        answer = None
        if mic is not None:
            self._see_mic(self._listed, mic)
            answer = self._make_mic(self._listed)
        elif not self._preferred:
            raise AuthenticationFailed("the choice of the mechanism is not signed", "RFC 4178 5")
        self._done = True
        return NegTokenResp(NegState.ACCEPT_COMPLETED, name, ours, answer).encode()
