"""Who logs on to a connection: accepting handshakes, with the account store behind them."""

from __future__ import annotations

import logging
import os
import time
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from openwmi.model.datetimes import filetime
from openwmi.remote.inbound.keytabs import Keys
from openwmi.remote.outbound.tickets import fetched
from openwmi.wire import kerberos
from openwmi.wire.ntlm import Acceptor, Credential, Initiator, ServerNames
from openwmi.wire.ntlm.initiator import RANDOMNESS
from openwmi.wire.rpc import AuthType
from openwmi.wire.spnego import accepting, initiating

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from openwmi.contract.logon import Attempt, Authority, Identity
    from openwmi.remote.inbound import Association
    from openwmi.wire.rpc import SecurityContext
    from openwmi.wire.rpc.events import AuthenticationRefused, Established

_LOG: Final = logging.getLogger("openwmi.logon")


class Principal:
    """Who has proven to be somebody, and how: what a security context of ours calls its identity.

    credential: what proves to the client in turn who we are. After NTLM that is the account's own secret; after
    Kerberos the principal of ours that the client has authenticated.
    """

    __slots__ = ("credential", "identity")

    def __init__(self, identity: Identity, credential: Credential | kerberos.Credential) -> None:
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
        self._keys = Keys()
        self._proven: WeakKeyDictionary[Association, list[Principal]] = WeakKeyDictionary()

    def accept(self, auth_type: int, level: int, association: Association) -> SecurityContext | None:
        """The accepting side of one handshake; None for a kind that this server does not have."""
        attempt = self._authority.attempt(association.peer.host)
        keytab = self._authority.keytab
        keys = self._keys.of(keytab) if keytab is not None and auth_type != AuthType.NTLM else None

        def by_kerberos() -> kerberos.Acceptor:
            assert keys is not None
            return self._kerberos(attempt, keys)

        context: SecurityContext
        if auth_type == AuthType.NTLM:
            context = self._ntlm(attempt)
        elif auth_type == AuthType.SPNEGO:
            context = accepting(
                kerberos=None if keys is None else by_kerberos, ntlm=lambda: self._ntlm(attempt)
            )
        elif auth_type == AuthType.KERBEROS and keys is not None:
            context = by_kerberos()
        else:
            return None
        self._attempts[context] = attempt
        return context

    def _kerberos(self, attempt: Attempt, keys: kerberos.ServiceKeys) -> kerberos.Acceptor:
        def principals(name: str) -> Principal | None:
            identity = attempt.principal(name)
            if identity is None:
                return None
            return Principal(identity, keys.credential(context.service))

        context = kerberos.Acceptor(keys, principals)
        return context

    def _ntlm(self, attempt: Attempt) -> Acceptor:
        def accounts(domain: str, user: str) -> tuple[Principal, bytes] | None:
            found = attempt.lookup(domain, user)
            if found is None:
                return None
            identity, hashed = found
            return Principal(identity, Credential(user, domain=domain, hashed=hashed)), hashed

        return Acceptor(accounts, self._names, self._random(8), filetime=self._filetime())

    def valid(self, identity: Identity) -> bool:
        """Whether who has once proven to be somebody still is: accounts may have been removed or changed since."""
        return self._authority.valid(identity)

    def proving(
        self, principal: Principal
    ) -> Callable[[str], SecurityContext] | Callable[[str], Awaitable[SecurityContext]]:
        """How this server proves to a client's machine who it is: the initiating side of handshakes, by the name of
        the service there."""
        credential = principal.credential
        if isinstance(credential, Credential):
            known = credential

            def initiate(target: str) -> SecurityContext:
                return Initiator(known, self._random(RANDOMNESS), filetime=self._filetime(), target=target)

            return initiate
        ticket = credential

        async def prepared(target: str) -> SecurityContext:
            return initiating(kerberos=await fetched(kerberos.Initiator(ticket, target)))

        return prepared

    def _filetime(self) -> int:
        return filetime(self._now())

    def established(self, association: Association, event: Established) -> None:
        """A handshake has succeeded."""
        attempt = self._attempt(association, event.security_id)
        if attempt is not None:
            attempt.passed()
        if isinstance(event.identity, Principal):
            self._proven.setdefault(association, []).append(event.identity)

    def outdated(self) -> list[Association]:
        """The connections whose accounts have been removed or changed since."""
        known = self._proven.items()
        return [one for one, principals in known if not all(self.valid(each.identity) for each in principals)]

    def refused(self, association: Association, event: AuthenticationRefused) -> float:
        """A handshake has failed: seconds for which its connection is left waiting."""
        attempt = self._attempt(association, event.security_id)
        if attempt is not None:
            return attempt.failed(str(event.error))
        fields = {"address": association.peer.host}
        _LOG.warning("log-on refused: %s", event.error, extra={"fields": fields})
        return 0.0

    def _attempt(self, association: Association, security_id: int) -> Attempt | None:
        context = association.context(security_id)
        return None if context is None else self._attempts.pop(context, None)
