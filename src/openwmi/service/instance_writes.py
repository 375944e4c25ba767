"""PutInstance and DeleteInstance: static instances in the repository, dynamic ones through their providers
(calls.md B.10, B.11; model.md A12, A13)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from openwmi.contract import flags as f
from openwmi.model.cimtypes import CimType
from openwmi.model.errors import WbemError, error
from openwmi.model.instances import Instance
from openwmi.model.paths import parse_path
from openwmi.model.qualifiers import EMPTY
from openwmi.model.status import (
    WBEM_E_ALREADY_EXISTS,
    WBEM_E_ILLEGAL_NULL,
    WBEM_E_INVALID_CLASS,
    WBEM_E_INVALID_CONTEXT,
    WBEM_E_INVALID_NAMESPACE,
    WBEM_E_INVALID_OBJECT,
    WBEM_E_INVALID_OBJECT_PATH,
    WBEM_E_INVALID_OPERATION,
    WBEM_E_INVALID_PROPERTY,
    WBEM_E_NO_KEY,
    WBEM_E_NOT_FOUND,
    WBEM_E_PROVIDER_NOT_CAPABLE,
    WBEM_E_READ_ONLY,
    WBEM_E_TYPE_MISMATCH,
)
from openwmi.model.values import coerce
from openwmi.service.faults import provider_fault
from openwmi.service.limits import IDENTIFICATION, NAMESPACE, REQUIRES_ENCRYPTION, SDDL, SECURITY, THIS
from openwmi.service.locate import checked_path, target_of
from openwmi.service.stored import ident_of, indexed_values, keys_of, root_of
from openwmi.service.supplied import handed_on, may_be_supplied, supplied_properties
from openwmi.threads import settled

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from openwmi.contract.context import Context
    from openwmi.model.classes import Class
    from openwmi.service.execution import Execution
    from openwmi.service.namespaces import Namespace

_READ_ONLY: Final = frozenset((IDENTIFICATION, THIS))


def put_instance(execution: Execution, given: object) -> str:
    """Store an instance; its relative path, which is the only way to learn a generated key (A-262)."""
    if not isinstance(given, Instance):
        raise error(WBEM_E_INVALID_OBJECT, "PutInstance takes an instance, not a class")
    space = execution.space
    class_ = space.schema.find_class(given.classname_)
    if class_ is None:
        raise error(
            WBEM_E_INVALID_CLASS,
            f"there is no class {given.classname_} in {space.path}",
            parameter=given.classname_,
        )
    if class_.is_abstract or class_.qualifiers.truth("amendment"):
        raise error(WBEM_E_INVALID_OPERATION, f"class {class_.name} has no instances", parameter=class_.name)
    _check_right(execution, class_)
    instance = _fitted(class_, given)
    check_references(space, class_, instance)
    if class_.is_dynamic:
        return _put_dynamic(execution, class_, instance)
    if class_.name.lower() == NAMESPACE:
        return _put_namespace(execution, instance)
    return _put_static(execution, class_, instance)


def _check_right(execution: Execution, class_: Class) -> None:
    """Instances of system classes take full write access, registrations of providers among them (A-321)."""
    name = class_.name.lower()
    right = f.WBEM_PARTIAL_WRITE_REP
    if class_.is_dynamic:
        right = f.WBEM_WRITE_PROVIDER
    elif any(one.startswith("__") for one in (name, *class_.derivation)):
        right = f.WBEM_FULL_WRITE_REP
    elif execution.caller.holds(f.WBEM_FULL_WRITE_REP):  # it includes the lesser one
        return
    if name == SECURITY:  # a change of who gets in, too
        right |= f.WRITE_DAC
    execution.require(right, f"write instances of {class_.name}")
    if name in _READ_ONLY:
        raise error(WBEM_E_READ_ONLY, f"{class_.name} is read-only", parameter=class_.name)


def check_references(space: Namespace, class_: Class, instance: Instance) -> None:
    """A reference to a class of this namespace is of the declared class or one below (A-047); whether what it leads to
    is there does not matter, nor is text refused that is no path."""
    for one, value in zip(class_.properties.values(), instance.values_, strict=True):
        if one.type != CimType.REFERENCE or one.reference is None or not isinstance(value, str):
            continue
        target = _class_of_reference(space, value)
        if target is not None and not target.inherits_from(one.reference):
            raise error(
                WBEM_E_TYPE_MISMATCH,
                f"{class_.name}.{one.name} refers to {one.reference}, not to {target.name}",
                parameter=one.name,
            )


def _class_of_reference(space: Namespace, text: str) -> Class | None:
    try:
        path = parse_path(text)
    except WbemError:
        return None
    if path.class_name is None or (path.namespace or space.path).lower() != space.path.lower():
        return None
    return space.schema.find_class(path.class_name)


def _fitted(class_: Class, given: Instance) -> Instance:
    """The instance in the shape that the class has now, its values checked."""
    layout = class_.layout
    source = given.layout_
    unknown = [name for name in source.index if name not in layout.index]
    if unknown:
        raise error(
            WBEM_E_INVALID_PROPERTY, f"class {class_.name} has no property {unknown[0]}", parameter=unknown[0]
        )
    values: list[Any] = []
    defaults = 0
    for position, one in enumerate(class_.properties.values()):
        place = source.index.get(one.name.lower())
        if place is None:
            values.append(one.default)
            defaults |= 1 << position
        else:
            values.append(coerce(given.values_[place], one.type, name=one.name, reference=one.reference))
            defaults |= (given.defaults_ >> place & 1) << position
    return Instance(layout, tuple(values), defaults, given.extras_)


def _put_static(execution: Execution, class_: Class, instance: Instance) -> str:
    space, flags, context = execution.space, execution.flags, execution.context
    if not class_.keys and not class_.is_singleton:
        raise error(WBEM_E_NO_KEY, f"class {class_.name} has no key", parameter=class_.name)
    repository = space.namespaces.repository.opened()
    subscribes = _subscribing(class_)
    if subscribes is not None:
        instance = subscribes.named(instance)
    if supplied_properties(class_, instance) or may_be_supplied(space, class_):
        instance = _handed_on(execution, class_, instance)
    with repository.store.writing():
        space.namespaces.refresh()
        instance = _with_generated_key(class_, instance)
        root = root_of(class_)
        ident = ident_of(class_, keys_of(instance))
        assert ident is not None
        there = repository.class_of(space.path, root=root, ident=ident)
        path = instance.relpath_ or class_.name
        brought = space.brought(class_, ident) if there is None else None
        _check_presence(path, present=there is not None or brought is not None, flags=flags)
        if there is not None and there != class_.name.lower():
            message = f"{path}: the key belongs to an instance of {there}"
            raise error(WBEM_E_ALREADY_EXISTS, message, path=path)
        if context is not None and context.lookup("__PUT_EXTENSIONS"):
            old = repository.instance(space.path, class_, space.schema.find_class, root=root, ident=ident)
            instance = _partly(class_, old or brought, instance, flags, context)
        _check_nulls(class_, instance)
        if subscribes is not None:
            instance = subscribes.prepared(space, class_, instance, execution.caller, new=there is None)
        repository.put_instance(
            space.path, instance, root=root, ident=ident, indexed=indexed_values(space, class_, instance)
        )
        return path


def _subscribing(class_: Class) -> ModuleType | None:
    """What is checked of the parts of permanent subscriptions; None for instances of any other class (model.md E5)."""
    if not class_.inherits_from("__IndicationRelated"):
        return None
    from openwmi.service.permanent import checks

    return checks if checks.concerned(class_) else None


def _handed_on(execution: Execution, class_: Class, instance: Instance) -> Instance:
    """Let providers take what they supply, before the rest is stored: a failure of theirs leaves the store as it is."""
    context = execution.context
    old = execution.space.static_instance(class_, keys_of(instance))
    _check_presence(instance.relpath_ or class_.name, present=old is not None, flags=execution.flags)
    if context is None or not context.lookup("__PUT_EXTENSIONS"):
        return handed_on(execution, class_, instance, None)
    if old is not None:  # it says who supplies what, and goes on to do so
        instance = Instance(instance.layout_, instance.values_, instance.defaults_, old.extras_)
    written = _written(class_, instance, execution.flags, context)
    return handed_on(execution, class_, instance, written.keys())


def _check_presence(path: str, *, present: bool, flags: int) -> None:
    if present and flags & f.WBEM_FLAG_CREATE_ONLY:
        raise error(WBEM_E_ALREADY_EXISTS, f"{path} exists already", path=path)
    if not present and flags & f.WBEM_FLAG_UPDATE_ONLY:
        raise error(WBEM_E_NOT_FOUND, f"there is no {path} to update", path=path)


def _with_generated_key(class_: Class, instance: Instance) -> Instance:
    """A single string key that is NULL becomes a GUID (A-092, B65); any other NULL key is ILLEGAL_NULL."""
    keys = keys_of(instance)
    missing = [name for name, value in keys.items() if value is None]
    if not missing:
        return instance
    first = class_.property(missing[0])
    if len(keys) == 1 and first is not None and first.type == CimType.STRING:
        digits = os.urandom(16).hex().upper()
        parts = (digits[:8], digits[8:12], "4" + digits[13:16], "8" + digits[17:20], digits[20:])
        return instance.with_({missing[0]: "{" + "-".join(parts) + "}"})
    raise error(WBEM_E_ILLEGAL_NULL, f"{class_.name}: key {missing[0]} is NULL", parameter=missing[0])


def _check_nulls(class_: Class, instance: Instance) -> None:
    for one, value in zip(class_.properties.values(), instance.values_, strict=True):
        if value is None and one.qualifiers.truth("not_null"):
            raise error(WBEM_E_ILLEGAL_NULL, f"{class_.name}.{one.name} must not be NULL", parameter=one.name)


def _partly(class_: Class, old: Instance | None, new: Instance, flags: int, context: Context) -> Instance:
    """The old instance with what a partial put names."""
    assert old is not None  # UPDATE_ONLY has found it
    return old.with_(_written(class_, new, flags, context))


def _written(class_: Class, new: Instance, flags: int, context: Context) -> dict[str, Any]:
    """The values that a partial put writes, by declared name (A-290, A-291, B69, B70)."""
    if not flags & f.WBEM_FLAG_UPDATE_ONLY:
        raise error(WBEM_E_INVALID_CONTEXT, "a partial put needs WBEM_FLAG_UPDATE_ONLY")
    listed = context.lookup("__PUT_EXT_PROPERTIES")
    if listed is not None and not isinstance(listed, (list, tuple)):
        raise error(WBEM_E_INVALID_CONTEXT, "__PUT_EXT_PROPERTIES must be an array of names")
    strict = bool(context.lookup("__PUT_EXT_STRICT_NULLS"))
    names = [str(name) for name in listed] if listed is not None else list(class_.layout.names)
    changes: dict[str, Any] = {}
    for name in names:
        declared = class_.property(name)
        if declared is None:
            raise error(WBEM_E_INVALID_CONTEXT, f"class {class_.name} has no property {name}", parameter=name)
        value = new.raw_(name)
        if value is not None or (strict and listed is not None):
            changes[declared.name] = value
    return changes


# Namespaces are instances of __NAMESPACE in their parent (B-01)


def _put_namespace(execution: Execution, instance: Instance) -> str:
    """Make a namespace, or give one another protection by the qualifiers of its instance (I23, I24)."""
    space = execution.space
    name = instance.raw_("Name")
    if not isinstance(name, str):
        raise error(WBEM_E_ILLEGAL_NULL, "a namespace needs a name", parameter="Name")
    if "\\" in name or "/" in name:
        raise error(WBEM_E_INVALID_NAMESPACE, f"not the name of one namespace: {name}", parameter=name)
    path = instance.relpath_ or ""
    child = f"{space.path}\\{name}"
    existing = space.namespaces.find(child)
    _check_presence(path, present=existing is not None, flags=execution.flags)
    qualifiers = instance.extras_.qualifiers if instance.extras_ is not None else EMPTY
    if not any(one in qualifiers for one in (SDDL, REQUIRES_ENCRYPTION)):
        space.namespaces.create(child)
        return path
    from openwmi.service.protection import Protection

    wanted = Protection(execution, qualifiers, existing)  # what is wrong with it leaves no namespace behind
    space.namespaces.create(child)
    wanted.apply(space.namespaces.named(child))
    return path


def _delete_namespace(space: Namespace, name: str, path: str) -> None:
    child = f"{space.path}\\{name}"
    if space.namespaces.find(child) is None:
        raise error(WBEM_E_NOT_FOUND, f"there is no {path}", path=path)
    space.namespaces.delete(child)


# Deleting


def delete_instance(execution: Execution, text: str) -> None:
    """Remove the instance a path names (B72); a class path is INVALID_OBJECT_PATH (A-264)."""
    space = execution.space
    path = checked_path(space, text)
    if not path.is_instance:
        raise error(WBEM_E_INVALID_OBJECT_PATH, f"{text} names a class, not an instance", path=text)
    target = target_of(space, path, text)
    class_ = target.class_
    _check_right(execution, class_)
    if class_.is_dynamic:
        _delete_dynamic(execution, class_, target.keys, text)
        return
    if class_.name.lower() == SECURITY:
        raise error(WBEM_E_INVALID_OPERATION, f"{text} is part of the system", path=text)
    if class_.name.lower() == NAMESPACE:
        _delete_namespace(space, str(target.keys["Name"]), text)
        return
    repository = space.namespaces.repository.opened()
    with repository.store.writing():
        root, ident = root_of(class_), ident_of(class_, target.keys)
        there = repository.class_of(space.path, root=root, ident=ident or "")
        actual = space.schema.find_class(there) if there is not None else None
        if actual is None and ident is not None and space.brought(class_, ident) is not None:
            raise error(WBEM_E_INVALID_OPERATION, f"{text} is part of the system", path=text)
        if actual is None or ident is None or not actual.inherits_from(class_.name):
            raise error(WBEM_E_NOT_FOUND, f"there is no {text}", path=text)
        repository.delete_instance(space.path, actual.name, root=root, ident=ident)


# Dynamic classes


def _providers(execution: Execution, class_: Class, role: str) -> Iterator[tuple[Class, Any, str]]:
    """The providers along the inheritance line that play a role, base class first (B67, A-260)."""
    schema = execution.space.schema
    for name in (*reversed(class_.derivation), class_.name):
        yield from _own_provider(execution, schema.class_named(name), role)


def _own_provider(execution: Execution, class_: Class, role: str) -> Iterator[tuple[Class, Any, str]]:
    """The provider of a class itself, if it plays the role."""
    if class_.is_dynamic and not class_.is_abstract:
        hosted = execution.writer(class_)
        if (function := hosted.role(role)) is not None:
            yield class_, function, hosted.name


def _incapable(class_: Class, operation: str) -> WbemError:
    return error(
        WBEM_E_PROVIDER_NOT_CAPABLE,
        f"the provider of {class_.name} does not support {operation}",
        parameter=class_.name,
    )


def _told(execution: Execution, provider: tuple[Class, Any, str], *arguments: Any) -> None:
    """Call one provider's write, with the class that it serves."""
    class_, function, name = provider
    try:
        settled(function(execution.request(class_, class_.layout.names), *arguments))
    except Exception as failure:  # noqa: BLE001 - a provider may raise anything
        raise provider_fault(failure, name, class_.name) from None


