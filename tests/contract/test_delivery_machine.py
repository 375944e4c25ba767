"""The delivery machine under random interleavings: whatever comes in, the sink's contract holds."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from openwmi.contract.delivery import RELEASE, STOP, Action, Deliver, Delivery, Finish, Report
from openwmi.contract.outcome import Outcome, Progress
from openwmi.model.status import WBEM_E_CALL_CANCELLED, WBEM_E_FAILED


class SinkUnderTheMachine(RuleBasedStateMachine):
    """Plays source, sink, canceller and clock; keeps its own simple record of what may still happen."""

    def __init__(self) -> None:
        super().__init__()
        self.credit: int | None = None
        self.machine = Delivery()
        self.running: Action | None = None
        self.heard: list[str] = []
        self.sent = 0
        self.got: list[int] = []
        self.cancelled = False
        self.source_ended: Outcome | None = None
        self.stops = 0
        self.outcomes: list[Outcome] = []

    @precondition(
        lambda self: not self.heard and not self.sent and self.source_ended is None and not self.cancelled
    )
    @rule(credit=st.integers(0, 5))
    def work_by_credit(self, credit: int) -> None:
        self.credit = credit
        self.machine = Delivery(credit=credit)

    @rule(count=st.integers(0, 4))
    def produce(self, count: int) -> None:
        batch: list[Any] = list(range(self.sent, self.sent + count))
        if self.source_ended is None:
            self.sent += count
            self.machine.produced(batch)

    @rule(done=st.integers(0, 100))
    def report(self, done: int) -> None:
        if self.source_ended is None:
            self.machine.reported(Progress(done, 100))

    @precondition(lambda self: self.source_ended is None)
    @rule(status=st.sampled_from([0, WBEM_E_FAILED]))
    def source_ends(self, status: int) -> None:
        self.source_ended = Outcome(status)
        self.machine.ended(self.source_ended)

    @rule()
    def act(self) -> None:
        action = self.machine.next_action()
        if action is None:
            return
        if action == STOP:
            self.stops += 1
            assert self.source_ended is None, "a source that has ended is not stopped"
            return
        assert self.running is None, "callbacks overlap (B24)"
        assert "release" not in self.heard, "something after the release (B22)"
        if action == RELEASE:
            assert self.heard[-1:] == ["final"], "released without a final status (B22)"
            self.heard.append("release")
            return
        assert "final" not in self.heard, "a callback after the final status (B22)"
        self.running = action
        if isinstance(action, Deliver):
            assert len(action.batch), "an Indicate without objects (B23)"
            assert not self.cancelled, "objects after cancel (D5)"
            if self.credit is not None:
                assert len(action.batch) <= self.credit, "more than the credit"
                self.credit -= len(action.batch)
            self.got.extend(action.batch)  # type: ignore[arg-type]
            self.heard.append("objects")
        elif isinstance(action, Report):
            assert not self.cancelled, "progress after cancel (D5)"
            self.heard.append("progress")
        else:
            assert isinstance(action, Finish)
            self.outcomes.append(action.outcome)
            self.heard.append("final")

    @precondition(lambda self: self.running is not None)
    @rule(failed=st.booleans())
    def callback_returns(self, failed: bool) -> None:
        self.machine.returned(failed=failed)
        if failed and not isinstance(self.running, Finish):
            self.cancelled = True
        self.running = None

    @rule()
    def cancel(self) -> None:
        decided = self.cancelled or bool(self.outcomes)
        assert self.machine.cancel() is not decided, (
            "cancel finds exactly the calls whose end is open (D3, D9)"
        )
        self.cancelled = self.cancelled or not decided

    @precondition(lambda self: self.running is not None)
    @rule()
    def patience_runs_out(self) -> None:
        self.machine.expired()
        if not isinstance(self.running, Finish):
            self.cancelled = True

    @rule()
    def client_dies(self) -> None:
        self.machine.lost()
        if not self.outcomes:
            self.cancelled = True
        self.running = None

    @rule(count=st.integers(1, 3))
    def grant(self, count: int) -> None:
        self.machine.granted(count)
        if self.credit is not None:
            self.credit += count

    @invariant()
    def order_is_kept(self) -> None:
        assert self.got == list(range(len(self.got)))

    @invariant()
    def at_most_one_of_each_end(self) -> None:
        assert self.heard.count("final") <= 1
        assert self.heard.count("release") <= 1
        assert self.stops <= 1

    @invariant()
    def demand_stops_with_the_call(self) -> None:
        if self.cancelled or self.source_ended is not None:
            assert self.machine.demand == 0

    def teardown(self) -> None:
        """Left to itself, with a sink that behaves from now on, every call ends: once, completely, empty-handed."""
        if self.source_ended is None and not self.cancelled:
            self.machine.cancel()
            self.cancelled = True
        for _ in range(1000):
            if self.running is not None:
                self.callback_returns(False)
            self.grant(3)
            self.act()
        assert self.heard[-2:] == ["final", "release"]
        assert self.machine.closed
        assert not self.machine._queued
        assert self.machine._progress is None
        if self.cancelled:
            assert self.outcomes[0].status == WBEM_E_CALL_CANCELLED
        else:
            assert self.outcomes == [self.source_ended]
            assert len(self.got) == self.sent, "nothing is lost on the way"


TestDeliveryMachine = SinkUnderTheMachine.TestCase
