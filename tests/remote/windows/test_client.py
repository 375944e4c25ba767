"""The client at a Windows-like host: SPNEGO alone, IRemUnknown2, callbacks as Windows makes them, pings for as long as
something is held, everything given back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.remote.hostile.stage import QUERY, Watcher, does, run_operation
from tests.remote.memory import PASSWORD
from tests.remote.network import SERVER, NetworkLoop, on_network
from tests.remote.windows.callback import as_user
from tests.remote.windows.wmi import NAMESPACE, WmiHost, events_of, processes

from openwmi.contract.operations import CreateInstanceEnum, ExecNotificationQuery, GetObject, PutInstance
from openwmi.model import status as codes
from openwmi.model.errors import WbemError
from openwmi.remote.client import Credentials, Settings, connect
from openwmi.wire.rpc import AuthLevel, AuthType

Work = Callable[[NetworkLoop, WmiHost], Awaitable[Any]]


def with_host(work: Work) -> None:
    async def run(loop: NetworkLoop) -> None:
        host = await WmiHost(loop).open()
        try:
            await work(loop, host)
            assert host.held == {}, "not all was given back"
            assert host.wrong == []
        finally:
            host.close()

    on_network(run, within=1e6)


async def log_on(delivery: str = "poll", **options: Any) -> Any:
    credentials = Credentials("ada", PASSWORD, **options)
    return await connect(SERVER, NAMESPACE, credentials, settings=Settings(delivery=delivery))  # type: ignore[arg-type]


@pytest.mark.parametrize("level", ["integrity", "privacy"])
def test_negotiation_where_nothing_else_is_taken(level: str) -> None:
    """auth="negotiate" speaks SPNEGO, with NTLM inside where there are no tickets ([MS-SPNG], DESIGN.md section 5)."""

    async def work(loop: NetworkLoop, host: WmiHost) -> None:
        host.raw_ntlm = False
        services = await log_on(auth="negotiate", level=level)
        assert len(await run_operation(services, QUERY)) == 5
        await services.close()
        kinds = {
            security.context.auth_type for one in host.stations for security in one.rpc.securities.values()
        }
        assert kinds == {AuthType.SPNEGO}

    with_host(work)


@pytest.mark.parametrize("delivery", ["poll", "sink"])
def test_everything_the_host_has(delivery: str) -> None:
    async def work(loop: NetworkLoop, host: WmiHost) -> None:
        for operation, count in (
            (QUERY, 5),
            (CreateInstanceEnum("Win32_Process"), 5),
            (GetObject('Win32_Process.Handle="1"'), 1),
            (PutInstance(processes(1)[0]), 0),
        ):
            assert len(await does(operation, delivery)(loop, host)) == count
        assert host.log.count("RemoteCreateInstance at 6") == 4

    with_host(work)


def test_an_idle_subscription_is_pinged_for_on_both_sides_and_lives() -> None:
    async def work(loop: NetworkLoop, host: WmiHost) -> None:
        services = await log_on("sink", auth="ntlm")
        watcher = Watcher()
        call = await services.start(ExecNotificationQuery("SELECT * FROM Host_Event"), watcher)
        await asyncio.sleep(840.0)
        assert host.pings >= 6, "fourteen minutes are seven periods"
        host.events[-1].add(events_of(1, 2))
        await asyncio.sleep(1.0)
        assert [one.Number for one in watcher.objects] == [1, 2]
        assert host.deliveries[0].sink.unpinged == []
        await call.cancel()
        assert watcher.outcomes[0].status == codes.WBEM_E_CALL_CANCELLED
        await services.close()
        await asyncio.sleep(60.0)

    with_host(work)


def test_a_host_that_calls_back_as_somebody_else_is_not_heard() -> None:
    """Windows calls back under its machine's account, which nobody here can verify: it steps down and gives up. The
    call does not wait for ever (calls.md E10, wire.md 6.4)."""

    async def work(loop: NetworkLoop, host: WmiHost) -> None:
        host.callback_as = as_user("WIN-HOST$", "a password that nobody knows")
        services = await log_on("sink", auth="ntlm")
        with pytest.raises(WbemError):
            await run_operation(services, QUERY)
        assert all(level >= AuthLevel.CONNECT for level in host.deliveries[0].sink.tried)
        await services.close()

    with_host(work)
