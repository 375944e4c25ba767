"""ASSOCIATORS OF and REFERENCES OF: from an object over association instances to what they lead to (model.md D4).

The way of D-76: the source and its class, every association class with a reference that can point at it, the
association instances that do (the store's index or the provider's conditions find them), the objects at the other ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openwmi.contract.provider import Condition
from openwmi.model.cimtypes import CimType
from openwmi.model.errors import WbemError, error
from openwmi.model.instances import Instance
from openwmi.model.status import (
    WBEM_E_INVALID_CLASS,
    WBEM_E_INVALID_OBJECT_PATH,
    WBEM_E_INVALID_QUERY,
    WBEM_E_NOT_FOUND,
    WBEM_E_PROVIDER_NOT_CAPABLE,
)
from openwmi.service.faults import provider_fault
from openwmi.service.feed import Segment, objects
from openwmi.service.locate import checked_path, class_of, find_instance, path_here, target_of
from openwmi.service.stored import normal_reference
from openwmi.service.supplied import stored_instances, threads_for
from openwmi.wql.syntax import References

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from openwmi.model.classes import Class, Property
    from openwmi.service.execution import Execution
    from openwmi.service.namespaces import Namespace
    from openwmi.wql.syntax import Associators


class _Link:
    """One association class and the references of it that can point at the source (role) and away from it (others)."""

    __slots__ = ("class_", "others", "role")

    def __init__(self, class_: Class, role: Property, others: tuple[Property, ...]) -> None:
        self.class_ = class_
        self.role = role
        self.others = others


def association_segments(execution: Execution, query: Associators) -> Iterator[Segment]:
    """The objects, or with ClassDefsOnly and SchemaOnly the classes, that the query asks for."""
    space = execution.space
    path = checked_path(space, query.source)
    _check_options(query)
    _check_classes(space, query)
    if query.flag("SchemaOnly"):
        yield objects(_schema(space, query, class_of(space, path, query.source)))
        return
    if not path.is_instance:
        raise error(
            WBEM_E_INVALID_OBJECT_PATH,
            f"{query.source} names a class: that needs SchemaOnly",
            path=query.source,
        )
    target = target_of(space, path, query.source)
    source: list[Instance] = []
    yield from find_instance(execution, target, source, class_names_only=True)
    if not source:
        raise error(WBEM_E_NOT_FOUND, f"there is no {query.source}", path=query.source)
    start = source[0]
    here = normal_reference(space, start.path_ or query.source)
    links = _links(space, query, start.class_ or target.class_)
    if isinstance(query, References):
        yield from _references(execution, query, links, here)
    else:
        yield from _associators(execution, query, links, here)


def _check_options(query: Associators) -> None:
    """ClassDefsOnly goes with neither ResultClass nor SchemaOnly (D-72, D-74)."""
    if query.flag("ClassDefsOnly") and (query.flag("ResultClass") or query.flag("SchemaOnly")):
        other = "ResultClass" if query.flag("ResultClass") else "SchemaOnly"
        raise error(
            WBEM_E_INVALID_QUERY, f"ClassDefsOnly and {other} exclude each other", parameter=query.text
        )


def _check_classes(space: Namespace, query: Associators) -> None:
    for option in ("AssocClass", "ResultClass"):
        name = query.option(option)
        if name is not None and space.schema.find_class(name) is None:
            raise error(WBEM_E_INVALID_CLASS, f"{option}: there is no class {name}", parameter=name)


def _references_of(class_: Class) -> tuple[Property, ...]:
    return tuple(one for one in class_.properties.values() if one.type == CimType.REFERENCE)


def _links(space: Namespace, query: Associators, source: Class) -> list[_Link]:
    """The association classes that can hold a reference to an object of `source`, one link for each such reference."""
    references = isinstance(query, References)
    association = query.option("ResultClass" if references else "AssocClass")
    qualifier = query.option("RequiredQualifier" if references else "RequiredAssocQualifier")
    role = query.option("Role")
    links = []
    for class_ in space.schema.associations():
        if association is not None and not class_.inherits_from(association):
            continue
        if qualifier is not None and qualifier not in class_.qualifiers:
            continue
        ends = _references_of(class_)
        for one in ends:
            if role is not None and one.name.lower() != role.lower():
                continue
            if one.reference is None or source.inherits_from(one.reference):
                links.append(_Link(class_, one, tuple(other for other in ends if other is not one)))
    return links


# Over instances


def _references(execution: Execution, query: Associators, links: list[_Link], here: str) -> Iterator[Segment]:
    """Each association instance that points at the source once (D-73)."""
    seen: set[tuple[str, str | None]] = set()
    classes: list[Class] = []
    shape = _shaped(query)
    for link in _concrete(links):

        def kept(instance: Instance) -> Iterator[Any]:
            key = (instance.classname_.lower(), instance.relpath_)
            if key in seen and key[1] is not None:
                return
            seen.add(key)
            if query.flag("ClassDefsOnly"):
                if instance.class_ is not None and instance.class_ not in classes:
                    classes.append(instance.class_)
                    yield instance.class_
            else:
                yield shape(instance)

        yield _link_segment(execution, link, here, kept)


def _associators(
    execution: Execution, query: Associators, links: list[_Link], here: str
) -> Iterator[Segment]:
    """The object at the other end of each association instance, once per instance (D-73)."""
    space = execution.space
    result_role = query.option("ResultRole")
    result_class = query.option("ResultClass")
    qualifier = query.option("RequiredQualifier")
    shape = _shaped(query)
    classes: set[str] = set()
    for link in _concrete(links):
        ends = [one for one in link.others if result_role is None or one.name.lower() == result_role.lower()]
        if not ends:
            continue
        found: list[Instance] = []
        yield _link_segment(execution, link, here, lambda instance, found=found: _collected(instance, found))  # type: ignore[misc]
        for path in (instance.raw_(one.name) for instance in found for one in ends):
            if not isinstance(path, str):
                continue
            endpoint: list[Instance] = []
            try:
                where, target = _endpoint(execution, path)
                yield from find_instance(where, target, endpoint)
            except WbemError:
                continue  # a reference that leads nowhere (D-76)
            for one in endpoint:
                class_ = one.class_
                if class_ is None or (result_class is not None and not class_.inherits_from(result_class)):
                    continue
                if qualifier is not None and qualifier not in class_.qualifiers:
                    continue
                if not query.flag("ClassDefsOnly"):
                    yield objects([shape(one)])
                elif class_.name.lower() not in classes:
                    classes.add(class_.name.lower())
                    yield objects([space.schema.class_named(class_.name)])


def _collected(instance: Instance, found: list[Instance]) -> Iterator[Any]:
    found.append(instance)
    return iter(())


def _endpoint(execution: Execution, text: str) -> tuple[Execution, Any]:
    """Where a reference leads: this namespace, or another one of this host (A-090)."""
    from openwmi.model.paths import parse_path

    path = parse_path(text)
    space = execution.space
    if path.namespace is not None and path.namespace.lower() != space.path.lower():
        space = space.namespaces.named(path.namespace)
        execution = type(execution)(
            space, execution.caller, flags=execution.flags, context=execution.context, report=None
        )
    return execution, target_of(space, path_here(space, path, text), text)


def _concrete(links: Iterable[_Link]) -> Iterator[_Link]:
    return (link for link in links if not link.class_.is_abstract)


def _link_segment(
    execution: Execution, link: _Link, here: str, use: Callable[[Instance], Iterator[Any]]
) -> Segment:
    """The instances of one association class whose role points at the source, each handed to `use`."""
    space, class_ = execution.space, link.class_
    layout = class_.layout
    position = layout.index[link.role.name.lower()]

    def points_here(value: object) -> bool:
        return isinstance(value, str) and normal_reference(space, value) == here

    if not class_.is_dynamic:
        asked = execution.request(class_, layout.names)

        def stored() -> Iterator[Any]:
            conditions = ((link.role.name, "=", here),)
            for instance in stored_instances(execution, class_, conditions, asked):
                if points_here(instance.values_[position]):
                    yield from use(instance)

        return Segment(stored, threads=threads_for(space, class_), request=asked, drops=False)
    hosted = execution.reader(class_, layout.names)
    instances = hosted.role("instances")
    if instances is None:
        raise error(
            WBEM_E_PROVIDER_NOT_CAPABLE,
            f"provider {hosted.name} cannot enumerate {class_.name}",
            parameter=class_.name,
        )
    request = execution.request(class_, layout.names, (Condition(link.role.name, "=", here),))

    def matching(rows: Iterable[tuple[Any, ...]]) -> Iterator[Any]:
        for row in rows:
            if points_here(row[position]):
                yield from use(Instance(layout, row))

    return Segment(
        lambda: instances(request),
        threads=hosted.threads,
        run=matching,
        fault=lambda exception: provider_fault(exception, hosted.name, class_.name),
        request=request,
        blocking=hosted.blocking,
    )


def _shaped(query: Associators) -> Callable[[Instance], Instance]:
    """KeysOnly leaves only the key properties filled (D-72)."""
    if not query.flag("KeysOnly"):
        return lambda instance: instance
    return _keys_only


def _keys_only(instance: Instance) -> Instance:
    keys = {name.lower() for name in instance.layout_.key_names}
    values = tuple(
        value if name in keys else None
        for name, value in zip(instance.layout_.index, instance.values_, strict=True)
    )
    return Instance(instance.layout_, values)


# Over definitions


def _schema(space: Namespace, query: Associators, source: Class) -> Iterator[Class]:
    """SchemaOnly: the association classes, or the classes at their other ends (D-74)."""
    links = _links(space, query, source)
    if isinstance(query, References):
        seen: set[str] = set()
        for link in links:
            if link.class_.name not in seen:
                seen.add(link.class_.name)
                yield link.class_
        return
    result_role, result_class = query.option("ResultRole"), query.option("ResultClass")
    qualifier = query.option("RequiredQualifier")
    for link in links:
        for other in link.others:
            if result_role is not None and other.name.lower() != result_role.lower():
                continue
            class_ = space.schema.find_class(other.reference) if other.reference else None
            if class_ is None or (result_class is not None and not class_.inherits_from(result_class)):
                continue
            if qualifier is None or qualifier in class_.qualifiers:
                yield class_
