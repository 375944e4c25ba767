"""Mutants of everything that decoding reads: captures, dumps, PDUs of whole sessions, references, objects, tokens.

The invariant: records come out, ready for JSON and for people, or PeerMisbehaved says that this is no file of ours;
in bounded time and memory.
"""

from __future__ import annotations

import json
import random
import tracemalloc
from collections.abc import Callable

import pytest
from tests.kerberos_kit import Kdc, kdc
from tests.wire.pcapfile import conversation, ethernet, ip, pcap, pcapng
from tests.wire.peers import PASSWORD, accept, initiator
from tests.wire.session import SERVICES_IPID, THING, a_class, played, reference, steps
from tests.wire.test_decoding import hexdump, wireshark, xxd
from tests.wire.test_fuzz import BLOBS, COUNT, NTLM, REFERENCES, SPNEGO, mutants, withstood

from openwmi.wire import kerberos
from openwmi.wire.decoding import Keys, decode, tokens
from openwmi.wire.decoding.association import Association
from openwmi.wire.decoding.smb import Pipes
from openwmi.wire.decoding.text import lines
from openwmi.wire.decoding.values import Printer
from openwmi.wire.errors import LocalProtocolError, RemoteProtocolError
from openwmi.wire.ntlm import nt_hash
from openwmi.wire.rpc import AuthLevel
from openwmi.wire.wmi import guids
from openwmi.wmio import encode
from openwmi.wmio.arrays import ArrayEncoder

__all__ = ["kdc"]
KEYS = Keys([nt_hash(PASSWORD)])
CLEAR = [data for _, data in played(None, accept).chunks]
SIGNED = [data for _, data in played(initiator, accept, AuthLevel.INTEGRITY).chunks]
SEALED = played(initiator, accept)
SEGMENTS = conversation(SEALED.chunks[:12], largest=300)
FRAMES = [ethernet(one) for one in SEGMENTS]
DUMPED = b"".join(CLEAR[:8])
OBJECTS = [
    encode(THING),
    encode(a_class()),
    ArrayEncoder(lambda: b"G" * 16).encode([THING, THING]),
    reference(guids.IWbemServices, SERVICES_IPID),
    *REFERENCES,
    *BLOBS,
]
TOKENS = [
    *NTLM,
    *SPNEGO,
    b"\x60\x0d\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x01\x00",
    b"\x6e\x03\x30\x01\x00",
]
# A CREATE and its answer, a WRITE, a READ and its answer, as SMB 2 frames them.
_MESSAGES = [
    b"\xfeSMB"
    + bytes(8)
    + command.to_bytes(2, "little")
    + b"\0\0"
    + flags.to_bytes(4, "little")
    + bytes(4)
    + (7).to_bytes(8, "little")
    + bytes(32)
    + body
    for command, flags, body in (
        (
            5,
            0,
            bytes(44) + (120).to_bytes(2, "little") + (8).to_bytes(2, "little") + bytes(8) + b"s\0a\0m\0r\0",
        ),
        (5, 1, bytes(64) + b"F" * 16),
        (9, 0, b"\x31\0\x70\0\x20\0\0\0" + bytes(8) + b"F" * 16 + bytes(16) + CLEAR[0][:32]),
        (8, 0, bytes(16) + b"F" * 16),
        (8, 1, b"\x11\0\x50\0\x10\0\0\0" + bytes(8) + b"x" * 16),
    )
]
PIPED = [b"".join(len(one).to_bytes(4, "big") + one for one in _MESSAGES)]


def readable(records: object) -> None:
    for record in records:  # type: ignore[attr-defined]
        assert json.loads(json.dumps(record)) is not None
        for line in lines(record):
            assert "\n" not in line


def any_file(data: bytes) -> None:
    readable(decode(data, KEYS))


def any_pdu(data: bytes) -> None:
    """Amid a conversation, so that calls, contexts and handshakes are known."""
    association = Association(keys=KEYS)
    readable([association.pdu(CLEAR[0]), association.pdu(CLEAR[1]), association.pdu(data)])
    readable([association.pdu(data, data[24:])])


