"""Events on their way to another process: what is sent at all, what is lost, who raised them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.service.permanent.conftest import CIMV2, Hall

from openwmi.contract.caller import Caller
from openwmi.service.permanent import relay

ALICE = Caller("S-1-5-21-1-2-3-1000", "alice", ("S-1-5-11",), remote=True)


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[Hall, Hall]]:
    """Two services on one store: one runs its subscriptions, the other does not."""
    owner, other = Hall(str(tmp_path / "store.db")), Hall(str(tmp_path / "store.db"))
    assert other.service.ownership is not None
    other.service.ownership.release()
    yield owner, other
    other.close()
    owner.close()


def sent(hall: Hall, *texts: str, publisher: Caller | None = None) -> None:
    space = hall.host.namespaces.named(CIMV2)
    hall.service.relay.send(space, [hall.event(text, publisher) for text in texts])
    hall.loop.settle()


def entries(hall: Hall) -> list[Any]:
    repository = hall.host.repository.existing
    assert repository is not None
    return [one for one in repository.changes(0, 10_000) if one.kind == relay.KIND]


@pytest.mark.req("E-51")
def test_they_arrive_in_order_with_who_raised_them(two: tuple[Hall, Hall]) -> None:
    owner, other = two
    owner.filter(EventAccess=f"O:BAG:BAD:(A;;0x80;;;{ALICE.sid})")
    owner.consumer()
    owner.bind("f", "c", MaintainSecurityContext=True)
    temporary = owner.hears("Rang", CIMV2)
    sent(other, "one", "two", publisher=ALICE)
    sent(other, "not this one")
    owner.loop.advance(1)
    assert owner.taker.texts == [("c", "one"), ("c", "two")]
    assert owner.taker.calls[0][0].publisher == ALICE._replace(
        granted=owner.taker.calls[0][0].publisher.granted
    )  # type: ignore[union-attr]
    assert temporary.objects == []  # who subscribes for a while hears of its own process
    assert len(entries(owner)) == 3


def test_nothing_is_sent_where_nobody_wants_it(two: tuple[Hall, Hall]) -> None:
    owner, other = two
    owner.filter()
    owner.consumer()
    sent(other, "no binding yet")
    owner.bind()
    other.loop.advance(relay.LOOK_SECONDS)
    sent(owner, "heard here anyway")
    assert entries(owner) == []
    sent(other, "now")
    assert len(entries(owner)) == 1


def test_what_is_too_much_is_counted(two: tuple[Hall, Hall], monkeypatch: pytest.MonkeyPatch) -> None:
    owner, other = two
    owner.subscribed()
    monkeypatch.setattr(relay, "LIMIT", 3)
    space = other.host.namespaces.named(CIMV2)
    other.service.relay.send(space, [other.event(str(number)) for number in range(5)])
    assert other.service.relay.lost == 2
    other.loop.settle()
    owner.loop.advance(1)
    assert [text for _, text in owner.taker.texts] == ["0", "1", "2"]


def test_the_end_of_a_program_waits_until_they_are_written(two: tuple[Hall, Hall]) -> None:
    owner, other = two
    owner.subscribed()
    space = other.host.namespaces.named(CIMV2)
    other.service.relay.send(space, [other.event("last")])
    other.loop.run_until_complete(other.service.shut_down())
    assert len(entries(owner)) == 1
    owner.loop.advance(1)
    assert owner.taker.texts == [("c", "last")]


def test_an_event_whose_class_is_gone_is_left_out(two: tuple[Hall, Hall]) -> None:
    owner, other = two
    owner.subscribed()
    owner.host.namespaces.named(CIMV2).provided._declarations.clear()
    owner.host.namespaces.named(CIMV2).schema.forget_all()
    sent(other, "x")
    owner.loop.advance(1)
    assert owner.taker.texts == []
