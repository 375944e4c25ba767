"""Kerberos with tickets of a real KDC: both roles in memory, through RPC, under SPNEGO, against impacket's client."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.kerberos_kit import Kdc, kdc
from tests.wire.peers import ALPHA, NAMES, NOW, Pair, accounts, initiator, server

from openwmi.wire import kerberos, spnego
from openwmi.wire.errors import AuthenticationFailed, LocalProtocolError, RemoteProtocolError
from openwmi.wire.ntlm import Acceptor as NtlmAcceptor
from openwmi.wire.rpc import AuthLevel, AuthType
from openwmi.wire.rpc import events as e
from openwmi.wire.spnego.tokens import NegTokenInit, NegTokenResp

__all__ = ["kdc"]
LEVELS = [AuthLevel.CONNECT, AuthLevel.PACKET, AuthLevel.INTEGRITY, AuthLevel.PRIVACY]


def known(name: str) -> str | None:
    return name if name.startswith("ada@") else None


@pytest.fixture(scope="module")
def keys(kdc: Kdc) -> kerberos.ServiceKeys:
    return kerberos.ServiceKeys(kdc.keytab)


@pytest.fixture(scope="module")
def credential(kdc: Kdc) -> kerberos.Credential:
    return kerberos.Credential.password(kdc.principal, kdc.password)


Accept = Callable[[int, int], Any]


@pytest.fixture(scope="module")
def accept(keys: kerberos.ServiceKeys) -> Accept:
    def kerberos_side() -> kerberos.Acceptor:
        return kerberos.Acceptor(keys, known)

    def ntlm_side() -> NtlmAcceptor:
        return NtlmAcceptor(accounts, NAMES, b"fedcba98", filetime=NOW)

    def made(auth_type: int, level: int) -> Any:
        if auth_type == AuthType.KERBEROS:
            return kerberos_side()
        return spnego.accepting(kerberos=kerberos_side, ntlm=ntlm_side)

    return made


def context(credential: kerberos.Credential, auth_type: int, target: str = "host/localhost") -> Any:
    raw = kerberos.Initiator(credential, target)
    raw.prepare()
    return raw if auth_type == AuthType.KERBEROS else spnego.initiating(kerberos=raw, ntlm=initiator())


# Both roles, through RPC ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("auth_type", [AuthType.KERBEROS, AuthType.SPNEGO])
@pytest.mark.parametrize("level", LEVELS)
def test_calls_at_every_level(
    level: int, auth_type: int, credential: kerberos.Credential, accept: Accept
) -> None:
    pair = Pair(serving=server(accept=accept))
    pair.bound(level, context=context(credential, auth_type))
    for number, size in enumerate((0, 1, 16, 7000, 20_000)):
        stub = bytes([number]) * size
        pair.client.request(0, number, stub)
        pair.run()
        received = pair.server_events[-1]
        assert isinstance(received, e.RequestReceived)
        assert (received.stub, received.level, received.identity) == (stub, level, "ada@OPENWMI.TEST")
        pair.server.respond(received.call_id, stub + b"!")
        pair.run()
        assert pair.client_events[-1].stub == stub + b"!"
    # Header signing was agreed, since both of our sides know it.
    assert all(side.securities[1].sign_head for side in (pair.client, pair.server))


@pytest.mark.parametrize("auth_type", [AuthType.KERBEROS, AuthType.SPNEGO])
def test_more_contexts_on_one_connection(
    auth_type: int, credential: kerberos.Credential, accept: Accept
) -> None:
    """One with Kerberos beside one with NTLM, each with its own keys."""
    pair = Pair(serving=server(accept=accept))
    pair.bound(AuthLevel.INTEGRITY, context=context(credential, auth_type))
    pair.client.alter([(2, ALPHA)], spnego.initiating(ntlm=initiator()), security_id=7)
    pair.run()
    for number in (1, 7, 1, 7):
        pair.client.request(0, 3, b"x" * 100, security_id=number)
        pair.run()
    calls = [event for event in pair.server_events if isinstance(event, e.RequestReceived)]
    assert [call.identity for call in calls] == ["ada@OPENWMI.TEST", "ada"] * 2


def test_every_way_to_a_ticket(kdc: Kdc, keys: kerberos.ServiceKeys) -> None:
    ways = (
        kerberos.Credential.password(kdc.principal, kdc.password),
        kerberos.Credential.ccache(kdc.ccache()),
        kerberos.Credential.ccache("FILE:" + kdc.ccache("bob")),
        kerberos.Credential.keytab(kdc.principal, kdc.client_keytab),
    )
    before = dict(os.environ)
    found = []
    for way in ways * 2:
        client, acceptor = kerberos.Initiator(way, "RPCSS/localhost"), kerberos.Acceptor(keys, str)
        shake(client, acceptor)
        found.append(acceptor.identity)
    assert found == [f"{user}@OPENWMI.TEST" for user in ("ada", "ada", "bob", "ada")] * 2
    assert dict(os.environ) == before
    assert not (kdc.folder / "default-cache").exists()


def shake(client: Any, acceptor: Any) -> list[bytes]:
    tokens = [client.step(b"")]
    while not (client.complete and acceptor.complete):
        tokens.append(acceptor.step(tokens[-1]))
        if not client.complete:
            tokens.append(client.step(tokens[-1]))
    return tokens


def test_tokens_are_raw_and_both_lists_are_signed(
    credential: kerberos.Credential, keys: kerberos.ServiceKeys
) -> None:
    """As Windows does it in shared/data/pcap/dcom/kerberos135_auth.pcapng: no frame, three legs, a MIC both ways."""
    client = spnego.initiating(kerberos=kerberos.Initiator(credential, "host/localhost"))
    acceptor = spnego.accepting(kerberos=lambda: kerberos.Acceptor(keys, known))
    tokens = shake(client, acceptor)
    opening = NegTokenInit.decode(tokens[0])
    assert opening.mechanisms == (spnego.KERBEROS_MICROSOFT, spnego.KERBEROS)
    assert opening.token is not None
    answers = [NegTokenResp.decode(token) for token in tokens[1:4]]
    assert [token[:1] for token in (opening.token, answers[0].token, answers[1].token) if token] == [
        b"\x6e",  # AP-REQ
        b"\x6f",  # AP-REP
        b"\x6f",
    ]
    assert answers[0].mechanism == spnego.KERBEROS_MICROSOFT
    assert [bool(answer.mic) for answer in answers] == [False, True, True]
    assert [answer.state for answer in answers] == [1, 1, 0]


def test_a_frame_around_the_first_token_is_taken_off(
    credential: kerberos.Credential, keys: kerberos.ServiceKeys
) -> None:
    client, acceptor = kerberos.Initiator(credential, "host/localhost"), kerberos.Acceptor(keys, known)
    inner = b"\x06\x09" + spnego.KERBEROS + b"\x01\x00" + client.step(b"")
    framed = b"\x60\x82" + len(inner).to_bytes(2, "big") + inner
    acceptor.step(client.step(acceptor.step(framed)))
    assert acceptor.identity == "ada@OPENWMI.TEST"


# What must not work ---------------------------------------------------------------------------------------------------


def test_no_ticket_says_why(kdc: Kdc, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    password = kerberos.Credential.password
    wrong = kerberos.Initiator(password(kdc.principal, "wrong"), "host/localhost")
    with pytest.raises(kerberos.NoTicket, match="(?i)preauthentication|password|decrypt") as told:
        wrong.prepare()
    assert not told.value.unreachable
    assert "wrong" not in str(told.value)
    with pytest.raises(kerberos.NoTicket, match="not found in Kerberos database"):
        kerberos.Initiator(password(kdc.principal, kdc.password), "host/elsewhere").step(b"")
    with pytest.raises(kerberos.NoTicket, match="(?i)cache"):
        kerberos.Initiator(kerberos.Credential.ccache(str(tmp_path / "none")), "host/localhost").prepare()
    text = kdc.configuration.read_text().replace(f"kdc = 127.0.0.1:{kdc.port}", "kdc = 127.0.0.1:1")
    (tmp_path / "krb5.conf").write_text(text)
    monkeypatch.setenv("KRB5_CONFIG", str(tmp_path / "krb5.conf"))
    with pytest.raises(kerberos.NoTicket, match="KDC") as told:
        kerberos.Initiator(password(kdc.principal, kdc.password), "host/localhost").prepare()
    assert told.value.unreachable


def test_a_keytab_that_is_not_there(kdc: Kdc, tmp_path: Path) -> None:
    with pytest.raises(LocalProtocolError, match="no such file"):
        kerberos.ServiceKeys(str(tmp_path / "none"))
    with pytest.raises(LocalProtocolError, match="no such file"):
        kerberos.Initiator(kerberos.Credential.keytab("ada", str(tmp_path / "none")), "host/x").prepare()
    (tmp_path / "empty").write_bytes(b"")
    with pytest.raises(kerberos.NoTicket, match="keytab"):
        kerberos.ServiceKeys(str(tmp_path / "empty"))


def test_a_ticket_is_accepted_without_a_look_at_the_file(
    kdc: Kdc, tmp_path: Path, credential: kerberos.Credential
) -> None:
    """The library opens a keytab for each AP-REQ, which happens on the event loop: a file system may hang by then."""
    path = tmp_path / "keytab"
    shutil.copy(kdc.keytab, path)
    keys = kerberos.ServiceKeys(str(path))
    path.unlink()
    for _ in range(2):
        client, acceptor = kerberos.Initiator(credential, "host/localhost"), kerberos.Acceptor(keys, str)
        shake(client, acceptor)
        assert acceptor.identity == "ada@OPENWMI.TEST"
    # In turn it proves with the same keys who it is, as a server does that calls back.
    back = kerberos.Initiator(keys.credential(acceptor.service), "RPCSS/localhost")
    shake(back, kerberos.Acceptor(kerberos.ServiceKeys(kdc.keytab), str))


def copies() -> int:
    """How many copies of keytabs this process has in memory."""
    folder = Path("/proc/self/fd")
    return sum(
        "openwmi-keytab" in os.readlink(folder / one)
        for one in os.listdir(folder)
        if (folder / one).is_symlink()
    )


def test_keys_leave_nothing_open(kdc: Kdc) -> None:
    before = copies()
    keys = [kerberos.ServiceKeys(kdc.keytab) for _ in range(3)]
    assert copies() == before + 3
    keys.clear()
    assert copies() == before


def test_a_user_without_account_and_a_service_that_is_not_ours(kdc: Kdc, keys: kerberos.ServiceKeys) -> None:
    bob = kerberos.Credential.password("bob@OPENWMI.TEST", kdc.password)
    client, acceptor = kerberos.Initiator(bob, "host/localhost"), kerberos.Acceptor(keys, known)
    with pytest.raises(AuthenticationFailed, match="bob@OPENWMI.TEST: no account"):
        shake(client, acceptor)
    assert acceptor.identity is None
    assert not acceptor.complete
    only = kerberos.ServiceKeys(kdc.keytab, f"RPCSS/localhost@{kdc.realm}")
    with pytest.raises(AuthenticationFailed, match="the ticket is not accepted"):
        shake(kerberos.Initiator(bob, "host/localhost"), kerberos.Acceptor(only, str))


@pytest.mark.parametrize("missing", ["dce_style", "out_of_sequence_detection", "replay_detection"])
def test_a_context_that_can_do_less_is_refused(
    missing: str,
    credential: kerberos.Credential,
    keys: kerberos.ServiceKeys,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from openwmi.wire.kerberos import gss
    from openwmi.wire.kerberos import initiator as module

    weaker = gss.required_flags() & ~getattr(gss.library().RequirementFlag, missing)
    monkeypatch.setattr(module, "required_flags", lambda: weaker)
    client, acceptor = kerberos.Initiator(credential, "host/localhost"), kerberos.Acceptor(keys, known)
    monkeypatch.setattr(client, "_finish", lambda: setattr(client, "_done", True))
    with pytest.raises(AuthenticationFailed, match="without DCE's three legs|the ticket is not accepted"):
        shake(client, acceptor)
    assert not acceptor.complete


def test_without_its_third_leg_nobody_is_in(
    credential: kerberos.Credential, keys: kerberos.ServiceKeys
) -> None:
    """A replayed AP-REQ gets an answer that the thief cannot read."""
    opening = kerberos.Initiator(credential, "host/localhost").step(b"")
    for _ in range(2):
        acceptor = kerberos.Acceptor(keys, known)
        answer = acceptor.step(opening)
        assert not acceptor.complete
        with pytest.raises(AuthenticationFailed):
            acceptor.step(answer)
        with pytest.raises(LocalProtocolError):
            acceptor.wrap(b"", b"x" * 16, b"", seal=True, sign_head=False)


@pytest.mark.parametrize("seal", [True, False])
@pytest.mark.parametrize("sign_head", [True, False])
def test_what_was_changed_does_not_pass(
    seal: bool, sign_head: bool, credential: kerberos.Credential, keys: kerberos.ServiceKeys
) -> None:
    def pair() -> tuple[kerberos.Initiator, kerberos.Acceptor]:
        client, acceptor = kerberos.Initiator(credential, "host/localhost"), kerberos.Acceptor(keys, known)
        shake(client, acceptor)
        return client, acceptor

    head, body, end = b"h" * 24, b"b" * 48, b"e" * 8
    client, acceptor = pair()
    stub, token = client.wrap(head, body, end, seal=seal, sign_head=sign_head)
    assert len(token) == client.token_size(seal=seal) == acceptor.token_size(seal=seal)
    assert (stub != body) is seal
    assert acceptor.unwrap(head, stub, end, token, sealed=seal, sign_head=sign_head) == body
    with pytest.raises(AuthenticationFailed):  # the same once more
        acceptor.unwrap(head, stub, end, token, sealed=seal, sign_head=sign_head)
    for place in range(4):
        client, acceptor = pair()
        stub, token = client.wrap(head, body, end, seal=seal, sign_head=sign_head)
        parts = [head, stub, end, token]
        parts[place] = parts[place][:-1] + bytes([parts[place][-1] ^ 1])
        covered = sign_head or place in (1, 3)
        if covered:
            with pytest.raises(AuthenticationFailed):
                acceptor.unwrap(*parts, sealed=seal, sign_head=sign_head)  # type: ignore[misc]
        else:
            assert acceptor.unwrap(*parts, sealed=seal, sign_head=sign_head) == body  # type: ignore[misc]


def test_a_message_in_the_clear_does_not_pass_for_a_sealed_one(
    credential: kerberos.Credential, keys: kerberos.ServiceKeys
) -> None:
    import gssapi.raw as raw

    client, acceptor = kerberos.Initiator(credential, "host/localhost"), kerberos.Acceptor(keys, known)
    shake(client, acceptor)
    kind = raw.IOVBufferType
    pieces = raw.IOV((kind.data, b"b" * 48), (kind.header, True), std_layout=False)
    raw.wrap_iov(client._context, pieces, confidential=False)
    with pytest.raises(AuthenticationFailed, match="should be sealed"):
        acceptor.unwrap(b"", pieces[0].value, b"", pieces[1].value, sealed=True, sign_head=False)


def test_garbage_is_refused(keys: kerberos.ServiceKeys) -> None:
    for token in (b"", b"\x6e", b"\x60\x03\x06\x01\x00", bytes(70_000), b"\x6e\x82\x02\x9d" + bytes(669)):
        with pytest.raises(RemoteProtocolError):
            kerberos.Acceptor(keys, known).step(token)


def test_negotiate_without_a_ticket_is_ntlm(accept: Accept) -> None:
    pair = Pair(serving=server(accept=accept))
    pair.bound(AuthLevel.PRIVACY, context=spnego.initiating(ntlm=initiator()))
    pair.client.request(0, 3, b"x")
    pair.run()
    assert pair.server_events[-1].identity == "ada"


def test_a_server_without_keytab_takes_ntlm_from_the_list(credential: kerberos.Credential) -> None:
    """Its choice is not the client's first one, so both sign the list."""

    def only(auth_type: int, level: int) -> Any:
        return spnego.accepting(ntlm=lambda: NtlmAcceptor(accounts, NAMES, b"fedcba98", filetime=NOW))

    pair = Pair(serving=server(accept=only))
    pair.bound(AuthLevel.PRIVACY, context=context(credential, AuthType.SPNEGO))
    pair.client.request(0, 3, b"x")
    pair.run()
    assert pair.server_events[-1].identity == "ada"


