"""An association as a playbook: what one side asks, what both sides hear."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest
from tests.wire.peers import ALPHA, BETA, SMALL, UNKNOWN, Pair, initiator, server

from openwmi.wire import errors
from openwmi.wire.rpc import NDR20, NDR64, AssociationGroups, AuthLevel, AuthType, ClientConnection, Limits
from openwmi.wire.rpc import events as e
from openwmi.wire.rpc.binding import Auth3, Bind, BindAck, BindNak, Element
from openwmi.wire.rpc.calls import Bare, Fault, Request
from openwmi.wire.rpc.constants import CONCURRENT, FIRST, LAST, MAYBE, WHOLE, PduType
from openwmi.wire.rpc.frame import Verifier, fragment_length
from openwmi.wire.rpc.machine import State
from openwmi.wire.rpc.pdus import decode
from openwmi.wire.rpc.syntax import NO_SYNTAX, SyntaxId, features

LEVELS = [None, AuthLevel.CONNECT, AuthLevel.CALL, AuthLevel.INTEGRITY, AuthLevel.PRIVACY]


def bind(*elements: Element, size: int = 4280, group: int = 0, alter: bool = False) -> Bind:
    return Bind(size, size, group, elements, alter)


def request(stub: bytes, call_id: int = 2, flags: int = WHOLE, context_id: int = 0) -> bytes:
    return Request(context_id, 3).head(flags, 24 + len(stub), 0, call_id, 0) + stub


def last_pdu(data: bytes):
    position = 0
    while position + (length := fragment_length(data, position) or 0) < len(data):
        position += length
    return decode(data[position:])


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("size", [0, 1, 15, 16, 1400, 5000, 100_000])
def test_a_call_and_its_answer(level: int | None, size: int) -> None:
    pair = Pair(ClientConnection(SMALL)).bound(level)
    pair.events()
    target = UUID(int=7)
    call = pair.client.request(1, 9, b"q" * size, object_id=target)
    pair.run()
    asked = pair.events()[1][0]
    assert (asked.call_id, asked.context_id, asked.interface, asked.opnum) == (call, 1, BETA, 9)
    assert (asked.object, asked.stub) == (target, b"q" * size)
    assert asked.identity == (None if level is None else "ada")
    assert asked.level == {None: AuthLevel.NONE, AuthLevel.CALL: AuthLevel.PACKET}.get(level, level)
    pair.server.respond(call, b"a" * size)
    pair.run()
    assert pair.events()[0] == [e.ResponseReceived(call, b"a" * size)]


def test_bytes_may_come_one_by_one() -> None:
    pair = Pair()
    pair.client.bind([(0, ALPHA)])
    heard = [event for byte in pair.client.take() for event in pair.server.receive(bytes([byte]))]
    assert [type(event) for event in heard] == [e.Bound]


def test_the_bind_ack_says_what_both_may_send() -> None:
    serving = server()
    serving.receive(bind(Element(0, ALPHA, (NDR20,)), size=4280).encode(1, flags=WHOLE | CONCURRENT))
    frame, ack = decode(serving.take())
    assert isinstance(ack, BindAck)
    assert (ack.max_transmit, ack.max_receive, ack.group, ack.address) == (4280, 4280, 77, "135")
    assert frame.flags == WHOLE | CONCURRENT
    assert frame.call_id == 1


def test_every_element_gets_its_answer_in_its_place() -> None:
    serving = server()
    serving.receive(
        bind(
            Element(0, ALPHA, (NDR64, NDR20)),
            Element(1, ALPHA, (NDR64,)),
            Element(2, UNKNOWN, (NDR20,)),
            Element(0, ALPHA, (features(3),)),
            Element(3, BETA, (NDR20,)),
        ).encode(1)
    )
    _, ack = decode(serving.take())
    assert isinstance(ack, BindAck)
    assert [(a.result, a.reason, a.transfer) for a in ack.answers] == [
        (0, 0, NDR20),
        (2, 2, NO_SYNTAX),
        (2, 1, NO_SYNTAX),
        (3, 3, NO_SYNTAX),
        (0, 0, NDR20),
    ]
    assert serving.presentations == {0: ALPHA, 3: BETA}


def test_features_are_granted_and_make_no_context() -> None:
    pair = Pair(ClientConnection(offer=3)).bound()
    assert pair.client.features == 3
    assert set(pair.client.presentations) == set(pair.server.presentations) == {0, 1}


def test_an_alter_context_adds_interfaces_without_a_verifier() -> None:
    pair = Pair()
    pair.client.bind([(0, ALPHA)], initiator())
    pair.run()
    pair.client.alter([(5, BETA), (6, UNKNOWN)])
    pair.run()
    bound = pair.events()[0][-1]
    assert bound == e.Bound({5: BETA}, {6: (2, 1)}, alter=True, call_id=2)
    call = pair.client.request(5, 3, b"under the old security context")
    pair.run()
    assert pair.events()[1][-1].level == AuthLevel.PRIVACY
    pair.server.respond(call, b"")
    pair.run()
    assert pair.events()[0] == [e.ResponseReceived(call, b"")]


def test_several_security_contexts_each_with_its_own_keys_and_numbers() -> None:
    """What impacket does at every change of interface (wire.md 1.1)."""
    pair = Pair().bound(AuthLevel.PRIVACY, security_id=79231)
    for number in range(79232, 79236):
        pair.client.alter([(number & 0xFF, BETA)], initiator(), level=AuthLevel.INTEGRITY, security_id=number)
        pair.run()
    pair.events()
    for number in (79231, 79235, 79232, 79231, 79235):
        call = pair.client.request(0, 3, b"x", security_id=number)
        pair.run()
        pair.server.respond(call, b"y")
        pair.run()
    heard, asked = pair.events()
    assert [event.stub for event in heard] == [b"y"] * 5
    assert [event.level for event in asked] == [6, 5, 5, 6, 5]
    assert len(pair.server.securities) == 5


def test_a_wrong_password_is_told_at_the_first_request() -> None:
    pair = Pair().bound(AuthLevel.PRIVACY, context=initiator("wrong"))
    refused = pair.events()[1][-1]
    assert isinstance(refused, e.AuthenticationRefused)
    assert isinstance(refused.error, errors.AuthenticationFailed)
    call = pair.client.request(0, 3, b"x" * 9000)
    pair.run()
    heard, asked = pair.events()
    assert heard == [e.FaultReceived(call, errors.ACCESS_DENIED, executed=False, protected=False)]
    assert asked == []
    assert not pair.server.closed


def test_a_failed_handshake_cannot_be_tried_again() -> None:
    pair = Pair()
    pair.bound(AuthLevel.PRIVACY, context=initiator("wrong"), security_id=4)
    right = initiator()
    right.step(b"")
    pair.server.receive(Auth3().encode(3, Verifier(10, 6, 4, b"NTLMSSP\0\3\0\0\0" + bytes(80))))
    assert pair.server.securities[4].failed


@pytest.mark.parametrize("level", [0, 7, 1])
def test_a_bind_without_a_known_provider_or_level_is_refused(level: int) -> None:
    for auth_type in (AuthType.NTLM, 68):
        serving = server()
        token = initiator().step(b"")
        verifier = Verifier(auth_type, level if auth_type == AuthType.NTLM else 6, 1, token)
        heard = serving.receive(bind(Element(0, ALPHA, (NDR20,))).encode(1, verifier))
        assert isinstance(heard[0], e.AuthenticationRefused)
        _, nak = decode(serving.take())
        assert nak == BindNak(8)
        assert serving.closed


def test_a_nak_reaches_the_client() -> None:
    pair = Pair(serving=server(accept=lambda *_: None)).bound(AuthLevel.PRIVACY)
    assert pair.events()[0] == [e.Refused(8, call_id=1)]
    assert pair.client.closed


def test_a_refused_alter_context_leaves_the_rest_alone() -> None:
    offered = [True]
    pair = Pair(serving=server(accept=lambda *_: None)).bound()
    assert offered
    pair.client.alter([(4, BETA)], initiator(), security_id=3)
    pair.run()
    assert pair.events()[0][-1] == e.Refused(errors.ACCESS_DENIED, alter=True, call_id=2)
    call = pair.client.request(0, 1, b"still here")
    pair.run()
    assert pair.events()[1][-1].call_id == call


def test_answers_may_come_in_any_order_when_both_multiplex() -> None:
    pair = Pair().bound(AuthLevel.PRIVACY)
    calls = [pair.client.request(0, 3, b"%d" % number * 3000) for number in range(5)]
    pair.run()
    for call in reversed(calls):
        pair.server.respond(call, b"%d" % call * 7000)
    pair.run()
    answers = [event for event in pair.events()[0] if isinstance(event, e.ResponseReceived)]
    assert [event.call_id for event in answers] == calls[::-1]
    assert all(event.stub == b"%d" % event.call_id * 7000 for event in answers)


def test_one_call_at_a_time_without_multiplexing() -> None:
    pair = Pair(serving=server(multiplex=False)).bound()
    pair.client.request(0, 3, b"")
    with pytest.raises(errors.LocalProtocolError):
        pair.client.request(0, 3, b"")


@pytest.mark.parametrize("level", [None, AuthLevel.PRIVACY])
def test_faults(level: int | None) -> None:
    pair = Pair().bound(level)
    pair.events()
    call = pair.client.request(0, 99, b"x")
    pair.run()
    pair.server.fault(call, errors.OPNUM_OUT_OF_RANGE, executed=False)
    pair.run()
    assert pair.events()[0] == [
        e.FaultReceived(call, errors.OPNUM_OUT_OF_RANGE, executed=False, protected=False)
    ]


def test_a_fault_under_a_signature_moves_the_keys() -> None:
    pair = Pair().bound(AuthLevel.PRIVACY)
    first, second = pair.client.request(0, 3, b"1"), pair.client.request(0, 3, b"2")
    pair.run()
    pair.events()
    fault = Fault(0, 1717)
    pair.server._send_call(PduType.FAULT, fault, first, b"", pair.server.securities[1])
    pair.server.respond(second, b"fine")
    pair.run()
    assert pair.events()[0] == [
        e.FaultReceived(first, 1717, executed=True, protected=True),
        e.ResponseReceived(second, b"fine"),
    ]


def test_cancel_asks_and_orphan_gives_up() -> None:
    pair = Pair().bound(AuthLevel.PRIVACY)
    first, second = pair.client.request(0, 3, b"1"), pair.client.request(0, 3, b"2")
    pair.run()
    pair.events()
    pair.client.cancel(first)
    pair.client.orphan(second)
    pair.run()
    assert pair.events()[1] == [e.CallCancelled(first), e.CallOrphaned(second)]
    pair.server.respond(second, b"too late")
    pair.server.respond(first, b"here")
    pair.run()
    assert pair.events()[0] == [e.ResponseReceived(first, b"here")]


def test_the_answer_to_an_orphan_on_its_way_still_moves_the_keys() -> None:
    pair = Pair().bound(AuthLevel.PRIVACY)
    first = pair.client.request(0, 3, b"1")
    pair.run()
    pair.server.respond(first, b"crossing")
    pair.client.orphan(first)
    second = pair.client.request(0, 3, b"2")
    pair.run()
    pair.server.respond(second, b"fine")
    pair.run()
    assert pair.events()[0][-1] == e.ResponseReceived(second, b"fine")


def test_a_call_that_wants_no_answer_is_not_kept() -> None:
    pair = Pair().bound()
    heard = pair.server.receive(request(b"", flags=WHOLE | MAYBE))
    assert heard[0].maybe
    assert pair.server.calls == 0


def test_shutdown() -> None:
    pair = Pair().bound()
    pair.events()
    pair.server.shutdown()
    pair.run()
    assert pair.events()[0] == [e.ShutdownReceived()]


def test_groups_are_joined_by_number_and_end_with_their_last_connection() -> None:
    groups = AssociationGroups(start=5, limit=2)
    first = Pair(serving=server(groups=groups)).bound()
    second = Pair(ClientConnection(group=first.client.group), server(groups=groups)).bound()
    assert first.client.group == second.client.group == 5
    third = Pair(ClientConnection(group=99), server(groups=groups)).bound()
    assert isinstance(third.events()[0][0], e.Refused)
    first.server.close()
    assert len(groups) == 1
    second.server.close()
    assert len(groups) == 0
    assert [groups.join(0), groups.join(0), groups.join(0)] == [6, 7, None]


# Rules that a peer may break -------------------------------------------------------------------------------------


def broken(serving, data: bytes) -> errors.RemoteProtocolError:
    heard = serving.receive(data)
    assert isinstance(heard[-1], e.Broken)
    assert serving.machine.state is State.CLOSED
    assert serving.receive(data) == []
    return heard[-1].error


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ("04000b03100000001c000000", errors.PeerIncompatible),
        ("05020b03100000001c000000", errors.PeerIncompatible),
        ("05000b03000000001c000000", errors.PeerIncompatible),
        ("05000b03100000000f000000", errors.PeerMisbehaved),
        ("050063031000000010000000", errors.PeerMisbehaved),
        ("05000b031000000010000100", errors.PeerMisbehaved),
        ("05000003100000001c000000", errors.PeerMisbehaved),
    ],
)
def test_bad_headers(header: str, kind: type[Exception]) -> None:
    assert isinstance(broken(server(), bytes.fromhex(header) + bytes(16)), kind)


def test_a_second_bind_is_refused_while_a_call_is_under_way() -> None:
    for fragment in (request(b"x"), request(b"x", flags=FIRST)):
        pair = Pair().bound()
        pair.server.receive(fragment)
        broken(pair.server, bind(Element(0, ALPHA, (NDR20,))).encode(9))
        assert decode(pair.server.take())[1] == BindNak(0)


def test_a_second_bind_between_calls_begins_anew() -> None:
    """impacket sends one for each activation; nothing of what was agreed and proven before goes on."""
    groups = AssociationGroups()
    pair = Pair(serving=server(groups=groups)).bound(AuthLevel.PRIVACY)
    assert (len(pair.server.presentations), len(pair.server.securities)) == (2, 1)
    pair.server.receive(bind(Element(5, ALPHA, (NDR20,)), group=pair.server.group).encode(9))
    assert isinstance(decode(pair.server.take())[1], BindAck)
    assert (list(pair.server.presentations), pair.server.securities) == ([5], {})
    assert len(groups) == 1
    assert pair.server.receive(request(b"x", context_id=0)) == []
    fault = decode(pair.server.take())[1]
    assert isinstance(fault, Fault)
    assert fault.status == errors.INVALID_PRESENTATION_CONTEXT
    pair.server.close()
    assert len(groups) == 0


@pytest.mark.parametrize(
    "fragments",
    [
        [request(b"x", flags=LAST)],
        [request(b"x", flags=FIRST), request(b"x", flags=FIRST)],
        [request(b"x", flags=FIRST), request(b"y", call_id=3)],
        [request(b"x", flags=FIRST), request(b"", flags=0)],
        [request(b"x", flags=FIRST), request(b"y", flags=LAST, context_id=1)],
        [request(b"x"), request(b"y")],
        [request(b"x" * 6000)],
        [request(b"x" * 1000, flags=FIRST), *[request(b"x" * 1000, flags=0)] * 5],
    ],
    ids=["late", "twice", "interleaved", "empty", "contradiction", "reused", "oversized", "endless"],
)
def test_fragments_that_make_no_call(fragments: list[bytes]) -> None:
    pair = Pair(serving=server(limits=Limits(call=4000))).bound()
    assert isinstance(broken(pair.server, b"".join(fragments)), errors.PeerMisbehaved)


def test_a_forged_request_ends_the_connection_with_access_denied() -> None:
    pair = Pair().bound(AuthLevel.INTEGRITY)
    pair.client.request(0, 3, b"transfer 10")
    data = pair.client.take().replace(b"transfer 10", b"transfer 99")
    assert isinstance(broken(pair.server, data), errors.AuthenticationFailed)
    assert last_pdu(pair.server.take())[1].status == errors.ACCESS_DENIED


def test_a_forged_answer_is_noticed() -> None:
    pair = Pair().bound(AuthLevel.INTEGRITY)
    call = pair.client.request(0, 3, b"balance?")
    pair.run()
    pair.server.respond(call, b"balance 10")
    assert isinstance(
        broken(pair.client, pair.server.take().replace(b"balance 10", b"balance 99")),
        errors.AuthenticationFailed,
    )


def test_an_answer_without_its_signature_is_noticed() -> None:
    pair = Pair().bound(AuthLevel.PRIVACY)
    call = pair.client.request(0, 3, b"")
    pair.run()
    pair.server._calls[call] = (pair.server._calls[call][0], None)
    pair.server.respond(call, b"bare")
    assert isinstance(broken(pair.client, pair.server.take()), errors.AuthenticationFailed)


def test_a_request_in_the_clear_is_nobodys() -> None:
    pair = Pair().bound(AuthLevel.PRIVACY)
    pair.events()
    (asked,) = pair.server.receive(request(b"x", call_id=40))
    assert (asked.level, asked.identity) == (AuthLevel.NONE, None)


def test_a_lower_level_than_agreed_is_refused() -> None:
    pair = Pair().bound(AuthLevel.PRIVACY)
    pair.client.securities[1].level = AuthLevel.INTEGRITY
    pair.client.request(0, 3, b"x")
    assert isinstance(broken(pair.server, pair.client.take()), errors.AuthenticationFailed)


@pytest.mark.parametrize("level", [None, AuthLevel.PRIVACY])
def test_an_unknown_presentation_context_is_a_fault(level: int | None) -> None:
    pair = Pair().bound(level)
    pair.client.presentations[9] = ALPHA
    call = pair.client.request(9, 3, b"x" * 9000)
    following = pair.client.request(0, 3, b"y")
    pair.run()
    heard, asked = pair.events()
    assert heard[-1].status == errors.INVALID_PRESENTATION_CONTEXT
    assert heard[-1].call_id == call
    assert asked[-1].call_id == following


def test_an_unknown_security_context_is_a_fault() -> None:
    pair = Pair().bound(AuthLevel.PRIVACY)
    pair.events()
    pair.client.securities[1].context_id = 999
    call = pair.client.request(0, 3, b"x")
    pair.run()
    assert pair.events()[0] == [e.FaultReceived(call, errors.ACCESS_DENIED, executed=False, protected=False)]


def test_too_many_calls_are_told_so() -> None:
    pair = Pair(serving=server(limits=Limits(calls=2))).bound(AuthLevel.PRIVACY)
    pair.events()
    for _ in range(3):
        pair.client.request(0, 3, b"")
    pair.run()
    heard, asked = pair.events()
    assert len(asked) == 2
    assert [event.status for event in heard] == [errors.SERVER_TOO_BUSY]


def test_too_many_contexts_are_refused_one_by_one() -> None:
    pair = Pair(serving=server(limits=Limits(presentations=3, securities=1))).bound(AuthLevel.PRIVACY)
    pair.client.alter([(7, ALPHA), (8, BETA)])
    pair.run()
    assert pair.events()[0][-1].rejected == {8: (2, 3)}
    pair.client.alter([(7, ALPHA)], initiator(), security_id=2)
    pair.run()
    assert isinstance(pair.events()[0][-1], e.Refused)


def test_fragments_too_small_to_work_with_are_refused() -> None:
    serving = server()
    serving.receive(bind(Element(0, ALPHA, (NDR20,)), size=100).encode(1))
    assert decode(serving.take())[1] == BindNak(2)


@pytest.mark.parametrize(
    "answer",
    [
        BindAck(100, 100, 1, "", ()),
        BindAck(5840, 9999, 1, "", ()),
        BindAck(5840, 5840, 1, "", ()),
    ],
)
def test_a_bind_ack_that_does_not_answer_the_bind(answer: BindAck) -> None:
    client = ClientConnection()
    client.bind([(0, ALPHA)])
    assert isinstance(broken(client, answer.encode(1)), errors.PeerMisbehaved)


def test_a_transfer_syntax_that_nobody_offered() -> None:
    pair = Pair()
    pair.client.bind([(0, ALPHA)])
    pair.server.receive(pair.client.take())
    _, ack = decode(pair.server.take())
    assert isinstance(ack, BindAck)
    changed = replace(ack, answers=(replace(ack.answers[0], transfer=NDR64),))
    assert isinstance(broken(pair.client, changed.encode(1)), errors.PeerMisbehaved)


@pytest.mark.parametrize("kind", [PduType.SHUTDOWN, PduType.CANCEL, PduType.ORPHANED])
def test_pdus_out_of_turn(kind: PduType) -> None:
    assert isinstance(broken(server(), Bare(kind).encode(1)), errors.PeerMisbehaved)
    assert isinstance(broken(ClientConnection(), Bare(kind).encode(1)), errors.PeerMisbehaved)


def test_calls_out_of_turn_are_our_own_mistake() -> None:
    client = ClientConnection()
    with pytest.raises(errors.LocalProtocolError):
        client.request(0, 3, b"")
    client.bind([(0, ALPHA)])
    with pytest.raises(errors.LocalProtocolError):
        client.bind([(0, ALPHA)])
    with pytest.raises(errors.LocalProtocolError):
        ClientConnection(Limits(fragment=100))


def test_impackets_bind_is_taken_as_it_is() -> None:
    """Flags 0x03, 4280, one context, 0xFF pads, level 6 (wire.md 1.1)."""
    token = initiator().step(b"")
    data = bytearray(
        bind(Element(0, ALPHA, (NDR20,))).encode(1, Verifier(AuthType.NTLM, 6, 79231, token), flags=WHOLE)
    )
    serving = server()
    serving.receive(bytes(data))
    frame, ack = decode(serving.take())
    assert frame.flags == WHOLE
    assert frame.verifier is not None
    assert (frame.verifier.context_id, frame.verifier.level) == (79231, 6)
    assert isinstance(ack, BindAck)
    assert ack.max_receive == 4280


def test_syntaxes() -> None:
    assert features(1).features == 1
    assert NDR20.features is None
    assert SyntaxId(UUID("6cb71c2c-9812-4540-0300-000000000000"), 1) == features(3)
