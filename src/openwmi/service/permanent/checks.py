"""What is checked, and who is written down as the creator, when a filter, consumer or binding is stored (model.md E5).

CreatorSID is the service's to say, whatever a client supplies (B-43). What may still come true is let through: a class
or a namespace that does not exist yet, a binding whose ends are not there (E-54).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from openwmi import wql
from openwmi.model import sddl, sids
from openwmi.model.cimtypes import CimType
from openwmi.model.errors import WbemError, error
from openwmi.model.instances import Extras, Instance
from openwmi.model.names import is_machine, namespace_path
from openwmi.model.paths import parse_path
from openwmi.model.qualifiers import Qualifier, QualifierSet
from openwmi.model.sids import InvalidDescriptor, Sid
from openwmi.model.status import (
    WBEM_E_ACCESS_DENIED,
    WBEM_E_INVALID_CLASS,
    WBEM_E_INVALID_OBJECT_PATH,
    WBEM_E_INVALID_PARAMETER,
    WBEM_E_INVALID_QUERY_TYPE,
    WBEM_E_NOT_FOUND,
    WBEM_E_QUOTA_VIOLATION,
)
from openwmi.service.access import is_administrator
from openwmi.service.events.plan import event_plan
from openwmi.service.events.providers import EventProviders
from openwmi.service.limits import permanent_quotas
from openwmi.wql.events import pinned

if TYPE_CHECKING:
    from openwmi.contract.caller import Caller
    from openwmi.model.classes import Class
    from openwmi.service.events.plan import EventPlan
    from openwmi.service.namespaces import Namespace

FILTER: Final = "__eventfilter"
CONSUMER: Final = "__eventconsumer"
BINDING: Final = "__filtertoconsumerbinding"
# CreatorSID names administrators as their group (B-43). What is done for one of them is done as the Unix user whom the
# account stands for (DESIGN.md section 5), so which account it was is kept beside it.
CREATOR: Final = "OpenWMI_Creator"
SYNCHRONOUS: Final = 0
EXPRESS: Final = 1
# Consumers that run whatever somebody has written into the repository (E-71, E-73).
_RUNNING: Final = ("commandlineeventconsumer", "activescripteventconsumer")
_NOT_YET: Final = frozenset((WBEM_E_NOT_FOUND, WBEM_E_INVALID_CLASS))


def concerned(class_: Class) -> bool:
    """Whether instances of a class are part of permanent subscriptions."""
    return class_.inherits_from("__IndicationRelated") and any(
        class_.inherits_from(name) for name in (FILTER, CONSUMER, BINDING)
    )


def named(instance: Instance) -> Instance:
    """A filter whose name is empty is one without a name, which gets one (E-52)."""
    class_ = instance.class_
    if class_ is not None and class_.inherits_from(FILTER) and instance.raw_("Name") == "":
        return instance.with_({"Name": None})
    return instance


def prepared(space: Namespace, class_: Class, instance: Instance, caller: Caller, *, new: bool) -> Instance:
    """An instance as it is stored, in the name of its creator; raises what is wrong with it."""
    if class_.inherits_from(FILTER):
        _check_filter(space, instance, caller)
    elif class_.inherits_from(BINDING):
        _check_binding(instance)
        if new:
            check_quota(space, caller)
    else:
        _check_consumer(class_, caller)
    return _signed(instance.with_({"CreatorSID": creator_sid(caller)}), caller)


def _signed(instance: Instance, caller: Caller) -> Instance:
    """With the qualifier CREATOR, which says which administrator it was; the service alone says so."""
    extras = instance.extras_ or Extras()
    rest = [one for one in extras.qualifiers if one.name.lower() != CREATOR.lower()]
    if str(sids.ADMINISTRATORS) in caller.groups:
        rest.append(Qualifier(CREATOR, caller.sid, CimType.STRING))
    made = Extras(QualifierSet(rest), extras.properties) if rest or extras.properties else None
    return Instance(instance.layout_, instance.values_, instance.defaults_, made)


def creator_of(instance: Instance) -> str | None:
    """Which administrator has stored an instance; None for anybody else, whom CreatorSID names."""
    found = instance.extras_.qualifiers.get(CREATOR) if instance.extras_ is not None else None
    return str(found.value) if found is not None else None


def creator_sid(caller: Caller) -> tuple[int, ...]:
    """Whom CreatorSID names: administrators as their group (B-43), everybody else as themselves."""
    group = str(sids.ADMINISTRATORS)
    return tuple(Sid.parse(group if group in caller.groups else caller.sid).encode())


# Filters


def _check_filter(space: Namespace, instance: Instance, caller: Caller) -> None:
    language = instance.raw_("QueryLanguage")
    if not isinstance(language, str) or language.upper() != "WQL":
        raise error(
            WBEM_E_INVALID_QUERY_TYPE, f"QueryLanguage is WQL, not {language}", parameter="QueryLanguage"
        )
    text = instance.raw_("Query")
    if not text:
        raise error(WBEM_E_INVALID_PARAMETER, "a filter needs a query", parameter="Query")
    access = instance.raw_("EventAccess")
    if access:
        _check_access(access)
    wql.parse_event(text)
    watched = watched_namespace(space, instance)
    if watched is None:
        return
    try:
        plan = planned(watched, text)
    except WbemError as reason:
        if reason.code not in _NOT_YET:
            raise
        return
    check_polling(plan, caller)


def _check_access(text: str) -> None:
    try:
        sddl.parse(text)
    except InvalidDescriptor as reason:
        raise error(
            WBEM_E_INVALID_PARAMETER, f"EventAccess is no SDDL: {reason}", parameter="EventAccess"
        ) from None


def watched_namespace(space: Namespace, instance: Instance) -> Namespace | None:
    """The namespace whose events a filter is about, its own unless it says otherwise (E-52); None when there is none of
    that name, INVALID_NAMESPACE when there cannot be one."""
    name = instance.raw_("EventNamespace")
    if not name:
        return space
    path = name.replace("/", "\\")
    if path.startswith("\\\\"):
        server, _, path = path[2:].partition("\\")
        if not is_machine(server, space.server):
            return None
    return space.namespaces.find(namespace_path(path))


def planned(space: Namespace, text: str) -> EventPlan:
    """The plan of a filter's query, without anybody at work; raises what is wrong with it (E-52)."""
    coverages = [tuple(one.provider.events) for one in space.providers.raising()]
    pins = pinned(wql.parse_event(text))

    def raised(event: Class, target: Class | None) -> bool:
        return target is None or EventProviders.covered(coverages, event, target, pins=pins)

    return event_plan(space, text, raised=raised)


