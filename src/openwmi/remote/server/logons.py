"""Who logs on to a connection: accepting handshakes, with the account store behind them."""

from __future__ import annotations

import logging
import os
import time
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from openwmi.wire.ntlm import Acceptor, Credential, Initiator, ServerNames
from openwmi.wire.ntlm.initiator import RANDOMNESS
from openwmi.wire.rpc import AuthType
from openwmi.wire.spnego import NTLM, SpnegoAcceptor

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from openwmi.contract.logon import Attempt, Authority, Identity
    from openwmi.remote.inbound import Association
    from openwmi.wire.rpc import SecurityContext
    from openwmi.wire.rpc.events import AuthenticationRefused, Established
    from openwmi.wire.spnego import Mechanism

_LOG: Final = logging.getLogger("openwmi.logon")
_FILETIME_EPOCH: Final = 116_444_736_000_000_000


class Principal:
    """Who has proven to be somebody, and how: what a security context of ours calls its identity.

    credential: the account's own secret where NTLM was the proof, so that we can prove the same to the client; it
    prints without its secret. None after Kerberos.
    """

    __slots__ = ("credential", "identity")

    def __init__(self, identity: Identity, credential: Credential | None = None) -> None:
        self.identity = identity
        self.credential = credential

    def __repr__(self) -> str:
        return f"Principal({self.identity.name!r})"


def sid_of(principal: object) -> str | None:
    """What two log-ons of one account have in common."""
    return principal.identity.sid if isinstance(principal, Principal) else None


class LogOns:
    """Accepts handshakes. names: what the server calls itself; random: n -> n random bytes; now: seconds since 1970."""

    def __init__(
        self,
        authority: Authority,
        names: ServerNames,
        *,
        random: Callable[[int], bytes] = os.urandom,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._authority = authority
        self._names = names
        self._random = random
        self._now = now
        self._attempts: WeakKeyDictionary[SecurityContext, Attempt] = WeakKeyDictionary()

    def accept(self, auth_type: int, level: int, association: Association) -> SecurityContext | None:
        """The accepting side of one handshake; None for a kind that this server does not have."""
        attempt = self._authority.attempt(association.peer.host)
        context: SecurityContext
        if auth_type == AuthType.NTLM:
            context = self._ntlm(attempt)
        elif auth_type == AuthType.SPNEGO:
            context = SpnegoAcceptor(lambda name: self._mechanism(name, attempt))
        else:
            return None
        self._attempts[context] = attempt
        return context

    def _mechanism(self, name: bytes, attempt: Attempt) -> Mechanism | None:
        return self._ntlm(attempt) if name == NTLM else None

    def _ntlm(self, attempt: Attempt) -> Acceptor:
        def accounts(domain: str, user: str) -> tuple[Principal, bytes] | None:
            found = attempt.lookup(domain, user)
            if found is None:
                return None
            identity, hashed = found
            return Principal(identity, Credential(user, domain=domain, hashed=hashed)), hashed

        return Acceptor(accounts, self._names, self._random(8), filetime=self._filetime())

    def initiating(
        self, principal: Principal
    ) -> Callable[[str], SecurityContext | Awaitable[SecurityContext]] | None:
        """How this server proves to a client's machine who it is: the initiating side of handshakes, by the name of
        the service there. None: it cannot."""
        credential = principal.credential
        if credential is None:
            return None
        known = credential

        def initiate(target: str) -> SecurityContext:
            return Initiator(known, self._random(RANDOMNESS), filetime=self._filetime(), target=target)

        return initiate

    def _filetime(self) -> int:
        return _FILETIME_EPOCH + int(self._now() * 10_000_000)

    def established(self, association: Association, event: Established) -> None:
        """A handshake has succeeded."""
        attempt = self._attempt(association, event.security_id)
        if attempt is not None:
            attempt.passed()

    def refused(self, association: Association, event: AuthenticationRefused) -> float:
        """A handshake has failed: seconds for which its connection is left waiting."""
        attempt = self._attempt(association, event.security_id)
        if attempt is not None:
            return attempt.failed(str(event.error))
        fields = {"peer": association.peer.host}
        _LOG.warning("log-on refused: %s", event.error, extra={"fields": fields})
        return 0.0

    def _attempt(self, association: Association, security_id: int) -> Attempt | None:
        context = association.context(security_id)
        return None if context is None else self._attempts.pop(context, None)
