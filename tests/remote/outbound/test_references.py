"""References held, asked for more interfaces, pinged, and given back on every way out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.remote.clock import JumpingLoop, jumping
from tests.remote.outbound.peers import (
    DOUBLE,
    EXPORTER,
    IPID,
    MISSING,
    OID,
    OTHER,
    OTHER_IPID,
    OXID,
    REM_UNKNOWN,
    RESOLVER,
    THING,
    Number,
    Peer,
    security,
)

from openwmi.model import status as codes
from openwmi.model.errors import WbemError
from openwmi.remote.outbound.channel import Channel
from openwmi.remote.outbound.pinging import PERIOD, Pinger
from openwmi.remote.outbound.references import PARTING, RemoteExporter
from openwmi.wire.dcom.exporter import ComplexPing, SimplePing
from openwmi.wire.dcom.objref import SORF_NOPING
from openwmi.wire.errors import PeerMisbehaved


def run(work: Callable[[], Awaitable[Any]], *, within: float = 86_400.0) -> Any:
    async def wrapped(_: JumpingLoop) -> Any:
        return await work()

    return jumping(wrapped, within=within)


async def exporter(peer: Peer) -> RemoteExporter:
    channel = await Channel.open(EXPORTER, THING, security(), network=peer.network)
    pinger = Pinger(RESOLVER, security(), network=peer.network)
    return RemoteExporter(channel, OXID, REM_UNKNOWN, pinger)


def test_the_sum_of_all_references_is_given_back_once() -> None:
    """wire.md 8, trap 28."""

    async def work() -> None:
        peer = Peer()
        held = await exporter(peer)
        proxy = held.adopt(peer.reference(), THING)
        peer.refs[IPID] += 5
        proxy.received(5)
        assert held.held == 1
        await proxy.release()
        assert peer.refs[IPID] == 0
        await proxy.release()
        assert peer.refs[IPID] == 0
        assert held.held == 0
        await held.close()

    run(work)


def test_releases_of_one_moment_travel_together() -> None:
    async def work() -> None:
        peer = Peer()
        peer.refs[IPID] = 5000
        held = await exporter(peer)
        for proxy in [held.adopt(peer.reference(), THING) for _ in range(1000)]:
            proxy.drop()
        await held.settled()
        assert peer.refs[IPID] == 0
        assert peer.calls == ["RemRelease at 6"] * 2
        await held.close()

    run(work)


def test_another_interface_of_the_same_object() -> None:
    async def work() -> None:
        peer = Peer()
        held = await exporter(peer)
        proxy = held.adopt(peer.reference(), THING)
        other = await proxy.query(OTHER)
        assert (other.ipid, other.oid, peer.refs[OTHER_IPID]) == (OTHER_IPID, OID, 5)
        assert (await other.call(DOUBLE, Number(4))).number == 8
        with pytest.raises(WbemError) as caught:
            await proxy.query(MISSING)
        assert caught.value.code == codes.E_NOINTERFACE
        await held.close()
        assert peer.refs == {IPID: 0, OTHER_IPID: 0}

    run(work)


@pytest.mark.parametrize("reference", [None, b"MEOW", Peer().reference()], ids=["null", "short", "foreign"])
def test_a_reference_that_is_none_of_the_exporters(reference: bytes | None) -> None:
    async def work() -> None:
        peer = Peer()
        channel = await Channel.open(EXPORTER, THING, security(), network=peer.network)
        held = RemoteExporter(channel, OXID + 1, REM_UNKNOWN)
        with pytest.raises(WbemError) as caught:
            held.adopt(reference, THING)
        assert caught.value.code == codes.RPC_S_PROTOCOL_ERROR
        assert isinstance(caught.value.__cause__, PeerMisbehaved)
        assert channel.closed

    run(work)


def test_a_server_that_takes_nothing_back_delays_nobody_for_long() -> None:
    async def work() -> None:
        peer = Peer()
        held = await exporter(peer)
        proxy = held.adopt(peer.reference(), THING)
        peer.memory.connections[-1].filter = lambda end, data: None
        await proxy.close()
        assert held.channel.closed

    run(work, within=PARTING)


def test_a_connection_that_is_gone_needs_no_release() -> None:
    async def work() -> None:
        peer = Peer()
        held = await exporter(peer)
        proxy = held.adopt(peer.reference(), THING)
        peer.memory.connections[-1].reset()
        await asyncio.sleep(0.1)
        await proxy.release()
        with pytest.raises(WbemError):
            await proxy.call(DOUBLE, Number(1))
        await held.close()

    run(work, within=1.0)


# Pings --------------------------------------------------------------------------------------------------------


def test_whatever_is_held_is_pinged_every_two_minutes() -> None:
    """[MS-DCOM] 3.2.6.1: the set is told once, then only that it still lives; 14 minutes are no time for it."""

    async def work() -> None:
        peer = Peer()
        held = await exporter(peer)
        proxy = held.adopt(peer.reference(), THING)
        await asyncio.sleep(PERIOD - 1)
        assert peer.sets == []
        await asyncio.sleep(14 * 60)
        assert peer.sets == [ComplexPing(0, 1, (OID,), None), *[SimplePing(7)] * 6]
        await proxy.release()
        await asyncio.sleep(2 * PERIOD)
        assert peer.sets[7:] == [ComplexPing(7, 2, None, (OID,))]
        await asyncio.sleep(10 * PERIOD)
        assert len(peer.sets) == 8
        await held.close()

    run(work)


def test_what_is_held_for_a_short_time_or_wants_none_is_not_pinged() -> None:
    async def work() -> None:
        peer = Peer()
        held = await exporter(peer)
        held.adopt(peer.reference(flags=SORF_NOPING), THING)
        proxy = held.adopt(peer.reference(), THING)
        await asyncio.sleep(PERIOD - 1)
        await proxy.release()
        await asyncio.sleep(10 * PERIOD)
        assert peer.sets == []
        await held.close()

    run(work)


def test_a_set_that_the_server_forgot_is_told_again() -> None:
    async def work() -> None:
        peer = Peer()
        held = await exporter(peer)
        held.adopt(peer.reference(), THING)
        await asyncio.sleep(PERIOD + 1)
        peer.known_set = 99
        await asyncio.sleep(PERIOD)
        assert peer.sets == [ComplexPing(0, 1, (OID,), None), SimplePing(7), ComplexPing(0, 2, (OID,), None)]
        await held.close()

    run(work)


def test_a_ping_that_fails_is_tried_again_next_time() -> None:
    async def work() -> None:
        peer = Peer()
        held = await exporter(peer)
        held.adopt(peer.reference(), THING)
        served = peer.memory.hosts.pop(RESOLVER)
        await asyncio.sleep(PERIOD + 1)
        assert held.pinger is not None
        assert held.pinger.failure is not None
        peer.memory.hosts[RESOLVER] = served
        await asyncio.sleep(PERIOD)
        assert held.pinger.failure is None
        assert peer.sets == [ComplexPing(0, 1, (OID,), None)]
        await held.close()
        await asyncio.sleep(5 * PERIOD)
        assert len(peer.sets) == 1

    run(work)


def test_one_object_behind_two_interfaces_is_pinged_until_both_are_gone() -> None:
    async def work() -> None:
        peer = Peer()
        held = await exporter(peer)
        first = held.adopt(peer.reference(), THING)
        second = await first.query(OTHER)
        first.drop()
        await asyncio.sleep(PERIOD + 1)
        assert peer.sets == [ComplexPing(0, 1, (OID,), None)]
        second.drop()
        await asyncio.sleep(PERIOD)
        assert peer.sets[1:] == [ComplexPing(7, 2, None, (OID,))]
        await held.close()

    run(work)
