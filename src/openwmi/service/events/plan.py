"""An event query as it runs: per event class, the compiled condition and projection over events of that class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from openwmi import wql
from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_INVALID_CLASS, WBEMESS_E_REGISTRATION_TOO_BROAD
from openwmi.wql.decided import asks_class, decided
from openwmi.wql.events import event_checks, pinned
from openwmi.wql.steps import step_for
from openwmi.wql.terms import FALSE, TRUE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from openwmi.contract.caller import Caller
    from openwmi.model.classes import Class
    from openwmi.service.namespaces import Namespace
    from openwmi.wql.events import EventQuery
    from openwmi.wql.steps import Step

OPERATION: Final = "__InstanceOperationEvent"
# Its kinds.
CREATION: Final = "__instancecreationevent"
DELETION: Final = "__instancedeletionevent"
MODIFICATION: Final = "__instancemodificationevent"
KINDS: Final = (CREATION, DELETION, MODIFICATION)


class Event(NamedTuple):
    """One event: its class, and its values aligned with the layout of that class. publisher: the program's user who
    raised it through QueryObjectSink; None for the service and its providers."""

    class_: Class
    row: tuple[object, ...]
    publisher: Caller | None = None


class EventPlan:
    """steps: by lower-case name of the concrete event class, what decides and shapes; a class that the condition rules
    out has none. polled: the dynamic classes whose instances have to be polled. pins: the properties of TargetInstance,
    by lower-case name, that the condition fixes."""

    __slots__ = ("_settled", "pins", "polled", "query", "steps")

    def __init__(self, query: EventQuery) -> None:
        self.query = query
        self.pins = pinned(query.select)
        self.steps: dict[str, Step] = {}
        self.polled: tuple[Class, ...] = ()
        self._settled: set[str] = set()

    def settle(self, class_: Class) -> None:
        """Work out what holds for events of a class, once: also for one that was derived after the query was (E-06)."""
        key = class_.name.lower()
        if key in self._settled or not class_.inherits_from(self.query.class_.name):
            return
        self._settled.add(key)
        where = TRUE if self.query.where is None else self.query.where
        condition = decided(where, class_) if asks_class(where) else where
        if condition != FALSE:
            left = None if condition == TRUE else condition
            self.steps[key] = step_for(class_, self.query.selection, left, locatable=False)

    def selected(self, event: Event) -> list[tuple[object, ...]]:
        """What the query makes of an event, as rows of its step's layout: one, or none."""
        step = self.steps.get(event.class_.name.lower())
        if step is None:
            return []
        layout, row = event.class_.layout, event.row
        if step.columns != layout.names:
            row = tuple([row[layout.index[name.lower()]] for name in step.columns])
        return list(step.run((row,)))


def event_plan(space: Namespace, text: str, *, raised: Callable[[Class, Class | None], bool]) -> EventPlan:
    """The plan of an event query; raises what is wrong with it (D-100..D-105, B86).

    raised(event class, class of the instances): whether somebody raises such events without polling.
    """
    select = wql.parse_event(text)
    plan = EventPlan(event_checks(select, space.schema, raised=raised))
    for class_ in (plan.query.class_, *space.schema.subclasses(plan.query.class_.name)):
        plan.settle(class_)
    plan.polled = polled_targets(space, plan.query, plan.steps, raised)
    return plan


def polled_targets(
    space: Namespace,
    query: EventQuery,
    steps: Collection[str],
    raised: Callable[[Class, Class | None], bool],
) -> tuple[Class, ...]:
    """The target classes that only polling can watch: those with provider-backed classes in their closure of which
    nobody raises one of the wanted kinds of events (E-21)."""
    event = query.class_
    if query.within is None or not (
        event.inherits_from(OPERATION) or event.name.lower() in ("__event", "__indicationrelated")
    ):
        return ()
    if not query.targets:
        raise error(
            WBEMESS_E_REGISTRATION_TOO_BROAD,
            "the query would poll the instances of every class: say which, with TargetInstance ISA 'Class'",
            parameter=query.select.text,
        )
    kinds = [space.schema.class_named(kind) for kind in KINDS if kind in steps]
    polled = []
    for target in query.targets:
        closure = (target, *space.schema.subclasses(target.name))
        if any(one.is_dynamic and not raised(kind, one) for kind in kinds for one in closure):
            polled.append(target)
    return tuple(polled)


def check_extrinsic(space: Namespace, class_: Class) -> None:
    """Only extrinsic events may be raised from outside (B99)."""
    if not class_.inherits_from("__ExtrinsicEvent"):
        raise error(
            WBEM_E_INVALID_CLASS, f"{class_.name} is not derived from __ExtrinsicEvent", parameter=class_.name
        )
