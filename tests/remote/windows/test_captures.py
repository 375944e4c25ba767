"""Real Windows servers, played back: the client's end of the protocol asks what the captured client asked, and takes
every answer of the captured server, byte for byte. What was sealed with keys that nobody has passes sealed."""

from __future__ import annotations

from collections import defaultdict, deque
from pathlib import Path
from typing import Any

import pytest
from tests.wire.captures import conversations

from openwmi.wire.dcom import activation, exporter, guids, remunknown
from openwmi.wire.rpc import ClientConnection, Limits, SyntaxId, events
from openwmi.wire.rpc.binding import Auth3, Bind, BindAck, BindNak
from openwmi.wire.rpc.calls import Request, Response
from openwmi.wire.rpc.constants import FIRST, LAST
from openwmi.wire.rpc.frame import Frame
from openwmi.wire.rpc.pdus import Pdu, decode
from openwmi.wire.wmi import guids as wmi
from openwmi.wire.wmi import login

FOLDER = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "pcap"
FILES = sorted(FOLDER.rglob("*.*cap*"))
Talk = list[tuple[bool, Frame, Pdu]]

METHODS: dict[tuple[SyntaxId, int], Any] = {
    **{(guids.IObjectExporter, one.opnum): one for one in exporter.METHODS},
    **{(guids.IRemUnknown, one.opnum): one for one in remunknown.METHODS},
    **{(guids.IRemUnknown2, one.opnum): one for one in remunknown.METHODS},
    (guids.IRemoteSCMActivator, 4): activation.REMOTE_CREATE_INSTANCE,
    (wmi.IWbemLevel1Login, 3): login.ESTABLISH_POSITION,
    (wmi.IWbemLevel1Login, 6): login.NTLM_LOGIN,
    (wmi.IWbemLoginClientID, 3): login.SET_CLIENT_INFO,
}


@pytest.fixture(scope="module", autouse=True)
def _here(shared_data: Path) -> None:
    """Skips where the captures are not."""


class Overheard:
    """A security context that says what the captured client said. It has no keys: nothing is checked or opened."""

    identity = None

    def __init__(self, auth_type: int, ours: list[bytes], theirs: int, size: int) -> None:
        self.auth_type = auth_type
        self._ours = deque(ours)
        self._due = theirs
        self._size = size
        self._begun = False

    @property
    def complete(self) -> bool:
        return self._begun and self._due <= 0

    def step(self, token: bytes) -> bytes:
        if self._begun:
            self._due -= 1
        self._begun = True
        return self._ours.popleft() if self._ours else b""

    def token_size(self, *, seal: bool) -> int:
        return self._size

    def wrap(
        self, head: bytes, stub: bytes, end: bytes, *, seal: bool, sign_head: bool
    ) -> tuple[bytes, bytes]:
        return stub, bytes(self._size)

    def unwrap(
        self, head: bytes, stub: bytes, end: bytes, token: bytes, *, sealed: bool, sign_head: bool
    ) -> bytes:
        return stub


def overheard(talk: Talk) -> dict[int, Overheard]:
    """The security contexts of a conversation, by number."""
    ours: dict[int, list[bytes]] = defaultdict(list)
    theirs: dict[int, int] = defaultdict(int)
    kinds: dict[int, int] = {}
    sizes: dict[int, int] = {}
    for up, frame, pdu in talk:
        if frame.verifier is None:
            continue
        number = frame.verifier.context_id
        if isinstance(pdu, Bind | Auth3):
            ours[number].append(frame.verifier.token)
            kinds[number] = frame.verifier.auth_type
        elif isinstance(pdu, BindAck):
            theirs[number] += 1
        elif up:
            sizes[number] = len(frame.verifier.token)
    return {
        number: Overheard(kinds[number], ours[number], theirs[number], sizes.get(number, 16))
        for number in kinds
    }


