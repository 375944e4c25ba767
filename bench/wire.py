"""RPC bytes: fragments sealed beside bare RC4+MD5, impacket, aiowmi and pyspnego; a call beside an echo."""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import subprocess
import sys
from collections.abc import Callable
from typing import Any
from uuid import UUID

from bench.harness import Budget, Line, Note, Work, detail, in_turn, ratio
from openwmi.wire.ntlm import Acceptor, Credential, Initiator, ServerNames, nt_hash
from openwmi.wire.ntlm import constants as c
from openwmi.wire.ntlm.keys import sealing_key, signing_key
from openwmi.wire.ntlm.rc4 import rc4
from openwmi.wire.ntlm.session import Session
from openwmi.wire.rpc import ClientConnection, ServerConnection, SyntaxId
from openwmi.wire.rpc import events as e

HEAD, END = b"h" * 24, b"t" * 8
KEY = b"\x55" * 16
# Stub bytes of a fragment of 5,840 and of 65,528: (bytes, fragments a round, the share of RC4+MD5 to reach).
SIZES = ((5_776, 400, 0.70), (65_472, 60, 0.90))
CALLS = 2000  # a run's connection and bind cost as much as a few calls
INTERFACE = SyntaxId(UUID(int=1))


def repeated(count: int, work: Callable[[], object]) -> Work:
    def run() -> None:
        for _ in range(count):
            work()

    return run


def sealed_messages(body: bytes, count: int) -> list[tuple[bytes, bytes]]:
    session = Session(KEY, initiator=True, exchanged=True)
    return [session.seal(HEAD, body, END) for _ in range(count)]


def unsealing(messages: list[tuple[bytes, bytes]]) -> Work:
    def run() -> None:
        session = Session(KEY, initiator=False, exchanged=True)
        for sealed, signature in messages:
            session.unseal(signature, HEAD, sealed, END)

    return run


def bare(body: bytes) -> Callable[[], object]:
    stream, md5 = rc4(KEY), hashlib.md5

    def run() -> None:
        stream(body)
        md5(body).digest()

    return run


def with_impacket(body: bytes) -> Callable[[], object]:
    from Cryptodome.Cipher import ARC4
    from impacket import ntlm

    signing, stream = signing_key(KEY, to_server=True), ARC4.new(sealing_key(KEY, to_server=True)).encrypt
    whole = HEAD + body + END
    return lambda: ntlm.SEAL(c.SUPPORTED, signing, None, whole, body, 0, stream)


def with_aiowmi(body: bytes) -> Callable[[], object]:
    from aiowmi.ntlm.tools import seal_func
    from Cryptodome.Cipher import ARC4

    stream = ARC4.new(sealing_key(KEY, to_server=True)).encrypt
    seal = seal_func(signing_key(KEY, to_server=True), stream)
    whole = HEAD + body + END
    return lambda: seal(c.SUPPORTED, 0, whole, body)


def with_pyspnego(body: bytes) -> Callable[[], object]:
    import spnego  # type: ignore[import-not-found,unused-ignore]
    from spnego.iov import BufferType  # type: ignore[import-not-found,unused-ignore]

    only = spnego.NegotiateOptions.use_ntlm
    client = spnego.client("ada", "x", hostname="host", protocol="ntlm", options=only)
    server = Acceptor(
        lambda domain, user: (user, nt_hash("x")), ServerNames("S", "W", "s", "w"), bytes(8), filetime=1
    )
    server.step(client.step(server.step(client.step() or b"")) or b"")
    sign_only = BufferType.sign_only
    pieces: list[Any] = [(sign_only, HEAD), body, (sign_only, END), BufferType.header]
    return lambda: client.wrap_iov(pieces)


PEERS: dict[str, tuple[str, Callable[[bytes], Callable[[], object]]]] = {
    "impacket": ("impacket", with_impacket),
    "aiowmi": ("aiowmi", with_aiowmi),
    "pyspnego": ("spnego", with_pyspnego),
}


