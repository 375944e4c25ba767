"""DCOM: real calls come back byte for byte, impacket reads ours and we read impacket's, bounds hold."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.wire.captures import conversations

from openwmi.wire.buffers import Reader, Writer
from openwmi.wire.dcom import activation, exporter, guids, objref, remunknown
from openwmi.wire.dcom.bindings import OFFERED, DualStringArray, SecurityBinding, StringBinding, tcp
from openwmi.wire.dcom.method import Method, ObjectMethod
from openwmi.wire.dcom.orpc import ComVersion, Extent, OrpcThat, OrpcThis, agreed
from openwmi.wire.dcom.properties import (
    ActivationContextInfo,
    InstantiationInfo,
    LocationInfo,
    PropsOutInfo,
    ScmReply,
    ScmReplyInfo,
    ScmRequest,
    ScmRequestInfo,
    Unknown,
)
from openwmi.wire.errors import BAD_STUB_DATA, LocalProtocolError, PeerIncompatible, PeerMisbehaved
from openwmi.wire.rpc.binding import Bind
from openwmi.wire.rpc.calls import Request, Response
from openwmi.wire.rpc.constants import FIRST, LAST, AuthLevel
from openwmi.wire.rpc.pdus import decode
from openwmi.wire.rpc.security import unprotected

METHODS: dict[tuple[UUID, int], Method[Any, Any] | ObjectMethod[Any, Any]] = {}
for interface, methods in (
    (guids.IRemUnknown, remunknown.METHODS),
    (guids.IRemUnknown2, remunknown.METHODS),
    (guids.IObjectExporter, exporter.METHODS),
    (guids.IRemoteSCMActivator, activation.METHODS[:2]),
    (guids.IActivation, activation.METHODS[2:]),
):
    METHODS.update({(interface.uuid, method.opnum): method for method in methods})

CID = UUID("0d4a3c2e-1111-2222-3333-444455556666")
THIS = OrpcThis(CID)
IPID = UUID("aaaaaaaa-0000-0000-0000-000000000001")
IID = UUID("9556dc99-828c-11cf-a37e-00aa003240c7")
BINDINGS = DualStringArray((tcp("192.0.2.7", 49152), tcp("server.example.org", 49152)), OFFERED)
STD = objref.StdObjRef(0, 5, 0x0123456789ABCDEF, 42, IPID)
REFERENCE = objref.Standard(IID, STD, DualStringArray((tcp("192.0.2.7"),), OFFERED)).encode()


def both_ways(method: Any, stub: bytes, *, request: bool) -> tuple[Any, bytes]:
    """The values in a stub, and the stub made of them."""
    if isinstance(method, ObjectMethod):
        header, value = method.called(stub) if request else method.answered(stub)
        return value, method.call(value, header) if request else method.answer(value, header)
    value = method.called(stub) if request else method.answered(stub)
    return value, method.call(value) if request else method.answer(value)


# Real traffic ------------------------------------------------------------------------------------------------------


def calls(folder: Path) -> Any:
    """(method, whether a request, stub) of every DCOM call in the clear and in one fragment."""
    for path in sorted(folder.rglob("*.*cap*")):
        for talk in conversations(path):
            interfaces: dict[int, UUID] = {}
            open_calls: dict[int, Any] = {}
            for _, data in talk:
                frame, pdu = decode(data)
                if isinstance(pdu, Bind):
                    for element in pdu.elements:
                        if element.transfers[0].features is None:
                            interfaces[element.context_id] = element.abstract.uuid
                if not isinstance(pdu, Request | Response) or frame.flags & 3 != FIRST | LAST:
                    continue
                if isinstance(pdu, Request):
                    key = (interfaces.get(pdu.context_id, guids.GUID_NULL), pdu.opnum)
                    open_calls[frame.call_id] = METHODS.get(key)
                method = open_calls.get(frame.call_id)
                sealed = frame.verifier is not None and frame.verifier.level == AuthLevel.PRIVACY
                if method is not None and not sealed:
                    yield method, isinstance(pdu, Request), unprotected(frame, pdu.stub_start)


VERIFICATION = bytes.fromhex("8ae3137102f43671")


def test_real_calls_come_back_byte_for_byte(shared_data: Path) -> None:
    seen: Counter[str] = Counter()
    for method, request, stub in calls(shared_data / "pcap"):
        _, again = both_ways(method, stub, request=request)
        whole = stub[: stub.index(VERIFICATION)] if VERIFICATION in stub else stub
        assert again == whole[: len(again)]
        assert len(whole) - len(again) < 4
        seen[f"{method.name} {'in' if request else 'out'}"] += 1
    assert seen["RemQueryInterface in"] == seen["RemQueryInterface out"] == 57
    assert seen["RemRelease in"] == 22
    assert seen["RemoteCreateInstance in"] == seen["RemoteCreateInstance out"] == 4
    assert {
        f"{name} {way}"
        for name in ("ServerAlive2", "ResolveOxid2", "RemoteGetClassObject", "SimplePing")
        for way in ("in", "out")
    } <= set(seen)


def test_real_activation_properties_come_back_byte_for_byte(shared_data: Path) -> None:
    count = 0
    for method, request, stub in calls(shared_data / "pcap"):
        if not method.name.startswith("Remote"):
            continue
        value, _ = both_ways(method, stub, request=request)
        if request:
            properties = activation.properties_in(value.properties)
            assert activation.find(properties, InstantiationInfo).size == 88
            assert activation.activation_in(properties) == value.properties
        else:
            properties = activation.properties_out(value.properties)
            assert [type(each) for each in properties] == [PropsOutInfo, ScmReplyInfo]
            assert activation.activation_out(properties) == value.properties
            (reference,) = activation.find(properties, PropsOutInfo).interfaces or ()
            assert objref.standard(reference).encode() == reference
        count += 1
    assert count == 12


# Values come back --------------------------------------------------------------------------------------------------

SAMPLES: list[tuple[Any, Any, Any]] = [
    (
        remunknown.REM_QUERY_INTERFACE,
        remunknown.QueryInterface(IPID, 5, (IID, guids.IID_IUnknown)),
        remunknown.QueryInterfaceAnswer((remunknown.QueryInterfaceResult(0, STD),), 0),
    ),
    (
        remunknown.REM_ADD_REF,
        remunknown.References((remunknown.InterfaceRef(IPID, 3),)),
        remunknown.AddRefAnswer((0,), 0),
    ),
    (remunknown.REM_RELEASE, remunknown.References(()), remunknown.ReleaseAnswer(0)),
    (
        remunknown.REM_QUERY_INTERFACE2,
        remunknown.QueryInterface2(IPID, (IID,)),
        remunknown.QueryInterface2Answer((0, 0x80004002), (REFERENCE, None), 1),
    ),
    (exporter.RESOLVE_OXID, exporter.ResolveOxid(1, (7,)), exporter.ResolveOxidAnswer(BINDINGS, IPID, 5)),
    (exporter.SIMPLE_PING, exporter.SimplePing(9), exporter.Status(exporter.OR_INVALID_SET)),
    (exporter.COMPLEX_PING, exporter.ComplexPing(0, 1, (1, 2), None), exporter.ComplexPingAnswer(77)),
    (exporter.SERVER_ALIVE, exporter.Nothing(), exporter.Status()),
    (
        exporter.RESOLVE_OXID2,
        exporter.ResolveOxid(1, (7, 15)),
        exporter.ResolveOxid2Answer(None, IPID, 0, status=1910),
    ),
    (exporter.SERVER_ALIVE2, exporter.Nothing(), exporter.ServerAlive2Answer(BINDINGS)),
    (
        activation.REMOTE_CREATE_INSTANCE,
        activation.CreateInstance(activation.activation_in([InstantiationInfo(IID, (IID,))])),
        activation.ActivationAnswer(None, activation.REGDB_E_CLASSNOTREG),
    ),
    (
        activation.REMOTE_ACTIVATION,
        activation.Activation(IID, (IID, guids.IID_IUnknown), (7, 15), name="x"),
        activation.ActivatedAnswer(1, BINDINGS, IPID, 5, 0, (REFERENCE, None), (0, 0x80004002)),
    ),
]


@pytest.mark.parametrize(
    ("method", "inputs", "outputs"), SAMPLES, ids=lambda value: getattr(value, "name", "")
)
def test_every_method_both_ways(method: Any, inputs: Any, outputs: Any) -> None:
    if isinstance(method, ObjectMethod):
        that = OrpcThat(extensions=(Extent(IID, b"abc"),))
        assert method.called(method.call(inputs, THIS)) == (THIS, inputs)
        assert method.answered(method.answer(outputs, that)) == (that, outputs)
        # HRESULT last: some clients look at nothing else (wire.md 2.4).
        last = outputs.status if hasattr(outputs, "status") else outputs.result
        assert method.answer(outputs)[-4:] == last.to_bytes(4, "little")
    else:
        assert method.called(method.call(inputs)) == inputs
        assert method.answered(method.answer(outputs)) == outputs


def test_the_first_result_of_query_interface_stands_at_16() -> None:
    """REMQIRESULT is aligned to 8 (wire.md 5.7)."""
    stub = remunknown.REM_QUERY_INTERFACE.answer(SAMPLES[0][2])
    assert stub[16:20] == bytes(4)
    assert stub[24 : 24 + 40] == REFERENCE[24:64]


properties_ = st.lists(
    st.one_of(
        st.builds(
            InstantiationInfo,
            st.uuids(),
            st.none() | st.lists(st.uuids(), max_size=3).map(tuple),
            st.just(16),
        ),
        st.builds(ActivationContextInfo, st.just(0), st.none() | st.binary(max_size=9), st.none()),
        st.builds(LocationInfo, st.none() | st.text("aß", max_size=5)),
        st.builds(ScmRequestInfo, st.none() | st.builds(ScmRequest)),
        st.builds(
            ScmReplyInfo,
            st.none() | st.builds(ScmReply, st.just(7), st.just(BINDINGS), st.uuids(), st.just(5)),
        ),
        st.builds(Unknown, st.uuids(), st.binary(min_size=1, max_size=5).map(lambda raw: raw * 8)),
    ),
    min_size=1,
    max_size=10,
)


@given(properties_)
def test_properties_come_back(properties: list[Any]) -> None:
    found = activation.properties_in(activation.activation_in(properties))
    sized = [
        InstantiationInfo(p.class_id, p.iids, p.class_context, size=f.size)
        if isinstance(p, InstantiationInfo)
        else p
        for p, f in zip(properties, found, strict=True)
    ]
    assert list(found) == sized


@given(
    st.lists(st.builds(StringBinding, st.integers(1, 0xFFFF), st.text("a.[]ß", max_size=6)), max_size=3),
    st.lists(
        st.builds(SecurityBinding, st.integers(1, 0xFFFF), st.text("a/@", max_size=6), st.just(0xFFFF)),
        max_size=3,
    ),
)
def test_bindings_come_back(strings: list[StringBinding], securities: list[SecurityBinding]) -> None:
    array = DualStringArray(tuple(strings), tuple(securities))
    writer = Writer()
    array.write(writer)
    assert DualStringArray.read(Reader(bytes(writer), "")) == array


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [
        ("host", "host", None),
        ("host[135]", "host", 135),
        ("fe80::1[49152]", "fe80::1", 49152),
        ("[::1][5]", "[::1]", 5),
        ("host[\\pipe\\x]", "host", None),
        ("host[99999]", "host", None),
        ("host[²]", "host", None),
    ],
)
def test_addresses(address: str, host: str, port: int | None) -> None:
    binding = StringBinding(7, address)
    assert (binding.host, binding.port) == (host, port)


@pytest.mark.parametrize(
    "reference",
    [
        objref.Standard(IID, STD, BINDINGS),
        objref.Handler(IID, STD, IPID, BINDINGS),
        objref.Custom(IID, IPID, b"data"),
        objref.Extended(IID, STD, BINDINGS, b"context"),
    ],
)
def test_every_form_of_reference(reference: Any) -> None:
    assert objref.decode(reference.encode()) == reference


# What is refused ---------------------------------------------------------------------------------------------------


def test_versions() -> None:
    assert agreed(ComVersion(5, 1)) == (5, 1)
    for theirs in (ComVersion(4, 7), ComVersion(5, 8)):
        with pytest.raises(PeerIncompatible) as caught:
            agreed(theirs)
        assert caught.value.status == 0x80010110


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"WOEM" + REFERENCE[4:],
        b"MEOW" + bytes(20),
        REFERENCE[:-3],
        REFERENCE[:66] + b"\xff\xff" + REFERENCE[68:],
        objref.Extended(IID, STD, BINDINGS).encode().replace(b"VYSN", b"XXXX"),
    ],
)
def test_broken_references(data: bytes) -> None:
    with pytest.raises(PeerMisbehaved):
        objref.decode(data)


def test_the_wrong_kind_of_reference() -> None:
    with pytest.raises(PeerMisbehaved):
        objref.standard(None)
    with pytest.raises(PeerMisbehaved):
        objref.standard(objref.Custom(IID, IPID, b"").encode())
    with pytest.raises(PeerMisbehaved):
        objref.custom(REFERENCE, IPID)


def test_bindings_that_have_no_encoding() -> None:
    with pytest.raises(LocalProtocolError):
        DualStringArray((StringBinding(0, "x"),)).units()
    with pytest.raises(LocalProtocolError):
        DualStringArray((tcp("a\0b"),)).units()


def test_a_broken_stub_is_bad_stub_data() -> None:
    for method, inputs, _ in SAMPLES:
        stub = method.call(inputs, THIS) if isinstance(method, ObjectMethod) else method.call(inputs)
        for size in range(max(0, len(stub) - 5)):
            with pytest.raises(PeerMisbehaved) as caught:
                method.called(stub[:size])
            assert caught.value.status == BAD_STUB_DATA


@given(st.data())
def test_mutated_stubs_raise_nothing_but_the_protocols_own_errors(data: st.DataObject) -> None:
    method, inputs, outputs = data.draw(st.sampled_from(SAMPLES))
    request = data.draw(st.booleans())
    if isinstance(method, ObjectMethod):
        stub = method.call(inputs, THIS) if request else method.answer(outputs)
    else:
        stub = method.call(inputs) if request else method.answer(outputs)
    mutated = bytearray(stub)
    for _ in range(data.draw(st.integers(1, 4)) if mutated else 0):
        mutated[data.draw(st.integers(0, len(mutated) - 1))] = data.draw(st.integers(0, 255))
    try:
        both_ways(method, bytes(mutated), request=request)
    except PeerMisbehaved:
        pass


# impacket ----------------------------------------------------------------------------------------------------------


def test_impacket_reads_our_activation_answer() -> None:
    dcomrt = pytest.importorskip("impacket.dcerpc.v5.dcomrt")
    out = activation.activation_out(
        [
            PropsOutInfo((IID,), (0,), (REFERENCE,)),
            ScmReplyInfo(ScmReply(STD.oxid, BINDINGS, IPID, 5)),
        ]
    )
    stub = activation.REMOTE_CREATE_INSTANCE.answer(activation.ActivationAnswer(out))
    answer = dcomrt.RemoteCreateInstanceResponse(stub)
    assert answer["ErrorCode"] == 0
    custom = dcomrt.OBJREF_CUSTOM(b"".join(answer["ppActProperties"]["abData"]))
    blob = dcomrt.ACTIVATION_BLOB(custom["pObjectData"])
    header = blob["CustomHeader"]
    assert header["cIfs"] == 2
    sizes = [header["pSizes"][n]["Data"] for n in range(2)]
    data = blob["Property"]
    found = []
    for kind, frame in ((dcomrt.PropsOutInfo, data[: sizes[0]]), (dcomrt.ScmReplyInfoData, data[sizes[0] :])):
        found.append(kind())
        size = found[-1].fromString(frame)
        found[-1].fromStringReferents(frame[size:])
    props, scm = found
    pointer = props["ppIntfData"][0]
    assert b"".join(pointer["abData"]) == REFERENCE
    assert props["phresults"][0]["Data"] == 0
    assert scm["remoteReply"]["Oxid"] == STD.oxid
    assert scm["remoteReply"]["authnHint"] == 5


def test_impacket_reads_our_query_interface_answer() -> None:
    dcomrt = pytest.importorskip("impacket.dcerpc.v5.dcomrt")
    answer = dcomrt.RemQueryInterfaceResponse(remunknown.REM_QUERY_INTERFACE.answer(SAMPLES[0][2]))
    assert answer["ppQIResults"]["std"]["ipid"] == IPID.bytes_le
    assert answer["ppQIResults"]["std"]["cPublicRefs"] == 5
    assert answer["ErrorCode"] == 0


def test_impacket_reads_our_resolver() -> None:
    dcomrt = pytest.importorskip("impacket.dcerpc.v5.dcomrt")
    alive = dcomrt.ServerAlive2Response(exporter.SERVER_ALIVE2.answer(exporter.ServerAlive2Answer(BINDINGS)))
    assert alive["pComVersion"]["MinorVersion"] == 7
    assert alive["ppdsaOrBindings"]["wNumEntries"] == len(BINDINGS.units()[0]) // 2
    ping = dcomrt.ComplexPingResponse(exporter.COMPLEX_PING.answer(exporter.ComplexPingAnswer(77)))
    assert ping["pSetId"] == 77
    reference = dcomrt.OBJREF_STANDARD(REFERENCE)
    assert reference["std"]["oxid"] == STD.oxid
    assert reference["saResAddr"][:4] == REFERENCE[64:68]


def test_we_read_impackets_requests() -> None:
    dcomrt = pytest.importorskip("impacket.dcerpc.v5.dcomrt")
    query = dcomrt.RemQueryInterface()
    query["ORPCthis"]["cid"] = CID.bytes_le
    query["ORPCthis"]["extensions"] = dcomrt.NULL
    query["ripid"] = IPID.bytes_le
    query["cRefs"] = 1
    query["cIids"] = 1
    iid = dcomrt.IID()
    iid["Data"] = IID.bytes_le
    query["iids"].append(iid)
    this, inputs = remunknown.REM_QUERY_INTERFACE.called(query.getData() + query.getDataReferents())
    assert this.cid == CID
    assert inputs == remunknown.QueryInterface(IPID, 1, (IID,))

    ping = dcomrt.ComplexPing()
    ping["pSetId"] = 3
    ping["SequenceNum"] = 1
    oid = dcomrt.OID()
    oid["Data"] = 99
    ping["cAddToSet"] = 1
    ping["AddToSet"].append(oid)
    ping["cDelFromSet"] = 0
    ping["DelFromSet"] = dcomrt.NULL
    stub = ping.getData() + ping.getDataReferents()
    assert exporter.COMPLEX_PING.called(stub) == exporter.ComplexPing(3, 1, (99,), None)
