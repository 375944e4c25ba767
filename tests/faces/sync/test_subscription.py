"""Events through the synchronous face."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

import pytest
from tests.faces.support import NAMESPACE, SECONDS, World

import openwmi
from openwmi import errors, host

STARTS = "SELECT * FROM __InstanceCreationEvent WITHIN 0.1 WHERE TargetInstance ISA 'Win32_Process'"


@pytest.mark.slow
@pytest.mark.req("calls:B88", "E-20", "E-07")
def test_a_process_that_starts_after_the_subscription_is_heard_of() -> None:
    with openwmi.sync.connect() as wmi, wmi.subscribe(STARTS) as events:
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as started:
            found = next(event for event in events if event.TargetInstance.ProcessId == started.pid)
            assert started.stdin is not None
            started.stdin.close()
        assert found.classname_ == "__InstanceCreationEvent"
        assert found.TargetInstance.path_.endswith(f'Win32_Process.Handle="{started.pid}"')
        assert events.lost == 0


def test_waiting_for_the_next_event_may_have_a_limit(world: World) -> None:
    world.serve(1)
    query = STARTS.replace("Win32_Process", world.name)
    with openwmi.sync.connect(NAMESPACE) as wmi, wmi.subscribe(query) as events:
        assert events.next(0) is None
        assert events.next(0.005) is None


def test_what_is_wrong_is_raised_when_it_is_opened() -> None:
    with openwmi.sync.connect() as wmi:
        with pytest.raises(errors.NotEventClass), wmi.subscribe("SELECT * FROM Win32_Process"):
            pass
        with pytest.raises(errors.InvalidOperation):
            next(wmi.subscribe(STARTS))


def test_ctrl_c_while_waiting_unsubscribes(world: World) -> None:
    world.serve(1)
    exchange = host.local().service.exchange
    before = exchange.count
    main = threading.main_thread().ident or 0
    timer = threading.Timer(0.05, lambda: signal.pthread_kill(main, signal.SIGINT))
    with openwmi.sync.connect(NAMESPACE) as wmi:
        subscription = wmi.subscribe(STARTS.replace("Win32_Process", world.name))
        with pytest.raises(KeyboardInterrupt), subscription as events:
            timer.start(), events.next(SECONDS)
        assert exchange.count == before
    timer.join()
