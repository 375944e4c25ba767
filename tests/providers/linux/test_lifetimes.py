"""From forks, execs and exits to processes that begin and end; each process is told once, whatever gets lost."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from openwmi.providers.linux.connector import EXEC, EXIT, FORK, Happening
from openwmi.providers.linux.lifetimes import ENDED, PATIENCE, STARTED, Lifetimes, Turn


class Life:
    """A script of what the kernel tells, from 1000 ns after the listing on."""

    def __init__(self, *known: int) -> None:
        self.alive: set[int] = set()
        self.lives = Lifetimes(known, 1000, is_alive=self.alive.__contains__)
        self.now = 0.0

    def take(
        self, what: int, process: int, *, thread: int = 0, parent: int = 0, status: int = 0, time: int = 2000
    ) -> list[tuple[str, int]]:
        happening = Happening(what, thread or process, process, parent, status, time)
        return names(self.lives.take(happening, self.now))

    def wait(self, seconds: float) -> list[tuple[str, int]]:
        self.now += seconds
        return names(self.lives.due(self.now))


def names(turns: Iterable[Turn]) -> list[tuple[str, int]]:
    return [(turn.what, turn.process) for turn in turns]


def test_a_process_is_told_when_it_has_become_its_program() -> None:
    life = Life(1)
    assert life.take(FORK, 20, parent=1) == []
    assert life.wait(PATIENCE / 2) == []
    assert life.take(EXEC, 20) == [("started", 20)]
    assert life.wait(10) == []
    assert life.take(EXEC, 20) == [("changed", 20)]
    assert life.take(EXIT, 20) == [("ended", 20)]
    assert life.take(EXIT, 20) == []


def test_a_process_without_a_program_of_its_own_is_told_after_a_while() -> None:
    life = Life(1)
    life.take(FORK, 20, parent=1)
    life.now += PATIENCE / 2
    life.take(FORK, 21, parent=20)
    assert life.lives.next_due == PATIENCE
    (turn,) = life.lives.due(PATIENCE)
    assert turn == Turn(STARTED, 20, 1, time=2000, fresh=True)
    assert life.lives.next_due == PATIENCE * 1.5
    assert life.wait(PATIENCE) == [("started", 21)]
    assert life.lives.next_due is None


def test_one_that_ends_before_has_begun_all_the_same() -> None:
    life = Life(1)
    life.take(FORK, 20, parent=1)
    turns = list(life.lives.take(Happening(EXIT, 20, 20, 0, 256, 3000), 0.0))
    assert [(turn.what, turn.status) for turn in turns] == [(STARTED, None), (ENDED, 256)]


def test_threads_are_no_processes() -> None:
    life = Life(20)
    assert life.take(FORK, 20, thread=21, parent=20) == []
    assert life.take(EXIT, 20, thread=21) == []
    assert life.wait(1) == []


def test_a_process_lives_as_long_as_its_last_thread() -> None:
    life = Life(20)
    life.alive.add(20)
    assert life.take(EXIT, 20, status=512) == []
    assert life.take(EXIT, 20, thread=21) == []
    life.alive.clear()
    turns = list(life.lives.take(Happening(EXIT, 22, 20, 0, 0, 3000), 0.0))
    assert turns == [Turn(ENDED, 20, status=512, time=3000)]


def test_a_thread_that_runs_a_program_takes_the_place_of_the_process() -> None:
    life = Life(20)
    life.alive.add(20)
    assert life.take(EXIT, 20) == []
    assert life.take(EXEC, 20) == [("changed", 20)]
    life.alive.clear()
    assert life.take(EXIT, 20, thread=21) == []
    assert life.take(EXIT, 20) == [("ended", 20)]


def test_what_was_listed_has_not_begun() -> None:
    life = Life(20)
    assert life.take(FORK, 20, parent=1, time=999) == []
    assert life.take(FORK, 21, parent=1, time=999) == []
    assert life.take(EXIT, 21, time=999) == []
    assert life.take(EXIT, 20) == [("ended", 20)]


def test_a_number_that_comes_back_is_another_process() -> None:
    life = Life(20)
    assert life.take(FORK, 20, parent=1) == [("ended", 20)]
    assert life.take(EXEC, 20) == [("started", 20)]


def test_what_must_have_happened_while_nobody_heard() -> None:
    life = Life(20, 21)
    life.take(FORK, 30, parent=20)
    life.take(FORK, 31, parent=20)
    turns = names(life.lives.compare({21, 31, 40}, 5000))
    assert turns == [("ended", 20), ("started", 30), ("ended", 30), ("started", 40)]
    assert life.take(FORK, 40, parent=1, time=4000) == []
    assert life.take(EXEC, 31, time=6000) == [("started", 31)]


@given(
    st.lists(
        st.tuples(
            st.sampled_from([FORK, EXEC, EXIT, "due", "compare"]),
            st.integers(1, 5),
            st.integers(1, 5),
            st.booleans(),
        ),
        max_size=60,
    )
)
def test_beginnings_and_ends_of_a_process_take_turns(script: list[tuple[object, int, int, bool]]) -> None:
    """Whatever comes in whatever order: started, changed any number of times, ended, started ..."""
    alive: set[int] = set()
    lives = Lifetimes({1, 2}, 0, is_alive=alive.__contains__)
    there = {1, 2}
    now = 0.0
    for what, process, thread, more in script:
        now += 0.02
        (alive.add if more else alive.discard)(process)
        if what == "due":
            turns = list(lives.due(now))
        elif what == "compare":
            turns = list(lives.compare({process, thread}, int(now * 1e9)))
        else:
            assert isinstance(what, int)
            turns = list(lives.take(Happening(what, thread, process, 0, 0, int(now * 1e9)), now))
        for turn in turns:
            assert (turn.process in there) == (turn.what != STARTED)
            if turn.what == STARTED:
                there.add(turn.process)
            elif turn.what == ENDED:
                there.discard(turn.process)
    assert there <= lives.known
