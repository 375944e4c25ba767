"""PutClass and DeleteClass: what may be stored over what, and what it means for subclasses (calls.md B.7, B.8; A12)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from openwmi.contract import flags as f
from openwmi.model.classes import Class, ClassDeclaration, derive
from openwmi.model.errors import WbemError, error
from openwmi.model.names import check_class_name
from openwmi.model.qualifiers import AMENDED, NOT_OVERRIDABLE, TO_INSTANCE, TO_SUBCLASS, QualifierSet
from openwmi.model.status import (
    WBEM_E_ALREADY_EXISTS,
    WBEM_E_AMENDED_OBJECT,
    WBEM_E_CANNOT_BE_KEY,
    WBEM_E_CANNOT_CHANGE_INDEX_INHERITANCE,
    WBEM_E_CANNOT_CHANGE_KEY_INHERITANCE,
    WBEM_E_CLASS_HAS_CHILDREN,
    WBEM_E_CLASS_HAS_INSTANCES,
    WBEM_E_INVALID_CLASS,
    WBEM_E_INVALID_METHOD,
    WBEM_E_INVALID_OPERATION,
    WBEM_E_NOT_FOUND,
    WBEM_E_OVERRIDE_NOT_ALLOWED,
    WBEM_E_PROPAGATED_METHOD,
    WBEM_E_TYPE_MISMATCH,
    WBEM_E_UNSUPPORTED_CLASS_UPDATE,
    WBEM_E_UPDATE_OVERRIDE_NOT_ALLOWED,
    WBEM_E_UPDATE_PROPAGATED_METHOD,
    WBEM_E_UPDATE_TYPE_MISMATCH,
)
from openwmi.service.localisation import amended_names

if TYPE_CHECKING:
    from openwmi.service.namespaces import Namespace

# What a subclass's own complaint is called when an update of its superclass causes it.
_CONFLICTS: Final = {
    WBEM_E_TYPE_MISMATCH: WBEM_E_UPDATE_TYPE_MISMATCH,
    WBEM_E_OVERRIDE_NOT_ALLOWED: WBEM_E_UPDATE_OVERRIDE_NOT_ALLOWED,
    WBEM_E_PROPAGATED_METHOD: WBEM_E_UPDATE_PROPAGATED_METHOD,
    WBEM_E_INVALID_METHOD: WBEM_E_UPDATE_PROPAGATED_METHOD,
    WBEM_E_CANNOT_BE_KEY: WBEM_E_CANNOT_CHANGE_KEY_INHERITANCE,
}


def put_class(space: Namespace, given: object, flags: int) -> str:
    """Store a class; its path. Codes as calls.md B51-B57 and model.md A-250..A-257 say."""
    if not isinstance(given, Class):
        raise error(WBEM_E_INVALID_CLASS, "PutClass takes a class, not an instance")
    check_class_name(given.name, system=False)
    if not given.name:
        raise error(WBEM_E_INVALID_OPERATION, "the class has no name")
    if flags & f.WBEM_MASK_UPDATE_MODE == 0 and given.is_system:
        raise error(WBEM_E_INVALID_OPERATION, f"{given.name} is a system class")
    schema = space.schema
    with space.namespaces.repository.opened().store.writing():
        space.namespaces.refresh()
        existing = schema.find_class(given.name)
        declaration = given.declaration
        parent = None
        if declaration.superclass:
            parent = schema.find_class(declaration.superclass)
            if parent is None:
                message = f"superclass {declaration.superclass} does not exist in {space.path}"
                raise error(WBEM_E_NOT_FOUND, message, parameter=declaration.superclass)
        if existing is None:
            if flags & f.WBEM_FLAG_UPDATE_ONLY:
                raise error(
                    WBEM_E_NOT_FOUND, f"there is no class {given.name} to update", parameter=given.name
                )
            derive(declaration, parent, namespace=space.path, server=space.server)
            _store(space, declaration)
            return given.name
        if flags & f.WBEM_FLAG_CREATE_ONLY:
            raise error(WBEM_E_ALREADY_EXISTS, f"class {existing.name} exists already", parameter=given.name)
        _update(space, existing, given, parent, flags)
        return existing.name


def delete_class(space: Namespace, name: str) -> None:
    """Remove a class with its subclasses and all their instances (B59, A-259)."""
    if name.startswith("__"):
        raise error(
            WBEM_E_INVALID_OPERATION, f"{name} is a system class and cannot be deleted", parameter=name
        )
    repository = space.namespaces.repository.opened()
    with repository.store.writing():
        space.namespaces.refresh()
        found = space.schema.find_class(name)
        if found is None:
            raise error(WBEM_E_NOT_FOUND, f"there is no class {name} in {space.path}", parameter=name)
        line = [found, *space.schema.subclasses(found.name)]
        stored = repository.superclasses(space.path)
        for class_ in line:
            if class_.name.lower() not in stored:
                raise error(
                    WBEM_E_INVALID_OPERATION,
                    f"{class_.name} comes with the system or a provider and cannot be deleted",
                    parameter=class_.name,
                )
        for class_ in reversed(line):
            repository.delete_class(space.path, class_.name)
    space.namespaces.refresh()


def _store(space: Namespace, declaration: ClassDeclaration) -> None:
    space.namespaces.repository.opened().put_class(space.path, declaration)


def _update(space: Namespace, existing: Class, given: Class, parent: Class | None, flags: int) -> None:
    before, declaration = existing.declaration, given.declaration
    if not flags & f.WBEM_FLAG_USE_AMENDED_QUALIFIERS:
        if amended_names(given) - amended_names(existing):
            message = f"{existing.name} carries translated text: put it with WBEM_FLAG_USE_AMENDED_QUALIFIERS"
            raise error(WBEM_E_AMENDED_OBJECT, message, parameter=existing.name)
    else:
        declaration = _neutral(declaration)  # B42: the localised text belongs to the amendment
    if (before.superclass or "").lower() != (declaration.superclass or "").lower():
        message = f"{existing.name}: a class cannot move under another superclass; delete it first"
        raise error(WBEM_E_UNSUPPORTED_CLASS_UPDATE, message, parameter=existing.name)
    fresh = derive(declaration, parent, namespace=space.path, server=space.server)
    if before == declaration:
        if space.namespaces.repository.declaration(space.path, existing.name) is not None:
            _store(space, declaration)  # the same once more is a modification, too (E-04)
        return
    children = list(space.schema.subclasses(existing.name))
    names = [existing.name, *(child.name for child in children)]
    has_instances = space.namespaces.repository.has_instances(space.path, names)
    if not _only_unimportant(before, declaration):
        for changed in _check_update(existing, fresh, children, has_instances=has_instances, flags=flags):
            _store(space, changed)
    _store(space, declaration)


def _check_update(
    existing: Class, fresh: Class, children: list[Class], *, has_instances: bool, flags: int
) -> list[ClassDeclaration]:
    """Raise unless the update mode allows a change that matters (A-252..A-255).

    The subclasses that force mode has made give way are returned: they are to be stored too.
    """
    mode = flags & f.WBEM_MASK_UPDATE_MODE
    name = existing.name
    if mode == f.WBEM_FLAG_UPDATE_COMPATIBLE and children:
        raise error(WBEM_E_CLASS_HAS_CHILDREN, f"class {name} has subclasses", parameter=name)
    if has_instances or children:
        if [key.lower() for key in existing.keys] != [key.lower() for key in fresh.keys]:
            raise error(WBEM_E_CANNOT_CHANGE_KEY_INHERITANCE, f"{name}: the keys are in use", parameter=name)
        if _indexed(existing) != _indexed(fresh):
            raise error(
                WBEM_E_CANNOT_CHANGE_INDEX_INHERITANCE, f"{name}: the indexes are in use", parameter=name
            )
    if has_instances and (mode != f.WBEM_FLAG_UPDATE_FORCE_MODE or not _same_shape(existing, fresh)):
        raise error(WBEM_E_CLASS_HAS_INSTANCES, f"class {name} has instances", parameter=name)
    derived = {name.lower(): fresh}
    added = set(fresh.properties) - set(existing.properties)
    for child in children:
        above = derived[(child.superclass or "").lower()]
        clash = added & {one.name.lower() for one in child.declaration.properties}
        if clash and mode != f.WBEM_FLAG_UPDATE_FORCE_MODE:
            message = f"subclass {child.name} has a property {clash.pop()} of its own"
            raise error(WBEM_E_UPDATE_TYPE_MISMATCH, message, parameter=child.name)
        derived[child.name.lower()] = _rederived(child, above, force=mode == f.WBEM_FLAG_UPDATE_FORCE_MODE)
    return [
        derived[child.name.lower()].declaration
        for child in children
        if derived[child.name.lower()].declaration != child.declaration
    ]


def _rederived(child: Class, above: Class, *, force: bool) -> Class:
    """A subclass below its changed superclass; in force mode its conflicting qualifiers give way (A-254)."""
    declaration = child.declaration
    try:
        return derive(declaration, above, namespace=child.namespace, server=child.server)
    except WbemError as reason:
        if force and reason.code == WBEM_E_OVERRIDE_NOT_ALLOWED:
            return derive(
                _yielding(declaration, above), above, namespace=child.namespace, server=child.server
            )
        code = _CONFLICTS.get(reason.code, WBEM_E_UNSUPPORTED_CLASS_UPDATE)
        raise error(code, f"subclass {child.name}: {reason.message}", parameter=child.name) from None


def _yielding(declaration: ClassDeclaration, above: Class) -> ClassDeclaration:
    """A declaration without the qualifiers that contradict what its superclass forbids to override."""
    properties = []
    for one in declaration.properties:
        inherited = above.property(one.name)
        kept = _without_conflicts(one.qualifiers, inherited.qualifiers if inherited is not None else None)
        properties.append(one.replace(qualifiers=kept))
    return ClassDeclaration(
        declaration.name,
        declaration.superclass,
        _without_conflicts(declaration.qualifiers, above.qualifiers),
        properties,
        declaration.methods,
    )


def _without_conflicts(own: QualifierSet, inherited: QualifierSet | None) -> QualifierSet:
    kept = own
    for one in own:
        above = inherited.get(one.name) if inherited is not None else None
        if above is not None and above.value != one.value:
            kept = kept.without(one.name)
    return kept


def _only_unimportant(before: ClassDeclaration, after: ClassDeclaration) -> bool:
    """Whether nothing but qualifiers that stay where they are differs (A-252)."""
    return _important(before) == _important(after)


def _important(declaration: ClassDeclaration) -> ClassDeclaration:
    return ClassDeclaration(
        declaration.name,
        declaration.superclass,
        _propagating(declaration.qualifiers),
        [one.replace(qualifiers=_propagating(one.qualifiers)) for one in declaration.properties],
        [one.replace(qualifiers=_propagating(one.qualifiers)) for one in declaration.methods],
    )


# Qualifiers without propagation that change what instances are all the same.
_STRUCTURAL: Final = frozenset(
    ("abstract", "key", "singleton", "dynamic", "association", "indexed", "not_null")
)


# Qualifiers that reach subclasses but only inform: a change of them disturbs nobody.
_INFORMING: Final = frozenset(
    (
        "description",
        "displayname",
        "values",
        "units",
        "version",
        "uuid",
        "mappingstrings",
        "deprecated",
        "locale",
    )
)


def _propagating(qualifiers: QualifierSet) -> QualifierSet:
    return QualifierSet(
        one
        for one in qualifiers
        if one.name.lower() in _STRUCTURAL
        or (
            one.flavor & (TO_SUBCLASS | TO_INSTANCE)
            and not one.flavor & AMENDED
            and (one.flavor & NOT_OVERRIDABLE or one.name.lower() not in _INFORMING)
        )
    )


def _neutral(declaration: ClassDeclaration) -> ClassDeclaration:
    """A declaration without its localised text."""
    return ClassDeclaration(
        declaration.name,
        declaration.superclass,
        _unamended(declaration.qualifiers),
        [one.replace(qualifiers=_unamended(one.qualifiers)) for one in declaration.properties],
        [one.replace(qualifiers=_unamended(one.qualifiers)) for one in declaration.methods],
    )


def _unamended(qualifiers: QualifierSet) -> QualifierSet:
    return QualifierSet(one for one in qualifiers if not one.flavor & AMENDED)


def _indexed(class_: Class) -> set[str]:
    return {name for name, one in class_.properties.items() if one.qualifiers.truth("indexed")}


def _same_shape(before: Class, after: Class) -> bool:
    """Whether instances of one are instances of the other: the same properties of the same types."""
    return [(name, one.type) for name, one in before.properties.items()] == [
        (name, one.type) for name, one in after.properties.items()
    ]