def any_object(data: bytes) -> None:
    readable([{"value": Printer().octets(data)}])


def any_token(data: bytes) -> None:
    readable([{"token": tokens.described(data)}])
    tokens.inner(data)


def any_pipe(data: bytes) -> None:
    pipes = Pipes()
    for message in _MESSAGES[:2]:
        pipes.message(message)
    pipes.message(data)


TARGETS: dict[str, tuple[list[bytes], Callable[[bytes], None]]] = {
    "captures": (
        [
            pcap(FRAMES),
            pcap(FRAMES, order=">", nano=True),
            pcapng(FRAMES),
            pcapng(FRAMES, order=">", resolution=9),
        ],
        any_file,
    ),
    "packets": (
        [pcap([frame]) for frame in FRAMES[:8]] + [pcap([ip(one)], 101) for one in SEGMENTS[:8]],
        any_file,
    ),
    "dumps": ([f(DUMPED).encode() for f in (xxd, hexdump, wireshark, bytes.hex)], any_file),
    "bytes": ([DUMPED, *OBJECTS, *TOKENS[:-1]], any_file),
    "PDUs": (CLEAR + SIGNED + [data for _, data in SEALED.chunks], any_pdu),
    "values": (OBJECTS, any_object),
    "tokens": (TOKENS, any_token),
    "pipes": (_MESSAGES, any_pipe),
    "SMB": ([pcap([ethernet(one) for one in conversation([(True, data)])]) for data in PIPED], any_file),
}


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("kind", TARGETS)
def test_mutants_become_records_or_are_refused(kind: str) -> None:
    corpus, take = TARGETS[kind]
    assert withstood(corpus, take, seed=len(kind)) > COUNT // 20


@pytest.mark.slow
def test_a_capture_cannot_make_it_keep_more_than_its_size() -> None:
    """Segments that never become a stream, connections that never end, fragments without a last one."""
    dice = random.Random(5)
    lonely = [
        one._replace(sequence=dice.randrange(1 << 32), payload=b"x" * 64)
        for one in SEGMENTS
        for _ in range(8)
    ]
    many = [one._replace(source=("192.0.2.9", port)) for port in range(600) for one in SEGMENTS[:1]]
    first = b"\5\0\0\1" + CLEAR[0][4:8] + (1424).to_bytes(2, "little") + bytes(6) + bytes(8) + b"y" * 1400
    endless = conversation([(True, first)] * 60)
    for some in (lonely, many, endless):
        data = pcap([ethernet(one) for one in some])
        tracemalloc.start()
        try:
            for _ in decode(data):
                pass
            assert tracemalloc.get_traced_memory()[1] < 3 * len(data) + (4 << 20)
        finally:
            tracemalloc.stop()


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_kerberos_tokens_raise_nothing_but_the_protocols_own_errors(kdc: Kdc) -> None:
    credential = kerberos.Credential.password(kdc.principal, kdc.password)
    keys = kerberos.ServiceKeys(kdc.keytab)

    def begun() -> tuple[kerberos.Initiator, kerberos.Acceptor, bytes, bytes]:
        client, acceptor = kerberos.Initiator(credential, "host/localhost"), kerberos.Acceptor(keys, str)
        opening = client.step(b"")
        return client, acceptor, opening, acceptor.step(opening)

    _, _, opening, answer = begun()
    framed = b"\x60\x82\x02\xaa\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x01\x00" + opening
    count = max(COUNT // 10, 200)
    for number, data in enumerate(mutants([opening, framed, answer], count, seed=11)):
        acceptor = kerberos.Acceptor(keys, str)
        try:
            acceptor.step(data)
        except RemoteProtocolError:
            pass
        assert not acceptor.complete
        if number % 10 == 0:  # the other two legs need a handshake each
            client, acceptor, _, _ = begun()
            for side in (client, acceptor):
                try:
                    side.step(data)
                except (RemoteProtocolError, LocalProtocolError):
                    pass
            assert not acceptor.complete


def test_the_corpus_is_what_it_seems() -> None:
    assert len(steps()) * 2 <= len(CLEAR)
    for corpus, take in TARGETS.values():
        for data in corpus:
            take(data)