class Playback:
    """The captured client's part, taken by `wire.rpc.ClientConnection`. stubs: (interface, opnum, stub, whether in the
    clear) of each answer."""

    def __init__(self, talk: Talk) -> None:
        self.talk = talk
        self.client = ClientConnection(Limits(fragment=0xFFFF))
        self.contexts = overheard(talk)
        self.begun: set[int] = set()
        self.interfaces: dict[int, SyntaxId] = {}
        self.asked: dict[int, tuple[SyntaxId, int, bool]] = {}
        self.partial: dict[int, bytes] = {}
        self.answers: list[tuple[SyntaxId, int, bytes, bool]] = []
        self.faults = 0

    def run(self) -> Playback:
        for up, frame, pdu in self.talk:
            if up:
                self.says(frame, pdu)
            else:
                self.hears(frame)
        return self

    def says(self, frame: Frame, pdu: Pdu) -> None:
        """Do what leads to the captured client's PDU."""
        client = self.client
        if isinstance(pdu, Bind):
            self.interfaces |= {one.context_id: one.abstract for one in pdu.elements}
            if client._asked is not None:
                return  # the next leg of a handshake, which the client has sent by itself
            verifier = frame.verifier
            fresh = verifier is not None and verifier.context_id not in self.begun
            client._last_call = frame.call_id - 1
            client._offer = 3 if any(one.transfers[0].features for one in pdu.elements) else 0
            if verifier is not None and fresh:
                self.begun.add(verifier.context_id)
                context, level, number = (
                    self.contexts[verifier.context_id],
                    verifier.level,
                    verifier.context_id,
                )
                client._ask(pdu.elements, context, level, number, alter=pdu.alter)
            else:
                client._ask(pdu.elements, None, 0, 1, alter=pdu.alter)
        elif isinstance(pdu, Request):
            self.requests(frame, pdu)

    def requests(self, frame: Frame, pdu: Request) -> None:
        verifier = frame.verifier
        stub = frame.data[pdu.stub_start : frame.body_end - (verifier.pad if verifier else 0)]
        stub = self.partial.pop(frame.call_id, b"") + stub
        if not frame.flags & LAST:
            self.partial[frame.call_id] = stub
            return
        self.client._last_call = frame.call_id - 1
        number = verifier.context_id if verifier is not None and verifier.level > 2 else None
        current, self.client._current = self.client._current, None
        made = self.client.request(pdu.context_id, pdu.opnum, stub, object_id=pdu.object, security_id=number)
        self.client._current = current
        assert made == frame.call_id
        clear = verifier is None or verifier.level < 6
        self.asked[made] = (self.interfaces[pdu.context_id], pdu.opnum, clear)

    def hears(self, frame: Frame) -> None:
        self.client.take()
        for event in self.client.receive(frame.data):
            assert not isinstance(event, events.Broken | events.Refused), event
            if isinstance(event, events.ResponseReceived):
                interface, opnum, clear = self.asked.pop(event.call_id)
                self.answers.append((interface, opnum, event.stub, clear))
            elif isinstance(event, events.FaultReceived):
                self.faults += 1


def playable(path: Path) -> list[Talk]:
    """Conversations that were captured from their beginning, and whole; a new bind begins a new one."""
    found: list[Talk] = []
    for pieces in conversations(path):
        talks: list[Talk] = []
        for up, data in pieces:
            frame, pdu = decode(data)
            if isinstance(pdu, Bind) and not pdu.alter:
                talks.append([])
            if talks:
                talks[-1].append((up, frame, pdu))
        found += [talk for talk in talks if in_order(talk)]
    return found


def in_order(talk: Talk) -> bool:
    """Whether every answer follows its question."""
    open_calls: set[tuple[int, bool]] = set()
    for up, frame, pdu in talk:
        key = (frame.call_id, isinstance(pdu, Bind | BindAck | BindNak))
        if up:
            open_calls.add(key)
        elif key not in open_calls:
            return False
        elif frame.flags & LAST:
            open_calls.discard(key)
    return True


def expected(talk: Talk) -> list[bytes]:
    """The stubs of the captured answers."""
    stubs: dict[int, bytes] = {}
    whole = []
    for up, frame, pdu in talk:
        if not up and isinstance(pdu, Response):
            pad = frame.verifier.pad if frame.verifier else 0
            part = frame.data[pdu.stub_start : frame.body_end - pad]
            stubs[frame.call_id] = part if frame.flags & FIRST else stubs[frame.call_id] + part
            if frame.flags & LAST:
                whole.append(stubs[frame.call_id])
    return whole


# What begins in the middle, or has a gap, cannot be played.
UNPLAYABLE = {"LM_dcom_mmc20.application_dcerpc.pcapng", "dce-gap-handling.pcap"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem[:40])
def test_the_client_takes_every_answer_of_a_captured_server(path: Path) -> None:
    talks = playable(path)
    assert bool(talks) != (path.name in UNPLAYABLE)
    for talk in talks:
        played = Playback(talk).run()
        assert [stub for _, _, stub, _ in played.answers] == expected(talk)
        for interface, opnum, stub, clear in played.answers:
            method = METHODS.get((interface, opnum))
            if method is not None and clear:
                method.answered(stub)


def test_what_of_it_is_dcom_and_wmi() -> None:
    """Real servers' activations, log-ons, interfaces asked for and references released are among what was read."""
    read = {
        METHODS[interface, opnum].name
        for path in FILES
        for talk in playable(path)
        for interface, opnum, _, clear in Playback(talk).run().answers
        if clear and (interface, opnum) in METHODS
    }
    assert {
        "ServerAlive2",
        "RemoteCreateInstance",
        "RemQueryInterface",
        "SetClientInfo",
        "EstablishPosition",
        "NTLMLogin",
    } <= read
