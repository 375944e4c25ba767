"""The methods of __SystemSecurity: reading and setting a namespace's security, and what may be set (calls.md I.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from openwmi.contract import flags as f
from openwmi.model import descriptors as d
from openwmi.model import sddl
from openwmi.model.descriptors import Acl, SecurityDescriptor
from openwmi.model.errors import WbemError, error
from openwmi.model.securityobjects import as_object, from_object
from openwmi.model.sids import InvalidAcl, InvalidDescriptor
from openwmi.model.status import (
    WBEM_E_ACCESS_DENIED,
    WBEM_E_INVALID_METHOD,
    WBEM_E_INVALID_OBJECT,
    WBEM_E_INVALID_PARAMETER,
)
from openwmi.service.access import DEFAULT, is_administrator, without_inherited

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openwmi.service.execution import Execution

# What GetSecurityDescriptor and SetSecurityDescriptor return (I20).
OK, NO_ACCESS, UNKNOWN, BAD_PARAMETER = 0, 2, 8, 21
_INHERITANCE: Final = d.OBJECT_INHERIT | d.CONTAINER_INHERIT | d.NO_PROPAGATE | d.INHERIT_ONLY
_AUDITED: Final = d.SUCCESSFUL_ACCESS | d.FAILED_ACCESS
_PARTS_OF_FULL_WRITE: Final = f.WBEM_PARTIAL_WRITE_REP | f.WBEM_WRITE_PROVIDER


def answer(execution: Execution, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """The out-parameters of a method."""
    match method.lower():
        case "getsd":
            return _get_sd(execution)
        case "setsd":
            return _set_sd(execution, params)
        case "getsecuritydescriptor":
            return _get_object(execution)
        case "setsecuritydescriptor":
            return _set_object(execution, params)
        case "getcalleraccessrights":
            return {"rights": execution.caller.granted, "ReturnValue": OK}
    raise error(WBEM_E_INVALID_METHOD, f"__SystemSecurity has no method {method}", parameter=method)


def readable(execution: Execution) -> SecurityDescriptor:
    """The descriptor in force, as this caller may see it: who is watched is for administrators alone (I16, I20)."""
    execution.require(f.READ_CONTROL, "read the security descriptor")
    found = execution.space.namespaces.access.descriptor(execution.space.path)
    if is_administrator(execution.caller):
        return found
    return found._replace(sacl=None, control=found.control & ~d.SE_SACL_PRESENT)


def store(execution: Execution, descriptor: SecurityDescriptor, *, dacl: bool, sacl: bool) -> None:
    """Set a namespace's descriptor, or some lists of it; INVALID_PARAMETER for one that may not be (I17, I18)."""
    access, space = execution.space.namespaces.access, execution.space
    old = access.own(space.path)
    sacl = sacl and is_administrator(execution.caller)
    new = old._replace(owner=descriptor.owner or old.owner, group=descriptor.group or old.group)
    if dacl:
        new = new._replace(dacl=descriptor.dacl, control=_control(new, descriptor, d.SE_DACL_PROTECTED))
    if sacl:
        new = new._replace(sacl=descriptor.sacl, control=_control(new, descriptor, d.SE_SACL_PROTECTED))
    check(new)
    access.store(space, new)


def _control(old: SecurityDescriptor, new: SecurityDescriptor, bit: int) -> int:
    return old.control & ~bit | new.control & bit


def from_sddl(text: str) -> SecurityDescriptor:
    """The descriptor that a namespace gets by a text, which need not name owner and group. InvalidDescriptor for what
    is no SDDL, INVALID_PARAMETER for a descriptor that may not be."""
    found = sddl.parse(text)
    made = found._replace(owner=found.owner or DEFAULT.owner, group=found.group or DEFAULT.group)
    check(made)
    return made


