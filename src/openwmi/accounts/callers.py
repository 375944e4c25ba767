"""From accounts to callers: of somebody who has logged on, and of whoever once created something (calls.md B43)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from openwmi.accounts.accounts import EVERYBODY, identity_of
from openwmi.accounts.unixusers import unix_user
from openwmi.contract.caller import Caller, UnixUser, unix_group_sid, unix_sid
from openwmi.contract.flags import ALL_NAMESPACE_RIGHTS
from openwmi.model import sids
from openwmi.model.sids import InvalidDescriptor, Sid

if TYPE_CHECKING:
    from openwmi.accounts.accounts import Accounts
    from openwmi.contract.logon import Identity

_UNIX_USER: Final = (1,)  # S-1-22-1-UID
_ADMINISTRATORS: Final = (*map(str, EVERYBODY), str(sids.ADMINISTRATORS))


def remote_caller(identity: Identity) -> Caller:
    """An account as a caller without any right yet. It is, beside itself, the Unix user that it acts as."""
    runs_as = unix_user(identity.runs_as) if identity.runs_as is not None else None
    groups = (*identity.groups, *_unix_sids(runs_as))
    return Caller(identity.sid, identity.name, groups, granted=0, remote=True, runs_as=runs_as)


def creator(sid: Sid, owner: Caller, accounts: Accounts) -> Caller | None:
    """Who a stored CreatorSID is now; None when there is no such account any more.

    The owner of this process is itself. Administrators are stored as their group (B-43), so that nobody knows which of
    them it was: they have every right here, and act as no Unix user. What another Unix user stored as the owner of the
    same file acts as that user.
    """
    if str(sid) == owner.sid or sid == sids.LOCAL_SYSTEM:
        return owner
    if sid == sids.ADMINISTRATORS:
        return Caller(str(sid), sids.NAMES[sid], _ADMINISTRATORS, granted=ALL_NAMESPACE_RIGHTS, remote=True)
    if sid.authority == 22 and sid.parts[:1] == _UNIX_USER and len(sid.parts) == 2:
        user = unix_user(str(sid.parts[1]))
        if user is None or user.uid != sid.parts[1]:
            return None
        groups = (*_ADMINISTRATORS, *_unix_sids(user))
        return Caller(str(sid), user.name, groups, granted=ALL_NAMESPACE_RIGHTS, remote=True, runs_as=user)
    account = accounts.of_sid(str(sid))
    return remote_caller(identity_of(account)) if account is not None else None


def sid_of(sid: Sid | bytes | str) -> Sid | None:
    """A SID in any of its forms; None for what is none."""
    if isinstance(sid, Sid):
        return sid
    try:
        return Sid.parse(sid) if isinstance(sid, str) else Sid.decode(sid)
    except InvalidDescriptor:
        return None


def _unix_sids(user: UnixUser | None) -> tuple[str, ...]:
    if user is None:
        return ()
    return (unix_sid(user.uid), *map(unix_group_sid, user.groups))
