"""For whom a consumer acts: with the rights of the service for its owner, else as the Unix user of the creator."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_ACCESS_DENIED

if TYPE_CHECKING:
    from openwmi.contract.caller import Caller


class User(NamedTuple):
    """A Unix user to become."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str


def user_of(caller: Caller) -> User | None:
    """Whom to become before acting; None where the service acts as itself. ACCESS_DENIED where it may act for the
    creator as nobody at all: one of another machine whose account stands for no Unix user (DESIGN.md section 5)."""
    if not caller.remote:
        return None
    user = caller.runs_as
    if user is None:
        raise error(
            WBEM_E_ACCESS_DENIED,
            f"{caller.name} created this, whose account stands for no user of this machine",
        )
    if user.uid == os.geteuid():
        return None
    if os.geteuid() != 0:
        raise error(
            WBEM_E_ACCESS_DENIED, f"the service may not act as {user.name}, who created this: it is not root"
        )
    return User(*user, _home(user.uid))


def _home(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_dir
    except KeyError:
        return "/"
