"""bench.harness: contenders run in turn, ratios pair rounds, a budget knows whether it is met."""

from __future__ import annotations

import gc

import pytest

from bench.harness import Budget, Note, in_turn, ratio, report, timed


def test_contenders_run_in_turn_and_the_first_round_does_not_count() -> None:
    order: list[str] = []
    times = in_turn({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, rounds=2, measure=_run)
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert times == {"a": [1.0, 1.0], "b": [1.0, 1.0]}


def _run(work: object) -> float:
    work()  # type: ignore[operator]
    return 1.0


def test_a_ratio_pairs_the_rounds() -> None:
    # The machine got twice as slow in every round; each round says 2.
    assert ratio({"peer": [2.0, 4.0, 80.0], "ours": [1.0, 2.0, 4.0]}, "peer", "ours") == 2.0


@pytest.mark.parametrize(
    ("value", "at_least", "met"),
    [(5.0, True, True), (4.9, True, False), (5.0, False, True), (5.1, False, False)],
)
def test_a_budget_is_met_at_its_bound(value: float, at_least: bool, met: bool) -> None:
    budget = Budget("x", value, 5.0, at_least)
    assert budget.met is met
    assert str(budget).split()[0] == ("ok" if met else "MISS")


def test_a_report_is_met_when_every_budget_is(capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = Budget("good", 1, 2, at_least=False), Budget("bad", 3, 2, at_least=False)
    assert report("title", [good, Note("by the way")])
    assert not report("title", [good, bad])
    assert "by the way" in capsys.readouterr().out


def test_the_collector_is_off_while_a_contender_runs() -> None:
    seen: list[bool] = []
    assert timed(lambda: seen.append(gc.isenabled())) >= 0
    assert seen == [False]
    assert gc.isenabled()
