"""Each way over the wire is what its name says: otherwise the suite would prove the same one several times."""

from __future__ import annotations

import itertools
from typing import Any

from tests.conformance.support import Recorder
from tests.conformance.wire import WAYS, WireSeam

from openwmi.contract.operations import GetObject
from openwmi.remote.client.receiving import Receiver
from openwmi.wire.kerberos import Initiator as Kerberos
from openwmi.wire.ntlm import Initiator as Ntlm
from openwmi.wire.rpc import AuthLevel

LEVELS = {"privacy": AuthLevel.PRIVACY, "integrity": AuthLevel.INTEGRITY}


async def test_log_on_level_and_ports(wire: WireSeam) -> None:
    channel = wire.opened[0].machine.channel
    assert type(channel.context) is {"ntlm": Ntlm, "kerberos": Kerberos}[wire.way.auth]
    assert channel.level == LEVELS[wire.way.level]
    resolver = wire.serving.ports[wire.way.ports]
    assert (channel.remote.port == resolver) is (wire.way.ports == 1)


async def test_delivery(wire: WireSeam) -> None:
    came_to: list[int] = []

    def heard(_: Any) -> None:
        listener = Receiver.here()._listener
        if listener is not None:
            came_to.extend(one.local.port for one in listener.associations if one.proven)

    sink = Recorder(objects=heard)
    await (await wire.start(GetObject("__Namespace"), sink))
    choice = await wire.opened[0].delivery()
    assert choice.mode == wire.way.delivery
    if wire.way.delivery == "sink":
        assert (choice.place.port in came_to) is (wire.way.ports == 1)
        assert came_to
    else:
        assert not came_to


def test_every_value_meets_every_other_one() -> None:
    values = [set(column) for column in zip(*WAYS, strict=True)]
    assert [len(found) for found in values] == [2, 2, 2, 2]
    for first, second in itertools.combinations(range(len(values)), 2):
        assert {(way[first], way[second]) for way in WAYS} == set(
            itertools.product(values[first], values[second])
        )