# impacket's own client ------------------------------------------------------------------------------------------------


@pytest.fixture
def impacket_client(
    kdc: Kdc, accept: Accept, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[Any, Any]]:
    # Its own way to a KDC knows port 88 alone, so it gets its tickets from a cache.
    monkeypatch.setenv("KRB5CCNAME", kdc.ccache(kdc.user, "host/localhost"))
    rpcrt = pytest.importorskip("impacket.dcerpc.v5.rpcrt")
    uuid = pytest.importorskip("impacket.uuid")
    from tests.wire.test_impacket_rpc import Memory

    class KerberosMemory(Memory):
        def get_credentials(self) -> tuple[Any, ...]:
            return kdc.user, self.password, kdc.realm, "", "", "", None, None

        def getRemoteName(self) -> str:
            return "localhost"

        get_kdcHost = getRemoteHost = getRemoteName

    def make(level: int, password: str = kdc.password) -> tuple[Any, Memory]:
        memory = KerberosMemory(server(accept=accept), password)
        client = rpcrt.DCERPC_v5(memory)
        client.set_credentials(*memory.get_credentials())
        client.set_auth_type(rpcrt.RPC_C_AUTHN_GSS_NEGOTIATE)
        client.set_auth_level(level)
        client.bind(uuid.uuidtup_to_bin((str(ALPHA.uuid), "0.0")))
        return client, memory

    return make


@pytest.mark.parametrize("level", [AuthLevel.INTEGRITY, AuthLevel.PRIVACY])
def test_impacket(level: int, impacket_client: Callable[..., tuple[Any, Any]]) -> None:
    client, memory = impacket_client(level)
    for size in (0, 1, 16, 4000, 20_000):
        client.call(3, b"x" * size)
        assert client.recv()[:size] == b"x" * size
    asked = [event for event in memory.events if isinstance(event, e.RequestReceived)]
    assert {(event.level, event.identity) for event in asked} == {(level, "ada@OPENWMI.TEST")}
    # It does not ask for header signing, and its signatures cover the stub alone.
    assert not memory.serving.securities[next(iter(memory.serving.securities))].sign_head
