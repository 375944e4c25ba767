"""What passes between machines over real sockets, as it was on the network: read by tshark and by `openwmi decode`."""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.conformance.support import Recorder as Sink
from tests.remote.server.serving import NAMESPACE, Served, free_port, listen_on_135, rows
from tests.sniffer import Sniffer
from tests.tshark import judged, told

from openwmi import testing
from openwmi.contract.operations import ExecMethod, ExecQuery, GetObject
from openwmi.model.status import WBEM_E_NOT_FOUND
from openwmi.remote.client import Credentials, Settings, connect
from openwmi.wire.ntlm import nt_hash

pytestmark = pytest.mark.slow
USER, PASSWORD = "tess", "Open, Sesame"  # tshark takes a password byte by byte
QUERY = "SELECT N, S FROM Row WHERE N < 3"
LONG = "SELECT N, S FROM Long"
WIDE = 8000  # characters: a row has more than one fragment
WIDEST = 100_000  # more than one segment
LEVELS = ("integrity", "privacy")


def long_rows() -> Iterator[dict[str, object]]:
    return ({"N": n, "S": chr(97 + n % 26) * (WIDE if n else WIDEST)} for n in range(40))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    made = Served(tmp_path_factory.mktemp("accounts"))
    made.accounts.add(USER, nt_hash(PASSWORD), admin=True)
    testing.provide(NAMESPACE, "class Long { [key] uint32 N; string S; };", instances=long_rows)
    yield made
    made.close()


class Seen(NamedTuple):
    """A capture as its readers see it: the protocols that tshark finds, and the records of our own decoder."""

    protocols: set[str]
    records: list[dict[str, Any]]

    def calls(self, kind: str, method: str) -> list[dict[str, Any]]:
        """Where they are decoded: a call of several fragments with the last of them."""
        part = "in" if kind == "request" else "out"
        return [
            one for one in self.records if (one["pdu"], one.get("method")) == (kind, method) and part in one
        ]

    @property
    def queries(self) -> list[str]:
        calls = self.calls("request", "ExecQuery") + self.calls("request", "ExecQueryAsync")
        return [one["in"]["query"] for one in calls]

    @property
    def pulled(self) -> list[object]:
        """A property of the objects that enumerators gave, in order."""
        answers = [one["out"] for one in self.calls("response", "Next")]
        return [found["S"] for one in answers for found in one.get("objects") or one.get("packet") or ()]

    @property
    def pushed(self) -> list[object]:
        calls = self.calls("request", "Indicate")
        return [found["S"] for one in calls for found in one["in"]["objects"]]


def read(folder: Path, sniffer: Sniffer, *ends: tuple[str, int], sealed: bool) -> Seen:
    """What both readers say, which is that nothing is wrong."""
    whole, apart = folder / "whole.pcap", folder / "apart.pcap"
    whole.write_bytes(sniffer.capture(*ends))
    apart.write_bytes(sniffer.apart(*ends))
    assert not judged(whole).wrong
    # Nothing was cut to fit: real segments end within PDUs, and hold several.
    shapes = told(whole, ("dcerpc.pkt_type", "tcp.reassembled.length"))
    assert any("," in kind for kind, _ in shapes), "no segment holds two PDUs"
    assert any(length for _, length in shapes), "no PDU goes on in a second segment"
    # tshark moves its cipher on once for each packet, whatever number of sealed PDUs is in it, and reads nonsense from
    # there on: to be opened they are put apart. What is only signed needs no such help.
    password = ("-o", f"ntlmssp.nt_password:{PASSWORD}")
    found = judged(apart if sealed else whole, *password)
    assert not found.wrong
    if sealed:
        assert any(QUERY.encode("utf-16-le").hex() in stub for stub in found.opened)
    return Seen(set(found.protocols), decoded(whole))


