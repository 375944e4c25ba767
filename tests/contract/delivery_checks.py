"""What the delivery machine must do, one function a requirement, each given the module that holds the machine.

They are functions of the module so that mutants of it can be run through the very same checks.
"""

from __future__ import annotations

from typing import Any

from openwmi.contract.outcome import Outcome, Progress
from openwmi.model.status import WBEM_E_CALL_CANCELLED, WBEM_E_FAILED

Machine = Any
FAILURE = Outcome(WBEM_E_FAILED)
OK = Outcome(0)


def objects(count: int, start: int = 0) -> list[Any]:
    return [f"object {number}" for number in range(start, start + count)]


def kinds(module: Machine, machine: Machine) -> list[str]:
    """Every action that is due, each callback returning at once."""
    seen = []
    for _ in range(10_000):
        action = machine.next_action()
        if action is None:
            return seen
        seen.append(kind(module, action))
        if seen[-1] in ("objects", "progress", "final"):
            machine.returned()
    raise AssertionError("the machine never comes to rest")


def kind(module: Machine, action: Any) -> str:
    if action == module.STOP:
        return "stop"
    if action == module.RELEASE:
        return "release"
    return {module.Deliver: "objects", module.Report: "progress", module.Finish: "final"}[type(action)]


def check_k1_objects_final_release(m: Machine) -> None:
    machine = m.Delivery()
    machine.produced(objects(3))
    machine.ended(OK)
    assert kinds(m, machine) == ["objects", "final", "release"]
    assert machine.closed


def check_b22_objects_come_before_the_final_status(m: Machine) -> None:
    machine = m.Delivery()
    machine.produced(objects(2))
    machine.ended(OK)
    first = machine.next_action()
    assert isinstance(first, m.Deliver)
    assert list(first.batch) == objects(2)


def check_b22_nothing_after_the_release(m: Machine) -> None:
    machine = m.Delivery()
    machine.ended(OK)
    kinds(m, machine)
    machine.produced(objects(1))
    machine.reported(Progress(1, 2))
    machine.ended(FAILURE)
    machine.expired()
    machine.lost()
    assert not machine.cancel()
    assert kinds(m, machine) == []


def check_b23_an_empty_result_is_just_the_final_status(m: Machine) -> None:
    machine = m.Delivery()
    machine.produced([])
    machine.ended(OK)
    assert kinds(m, machine) == ["final", "release"]
    mixed = m.Delivery()
    mixed.produced([])
    mixed.produced(objects(1))
    assert list(mixed.next_action().batch) == objects(1)


def check_b24_callbacks_never_overlap(m: Machine) -> None:
    machine = m.Delivery()
    machine.produced(objects(1))
    assert isinstance(machine.next_action(), m.Deliver)
    machine.produced(objects(1, 1))
    machine.reported(Progress(1, 2))
    assert machine.next_action() is None
    machine.ended(OK)
    assert machine.next_action() is None
    machine.returned()
    assert machine.next_action() is not None


def check_b24_the_final_status_waits_for_the_running_callback(m: Machine) -> None:
    machine = m.Delivery()
    machine.produced(objects(1))
    machine.next_action()
    machine.cancel()
    assert [kind(m, machine.next_action()), machine.next_action()] == ["stop", None]
    machine.returned()
    assert kinds(m, machine) == ["final", "release"]


def check_b24_the_release_waits_for_the_final_status(m: Machine) -> None:
    machine = m.Delivery()
    machine.ended(OK)
    assert isinstance(machine.next_action(), m.Finish)
    assert machine.busy
    assert machine.next_action() is None
    machine.returned()
    assert machine.next_action() == m.RELEASE


def check_b25_progress_reaches_the_sink_before_the_final_status(m: Machine) -> None:
    machine = m.Delivery()
    machine.reported(Progress(25, 100))
    machine.ended(OK)
    action = machine.next_action()
    assert isinstance(action, m.Report)
    assert action.progress == Progress(25, 100)
    machine.returned()
    assert kinds(m, machine) == ["final", "release"]


def check_b25_only_the_latest_report_waits(m: Machine) -> None:
    machine = m.Delivery()
    machine.produced(objects(1))
    machine.next_action()
    for done in range(1, 50):
        machine.reported(Progress(done, 50))
    machine.returned()
    action = machine.next_action()
    assert isinstance(action, m.Report)
    assert action.progress.current == 49
    machine.returned()
    assert machine.next_action() is None


def check_b25_reports_do_not_starve_objects(m: Machine) -> None:
    machine = m.Delivery()
    seen = []
    for number in range(6):
        machine.reported(Progress(number, 6))
        machine.produced(objects(1))
        action = machine.next_action()
        seen.append(kind(m, action))
        machine.returned()
    assert "objects" in seen[:3]
    assert "progress" in seen[:3]


