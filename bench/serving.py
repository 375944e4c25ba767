"""Rows that leave over DCOM: other people's clients against our server, and against one that replays canned answers.

A client that is its own limit is no slower with us than with a server that does no work at all: the one that replays
does nothing but unseal, look up the next answer by its number, and seal.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from typing import Any

from bench.harness import Budget, Line, Note
from openwmi import host, testing
from openwmi.accounts import Accounts
from openwmi.remote.inbound import Association, Listener
from openwmi.remote.places import Address
from openwmi.remote.server import Server, ServerLimits
from openwmi.wire.ntlm import nt_hash
from openwmi.wire.rpc import SyntaxId
from openwmi.wire.rpc.events import RequestReceived

NAMESPACE = "root\\Bench"
PASSWORD = "correct horse"
ROUNDS = 11
TEXTS, NUMBERS = 13, 31
NO_SLOWER = 0.9  # medians of two runs of the very same thing differ by that much here

# Each is run as a program of its own with address, port, namespace and query; it prints seconds.
AIOWMI = """
import asyncio, sys, time
from aiowmi.connection import Connection
from aiowmi.query import Query
async def main(host, port, namespace, query, optimized):
    conn = Connection(host, "ada", "correct horse", port=int(port))
    await conn.connect()
    service = await conn.negotiate_ntlm()
    begun = time.perf_counter()
    count = 0
    async with Query(query, namespace=namespace).context(conn, service, skip_optimize=not optimized) as context:
        async for props in context.results():
            count += 1
    print(time.perf_counter() - begun, count)
    conn.close()
asyncio.run(main(*sys.argv[1:5], {optimized}))
"""
IMPACKET = """
import contextlib, io, sys, time
from impacket.dcerpc.v5 import dcomrt, transport
from impacket.dcerpc.v5.dcom import wmi
from impacket.dcerpc.v5.dtypes import NULL
host, port, namespace, query = sys.argv[1:5]
original = transport.DCERPCTransportFactory
transport.DCERPCTransportFactory = lambda text: original(text if "[" in text else f"{text}[{port}]")
dcom = dcomrt.DCOMConnection(host, "ada", "correct horse", "", oxidResolver=False)
login = wmi.IWbemLevel1Login(dcom.CoCreateInstanceEx(wmi.CLSID_WbemLevel1Login, wmi.IID_IWbemLevel1Login))
services = login.NTLMLogin("//./" + namespace, NULL, NULL)
begun, count = time.perf_counter(), 0
rows = services.ExecQuery(query)
try:
    while True:
        rows.Next(0xffffffff, 1)[0].getProperties()
        count += 1
except Exception as end:
    assert "S_FALSE" in str(end), end
print(time.perf_counter() - begun, count)
dcom.disconnect()
"""
CLIENTS = (
    ("impacket", "impacket", IMPACKET, 150),
    ("aiowmi, one a call", "aiowmi", AIOWMI.replace("{optimized}", "False"), 1500),
    ("aiowmi, smart enumerator", "aiowmi", AIOWMI.replace("{optimized}", "True"), 1500),
)


class Recorded:
    """Passes calls on and keeps the answers; later gives the same answers in the same order, and does no work."""

    def __init__(self, serving: Any) -> None:
        self._serving = serving
        self._answers: list[bytes] = []
        self._next: int | None = None

    def replay(self) -> None:
        """Begin to answer from memory."""
        self._next = 0

    def serves(self, interface: SyntaxId, local: Address) -> bool:
        return bool(self._serving.serves(interface, local))

    def called(self, association: Association, request: RequestReceived) -> bytes | Awaitable[bytes]:
        if self._next is not None:
            self._next += 1
            return self._answers[(self._next - 1) % len(self._answers)]
        answer = self._serving.called(association, request)
        if not isinstance(answer, bytes):
            return self._later(answer)
        self._answers.append(answer)
        return answer

    async def _later(self, answer: Awaitable[bytes]) -> bytes:
        stub = await answer
        self._answers.append(stub)
        return stub

    def awaited(self, association: Association) -> bool:
        return bool(self._serving.awaited(association))

    def lost(self, association: Association) -> None:
        self._serving.lost(association)

    def sweep(self, now: float) -> None:
        self._serving.sweep(now)


def rows(count: int) -> list[dict[str, object]]:
    """Rows the size of a process's."""
    texts = {f"T{n}": f"some text about {n}" for n in range(TEXTS)}
    return [{"N": n, **texts, **{f"U{k}": n * k for k in range(NUMBERS)}} for n in range(1, count + 1)]