def _put_dynamic(execution: Execution, class_: Class, instance: Instance) -> str:
    """Every provider of the line must take it: the first that does not ends the put (A-260)."""
    _check_nulls(class_, instance)
    found = list(_providers(execution, class_, "put"))
    if not found:
        raise _incapable(class_, "PutInstance")
    for provider in found:
        _told(execution, provider, instance, execution.flags)
    return instance.relpath_ or class_.name


def _delete_dynamic(execution: Execution, class_: Class, keys: dict[str, Any], text: str) -> None:
    """Every provider of the line is told; what the topmost one says counts (B73, A-264). Where all classes down to this
    one are abstract, those below are told, and one that succeeds is enough."""
    try:
        line = list(_providers(execution, class_, "delete"))
        failures = [_refusal(execution, provider, keys) for provider in line]
        if class_.is_abstract and not line:
            below = [one for one in execution.space.schema.subclasses(class_.name) if not one.is_abstract]
            told = [provider for one in below for provider in _own_provider(execution, one, "delete")]
            failures = [_refusal(execution, provider, keys) for provider in told]
            failures.sort(key=lambda failure: failure is not None)  # a success goes first
        if not failures:
            raise _incapable(class_, "DeleteInstance")
        if failures[0] is not None:
            raise failures[0]
    except WbemError as reason:
        reason.path = reason.path or text
        raise


def _refusal(
    execution: Execution, provider: tuple[Class, Any, str], keys: dict[str, Any]
) -> WbemError | None:
    try:
        _told(execution, provider, keys)
    except WbemError as reason:
        return reason
    return None
