"""Whom a descriptor names: from what a person writes to a SID, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.accounts.accounts import identity_of
from openwmi.accounts.callers import remote_caller
from openwmi.accounts.unixusers import unix_user
from openwmi.cli.options import Misuse
from openwmi.contract.caller import Caller, unix_group_sid, unix_sid
from openwmi.model import sids
from openwmi.model.sids import ALIASES, NAMES, InvalidDescriptor, Sid

if TYPE_CHECKING:
    from openwmi.accounts import Account, Accounts

_UNIX: str = "unix:"
_GROUP: str = "unix-group:"


class Trustees:
    """The accounts of a store, the users and groups of this machine, and the SIDs that every machine knows."""

    def __init__(self, accounts: Accounts) -> None:
        self._by_sid = {one.sid: one for one in accounts.accounts}

    def sid(self, text: str) -> Sid:
        """An account, `unix:USER`, `unix-group:GROUP`, a name like Everyone, the letters of SDDL, or a SID."""
        account = next((one for one in self._by_sid.values() if one.key == text.casefold()), None)
        if account is not None:
            return account.sid
        if text.startswith(_UNIX):
            return _unix_user(text.removeprefix(_UNIX))
        if text.startswith(_GROUP):
            return _unix_group(text.removeprefix(_GROUP))
        known = {name.casefold(): sid for sid, name in NAMES.items()}
        found = ALIASES.get(text) or known.get(text.casefold())
        if found is not None:
            return found
        try:
            return Sid.parse(text)
        except InvalidDescriptor:
            raise Misuse(
                f"there is no account {text}, and it is no name or SID that every machine knows"
            ) from None

    def name(self, sid: Sid | None) -> str:
        """What people call a SID, or its text."""
        if sid is None:
            return "?"
        account = self._by_sid.get(sid)
        return account.name if account is not None else NAMES.get(sid) or _unix_name(sid) or str(sid)

    def caller(self, sid: Sid) -> Caller:
        """Whoever has this SID, as a caller from another machine: an account with all of its groups."""
        account: Account | None = self._by_sid.get(sid)
        if account is not None:
            return remote_caller(identity_of(account))
        everybody = (str(sids.EVERYONE),) if sid != sids.EVERYONE else ()
        return Caller(str(sid), self.name(sid), everybody, granted=0, remote=True)


def _unix_user(name: str) -> Sid:
    found = unix_user(name)
    if found is None:
        raise Misuse(f"there is no Unix user {name} on this machine")
    return Sid.parse(unix_sid(found.uid))


def _unix_group(name: str) -> Sid:
    import grp

    try:
        return Sid.parse(unix_group_sid(grp.getgrnam(name).gr_gid))
    except KeyError:
        raise Misuse(f"there is no Unix group {name} on this machine") from None


def _unix_name(sid: Sid) -> str | None:
    """The name of a Unix user or group, None for other SIDs and for those that this machine does not know."""
    import grp
    import pwd

    if sid.authority != 22 or len(sid.parts) != 2:
        return None
    kind, number = sid.parts
    try:
        if kind == 1:
            return _UNIX + pwd.getpwuid(number).pw_name
        return _GROUP + grp.getgrgid(number).gr_name if kind == 2 else None
    except (KeyError, OverflowError):
        return None
