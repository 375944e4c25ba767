"""Nobody remote acts as the service: what a provider guards is read and done in a process that is the caller's own Unix
user, or not at all (DESIGN.md section 5). Only remote callers come here (service.execution).

The process is a host process like those of registered providers (service.registered), started as that user. Where the
service cannot become the user, since it is not root, only its own user can be acted as.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Final

from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_ACCESS_DENIED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from openwmi.contract.caller import Caller, UnixUser
    from openwmi.model.classes import Class
    from openwmi.service.execution import Execution
    from openwmi.service.hosting import HostedProvider

_LOG: Final = logging.getLogger("openwmi.hosts")


def reader(execution: Execution, class_: Class, columns: Iterable[str]) -> HostedProvider:
    """Who reads instances of a class for this caller: the provider here, which leaves out what it guards, or the one in
    the caller's own process."""
    hosted = execution.space.providers.of(class_)
    guard = hosted.guard(class_.name)
    if guard is None or not (guard.instances or guard.columns.intersection(columns)):
        return hosted
    return _deputy(execution, hosted) or hosted


def writer(execution: Execution, class_: Class) -> HostedProvider:
    """Who writes instances of a dynamic class for this caller; ACCESS_DENIED when only its own process may."""
    hosted = execution.space.providers.of(class_)
    guard = hosted.guard(class_.name)
    if guard is None or not guard.writes:
        return hosted
    found = _deputy(execution, hosted)
    if found is None:
        raise _denied(execution.caller, f"change {class_.name}")
    return found


def runner(
    execution: Execution, class_: Class, method: str
) -> tuple[HostedProvider, Mapping[str, object] | None]:
    """Who runs a method for this caller; or, for one who may not, the answer that the method gives to say so.
    ACCESS_DENIED where it has none."""
    hosted = execution.space.providers.of(class_)
    guard = hosted.guard(class_.name)
    if guard is None or method.lower() not in guard.methods:
        return hosted, None
    found = _deputy(execution, hosted)
    if found is not None:
        return found, None
    refusal = guard.methods[method.lower()]
    if refusal is None:
        raise _denied(execution.caller, f"run {class_.name}.{method}")
    return hosted, refusal


def _denied(caller: Caller, deed: str) -> Exception:
    return error(
        WBEM_E_ACCESS_DENIED,
        f"{caller.name} may not {deed}: the account acts as no Unix user of this machine that the service can become",
    )


def _deputy(execution: Execution, hosted: HostedProvider) -> HostedProvider | None:
    """The provider in a process of the caller's own user; None when there cannot be one."""
    user = execution.caller.runs_as
    if user is None or hosted.deputy is None or not can_become(user):
        return None
    return execution.space.providers.acting(hosted, user)


def can_become(user: UnixUser) -> bool:
    """Whether a process of this service can be that user: root can be anybody, others only themselves."""
    mine = os.geteuid() if hasattr(os, "geteuid") else None
    if mine in (0, user.uid):
        return True
    _LOG.warning("the service is not root: it cannot act as %s", user.name)
    return False


def account_of(user: UnixUser) -> str:
    """The user as the name of a host process's account (registered.hosted)."""
    return f"unix:{user.name}:{user.uid}:{user.gid}:{','.join(map(str, user.groups))}"
