"""NTLM: the known answers of [MS-NLMP] 4.2, both roles against each other, against impacket and pyspnego, and abuse."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openwmi.wire.errors import (
    AuthenticationFailed,
    LocalProtocolError,
    PeerIncompatible,
    PeerMisbehaved,
    RemoteProtocolError,
)
from openwmi.wire.ntlm import Acceptor, Credential, Initiator, ServerNames, nt_hash
from openwmi.wire.ntlm import constants as c
from openwmi.wire.ntlm.avpairs import value_of
from openwmi.wire.ntlm.keys import hmac_md5, proof, response_key, sealing_key, signing_key
from openwmi.wire.ntlm.md4 import md4
from openwmi.wire.ntlm.messages import Authenticate, Challenge, ClientBlob, Negotiate
from openwmi.wire.ntlm.rc4 import rc4
from openwmi.wire.ntlm.session import Session

PASSWORD = "Pässword-Πi"
NAMES = ServerNames("SERVER", "WORKGROUP", "server.example.org", "example.org")
NOW = 133_500_000_000_000_000


def accounts(domain: str, user: str) -> tuple[str, bytes] | None:
    return (f"{domain}/{user}", nt_hash(PASSWORD)) if user.lower() == "ada" else None


def acceptor(**options: Any) -> Acceptor:
    return Acceptor(accounts, NAMES, b"01234567", filetime=NOW, **options)


def initiator(password: str = PASSWORD, **options: Any) -> Initiator:
    return Initiator(
        Credential("Ada", domain="X", password=password), bytes(range(24)), filetime=NOW, **options
    )


def shake(client: Any, server: Any) -> tuple[bytes, bytes, bytes]:
    opening = client.step(b"")
    challenge = server.step(opening)
    answer = client.step(challenge)
    assert server.step(answer) == b""
    assert client.complete
    assert server.complete
    return opening, challenge, answer


# Known answers ([MS-NLMP] 4.2) -------------------------------------------------------------------------------------

BLOB = bytes.fromhex(
    "01010000000000000000000000000000aaaaaaaaaaaaaaaa0000000002000c0044006f006d00610069006e00"
    "01000c005300650072007600650072000000000000000000"
)
CHALLENGE = bytes.fromhex("0123456789abcdef")


def test_nt_hash() -> None:
    assert nt_hash("Password").hex() == "a4f49c406510bdcab6824ee7c30fd852"  # 4.2.2.1.2


@pytest.mark.parametrize(
    ("text", "digest"),
    [
        (b"", "31d6cfe0d16ae931b73c59d7e0c089c0"),
        (b"message digest", "d9130a8164549fe818874806e1c7014b"),
        (b"1234567890" * 8, "e33b4ddc9c38f2199c3e7b164fcc0536"),
    ],
)
def test_md4_of_rfc_1320(text: bytes, digest: str) -> None:
    assert md4(text).hex() == digest


def test_ntlmv2_keys_and_proof() -> None:
    key = response_key(nt_hash("Password"), "User", "Domain")
    assert key.hex() == "0c868a403bfd7a93a3001ef22ef02e3f"  # 4.2.4.1.1
    proved = proof(key, CHALLENGE, BLOB)
    assert proved.hex() == "68cd0ab851e51c96aabc927bebef6a1c"  # 4.2.4.2.2
    base = hmac_md5(key, proved)
    assert base.hex() == "8de40ccadbc14a82f15cb0ad0de95ca3"  # 4.2.4.1.2
    assert rc4(base)(b"\x55" * 16).hex() == "c5dad2544fc9799094ce1ce90bc9d03e"  # 4.2.4.2.3
    lm = hmac_md5(key, CHALLENGE, b"\xaa" * 8)
    assert lm.hex() == "86c35097ac9cec102554764a57cccc19"  # 4.2.4.2.1


def test_sealing() -> None:
    exported = b"\x55" * 16  # 4.2.4.4
    assert sealing_key(exported, to_server=True).hex() == "59f600973cc4960a25480a7c196e4c58"
    assert signing_key(exported, to_server=True).hex() == "4788dc861b4782f35d43fd98fe1a2d39"
    plain = "Plaintext".encode("utf-16-le")
    sealed, signature = Session(exported, initiator=True, exchanged=True).seal(b"", plain, b"")
    assert sealed.hex() == "54e50165bf1936dc996020c1811b0f06fb5f"
    assert signature.hex() == "010000007fb38ec5c55d497600000000"
    assert Session(exported, initiator=False, exchanged=True).unseal(signature, b"", sealed, b"") == plain


# Both roles against each other -------------------------------------------------------------------------------------


@pytest.mark.parametrize("seal", [True, False])
def test_both_roles_agree_on_who_and_on_keys(seal: bool) -> None:
    client, server = initiator(target="host/server"), acceptor(targets=lambda name: name == "host/server")
    shake(client, server)
    assert server.identity == "X/Ada"
    for sender, receiver in ((client, server), (server, client)) * 3:
        stub, token = sender.wrap(b"head", b"stub" * 4, b"end", seal=seal, sign_head=False)
        assert (stub != b"stub" * 4) == seal
        assert len(token) == sender.token_size(seal=seal)
        assert receiver.unwrap(b"head", stub, b"end", token, sealed=seal, sign_head=False) == b"stub" * 4


@pytest.mark.parametrize("part", [0, 1, 2, 3])
def test_a_changed_message_is_refused(part: int) -> None:
    client, server = initiator(), acceptor()
    shake(client, server)
    stub, token = client.wrap(b"head", b"stub", b"end!", seal=True, sign_head=True)
    parts = [b"head", stub, b"end!", token]
    parts[part] = bytes([parts[part][0] ^ 1]) + parts[part][1:]
    with pytest.raises(AuthenticationFailed):
        server.unwrap(*parts, sealed=True, sign_head=True)


def test_a_repeated_message_is_refused() -> None:
    client, server = initiator(), acceptor()
    shake(client, server)
    stub, token = client.wrap(b"h", b"stub", b"e", seal=False, sign_head=True)
    server.unwrap(b"h", stub, b"e", token, sealed=False, sign_head=True)
    with pytest.raises(AuthenticationFailed):
        server.unwrap(b"h", stub, b"e", token, sealed=False, sign_head=True)


def test_an_nt_hash_serves_instead_of_the_password() -> None:
    credential = Credential("ada", hashed=nt_hash(PASSWORD))
    server = acceptor()
    shake(Initiator(credential, bytes(24), filetime=NOW), server)
    assert server.identity == "/ada"


@pytest.mark.parametrize("user", ["ada", "nobody"])
def test_a_wrong_password_and_an_unknown_user_look_the_same(user: str) -> None:
    client = Initiator(Credential(user, password="wrong"), bytes(24), filetime=NOW)
    server = acceptor()
    answer = client.step(server.step(client.step(b"")))
    with pytest.raises(AuthenticationFailed, match="unknown user or wrong password"):
        server.step(answer)
    assert not server.complete
    assert server.identity is None


def test_a_handshake_changed_on_its_way_fails_its_mic() -> None:
    client, server = initiator(), acceptor()
    opening = client.step(b"")
    challenge = server.step(opening)
    answer = bytearray(client.step(challenge))
    workstation = answer.index("Ada".encode("utf-16-le")) - 2
    assert answer[workstation : workstation + 2] == b"X\0"
    server._opening = opening[:-1] + b"\1"  # what a man in the middle would have sent
    with pytest.raises(AuthenticationFailed, match="changed on its way"):
        server.step(bytes(answer))


def test_a_client_without_mic_is_refused_where_one_is_required() -> None:
    impacket = pytest.importorskip("impacket.ntlm")
    client, server = Impacket(impacket), acceptor(require_mic=True)
    answer = client.step(server.step(client.step(b"")))
    with pytest.raises(AuthenticationFailed, match="no integrity code"):
        server.step(answer)


def test_a_log_on_meant_for_another_service_is_refused() -> None:
    client, server = (
        initiator(target="cifs/elsewhere"),
        acceptor(targets=lambda name: name.startswith("host/")),
    )
    answer = client.step(server.step(client.step(b"")))
    with pytest.raises(AuthenticationFailed, match="cifs/elsewhere"):
        server.step(answer)


@pytest.mark.parametrize("flag", [c.UNICODE, c.SIGN, c.EXTENDED_SESSION_SECURITY, c.KEY_128, c.KEY_EXCHANGE])
def test_weak_clients_are_refused(flag: int) -> None:
    with pytest.raises(PeerIncompatible):
        acceptor().step(Negotiate(c.SUPPORTED & ~flag).encode())


def test_key_exchange_may_be_waived() -> None:
    client, server = initiator(), acceptor(require_key_exchange=False)
    client.step(b"")
    server._opening = client._opening = Negotiate(c.SUPPORTED & ~c.KEY_EXCHANGE).encode()
    assert server.step(client.step(server.step(client._opening))) == b""
    stub, token = client.wrap(b"h", b"stub", b"e", seal=True, sign_head=True)
    assert server.unwrap(b"h", stub, b"e", token, sealed=True, sign_head=True) == b"stub"


@pytest.mark.parametrize("flag", [c.SIGN, c.EXTENDED_SESSION_SECURITY, c.TARGET_INFO])
def test_weak_servers_are_refused(flag: int) -> None:
    client = initiator()
    client.step(b"")
    with pytest.raises(PeerIncompatible):
        client.step(Challenge(c.SUPPORTED & ~flag, b"12345678", "T", b"\0\0\0\0").encode())


def changed(**fields: Any) -> bytes:
    values: dict[str, Any] = {
        "flags": c.SUPPORTED,
        "lm_response": bytes(24),
        "nt_response": bytes(24),
        "domain": "",
        "user": "ada",
        "workstation": "",
        "session_key": bytes(16),
        "mic": bytes(16),
    }
    return Authenticate(**{**values, **fields}).encode()


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (changed(), "version 1"),
        (changed(nt_response=b"", user=""), "anonymous"),
        (changed(flags=c.SUPPORTED | c.ANONYMOUS), "anonymous"),
        (changed(nt_response=bytes(16) + BLOB), "unknown user or wrong password"),
    ],
)
def test_what_is_no_proof_is_refused(message: bytes, why: str) -> None:
    server = acceptor()
    server.step(initiator().step(b""))
    with pytest.raises(AuthenticationFailed, match=why):
        server.step(message)


def test_no_secret_shows() -> None:
    credential = Credential("ada", password=PASSWORD)
    client = Initiator(credential, b"R" * 24, filetime=NOW)
    server = acceptor()
    _, _, answer = shake(client, server)
    texts = repr([credential, client, server, Authenticate.decode(answer), client.session])
    for secret in (PASSWORD, nt_hash(PASSWORD).hex(), repr(nt_hash(PASSWORD))[2:-1], "RRRR"):
        assert secret not in texts


def test_misuse_is_our_own_mistake() -> None:
    with pytest.raises(LocalProtocolError):
        Credential("ada")
    with pytest.raises(LocalProtocolError):
        Credential("ada", hashed=b"short")
    with pytest.raises(LocalProtocolError):
        Initiator(Credential("ada", password=""), b"few", filetime=NOW)
    with pytest.raises(LocalProtocolError):
        Acceptor(accounts, NAMES, b"few", filetime=NOW)
    with pytest.raises(LocalProtocolError):
        initiator().session  # noqa: B018 - it raises


# Other implementations ---------------------------------------------------------------------------------------------


class Impacket:
    """impacket's client as a context: its type 1 and type 3, its signing and sealing."""

    def __init__(self, ntlm: Any) -> None:
        self.ntlm = ntlm
        self.first: Any = None
        self.complete = False

    def step(self, token: bytes) -> bytes:
        if self.first is None:
            self.first = self.ntlm.getNTLMSSPType1("ws", "", True, True)
            return self.first.getData()
        answer, key = self.ntlm.getNTLMSSPType3(self.first, token, "Ada", PASSWORD, "X", use_ntlmv2=True)
        self.flags = answer["flags"]
        self.keys = [self.ntlm.SIGNKEY(self.flags, key, side) for side in ("Client", "Server")]
        sealing = [self.ntlm.SEALKEY(self.flags, key, side) for side in ("Client", "Server")]
        self.streams = [rc4(each) for each in sealing]
        self.numbers = [0, 0]
        self.complete = True
        return answer.getData()

    def seal(self, side: int, signed: bytes, plain: bytes) -> tuple[bytes, bytes]:
        number = self.numbers[side]
        self.numbers[side] += 1
        sealed, signature = self.ntlm.SEAL(
            self.flags, self.keys[side], None, signed, plain, number, self.streams[side]
        )
        return sealed, signature.getData()


