"""Kerberos read from outside: vectors of the standards, whole sessions with tickets of a real KDC, wrong keys."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.kerberos_kit import Kdc, kdc, sides
from tests.wire.pcapfile import conversation, ethernet, pcap
from tests.wire.session import played, steps
from tests.wire.test_decoding import METHODS, named
from tests.wire.test_fuzz import withstood

from openwmi.wire import kerberos
from openwmi.wire.decoding import Keys, decode, read_keytab
from openwmi.wire.decoding.kerberos.encryption import Key, cipher, decrypt, nfold
from openwmi.wire.decoding.kerberos.messages import opened_reply, opened_request
from openwmi.wire.errors import AuthenticationFailed, PeerIncompatible, PeerMisbehaved
from openwmi.wire.rpc import AuthLevel, AuthType

__all__ = ["kdc"]


@pytest.mark.parametrize(
    ("text", "size", "folded"),
    [  # RFC 3961 A.1
        (b"012345", 8, "be072631276b1955"),
        (b"password", 7, "78a07b6caf85fa"),
        (b"Rough Consensus, and Running Code", 8, "bb6ed30870b7f0e0"),
        (b"password", 21, "59e4a8ca7c0385c3c37b3f6d2000247cb6e6bd5b3e"),
        (b"MASSACHVSETTS INSTITVTE OF TECHNOLOGY", 24, "db3b0d8f0b061e603282b308a50841229ad798fab9540c1b"),
        (b"Q", 21, "518a54a2 15a8452a 518a54a2 15a8452a 518a54a2 15".replace(" ", "")),
        (b"kerberos", 16, "6b65726265726f737b9b5b2b93132b93"),
    ],
)
def test_folds(text: bytes, size: int, folded: str) -> None:
    assert nfold(text, size).hex() == folded


@pytest.mark.parametrize(
    ("plain", "sealed"),
    [  # RFC 3962 appendix B, with the key "chicken teriyaki"; CBC with a vector of zeros
        (b"I would like the ", "c6353568f2bf8cb4d8a580362da7ff7f97"),
        (
            b"I would like the General Gau's ",
            "fc00783e0efdb2c1d445d4c8eff7ed2297687268d6ecccc0c07b25e25ecfe5",
        ),
        (
            b"I would like the General Gau's C",
            "39312523a78662d5be7fcbcc98ebf5a897687268d6ecccc0c07b25e25ecfe584",
        ),
    ],
)
def test_stolen_ciphertext(plain: bytes, sealed: str) -> None:
    from openwmi.wire.decoding.kerberos.encryption import _stolen

    assert _stolen(b"chicken teriyaki", bytes.fromhex(sealed)) == plain


def session(kdc: Kdc, auth_type: int, level: int, *, headers: bool = True) -> bytes:
    """A capture of a whole session; headers: whether the client offers to sign them."""
    context, accept = sides(kdc, auth_type)
    with pytest.MonkeyPatch.context() as patch:
        if not headers:
            patch.setattr("openwmi.wire.rpc.client.SUPPORT_HEADER_SIGN", 0)
        chunks = played(context, accept, level).chunks
    return pcap([ethernet(one) for one in conversation(chunks)])


@pytest.fixture(scope="module")
def keys(kdc: Kdc) -> Keys:
    return Keys(services=read_keytab(Path(kdc.keytab).read_bytes()))


@pytest.mark.slow
@pytest.mark.parametrize("auth_type", [AuthType.KERBEROS, AuthType.SPNEGO])
@pytest.mark.parametrize("level", [AuthLevel.INTEGRITY, AuthLevel.PRIVACY])
@pytest.mark.parametrize("headers", [True, False])
def test_a_keytab_opens_a_session(kdc: Kdc, keys: Keys, auth_type: int, level: int, headers: bool) -> None:
    data = session(kdc, auth_type, level, headers=headers)
    records = list(decode(data, keys))
    assert named(records, "request") == METHODS
    assert not [record for record in records if "error" in record]
    assert {record["protection"] for record in records if "protection" in record} == {"verified"}
    queries = [one["in"]["query"] for one in records if one.get("method") == "ExecQuery" and "in" in one]
    assert queries == ["SELECT * FROM Test_Thing"]
    # Without it, what is sealed stays so, and what is signed can be read but not vouched for.
    closed = {one.get("protection") for one in decode(data) if one.get("pdu") == "request"}
    assert closed == ({"sealed"} if level == AuthLevel.PRIVACY else {None})


def test_keys_of_another_service_open_nothing(kdc: Kdc) -> None:
    data = session(kdc, AuthType.KERBEROS, AuthLevel.PRIVACY)
    foreign = [
        key for key in read_keytab(Path(kdc.keytab).read_bytes()) if "host/localhost@" not in key.principal
    ]
    assert foreign
    assert {
        one.get("protection") for one in decode(data, Keys(services=foreign)) if one.get("pdu") == "request"
    } == {"sealed"}


def test_what_was_changed_is_not_vouched_for(kdc: Kdc, keys: Keys) -> None:
    data = bytearray(session(kdc, AuthType.KERBEROS, AuthLevel.PRIVACY))
    last = bytes(data).rindex(b"\5\0\0\x83")
    data[last + 60] ^= 1
    said = [one["protection"] for one in decode(bytes(data), keys) if one.get("pdu") == "request"]
    assert said[-1].startswith("not verified")
    assert set(said[:-1]) == {"verified"}
    assert len(said) == len(steps())


def test_keytabs(kdc: Kdc) -> None:
    data = Path(kdc.keytab).read_bytes()
    found = read_keytab(data)
    assert {key.etype for key in found} == {17, 18}
    assert f"host/localhost@{kdc.realm}" in {key.principal for key in found}
    assert all(key.key.hex() not in repr(key) for key in found)
    size = int.from_bytes(data[2:6], "big")
    hole = data[:2] + (-size).to_bytes(4, "big", signed=True) + data[6:]
    assert len(read_keytab(hole)) == len(found) - 1
    for broken in (b"", b"\5\1", data[:-1], b"\5\2\0\0\0\1\0"):
        with pytest.raises(PeerMisbehaved):
            read_keytab(broken)


def test_other_ciphers_are_said_to_be_others() -> None:
    with pytest.raises(PeerIncompatible, match="type 23"):
        cipher(Key(23, bytes(16)), 1, bytes(16))
    with pytest.raises(AuthenticationFailed):
        decrypt(Key(17, bytes(16)), 1, bytes(40))
    assert "00" not in repr(Key(17, bytes(16)))


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_mutants_raise_nothing_but_the_protocols_own_errors(kdc: Kdc) -> None:
    credential = kerberos.Credential.password(kdc.principal, kdc.password)
    client = kerberos.Initiator(credential, "host/localhost")
    request = client.step(b"")
    reply = kerberos.Acceptor(kerberos.ServiceKeys(kdc.keytab), str).step(request)
    keytab = Path(kdc.keytab).read_bytes()
    services = read_keytab(keytab)
    opened, _ = opened_request(request, services)
    assert opened_reply(reply, opened) is not None
    takes = (
        (request, lambda data: opened_request(data, services)),
        (reply, lambda data: opened_reply(data, opened)),
        (keytab, read_keytab),
    )
    for corpus, take in takes:
        withstood([corpus], take, seed=23)
