"""WMI's stubs: real log-ons byte for byte, every method both ways, impacket as the other side."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.wire.captures import conversations
from tests.wire.test_dcom import IPID, REFERENCE, THIS

from openwmi.contract.operations import (
    OPERATIONS,
    CreateClassEnum,
    CreateInstanceEnum,
    DeleteClass,
    DeleteInstance,
    ExecMethod,
    ExecNotificationQuery,
    ExecQuery,
    GetObject,
    PutClass,
    PutInstance,
)
from openwmi.model.cimtypes import CimType
from openwmi.model.classes import Class, ClassDeclaration, Property, derive
from openwmi.model.qualifiers import EMPTY, Qualifier, QualifierSet
from openwmi.wire.dcom import objref
from openwmi.wire.dcom.method import ObjectMethod
from openwmi.wire.dcom.orpc import OrpcThis
from openwmi.wire.errors import BAD_STUB_DATA, PeerMisbehaved
from openwmi.wire.ndr import NdrReader, NdrWriter, Parameters
from openwmi.wire.rpc.binding import Bind
from openwmi.wire.rpc.calls import Request, Response
from openwmi.wire.rpc.constants import AuthLevel
from openwmi.wire.rpc.pdus import decode
from openwmi.wire.rpc.security import unprotected
from openwmi.wire.wmi import enumerators, guids, login, results, services
from openwmi.wire.wmi.types import BSTR, object_in, reference_to
from openwmi.wmio import encode

LOGIN = {
    (guids.IWbemLevel1Login.uuid, 3): login.ESTABLISH_POSITION,
    (guids.IWbemLevel1Login.uuid, 6): login.NTLM_LOGIN,
    (guids.IWbemLoginClientID.uuid, 3): login.SET_CLIENT_INFO,
}


def a_class() -> Class:
    key = Qualifier("key", True, CimType.BOOLEAN, 3)
    name = Property("Name", CimType.STRING, None, None, False, QualifierSet([key]), "T", True)
    return derive(ClassDeclaration("T", None, EMPTY, (name,), ()), None, namespace="root\\x", server="S")


def test_real_log_ons_come_back_byte_for_byte(shared_data: Path) -> None:
    seen: list[str] = []
    interfaces_seen: set[UUID] = set()
    for path in sorted((shared_data / "pcap" / "wmi").iterdir()):
        for talk in conversations(path):
            interfaces: dict[int, UUID] = {}
            pending: dict[int, Any] = {}
            for _, data in talk:
                frame, pdu = decode(data)
                if isinstance(pdu, Bind):
                    interfaces |= {e.context_id: e.abstract.uuid for e in pdu.elements}
                    interfaces_seen |= set(interfaces.values())
                elif (
                    isinstance(pdu, Request | Response)
                    and frame.verifier
                    and frame.verifier.level < AuthLevel.PRIVACY
                ):
                    if isinstance(pdu, Request):
                        pending[frame.call_id] = LOGIN.get((interfaces[pdu.context_id], pdu.opnum))
                    method = pending.get(frame.call_id)
                    if method is None:
                        continue
                    stub = unprotected(frame, pdu.stub_start)
                    if isinstance(pdu, Request):
                        this, inputs = method.called(stub)
                        again = method.call(inputs, this)
                    else:
                        that, outputs = method.answered(stub)
                        again = method.answer(outputs, that)
                    assert again == stub[: len(again)]
                    assert stub[len(again) :].rstrip(b"\0")[:8] in (b"", bytes.fromhex("8ae3137102f43671"))
                    seen.append(method.name)
    assert [seen.count(name) for name in ("EstablishPosition", "NTLMLogin", "SetClientInfo")] == [6, 6, 6]
    assert {guids.IWbemLoginClientIDEx.uuid, guids.IWbemServices.uuid} <= interfaces_seen


OPERATION_SAMPLES = [
    GetObject('T.Name="x"'),
    GetObject(None),
    PutClass(a_class()),
    DeleteClass("T"),
    CreateClassEnum(None),
    PutInstance(a_class().spawn({"Name": "ä"})),
    DeleteInstance('T.Name="x"'),
    CreateInstanceEnum("T"),
    ExecQuery("SELECT * FROM T"),
    ExecNotificationQuery("SELECT * FROM E"),
    ExecMethod("T", "M", None),
    ExecMethod("T", "M", a_class().spawn({"Name": "in"})),
]


@pytest.mark.parametrize("operation", OPERATION_SAMPLES, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("sink", [None, REFERENCE], ids=["sync", "async"])
def test_every_operation_comes_back(operation: Any, sink: bytes | None) -> None:
    method = services.method_of(operation, asynchronous=sink is not None)
    row = OPERATIONS[type(operation)]
    assert method.opnum == (row.opnum if sink is None else row.async_opnum)
    inputs = services.inputs_of(operation, 0x80000010, REFERENCE, sink=sink)
    this, found = method.called(method.call(inputs, THIS))
    assert this == THIS
    assert found == inputs
    assert found.flags & 0xFFFFFFFF == 0x80000010
    assert services.is_asynchronous(method.opnum) == (sink is not None)
    assert repr(services.operation_of(method.opnum, found)) == repr(operation)


def test_all_methods_are_there_once() -> None:
    assert sorted(services.METHODS) == list(range(3, 26))


def filled(method: ObjectMethod[Any, Any]) -> list[Any]:
    """Answers with everything, and with nothing."""
    holds, names = method.response.members.holds, method.response.members.names
    return [
        holds(**{name: 0 if name == "result" else value for name in names}) for value in (REFERENCE, None)
    ]


@pytest.mark.parametrize("method", services.METHODS.values(), ids=lambda method: method.name)
def test_every_answer_comes_back_with_its_result_last(method: ObjectMethod[Any, Any]) -> None:
    for outputs in filled(method):
        stub = method.answer(outputs)
        assert method.answered(stub)[1] == outputs
        assert stub[-4:] == bytes(4)


SAMPLES: list[tuple[ObjectMethod[Any, Any], Any, Any]] = [
    (login.ESTABLISH_POSITION, login.EstablishPosition(), login.EstablishPositionAnswer()),
    (login.NTLM_LOGIN, login.NtlmLogin("//./root/cimv2", "MS_409"), login.LoginAnswer(REFERENCE)),
    (login.SET_CLIENT_INFO, login.SetClientInfo("box", 7), login.Result()),
    (enumerators.RESET, enumerators.Nothing(), login.Result()),
    (enumerators.NEXT, enumerators.Next(-1, 10), enumerators.NextAnswer((REFERENCE, REFERENCE), 1)),
    (enumerators.NEXT_ASYNC, enumerators.NextAsync(5, REFERENCE), login.Result()),
    (enumerators.CLONE, enumerators.Nothing(), enumerators.EnumeratorAnswer(REFERENCE)),
    (enumerators.SKIP, enumerators.Next(0, 3), login.Result(0x40004)),
    (enumerators.GET_SMART_ENUM, enumerators.Nothing(), enumerators.EnumeratorAnswer(None, 0x80041001)),
    (
        enumerators.SMART_NEXT,
        enumerators.SmartNext(IPID, -1, 100),
        enumerators.SmartNextAnswer(2, b"packet!"),
    ),
    (enumerators.SMART_NEXT, enumerators.SmartNext(IPID, -1, 1), enumerators.SmartNextAnswer(0, None, 1)),
    (results.GET_RESULT_OBJECT, results.Timeout(-1), results.ResultObject(REFERENCE)),
    (results.GET_RESULT_STRING, results.Timeout(0), results.ResultString("path")),
    (results.GET_RESULT_SERVICES, results.Timeout(0), results.ResultObject(None, 0x40004)),
    (results.GET_CALL_STATUS, results.Timeout(0), results.CallStatus(0x80041002)),
    (results.INDICATE, results.Indicate((REFERENCE,)), login.Result(0)),
    (results.SET_STATUS, results.SetStatus(0, 0x80041032, None, REFERENCE), login.Result(0)),
]


@pytest.mark.parametrize(
    ("method", "inputs", "outputs"), SAMPLES, ids=lambda value: getattr(value, "name", "")
)
def test_every_other_method_both_ways(method: ObjectMethod[Any, Any], inputs: Any, outputs: Any) -> None:
    assert method.called(method.call(inputs, THIS)) == (THIS, inputs)
    stub = method.answer(outputs)
    assert method.answered(stub)[1] == outputs
    assert stub[-4:] == outputs.result.to_bytes(4, "little")


def test_next_announces_what_was_asked_for() -> None:
    stub = enumerators.NEXT.answer(enumerators.NextAnswer((REFERENCE,), 1, room=10))
    assert [int.from_bytes(stub[at : at + 4], "little") for at in (8, 12, 16)] == [10, 0, 1]


def test_stray_bytes_after_the_parameters_are_ignored() -> None:
    stub = enumerators.GET_SMART_ENUM.call(enumerators.Nothing(), THIS)
    assert enumerators.GET_SMART_ENUM.called(stub + bytes(16)) == (THIS, enumerators.Nothing())


def test_a_bstr_loses_the_nul_that_peers_count() -> None:
    writer = NdrWriter()
    BSTR.write(writer, "WQL\0")
    assert BSTR.read(NdrReader(bytes(writer))) == "WQL"


@given(st.none() | st.text("aß€\U0001f600\ud800", max_size=9))
def test_bstrs_come_back(text: str | None) -> None:
    writer = NdrWriter()
    BSTR.write(writer, text)
    assert BSTR.read(NdrReader(bytes(writer))) == text


def test_objects_travel_by_value() -> None:
    found = object_in(reference_to(a_class().spawn({"Name": "x"})))
    assert not isinstance(found, Class)
    assert found["Name"] == "x"
    with pytest.raises(PeerMisbehaved):
        object_in(REFERENCE)


# impacket ----------------------------------------------------------------------------------------------------------


def headed(call: Any, dcomrt: Any) -> Any:
    call["ORPCthis"]["cid"] = THIS.cid.bytes_le
    call["ORPCthis"]["extensions"] = dcomrt.NULL
    return call


def stub_of(call: Any) -> bytes:
    return bytes(call.getData() + call.getDataReferents())


def test_we_read_impackets_calls() -> None:
    dcomrt = pytest.importorskip("impacket.dcerpc.v5.dcomrt")
    wmi = pytest.importorskip("impacket.dcerpc.v5.dcom.wmi")
    query = headed(wmi.IWbemServices_ExecQuery(), dcomrt)
    query["strQueryLanguage"]["asData"] = "WQL\0"
    query["strQuery"]["asData"] = "SELECT * FROM T\0"
    query["lFlags"] = 0
    query["pCtx"] = dcomrt.NULL
    this, inputs = services.METHODS[20].called(stub_of(query))
    assert this.cid == THIS.cid
    assert services.operation_of(20, inputs) == ExecQuery("SELECT * FROM T")

    get = headed(wmi.IWbemServices_GetObject(), dcomrt)
    get["strObjectPath"]["asData"] = "T\0"
    get["lFlags"] = 0
    get["pCtx"] = dcomrt.NULL
    _, inputs = services.METHODS[6].called(stub_of(get))
    assert services.operation_of(6, inputs) == GetObject("T")

    following = headed(wmi.IEnumWbemClassObject_Next(), dcomrt)
    following["lTimeout"] = 0xFFFFFFFF  # its LONG makes 0 of -1
    following["uCount"] = 1
    assert enumerators.NEXT.called(stub_of(following))[1] == enumerators.Next(-1, 1)


def test_impacket_reads_our_answers() -> None:
    pytest.importorskip("impacket.dcerpc.v5.dcomrt")
    wmi = pytest.importorskip("impacket.dcerpc.v5.dcom.wmi")
    reference = reference_to(a_class().spawn({"Name": "x"}))
    answered = wmi.IEnumWbemClassObject_NextResponse(
        enumerators.NEXT.answer(enumerators.NextAnswer((reference,), 0, room=1))
    )
    assert answered["puReturned"] == 1
    assert b"".join(answered["apObjects"][0]["abData"]) == reference
    method = services.METHODS[20]
    answer = wmi.IWbemServices_ExecQueryResponse(
        method.answer(method.response.members.holds(enumerator=REFERENCE, result=0))
    )
    assert b"".join(answer["ppEnum"]["abData"]) == REFERENCE
    method = services.METHODS[6]
    got = wmi.IWbemServices_GetObjectResponse(
        method.answer(method.response.members.holds(found=reference, call_result=None, result=0))
    )
    assert b"".join(got["ppObject"]["abData"]) == reference
    assert got["ErrorCode"] == 0


def test_the_causality_of_a_call_is_read() -> None:
    stub = login.ESTABLISH_POSITION.call(login.EstablishPosition(), OrpcThis(IPID))
    assert login.ESTABLISH_POSITION.called(stub)[0].cid == IPID


@given(
    before=st.integers(0, 9),
    proxy=st.uuids(),
    timeout=st.integers(-(2**31), 2**31 - 1),
    count=st.integers(0, 2**32 - 1),
    packet=st.none() | st.binary(max_size=13),
    objects=st.lists(st.none() | st.binary(min_size=1, max_size=9), max_size=3),
    result=st.sampled_from([0, 1, 0x40004, 0x80041001]),
)
def test_stubs_in_one_look_are_those_of_their_members(
    before: int,
    proxy: UUID,
    timeout: int,
    count: int,
    packet: bytes | None,
    objects: list[bytes | None],
    result: int,
) -> None:
    for parameters, value in (
        (enumerators.NEXT.request, enumerators.Next(timeout, count)),
        (enumerators.NEXT.response, enumerators.NextAnswer(tuple(objects), result)),
        (enumerators.SMART_NEXT.request, enumerators.SmartNext(proxy, timeout, count)),
        (enumerators.SMART_NEXT.response, enumerators.SmartNextAnswer(count, packet, result)),
    ):
        fast, slow = NdrWriter(), NdrWriter()
        for writer in (fast, slow):
            writer.octets(bytes(before))
        parameters.write(fast, value)
        Parameters.write(parameters, slow, value)
        assert bytes(fast) == bytes(slow)
        for read in (parameters.take, lambda reader, of=parameters: Parameters.take(of, reader)):
            assert read(NdrReader(bytes(fast), "", before)) == value
        for end in range(before, len(fast), 7):
            with pytest.raises(PeerMisbehaved):
                parameters.read(NdrReader(bytes(fast), "", before, end))


def test_an_object_by_value_is_a_custom_reference() -> None:
    thing = a_class().spawn({"Name": "Grün"})
    made = objref.decode(reference_to(thing))
    assert made == objref.Custom(guids.IID_IWbemClassObject, guids.CLSID_WbemClassObject, encode(thing))
    assert isinstance(made, objref.Custom)
    assert made.encode() == reference_to(thing)


def test_a_page_that_contradicts_its_size_is_bad_stub_data() -> None:
    stub = bytearray(enumerators.SMART_NEXT.answer(enumerators.SmartNextAnswer(1, b"packet")))
    stub[12] += 1
    with pytest.raises(PeerMisbehaved) as caught:
        enumerators.SMART_NEXT.answered(bytes(stub))
    assert caught.value.status == BAD_STUB_DATA