def sealing() -> list[Line]:
    lines: list[Line] = []
    for size, count, share in SIZES:
        body = bytes(range(256)) * (size // 256 + 1)
        body = body[:size]
        session = Session(KEY, initiator=True, exchanged=True)
        contenders: dict[str, Work] = {
            "RC4+MD5": repeated(count, bare(body)),
            "seal": repeated(count, lambda body=body, session=session: session.seal(HEAD, body, END)),  # type: ignore[misc]
            "unseal": unsealing(sealed_messages(body, count)),
        }
        for name, (module, make) in PEERS.items():
            if importlib.util.find_spec(module) is None:
                lines.append(Note(f"{name} is not installed"))
            else:
                contenders[name] = repeated(count, make(body))
        times = in_turn(contenders)
        for ours in ("seal", "unseal"):
            told = detail(times, ours, "RC4+MD5", per=count)
            reached = ratio(times, "RC4+MD5", ours)
            lines.append(
                Budget(f"{ours} {size:,} bytes, share of RC4+MD5", reached, share, True, detail=told)
            )
        for name in [name for name in PEERS if name in contenders]:
            told = detail(times, name, per=count)
            faster = ratio(times, name, "seal")
            lines.append(Note(f"seal {size:,} bytes against {name}: {faster:.2f}x [{told}]"))
    return lines


# A call that does nothing, over loopback ------------------------------------------------------------------------------


class Echo(asyncio.Protocol):
    """Sends back what comes."""

    transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


class Calls(Echo):
    """Answers calls that do nothing."""

    def __init__(self) -> None:
        self.rpc = ServerConnection(lambda _: True, lambda kind, level: None)

    def data_received(self, data: bytes) -> None:
        for event in self.rpc.receive(data):
            if isinstance(event, e.RequestReceived):
                self.rpc.respond(event.call_id, bytes(16))
        self.transport.write(self.rpc.take())


class Caller(asyncio.Protocol):
    """Sends the next message when the answer to the last one is there."""

    transport: asyncio.Transport

    def __init__(self, done: asyncio.Future[None]) -> None:
        self.left = CALLS
        self.done = done

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.send()

    def send(self) -> None:
        self.transport.write(b"x" * 56)

    def data_received(self, data: bytes) -> None:
        self.next()

    def next(self) -> None:
        self.left -= 1
        if self.left:
            self.send()
        elif not self.done.done():
            self.done.set_result(None)


class RpcCaller(Caller):
    def __init__(self, done: asyncio.Future[None]) -> None:
        super().__init__(done)
        self.rpc = ClientConnection()
        self.rpc.bind([(0, INTERFACE)])

    def send(self) -> None:
        if self.rpc.presentations:
            self.rpc.request(0, 3, bytes(16), object_id=INTERFACE.uuid)
        self.transport.write(self.rpc.take())

    def data_received(self, data: bytes) -> None:
        if self.rpc.receive(data):
            self.next()


async def serving() -> None:
    """Both servers, until the parent closes our input; their ports on the first line of our output."""
    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(kind, "127.0.0.1", 0) for kind in (Echo, Calls)]
    sys.stdout.write(" ".join(str(server.sockets[0].getsockname()[1]) for server in servers) + "\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.read)


def conversation(port: int, call: Callable[[Any], asyncio.Protocol]) -> Work:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        transport, _ = await loop.create_connection(lambda: call(done), "127.0.0.1", port)
        await done
        transport.close()

    return lambda: asyncio.run(run())


def calling() -> list[Line]:
    """The server is another process, as perf.md 3 has it."""
    program = "import asyncio; from bench.wire import serving; asyncio.run(serving())"
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        echo, calls = map(int, process.stdout.readline().split())
        times = in_turn({"echo": conversation(echo, Caller), "call": conversation(calls, RpcCaller)})
        process.communicate()
    told = detail(times, "call", "echo", per=CALLS)
    against = ratio(times, "call", "echo")
    return [Budget("RPC no-op against an asyncio.Protocol echo", against, 1.5, False, detail=told)]


def handshake() -> list[Line]:
    def run() -> None:
        client = Initiator(Credential("ada", hashed=nt_hash("x")), bytes(24), filetime=1)
        names = ServerNames("S", "W", "s", "w")
        server = Acceptor(lambda domain, user: (user, HASH), names, bytes(8), filetime=1)
        server.step(client.step(server.step(client.step(b""))))

    times = in_turn({"handshake": repeated(50, run)})
    return [Note(f"an NTLM handshake, both sides: {detail(times, 'handshake', per=50)}")]


HASH = nt_hash("x")


def measure() -> list[Line]:
    return [*sealing(), *calling(), *handshake()]