class Machine:
    """A host in memory that serves one class, ours on one port and what was recorded on others."""

    def __init__(self, count: int = 1500, *, limits: ServerLimits | None = None) -> None:
        texts = " ".join(f"string T{n};" for n in range(TEXTS))
        numbers = " ".join(f"uint64 U{k};" for k in range(NUMBERS))
        self.host = host.local(host.MEMORY)
        self.host.namespaces.add(NAMESPACE)
        kept = rows(count)
        testing.provide(
            NAMESPACE, f"class Row {{ [key] uint32 N; {texts} {numbers} }};", instances=lambda: iter(kept)
        )
        self._folder = tempfile.mkdtemp()
        accounts = Accounts(self._folder)
        accounts.add("ada", nt_hash(PASSWORD), admin=True)

        async def made() -> Server:
            return Server(self.host.log_on, accounts, ("bench",), limits=limits)

        self.server = self.run(made)

    def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return self.host.portal.submit(function, *arguments).result(60)

    def ours(self) -> int:
        return int(self.run(self.server.listen, "127.0.0.1", 0).port)

    def recorder(self, kind: type[Recorded] = Recorded) -> tuple[Recorded, int]:
        """A place that keeps what our server answers there, and its port."""
        recorded = kind(self.server.exporter)

        async def open_() -> int:
            listener = Listener(recorded, self.server.logons.accept)
            return (await listener.listen("127.0.0.1")).port

        return recorded, int(self.run(open_))

    def close(self) -> None:
        self.run(self.server.close)
        host.end(self.host)
        shutil.rmtree(self._folder)


def seconds(program: str, port: int, count: int) -> float:
    """How long a client takes for that many rows."""
    namespace = NAMESPACE.replace("\\", "/")
    query = f"SELECT * FROM Row WHERE N <= {count}"
    done = subprocess.run(
        [sys.executable, "-c", program, "127.0.0.1", str(port), namespace, query],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    taken, found = done.stdout.split()[-2:]
    assert int(found) == count, done.stdout[-200:]
    return float(taken)


def measured(machine: Machine, name: str, program: str, count: int) -> Line:
    ours = machine.ours()
    recorded, canned = machine.recorder()
    seconds(program, canned, count)
    recorded.replay()
    times: dict[str, list[float]] = {"ours": [], "canned": []}
    for turn in range(ROUNDS):
        order = (("ours", ours), ("canned", canned))
        for key, port in order if turn % 2 else order[::-1]:
            times[key].append(seconds(program, port, count))
    rate = f"{count / sorted(times['ours'])[ROUNDS // 2]:,.0f} rows/s with us"
    what = f"{name}: our server beside one that replays canned answers"
    # Of the best rounds: what else the machine does only ever adds, and by a tenth from run to run.
    best = min(times["canned"]) / min(times["ours"])
    return Budget(what, best, NO_SLOWER, at_least=True, detail=rate)


def measure() -> list[Line]:
    machine = Machine()
    lines: list[Line] = []
    try:
        for name, package, program, count in CLIENTS:
            if importlib.util.find_spec(package) is None:
                lines.append(Note(f"{name}: {package} is not installed"))
            else:
                lines.append(measured(machine, name, program, count))
    finally:
        machine.close()
    return lines
