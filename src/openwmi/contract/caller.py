"""Who is calling: the frozen identity that every Services carries (DESIGN.md section 2, calls.md A13)."""

from __future__ import annotations

from typing import NamedTuple

from openwmi.contract.flags import ALL_NAMESPACE_RIGHTS

RPC_C_AUTHN_LEVEL_CONNECT = 2
RPC_C_AUTHN_LEVEL_PKT_INTEGRITY = 5
RPC_C_AUTHN_LEVEL_PKT_PRIVACY = 6
RPC_C_IMP_LEVEL_IMPERSONATE = 3


class UnixUser(NamedTuple):
    """A user of this machine, with everything that the kernel looks at."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...] = ()


class Caller(NamedTuple):
    """A principal as log-on saw it. `granted` is computed once, at log-on, and never again (A13).

    runs_as: the Unix user that a remote caller acts as here; None for one who has no such user, and for the owner.
    """

    sid: str
    name: str
    groups: tuple[str, ...] = ()
    granted: int = ALL_NAMESPACE_RIGHTS
    locale: str = "MS_409"
    auth_level: int = RPC_C_AUTHN_LEVEL_PKT_PRIVACY
    impersonation: int = RPC_C_IMP_LEVEL_IMPERSONATE
    address: str | None = None
    remote: bool = False
    runs_as: UnixUser | None = None

    def holds(self, right: int) -> bool:
        """Whether every bit of `right` was granted."""
        return self.granted & right == right


def unix_sid(uid: int) -> str:
    """The SID of a Unix user: S-1-22-1-UID (DESIGN.md section 2)."""
    return f"S-1-22-1-{uid}"


def unix_group_sid(gid: int) -> str:
    """The SID of a Unix group: S-1-22-2-GID."""
    return f"S-1-22-2-{gid}"
