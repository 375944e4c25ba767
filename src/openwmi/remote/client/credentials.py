"""Who logs on at another machine, and with what: NTLM, Kerberos, or what the two sides agree on.

Secrets live here and nowhere else; nothing prints them.
"""

from __future__ import annotations

import os
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, Literal

from openwmi.model import datetimes
from openwmi.model.errors import error
from openwmi.model.status import SEC_E_NO_CREDENTIALS, WBEM_E_INVALID_PARAMETER
from openwmi.remote.outbound.network import Security
from openwmi.remote.outbound.tickets import fetched
from openwmi.remote.places import is_literal
from openwmi.wire.errors import AuthenticationFailed
from openwmi.wire.ntlm import Credential, Initiator, nt_hash
from openwmi.wire.ntlm.initiator import RANDOMNESS
from openwmi.wire.rpc.constants import AuthLevel

if TYPE_CHECKING:
    from openwmi.wire import kerberos
    from openwmi.wire.rpc.security import SecurityContext

Auth = Literal["negotiate", "ntlm", "kerberos"]

LEVELS: Final = {"integrity": AuthLevel.INTEGRITY, "privacy": AuthLevel.PRIVACY}


def filetime() -> int:
    """Now, as NTLM says it: 100 ns since 1601."""
    return datetimes.filetime(time.time())


class Credentials:
    r"""A user with a password, an NT hash, a keytab or a ticket cache; without a user, whoever holds the default cache.

    user: `name`, `DOMAIN\name` or `name@realm`. auth: the protocol, "negotiate" for Kerberos where there are tickets
    and NTLM elsewhere. level: of every message both ways, "privacy" or "integrity".
    """

    def __init__(
        self,
        user: str | None = None,
        password: str | None = None,
        *,
        nt_hash: str | None = None,
        keytab: str | None = None,
        ccache: str | None = None,
        auth: Auth = "negotiate",
        level: Literal["privacy", "integrity"] = "privacy",
    ) -> None:
        self.user = user or ""
        self.auth: Auth = auth
        self.level = LEVELS[level]
        self._password = password
        self._hash = _hash_of(nt_hash)
        self.keytab = keytab
        self._ccache = ccache

    def __repr__(self) -> str:
        return f"Credentials({self.user!r}, auth={self.auth!r}, level={self.level.name})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Credentials) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((self.user, self.auth, self.level))

    @property
    def account(self) -> tuple[str, str]:
        """(domain, name), as NTLM sends them: a user principal name is a name without a domain."""
        domain, separator, name = self.user.partition("\\")
        return (domain, name) if separator else ("", self.user)

    @property
    def secret(self) -> bytes | None:
        """The NT hash, by which a callback shows that it comes from where we logged on; None without NTLM."""
        if self._hash is not None:
            return self._hash
        return None if self._password is None else nt_hash(self._password)

    @property
    def lasting(self) -> bool:
        """Whether equal credentials are the same user at any time; what a ticket cache holds changes."""
        return bool(self.user) and not self._ccache and (self.secret is not None or self.keytab is not None)

    @property
    def has_tickets(self) -> bool:
        """Whether Kerberos has something to go by, other than a password that may be NTLM's alone."""
        return bool(self.keytab or self._ccache or "@" in self.user or not self.user)

    def securities(self, host: str) -> list[Security]:
        """How an association with a host may log on, the best way first. With "negotiate" a host that takes nothing but
        negotiation gets that, around NTLM."""
        first = self.security(host)
        if self.auth != "negotiate" or self._wants_kerberos(host):
            return [first]
        return [first, Security(self._negotiated_ntlm, self.level)]

    def security(self, host: str) -> Security:
        """How an association with a host logs on. SEC_E_NO_CREDENTIALS where there is nothing to log on with."""
        if self._wants_kerberos(host):
            return Security(self._negotiated, self.level)
        if self.secret is None:
            raise error(SEC_E_NO_CREDENTIALS, self._lacking())
        return Security(self._ntlm, self.level)

    def _wants_kerberos(self, host: str) -> bool:
        if self.auth != "negotiate":
            return self.auth == "kerberos"
        named = not is_literal(host) or self.secret is None
        return named and self.has_tickets and find_spec("gssapi") is not None

    def _lacking(self) -> str:
        if self.user and self.auth != "kerberos":
            return f"a password or an NT hash of {self.user} is missing"
        return "nobody to log on as: a user and a password, or Kerberos tickets, are missing"

    def _ntlm(self, target: str) -> Initiator:
        domain, name = self.account
        credential = Credential(name, domain=domain, hashed=self.secret)
        return Initiator(credential, os.urandom(RANDOMNESS), filetime=filetime(), target=target)

    def _negotiated_ntlm(self, target: str) -> SecurityContext:
        from openwmi.wire import spnego

        return spnego.initiating(ntlm=self._ntlm(target))

    async def _negotiated(self, target: str) -> SecurityContext:
        """Kerberos; with "negotiate" NTLM instead where no ticket is to be had and NTLM is an option."""
        from openwmi.wire import kerberos, spnego

        context = kerberos.Initiator(self._kerberos(), target)
        try:
            await fetched(context)
        except AuthenticationFailed as reason:
            if not (self.user or self.keytab or self._ccache):
                raise error(SEC_E_NO_CREDENTIALS, f"{self._lacking()} ({reason})") from reason
            if self.auth == "kerberos" or self.secret is None:
                raise
            return self._ntlm(target)
        if self.auth == "kerberos":
            return context
        ntlm = None if self.secret is None else self._ntlm(target)
        return spnego.initiating(kerberos=context, ntlm=ntlm)

    def _kerberos(self) -> kerberos.Credential:
        from openwmi.wire import kerberos

        if self.keytab:
            return kerberos.Credential.keytab(self._principal(), self.keytab)
        if self._ccache or self._password is None:
            return kerberos.Credential.ccache(self._ccache, user=self._principal() or None)
        return kerberos.Credential.password(self._principal(), self._password)

    def _principal(self) -> str:
        domain, name = self.account
        return f"{name}@{domain.upper()}" if domain else name


def _hash_of(text: str | None) -> bytes | None:
    """32 hexadecimal digits, also as the second half of `LM:NT`."""
    if text is None:
        return None
    try:
        found = bytes.fromhex(text.rpartition(":")[2])
    except ValueError:
        found = b""
    if len(found) != 16:
        raise error(WBEM_E_INVALID_PARAMETER, "an NT hash has 32 hexadecimal digits", parameter="nt_hash")
    return found
