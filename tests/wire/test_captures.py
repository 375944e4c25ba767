"""Real Windows traffic: every PDU decodes, what is made again is what was read, what has its key opens."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path

import pytest
from tests.wire.captures import conversations
from tests.wire.peers import NAMES

from openwmi.wire.errors import PeerMisbehaved
from openwmi.wire.ntlm import Acceptor, nt_hash
from openwmi.wire.ntlm.messages import Challenge
from openwmi.wire.rpc.binding import Bind, BindAck, BindNak
from openwmi.wire.rpc.calls import Fault, Request, Response
from openwmi.wire.rpc.constants import FIRST, OBJECT, PduType
from openwmi.wire.rpc.frame import Frame, Verifier
from openwmi.wire.rpc.pdus import Pdu, decode
from openwmi.wire.rpc.security import Security

FOLDER = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "pcap"
FILES = sorted(FOLDER.rglob("*.*cap*"))
by_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem[:40])
# What the index counts and the file does not hold whole.
INCOMPLETE = {"CA_masterkey_rpc_protectedstorage.pcapng": {PduType.BIND: 1}}


@pytest.fixture(scope="module", autouse=True)
def _here(shared_data: Path) -> None:
    """Skips where the captures are not."""


def pdus(path: Path) -> list[list[tuple[bool, Frame, Pdu]]]:
    return [[(up, *decode(data)) for up, data in talk] for talk in conversations(path)]


@by_file
def test_every_pdu_decodes(path: Path) -> None:
    index = {Path(row["file"]).name: row for row in json.loads((FOLDER / "index.json").read_text())}
    expected = Counter({PduType(int(kind)): n for kind, n in index[path.name]["pdu_types"].items()})
    expected -= Counter(INCOMPLETE.get(path.name, {}))
    assert Counter(frame.kind for talk in pdus(path) for _, frame, _ in talk) == expected


def again(frame: Frame, pdu: Pdu) -> bytes:
    if isinstance(pdu, Bind | BindAck):
        return pdu.encode(frame.call_id, frame.verifier, frame.flags)
    assert isinstance(pdu, Request | Response | Fault)
    size = len(frame.verifier.token) if frame.verifier else 0
    return pdu.head(frame.flags, len(frame.data), size, frame.call_id, pdu.alloc_hint)


@by_file
def test_what_is_made_again_is_what_was_read(path: Path) -> None:
    for talk in pdus(path):
        for _, frame, pdu in talk:
            if isinstance(pdu, Request | Response | Fault):
                assert again(frame, pdu) == frame.data[: pdu.stub_start]
            elif isinstance(pdu, Bind | BindAck):
                # Pad bytes are each sender's own.
                made, made_pdu = decode(again(frame, pdu))
                assert made_pdu == pdu
                if frame.verifier is None or not frame.verifier.pad:
                    assert len(made.data) == len(frame.data) or not pdu_address(pdu)
            elif isinstance(pdu, BindNak):
                assert decode(pdu.encode(frame.call_id))[1] == pdu


def pdu_address(pdu: Pdu) -> str:
    return pdu.address if isinstance(pdu, BindAck) else "-"


def handshake(talk: list[tuple[bool, Frame, Pdu]], domain: str, user: str, password: str) -> Acceptor:
    """The server's context after a captured handshake, from the account's password alone."""
    tokens = [
        frame.verifier.token
        for _, frame, _ in talk
        if frame.verifier
        and frame.verifier.token.startswith(b"NTLMSSP")
        and frame.verifier.token[8] in (1, 2, 3)
    ]
    opening, challenge, answer = tokens[:3]
    asked = Challenge.decode(challenge)

    def accounts(of: str, who: str) -> tuple[str, bytes] | None:
        return (who, nt_hash(password)) if (of.upper(), who) == (domain, user) else None

    server = Acceptor(accounts, NAMES, asked.challenge, filetime=0)
    server._opening, server._asked, server._flags = opening, challenge, asked.flags
    server.step(answer)
    return server


def opened(
    context: object, level: int, talk: list[tuple[bool, Frame, Pdu]], *, up: bool
) -> list[tuple[Frame, Pdu, bytes]]:
    """The stubs of one direction, checked and in the clear."""
    found = []
    for way, frame, pdu in talk:
        if way is up and isinstance(pdu, Request | Response) and frame.verifier:
            security = Security(frame.verifier.context_id, level, context)  # type: ignore[arg-type]
            found.append((frame, pdu, security.unprotect(frame, pdu.stub_start)))
    return found


def test_a_sealed_conversation_opens_with_the_password() -> None:
    path = FOLDER / "dcerpc-keyed" / "dcerpc_privacy_ntlm.pcapng"
    facts = json.loads((FOLDER / "dcerpc-keyed" / "vectors.json").read_text())[path.name]
    (talk,) = [talk for talk in pdus(path) if any(frame.kind is PduType.AUTH3 for _, frame, _ in talk)]
    server = handshake(talk, facts["domain"], facts["user"], facts["password"])
    requests = opened(server, 6, talk, up=True)
    assert bytes.fromhex("8ae3137102f43671") in requests[0][2]  # the verification trailer
    # The other direction is what a client unseals: the same session, seen from there.
    session = server.session
    session._in, session._out = session._out, session._in
    answers = opened(server, 6, talk, up=False)
    # Windows sends its faults bare, whatever the level.
    faults = [(pdu.status, frame.verifier) for _, frame, pdu in talk if isinstance(pdu, Fault)]
    assert faults == [(0x1C010002, None)]
    stub = b""
    for frame, pdu, part in answers:
        if isinstance(pdu, Response):
            stub = part if frame.flags & FIRST else stub + part
    assert len(stub) == 33592
    digest = "c0b5de1c305c02041c7f05ccded701a57b9137b4ffc7a4d189cd1c51a1273321"
    assert hashlib.sha256(stub).hexdigest() == digest


def test_attribute_lists_that_windows_would_not_send() -> None:
    for name in ("ntlm-empty-av-sequence.pcap", "ntlm-unterminated-av-sequence.pcap"):
        (talk,) = pdus(FOLDER / "dcerpc" / name)
        verifier = talk[1][1].verifier
        assert isinstance(verifier, Verifier)
        with pytest.raises(PeerMisbehaved):
            Challenge.decode(verifier.token).pairs()


def test_object_uuids_are_where_the_flag_says() -> None:
    talks = [talk for path in FOLDER.rglob("covenant*") for talk in pdus(path)]
    requests = [(frame, pdu) for talk in talks for _, frame, pdu in talk if isinstance(pdu, Request)]
    assert any(pdu.object for _, pdu in requests)
    assert all((pdu.object is not None) == bool(frame.flags & OBJECT) for frame, pdu in requests)
