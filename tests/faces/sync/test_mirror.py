"""The synchronous face: the same as the asynchronous one, from any thread."""

from __future__ import annotations

import asyncio
import inspect
import logging
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import pytest
from tests.faces.support import NAMESPACE, World, idle, running

import openwmi
from openwmi import ExecQuery, errors
from openwmi.faces import aio, sync
from openwmi.model.status import WBEM_E_CALL_CANCELLED


class Sink:
    """Writes down what it hears and where."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.objects: list[Any] = []
        self.outcome: openwmi.Outcome | None = None
        self.threads: set[str] = set()
        self.heard = threading.Event()
        self.released = threading.Event()
        self.inside = 0

    def on_objects(self, batch: Any) -> Any:
        assert not self.inside
        self.inside += 1
        self._note("objects")
        self.objects.extend(batch)
        self.inside -= 1

    def on_progress(self, progress: openwmi.Progress) -> Any:
        self._note("progress")

    def on_completed(self, outcome: openwmi.Outcome) -> Any:
        self._note("completed")
        self.outcome = outcome

    def on_released(self) -> None:
        self._note("released")
        self.released.set()

    def _note(self, what: str) -> None:
        self.threads.add(threading.current_thread().name)
        if self.events[-1:] != [what]:
            self.events.append(what)
        self.heard.set()


def test_reading(world: World) -> None:
    query = world.serve(2500)
    with openwmi.sync.connect(NAMESPACE) as wmi:
        assert [one.N for one in wmi.query(query)] == list(range(2500))
        assert len(wmi.query(query).fetch_all()) == 2500
        first = wmi.query(query).first()
        assert first is not None
        assert first.N == 0
        assert wmi.query(f"{query} WHERE S = {{text}}", text="s7").one().N == 7
        assert [len(batch) for batch in wmi.query(query).batches(1000)] == [1000, 1000, 500]
        assert world.name in wmi.query(query).explain()


def test_single_objects(world: World) -> None:
    world.serve(3)
    wmi = openwmi.sync.connect(NAMESPACE)
    found = wmi.get(f"{world.name}.N=2")
    assert found.S == "s2"
    assert wmi.call(found, "Do", What="it").ReturnValue == 5
    assert wmi.get_class(world.name).new_(N=7).relpath_ == f"{world.name}.N=7"
    assert world.name in [one.name for one in wmi.classes()]
    with pytest.raises(errors.NotFound):
        wmi.get(f"{world.name}.N=9")
    with pytest.raises(openwmi.QuerySyntaxError) as failure:
        wmi.query("SELEC").fetch_all()
    assert failure.value.span == (0, 5)
    with pytest.raises(errors.NotEventClass), wmi.subscribe(f"SELECT * FROM {world.name}"):
        pass
    wmi.close()


@pytest.mark.req("calls:C10", "calls:B22")
def test_a_sink_is_called_on_worker_threads(world: World) -> None:
    query = world.serve(2500)
    with openwmi.sync.connect(NAMESPACE) as wmi:
        sink = Sink()
        call = wmi.start(ExecQuery(query), sink)
        assert call.wait() == (0, None, None)
        assert call.done
        assert sink.released.wait(5)
        assert sink.events == ["objects", "completed", "released"]
        assert [one.N for one in sink.objects] == list(range(2500))
        assert sink.threads == {"openwmi-sink"}
        assert all(thread.daemon for thread in threading.enumerate() if thread.name in sink.threads)


@pytest.mark.req("calls:D4", "calls:D5", "calls:D6")
def test_cancel_ends_an_endless_call_before_it_returns(world: World) -> None:
    query = world.serve(world.endless)
    with openwmi.sync.connect(NAMESPACE) as wmi:
        sink = Sink()
        call = wmi.start(ExecQuery(query), sink)
        assert sink.heard.wait(5)
        start = time.perf_counter()
        call.cancel()
        assert time.perf_counter() - start < 1
        assert call.done
        assert sink.outcome is not None
        assert sink.outcome.status == WBEM_E_CALL_CANCELLED
        heard = len(sink.objects)
        assert sink.released.wait(5)
        assert sink.events == ["objects", "completed", "released"]
        call.cancel()
        assert len(sink.objects) == heard


@pytest.mark.req("calls:D14")
def test_cancel_from_inside_a_callback_does_not_wait(world: World) -> None:
    query = world.serve(world.endless)
    took = []
    begun = threading.Event()

    class Cancelling(Sink):
        def on_objects(self, batch: Any) -> None:
            super().on_objects(batch)
            begun.wait(5)
            start = time.perf_counter()
            call.cancel()
            took.append(time.perf_counter() - start)

    with openwmi.sync.connect(NAMESPACE) as wmi:
        sink = Cancelling()
        call = wmi.start(ExecQuery(query), sink)
        begun.set()
        assert call.wait(5).status == WBEM_E_CALL_CANCELLED
        assert len(took) == 1
        assert took[0] < 0.5


@pytest.mark.req("calls:C5")
def test_a_sink_that_raises_or_answers_with_a_coroutine_ends_its_call(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    query = world.serve(world.endless)

    class Raising(Sink):
        def on_objects(self, batch: Any) -> Any:
            raise KeyError("mine")

    class Async(Sink):
        async def on_objects(self, batch: Any) -> None:
            """Not here."""

    with openwmi.sync.connect(NAMESPACE) as wmi, caplog.at_level(logging.ERROR, "openwmi.faces"):
        for sink, why in ((Raising(), "KeyError: 'mine'"), (Async(), "plain methods")):
            assert wmi.start(ExecQuery(query), sink).wait(5).status == WBEM_E_CALL_CANCELLED
            assert why in caplog.text


def test_leaving_early_cancels_at_the_source(world: World) -> None:
    query = world.serve(world.endless)
    with openwmi.sync.connect(NAMESPACE) as wmi:
        for _ in wmi.query(query):
            break
        assert idle()
        assert world.closed.wait(1)
        sink = Sink()
        call = wmi.start(ExecQuery(query), sink)
        reading = iter(wmi.query(query))
        next(reading)
    assert running() == 0
    assert call.done
    with pytest.raises(errors.CallCancelled):
        for _ in reading:
            pass


def test_silence_and_deadlines(world: World) -> None:
    query = world.serve(world.one_then_silence)
    with openwmi.sync.connect(NAMESPACE, timeout=0.05) as wmi:
        reading = iter(wmi.query(query))
        assert next(reading).N == 1
        with pytest.raises(errors.TimedOut):
            next(reading)
    with openwmi.sync.connect(NAMESPACE) as wmi:
        with pytest.raises(errors.TimedOut):
            wmi.query(query, deadline=0.05).fetch_all()
        call = wmi.start(ExecQuery(query), Sink())
        with pytest.raises(errors.TimedOut):
            call.wait(0.01)
        assert not call.done


@pytest.mark.req("calls:B85", "calls:B89")
def test_events_come_as_they_happen() -> None:
    with openwmi.sync.connect(repository=":memory:") as wmi:
        openwmi.mof.compile("class Bell : __ExtrinsicEvent { uint32 N; };", wmi)
        class_ = wmi.get_class("Bell")

        async def ring() -> None:
            sink: Any = await wmi.services.event_sink()
            for n in range(5):
                sink.on_objects([class_.new_(N=n)])

        with wmi.subscribe("SELECT * FROM Bell WHERE N > 1", max_queue=2) as events:
            asyncio.run_coroutine_threadsafe(ring(), wmi.services.loop).result(5)
            assert [next(iter(events)).N, next(iter(events)).N] == [3, 4]
            assert events.lost == 1
            threading.Timer(0.02, lambda: asyncio.run_coroutine_threadsafe(ring(), wmi.services.loop)).start()
            assert next(iter(events)).N >= 2


@pytest.mark.parametrize("step", ["fetch_all", "get", "wait"])
def test_ctrl_c_during_a_blocking_call_ends_it_at_its_source(world: World, step: str) -> None:
    query = world.serve(world.blocked)

    def interrupt() -> None:
        assert world.reached.wait(5)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    with openwmi.sync.connect(NAMESPACE) as wmi:
        threading.Thread(target=interrupt).start()
        start = time.perf_counter()
        steps = {
            "fetch_all": lambda: wmi.query(query).fetch_all(),
            "get": lambda: wmi.get(f"{world.name}.N=1"),
            "wait": lambda: wmi.start(ExecQuery(query), Sink()).wait(),
        }
        with pytest.raises(KeyboardInterrupt):
            steps[step]()
        if step != "wait":  # a call of one's own goes on until the connection is left
            assert idle()
    assert idle()
    assert time.perf_counter() - start < 1


def test_every_thread_may_use_a_connection(world: World) -> None:
    query = world.serve(500)
    found: list[int] = []
    with openwmi.sync.connect(NAMESPACE) as wmi:
        threads = [
            threading.Thread(target=lambda: found.append(len(wmi.query(query).fetch_all()))) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [500] * 8


def test_it_works_beside_a_running_loop_and_refuses_the_services_own(world: World) -> None:
    from openwmi import host

    query = world.serve(3)

    async def program() -> int:
        with openwmi.sync.connect(NAMESPACE) as wmi:
            return len(wmi.query(query).fetch_all())

    assert asyncio.run(program()) == 3
    with pytest.raises(RuntimeError, match="own loop"):
        host.local().portal.run(program)


@pytest.mark.slow
def test_a_program_that_does_not_clean_up_ends_at_once_and_silently() -> None:
    program = f"""
