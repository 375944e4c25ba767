"""The delivery machine, requirement by requirement."""

from __future__ import annotations

import pytest
from tests.contract.delivery_checks import CHECKS, OK, kinds

from openwmi.contract import delivery
from openwmi.model.batches import Rows
from openwmi.model.classes import Class

_IDS = {
    "b22": "calls:B22",
    "b23": "calls:B23",
    "b24": "calls:B24",
    "b25": "calls:B25",
    "b26": "calls:B26",
    "c2": "calls:C2",
    "c3": "calls:C3",
    "c5": "calls:C5",
    "c6": "calls:C6",
    "c7": "calls:C7",
    "c8": "calls:C8",
    "c9": "calls:C9",
    "d3": "calls:D3",
    "d5": "calls:D5",
    "d6": "calls:D6",
    "d9": "calls:D9",
    "d10": "calls:D10",
    "f9": "calls:F9",
}


def _cases() -> list[object]:
    cases = []
    for name in CHECKS:
        requirement = _IDS.get(name.split("_")[1])
        marks = [pytest.mark.req(requirement)] if requirement else []
        cases.append(pytest.param(name, id=name.removeprefix("check_"), marks=marks))
    return cases


@pytest.mark.parametrize("name", _cases())
def test_delivery(name: str) -> None:
    CHECKS[name](delivery)


def test_neighbouring_rows_of_one_layout_travel_together(simple_class: Class) -> None:
    layout = simple_class.layout
    machine = delivery.Delivery()
    for number in range(5):
        machine.produced(Rows(layout, [(f"k{number}", number)]))
    action = machine.next_action()
    assert isinstance(action, delivery.Deliver)
    assert isinstance(action.batch, Rows)
    assert [row[1] for row in action.batch.rows] == [0, 1, 2, 3, 4]


def test_joining_leaves_the_source_batches_alone(simple_class: Class) -> None:
    first = Rows(simple_class.layout, [("a", 1)])
    machine = delivery.Delivery()
    machine.produced(first)
    machine.produced(Rows(simple_class.layout, [("b", 2)]))
    machine.next_action()
    assert first.rows == [("a", 1)]


def test_rows_of_another_layout_travel_apart(simple_class: Class) -> None:
    machine = delivery.Delivery()
    machine.produced(Rows(simple_class.layout, [("a", 1)]))
    machine.produced(Rows(simple_class.layout.project(["Name"]), [("b",)]))
    machine.ended(OK)
    assert kinds(delivery, machine) == ["objects", "objects", "final", "release"]


def test_a_large_batch_of_rows_is_split(simple_class: Class) -> None:
    machine = delivery.Delivery(credit=2)
    machine.produced(Rows(simple_class.layout, [(str(n), n) for n in range(5)]))
    action = machine.next_action()
    assert isinstance(action, delivery.Deliver)
    assert isinstance(action.batch, Rows)
    assert action.batch.rows == [("0", 0), ("1", 1)]
