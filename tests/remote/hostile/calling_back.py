"""Misbehaviours towards a sink: callbacks too early, too late, too many, together, by others, or never."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from tests.remote.hostile.stage import (
    QUERY,
    Watcher,
    answers,
    cancelled,
    connected,
    cuts,
    ends_in,
    is_pushed,
    run_operation,
)
from tests.remote.memory import PASSWORD
from tests.remote.network import CLIENT, NetworkLoop
from tests.remote.windows.callback import Gone, Line, as_user
from tests.remote.windows.wmi import Delivery, Results, WmiHost, deliver, processes

from openwmi.contract.operations import ExecNotificationQuery
from openwmi.model import status as codes
from openwmi.wire.dcom import guids as dcom
from openwmi.wire.dcom import objref, remunknown
from openwmi.wire.rpc import AuthLevel
from openwmi.wire.wmi import guids, results
from openwmi.wire.wmi.types import reference_to

REFUSED = 0x8000_0000


def batch(count: int, start: int = 0) -> list[bytes]:
    return [reference_to(one) for one in processes(count, start)]


def scripted(host: WmiHost, script: Callable[[Delivery], Any]) -> None:
    host.script = script


async def takes_it(delivery: Delivery, count: int = 1) -> None:
    assert await delivery.sink.indicate(batch(count)) == 0


async def refused(awaited: Any) -> None:
    """A callback that must be answered with a fault or a failing HRESULT."""
    try:
        assert await awaited & REFUSED
    except Gone:
        pass


# Too much, too late


@ends_in(None, act=is_pushed)
def calls_the_sink_after_the_end(host: WmiHost) -> None:
    async def script(delivery: Delivery) -> None:
        await deliver(delivery)
        await refused(delivery.sink.indicate(batch(1)))

    scripted(host, script)


@ends_in(None, act=is_pushed)
def ends_a_call_twice(host: WmiHost) -> None:
    async def script(delivery: Delivery) -> None:
        await deliver(delivery)
        try:
            await delivery.sink.set_status(0, codes.WBEM_E_FAILED)
        except Gone:
            pass

    scripted(host, script)


@ends_in(None, act=is_pushed)
def reports_progress_after_the_end(host: WmiHost) -> None:
    async def script(delivery: Delivery) -> None:
        await deliver(delivery)
        await refused(delivery.sink.set_status(2, 5 << 16 | 1, "late"))

    scripted(host, script)


@ends_in(None, act=is_pushed)
def reports_progress_that_nobody_asked_for(host: WmiHost) -> None:
    async def script(delivery: Delivery) -> None:
        await delivery.sink.set_status(2, 5 << 16 | 1, "early")
        await deliver(delivery)

    scripted(host, script)


@ends_in(None, act=is_pushed)
def indicates_nothing(host: WmiHost) -> None:
    """Zero objects (calls.md B23): the sink of the program never sees it."""

    async def script(delivery: Delivery) -> None:
        try:
            await delivery.sink.indicate([])
        except Gone:
            pass
        await deliver(delivery)

    scripted(host, script)


@ends_in(None, act=is_pushed)
def sets_a_status_of_no_kind(host: WmiHost) -> None:
    async def script(delivery: Delivery) -> None:
        await refused(delivery.sink.set_status(99, 0))
        await deliver(delivery)

    scripted(host, script)


async def is_slow(loop: NetworkLoop, host: WmiHost) -> None:
    async with connected(delivery="sink") as remote:
        watcher = Watcher(slow=2.0)
        found = await run_operation(remote, QUERY, sink=watcher)
        assert [int(one.Handle) for one in found] == sorted(int(one.Handle) for one in found)


@ends_in(None, act=is_slow, within=120.0)
def indicates_several_times_at_once(host: WmiHost) -> None:
    """calls.md B24 from the other side: the program's sink is called one at a time, in order."""

    async def script(delivery: Delivery) -> None:
        first = delivery.sink.indicate(batch(1))
        await first
        more = [asyncio.ensure_future(delivery.sink.indicate(batch(1, n))) for n in range(1, 4)]
        await asyncio.gather(*more, return_exceptions=True)
        await delivery.sink.set_status(0, 0)

    scripted(host, script)


