"""Misbehaviours on the way in: connection, bind, handshake, activation, log-on. Each name says what the server does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.remote.hostile.stage import answers, cuts, ends_in, pulls, twists
from tests.remote.memory import NAMES, NOW
from tests.remote.windows.host import EXPORTER_PORT, Station
from tests.remote.windows.wmi import WmiHost

from openwmi.wire.dcom import activation, guids, objref
from openwmi.wire.dcom.bindings import DualStringArray, StringBinding, tcp
from openwmi.wire.dcom.properties import PropsOutInfo, ScmReply, ScmReplyInfo
from openwmi.wire.ntlm import Acceptor
from openwmi.wire.ntlm import constants as c
from openwmi.wire.ntlm.messages import Challenge
from openwmi.wire.wmi import login
from openwmi.wire.wmi.guids import IWbemLevel1Login

BIND_ACK, ALTER_RESPONSE, RESPONSE = 12, 15, 2
ELSEWHERE = "10.9.9.9"


def on_answer(host: WmiHost, kind: int, change: Callable[[bytearray], bytes | bytearray | None]) -> None:
    """Change the server's first PDU of a kind on each connection; None keeps it back."""

    def mangle(station: Station, pdu: bytes) -> list[bytes]:
        if pdu[2] != kind or getattr(station, "mangled_once", False):
            return [pdu]
        station.mangled_once = True  # type: ignore[attr-defined]
        changed = change(bytearray(pdu))
        return [] if changed is None else [bytes(changed)]

    host.mangle = mangle


def put(at: int, data: bytes) -> Callable[[bytearray], bytearray]:
    """Overwrite a place in a PDU."""

    def change(pdu: bytearray) -> bytearray:
        pdu[at : at + len(data)] = data
        return pdu

    return change


def tokened(pdu: bytearray, token: bytes) -> bytes:
    """A PDU with another token in its verifier."""
    size = int.from_bytes(pdu[10:12], "little")
    made = pdu[: len(pdu) - size] + token
    made[8:10] = len(made).to_bytes(2, "little")
    made[10:12] = len(token).to_bytes(2, "little")
    return bytes(made)


def with_challenge(host: WmiHost, change: Callable[[Challenge], Challenge]) -> None:
    """Change what the server's NTLM challenge says."""

    def changed(pdu: bytearray) -> bytes:
        size = int.from_bytes(pdu[10:12], "little")
        return tokened(pdu, change(Challenge.decode(bytes(pdu[-size:]))).encode())

    on_answer(host, BIND_ACK, changed)


# The connection


@ends_in("RPC_S_SERVER_UNAVAILABLE", "connect")
def does_not_listen(host: WmiHost) -> None:
    for port in host.ports:
        port.close()


@ends_in("RPC_S_SERVER_UNAVAILABLE", "connect", within=10.5)
def swallows_connections(host: WmiHost) -> None:
    host.loop.silent.add((host.address, 135))


@ends_in("RPC_S_CALL_FAILED", "bind")
def hangs_up_at_once(host: WmiHost) -> None:
    host.greeting = lambda station: station.transport.close()


@ends_in("RPC_S_CALL_FAILED", "bind")
def resets_at_once(host: WmiHost) -> None:
    host.greeting = lambda station: station.transport.abort()


@ends_in("WBEM_E_TIMED_OUT", "bind", within=10.5)
def says_nothing(host: WmiHost) -> None:
    on_answer(host, BIND_ACK, lambda pdu: None)


@ends_in("RPC_S_PROTOCOL_ERROR", "bind")
def greets_like_a_web_server(host: WmiHost) -> None:
    host.greeting = lambda station: station.push(b"HTTP/1.1 400 Bad Request\r\n\r\n")


@ends_in("RPC_S_PROTOCOL_ERROR", "bind")
def speaks_before_it_is_asked(host: WmiHost) -> None:
    host.greeting = lambda station: station.push(
        bytes.fromhex("0500020310000000180000000100000000000000") + bytes(4)
    )


# The bind


@ends_in("RPC_S_UNKNOWN_AUTHN_SERVICE", "bind")
def refuses_the_authentication(host: WmiHost) -> None:
    host.accepting = lambda auth_type, level: None  # type: ignore[method-assign]


@ends_in("RPC_S_UNKNOWN_IF", "bind")
def has_no_activator(host: WmiHost) -> None:
    on_answer(host, BIND_ACK, put(36, b"\2\0\1\0"))


