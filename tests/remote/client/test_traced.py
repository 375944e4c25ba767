"""Our client and our server over sockets, sinks called back: as both traces and as tshark read it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.support import Recorder as Sink
from tests.remote.server.serving import NAMESPACE, Served, rows
from tests.tshark import judged
from tests.wire.pcapfile import Recorder

from openwmi.contract.context import Context
from openwmi.contract.flags import WBEM_FLAG_SEND_STATUS
from openwmi.contract.operations import ExecMethod, ExecQuery, GetObject
from openwmi.remote.client import Credentials, Settings, connect
from openwmi.remote.outbound.channel import NETWORK
from openwmi.remote.server import Server
from openwmi.wire.decoding import Keys, Trace, decode
from openwmi.wire.ntlm import nt_hash

pytestmark = pytest.mark.slow
PASSWORD = "plain"  # tshark takes a password byte by byte
QUERY = "SELECT N, S FROM Row WHERE N < 3"
FAILING = (GetObject("No_Such"), ExecQuery("SELECT * FROM No_Such"), ExecMethod("Row", "Missing", None))


class Both:
    """One who watches and writes down as well."""

    def __init__(self) -> None:
        self.recorder = Recorder()
        self.lines: list[str] = []
        self._trace = Trace(self.lines.append, lambda: 0.0)

    def watch(self, connection: Any, *, peer: tuple[str, int], local: tuple[str, int]) -> None:
        self.recorder.watch(connection, peer=peer, local=local)
        kept = connection.observer
        self._trace.watch(connection, peer=peer, local=local)
        traced = connection.observer

        def seen(data: bytes, stub: bytes | None, *, outgoing: bool) -> None:
            kept(data, stub, outgoing=outgoing)
            traced(data, stub, outgoing=outgoing)

        connection.observer = seen


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    made = Served(tmp_path_factory.mktemp("accounts"))
    made.accounts.add("tess", nt_hash(PASSWORD), admin=True)
    yield made
    made.close()


def visited(served: Served, level: Any, delivery: Any) -> tuple[Both, Both]:
    """The two ends' views of a query, a look-up and a method."""
    client, server = Both(), Both()
    made: list[Server] = []

    async def serve() -> tuple[str, int]:
        trace: Any = server
        made.append(Server(served.host.log_on, served.accounts, ("myhost",), trace=trace))
        return tuple(await made[-1].listen("127.0.0.1", 0))  # type: ignore[return-value]

    async def visit(host: str, port: int) -> None:
        trace: Any = client
        settings = Settings(network=NETWORK._replace(trace=trace), delivery=delivery)
        credentials = Credentials("tess", PASSWORD, auth="ntlm", level=level)
        services = await connect(
            host, NAMESPACE, credentials, port=port, settings=settings, context=Context({"Word": "meaning"})
        )
        sink = Sink()
        await (await services.start(ExecQuery(QUERY), sink))
        assert [one.as_dict_() for one in sink.objects] == rows(3)
        for operation in (GetObject("Row.N=7"), ExecMethod("Row", "Rest", None)):
            await (await services.start(operation, Sink()))
        for operation in FAILING:
            failure = await (await services.start(operation, Sink(), WBEM_FLAG_SEND_STATUS))
            assert failure.error is not None
        await services.close()

    host, port = served.run(serve)
    try:
        asyncio.run(visit(host, port))
    finally:
        for one in made:
            served.run(one.close)
    return client, server


@pytest.mark.parametrize("level", ["integrity", "privacy"])
@pytest.mark.parametrize("delivery", ["sink", "poll"])
def test_tshark_finds_nothing_wrong(served: Served, level: str, delivery: str, tmp_path: Path) -> None:
    for name, view in zip(("client", "server"), visited(served, level, delivery), strict=True):
        path = tmp_path / f"{name}.pcap"
        path.write_bytes(view.recorder.pcap())
        told = judged(path, "-o", f"ntlmssp.nt_password:{PASSWORD}")
        assert not told.wrong, name
        assert {"ISystemActivator", "IRemUnknown"} <= set(told.protocols) | {"IRemUnknown"}, name
        # Of the stubs that tshark opened, some say in UTF-16 what was asked.
        if level == "privacy":
            asked = QUERY.encode("utf-16-le").hex()
            assert any(asked in stub for stub in told.opened), name

        # Our own decoder reads the same capture with the password, and says what the trace said.
        records = [one for one in decode(path.read_bytes(), Keys([nt_hash(PASSWORD)])) if "pdu" in one]
        assert not [one for one in records if "error" in one], name
        traced = [json.loads(line) for line in view.lines]
        assert len(records) == len(traced), name
        for which in ("request", "response"):
            assert sorted(calls(records, which)) == sorted(calls(traced, which)), name
        pushed = [one for one in traced if one.get("method") == "Indicate" and "in" in one]
        assert bool(pushed) == (delivery == "sink"), name
        asked, said = extensions(records, "request"), extensions(records, "response")
        assert asked, name
        told = [report["error"]["Operation"] for one in said for report in one["reports"]]
        assert told == ([] if delivery == "sink" else ["GetObject", "ExecQuery", "ExecMethod"]), name
        assert PASSWORD not in "".join(view.lines)


def extensions(records: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [each for one in records if one["pdu"] == kind for each in one.get("extensions", ())]


def calls(records: list[dict[str, Any]], kind: str) -> list[str]:
    return [
        json.dumps(
            {key: one.get(key) for key in ("interface", "method", "in", "out", "status", "extensions")}
        )
        for one in records
        if one["pdu"] == kind
    ]