@ends_in(None, act=is_slow, within=600.0)
def floods_a_slow_sink(host: WmiHost) -> None:
    """Indicate upon Indicate without waiting: what is kept is bounded, the rest is sent away."""

    async def script(delivery: Delivery) -> None:
        await delivery.sink.indicate(batch(1))
        hundreds = [batch(100, n) for n in range(1, 20_000, 100)]
        flood = [asyncio.ensure_future(delivery.sink.indicate(one)) for one in hundreds]
        answered = await asyncio.gather(*flood, return_exceptions=True)
        taken = [one for one in answered if one == 0]
        assert len(taken) < 40, f"{len(taken)} callbacks were kept"
        await delivery.sink.set_status(0, 0)

    scripted(host, script)


@ends_in("WBEM_E_FAILED", "ExecQuery", act=is_pushed)
def ends_with_noise_for_an_error_object(host: WmiHost) -> None:
    """The status counts."""
    noise = objref.Custom(guids.IID_IWbemClassObject, guids.CLSID_WbemClassObject, b"\xff" * 90).encode()

    async def script(delivery: Delivery) -> None:
        assert await delivery.sink.set_status(0, codes.WBEM_E_FAILED, None, noise) == 0

    scripted(host, script)


@ends_in("WBEM_E_MARSHAL_INVALID_SIGNATURE", "ExecQuery", act=is_pushed)
def indicates_noise(host: WmiHost) -> None:
    noise = objref.Custom(guids.IID_IWbemClassObject, guids.CLSID_WbemClassObject, b"\xff" * 90).encode()

    async def script(delivery: Delivery) -> None:
        await refused(delivery.sink.indicate([noise]))

    scripted(host, script)


@ends_in(None, act=is_pushed)
def indicates_null(host: WmiHost) -> None:
    async def script(delivery: Delivery) -> None:
        await refused(delivery.sink.call(results.INDICATE, results.Indicate([None])))
        await deliver(delivery)

    scripted(host, script)


# Too early


def answers_last(host: WmiHost) -> None:
    """The call is answered when its callbacks are over."""

    async def late(called: Any, honest: Callable[[], Any]) -> Any:
        answer = honest()
        await host.deliveries[-1].task
        return answer

    answers(host, "ExecQueryAsync", late)


@ends_in(None, act=is_pushed)
def calls_back_before_it_answers(host: WmiHost) -> None:
    """calls.md B21, wire.md 6.5: that is legal, and must not deadlock."""
    answers_last(host)


@ends_in("WBEM_E_FAILED", "ExecQuery", act=is_pushed)
def delivers_everything_and_then_refuses_the_call(host: WmiHost) -> None:
    """What was refused has no sink: not a word of it reaches the program (B16)."""

    async def late(called: Any, honest: Callable[[], Any]) -> Any:
        honest()
        await host.deliveries[-1].task
        return called.method.answer(called.method.response.members.holds(result=codes.WBEM_E_FAILED))

    answers(host, "ExecQueryAsync", late)


@ends_in("WBEM_E_TIMED_OUT", "ExecQueryAsync", act=is_pushed, within=40.0)
def delivers_and_never_answers_the_call(host: WmiHost) -> None:
    def never(called: Any, honest: Callable[[], Any]) -> None:
        honest()

    answers(host, "ExecQueryAsync", never)


# Never


@ends_in("RPC_S_CALL_FAILED", "ExecQuery", act=is_pushed, within=6.0)
def dies_before_it_calls_back(host: WmiHost) -> None:
    async def script(delivery: Delivery) -> None:
        host.stations[-1].transport.abort()

    scripted(host, script)