def check_polling(plan: EventPlan, caller: Caller) -> None:
    """Permanent subscriptions that poll take administrative rights (E-26)."""
    if plan.polled and not is_administrator(caller):
        raise error(
            WBEM_E_ACCESS_DENIED,
            f"{caller.name} is no administrator, and nobody else may have {plan.polled[0].name} polled permanently",
            parameter=plan.query.select.text,
        )


# Consumers


def _check_consumer(class_: Class, caller: Caller) -> None:
    line = (class_.name.lower(), *(name.lower() for name in class_.derivation))
    if not is_administrator(caller) and any(name in line for name in _RUNNING):
        raise error(
            WBEM_E_ACCESS_DENIED,
            f"only administrators may store instances of {class_.name}",
            parameter=class_.name,
        )


# Bindings


def _check_binding(instance: Instance) -> None:
    for name in ("Filter", "Consumer"):
        path = parse_path(str(instance.raw_(name)))
        if not path.is_instance:
            raise error(WBEM_E_INVALID_OBJECT_PATH, f"{name} names no instance", parameter=name)
    quality = instance.raw_("DeliveryQoS")
    if quality not in (None, SYNCHRONOUS, EXPRESS):
        raise error(
            WBEM_E_INVALID_PARAMETER, f"DeliveryQoS is 0 or 1, not {quality}", parameter="DeliveryQoS"
        )


def check_quota(space: Namespace, caller: Caller) -> None:
    """QUOTA_VIOLATION for one binding more than the quotas of permanent subscriptions allow (H5)."""
    namespaces = space.namespaces
    most, most_of_user = permanent_quotas(namespaces)
    count = namespaces.repository.count_instances(BINDING)
    if count >= most:
        raise _quota(count, "in all")
    if count < most_of_user:
        return
    creator = creator_sid(caller)
    mine = sum(
        one.raw_("CreatorSID") == creator
        for each in namespaces.spaces()
        for one in each.static_instances(each.schema.class_named(BINDING))
    )
    if mine >= most_of_user:
        raise _quota(mine, f"of {caller.name}")


def _quota(count: int, whose: str) -> WbemError:
    return error(
        WBEM_E_QUOTA_VIOLATION, f"{count} bindings {whose}: the quota of permanent subscriptions is reached"
    )