def check_b26_the_outcome_of_the_source_is_the_final_status(m: Machine) -> None:
    machine = m.Delivery()
    machine.ended(FAILURE)
    action = machine.next_action()
    assert isinstance(action, m.Finish)
    assert action.outcome == FAILURE
    assert machine.outcome == FAILURE


def check_f9_objects_before_a_failure_are_delivered(m: Machine) -> None:
    machine = m.Delivery()
    machine.produced(objects(2))
    machine.ended(FAILURE)
    assert kinds(m, machine) == ["objects", "final", "release"]


def check_c5_a_failing_indicate_cancels_the_call(m: Machine) -> None:
    machine = m.Delivery()
    machine.produced(objects(1))
    machine.next_action()
    machine.produced(objects(1, 1))
    machine.returned(failed=True)
    assert kind(m, machine.next_action()) == "stop"
    final = machine.next_action()
    assert isinstance(final, m.Finish)
    assert final.outcome.status == WBEM_E_CALL_CANCELLED


def check_c5_a_failing_progress_report_cancels_the_call(m: Machine) -> None:
    machine = m.Delivery()
    machine.reported(Progress(1, 2))
    machine.next_action()
    machine.returned(failed=True)
    assert kinds(m, machine) == ["stop", "final", "release"]
    assert machine.outcome.status == WBEM_E_CALL_CANCELLED


def check_c5_a_failure_after_the_source_ended_still_cancels(m: Machine) -> None:
    machine = m.Delivery()
    machine.produced(objects(1))
    machine.ended(OK)
    machine.next_action()
    machine.returned(failed=True)
    assert kinds(m, machine) == ["final", "release"]
    assert machine.outcome.status == WBEM_E_CALL_CANCELLED


def check_c6_a_failing_final_status_is_ignored(m: Machine) -> None:
    machine = m.Delivery()
    machine.ended(OK)
    machine.next_action()
    machine.returned(failed=True)
    assert kinds(m, machine) == ["release"]
    assert machine.outcome == OK


def check_c7_a_hanging_callback_ends_the_call(m: Machine) -> None:
    machine = m.Delivery()
    machine.produced(objects(1))
    machine.next_action()
    machine.produced(objects(5, 1))
    machine.expired()
    assert kind(m, machine.next_action()) == "stop"
    assert not machine.pending
    assert machine.demand == 0


def check_c8_nothing_starts_beside_a_hanging_callback(m: Machine) -> None:
    machine = m.Delivery()
    machine.produced(objects(1))
    machine.next_action()
    machine.expired()
    machine.next_action()
    assert machine.next_action() is None
    machine.returned()
    assert kinds(m, machine) == ["final", "release"]
    assert machine.outcome.status == WBEM_E_CALL_CANCELLED


def check_c9_a_dead_client_gets_one_last_try(m: Machine) -> None:
    machine = m.Delivery()
    machine.produced(objects(1))
    machine.next_action()
    machine.lost()
    assert kinds(m, machine) == ["stop", "final", "release"]
    assert machine.outcome.status == WBEM_E_CALL_CANCELLED


def check_c9_a_client_that_dies_while_idle(m: Machine) -> None:
    machine = m.Delivery()
    machine.produced(objects(3))
    machine.lost()
    assert kinds(m, machine) == ["stop", "final", "release"]


def check_d5_no_objects_after_cancel(m: Machine) -> None:
    machine = m.Delivery()
    machine.produced(objects(3))
    assert machine.cancel()
    machine.produced(objects(3))
    assert kinds(m, machine) == ["stop", "final", "release"]


def check_d5_no_progress_after_cancel(m: Machine) -> None:
    machine = m.Delivery()
    machine.reported(Progress(1, 2))
    assert machine.cancel()
    machine.reported(Progress(2, 2))
    assert kinds(m, machine) == ["stop", "final", "release"]


def check_d6_cancel_sends_call_cancelled_once(m: Machine) -> None:
    machine = m.Delivery()
    assert machine.cancel()
    actions = []
    while (action := machine.next_action()) is not None:
        actions.append(action)
        if isinstance(action, m.Finish):
            machine.returned()
    finals = [action for action in actions if isinstance(action, m.Finish)]
    assert [final.outcome.status for final in finals] == [WBEM_E_CALL_CANCELLED]
    assert actions[0] == m.STOP
    assert actions[-1] == m.RELEASE


