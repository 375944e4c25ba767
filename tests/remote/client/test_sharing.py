"""Connections that share a machine: who joins whom, who ends it, and what one's failure does to the others."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.remote.client.host import EXPORTER, HOST, THING, USER, Host, class_named
from tests.remote.client.kit import QUERY, heard, run
from tests.remote.memory import PASSWORD

from openwmi.contract.operations import GetObject
from openwmi.model import status as codes
from openwmi.model.errors import AccessDenied, InvalidNamespace, WbemError
from openwmi.remote.client import Credentials, connect
from openwmi.remote.client.services import RemoteServices
from openwmi.remote.client.settings import Settings
from openwmi.remote.outbound.network import Deadlines


class Shared(Host):
    """A host that is connected to in the way in which the faces do it."""

    def __init__(self) -> None:
        super().__init__([class_named(THING).spawn({"N": 1, "S": "one"})])
        self.usual = self.settings()

    async def join(
        self, password: str | None = PASSWORD, *, settings: Settings | None = None, **changes: Any
    ) -> RemoteServices:
        namespace = changes.pop("namespace", "root\\cimv2")
        credentials = Credentials(USER, password, **changes)
        return await connect(HOST, namespace, credentials, settings=settings or self.usual, shared=True)

    def nothing_is_left(self) -> None:
        assert not self.listener.associations
        assert len(self.exporter) == 0


async def works(services: RemoteServices) -> bool:
    return len((await heard(services, QUERY)).objects) == 1


def test_equal_callers_share_one_association_until_the_last_one_leaves() -> None:
    async def work() -> None:
        host = Shared()
        first = await host.join()
        second = await host.join(settings=host.settings(), namespace="root\\default")
        assert first.machine is second.machine
        assert len(host.listener.associations) == 1
        await first.close()
        await first.close()
        assert await works(second)
        await second.close()
        host.nothing_is_left()
        third = await host.join()
        assert third.machine is not second.machine
        assert await works(third)
        await third.close()
        host.nothing_is_left()

    run(work)


def test_who_comes_while_the_way_is_being_opened_goes_along() -> None:
    async def work() -> None:
        host = Shared()
        several = await asyncio.gather(*[host.join() for _ in range(5)])
        assert len({id(one.machine) for one in several}) == 1
        assert host.calls.count("RemoteCreateInstance") <= 1
        assert len(host.listener.associations) == 1
        for one in several:
            await one.close()
        host.nothing_is_left()

    run(work)


@pytest.mark.parametrize(
    "other",
    [
        {"level": "integrity"},
        {"auth": "ntlm"},
        {"nt_hash": "00" * 16},
        {"settings": {"page": 7}},
        {"settings": {"deadlines": Deadlines(call=3.0)}},
    ],
    ids=str,
)
def test_whoever_differs_has_a_connection_of_its_own(other: dict[str, Any]) -> None:
    async def work() -> None:
        host = Shared()
        first = await host.join()
        changes = dict(other)
        if "settings" in changes:
            changes["settings"] = host.settings(**changes["settings"])
        if "nt_hash" in changes:
            with pytest.raises(AccessDenied):
                await host.join(password=None, **changes)
        else:
            second = await host.join(**changes)
            assert second.machine is not first.machine
            await second.close()
        assert await works(first)
        await first.close()
        host.nothing_is_left()

    run(work)


def test_credentials_from_a_ticket_cache_are_nobody_elses() -> None:
    assert Credentials("ada", "secret").lasting
    assert Credentials("ada", nt_hash="00" * 16).lasting
    assert Credentials("ada", keytab="a.keytab").lasting
    assert not Credentials().lasting
    assert not Credentials("ada@EXAMPLE").lasting
    assert not Credentials("ada", "secret", ccache="a.ccache").lasting


def test_a_wrong_password_leaves_those_alone_who_are_in() -> None:
    async def work() -> None:
        host = Shared()
        first = await host.join()
        refusals = await asyncio.gather(*[host.join("wrong") for _ in range(3)], return_exceptions=True)
        assert all(isinstance(one, AccessDenied) for one in refusals)
        assert len({id(one) for one in refusals}) == 3
        assert {one.phase for one in refusals if isinstance(one, WbemError)} == {"RemoteCreateInstance"}
        assert await works(first)
        await first.close()
        host.nothing_is_left()

    run(work)


def test_a_namespace_that_is_refused_leaves_the_others_alone() -> None:
    async def work() -> None:
        host = Shared()
        first = await host.join()
        host.refuse["NTLMLogin"] = codes.WBEM_E_INVALID_NAMESPACE
        with pytest.raises(InvalidNamespace):
            await host.join()
        assert await works(first)
        await first.close()
        host.nothing_is_left()
        with pytest.raises(InvalidNamespace):
            await host.join()
        host.nothing_is_left()

    run(work)


def test_a_broken_connection_is_replaced() -> None:
    async def work() -> None:
        host = Shared()
        first = await host.join()
        for connection in host.network.connections:
            connection.reset()
        await asyncio.sleep(1)
        second = await host.join()
        assert second.machine is not first.machine
        assert await works(second)
        await first.close()
        assert await works(second)
        await second.close()
        await asyncio.sleep(1)
        assert not host.listener.associations

    run(work)


def test_nobody_joins_where_many_calls_are_under_way() -> None:
    async def work() -> None:
        host = Shared()
        first = await host.join()
        host.meddle = lambda name, request, answer: None if name == "GetObject" else answer
        calls = [asyncio.ensure_future(heard(first, GetObject("Thing"))) for _ in range(64)]
        await asyncio.sleep(1)
        second = await host.join()
        assert second.machine is not first.machine
        host.meddle = None
        assert await works(second)
        await second.close()
        for connection in host.network.connections:
            connection.reset()
        await asyncio.wait(calls)
        await first.close()

    run(work)


def test_a_server_that_takes_one_call_at_a_time_gets_a_connection_from_each() -> None:
    async def work() -> None:
        host = Shared()
        first = await host.join()
        first.machine.channel._rpc.multiplexed = False
        second = await host.join()
        assert second.machine is not first.machine
        await first.close()
        assert await works(second)
        await second.close()
        host.nothing_is_left()

    run(work)


@pytest.mark.parametrize("turns", range(0, 60, 3))
@pytest.mark.parametrize("which", ["the one that came first", "the one that joined", "both"])
def test_whoever_is_cancelled_on_the_way_takes_nobody_along(turns: int, which: str) -> None:
    async def work() -> None:
        host = Shared()
        tasks = [asyncio.ensure_future(host.join()) for _ in range(2)]
        for _ in range(turns):
            await asyncio.sleep(0)
        doomed = {"the one that came first": tasks[:1], "the one that joined": tasks[1:], "both": tasks}[
            which
        ]
        for task in doomed:
            task.cancel()
        await asyncio.wait(tasks)
        for task in tasks:
            if not task.cancelled():
                assert await works(task.result())
                await task.result().close()
            else:
                assert task in doomed
        await asyncio.sleep(30)
        assert not host.listener.associations
        # An activation that nobody waits for leaves its object to the server, which misses our pings.
        if which != "both":
            assert len(host.exporter) == 0

    run(work)


def test_a_host_that_cannot_be_reached_says_so_to_each() -> None:
    async def work() -> None:
        host = Shared()
        del host.network.hosts[EXPORTER]
        found = await asyncio.gather(host.join(), host.join(), return_exceptions=True)
        assert [isinstance(one, WbemError) and one.code for one in found] == 2 * [
            codes.RPC_S_SERVER_UNAVAILABLE
        ]

    run(work)
