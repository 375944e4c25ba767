"""What the qualifiers of a namespace's instance ask for, and what they say of it (calls.md I23, I24, I26)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openwmi.contract import flags as f
from openwmi.model import descriptors as d
from openwmi.model import sddl
from openwmi.model.cimtypes import ARRAY, CimType
from openwmi.model.errors import error
from openwmi.model.instances import Extras, Instance
from openwmi.model.qualifiers import Qualifier, QualifierSet
from openwmi.model.sids import InvalidDescriptor
from openwmi.model.status import WBEM_E_INVALID_PARAMETER
from openwmi.service.execution import Execution
from openwmi.service.limits import REQUIRES_ENCRYPTION, SDDL, THIS
from openwmi.service.systemsecurity import from_sddl, readable, store

if TYPE_CHECKING:
    from openwmi.model.descriptors import SecurityDescriptor
    from openwmi.service.namespaces import Namespace


class Protection:
    """What a put of __NAMESPACE asks for. Whatever is wrong with it is found when this is made.

    existing: the namespace, where it is there already: then its own descriptor says who may change it.
    """

    __slots__ = ("_descriptor", "_encryption", "_execution")

    def __init__(self, execution: Execution, qualifiers: QualifierSet, existing: Namespace | None) -> None:
        self._execution = execution
        text = qualifiers.get(SDDL)
        encryption = qualifiers.get(REQUIRES_ENCRYPTION)
        self._descriptor = described(text) if text is not None else None
        self._encryption = _truth(encryption) if encryption is not None else None
        where = execution
        if existing is not None:
            where = _as_of(execution, existing)
        where.require(f.WRITE_DAC, "set the security of a namespace")

    def apply(self, space: Namespace) -> None:
        """Set it on the namespace, which is there now."""
        if self._descriptor is not None:
            watched = bool(self._descriptor.control & d.SE_SACL_PRESENT)
            store(_as_of(self._execution, space), self._descriptor, dacl=True, sacl=watched)
        if self._encryption is not None:
            space.namespaces.access.require_encryption(space, self._encryption)


def _as_of(execution: Execution, space: Namespace) -> Execution:
    """The same caller with the rights that it has in another namespace."""
    caller = execution.caller
    return Execution(space, caller._replace(granted=space.namespaces.access.granted(caller, space.path)))


def described(qualifier: Qualifier) -> SecurityDescriptor:
    """The descriptor of a NamespaceSecuritySDDL, text or an array with one; INVALID_PARAMETER for anything else."""
    text = qualifier.value
    if isinstance(text, tuple):
        text = "".join(one for one in text if isinstance(one, str))
    if qualifier.type & ~ARRAY != CimType.STRING or not isinstance(text, str):
        raise error(WBEM_E_INVALID_PARAMETER, f"{SDDL} is text", parameter=SDDL)
    try:
        return from_sddl(text)
    except InvalidDescriptor as reason:
        raise error(WBEM_E_INVALID_PARAMETER, f"{SDDL}: {reason}", parameter=SDDL) from None


def _truth(qualifier: Qualifier) -> bool:
    if not isinstance(qualifier.value, bool):
        raise error(
            WBEM_E_INVALID_PARAMETER, f"{REQUIRES_ENCRYPTION} is boolean", parameter=REQUIRES_ENCRYPTION
        )
    return qualifier.value


def view(execution: Execution, instance: Instance) -> Instance:
    """An instance of __NAMESPACE or __thisNAMESPACE as a caller sees it."""
    return (_here if instance.layout_.class_name.lower() == THIS else _below)(execution, instance)


def _below(execution: Execution, instance: Instance) -> Instance:
    """An instance of __NAMESPACE with the qualifiers that say how that namespace is protected (I26); the descriptor is
    for those who may read it."""
    name: Any = instance.raw_("Name")
    child = execution.space.namespaces.find(f"{execution.space.path}\\{name}")
    if child is None:
        return instance
    access = child.namespaces.access
    qualifiers = [Qualifier(REQUIRES_ENCRYPTION, access.requires_encryption(child.path), CimType.BOOLEAN)]
    where = _as_of(execution, child)
    if where.caller.holds(f.READ_CONTROL):
        qualifiers.insert(0, Qualifier(SDDL, sddl.printed(readable(where)), CimType.STRING))
    return Instance(instance.layout_, instance.values_, instance.defaults_, Extras(QualifierSet(qualifiers)))


def _here(execution: Execution, instance: Instance) -> Instance:
    """The __thisNAMESPACE of a namespace; its descriptor is NULL for those who may not read it (B-06, I16)."""
    seen = None
    if execution.caller.holds(f.READ_CONTROL):
        seen = tuple(readable(execution).encode())
    return instance.with_({"SECURITY_DESCRIPTOR": seen})
