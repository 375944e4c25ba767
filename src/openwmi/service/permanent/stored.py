"""The permanent subscriptions that the store has, read whole: each binding with its filter and its consumer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from openwmi.model.errors import WbemError
from openwmi.model.names import is_machine, namespace_path
from openwmi.model.paths import parse_path
from openwmi.model.sids import Sid
from openwmi.model.system import full_path
from openwmi.service.permanent.checks import (
    BINDING,
    CONSUMER,
    FILTER,
    SYNCHRONOUS,
    creator_of,
    watched_namespace,
)
from openwmi.service.stored import ident_of, root_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from openwmi.contract.caller import Caller
    from openwmi.model.instances import Instance
    from openwmi.service.namespaces import Namespace, Namespaces

    Creator = tuple[int, ...]
    # Who a CreatorSID stands for now; None when there is no such account any more.
    FindCreator = Callable[[bytes], Caller | None]


class EventFilter(NamedTuple):
    """A filter.

    signed: which administrator has stored it, where CreatorSID names their group; watched: the namespace whose events
    it is about, None where there is none of that name.
    """

    space: Namespace
    path: str
    creator: Creator
    signed: str | None
    watched: Namespace | None
    query: str
    access: str | None


class EventConsumer(NamedTuple):
    """A consumer as it is stored."""

    space: Namespace
    path: str
    creator: Creator
    signed: str | None
    instance: Instance


class Binding(NamedTuple):
    """A binding with both of its ends.

    caller: who subscribes, the creator of the filter; actor: for whom the consumer acts, its own creator. They are the
    same account, or two administrators. trouble: why it cannot be active, None when nothing is in the way. synchronous:
    one event at a time (E-55).
    """

    space: Namespace
    path: str
    filter: EventFilter | None
    consumer: EventConsumer | None
    caller: Caller | None
    actor: Caller | None
    trouble: str | None
    synchronous: bool
    maintains: bool
    slows: bool

    @property
    def key(self) -> str:
        return self.path.upper()


def bindings(namespaces: Namespaces, find_creator: FindCreator) -> Iterator[Binding]:
    """Every binding of every namespace. Reads the store: not on the loop."""
    for space in list(namespaces.spaces()):
        base = space.schema.class_named(BINDING)
        classes = [one for one in (base, *space.schema.subclasses(base.name)) if not one.is_abstract]
        if not namespaces.repository.has_instances(space.path, [one.name for one in classes]):
            continue
        for class_ in classes:
            for one in space.static_instances(class_):
                yield _binding(space, one, find_creator)


def _binding(space: Namespace, stored: Instance, find_creator: FindCreator) -> Binding:
    filter_, consumer = _filter(space, stored.raw_("Filter")), _consumer(space, stored.raw_("Consumer"))
    creator = tuple(stored.raw_("CreatorSID") or ())
    caller = actor = None
    trouble = _trouble(stored, creator, filter_, consumer)
    if filter_ is not None and consumer is not None and trouble is None:
        caller, actor = (
            _who(creator, filter_.signed, find_creator),
            _who(creator, consumer.signed, find_creator),
        )
        if caller is None or actor is None:
            trouble = "the account that created it is gone, or is no administrator any more"
    quality = stored.raw_("DeliveryQoS")
    return Binding(
        space,
        _path(space, stored),
        filter_,
        consumer,
        caller,
        actor,
        trouble,
        bool(stored.raw_("DeliverSynchronously")) or quality == SYNCHRONOUS,
        bool(stored.raw_("MaintainSecurityContext")),
        bool(stored.raw_("SlowDownProviders")),
    )


def _who(creator: Creator, signed: str | None, find_creator: FindCreator) -> Caller | None:
    """Who stands behind a CreatorSID now: of administrators the one who has signed, as long as it is one."""
    group = find_creator(bytes(creator))
    if group is None or signed is None:
        return group
    found = find_creator(Sid.parse(signed).encode())
    return found if found is not None and group.sid in found.groups else None


def _trouble(
    stored: Instance, creator: Creator, filter_: EventFilter | None, consumer: EventConsumer | None
) -> str | None:
    if filter_ is None:
        return f"there is no filter {stored.raw_('Filter')}"
    if consumer is None:
        return f"there is no consumer {stored.raw_('Consumer')}"
    if not creator == filter_.creator == consumer.creator:
        return "filter, consumer and binding were not created by the same account"
    if filter_.watched is None:
        return "there is no namespace of the filter's EventNamespace"
    return None


def _path(space: Namespace, stored: Instance) -> str:
    return full_path(space.server, space.path, stored.relpath_) or stored.classname_


def _filter(space: Namespace, reference: Any) -> EventFilter | None:
    found = _referred(space, reference, FILTER)
    if found is None:
        return None
    where, stored = found
    try:
        watched = watched_namespace(where, stored)
    except WbemError:
        watched = None
    creator = tuple(stored.raw_("CreatorSID") or ())
    query = stored.raw_("Query") or ""
    access = stored.raw_("EventAccess")
    return EventFilter(where, _path(where, stored), creator, creator_of(stored), watched, query, access)


def _consumer(space: Namespace, reference: Any) -> EventConsumer | None:
    found = _referred(space, reference, CONSUMER)
    if found is None:
        return None
    where, stored = found
    creator = tuple(stored.raw_("CreatorSID") or ())
    return EventConsumer(where, _path(where, stored), creator, creator_of(stored), stored)


def _referred(space: Namespace, reference: Any, base: str) -> tuple[Namespace, Instance] | None:
    """The instance that a reference leads to: in the binding's namespace unless it says another one (E-53)."""
    try:
        path = parse_path(str(reference))
        where = space.namespaces.find(namespace_path(path.namespace)) if path.namespace else space
    except WbemError:
        return None
    if not is_machine(path.server, space.server):
        return None
    class_ = where.schema.find_class(path.class_name or "") if where is not None else None
    if where is None or class_ is None or not class_.inherits_from(base):
        return None
    name = class_.keys[0] if class_.keys else ""
    values = {(key or name).lower(): value for key, value in path.keys}
    if set(values) != {key.lower() for key in class_.keys}:
        return None
    keys = {key: values[key.lower()] for key in class_.keys}
    ident = ident_of(class_, keys)
    there = where.namespaces.repository.class_of(where.path, root=root_of(class_), ident=ident or "")
    actual = where.schema.find_class(there) if there is not None else None
    if actual is None or not actual.inherits_from(class_.name):
        return None
    stored = where.static_instance(actual, keys)
    return None if stored is None else (where, stored)