@ends_in("RPC_S_CALL_FAILED", "ExecQuery", act=is_pushed, within=6.0)
def dies_between_two_callbacks(host: WmiHost) -> None:
    async def script(delivery: Delivery) -> None:
        await takes_it(delivery)
        host.stations[-1].transport.abort()
        assert delivery.sink.line is not None
        delivery.sink.line.transport.abort()

    scripted(host, script)


@ends_in("WBEM_E_CALL_CANCELLED", "ExecQuery", act=is_pushed, within=6.0)
def lets_the_sink_go_without_a_final_status(host: WmiHost) -> None:
    async def script(delivery: Delivery) -> None:
        await takes_it(delivery)

    scripted(host, script)


@ends_in("WBEM_E_CALL_CANCELLED", "ExecQuery", act=is_pushed, within=6.0)
def lets_the_sink_go_before_it_answers(host: WmiHost) -> None:
    scripted(host, takes_it)
    answers_last(host)


async def cancels_after_ten_seconds(loop: NetworkLoop, host: WmiHost) -> None:
    async with connected(delivery="sink") as remote:
        watcher = Watcher()
        call = await remote.start(QUERY, watcher)
        await asyncio.sleep(10)
        await cancelled(call, watcher)
        assert watcher.outcomes[0].status == codes.WBEM_E_CALL_CANCELLED


def forever(host: WmiHost) -> None:
    host.found = lambda operation: Results(processes(5), ended=False)


@ends_in(None, act=cancels_after_ten_seconds, within=150.0)
def never_ends_a_call(host: WmiHost) -> None:
    forever(host)


@ends_in(None, act=cancels_after_ten_seconds, within=150.0)
def never_answers_a_cancel(host: WmiHost) -> None:
    forever(host)
    answers(host, "CancelAsyncCall", None)


@ends_in(None, act=cancels_after_ten_seconds, within=150.0)
def does_not_know_what_is_to_be_cancelled(host: WmiHost) -> None:
    forever(host)

    def unknown(called: Any, honest: Callable[[], Any]) -> Any:
        return called.method.answer(called.method.response.members.holds(result=codes.WBEM_E_NOT_FOUND))

    answers(host, "CancelAsyncCall", unknown)


@ends_in(None, act=cancels_after_ten_seconds, within=150.0)
def goes_on_after_a_cancel(host: WmiHost) -> None:
    """One object each second, whatever it is told."""
    answers(host, "CancelAsyncCall", None)

    async def script(delivery: Delivery) -> None:
        for n in range(60):
            try:
                await delivery.sink.indicate(batch(1, n))
            except Gone:
                return
            await asyncio.sleep(1.0)

    scripted(host, script)


@ends_in(None, act=cancels_after_ten_seconds, within=150.0)
def hangs_up_over_a_cancel(host: WmiHost) -> None:
    forever(host)
    cuts(host, "CancelAsyncCall", reset=True)


# By others


async def with_an_intruder(loop: NetworkLoop, host: WmiHost) -> None:
    found = await is_pushed(loop, host)
    assert len(found) == 5


async def goes_unheard(
    host: WmiHost, delivery: Delivery, *, user: str = "ada", levels: tuple[int, ...] = (6, 5, 4, 2, 1)
) -> None:
    """A callback by somebody else, or at other levels: fault 5, or no log-on at all (wire.md 6.4)."""
    other = type(delivery.sink)(host.loop, host.references[-1], as_user(user, PASSWORD), levels)
    try:
        answer = await other.indicate(batch(1))
    except Gone as reason:
        assert reason.status in (0, 5)
    else:
        raise AssertionError(f"{user} was heard at {levels}: {answer}")
    await other.release()


@ends_in(None, act=with_an_intruder)
def lets_somebody_else_call_the_sink(host: WmiHost) -> None:
    """Another user on the same machine has the reference: fault 5, and the call goes on (wire.md 6.4)."""

    async def script(delivery: Delivery) -> None:
        await goes_unheard(host, delivery, user="mallory")
        await deliver(delivery)

    scripted(host, script)