import itertools, sys, time
import openwmi
from openwmi import testing
testing.provide({NAMESPACE!r}, "class Endless {{ [key] uint32 N; }};",
                instances=lambda: ({{"N": n & 0xFFFF}} for n in itertools.count()))

class Sink:
    def on_objects(self, batch): pass
    def on_progress(self, progress): pass
    def on_completed(self, outcome): pass

wmi = openwmi.sync.connect({NAMESPACE!r})
call = wmi.start(openwmi.ExecQuery("SELECT * FROM Endless"), Sink())
reading = iter(wmi.query("SELECT * FROM Endless"))
next(reading)
print(time.time())
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert time.time() - float(done.stdout) < 2  # a second, and the time of an interpreter to go


# The mirror and its original -------------------------------------------------------------------------------------


def public(owner: Any) -> dict[str, Any]:
    return {
        name: member
        for name, member in vars(owner).items()
        if not name.startswith("_") and (inspect.isfunction(member) or isinstance(member, classmethod))
    }


@pytest.mark.parametrize("name", [name for name in aio.__all__ if name != "connect"])
def test_the_mirror_has_the_same_methods_with_the_same_parameters(name: str) -> None:
    original, mirror = public(getattr(aio, name)), public(getattr(sync, name))
    assert {"close" if name == "aclose" else name for name in original} == set(mirror)
    for method, function in mirror.items():
        twin = original.get(method, original.get("aclose"))
        inner = getattr(function, "__func__", function)
        assert not inspect.iscoroutinefunction(inner)
        assert [*inspect.signature(inner).parameters] == [
            *inspect.signature(getattr(twin, "__func__", twin)).parameters
        ]


def test_connect_takes_the_same_on_both_sides() -> None:
    original, mirror = inspect.signature(aio.connect), inspect.signature(sync.connect)
    assert original.parameters == mirror.parameters