@ends_in("RPC_S_PROTOCOL_ERROR", "bind")
def acknowledges_without_its_half_of_the_handshake(host: WmiHost) -> None:
    def bare(pdu: bytearray) -> bytearray:
        size = int.from_bytes(pdu[10:12], "little")
        del pdu[-size - 8 :]
        return put(8, len(pdu).to_bytes(2, "little") + b"\0\0")(pdu)

    on_answer(host, BIND_ACK, bare)


@ends_in("RPC_S_PROTOCOL_ERROR", "bind")
def agrees_on_fragments_of_no_size(host: WmiHost) -> None:
    on_answer(host, BIND_ACK, put(16, bytes(4)))


@ends_in("RPC_S_PROTOCOL_ERROR", "bind")
def agrees_on_tiny_fragments(host: WmiHost) -> None:
    on_answer(host, BIND_ACK, put(16, b"\x18\0\x18\0"))


@ends_in("RPC_S_PROTOCOL_ERROR", "bind")
def answers_more_contexts_than_were_asked_for(host: WmiHost) -> None:
    on_answer(host, BIND_ACK, put(32, b"\2"))


@ends_in("RPC_S_PROTOCOL_ERROR", "bind")
def chooses_a_transfer_syntax_that_nobody_offered(host: WmiHost) -> None:
    on_answer(host, BIND_ACK, put(40, bytes.fromhex("33057171babe37498319b5dbef9ccc3601000000")))


@ends_in("RPC_S_PROTOCOL_ERROR", "bind")
def answers_another_call(host: WmiHost) -> None:
    on_answer(host, BIND_ACK, put(12, b"\x63\0\0\0"))


@ends_in("RPC_S_PROTOCOL_ERROR", "bind")
def uses_another_security_context(host: WmiHost) -> None:
    def changed(pdu: bytearray) -> bytearray:
        size = int.from_bytes(pdu[10:12], "little")
        return put(len(pdu) - size - 4, b"\x07\0\0\0")(pdu)

    on_answer(host, BIND_ACK, changed)


@ends_in("RPC_S_PROTOCOL_ERROR", "bind")
def claims_a_fragment_shorter_than_its_header(host: WmiHost) -> None:
    on_answer(host, BIND_ACK, put(8, b"\x04\0"))


@ends_in("WBEM_E_TIMED_OUT", "bind", within=10.5)
def stops_in_the_middle_of_a_fragment(host: WmiHost) -> None:
    on_answer(host, BIND_ACK, lambda pdu: put(8, b"\xff\x0f")(pdu))


@ends_in("RPC_S_PROTOCOL_ERROR", "bind")
def speaks_another_version_of_rpc(host: WmiHost) -> None:
    on_answer(host, BIND_ACK, put(0, b"\x05\x63"))


@ends_in("RPC_S_PROTOCOL_ERROR", "bind")
def speaks_big_endian(host: WmiHost) -> None:
    on_answer(host, BIND_ACK, put(4, b"\0\0\0\0"))


@ends_in("RPC_E_DISCONNECTED", "RemoteCreateInstance", says="a BIND_ACK came while BOUND")
def acknowledges_twice(host: WmiHost) -> None:
    host.mangle = lambda station, pdu: [pdu, pdu] if pdu[2] == BIND_ACK else [pdu]


# The handshake


@ends_in("RPC_S_PROTOCOL_ERROR", "bind")
def sends_noise_for_a_challenge(host: WmiHost) -> None:
    on_answer(host, BIND_ACK, lambda pdu: tokened(pdu, b"NTLMSSP\0" + b"\xff" * 60))


@ends_in("RPC_S_PROTOCOL_ERROR", "bind")
def sends_a_negotiate_back(host: WmiHost) -> None:
    def mirrored(pdu: bytearray) -> bytes:
        return tokened(pdu, b"NTLMSSP\0\1\0\0\0" + bytes(20))

    on_answer(host, BIND_ACK, mirrored)


@ends_in("RPC_S_PROTOCOL_ERROR", "bind")
def negotiates_the_strong_keys_away(host: WmiHost) -> None:
    strong = c.EXTENDED_SESSION_SECURITY | c.KEY_128
    with_challenge(host, lambda asked: replace(asked, flags=asked.flags & ~strong))


@ends_in("RPC_S_PROTOCOL_ERROR", "bind")
def names_itself_in_pairs_without_an_end(host: WmiHost) -> None:
    with_challenge(host, lambda asked: replace(asked, info=b"\1\0\xff\xff" + bytes(8)))