@ends_in(None, act=with_an_intruder)
def comes_back_at_a_lower_level(host: WmiHost) -> None:
    """The log-on was private; a callback that is only signed, or less, is not taken."""

    async def script(delivery: Delivery) -> None:
        for level in (AuthLevel.INTEGRITY, AuthLevel.PACKET, AuthLevel.CONNECT, AuthLevel.NONE):
            await goes_unheard(host, delivery, levels=(level,))
        await deliver(delivery)

    scripted(host, script)


@ends_in(None, act=with_an_intruder)
def wants_other_interfaces_of_the_sink(host: WmiHost) -> None:
    """calls.md C18: IUnknown and IWbemObjectSink, and E_NOINTERFACE for all else."""

    async def script(delivery: Delivery) -> None:
        await takes_it(delivery)
        sink = delivery.sink
        assert sink.line is not None
        asked = remunknown.QueryInterface(sink.std.ipid, 5, (guids.IWbemServices.uuid, dcom.IID_IUnknown))
        answer = await sink.line.call(
            dcom.IRemUnknown, remunknown.REM_QUERY_INTERFACE, asked, sink.rem_unknown
        )
        assert [one.result for one in answer.results] == [0x80004002, 0]
        delivery.results.waiting.popleft()
        await deliver(delivery)

    scripted(host, script)


@ends_in(None, act=with_an_intruder)
def asks_the_sinks_machine_for_activation(host: WmiHost) -> None:
    """wire.md 6.4: the listener has a resolver, IRemUnknown and sinks, and nothing that makes objects."""

    async def script(delivery: Delivery) -> None:
        await takes_it(delivery)
        for port in (135,):
            for interface in (dcom.IRemoteSCMActivator, dcom.IActivation, guids.IWbemLevel1Login):
                try:
                    line = await Line.open(host.loop, (CLIENT, port), [interface], None, 1)
                except Gone:
                    continue
                line.close()
                raise AssertionError(f"{interface} is served")
        delivery.results.waiting.popleft()
        await deliver(delivery)

    scripted(host, script)


@ends_in(None, act=with_an_intruder, within=60.0)
def opens_a_thousand_connections_to_the_sink(host: WmiHost) -> None:
    async def script(delivery: Delivery) -> None:
        await takes_it(delivery)
        lines = []
        for _ in range(1000):
            try:
                _, line = await host.loop.create_connection(asyncio.Protocol, CLIENT, 135)
            except OSError:
                break
            lines.append(host.loop.wires[-1].client)
        delivery.results.waiting.popleft()
        await deliver(delivery)
        for one in lines:
            one.close()

    scripted(host, script)


@ends_in(None, act=with_an_intruder, within=200.0)
def releases_more_than_it_holds(host: WmiHost) -> None:
    """Of a reference too many nobody is harmed (wire.md 5.7: over-release succeeds)."""

    async def script(delivery: Delivery) -> None:
        await deliver(delivery)
        delivery.sink.refs += 1000

    scripted(host, script)


# Events


async def hears_two_events(loop: NetworkLoop, host: WmiHost) -> None:
    async with connected(delivery="sink") as remote:
        watcher = Watcher()
        call = await remote.start(ExecNotificationQuery("SELECT * FROM Host_Event"), watcher)
        while len(watcher.objects) < 2:
            watcher.first.clear()
            await watcher.first.wait()
        await cancelled(call, watcher)


@ends_in(None, act=hears_two_events, within=180.0)
def raises_events_before_the_subscription_is_answered(host: WmiHost) -> None:
    async def late(called: Any, honest: Callable[[], Any]) -> Any:
        answer = honest()
        host.events[-1].add(processes(2))
        await asyncio.sleep(1.0)
        return answer

    answers(host, "ExecNotificationQueryAsync", late)
