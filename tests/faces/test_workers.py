"""The threads that call sinks: bounded, replaced when stuck, never in the way of the exit."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from openwmi.faces import workers
from openwmi.faces.workers import Workers, client, inside_callback


def test_a_job_is_run_and_its_result_or_failure_told() -> None:
    pool = Workers(4)
    assert pool.call(lambda: 7).result(5) == 7
    with pytest.raises(KeyError):
        pool.call(lambda: {}["x"]).result(5)
    assert isinstance(pool.call(lambda: sys.exit(3)).exception(5), SystemExit)
    assert pool.call(lambda: 8).result(5) == 8


@pytest.mark.req("calls:D14")
def test_a_job_knows_that_it_is_one_and_for_whom() -> None:
    pool = Workers(1)
    me = object()
    assert pool.call(lambda: (inside_callback(), client()), me).result(5) == (True, me)
    assert not inside_callback()
    assert client() is None
    pool.call(lambda: {}["x"], me).exception(5)
    assert pool.call(client).result(5) is None


def test_threads_are_bounded_and_used_again() -> None:
    pool = Workers(3)
    gate = threading.Event()
    seen: set[int] = set()

    def job() -> None:
        seen.add(threading.get_ident())
        gate.wait(5)

    jobs = [pool.call(job) for _ in range(12)]
    while len(seen) < 3:
        time.sleep(0.001)
    assert pool.running == 3
    gate.set()
    for one in jobs:
        one.result(5)
    assert len(seen) == 3


@pytest.mark.req("calls:C7", "calls:C8")
def test_stuck_ones_take_no_place_from_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "PATIENCE", 0.02)
    pool = Workers(2)
    leave = threading.Event()
    stuck = [pool.call(lambda: leave.wait(10)) for _ in range(4)]
    assert pool.call(lambda: "through").result(5) == "through"
    leave.set()
    for one in stuck:
        one.result(5)
    assert pool.call(lambda: "still").result(5) == "still"
    while pool._limit > 2:  # the places that were lent are taken back
        time.sleep(0.001)


@pytest.mark.req("calls:D5")
def test_a_job_that_waits_for_a_thread_can_be_withdrawn() -> None:
    pool = Workers(1)
    gate, ran = threading.Event(), threading.Event()
    first = pool.call(lambda: gate.wait(10))
    second = pool.call(ran.set)
    assert second.cancel()
    gate.set()
    assert first.result(5)
    assert not first.cancel()
    assert pool.call(lambda: 7).result(5) == 7
    assert not ran.is_set()


@pytest.mark.slow
def test_a_stuck_one_does_not_delay_the_exit() -> None:
    program = (
        "import threading, time\n"
        "from openwmi.faces.workers import WORKERS\n"
        "WORKERS.call(threading.Event().wait)\n"
        "print(time.time())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert time.time() - float(done.stdout) < 1.5