@ends_in("E_ACCESSDENIED", "RemoteCreateInstance")
def refuses_the_password(host: WmiHost) -> None:
    def strict(auth_type: int, level: int) -> Any:
        return Acceptor(lambda domain, user: None, NAMES, b"fedcba98", filetime=NOW)

    host.accepting = strict  # type: ignore[method-assign]


# Activation


@ends_in("E_ACCESSDENIED", "RemoteCreateInstance")
def denies_the_activation(host: WmiHost) -> None:
    answers(host, "RemoteCreateInstance", 5)


@ends_in("REGDB_E_CLASSNOTREG", "activation")
def does_not_know_the_class(host: WmiHost) -> None:
    host.classes.clear()


@ends_in("RPC_S_PROTOCOL_ERROR", "activation")
def activates_nothing(host: WmiHost) -> None:
    answers(host, "RemoteCreateInstance", _activated(None))


def _activated(properties: bytes | None, result: int = 0) -> bytes:
    return activation.REMOTE_CREATE_INSTANCE.answer(activation.ActivationAnswer(properties, result))


def _out(host: WmiHost, *, reference: bytes | None, bindings: DualStringArray | None) -> bytes:
    reply = ScmReply(host.oxid, bindings, host.rem_unknown, 5)
    out = PropsOutInfo((IWbemLevel1Login.uuid,), (0,), (reference,))
    return _activated(activation.activation_out([out, ScmReplyInfo(reply)]))


def _reference(host: WmiHost, **changes: Any) -> bytes:
    std = {"flags": 0, "public_refs": 5, "oxid": host.oxid, "oid": 7, "ipid": host.ipid(), **changes}
    return objref.Standard(IWbemLevel1Login.uuid, objref.StdObjRef(**std), host.resolver_bindings()).encode()


@ends_in("RPC_S_PROTOCOL_ERROR", "activation")
def does_not_say_where_the_object_is(host: WmiHost) -> None:
    out = PropsOutInfo((IWbemLevel1Login.uuid,), (0,), (_reference(host),))
    answers(host, "RemoteCreateInstance", _activated(activation.activation_out([out])))


@ends_in("RPC_S_PROTOCOL_ERROR", "activation")
def offers_named_pipes_only(host: WmiHost) -> None:
    pipes = DualStringArray((StringBinding(15, r"\\WIN-HOST[\PIPE\epmapper]"),))
    answers(host, "RemoteCreateInstance", _out(host, reference=_reference(host), bindings=pipes))


@ends_in("RPC_S_SERVER_UNAVAILABLE", "connect")
def names_a_dead_port(host: WmiHost) -> None:
    dead = DualStringArray((tcp(host.address, 1),))
    answers(host, "RemoteCreateInstance", _out(host, reference=_reference(host), bindings=dead))


@ends_in(None)
def names_another_machine(host: WmiHost) -> None:
    """The client comes to the address it was given, whatever a server says (wire.md 6.4, towards the server)."""
    host.exporter_bindings = lambda: DualStringArray((tcp(ELSEWHERE, EXPORTER_PORT),))  # type: ignore[method-assign]


@ends_in("RPC_S_PROTOCOL_ERROR", "activation")
def sends_properties_of_no_kind(host: WmiHost) -> None:
    blob = objref.Custom(
        guids.IID_IActivationPropertiesOut, guids.CLSID_ActivationPropertiesOut, b"\xff" * 200
    )
    answers(host, "RemoteCreateInstance", _activated(blob.encode()))


@ends_in("RPC_S_PROTOCOL_ERROR", "unmarshal")
def gives_a_reference_into_another_exporter(host: WmiHost) -> None:
    reference = _reference(host, oxid=0xBAD)
    answers(
        host,
        "RemoteCreateInstance",
        _out(host, reference=reference, bindings=host.exporter_bindings()),
    )


@ends_in("RPC_S_PROTOCOL_ERROR", "unmarshal")
def gives_a_reference_that_is_none(host: WmiHost) -> None:
    answers(
        host,
        "RemoteCreateInstance",
        _out(host, reference=b"MOOW" + bytes(60), bindings=host.exporter_bindings()),
    )


@ends_in("RPC_E_DISCONNECTED", "NTLMLogin")
def gives_a_reference_to_nothing(host: WmiHost) -> None:
    answers(
        host,
        "RemoteCreateInstance",
        _out(host, reference=_reference(host), bindings=host.exporter_bindings()),
    )