def test_impackets_client_logs_on_and_its_messages_pass() -> None:
    ntlm = pytest.importorskip("impacket.ntlm")
    client, server = Impacket(ntlm), acceptor()
    shake(client, server)
    assert server.identity == "X/Ada"
    for _ in range(3):
        sealed, signature = client.seal(0, b"headstubend", b"stub")
        assert server.unwrap(b"head", sealed, b"end", signature, sealed=True, sign_head=False) == b"stub"
        ours, token = server.wrap(b"head", b"answer", b"end", seal=True, sign_head=False)
        assert (ours, token) == client.seal(1, b"headanswerend", b"answer")


def test_impacket_reads_our_messages() -> None:
    ntlm = pytest.importorskip("impacket.ntlm")
    client, server = initiator(target="host/server"), acceptor()
    opening, challenge, answer = shake(client, server)
    first = ntlm.NTLMAuthNegotiate()
    first.fromString(opening)
    assert first["flags"] == c.SUPPORTED
    second = ntlm.NTLMAuthChallenge(challenge)
    assert second["challenge"] == b"01234567"
    pairs = ntlm.AV_PAIRS(second["TargetInfoFields"])
    assert pairs[ntlm.NTLMSSP_AV_DNS_HOSTNAME][1].decode("utf-16-le") == "server.example.org"
    third = ntlm.NTLMAuthChallengeResponse()
    third.fromString(answer)
    assert third["user_name"].decode("utf-16-le") == "Ada"
    assert third["domain_name"].decode("utf-16-le") == "X"
    assert third["ntlm"] == Authenticate.decode(answer).nt_response


