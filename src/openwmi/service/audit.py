"""Who called what from another machine, and what came of it: one line each (calls.md I25).

Only names are written down: of the account, the operation and its object. What was passed to a method, or written into
an object, never is.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, NamedTuple

from openwmi.contract import flags as f
from openwmi.contract import operations as ops
from openwmi.contract.logon import printable
from openwmi.contract.operations import parameter_info
from openwmi.model import descriptors as d
from openwmi.model.status import WBEM_E_ACCESS_DENIED, describe, failed
from openwmi.service.access import sids_of

if TYPE_CHECKING:
    from openwmi.contract.caller import Caller
    from openwmi.contract.operations import AnyOperation
    from openwmi.service.namespaces import Namespace

_LOG: Final = logging.getLogger("openwmi.audit")
# What Windows calls "an operation was performed on an object", for what a namespace's SACL asks to be told.
EVENT_ID: Final = 4662
LONGEST: Final = 200
_WRITES: Final = f.WBEM_FULL_WRITE_REP | f.WBEM_PARTIAL_WRITE_REP | f.WBEM_WRITE_PROVIDER
_RIGHTS: Final[dict[type, int]] = {
    ops.PutClass: f.WBEM_FULL_WRITE_REP,
    ops.DeleteClass: f.WBEM_FULL_WRITE_REP,
    ops.PutInstance: _WRITES,
    ops.DeleteInstance: _WRITES,
    ops.ExecMethod: f.WBEM_METHOD_EXECUTE,
}


class AuditEntry(NamedTuple):
    """One operation of a remote caller that has ended, or a subscription that has begun.

    subject: the path, class, query or method; at most LONGEST characters, all printable. event_id: 4662 where the
    namespace's SACL asks for it, else None.
    """

    name: str
    sid: str
    address: str | None
    namespace: str
    operation: str
    subject: str
    status: int
    event_id: int | None = None


def entry(
    caller: Caller,
    space: Namespace,
    operation: str,
    *,
    subject: str = "",
    right: int = f.WBEM_ENABLE,
    status: int,
) -> AuditEntry:
    """What is written down of an operation that ended with `status`, and that needed a right."""
    watched = _is_watched(caller, space, right, denied=status == WBEM_E_ACCESS_DENIED)
    return AuditEntry(
        printable(caller.name, LONGEST),
        caller.sid,
        caller.address,
        printable(space.path, LONGEST),
        operation,
        printable(subject, LONGEST),
        status,
        EVENT_ID if watched else None,
    )


def of_operation(caller: Caller, space: Namespace, operation: AnyOperation, status: int) -> AuditEntry:
    subject = parameter_info(operation) or ""
    if isinstance(operation, ops.ExecMethod):
        subject = f"{subject}.{operation.method}"
    right = _RIGHTS.get(type(operation), f.WBEM_ENABLE)
    name = type(operation).__name__
    return entry(caller, space, name, subject=subject, right=right, status=status)


def _is_watched(caller: Caller, space: Namespace, right: int, *, denied: bool) -> bool:
    """Whether the namespace's SACL asks to be told of this caller's use of a right, or of its being refused."""
    sacl = space.namespaces.access.descriptor(space.path).sacl
    if sacl is None:
        return False
    wanted = d.FAILED_ACCESS if denied else d.SUCCESSFUL_ACCESS
    who = sids_of(caller)
    return any(
        ace.type == d.AUDIT
        and ace.flags & wanted
        and not ace.flags & d.INHERIT_ONLY
        and ace.mask & right
        and ace.sid in who
        for ace in sacl.aces
    )


def logged(one: AuditEntry) -> None:
    """The entry as a line of the log "openwmi.audit": a warning when access was refused."""
    level = logging.WARNING if one.status == WBEM_E_ACCESS_DENIED else logging.INFO
    if not _LOG.isEnabledFor(level):
        return
    result = describe(one.status).symbol if failed(one.status) else "ok"
    fields: dict[str, object] = {
        "account": one.name,
        "sid": one.sid,
        "address": one.address or "",
        "namespace": one.namespace,
        "operation": one.operation,
        "object": one.subject,
        "result": result,
    }
    if one.event_id is not None:
        fields["event_id"] = one.event_id
    what = f"{one.operation} {one.subject}" if one.subject else one.operation
    _LOG.log(level, "%s: %s", what, result, extra={"fields": fields})
