"""From a reference to a proxy: bindings, levels, and addresses that nobody may be sent to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.remote.clock import JumpingLoop, jumping
from tests.remote.outbound.peers import DOUBLE, EXPORTER, HOST, IPID, RESOLVER, THING, Number, Peer, security

from openwmi.model import status as codes
from openwmi.model.errors import AccessDenied, WbemError
from openwmi.remote.outbound import resolving
from openwmi.remote.outbound.dialling import NoSuchName
from openwmi.remote.outbound.resolving import addresses_of, permitted, reach
from openwmi.remote.places import Address
from openwmi.wire.dcom.bindings import DualStringArray, StringBinding, tcp
from openwmi.wire.rpc import AuthLevel


def run(work: Callable[[], Awaitable[Any]], *, within: float = 60.0) -> Any:
    async def wrapped(_: JumpingLoop) -> Any:
        return await work()

    return jumping(wrapped, within=within)


def only_the_peer(host: str) -> bool:
    return host == HOST


@pytest.mark.parametrize(
    ("bindings", "default", "expected"),
    [
        ((tcp("10.0.0.2"),), 135, [("10.0.0.2", 135)]),
        ((tcp("10.0.0.2", 5000), tcp("server")), 135, [("10.0.0.2", 5000), ("server", 135)]),
        ((tcp("fe80::1", 5000), tcp("fe80::2")), 135, [("fe80::1", 5000), ("fe80::2", 135)]),
        ((StringBinding(15, r"\\server[\PIPE\x]"), tcp("a", 1), tcp("a", 1)), 135, [("a", 1)]),
        ((tcp("10.0.0.2"), tcp("10.0.0.2", 7)), None, [("10.0.0.2", 7)]),
        ((StringBinding(7, "host[99999]"), StringBinding(7, "host[]"), StringBinding(7, "")), 135, []),
        (tuple(tcp("a", port) for port in range(1, 40)), 135, [("a", port) for port in range(1, 17)]),
    ],
)
def test_where_bindings_lead(bindings: Any, default: int | None, expected: list[Any]) -> None:
    assert addresses_of(DualStringArray(bindings), default) == expected


def test_the_whole_way_to_an_object_and_back() -> None:
    """wire.md 6.1: ServerAlive2 without security, ResolveOxid2, the exporter, at the level that works; all released."""

    async def work() -> None:
        peer = Peer()
        proxy = await reach(
            peer.reference(), THING, [security()], allowed=only_the_peer, network=peer.network
        )
        assert (await proxy.call(DOUBLE, Number(21))).number == 42
        assert peer.memory.dialled == [RESOLVER, RESOLVER, EXPORTER]
        assert (proxy.level, proxy.peer, proxy.oxid) == (AuthLevel.PRIVACY, EXPORTER, 0x1111)
        assert peer.refs[IPID] == 6
        await proxy.close()
        assert peer.refs[IPID] == 0
        assert peer.calls == [
            "ServerAlive2",
            "ResolveOxid2",
            "RemAddRef at 6",
            "Double at 6",
            "RemRelease at 6",
        ]

    run(work)


def test_levels_are_tried_in_order_and_no_further_than_was_said() -> None:
    """calls.md E9, wire.md 6.4: from privacy downwards; without authentication only where that is allowed."""

    async def work() -> None:
        wrong, right = security(password="wrong"), security(AuthLevel.INTEGRITY)
        peer = Peer()
        proxy = await reach(
            peer.reference(), THING, [wrong, right], allowed=only_the_peer, network=peer.network
        )
        assert proxy.level == AuthLevel.INTEGRITY
        await proxy.close()

        peer = Peer()
        with pytest.raises(AccessDenied):
            await reach(peer.reference(), THING, [wrong], allowed=only_the_peer, network=peer.network)
        assert all(
            request.level >= 5 for server in peer.servers for request in server.requests if request.opnum != 5
        )

        peer = Peer(floor=AuthLevel.NONE)
        proxy = await reach(
            peer.reference(), THING, [wrong, None], allowed=only_the_peer, network=peer.network
        )
        assert proxy.level == AuthLevel.NONE
        await proxy.close()

    run(work)


@pytest.mark.parametrize(
    ("peer", "dialled"),
    [
        (Peer(resolver_binding="10.9.9.9"), []),
        (Peer(resolver_binding="10.9.9.9[445]"), []),
        (Peer(exporter_bindings=("10.9.9.9[49152]",)), [RESOLVER, RESOLVER]),
    ],
    ids=["resolver", "port", "exporter"],
)
def test_nothing_goes_to_an_address_that_is_not_allowed(peer: Peer, dialled: list[Address]) -> None:
    """wire.md 6.4: a reference must not make us connect, and log on, to a third host."""

    async def work() -> None:
        with pytest.raises(AccessDenied) as caught:
            await reach(peer.reference(), THING, [security()], allowed=only_the_peer, network=peer.network)
        assert "10.9.9.9" in str(caught.value)
        assert peer.memory.dialled == dialled

    run(work)


def test_a_name_is_looked_up_once_and_then_the_address_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    async def look_up(host: str) -> list[str]:
        asked.append(host)
        if host == "nowhere":
            raise NoSuchName("no such name")
        return ["10.9.9.9", HOST]

    monkeypatch.setattr(resolving, "look_up", look_up)

    async def work() -> None:
        named = [Address("nowhere", 1), Address("sink", 2)]
        assert await permitted(named, only_the_peer) == [Address(HOST, 2)]
        assert asked == ["nowhere", "sink"]
        assert await permitted([*named, Address(HOST, 3)], only_the_peer) == [Address(HOST, 3)]
        assert len(asked) == 2
        assert await permitted([Address(f"n{n}", 1) for n in range(40)], only_the_peer)
        assert len(asked) == 6

    run(work)


def test_the_second_binding_where_the_first_is_dead() -> None:
    async def work() -> None:
        peer = Peer(exporter_bindings=(f"{HOST}[1]", f"{HOST}[49152]"))
        proxy = await reach(
            peer.reference(), THING, [security()], allowed=only_the_peer, network=peer.network
        )
        assert proxy.peer == EXPORTER
        await proxy.close()

    run(work)


def test_what_is_not_there_any_more() -> None:
    async def work() -> None:
        gone = Peer()
        gone.refs[IPID] = 0
        with pytest.raises(WbemError) as caught:
            await reach(gone.reference(), THING, [security()], allowed=only_the_peer, network=gone.network)
        assert caught.value.phase == "RemAddRef"
        with pytest.raises(WbemError) as caught:
            await resolving.resolve_oxid(RESOLVER, 77, [security()], network=gone.network)
        assert (caught.value.code, caught.value.phase) == (codes.RPC_E_DISCONNECTED, "ResolveOxid2")
        dead = Peer(resolver_binding=f"{HOST}[9]")
        with pytest.raises(WbemError) as caught:
            await reach(dead.reference(), THING, [security()], allowed=only_the_peer, network=dead.network)
        assert caught.value.code == codes.RPC_S_SERVER_UNAVAILABLE
        await asyncio.sleep(0)

    run(work)
