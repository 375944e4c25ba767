"""How long objects live: pings, lost connections, quotas of sets; a model beside the table (wire.md 5.6, 5.7)."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any
from uuid import UUID

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule
from tests.remote.kit import ECHO, RESOLVER, WAIT, Asked, IID_IOther, IID_IThing, Thing, endpoint

from openwmi.remote.inbound import ExporterLimits
from openwmi.remote.inbound.objects import Objects
from openwmi.remote.inbound.pings import PingSets
from openwmi.wire import errors
from openwmi.wire.dcom import exporter as x
from openwmi.wire.dcom import objref
from openwmi.wire.dcom.objref import SORF_NOPING

LIMITS = ExporterLimits()
LIFE = LIMITS.life
QUESTION = Asked("x", 1)


def oid_of(server: Any, thing: Thing) -> int:
    data = server.exporter.export(thing, IID_IThing, user="ada", local=server.address)
    return objref.standard(data).std.oid


async def test_an_object_outlives_its_connection_by_three_periods() -> None:
    assert LIFE == 360
    async with endpoint() as server:
        ipid = server.give()
        client = await server.connect()
        await client.call(ECHO, QUESTION, ipid)
        server.sweep(19 * LIFE)
        assert server.thing.releases == 0, "nobody pings, but the connection is there"
        await client.call(ECHO, QUESTION, ipid)
        await client.close()
        second = await server.connect([IID_IOther])
        assert await second.call(ECHO, QUESTION, UUID(int=1)) == errors.RPC_E_DISCONNECTED  # logged on
        server.sweep(LIFE)
        assert await second.call(ECHO, QUESTION, ipid) != errors.RPC_E_DISCONNECTED
        await second.close()
        third = await server.connect([IID_IOther])
        assert await third.call(ECHO, QUESTION, UUID(int=1)) == errors.RPC_E_DISCONNECTED
        server.sweep(LIFE)
        assert server.thing.releases == 0
        server.sweep(1)
        assert server.thing.releases == 1
        assert await third.call(ECHO, QUESTION, ipid) == errors.RPC_E_DISCONNECTED


async def test_pings_keep_an_object_without_a_connection_and_their_end_ends_it() -> None:
    async with endpoint() as server:
        oid = oid_of(server, server.thing)
        client = await server.connect([RESOLVER])
        made = await client.call(x.COMPLEX_PING, x.ComplexPing(0, 0, [oid, 12345], []))
        assert made.status == 0
        assert made.set_id
        for _ in range(20):
            server.sweep(LIMITS.ping)
            assert await client.call(x.SIMPLE_PING, x.SimplePing(made.set_id)) == x.Status(0)
        assert server.thing.releases == 0
        server.sweep(LIFE + 1)
        assert server.thing.releases == 1
        assert await client.call(x.SIMPLE_PING, x.SimplePing(made.set_id)) == x.Status(x.OR_INVALID_SET)
        again = await client.call(x.COMPLEX_PING, x.ComplexPing(made.set_id, 1, [oid], []))
        assert again.status == x.OR_INVALID_SET


async def test_pings_that_end_end_an_object_whose_connection_stays() -> None:
    """The client said that it would ping; its machine may be gone without the connection noticing."""
    async with endpoint() as server:
        oid = oid_of(server, server.thing)
        client = await server.connect([RESOLVER, IID_IThing])
        await client.call(ECHO, QUESTION, server.give(), 1)
        await client.call(x.COMPLEX_PING, x.ComplexPing(0, 0, [oid], []))
        server.sweep(LIFE + 1)
        assert server.thing.releases == 1


async def test_a_call_under_way_keeps_its_object() -> None:
    async with endpoint() as server:
        ipid = server.give()
        client = await server.connect([IID_IThing, RESOLVER])
        await client.call(x.COMPLEX_PING, x.ComplexPing(0, 0, [oid_of(server, server.thing)], []), None, 1)
        waiting = client.begin(WAIT, QUESTION, ipid)
        await server.thing.begun.wait()
        server.sweep(LIFE + 1)
        assert server.thing.releases == 0
        server.thing.waiting[0].set_result(None)
        await client.answer(waiting)
        await client.close()


async def test_a_call_under_way_keeps_an_object_that_left_its_set_until_it_is_answered() -> None:
    async with endpoint() as server:
        ipid, oid = server.give(), oid_of(server, server.thing)
        client = await server.connect([IID_IThing, RESOLVER])
        made = await client.call(x.COMPLEX_PING, x.ComplexPing(0, 0, [oid], []), None, 1)
        waiting = client.begin(WAIT, QUESTION, ipid)
        await server.thing.begun.wait()
        await client.call(x.COMPLEX_PING, x.ComplexPing(made.set_id, 1, [], [oid]), None, 1)
        server.sweep(LIFE + 1)
        assert server.thing.releases == 0
        server.thing.waiting[0].set_result(None)
        assert isinstance(await client.answer(waiting), bytes)
        server.sweep(LIFE + 1)
        assert server.thing.releases == 1


async def test_what_needs_no_pings_stays() -> None:
    async with endpoint() as server:
        ipid = server.give(flags=SORF_NOPING)
        client = await server.connect()
        await client.call(ECHO, QUESTION, ipid)
        await client.close()
        server.sweep(1000 * LIFE)
        assert server.thing.releases == 0


async def test_an_object_that_was_never_fetched_goes() -> None:
    async with endpoint() as server:
        server.give()
        server.sweep(LIFE + 1)
        assert server.thing.releases == 1


def pings(limits: ExporterLimits = LIMITS) -> PingSets:
    numbers = iter(range(100, 100_000))
    return PingSets(lambda n: next(numbers).to_bytes(n, "little"), lambda oid: oid < 1000, limits)


def test_a_change_that_was_overtaken_is_only_a_ping() -> None:
    sets = pings()
    number, status, _ = sets.change(0, 7, [1, 2], [], 0.0)
    assert (number, status) == (100, 0)
    assert sets.change(number, 9, [3], [], 1.0) == (100, 0, frozenset())
    assert sets.change(number, 8, [], [3], 2.0) == (100, 0, frozenset())
    assert sets.holds(3)
    # impacket sends its set's number where the sequence number belongs: any jump counts (wire.md 5.6).
    assert sets.change(number, 40_000, [], [3], 3.0) == (100, 0, frozenset({3}))
    assert sets.change(number, 40_000, [4], [], 3.0) == (100, 0, frozenset())
    assert sets.holds(4)


def test_sets_and_their_members_are_bounded() -> None:
    sets = pings(ExporterLimits(sets=2, members=3))
    assert [sets.change(0, 0, [1], [], 0.0)[1] for _ in range(3)] == [0, 0, 14]
    assert sets.change(100, 1, [2, 3], [], 0.0)[1] == 0
    assert sets.change(100, 2, [4], [], 0.0)[1] == 14
    assert not sets.holds(4)


async def test_no_user_takes_the_room_for_the_sets_of_all() -> None:
    async with endpoint(exporter_limits=ExporterLimits(sets=3, sets_per_user=2)) as server:
        ada, bob = [await server.connect([RESOLVER], user=name) for name in ("ada", "bob")]

        async def status(client: Any) -> int:
            return int((await client.call(x.COMPLEX_PING, x.ComplexPing(0, 0, [], []))).status)

        assert [await status(ada) for _ in range(3)] == [0, 0, 14]
        assert [await status(bob) for _ in range(2)] == [0, 14], "there are three in all"
        server.sweep(LIFE + 1)
        assert [await status(ada) for _ in range(3)] == [0, 0, 14], "what nobody pings makes room"


class Lifetimes(RuleBasedStateMachine):
    """Objects with references, sets and connections, and a plain count of all of them beside."""

    pointers = Bundle("pointers")
    connections = Bundle("connections")
    sets = Bundle("sets")

    def __init__(self) -> None:
        super().__init__()
        source = random.Random(1)
        self.objects = Objects(source.randbytes, LIMITS)
        self.now = 0.0
        self.refs: Counter[UUID] = Counter()
        self.things: list[Thing] = []
        self.next_connection = 0

    @rule(target=pointers, user=st.sampled_from(["ada", "bob"]), both=st.booleans(), count=st.integers(1, 5))
    def export(self, user: str, both: bool, count: int) -> Any:
        thing = Thing()
        self.things.append(thing)
        made = []
        for iid in (IID_IThing, IID_IOther)[: 1 + both]:
            pointer = self.objects.marshalled(thing, iid, user, references=count, flags=0, now=self.now)
            self.refs[pointer.ipid] += count
            made.append(pointer.ipid)
        return multiple(*made)

    @rule(ipid=pointers, count=st.integers(1, 8))
    def release(self, ipid: UUID, count: int) -> None:
        pointer = self.objects.find(ipid)
        if pointer is not None:
            self.objects.release(pointer, count)
            self.refs[ipid] = max(0, self.refs[ipid] - count)

    @rule(target=connections)
    def connect(self) -> str:
        self.next_connection += 1
        return f"connection {self.next_connection}"

    @rule(ipid=pointers, connection=connections)
    def use(self, ipid: UUID, connection: Any) -> None:
        pointer = self.objects.find(ipid)
        if pointer is not None:
            self.objects.used(pointer.entry, connection)

    @rule(connection=consumes(connections))
    def lose(self, connection: Any) -> None:
        self.objects.lost(connection, self.now)

    @rule(target=sets, ipids=st.lists(pointers, max_size=4))
    def ping(self, ipids: list[UUID]) -> int:
        oids = tuple(p.entry.oid for ipid in ipids if (p := self.objects.find(ipid)) is not None)
        number, status = self.objects.changed(0, 0, oids, (), self.now)
        assert status == 0
        return number

    @rule(number=sets, ipid=pointers, add=st.booleans())
    def change(self, number: int, ipid: UUID, add: bool) -> None:
        pointer = self.objects.find(ipid)
        oids = (pointer.entry.oid,) if pointer is not None else (5,)
        self.objects.changed(number, 0, oids if add else (), () if add else oids, self.now)

    @rule(seconds=st.sampled_from([1.0, 120.0, 200.0, 361.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.objects.expire(self.now)

    @invariant()
    def adds_up(self) -> None:
        for ipid, count in self.refs.items():
            pointer = self.objects.find(ipid)
            assert pointer is None or pointer.references == count > 0
        held = {id(one) for one in self.objects}
        for thing in self.things:
            assert thing.releases == (id(thing) not in held)

    def teardown(self) -> None:
        for step in range(1, 4):  # nobody pings any more, all connections end: nothing may stay
            for number in range(self.next_connection):
                self.objects.lost(f"connection {number + 1}", self.now)  # type: ignore[arg-type]
            self.now += LIFE + step
            self.objects.expire(self.now)
        assert len(self.objects) == 0
        assert len(self.objects.pings) == 0
        assert [thing.releases for thing in self.things] == [1] * len(self.things)


TestLifetimes = pytest.mark.slow(Lifetimes.TestCase)
