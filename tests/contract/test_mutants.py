# ruff: noqa: E501 - a mutant is easier to compare on one line
"""Hand-made mutants of the delivery machine: each is killed by the check that names the broken requirement."""

from __future__ import annotations

import inspect
import sys
import types
from typing import NamedTuple

import pytest
from tests.contract.delivery_checks import CHECKS

from openwmi.contract import delivery


class Mutant(NamedTuple):
    """A change of the source and the check that must fail under it."""

    old: str
    new: str
    killer: str


MUTANTS = [
    # produced
    Mutant(
        "if self.state != OPEN or not len(batch):",
        "if self.state != OPEN:",
        "b23_an_empty_result_is_just_the_final_status",
    ),
    Mutant("if self.state != OPEN or not len(batch):", "if not len(batch):", "nothing_is_kept_after_the_end"),
    Mutant("self._batches.append(batch)", "self._batches.appendleft(batch)", "c3_batches_keep_their_order"),
    Mutant(
        "        self._queued += len(batch)\n",
        "        self._queued += 1\n",
        "b22_objects_come_before_the_final_status",
    ),
    # reported
    Mutant(
        "if self.state == OPEN:\n            self._progress = progress",
        "if True:\n            self._progress = progress",
        "nothing_is_kept_after_the_end",
    ),
    Mutant(
        "            self._progress = progress\n",
        "            self._progress = self._progress or progress\n",
        "b25_only_the_latest_report_waits",
    ),
    # ended
    Mutant(
        "        self._sourced = False\n        if self.state == OPEN:\n            self.state = ENDED\n            self._outcome = outcome",
        "        self._sourced = False\n        if True:\n            self.state = ENDED\n            self._outcome = outcome",
        "d9_the_first_outcome_stands",
    ),
    Mutant(
        "            self.state = ENDED\n            self._outcome = outcome",
        "            self.state = ENDED",
        "b26_the_outcome_of_the_source_is_the_final_status",
    ),
    Mutant(
        "            self.state = ENDED\n",
        "            self.state = CLOSING\n",
        "b22_objects_come_before_the_final_status",
    ),
    Mutant(
        "        self._sourced = False\n        if self.state == OPEN:",
        "        if self.state == OPEN:",
        "d10_the_source_is_stopped_once_and_only_when_it_runs",
    ),
    # granted
    Mutant("self._credit += count", "self._credit = count", "credit_bounds_delivery_and_production"),
    Mutant(
        "if self._credit is not None and count > 0:",
        "if count > 0:",
        "credit_is_not_taken_from_a_sink_without",
    ),
    # returned
    Mutant(
        "        self._busy = False\n        if self.state == FINAL:",
        "        if self.state == FINAL:",
        "k1_objects_final_release",
    ),
    Mutant(
        "            self.state = LEAVING\n        elif failed:",
        "            self.state = CLOSED\n        elif failed:",
        "k1_objects_final_release",
    ),
    Mutant(
        "        elif failed:\n            self._close()",
        "        elif failed and self.state == OPEN:\n            self._close()",
        "c5_a_failure_after_the_source_ended_still_cancels",
    ),
    Mutant(
        "        elif failed:\n            self._close()",
        "        elif failed:\n            pass",
        "c5_a_failing_indicate_cancels_the_call",
    ),
    Mutant(
        "        if self.state == FINAL:\n            self.state = LEAVING",
        "        if self.state == FINAL and not failed:\n            self.state = LEAVING",
        "c6_a_failing_final_status_is_ignored",
    ),
    # cancel
    Mutant(
        "        if not self.pending:\n            return False\n", "", "d3_a_second_cancel_finds_nothing"
    ),
    Mutant(
        "return self.state < CLOSING\n", "return self.state < FINAL\n", "d3_a_second_cancel_finds_nothing"
    ),
    Mutant(
        "return self.state < CLOSING\n", "return self.state < ENDED\n", "d9_cancel_while_results_still_wait"
    ),
    # expired, lost
    Mutant(
        '        """The running callback took too long (C7): nothing more is produced, nothing starts beside it (C8)."""\n        self._close()',
        '        """Mutant."""',
        "c7_a_hanging_callback_ends_the_call",
    ),
    Mutant(
        '        """The running callback took too long (C7): nothing more is produced, nothing starts beside it (C8)."""\n        self._close()',
        '        """Mutant."""\n        self._busy = False\n        self._close()',
        "c8_nothing_starts_beside_a_hanging_callback",
    ),
    Mutant(
        "        if self._busy:\n            self.returned(failed=True)\n        self._close()",
        "        self._close()",
        "c9_a_dead_client_gets_one_last_try",
    ),
    Mutant(
        "            self.returned(failed=True)\n        self._close()",
        "            self.returned(failed=True)",
        "c9_a_client_that_dies_while_idle",
    ),
    # _close
    Mutant(
        "        if self.state < CLOSING:\n            self.state = CLOSING\n            self._outcome = CANCELLED",
        "        if self.state < CLOSING:\n            self.state = CLOSING",
        "d9_cancel_while_results_still_wait",
    ),
    Mutant(
        "        if self.state < CLOSING:\n            self.state = CLOSING\n",
        "        if True:\n            self.state = CLOSING\n",
        "b22_nothing_after_the_release",
    ),
    # next_action
    Mutant(
        "if self._sourced and self.state >= CLOSING:\n            self._sourced = False\n            return STOP",
        "if False:\n            return STOP",
        "d6_cancel_sends_call_cancelled_once",
    ),
    Mutant(
        "            self._sourced = False\n            return STOP",
        "            return STOP",
        "d10_the_source_is_stopped_once_and_only_when_it_runs",
    ),
    Mutant(
        "        if self._busy:\n            return None\n        if self.state < CLOSING:",
        "        if self.state < CLOSING:",
        "b24_callbacks_never_overlap",
    ),
    Mutant(
        "        if self._busy:\n            return None\n        if self.state < CLOSING:",
        "        if self._busy and self.state < CLOSING:\n            return None\n        if self.state < CLOSING:",
        "b24_the_final_status_waits_for_the_running_callback",
    ),
    Mutant(
        "            self.state = CLOSED\n            return RELEASE",
        "            return RELEASE",
        "k1_objects_final_release",
    ),
    Mutant(
        "            self.state = CLOSED\n            return RELEASE",
        "            self.state = CLOSED\n            return None",
        "k1_objects_final_release",
    ),
    # _next_callback
    Mutant("(self._turn or not self._deliverable())", "True", "b25_reports_do_not_starve_objects"),
    Mutant(
        "progress, self._progress = self._progress, None",
        "progress = self._progress",
        "b25_progress_reaches_the_sink_before_the_final_status",
    ),
    Mutant(
        "if self.state == ENDED and not self._queued:",
        "if self.state == ENDED:",
        "credit_zero_delivers_nothing_but_the_end",
    ),
    Mutant(
        "            self._busy = True\n            return Deliver(self._take(count))",
        "            return Deliver(self._take(count))",
        "b24_callbacks_never_overlap",
    ),
    Mutant(
        "            self._busy = True\n            return Report(progress)",
        "            self.state = FINAL\n            self._busy = True\n            return Report(progress)",
        "b25_progress_reaches_the_sink_before_the_final_status",
    ),
    # _finish, _deliverable, _take
    Mutant(
        "        self.state = FINAL\n        self._busy = True\n        return Finish",
        "        self.state = FINAL\n        return Finish",
        "b24_the_release_waits_for_the_final_status",
    ),
    Mutant(
        "        self.state = FINAL\n        self._busy = True\n        return Finish",
        "        self._busy = True\n        return Finish",
        "d9_cancel_comes_too_late_for_a_final_status_that_is_out",
    ),
    Mutant(
        "LARGEST_BATCH if self._credit is None else min(self._credit, LARGEST_BATCH)",
        "LARGEST_BATCH",
        "credit_bounds_delivery_and_production",
    ),
    Mutant(
        "return min(limit, self._queued)",
        "return min(limit, self._queued) if self.state == OPEN else 0",
        "f9_objects_before_a_failure_are_delivered",
    ),
    Mutant("batches.appendleft(rest)", "batches.append(rest)", "c3_batches_keep_their_order"),
    Mutant("        self._queued -= len(batch)\n", "", "demand_is_bounded_without_credit"),
    Mutant(
        "            self._credit -= len(batch)",
        "            self._credit -= 0",
        "credit_bounds_delivery_and_production",
    ),
    # demand
    Mutant(
        "        if self.state != OPEN:\n            return 0\n        return max",
        "        return max",
        "demand_ends_with_the_call",
    ),
    Mutant(
        "(WINDOW if self._credit is None else self._credit) - self._queued",
        "(WINDOW if self._credit is None else self._credit)",
        "demand_is_bounded_without_credit",
    ),
]


def _mutated(mutant: Mutant, number: int) -> types.ModuleType:
    source = inspect.getsource(delivery)
    assert source.count(mutant.old) == 1, (
        f"the text to change stands {source.count(mutant.old)} times: {mutant.old!r}"
    )
    module = types.ModuleType(f"delivery_mutant_{number}")
    sys.modules[module.__name__] = module
    try:
        exec(compile(source.replace(mutant.old, mutant.new), module.__name__, "exec"), module.__dict__)
    finally:
        del sys.modules[module.__name__]
    return module


@pytest.mark.parametrize("number", range(len(MUTANTS)), ids=lambda n: MUTANTS[n].killer)
def test_mutant_is_killed(number: int) -> None:
    mutant = MUTANTS[number]
    module = _mutated(mutant, number)
    with pytest.raises((AssertionError, AttributeError, TypeError, IndexError, KeyError)):
        CHECKS[f"check_{mutant.killer}"](module)


def test_there_are_at_least_thirty() -> None:
    assert len(MUTANTS) >= 30
