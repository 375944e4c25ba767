"""What `openwmi sub` does with permanent subscriptions: reading them with their states, storing, removing, trying."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from openwmi.model.cimtypes import CimType
from openwmi.model.errors import error
from openwmi.model.instances import Instance
from openwmi.model.status import WBEM_E_NOT_FOUND, WBEM_E_PROVIDER_NOT_CAPABLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from openwmi.cli.session import Session
    from openwmi.host import Host
    from openwmi.model.classes import Class
    from openwmi.service.namespaces import Namespace
    from openwmi.service.permanent.stored import Binding, EventConsumer, EventFilter

NAMESPACE: Final = "root\\subscription"
COLUMNS: Final = (
    ("Name", CimType.STRING),
    ("Consumer", CimType.STRING),
    ("State", CimType.STRING),
    ("Delivered", CimType.UINT64),
    ("Failed", CimType.UINT64),
    ("Dropped", CimType.UINT64),
    ("LastFailure", CimType.DATETIME),
    ("Why", CimType.STRING),
    ("Query", CimType.STRING),
)
# How long a consumer that works on by itself is waited for.
SETTLE_SECONDS: Final = 10.0


class Shown(NamedTuple):
    """One binding as `ls` shows it: a row of COLUMNS."""

    name: str
    consumer: str
    state: str
    delivered: int | None
    failed: int | None
    dropped: int | None
    last_failure: str | None
    why: str | None
    query: str | None


def all_bindings(host: Host) -> list[Binding]:
    """Every binding of the store."""
    from openwmi.service.permanent.stored import bindings

    if host.repository.existing is None:
        return []
    return list(bindings(host.namespaces, host.service.find_creator))


def shown(host: Host) -> Iterator[Shown]:
    """Every binding of the store with what is known of it."""
    from openwmi.service.ownership import is_held
    from openwmi.service.permanent.states import States

    found = all_bindings(host)
    states = States(host.service, {}).stored()
    lock = host.owner_lock
    runs = lock is not None and is_held(lock)
    for binding in found:
        state = states.get(binding.key)
        yield _shown(binding, state, runs=runs)


def _shown(binding: Binding, state: Instance | None, *, runs: bool) -> Shown:
    def said(name: str) -> Any:
        return state.raw_(name) if state is not None else None

    word, why = "inactive", binding.trouble
    if binding.trouble is None:
        word = "not running" if not runs else said("State") or "starting"
        why = said("Reason") or said("LastErrorDescription")
        if not runs:
            why = "no process runs permanent subscriptions; openwmi serve does"
    return Shown(
        name_of(binding.filter.path if binding.filter is not None else binding.path),
        _consumer(binding),
        word,
        said("Delivered"),
        said("Failed"),
        said("Dropped"),
        said("LastFailure"),
        why,
        binding.filter.query if binding.filter is not None else None,
    )


def name_of(path: str) -> str:
    """The value of the key that a path ends with."""
    from openwmi.model.paths import parse_path

    keys = parse_path(path).keys
    return str(keys[0][1]) if len(keys) == 1 else path


def _consumer(binding: Binding) -> str:
    if binding.consumer is None:
        return "(none)"
    return f"{binding.consumer.instance.classname_} {name_of(binding.consumer.path)}"


def named(found: Iterable[Binding], name: str) -> list[Binding]:
    """The bindings whose filter or consumer has a name; NOT_FOUND when there is none."""
    wanted = name.lower()

    chosen = [binding for binding in found if wanted in [name_of(end.path).lower() for end in _ends(binding)]]
    if not chosen:
        failure = error(WBEM_E_NOT_FOUND, f"there is no permanent subscription {name}")
        failure.hint = "openwmi sub ls    lists them"
        raise failure
    return chosen


# Storing and removing


def instances(
    session: Session, name: str, filter_values: dict[str, Any], consumer: str, consumer_values: dict[str, Any]
) -> list[Instance]:
    """The three objects of a subscription."""

    def made(class_name: str, values: dict[str, Any]) -> Instance:
        class_: Any = session.get(class_name)
        instance: Instance = class_.spawn(values)
        return instance

    filter_ = made("__EventFilter", {"Name": name, "QueryLanguage": "WQL", **filter_values})
    taker = made(consumer, {"Name": name, **consumer_values})
    ends = {"Filter": filter_.relpath_, "Consumer": taker.relpath_}
    return [filter_, taker, made("__FilterToConsumerBinding", ends)]


def store(host: Host, session: Session, objects: list[Instance], flags: int) -> None:
    """Store objects, all of them or none."""
    with host.repository.opened().store.writing():
        for one in objects:
            session.put(one, flags)


def remove(host: Host, chosen: list[Binding]) -> list[str]:
    """Remove bindings, and of their filters and consumers those that no other binding uses; what is gone."""
    from openwmi.contract.operations import DeleteInstance
    from openwmi.model.paths import parse_path

    keys = {binding.key for binding in chosen}
    others = [binding for binding in all_bindings(host) if binding.key not in keys]
    kept = {end.path.upper() for binding in others for end in _ends(binding)}
    gone = {binding.path: binding.space for binding in chosen}
    for binding in chosen:
        gone.update({end.path: end.space for end in _ends(binding) if end.path.upper() not in kept})
    with host.repository.opened().store.writing():
        for path, space in gone.items():
            host.one_shot(space.path).write(DeleteInstance(parse_path(path).relative()))
    return list(gone)


def _ends(binding: Binding) -> list[EventFilter | EventConsumer]:
    return [end for end in (binding.filter, binding.consumer) if end is not None]


# Trying


def sample_event(binding: Binding) -> Instance:
    """An event such as the filter of a binding lets through: of its class, about an instance that there is."""
    from openwmi import wql
    from openwmi.wql.events import event_checks

    filter_ = binding.filter
    assert filter_ is not None
    space = filter_.watched
    if space is None:
        raise error(WBEM_E_NOT_FOUND, "there is no namespace of the filter's EventNamespace")
    query = event_checks(wql.parse_event(filter_.query), space.schema, raised=lambda event, target: True)
    class_ = next(
        (one for one in (query.class_, *space.schema.subclasses(query.class_.name)) if not one.is_abstract),
        query.class_,
    )
    values = _samples(class_)
    about = _instance(space, query.targets[0]) if query.targets else None
    for name in ("TargetInstance", "PreviousInstance"):
        if name in values:
            values[name] = about
    return class_.spawn(values)


def _samples(class_: Class) -> dict[str, Any]:
    """Values by which one sees where each of them goes: texts are "sample", the rest is NULL."""
    return {one.name: "sample" if one.type == CimType.STRING else None for one in class_.properties.values()}


def _instance(space: Namespace, class_: Class) -> Instance:
    """The first instance of a class, or an empty one where there is none."""
    from openwmi.host import owner
    from openwmi.service.oneshot import OneShot

    for batch in OneShot(space, owner()).query(f"SELECT * FROM {class_.name}"):
        for one in batch:
            if isinstance(one, Instance):
                return one
    return class_.spawn(_samples(class_))


def tried(binding: Binding, event: Instance) -> str:
    """Hand an event to the consumer of a binding, here and now; what happened. Raises the consumer's failure."""
    from openwmi.contract.provider import Delivery
    from openwmi.service.faults import provider_fault
    from openwmi.threads import settled

    consumer, caller = binding.consumer, binding.actor
    assert consumer is not None
    assert caller is not None
    class_ = consumer.instance.class_
    assert class_ is not None
    hosted = consumer.space.providers.consumer(class_)
    role = hosted.role("consume")
    if role is None:
        message = f"provider {hosted.name} does not take events for {class_.name}"
        raise error(WBEM_E_PROVIDER_NOT_CAPABLE, message)
    late: list[Exception] = []
    request = Delivery(class_, caller=caller, late=late.append, singleton=consumer.space.namespaces.singleton)
    try:
        settled(role(request, consumer.instance, (event,)))
        settle = getattr(hosted.provider, "settle", None)
        if settle is not None and not settle(SETTLE_SECONDS):
            return "took it; the program that it started still runs"
        if late:
            raise late[0]
    except Exception as failure:  # noqa: BLE001 - a provider may raise anything
        raise provider_fault(failure, hosted.name, consumer.path) from None
    return "took it"