# Log-on


@ends_in("WBEM_E_INVALID_NAMESPACE", "log-on")
def has_no_such_namespace(host: WmiHost) -> None:
    answer = login.NTLM_LOGIN.answer(login.LoginAnswer(None, 0x8004100E))
    answers(host, "NTLMLogin", answer)


@ends_in("RPC_S_PROTOCOL_ERROR", "unmarshal")
def logs_on_to_nothing(host: WmiHost) -> None:
    answers(host, "NTLMLogin", login.NTLM_LOGIN.answer(login.LoginAnswer(None, 0)))


@ends_in("WBEM_E_TIMED_OUT", "NTLMLogin", within=33.0)
def never_answers_the_log_on(host: WmiHost) -> None:
    answers(host, "NTLMLogin", None)


@ends_in("RPC_X_BAD_STUB_DATA", "NTLMLogin")
def answers_with_half_a_stub(host: WmiHost) -> None:
    answers(host, "NTLMLogin", bytes(10))


@ends_in("SEC_E_MESSAGE_ALTERED", "NTLMLogin")
def signs_wrongly(host: WmiHost) -> None:
    twists(host, "NTLMLogin", lambda pdu: [pdu[:-1] + bytes((pdu[-1] ^ 1,))])


@ends_in("SEC_E_MESSAGE_ALTERED", "NTLMLogin")
def changes_what_it_has_sealed(host: WmiHost) -> None:
    twists(host, "NTLMLogin", lambda pdu: [pdu[:30] + bytes((pdu[30] ^ 1,)) + pdu[31:]])


@ends_in("SEC_E_MESSAGE_ALTERED", "NTLMLogin")
def answers_below_the_level(host: WmiHost) -> None:
    def bare(pdu: bytes) -> list[bytes]:
        size = int.from_bytes(pdu[10:12], "little")
        made = bytearray(pdu[: len(pdu) - size - 8])
        made[8:12] = len(made).to_bytes(2, "little") + b"\0\0"
        return [bytes(made)]

    twists(host, "NTLMLogin", bare)


@ends_in("RPC_E_DISCONNECTED", "ExecQuery", act=pulls, says="which is not under way")
def repeats_an_answer(host: WmiHost) -> None:
    """The connection ends when the copy comes; what is called next says why."""
    twists(host, "NTLMLogin", lambda pdu: [pdu, pdu])


@ends_in("RPC_S_PROTOCOL_ERROR", "NTLMLogin")
def answers_a_call_that_nobody_made(host: WmiHost) -> None:
    twists(host, "NTLMLogin", lambda pdu: [pdu[:12] + b"\x63\0\0\0" + pdu[16:]])


@ends_in("RPC_S_CALL_FAILED", "NTLMLogin")
def hangs_up_over_the_log_on(host: WmiHost) -> None:
    cuts(host, "NTLMLogin")


@ends_in("RPC_S_CALL_FAILED", "NTLMLogin")
def resets_over_the_log_on(host: WmiHost) -> None:
    cuts(host, "NTLMLogin", reset=True)


@ends_in("RPC_S_CALL_FAILED", "NTLMLogin")
def dies_in_the_middle_of_an_answer(host: WmiHost) -> None:
    def hook(called: Any, honest: Callable[[], Any]) -> Any:
        def half(pdu: bytes) -> list[bytes]:
            wire = called.station.transport
            wire.send(pdu[: len(pdu) // 2])
            wire.close()
            return []

        called.station.twist = half
        return honest()

    answers(host, "NTLMLogin", hook)


@ends_in("RPC_E_VERSION_MISMATCH", "NTLMLogin")
def faults_with_a_reason_of_its_own(host: WmiHost) -> None:
    answers(host, "NTLMLogin", 0x80010110)


@ends_in("RPC_S_PROTOCOL_ERROR", "NTLMLogin", says="16777216", slow=True)
def sends_an_answer_without_an_end(host: WmiHost) -> None:
    """Fragment after fragment, each in order, and never the last: bounded by what a call may hold."""

    def hook(called: Any, honest: Callable[[], Any]) -> Any:
        called.station.twist = lambda pdu: [pdu[:3] + bytes((pdu[3] & ~2,)) + pdu[4:]]
        return bytes(17 << 20)

    answers(host, "NTLMLogin", hook)
