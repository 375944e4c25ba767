"""The accounts as a server and as their administrator see them. Implements contract.logon.Authority."""

from __future__ import annotations

import logging
import os
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from openwmi.accounts import file
from openwmi.accounts.record import Account, checked_name
from openwmi.accounts.throttle import Throttle
from openwmi.contract.logon import Identity, printable
from openwmi.model import sids
from openwmi.model.errors import WbemError, error
from openwmi.model.sids import Sid
from openwmi.model.status import (
    WBEM_E_ALREADY_EXISTS,
    WBEM_E_INVALID_PARAMETER,
    WBEM_E_NOT_FOUND,
    WBEM_E_QUOTA_VIOLATION,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from openwmi.accounts.file import Content

_LOG: Final = logging.getLogger("openwmi.logon")
_KEYTAB: Final = "krb5.keytab"
EVERYBODY: Final = (
    sids.EVERYONE,
    sids.NETWORK,
    sids.AUTHENTICATED_USERS,
    sids.USERS,
    sids.REMOTE_MANAGEMENT_USERS,
)
_SHOWN: Final = 80


class Known(NamedTuple):
    """An account, and who somebody is that has proven to be it."""

    account: Account
    identity: Identity


class Index(NamedTuple):
    """The accounts by all that they are looked up by, so that a look-up takes as long whoever there is."""

    names: dict[str, Known]
    sids: dict[str, Known]
    principals: dict[str, Known]


def indexed(accounts: Iterable[Account]) -> Index:
    index = Index({}, {}, {})
    for one in accounts:
        known = Known(one, identity_of(one))
        index.names[one.key] = index.sids[known.identity.sid] = known
        index.principals.update(dict.fromkeys(one.principals, known))
    return index


class Accounts:
    """The store in a folder. Usable from any thread; what another process changes is seen at the next attempt.

    names: what a client may give as its domain, beside "" and ".", to mean an account of ours. clock: seconds,
    monotonic.
    """

    def __init__(
        self, folder: str, *, names: Iterable[str] = (), clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.path = os.path.join(folder, file.NAME)
        self._domains = frozenset(("", ".", *(name.casefold() for name in names)))
        self._clock = clock
        self._throttle = Throttle()
        self._lock = threading.Lock()
        self._seen: file.Signature = None
        self._index: Index | None = None
        self._complained: str | None = None

    # What a server asks

    @property
    def keytab(self) -> str | None:
        path = os.path.join(os.path.dirname(self.path), _KEYTAB)
        return path if os.path.exists(path) else None

    def attempt(self, address: str) -> Attempt:
        return Attempt(self, address)

    def valid(self, identity: Identity) -> bool:
        found = self._refresh().sids.get(identity.sid)
        return found is not None and found.identity == identity

    def reload(self) -> None:
        with self._lock:
            self._seen = None
            self._index = None
        self._refresh()

    def find(self, domain: str, user: str) -> Known | None:
        """The account of these names as a client sends them: of a domain first, then of this machine (wire.md 4.1)."""
        index = self._refresh()
        if not domain and "@" in user:
            user, _, domain = user.rpartition("@")
        # Both, always: what there is must not show in the time that this takes.
        theirs = index.names.get(f"{domain}\\{user}".casefold())
        ours = index.names.get(user.casefold())
        return theirs or (ours if domain.casefold() in self._domains else None)

    def of_principal(self, principal: str) -> Known | None:
        """The account that a Kerberos principal was given to; its case counts, as in Kerberos."""
        return self._refresh().principals.get(principal)

    def of_sid(self, sid: str) -> Account | None:
        found = self._refresh().sids.get(sid)
        return found.account if found is not None else None

    def _refresh(self) -> Index:
        """The accounts as they are now; nobody while the file cannot be used."""
        try:
            seen = file.signature(self.path)
            with self._lock:
                if seen != self._seen or self._index is None:
                    content = file.load(self.path)
                    self._index = indexed(content.accounts if content is not None else ())
                    self._seen = seen
                self._complained = None
                return self._index
        except (WbemError, OSError) as reason:
            if str(reason) != self._complained:
                self._complained = str(reason)
                _LOG.error("nobody can log on: %s", reason)
            return indexed(())

    # What an administrator does

    @property
    def accounts(self) -> tuple[Account, ...]:
        """All, in order of their names. WBEM_E_FAILED when the file cannot be used."""
        content = file.load(self.path)
        return tuple(sorted(content.accounts, key=lambda one: one.key)) if content is not None else ()

    def named(self, name: str) -> Account:
        """The account of that name; NOT_FOUND when there is none."""
        content = file.load(self.path)
        found = content.named(name) if content is not None else None
        if found is None:
            failure = error(WBEM_E_NOT_FOUND, f"there is no account {name}", parameter=name)
            failure.hint = "openwmi user ls    lists the accounts"
            raise failure
        return found

    def add(
        self,
        name: str,
        hashed: bytes | None,
        *,
        admin: bool = False,
        runs_as: str | None = None,
        principals: Iterable[str] = (),
    ) -> Account:
        """A new account; ALREADY_EXISTS when the name, or one of its principals, is taken."""
        try:
            checked_name(name)
        except ValueError as reason:
            raise error(WBEM_E_INVALID_PARAMETER, str(reason), parameter=name) from None
        with file.alone(self.path):
            content = file.load(self.path) or file.fresh()
            if content.named(name) is not None:
                raise error(WBEM_E_ALREADY_EXISTS, f"there is an account {name} already", parameter=name)
            if len(content.accounts) >= file.MAX_ACCOUNTS:
                raise error(WBEM_E_QUOTA_VIOLATION, f"there are {file.MAX_ACCOUNTS} accounts, the limit")
            sid = Sid(content.machine.authority, (*content.machine.parts, content.following))
            account = Account(name, sid, hashed, admin, runs_as, tuple(dict.fromkeys(principals)))
            self._store(content._replace(following=content.following + 1), account)
        return account

    def change(
        self,
        name: str,
        *,
        hashed: bytes | None = None,
        admin: bool | None = None,
        runs_as: str | None = None,
        principals: Iterable[str] | None = None,
    ) -> Account:
        """Give an account another password, or what else is named; None leaves a thing as it is, "" for runs_as takes
        its Unix user away."""
        with file.alone(self.path):
            found = self.named(name)
            account = replace(
                found,
                hashed=found.hashed if hashed is None else hashed,
                admin=found.admin if admin is None else admin,
                runs_as=found.runs_as if runs_as is None else runs_as or None,
                principals=found.principals if principals is None else tuple(dict.fromkeys(principals)),
            )
            content = file.load(self.path)
            assert content is not None
            self._store(content, account)
        return account

    def remove(self, name: str) -> None:
        with file.alone(self.path):
            found = self.named(name)
            content = file.load(self.path)
            assert content is not None
            file.store(
                self.path, content._replace(accounts=tuple(one for one in content.accounts if one != found))
            )

    def _store(self, content: Content, account: Account) -> None:
        others = [one for one in content.accounts if one.key != account.key]
        for one in others:
            if taken := set(one.principals) & set(account.principals):
                raise error(
                    WBEM_E_ALREADY_EXISTS,
                    f"{taken.pop()} belongs to account {one.name} already",
                    parameter=one.name,
                )
        file.store(self.path, content._replace(accounts=(*others, account)))


def identity_of(account: Account) -> Identity:
    """What an account that has proven who it is may be held to: its SID, and the groups it is in."""
    groups = [*EVERYBODY, *((sids.ADMINISTRATORS,) if account.admin else ())]
    return Identity(str(account.sid), account.name, tuple(map(str, groups)), account.runs_as)


class Attempt:
    """One peer's attempt to log on. Implements contract.logon.Attempt."""

    __slots__ = ("_accounts", "_address", "_claimed", "_held")

    def __init__(self, accounts: Accounts, address: str) -> None:
        self._accounts = accounts
        self._address = address
        self._claimed = ""
        self._held = False

    def lookup(self, domain: str, user: str) -> tuple[Identity, bytes] | None:
        """See contract.logon. What is held back is looked up like all else, so that it takes no less time."""
        accounts = self._accounts
        found = accounts.find(domain, user)
        self._claimed = found.account.name if found is not None else f"{domain}\\{user}" if domain else user
        self._held = accounts._throttle.held(self._claimed, self._address, accounts._clock())
        if found is None or found.account.hashed is None or self._held:
            return None
        return found.identity, found.account.hashed

    def principal(self, name: str) -> Identity | None:
        found = self._accounts.of_principal(name)
        self._claimed = name if found is None else found.account.name
        return found.identity if found is not None else None

    @property
    def _who(self) -> str:
        return printable(self._claimed, _SHOWN)

    def passed(self) -> None:
        self._accounts._throttle.passed(self._claimed, self._address)
        _LOG.info(
            "%s logged on from %s",
            self._who,
            self._address,
            extra=self._fields("accepted"),
        )

    def failed(self, reason: str) -> float:
        """Those that are held back are noted in the log once in each hold, and do not prolong it."""
        accounts = self._accounts
        now = accounts._clock()
        if self._held:
            return accounts._throttle.answer(self._claimed, self._address, now)
        seconds = accounts._throttle.failed(self._claimed, self._address, now)
        count = accounts._throttle.failures(self._claimed, self._address, now)
        _LOG.warning(
            "%s could not log on from %s (failure %d): %s",
            self._who,
            self._address,
            count,
            printable(reason, _SHOWN),
            extra=self._fields("refused"),
        )
        return seconds

    def _fields(self, result: str) -> dict[str, dict[str, str]]:
        return {
            "fields": {
                "account": self._who,
                "address": self._address,
                "result": result,
            },
        }