def decoded(capture: Path) -> list[dict[str, Any]]:
    """The PDUs of a capture as `openwmi decode` reads them with the password."""
    secret = capture.with_suffix(".password")
    secret.write_text(PASSWORD + "\n")
    secret.chmod(0o600)
    command = [sys.executable, "-m", "openwmi", "decode", str(capture), "--password-file", str(secret)]
    done = subprocess.run([*command, "-o", "jsonl"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert PASSWORD not in done.stdout
    records = [one for one in map(json.loads, done.stdout.splitlines()) if "pdu" in one]
    assert not [one for one in records if "error" in one]
    assert {one["protection"] for one in records if "protection" in one} == {"verified"}
    return records


SHORT_TEXTS = [row["S"] for row in rows(3)]
LONG_TEXTS = [row["S"] for row in long_rows()]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("delivery", ["sink", "poll"])
def test_our_client_and_our_server(served: Served, level: Any, delivery: Any, tmp_path: Path) -> None:
    place = served.listen()
    callbacks = ("127.0.0.1", free_port())

    async def visit() -> None:
        settings = Settings(delivery=delivery, callback_port=callbacks[1])
        credentials = Credentials(USER, PASSWORD, auth="ntlm", level=level)
        services = await connect(place[0], NAMESPACE, credentials, port=place[1], settings=settings)
        for text, expected in ((QUERY, rows(3)), (LONG, list(long_rows()))):
            sink = Sink()
            await (await services.start(ExecQuery(text), sink))
            assert [one.as_dict_() for one in sink.objects] == expected
        for operation in (GetObject("Row.N=7"), ExecMethod("Row", "Rest", None)):
            await (await services.start(operation, Sink()))
        lost = await (await services.start(GetObject("Row.N=1000"), Sink()))
        assert lost.status == WBEM_E_NOT_FOUND
        await services.close()

    with Sniffer() as sniffer:
        asyncio.run(visit())
    seen = read(tmp_path, sniffer, place, callbacks, sealed=level == "privacy")
    assert seen.queries == [QUERY, LONG]
    push = delivery == "sink"
    # A sink hears of the one object of a look-up, too.
    assert seen.pushed == ([*SHORT_TEXTS, *LONG_TEXTS, "s7"] if push else [])
    assert seen.pulled == ([] if push else SHORT_TEXTS + LONG_TEXTS)
    assert bool(seen.calls("request", "SetStatus")) is push
    assert {"ISystemActivator", "IRemUnknown"} <= seen.protocols


@pytest.mark.parametrize("level", LEVELS)
def test_impacket_and_our_server(served: Served, level: str, tmp_path: Path) -> None:
    pytest.importorskip("impacket")
    from tests.remote.server import test_impacket as impacket
    from tests.remote.server.impacket_kit import close_everything

    address = listen_on_135(served)

    def visit() -> None:
        services = impacket.Client(address, impacket.LEVELS[level], USER, PASSWORD).log_in()
        try:
            for text, count in ((QUERY, 3), (LONG, 40)):
                assert len(impacket.all_of(services.ExecQuery(text))) == count
            found, _ = services.GetObject("Item.Id=1")
            assert found.getProperties()["Text"]["value"] == "plain"
            services.RemRelease()
        finally:
            close_everything()

    with Sniffer() as sniffer:
        visit()
    seen = read(tmp_path, sniffer, (address, 135), sealed=level == "privacy")
    assert {"ISystemActivator", "IRemUnknown"} <= seen.protocols
    assert seen.queries == [QUERY, LONG]
    assert seen.pulled == SHORT_TEXTS + LONG_TEXTS


# aiowmi leaves what it has opened to the garbage collector.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("optimized", [False, True], ids=["plain", "optimized"])
def test_aiowmi_and_our_server(served: Served, optimized: bool, tmp_path: Path) -> None:
    pytest.importorskip("aiowmi")
    from tests.remote.server.test_aiowmi import ask

    place = served.listen()

    async def visit() -> None:
        for text, count in ((QUERY, 3), (LONG, 40)):
            found = await ask(place, text, skip_optimize=not optimized, user=USER, password=PASSWORD)
            assert len(found) == count

    with Sniffer() as sniffer:
        asyncio.run(visit())
        gc.collect()
    seen = read(tmp_path, sniffer, place, sealed=False)
    assert seen.queries == [QUERY, LONG]
    assert seen.pulled == SHORT_TEXTS + LONG_TEXTS
