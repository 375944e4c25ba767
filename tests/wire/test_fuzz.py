"""Mutated bytes of every kind: nothing but the protocol's own errors, in bounded time and memory.

A fixed seed and a small count by default; 1,000,000 mutants in all under `./test --deep`.
"""

from __future__ import annotations

import random
import time
import tracemalloc
from collections.abc import Callable, Iterator
from uuid import UUID

import pytest
from tests.conftest import DEEP
from tests.wire.peers import ALPHA, BETA, SMALL, Pair, accept, initiator, server
from tests.wire.test_dcom import REFERENCE, THIS
from tests.wire.test_dcom import SAMPLES as DCOM_SAMPLES
from tests.wire.test_ntlm import acceptor as ntlm_acceptor
from tests.wire.test_ntlm import initiator as ntlm_initiator
from tests.wire.test_ntlm import shake as ntlm_shake
from tests.wire.test_reports import INFORMATION, REPORTS
from tests.wire.test_spnego import acceptor as spnego_acceptor
from tests.wire.test_spnego import offer
from tests.wire.test_spnego import shake as spnego_shake
from tests.wire.test_wmi import OPERATION_SAMPLES
from tests.wire.test_wmi import SAMPLES as WMI_SAMPLES

from openwmi.wire.dcom import activation, objref
from openwmi.wire.dcom.bindings import OFFERED, DualStringArray, tcp
from openwmi.wire.dcom.errorinfo import read_error_info
from openwmi.wire.dcom.method import ObjectMethod
from openwmi.wire.dcom.properties import (
    ActivationContextInfo,
    InstantiationInfo,
    LocationInfo,
    PropsOutInfo,
    ScmReply,
    ScmReplyInfo,
    ScmRequest,
    ScmRequestInfo,
    SecurityInfo,
    ServerInfo,
)
from openwmi.wire.errors import RemoteProtocolError
from openwmi.wire.ntlm.messages import Authenticate, Challenge, ClientBlob, Negotiate
from openwmi.wire.rpc import AuthLevel, ClientConnection, Limits, ServerConnection
from openwmi.wire.rpc import events as e
from openwmi.wire.rpc.pdus import decode
from openwmi.wire.spnego.tokens import NegTokenInit, NegTokenResp
from openwmi.wire.wmi import reports, services

Target = tuple[list[bytes], Callable[[bytes], object]]

KINDS = 10
COUNT = 1_000_000 // KINDS + 1 if DEEP else 400
SLOWEST = 0.5  # seconds for one mutant, on a machine that others use, too
IID = UUID(int=9)
INTERESTING = (0, 1, 2, 4, 7, 8, 0x10, 0x7F, 0x80, 0xFE, 0xFF)