def check(descriptor: SecurityDescriptor) -> None:
    """INVALID_PARAMETER for a descriptor that no namespace may have (I18)."""
    if descriptor.dacl is None:
        raise _refused("a namespace needs a DACL")
    if descriptor.owner is None or descriptor.group is None:
        raise _refused("a namespace needs an owner and a group")
    for acl, types, flags in (
        (descriptor.dacl, (d.ALLOWED, d.DENIED), _INHERITANCE),
        (descriptor.sacl, (d.AUDIT,), _INHERITANCE | _AUDITED),
    ):
        _check_list(without_inherited(acl), types, flags)


def _check_list(acl: Acl | None, types: tuple[int, ...], flags: int) -> None:
    for ace in acl.aces if acl is not None else ():
        if ace.type not in types or ace.sid is None or ace.data:
            raise _refused(f"type 0x{ace.type:X} of an entry is not known here")
        if ace.flags & ~flags:
            raise _refused(f"flags 0x{ace.flags & ~flags:X} of an entry are not known here")
        if unknown := ace.mask & ~f.ALL_NAMESPACE_RIGHTS:
            raise _refused(f"0x{unknown:X} is no right of namespaces")
        if ace.flags & d.INHERIT_ONLY and not ace.flags & d.CONTAINER_INHERIT:
            raise _refused("an entry that is only inherited must say by whom: CONTAINER_INHERIT")
        if ace.type == d.ALLOWED and ace.mask & f.WBEM_FULL_WRITE_REP and ~ace.mask & _PARTS_OF_FULL_WRITE:
            raise _refused("full-write goes with partial-write and provider-write in the same entry")


def _refused(why: str) -> WbemError:
    return error(WBEM_E_INVALID_PARAMETER, why, parameter="SD")


def _get_sd(execution: Execution) -> dict[str, Any]:
    return {"SD": tuple(readable(execution).encode()), "ReturnValue": OK}


def _set_sd(execution: Execution, params: Mapping[str, Any]) -> dict[str, Any]:
    execution.require(f.WRITE_DAC, "change the security descriptor")
    given = params.get("SD")
    if given is None:
        raise _refused("SetSD needs the bytes of a security descriptor")
    try:
        descriptor = SecurityDescriptor.decode(bytes(given))
    except InvalidAcl as reason:
        raise _refused(f"SetSD: {reason}") from None
    except InvalidDescriptor as reason:
        raise error(WBEM_E_INVALID_OBJECT, f"SetSD: {reason}", parameter="SD") from None
    check(descriptor)
    store(execution, descriptor, dacl=True, sacl=bool(descriptor.control & d.SE_SACL_PRESENT))
    return {"ReturnValue": OK}


def _get_object(execution: Execution) -> dict[str, Any]:
    """As an object; what goes wrong is told by the return value (I20)."""
    schema = execution.space.schema
    try:
        found = readable(execution)
    except WbemError as reason:
        return {"Descriptor": None, "ReturnValue": _return_value(reason)}
    made = as_object(found, lambda name, values: schema.class_named(name).spawn(dict(values)))
    return {"Descriptor": made, "ReturnValue": OK}


def _set_object(execution: Execution, params: Mapping[str, Any]) -> dict[str, Any]:
    try:
        execution.require(f.WRITE_DAC, "change the security descriptor")
        given = from_object(params.get("Descriptor"))
        present = given.control & (d.SE_DACL_PRESENT | d.SE_SACL_PRESENT)
        if present & d.SE_DACL_PRESENT and given.dacl is None:
            return {"ReturnValue": BAD_PARAMETER}
        store(
            execution, given, dacl=bool(present & d.SE_DACL_PRESENT), sacl=bool(present & d.SE_SACL_PRESENT)
        )
    except InvalidDescriptor:
        return {"ReturnValue": BAD_PARAMETER}
    except WbemError as reason:
        return {"ReturnValue": _return_value(reason)}
    return {"ReturnValue": OK}


def _return_value(reason: WbemError) -> int:
    return {WBEM_E_ACCESS_DENIED: NO_ACCESS, WBEM_E_INVALID_PARAMETER: BAD_PARAMETER}.get(
        reason.code, UNKNOWN
    )