def check_d3_a_second_cancel_finds_nothing(m: Machine) -> None:
    machine = m.Delivery()
    assert machine.cancel()
    assert not machine.cancel()
    assert kinds(m, machine) == ["stop", "final", "release"]
    assert not machine.cancel()


def check_d9_cancel_while_results_still_wait(m: Machine) -> None:
    machine = m.Delivery()
    machine.produced(objects(3))
    machine.ended(OK)
    assert machine.pending
    assert machine.cancel()
    assert kinds(m, machine) == ["final", "release"]
    assert machine.outcome.status == WBEM_E_CALL_CANCELLED


def check_d9_cancel_comes_too_late_for_a_final_status_that_is_out(m: Machine) -> None:
    machine = m.Delivery()
    machine.ended(OK)
    assert isinstance(machine.next_action(), m.Finish)
    assert not machine.pending
    assert not machine.cancel()
    machine.returned()
    assert kinds(m, machine) == ["release"]
    assert machine.outcome == OK


def check_d9_the_first_outcome_stands(m: Machine) -> None:
    machine = m.Delivery()
    machine.cancel()
    machine.ended(OK)
    assert kinds(m, machine) == ["final", "release"]
    assert machine.outcome.status == WBEM_E_CALL_CANCELLED


def check_d10_the_source_is_stopped_once_and_only_when_it_runs(m: Machine) -> None:
    cancelled = m.Delivery()
    cancelled.cancel()
    assert kinds(m, cancelled).count("stop") == 1
    finished = m.Delivery()
    finished.ended(OK)
    assert kinds(m, finished).count("stop") == 0


def check_demand_is_bounded_without_credit(m: Machine) -> None:
    machine = m.Delivery()
    room = machine.demand
    assert 0 < room <= 10_000
    machine.produced(objects(room))
    assert machine.demand == 0
    while machine.next_action() is not None:
        machine.returned()
    assert machine.demand == room


def check_demand_ends_with_the_call(m: Machine) -> None:
    ended = m.Delivery()
    ended.ended(OK)
    assert ended.demand == 0
    cancelled = m.Delivery()
    cancelled.cancel()
    assert cancelled.demand == 0


def check_credit_bounds_delivery_and_production(m: Machine) -> None:
    machine = m.Delivery(credit=2)
    assert machine.demand == 2
    machine.produced(objects(5))
    action = machine.next_action()
    assert list(action.batch) == objects(2)
    machine.returned()
    assert machine.next_action() is None
    assert machine.demand == 0
    machine.granted(1)
    assert list(machine.next_action().batch) == objects(1, 2)
    machine.returned()
    machine.granted(4)
    machine.granted(6)
    assert list(machine.next_action().batch) == objects(2, 3)
    machine.returned()
    assert machine.demand == 8


def check_credit_zero_delivers_nothing_but_the_end(m: Machine) -> None:
    waiting = m.Delivery(credit=0)
    waiting.produced(objects(1))
    waiting.ended(OK)
    assert waiting.next_action() is None
    waiting.granted(1)
    assert kinds(m, waiting) == ["objects", "final", "release"]
    empty = m.Delivery(credit=0)
    empty.ended(OK)
    assert kinds(m, empty) == ["final", "release"]


def check_credit_is_not_taken_from_a_sink_without(m: Machine) -> None:
    machine = m.Delivery()
    room = machine.demand
    machine.granted(5)
    assert machine.demand == room


def check_c2_a_batch_has_a_largest_size_and_order_is_kept(m: Machine) -> None:
    machine = m.Delivery()
    everything = objects(2 * m.LARGEST_BATCH + 1)
    machine.produced(everything)
    machine.ended(OK)
    got: list[Any] = []
    while isinstance(action := machine.next_action(), m.Deliver):
        assert 0 < len(action.batch) <= m.LARGEST_BATCH
        got.extend(action.batch)
        machine.returned()
    assert got == everything


def check_c3_batches_keep_their_order(m: Machine) -> None:
    machine = m.Delivery(credit=3)
    machine.produced(objects(4))
    machine.produced(objects(2, 4))
    got: list[Any] = []
    for _ in range(10):
        while isinstance(action := machine.next_action(), m.Deliver):
            got.extend(action.batch)
            machine.returned()
        machine.granted(1)
    assert got == objects(6)


def check_nothing_is_kept_after_the_end(m: Machine) -> None:
    machine = m.Delivery()
    machine.produced(objects(2))
    machine.reported(Progress(1, 2))
    machine.cancel()
    machine.produced(objects(2))
    machine.reported(Progress(2, 2))
    assert not machine._batches
    assert not machine._queued
    assert machine._progress is None


CHECKS = {name: function for name, function in globals().items() if name.startswith("check_")}
