"""impacket's own RPC client, unmodified, against our server: handshakes, levels, fragments, interfaces, faults."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from tests.wire.peers import ALPHA, BETA, PASSWORD, server

from openwmi.wire import errors
from openwmi.wire.rpc import ServerConnection
from openwmi.wire.rpc import events as e

rpcrt = pytest.importorskip("impacket.dcerpc.v5.rpcrt")
uuid = pytest.importorskip("impacket.uuid")


class Memory:
    """What impacket takes for a transport: a server of ours in the same process, which answers a stub with itself."""

    def __init__(self, serving: ServerConnection, password: str = PASSWORD) -> None:
        self.serving = serving
        self.password = password
        self.answers = bytearray()
        self.events: list[Any] = []

    def connect(self) -> int:
        return 1

    def doesSupportNTLMv2(self) -> bool:
        return True

    def disconnect(self) -> None:
        self.serving.close()

    def get_credentials(self) -> tuple[Any, ...]:
        return "ada", self.password, "X", "", "", None, None, None

    def send(self, data: bytes, forceWriteAndx: int = 0, forceRecv: int = 0) -> None:
        for event in self.serving.receive(data):
            self.events.append(event)
            if isinstance(event, e.RequestReceived):
                if event.opnum == 99:
                    self.serving.fault(event.call_id, errors.OPNUM_OUT_OF_RANGE, executed=False)
                else:
                    self.serving.respond(event.call_id, event.stub)
        self.answers += self.serving.take()

    def recv(self, forceRecv: int = 0, count: int = 0) -> bytes:
        data = bytes(self.answers[: count or len(self.answers)])
        del self.answers[: len(data)]
        return data


LEVELS = [
    rpcrt.RPC_C_AUTHN_LEVEL_NONE,
    rpcrt.RPC_C_AUTHN_LEVEL_CONNECT,
    rpcrt.RPC_C_AUTHN_LEVEL_PKT_INTEGRITY,
    rpcrt.RPC_C_AUTHN_LEVEL_PKT_PRIVACY,
]


def connected(level: int, **options: Any) -> tuple[Any, Memory]:
    memory = Memory(server(), **options)
    client = rpcrt.DCERPC_v5(memory)
    client.set_credentials(*memory.get_credentials())
    client.set_auth_level(level)
    client.bind(uuid.uuidtup_to_bin((str(ALPHA.uuid), "0.0")))
    return client, memory


def said(client: Any, opnum: int, data: bytes, target: UUID | None = None) -> bytes:
    client.call(opnum, data, target.bytes_le if target else None)
    answer: bytes = client.recv()
    return answer


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("size", [0, 1, 16, 4000, 20_000])
def test_calls_of_every_size(level: int, size: int) -> None:
    client, memory = connected(level)
    for number in range(3):
        data = bytes([65 + number]) * size
        assert said(client, 3, data, UUID(int=number + 1))[:size] == data
    asked = [event for event in memory.events if isinstance(event, e.RequestReceived)]
    assert [event.object for event in asked] == [UUID(int=1), UUID(int=2), UUID(int=3)]
    assert {event.level for event in asked} == {level}
    assert {event.identity for event in asked} == {None if level == LEVELS[0] else "ada"}


@pytest.mark.parametrize("level", LEVELS[2:])
def test_every_switch_of_interface_is_a_handshake_of_its_own(level: int) -> None:
    client, memory = connected(level)
    clients = [client]
    for interface in (BETA, ALPHA, BETA):
        clients.append(clients[-1].alter_ctx(uuid.uuidtup_to_bin((str(interface.uuid), "0.0"))))
    for turn in range(2):
        for number, each in enumerate(clients):
            assert said(each, 3, b"%d.%d" % (turn, number)).startswith(b"%d.%d" % (turn, number))
    assert len(memory.serving.securities) == 4
    assert len([event for event in memory.events if isinstance(event, e.Established)]) == 4


@pytest.mark.parametrize("level", LEVELS)
def test_a_fault_leaves_the_keys_in_step(level: int) -> None:
    client, _ = connected(level)
    with pytest.raises(rpcrt.DCERPCException, match="nca_s_op_rng_error"):
        said(client, 99, b"x")
    assert said(client, 3, b"still in step").startswith(b"still in step")


@pytest.mark.parametrize("level", LEVELS[2:])
def test_a_wrong_password_is_access_denied(level: int) -> None:
    client, memory = connected(level, password="wrong")
    with pytest.raises(rpcrt.DCERPCException, match="rpc_s_access_denied"):
        said(client, 3, b"x")
    assert any(isinstance(event, e.AuthenticationRefused) for event in memory.events)


def test_an_unknown_interface_is_told_so() -> None:
    memory = Memory(server())
    client = rpcrt.DCERPC_v5(memory)
    with pytest.raises(rpcrt.DCERPCException, match="abstract_syntax_not_supported"):
        client.bind(uuid.uuidtup_to_bin(("11111111-0000-0000-0000-00000000000f", "0.0")))
