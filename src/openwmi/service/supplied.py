"""Properties that property providers supply: single values of static instances, read and written one by one (F-26).

An instance, or its class, carries DynProps; each such property carries Dynamic, Provider and PropertyContext. What is
supplied is never stored. The store marks such instances in its index, so that other classes pay one look-up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from openwmi.contract.provider import PropertyPlace
from openwmi.model.errors import WbemError, error
from openwmi.model.instances import Extras, Instance
from openwmi.model.qualifiers import EMPTY
from openwmi.model.status import (
    WBEM_E_ACCESS_DENIED,
    WBEM_E_INVALID_QUALIFIER,
    WBEM_E_PROVIDER_NOT_CAPABLE,
    WBEM_E_PROVIDER_NOT_FOUND,
)
from openwmi.model.values import coerce
from openwmi.service.faults import provider_fault
from openwmi.service.feed import PLANNER
from openwmi.service.stored import MARK
from openwmi.threads import Threads, settled

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from openwmi.contract.provider import Request
    from openwmi.model.classes import Class
    from openwmi.service.execution import Execution
    from openwmi.service.namespaces import Namespace

# Reading such instances runs foreign code, which may hang: not on the service's own threads.
THREADS: Final = Threads(256, name="openwmi-properties")
_NONE: Final = Extras()


class Supplied(NamedTuple):
    """One property of an instance and who supplies it."""

    position: int
    provider: str
    place: PropertyPlace


def may_be_supplied(space: Namespace, class_: Class) -> bool:
    """Whether instances of a static class may have supplied properties."""
    return class_.qualifiers.truth("dynprops") or space.namespaces.repository.has_value(
        space.path, class_, MARK
    )


def threads_for(space: Namespace, class_: Class) -> Threads:
    """Where stored instances of a class are read."""
    return THREADS if may_be_supplied(space, class_) else PLANNER


def supplied_properties(class_: Class, instance: Instance) -> list[Supplied]:
    """The properties of an instance that providers supply; INVALID_QUALIFIER for a key among them."""
    extras = instance.extras_ or _NONE
    if not (class_.qualifiers.truth("dynprops") or extras.qualifiers.truth("dynprops")):
        return []
    found = []
    for position, (name, one) in enumerate(class_.properties.items()):
        qualifiers = one.qualifiers.with_(*extras.properties.get(name, EMPTY))
        if not qualifiers.truth("dynamic"):
            continue
        if one.is_key:
            raise error(
                WBEM_E_INVALID_QUALIFIER,
                f"{class_.name}.{one.name}: a key cannot be dynamic",
                parameter=one.name,
            )
        place = PropertyPlace(
            one.name,
            _context(class_.qualifiers.value("classcontext")),
            _context(extras.qualifiers.value("instancecontext")),
            _context(qualifiers.value("propertycontext")),
        )
        provider = qualifiers.value("provider") or class_.provider or ""
        found.append(Supplied(position, str(provider), place))
    return found


def _context(value: object) -> str | None:
    return None if value is None else str(value)


# Reading


def stored_instances(
    execution: Execution,
    class_: Class,
    conditions: Sequence[tuple[str, str, Any]],
    request: Request,
) -> Iterator[Instance]:
    """The stored instances of a class, with what providers supply of the columns that are asked for.

    conditions are left to the store's index, but not those on values that are not stored.
    """
    space = execution.space
    if not may_be_supplied(space, class_):
        yield from space.static_instances(class_, conditions, execution.snapshot)
        return
    keys = {name.lower() for name in class_.keys}
    stored = [one for one in conditions if one[0].lower() in keys]
    for instance in space.static_instances(class_, stored, execution.snapshot):
        if request.cancelled:
            return
        yield filled(execution, class_, instance, request.columns)


def filled(execution: Execution, class_: Class, instance: Instance, columns: Collection[str]) -> Instance:
    """The instance with what providers supply of these columns. A value that the caller may not see is NULL (G-66)."""
    values = {
        one.place.name: _read(execution, class_, one)
        for one in supplied_properties(class_, instance)
        if one.place.name in columns
    }
    return instance.with_(values) if values else instance


def _read(execution: Execution, class_: Class, one: Supplied) -> Any:
    declared = class_.properties[one.place.name.lower()]
    try:
        value = _asked(execution, class_, one, "get_property")
        return coerce(value, declared.type, name=declared.name, reference=declared.reference)
    except WbemError as reason:
        if reason.code == WBEM_E_ACCESS_DENIED:
            return None
        raise


def _asked(execution: Execution, class_: Class, one: Supplied, role: str, *value: Any) -> Any:
    """One call of a property provider, on this thread."""
    hosted, function = _role(execution.space, class_, one, role)
    if function is None:
        raise error(
            WBEM_E_PROVIDER_NOT_CAPABLE,
            f"provider {hosted} does not support {'GetProperty' if role == 'get_property' else 'PutProperty'}",
            parameter=f"{class_.name}.{one.place.name}",
        )
    try:
        return settled(function(execution.request(class_, (one.place.name,)), one.place, *value))
    except Exception as failure:  # noqa: BLE001 - a provider may raise anything
        raise provider_fault(failure, hosted, f"{class_.name}.{one.place.name}") from None


def _role(space: Namespace, class_: Class, one: Supplied, role: str) -> tuple[str, Callable[..., Any] | None]:
    hosted = space.providers.named(one.provider) if one.provider else None
    if hosted is None:
        raise error(
            WBEM_E_PROVIDER_NOT_FOUND,
            f"{class_.name}.{one.place.name} names provider {one.provider or '(none)'}, which is not registered",
            parameter=f"{class_.name}.{one.place.name}",
        )
    return hosted.name, hosted.role(role)


# Writing


def handed_on(
    execution: Execution, class_: Class, instance: Instance, written: Collection[str] | None
) -> Instance:
    """Give providers what an instance says of their properties; the instance as it is to be stored, without them.

    written: the names that a partial put writes, None for all that are not NULL: `Name;` in MOF says who supplies a
    value, and not that there is none. What a provider has already is not handed on where it cannot be written
    (PROVIDER_NOT_CAPABLE for another value).
    """
    supplied = supplied_properties(class_, instance)
    for one in supplied:
        value = instance.values_[one.position]
        if value is None if written is None else one.place.name not in written:
            continue
        if _role(execution.space, class_, one, "put_property")[1] is None and value == _known(
            execution, class_, one
        ):
            continue
        _asked(execution, class_, one, "put_property", value)
    return without_supplied(class_, instance, supplied) if supplied else instance


def _known(execution: Execution, class_: Class, one: Supplied) -> Any:
    if _role(execution.space, class_, one, "get_property")[1] is None:
        return None
    return _read(execution, class_, one)


def without_supplied(class_: Class, instance: Instance, supplied: list[Supplied]) -> Instance:
    """The instance with the class's defaults in the place of what is supplied."""
    defaults = [one.default for one in class_.properties.values()]
    values = list(instance.values_)
    mask = instance.defaults_
    for one in supplied:
        values[one.position] = defaults[one.position]
        mask |= 1 << one.position
    return Instance(instance.layout_, tuple(values), mask, instance.extras_)
