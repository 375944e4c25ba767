"""What passes between other people's clients and our server, as our trace and as tshark read it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.remote.server.impacket_kit import close_everything
from tests.remote.server.serving import Served, own_address
from tests.remote.server.test_impacket import LEVELS, Client, all_of
from tests.tshark import judged
from tests.wire.pcapfile import Recorder

from openwmi.remote.server import Server
from openwmi.wire.decoding import Keys, Trace, decode
from openwmi.wire.ntlm import nt_hash

pytestmark = pytest.mark.slow
USER, PASSWORD = "tess", "Open, Sesame"  # tshark takes a password byte by byte
QUERY = "SELECT N, S FROM Row WHERE N < 3"


@pytest.fixture(scope="module", autouse=True)
def _account(served: Served) -> None:
    served.accounts.add(USER, nt_hash(PASSWORD), admin=True)


@pytest.fixture
def traced(served: Served) -> Iterator[Callable[[Any], str]]:
    """A second server of the same host, on port 135 of an address of its own, with somebody who watches."""
    made: list[Server] = []

    async def serve(trace: Any, address: str) -> None:
        made.append(Server(served.host.log_on, served.accounts, ("myhost",), trace=trace))
        try:
            await made[-1].listen(address, 135)
        except PermissionError:
            pytest.skip("port 135 is for root")

    def begin(trace: Any) -> str:
        address = own_address()
        served.run(serve, trace, address)
        return address

    yield begin
    for server in made:
        served.run(server.close)


def visit(address: str, level: int) -> None:
    """What an administrator's script does."""
    services = Client(address, level, USER, PASSWORD).log_in()
    enumerator = services.ExecQuery(QUERY)
    assert len(all_of(enumerator)) == 3
    found, _ = services.GetObject("Item.Id=1")
    assert found.getProperties()["Text"]["value"] == "plain"
    enumerator.RemRelease()
    services.RemRelease()
    close_everything()


@pytest.mark.parametrize("level", LEVELS)
def test_impacket_in_a_trace(traced: Callable[[Any], str], level: str) -> None:
    lines: list[str] = []
    visit(traced(Trace(lines.append, lambda: 0.0)), LEVELS[level])
    records = [json.loads(line) for line in lines]
    assert not [record for record in records if "error" in record]
    calls = [f"{r['interface']}.{r['method']}" for r in records if r["pdu"] == "request"]
    assert [name for name in calls if name.startswith("IWbemServices")] == [
        "IWbemServices.ExecQuery",
        "IWbemServices.GetObject",
    ]
    assert calls.count("IEnumWbemClassObject.Next") == 4
    texts = [r["in"]["query"] for r in records if r.get("method") == "ExecQuery" and "in" in r]
    assert texts == [QUERY]
    rows = [one for r in records if r.get("method") == "Next" and "out" in r for one in r["out"]["objects"]]
    assert [row["S"] for row in rows] == ["s0", "s1", "s2"]
    text = "".join(lines)
    assert nt_hash(PASSWORD).hex() not in text
    assert PASSWORD not in text


@pytest.mark.parametrize("level", LEVELS)
def test_impacket_in_tshark_and_in_our_own_decoder(
    traced: Callable[[Any], str], level: str, tmp_path: Path
) -> None:
    recorder = Recorder()
    visit(traced(recorder), LEVELS[level])
    path = tmp_path / "visit.pcap"
    path.write_bytes(recorder.pcap())
    told = judged(path, "-o", f"ntlmssp.nt_password:{PASSWORD}")
    assert not told.wrong
    assert {"ISystemActivator", "IRemUnknown"} <= set(told.protocols)
    if level == "privacy":
        assert any(QUERY.encode("utf-16-le").hex() in stub for stub in told.opened)
    records = list(decode(path.read_bytes(), Keys([nt_hash(PASSWORD)])))
    assert not [record for record in records if "error" in record]
    assert {record["protection"] for record in records if "protection" in record} == {"verified"}
    queries = [r["in"]["query"] for r in records if r.get("method") == "ExecQuery" and "in" in r]
    assert queries == [QUERY]
