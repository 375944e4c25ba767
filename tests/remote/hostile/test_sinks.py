"""Hostile sinks: what a client's machine may do to a server that calls it back. Each ends its own call and no other,
in its time; nothing is sent to a third machine, and nothing is left (calls.md C5, C7, C9; wire.md 6.4)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import pytest
from tests.remote.hostile.pair import LIFETIMES, log_on, repeatable, serving
from tests.remote.hostile.stage import answers, cuts, twists
from tests.remote.hostile.test_clients import is_served
from tests.remote.network import CLIENT, NetworkLoop, on_network
from tests.remote.windows.host import Called, Host, Thing, table

from openwmi.contract.operations import ExecNotificationQuery
from openwmi.model import status as codes
from openwmi.wire.dcom import exporter
from openwmi.wire.dcom.bindings import DualStringArray, tcp
from openwmi.wire.wmi import guids, login, results
from openwmi.wire.wmi.services import inputs_of, method_of

EVENTS = ExecNotificationQuery("SELECT * FROM Note")
ELSEWHERE = "10.9.9.9"


class Sink(Thing):
    """IWbemObjectSink of a scripted machine."""

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self.heard: list[str] = []

    def indicate(self, called: Called) -> Any:
        self.heard.append(f"Indicate {len(called.inputs.objects)}")
        return login.Result()

    def set_status(self, called: Called) -> Any:
        self.heard.append(f"SetStatus {called.inputs.status:08X}")
        return login.Result()

    interfaces: ClassVar[Any] = {
        guids.IWbemObjectSink.uuid: table((results.INDICATE, indicate), (results.SET_STATUS, set_status))
    }


class Row(NamedTuple):
    """spoil: of the sink's machine; refused: what the call itself is refused with, None where it is accepted."""

    spoil: Callable[[Host], Any]
    refused: str | None


ROWS: dict[str, Row] = {}


def hostile(refused: str | None = None) -> Callable[[Callable[[Host], Any]], Callable[[Host], Any]]:
    def entered(spoil: Callable[[Host], Any]) -> Callable[[Host], Any]:
        ROWS[spoil.__name__] = Row(spoil, refused)
        return spoil

    return entered


@hostile("RPC_S_SERVER_UNAVAILABLE")
def does_not_listen(host: Host) -> None:
    host.close()


@hostile()
def swallows_connections(host: Host) -> None:
    """Slow is not gone: the call is accepted, and ends when the sink cannot be reached."""
    host.loop.silent.add((CLIENT, 135))


@hostile()
def never_answers_the_resolver(host: Host) -> None:
    answers(host, "ResolveOxid2", None)


@hostile("RPC_E_DISCONNECTED")
def does_not_know_its_own_exporter(host: Host) -> None:
    answer = exporter.ResolveOxid2Answer(None, host.rem_unknown, 5, status=exporter.OR_INVALID_OXID)
    answers(host, "ResolveOxid2", exporter.RESOLVE_OXID2.answer(answer))


@hostile("E_ACCESSDENIED")
def sends_the_server_elsewhere(host: Host) -> None:
    """The resolver is where it should be, the exporter is not: no packet goes there."""
    host.exporter_bindings = lambda: DualStringArray((tcp(ELSEWHERE, 445),))  # type: ignore[method-assign]


@hostile("E_ACCESSDENIED")
def denies_the_server(host: Host) -> None:
    answers(host, "RemAddRef", 5)


@hostile("RPC_S_PROTOCOL_ERROR")
def speaks_noise(host: Host) -> None:
    host.greeting = lambda station: station.push(b"HTTP/1.1 200 OK\r\n\r\n")


@hostile("RPC_E_DISCONNECTED")
def has_no_such_object(host: Host) -> None:
    host.refs.clear()


@hostile()
def refuses_every_object(host: Host) -> None:
    answers(host, "Indicate", results.INDICATE.answer(login.Result(codes.WBEM_E_FAILED)))


@hostile()
def faults(host: Host) -> None:
    answers(host, "Indicate", 0x1C00001C)


@hostile()
def answers_with_half_a_stub(host: Host) -> None:
    answers(host, "Indicate", bytes(5))


@hostile()
def signs_wrongly(host: Host) -> None:
    twists(host, "Indicate", lambda pdu: [pdu[:-1] + bytes((pdu[-1] ^ 1,))])


@hostile()
def never_answers(host: Host) -> None:
    answers(host, "Indicate", None)


@hostile()
def hangs_up_over_an_object(host: Host) -> None:
    cuts(host, "Indicate")


@hostile()
def resets_over_an_object(host: Host) -> None:
    cuts(host, "Indicate", reset=True)


@hostile()
def never_answers_anything_again(host: Host) -> None:
    for name in ("Indicate", "SetStatus", "RemRelease", "RemAddRef", "ComplexPing", "SimplePing"):
        answers(host, name, None, after=1 if name == "RemAddRef" else 0)


@hostile()
def never_hears_the_end(host: Host) -> None:
    answers(host, "Indicate", results.INDICATE.answer(login.Result(codes.WBEM_E_FAILED)))
    answers(host, "SetStatus", None)


@hostile()
def takes_no_pings(host: Host) -> None:
    answers(host, "ComplexPing", 5)


async def subscribe(services: Any, reference: bytes) -> int:
    """ExecNotificationQueryAsync with a reference of the test's; the HRESULT."""
    method = method_of(EVENTS, asynchronous=True)
    answer = await services._proxy.call(method, inputs_of(EVENTS, 0, sink=reference))
    return int(answer.result)


@pytest.mark.parametrize("name", ROWS)
def test_a_hostile_sink_ends_its_own_call(name: str, tmp_path: Path) -> None:
    row = ROWS[name]

    async def work(loop: NetworkLoop) -> None:
        async with serving(loop, tmp_path) as server:
            services = await log_on(delivery="poll")
            host = await Host(loop, CLIENT).open()
            sink = Sink(host)
            reference = host.reference(sink, guids.IWbemObjectSink.uuid)
            row.spoil(host)
            begun = loop.time()
            code = await subscribe(services, reference)
            assert loop.time() - begun <= 30.0
            if row.refused is not None:
                assert code == getattr(codes, row.refused), f"0x{code:08X}"
            else:
                assert code == 0, f"0x{code:08X}"
            for _ in range(5):
                await server.note()
                await asyncio.sleep(1.0)
            await is_served(loop)
            await asyncio.sleep(150.0)
            if name != "takes_no_pings":
                assert server.left()["calls"] == 0, "it is still called"
            assert all(place != ELSEWHERE for place, _ in loop.dialled)
            host.close()
            await services.close()
            await asyncio.sleep(LIFETIMES)
            assert not any(server.left().values()), server.left()
            loop.silent.clear()
            await is_served(loop)

    with repeatable():
        on_network(work, within=1e6)


def test_a_sink_elsewhere_is_refused_before_a_packet_goes_there(tmp_path: Path) -> None:
    """wire.md 6.4: only the address that the caller calls from is called back."""

    async def work(loop: NetworkLoop) -> None:
        async with serving(loop, tmp_path) as server:
            services = await log_on(delivery="poll")
            host = await Host(loop, ELSEWHERE).open()
            before = list(loop.dialled)
            reference = host.reference(Sink(host), guids.IWbemObjectSink.uuid)
            assert await subscribe(services, reference) == codes.WBEM_E_ACCESS_DENIED
            assert loop.dialled == before
            await services.close()
            host.close()
            assert server.left()["calls"] == 0

    with repeatable():
        on_network(work, within=1e6)
