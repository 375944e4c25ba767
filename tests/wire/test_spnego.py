"""SPNEGO: tokens of real traffic, both roles against each other and against pyspnego, and meddling in between."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.wire.captures import conversations
from tests.wire.peers import NAMES, NOW, PASSWORD, Pair, accounts, initiator, server

from openwmi.wire.errors import AuthenticationFailed, LocalProtocolError, PeerMisbehaved, RemoteProtocolError
from openwmi.wire.ntlm import Acceptor, Credential, Initiator, nt_hash
from openwmi.wire.rpc import AuthLevel, AuthType
from openwmi.wire.rpc import events as e
from openwmi.wire.rpc.pdus import decode
from openwmi.wire.spnego import (
    KERBEROS,
    KERBEROS_MICROSOFT,
    NTLM,
    SpnegoAcceptor,
    SpnegoInitiator,
    without_frame,
)
from openwmi.wire.spnego.tokens import NegState, NegTokenInit, NegTokenResp, mechanism_list


class Other(Initiator):
    """A mechanism that only the client has; its tokens mean nothing to anybody."""

    def step(self, token: bytes) -> bytes:
        return b"something else"


def offer(*names: bytes, password: str = PASSWORD) -> SpnegoInitiator:
    return SpnegoInitiator(
        [
            (
                name,
                initiator(password)
                if name == NTLM
                else Other(Credential("x", password=""), bytes(24), filetime=0),
            )
            for name in names
        ]
    )


def acceptor() -> SpnegoAcceptor:
    return SpnegoAcceptor(
        lambda name: Acceptor(accounts, NAMES, b"12345678", filetime=NOW) if name == NTLM else None
    )


def shake(client: Any, serving: Any) -> list[bytes]:
    tokens = [client.step(b"")]
    while not serving.complete:
        tokens.append(serving.step(tokens[-1]))
        tokens.append(client.step(tokens[-1]))
    assert client.complete
    return tokens


@pytest.mark.parametrize("names", [(NTLM,), (NTLM, KERBEROS), (KERBEROS_MICROSOFT, NTLM)])
def test_both_roles_agree(names: tuple[bytes, ...]) -> None:
    client, serving = offer(*names), acceptor()
    tokens = shake(client, serving)
    assert NegTokenInit.decode(tokens[0]).mechanisms == names
    assert NegTokenResp.decode(tokens[-2]).mic is not None
    assert serving.identity == "ada"
    for sender, receiver in ((client, serving), (serving, client)) * 2:
        stub, token = sender.wrap(b"head", b"stub", b"end", seal=True, sign_head=True)
        assert receiver.unwrap(b"head", stub, b"end", token, sealed=True, sign_head=True) == b"stub"


def test_through_rpc() -> None:
    pair = Pair(serving=server(accept=lambda kind, level: acceptor() if kind == AuthType.SPNEGO else None))
    pair.bound(AuthLevel.PRIVACY, context=offer(NTLM))
    call = pair.client.request(0, 3, b"x" * 9000)
    pair.run()
    pair.server.respond(call, b"y" * 9000)
    pair.run()
    heard, asked = pair.events()
    assert heard[-1] == e.ResponseReceived(call, b"y" * 9000)
    assert asked[-1].identity == "ada"


def test_a_wrong_password_through_rpc() -> None:
    pair = Pair(serving=server(accept=lambda kind, level: acceptor()))
    pair.bound(AuthLevel.PRIVACY, context=offer(NTLM, password="wrong"))
    heard, asked = pair.events()
    assert heard == [e.Refused(5, alter=True, call_id=1)] or heard[-1] == e.Refused(5, alter=False, call_id=1)
    assert isinstance(asked[-1], e.AuthenticationRefused)


def test_who_takes_a_mechanism_off_the_list_is_found_out() -> None:
    client, serving = offer(KERBEROS, NTLM), acceptor()
    opening = NegTokenInit.decode(client.step(b""))
    assert opening.mechanisms == (KERBEROS, NTLM)
    shorter = NegTokenInit((NTLM,), None, mechanism_list((NTLM,))).encode()
    challenge = serving.step(client.step(serving.step(shorter)))
    with pytest.raises(AuthenticationFailed):
        serving.step(client.step(challenge))


def test_a_choice_that_nobody_signed_is_refused() -> None:
    client, serving = offer(KERBEROS, NTLM), acceptor()
    third = client.step(serving.step(client.step(serving.step(client.step(b"")))))
    bare = NegTokenResp(NegState.ACCEPT_INCOMPLETE, token=NegTokenResp.decode(third).token).encode()
    with pytest.raises(AuthenticationFailed, match="not signed"):
        serving.step(bare)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (NegTokenResp(NegState.REJECT), AuthenticationFailed),
        (NegTokenResp(NegState.ACCEPT_INCOMPLETE, KERBEROS), PeerMisbehaved),
        (NegTokenResp(NegState.ACCEPT_COMPLETED), PeerMisbehaved),
    ],
)
def test_answers_that_a_client_does_not_take(answer: NegTokenResp, kind: type[Exception]) -> None:
    client = offer(NTLM)
    client.step(b"")
    with pytest.raises(kind):
        client.step(answer.encode())


def test_nothing_in_common() -> None:
    with pytest.raises(AuthenticationFailed, match="in common"):
        acceptor().step(offer(KERBEROS).step(b""))
    with pytest.raises(LocalProtocolError):
        SpnegoInitiator([])


def test_kerberos_tokens_lose_their_frame() -> None:
    framed = bytes.fromhex("600f 0609 2a864886f712010202 0100 6e00")
    assert without_frame(framed) == bytes.fromhex("6e00")
    assert without_frame(b"\x6e\0") == b"\x6e\0"


def test_tokens_of_real_traffic_come_back_as_they_were(shared_data: Path) -> None:
    count = 0
    for path in sorted((shared_data / "pcap").rglob("*.*cap*")):
        for talk in conversations(path):
            for _, data in talk:
                frame, _ = decode(data)
                verifier = frame.verifier
                if (
                    verifier is None
                    or verifier.auth_type != AuthType.SPNEGO
                    or frame.kind not in (11, 12, 14, 15, 16)
                ):
                    continue
                if verifier.token[:1] == b"\x60":
                    opening = NegTokenInit.decode(verifier.token)
                    assert opening.encode() == verifier.token
                    assert mechanism_list(opening.mechanisms) == opening.listed
                else:
                    assert NegTokenResp.decode(verifier.token).encode() == verifier.token
                count += 1
    assert count > 60


@pytest.mark.slow
def test_pyspnegos_client(tmp_path: Path) -> None:
    spnego = pytest.importorskip("spnego")
    only = spnego.NegotiateOptions.use_negotiate
    peer = spnego.client(
        "ada", PASSWORD, hostname="server", service="host", protocol="negotiate", options=only
    )
    serving = acceptor()
    token = peer.step()
    while not serving.complete:
        token = peer.step(serving.step(token))
    assert peer.complete
    assert serving.identity == "ada"
    wrapped = peer.wrap(b"stub")
    assert (
        serving.unwrap(b"", wrapped.data[16:], b"", wrapped.data[:16], sealed=True, sign_head=True) == b"stub"
    )
    stub, mac = serving.wrap(b"", b"answer", b"", seal=True, sign_head=True)
    assert peer.unwrap(mac + stub).data == b"answer"


@pytest.mark.slow
def test_pyspnegos_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spnego = pytest.importorskip("spnego")
    users = tmp_path / "users"
    users.write_text(f"X:ada:{PASSWORD}\n", encoding="utf-8")
    monkeypatch.setenv("NTLM_USER_FILE", str(users))
    only = spnego.NegotiateOptions.use_negotiate
    peer = spnego.server(hostname="server", service="host", protocol="negotiate", options=only)
    credential = Credential("ada", domain="X", hashed=nt_hash(PASSWORD))
    client = SpnegoInitiator([(NTLM, Initiator(credential, bytes(24), filetime=NOW))])
    token = client.step(b"")
    while not client.complete:
        token = client.step(peer.step(token))
    assert peer.complete
    stub, mac = client.wrap(b"", b"stub", b"", seal=True, sign_head=True)
    assert peer.unwrap(mac + stub).data == b"stub"
    wrapped = peer.wrap(b"answer")
    assert (
        client.unwrap(b"", wrapped.data[16:], b"", wrapped.data[:16], sealed=True, sign_head=True)
        == b"answer"
    )


@given(st.data())
def test_mutated_tokens_raise_nothing_but_the_protocols_own_errors(data: st.DataObject) -> None:
    tokens = shake(offer(KERBEROS, NTLM), acceptor())
    number = data.draw(st.integers(0, len(tokens) - 2))
    token = bytearray(tokens[number])
    for _ in range(data.draw(st.integers(1, 4))):
        token[data.draw(st.integers(0, len(token) - 1))] = data.draw(st.integers(0, 255))
    mutated = bytes(token[: data.draw(st.integers(0, len(token)))])
    client, serving = offer(KERBEROS, NTLM), acceptor()
    client.step(b"")
    try:
        (client if number % 2 else serving).step(mutated)
    except RemoteProtocolError:
        pass