@pytest.mark.slow
def test_pyspnegos_client_logs_on() -> None:
    spnego = pytest.importorskip("spnego")
    peer = spnego.client(
        "X\\Ada",
        PASSWORD,
        hostname="server",
        service="host",
        protocol="ntlm",
        options=spnego.NegotiateOptions.use_ntlm,
    )
    server = acceptor(require_mic=True, targets=lambda name: name == "host/server")
    assert server.step(peer.step(server.step(peer.step()))) == b""
    assert peer.complete
    wrapped = peer.wrap(b"stub")
    assert server.session.unseal(wrapped.data[:16], b"", wrapped.data[16:], b"") == b"stub"
    sealed, signature = server.session.seal(b"", b"answer", b"")
    assert peer.unwrap(signature + sealed).data == b"answer"


@pytest.mark.slow
def test_pyspnegos_server_takes_our_client(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    spnego = pytest.importorskip("spnego")
    users = tmp_path / "users"
    users.write_text(f"X:Ada:{PASSWORD}\n", encoding="utf-8")
    monkeypatch.setenv("NTLM_USER_FILE", str(users))
    peer = spnego.server(
        hostname="server", service="host", protocol="ntlm", options=spnego.NegotiateOptions.use_ntlm
    )
    client = initiator(target="host/server")
    peer.step(client.step(peer.step(client.step(b""))))
    assert peer.complete
    sealed, signature = client.session.seal(b"", b"stub", b"")
    assert peer.unwrap(signature + sealed).data == b"stub"


# Whatever comes ------------------------------------------------------------------------------------------------------


@given(st.data())
def test_mutated_messages_raise_nothing_but_the_protocols_own_errors(data: st.DataObject) -> None:
    client, server = initiator(), acceptor()
    messages = list(shake(client, server))
    number = data.draw(st.integers(0, 2))
    message = bytearray(messages[number])
    for _ in range(data.draw(st.integers(1, 4))):
        message[data.draw(st.integers(0, len(message) - 1))] = data.draw(st.integers(0, 255))
    mutated = bytes(message[: data.draw(st.integers(0, len(message)))])
    client, server = initiator(), acceptor()
    opening = client.step(b"")
    try:
        if number == 0:
            server.step(mutated)
        elif number == 1:
            client.step(mutated)
        else:
            server.step(opening)
            server.step(mutated)
    except RemoteProtocolError:
        pass


def test_attributes_without_an_end_are_refused() -> None:
    with pytest.raises(PeerMisbehaved):
        Challenge(0, bytes(8), "", b"\1\0\2\0ab").pairs()


def test_the_blob_says_what_we_put_in() -> None:
    _, _, answer = shake(initiator(target="host/server"), acceptor())
    blob = ClientBlob.decode(Authenticate.decode(answer).nt_response[16:])
    assert value_of(blob.pairs, c.AV_TARGET_NAME) == "host/server".encode("utf-16-le")
    assert value_of(blob.pairs, c.AV_CHANNEL_BINDINGS) == bytes(16)
    assert blob.timestamp == NOW
    assert hashlib.md5(blob.challenge).digest() == hashlib.md5(bytes(range(8))).digest()