def mutants(corpus: list[bytes], count: int, seed: int) -> Iterator[bytes]:
    """Bytes changed, numbers blown up, pieces cut out, doubled or taken from elsewhere."""
    dice = random.Random(seed)
    for _ in range(count):
        data = bytearray(dice.choice(corpus))
        for _ in range(dice.choice((1, 1, 2, 4, 8))):
            if not data:
                break
            at, way = dice.randrange(len(data)), dice.randrange(8)
            if way < 3:
                data[at] = dice.choice(INTERESTING) if way else dice.randrange(256)
            elif way == 3:
                data[at : at + 4] = dice.choice(
                    (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\0\0\0\x80", b"\xff\xff\0\0")
                )
            elif way == 4:
                data[at : at + 2] = dice.randrange(1 << 16).to_bytes(2, "little")
            elif way == 5:
                del data[at : at + dice.randrange(1, 9)]
            elif way == 6:
                data[at:at] = data[at : at + dice.randrange(1, 33)]
            else:
                other = dice.choice(corpus)
                start = dice.randrange(len(other))
                data[at : at + 16] = other[start : start + 16]
        yield bytes(data)


def conversation(level: int | None) -> tuple[list[bytes], list[bytes]]:
    """What a client and a server say to each other, PDU by PDU."""
    pair = Pair(ClientConnection(SMALL, offer=3))
    up: list[bytes] = []
    down: list[bytes] = []

    def carry() -> None:
        while True:
            sent, answered = pair.client.take(), pair.server.take()
            if not sent and not answered:
                return
            if sent:
                up.append(sent)
                pair.server_events += pair.server.receive(sent)
            if answered:
                down.append(answered)
                pair.client_events += pair.client.receive(answered)

    context = None if level is None else initiator()
    pair.client.bind([(0, ALPHA), (1, BETA)], context, level=level or AuthLevel.NONE)
    carry()
    first = pair.client.request(0, 3, b"x" * 3000, object_id=IID)
    second = pair.client.request(1, 4, b"y")
    pair.client.cancel(first)
    carry()
    pair.server.respond(first, b"z" * 3000)
    pair.server.fault(second, 5)
    carry()
    pair.client.alter([(2, BETA)], initiator(), security_id=8)
    pair.client.orphan(pair.client.request(0, 1, b""))
    carry()
    return up, down


def serves(data: bytes) -> None:
    """A server that has been bound takes whatever comes; it may answer, refuse or break off, and nothing else."""
    serving = server(limits=Limits(call=1 << 16, calls=4, presentations=8, securities=4))
    serving.receive(CONVERSATION[0][0])
    for event in serving.receive(data):
        if isinstance(event, e.RequestReceived):
            serving.respond(event.call_id, b"answer")
    serving.take()


def asks(data: bytes) -> None:
    client = ClientConnection(SMALL, offer=3)
    client.bind([(0, ALPHA), (1, BETA)])
    client.take()
    for answer in BARE[1][:1]:
        client.receive(answer)
    client.request(0, 3, b"")
    client.receive(data)


def withstood(corpus: list[bytes], take: Callable[[bytes], object], *, seed: int) -> int:
    """How many mutants were taken; the others raised what peers deserve, and nothing took long."""
    taken = 0
    for data in mutants(corpus, COUNT, seed=seed):
        begun = time.perf_counter()
        try:
            take(data)
            taken += 1
        except RemoteProtocolError:
            pass
        assert time.perf_counter() - begun < SLOWEST, data.hex()
    return taken


CONVERSATION = conversation(AuthLevel.PRIVACY)
BARE = conversation(None)
NTLM = list(ntlm_shake(ntlm_initiator(), ntlm_acceptor()))
BINDINGS = DualStringArray((tcp("192.0.2.1", 5), tcp("host")), OFFERED)
STD = objref.StdObjRef(0, 5, 1, 2, IID)
REFERENCES = [
    objref.Standard(IID, STD, BINDINGS).encode(),
    objref.Handler(IID, STD, IID, BINDINGS).encode(),
    objref.Custom(IID, IID, b"data").encode(),
    objref.Extended(IID, STD, BINDINGS, b"context").encode(),
]
BLOBS = [
    activation.activation_in(
        [
            InstantiationInfo(IID, (IID, IID)),
            ActivationContextInfo(0, REFERENCES[2]),
            SecurityInfo(0, ServerInfo("host")),
            LocationInfo("x"),
            ScmRequestInfo(ScmRequest()),
        ]
    ),
    activation.activation_out(
        [
            PropsOutInfo((IID, IID), (0, 1), (REFERENCES[0], None)),
            ScmReplyInfo(ScmReply(1, BINDINGS, IID, 5)),
        ]
    ),
]


def whole_pdus(data: bytes) -> None:
    decode(data[:8] + len(data).to_bytes(2, "little") + data[10:] if len(data) > 16 else data)


def any_ntlm(data: bytes) -> None:
    kind = data[8:9]
    if kind == b"\1":
        Negotiate.decode(data)
    elif kind == b"\2":
        Challenge.decode(data).pairs()
    else:
        ClientBlob.decode(Authenticate.decode(data).nt_response[16:])


def any_spnego(data: bytes) -> None:
    (NegTokenInit if data[:1] == b"\x60" else NegTokenResp).decode(data)


def any_blob(data: bytes) -> None:
    clsid = data[24:40]
    properties = activation.properties_in if clsid[0] == 0x38 else activation.properties_out
    for value in properties(data):
        repr(value)


TARGETS: dict[str, Target] = {
    "a server": (CONVERSATION[0] + BARE[0], serves),
    "a client": (BARE[1] + CONVERSATION[1], asks),
    "PDUs": (CONVERSATION[0] + BARE[1], whole_pdus),
    "NTLM": (NTLM, any_ntlm),
    "OBJREF": (REFERENCES, objref.decode),
    "activation": (BLOBS, any_blob),
}
SPNEGO = spnego_shake(offer(bytes.fromhex("2b06010401823702020a")), spnego_acceptor())[:-1]
TARGETS["SPNEGO"] = (SPNEGO, any_spnego)
STUBS = [
    method.call(inputs, THIS)
    for method, inputs, _ in (*DCOM_SAMPLES, *WMI_SAMPLES)
    if isinstance(method, ObjectMethod)
]
STUBS += [
    services.method_of(operation, asynchronous=bool(sink)).call(
        services.inputs_of(operation, 0, None, sink=sink or None), THIS
    )
    for operation in OPERATION_SAMPLES
    for sink in (b"", REFERENCE)
]
OBJECT_METHODS = (
    *(method for method, _, _ in (*DCOM_SAMPLES, *WMI_SAMPLES) if isinstance(method, ObjectMethod)),
    *services.METHODS.values(),
)


def any_stub(data: bytes) -> None:
    """Every method takes every stub: which one it was meant for, the peer says."""
    method = OBJECT_METHODS[sum(data[:64]) % len(OBJECT_METHODS)]
    _, inputs = method.called(data)
    method.call(inputs, THIS)


TARGETS["stubs"] = (STUBS, any_stub)
TARGETS["reports"] = (REPORTS, reports.read)
TARGETS["error information"] = (INFORMATION, read_error_info)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("kind", TARGETS)
def test_mutants_raise_nothing_but_the_protocols_own_errors(kind: str) -> None:
    corpus, take = TARGETS[kind]
    assert withstood(corpus, take, seed=len(kind)) > 0


def heard(data: bytes, *, serving: bool, watched: bool) -> tuple[str, bytes, int]:
    """Events, bytes and open calls after a piece came to a connection that is bound, and to the server's twin."""
    connection: ServerConnection | ClientConnection
    if serving:
        connection = server(limits=Limits(call=1 << 12, calls=2))
        connection.receive(BARE[0][0])
    else:
        connection = ClientConnection(SMALL, offer=3)
        connection.bind([(0, ALPHA), (1, BETA)])
        connection.receive(BARE[1][0])
        connection.request(0, 3, b"", object_id=IID)
        connection.request(1, 4, b"")
    connection.take()
    if watched:
        connection.observer = lambda data, stub, *, outgoing: None
    happened = repr([connection.receive(data), connection.receive(data)])
    return happened, connection.take(), len(connection._calls)


@pytest.mark.slow
@pytest.mark.parametrize("serving", [True, False], ids=["server", "client"])
def test_the_short_way_says_what_the_long_way_says(serving: bool) -> None:
    """A connection that somebody watches takes the long way."""
    pieces = [piece for piece in BARE[0 if serving else 1] if piece[2] in (0, 2)]
    short = 0
    for data in (*pieces, *mutants(pieces, 2000, seed=3)):
        assert heard(data, serving=serving, watched=False) == heard(data, serving=serving, watched=True)
        short += "Received" in heard(data, serving=serving, watched=False)[0]
    assert short > 100


def test_a_connection_that_sends_garbage_costs_little() -> None:
    dice = random.Random(1)
    tracemalloc.start()
    try:
        for _ in range(50):
            serving = ServerConnection(lambda _: True, accept)
            serving.receive(dice.randbytes(5000))
            serving.receive(b"\5\0\0\3\x10\0\0\0\xff\xff\0\0" + bytes(4))
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_a_thousand_contexts_stay_within_their_bound() -> None:
    pair = Pair(serving=server(limits=Limits(presentations=100))).bound()
    for number in range(1000):
        pair.client.alter([(number, ALPHA)])
        pair.run()
    assert len(pair.server.presentations) == 100
    call = pair.client.request(0, 1, b"still served")
    pair.run()
    assert pair.events()[1][-1].call_id == call
