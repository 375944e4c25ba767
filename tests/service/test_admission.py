"""Events for some subscribers only: SECURITY_DESCRIPTOR of an event (calls.md B91)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.service.conftest import Collector, Running

from openwmi.contract import operations as ops
from openwmi.contract.caller import Caller
from openwmi.model import sddl
from openwmi.mof import class_declarations

ALICE = Caller("S-1-5-21-1-2-3-1000", "alice", remote=True)
BOSS = Caller("S-1-5-21-1-2-3-1001", "boss", ("S-1-5-32-544",), remote=True)


@pytest.fixture
def here() -> Iterator[Running]:
    one = Running()
    (declaration,) = class_declarations("class Rang : __ExtrinsicEvent { string Text; };", file="rang")
    one.host.namespaces.named("root\\cimv2").provided.add(declaration)
    yield one
    one.host.shut_down()


def subscribed(here: Running, caller: Caller) -> Collector:
    sink = Collector()
    call = here.start(
        ops.ExecNotificationQuery("SELECT * FROM Rang"),
        sink,
        services=here.connect("root\\cimv2", caller=caller),
    )
    here.host.portal.submit(call.begun).result(10)
    return sink


def ring(here: Running, text: str, descriptor: str | bytes | None) -> None:
    class_ = here.host.namespaces.named("root\\cimv2").schema.class_named("Rang")
    data = sddl.parse(descriptor).encode() if isinstance(descriptor, str) else descriptor

    async def raised() -> None:
        sink: Any = await here.cimv2.event_sink()
        event = class_.spawn({"Text": text, "SECURITY_DESCRIPTOR": None if data is None else tuple(data)})
        assert sink.on_objects([event]) == 0

    here.host.portal.submit(raised).result(10)


@pytest.mark.req("calls:B91", "E-05", "E-60")
@pytest.mark.parametrize(
    ("descriptor", "heard"),
    [
        (None, {"owner", "boss", "alice"}),
        ("O:BAG:BA", {"owner", "boss", "alice"}),
        ("O:BAG:BAD:(A;;0x40;;;BA)", {"owner", "boss"}),
        (f"O:BAG:BAD:(A;;0x40;;;{ALICE.sid})", {"alice"}),
        ("O:BAG:BAD:(A;;0x80;;;BA)", set()),
        (f"O:BAG:BAD:(D;;0x40;;;{BOSS.sid})(A;;0x40;;;BA)", {"owner"}),
        ("O:BAG:BAD:", set()),
        (b"no descriptor", set()),
    ],
)
def test_an_event_says_who_hears_of_it(here: Running, descriptor: Any, heard: set[str]) -> None:
    sinks = {
        "owner": subscribed(here, here.host.caller),
        "boss": subscribed(here, BOSS),
        "alice": subscribed(here, ALICE),
    }
    ring(here, "secret", descriptor)
    ring(here, "open", None)
    texts = {name: [one.Text for one in sink.objects] for name, sink in sinks.items()}
    assert {name for name, said in texts.items() if "secret" in said} == heard
    assert all(said[-1] == "open" for said in texts.values())  # the subscription itself goes on
    assert all(sink.outcome is None for sink in sinks.values())
