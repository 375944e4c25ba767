"""Who may want an event: found by what conditions fix, and never fewer than those it matches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openwmi import host
from openwmi.mof import class_declarations
from openwmi.service.events.audience import Audience, key_of
from openwmi.service.events.plan import Event, EventPlan, event_plan
from openwmi.service.namespaces import Namespace

NAMESPACE = "root\\test_audience"
CLASSES = """
class Alarm : __ExtrinsicEvent { string What; uint64 Level; datetime When; boolean Loud; real64 Much; Alarm ref Of; };
[dynamic, provider("Nobody")] class Thing { [key] string Name; sint8 Size; datetime Since; };
[dynamic, provider("Nobody")] class Other { [key] uint32 Name; };
"""


@pytest.fixture(scope="module")
def space() -> Iterator[Namespace]:
    here = host.Host(host.MEMORY)
    found = here.namespaces.add(NAMESPACE)
    for declaration in class_declarations(CLASSES):
        found.provided.add(declaration)
    yield found
    here.shut_down()


class Member:
    """Stands in for a subscription: an audience knows nothing of one but its plan."""

    def __init__(self, plan: EventPlan) -> None:
        self.plan = plan


def plan(space: Namespace, text: str) -> EventPlan:
    return event_plan(space, text, raised=lambda *_: True)


def alarm(space: Namespace, **values: Any) -> Event:
    class_ = space.schema.class_named("Alarm")
    return Event(class_, class_.spawn(values).values_)


def creation(space: Namespace, class_name: str, **values: Any) -> Event:
    class_ = space.schema.class_named("__InstanceCreationEvent")
    target = space.schema.class_named(class_name).spawn(values)
    return Event(class_, class_.spawn({"TargetInstance": target}).values_)


THING = "SELECT * FROM __InstanceCreationEvent WHERE TargetInstance ISA 'Thing' AND "


@pytest.mark.parametrize(
    ("text", "class_name", "key"),
    [
        ("SELECT * FROM Alarm", "alarm", None),
        ("SELECT * FROM Alarm WHERE What = 'Fire'", "alarm", (("what",), "FIRE")),
        ("SELECT * FROM Alarm WHERE 5 = Level AND What LIKE 'a%'", "alarm", (("level",), 5)),
        ("SELECT * FROM Alarm WHERE Level > 5", "alarm", None),
        ("SELECT * FROM Alarm WHERE Level = 5 OR What = 'a'", "alarm", None),
        ("SELECT * FROM Alarm WHERE NOT What = 'a'", "alarm", None),
        ("SELECT * FROM Alarm WHERE When = '20240101000000.000000+000'", "alarm", None),
        ("SELECT * FROM Alarm WHERE Loud = TRUE", "alarm", None),
        ("SELECT * FROM Alarm WHERE Much = 1", "alarm", None),
        (
            THING + "TargetInstance.Name = 'straße'",
            "__instancecreationevent",
            (("targetinstance", "name"), "STRAßE"),
        ),
        (THING + "TargetInstance.Size = 3", "__instancecreationevent", (("targetinstance", "size"), 3)),
        (THING + "TargetInstance.Size = '3'", "__instancecreationevent", None),
        (THING + "TargetInstance.Since = '20240101000000.000000+000'", "__instancecreationevent", None),
        (
            THING.replace("ISA 'Thing'", "ISA 'Other'") + "TargetInstance.Name = 7",
            "__instancecreationevent",
            (("targetinstance", "name"), 7),
        ),
    ],
)
def test_what_a_condition_fixes(space: Namespace, text: str, class_name: str, key: object) -> None:
    assert key_of(plan(space, text), class_name) == key


def test_subscriptions_come_and_go(space: Namespace) -> None:
    audience = Audience("Alarm")
    texts = ["SELECT * FROM Alarm", *[f"SELECT * FROM Alarm WHERE Level = {level % 3}" for level in range(6)]]
    members: list[Any] = [Member(plan(space, text)) for text in texts]
    for one in members:
        audience.add(one)
    assert len(audience) == 7
    assert list(audience.candidates(alarm(space, Level=1))) == [members[0], members[2], members[5]]
    assert list(audience.candidates(alarm(space))) == [members[0]]
    for one in members:
        assert one in audience
        assert audience.discard(one)
        assert not audience.discard(one)
    assert len(audience) == 0
    assert audience._fixed == {}


TEXTS = st.sampled_from(("", "a", "A", "ß", "SS", "ss", "ŉ", "é", "É", "ﬁ", "İ", "i̇", "0"))
LEVELS = st.integers(0, 3) | st.sampled_from((2**63, 2**64 - 1))


@st.composite
def conditions(draw: st.DrawFn) -> str:
    terms = {
        "What": f"What = '{draw(TEXTS)}'",
        "Level": f"Level = {draw(LEVELS)}",
        "other": draw(st.sampled_from(("What LIKE 'a%'", "Level <> 1", "Loud = TRUE", "What IS NULL"))),
    }
    chosen = draw(st.lists(st.sampled_from(sorted(terms)), min_size=1, max_size=3))
    joint = draw(st.sampled_from((" AND ", " OR ")))
    text = joint.join(terms[name] for name in chosen)
    return f"NOT ({text})" if draw(st.booleans()) else text


@given(st.lists(conditions(), min_size=1, max_size=8), st.none() | TEXTS, st.none() | LEVELS)
def test_nobody_whom_an_event_matches_is_left_out(
    space: Namespace, wheres: list[str], what: str | None, level: int | None
) -> None:
    audience = Audience("Alarm")
    members: list[Any] = [Member(plan(space, f"SELECT * FROM Alarm WHERE {where}")) for where in wheres]
    for one in members:
        audience.add(one)
    event = alarm(space, What=what, Level=level)
    matching = [one for one in members if one.plan.selected(event)]
    candidates = list(audience.candidates(event))
    assert [one for one in matching if one not in candidates] == []
    assert len(candidates) == len(set(candidates))


@given(st.lists(TEXTS, min_size=1, max_size=5), TEXTS, st.sampled_from(("Thing", "Other")))
def test_nobody_whom_an_instance_matches_is_left_out(
    space: Namespace, names: list[str], name: str, class_name: str
) -> None:
    audience = Audience("__InstanceCreationEvent")
    members: list[Any] = [Member(plan(space, THING + f"TargetInstance.Name = '{one}'")) for one in names]
    for member in members:
        audience.add(member)
    event = creation(space, class_name, Name=name if class_name == "Thing" else 7)
    matching = [one for one in members if one.plan.selected(event)]
    assert set(matching) <= set(audience.candidates(event))
