"""Decoding: real captures as far as they can be read, sessions of our own to the last value, files in every shape."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.wire import pcapfile
from tests.wire.pcapfile import SYN, Tcp, conversation, ethernet, ip, pcap, pcapng
from tests.wire.peers import PASSWORD, accept, initiator
from tests.wire.session import SERVICES_IPID, Carried, played, steps

from openwmi.wire.decoding import Keys, Trace, decode
from openwmi.wire.decoding.text import lines
from openwmi.wire.errors import PeerMisbehaved
from openwmi.wire.ntlm import nt_hash
from openwmi.wire.rpc import AuthLevel
from openwmi.wire.rpc.constants import PduType

Records = list[dict[str, Any]]
KEYS = Keys([nt_hash("another"), nt_hash(PASSWORD)])
METHODS = [
    "IObjectExporter.ServerAlive2",
    "IRemoteSCMActivator.RemoteCreateInstance",
    "IWbemLevel1Login.NTLMLogin",
    "IWbemServices.ExecQuery",
    "IRemUnknown2.RemQueryInterface",
    "IWbemFetchSmartEnum.GetSmartEnum",
    "IWbemWCOSmartEnum.Next",
    "IWbemWCOSmartEnum.Next",
    "IEnumWbemClassObject.Next",
    "IWbemServices.GetObject",
    "IWbemServices.ExecMethod",
    "IWbemServices.ExecQueryAsync",
    "IWbemObjectSink.Indicate",
    "IWbemObjectSink.SetStatus",
    "IRemUnknown2.RemRelease",
    "IEnumWbemClassObject.Reset",
]


def pdus(records: Records) -> Records:
    return [record for record in records if "pdu" in record]


def named(records: Records, kind: str) -> list[str]:
    return [f"{one.get('interface')}.{one.get('method')}" for one in records if one.get("pdu") == kind]


# Real traffic ---------------------------------------------------------------------------------------------------------


def captures(shared_data: Path) -> list[Path]:
    return sorted((shared_data / "pcap").rglob("*.*cap*"))


@pytest.mark.slow
def test_every_capture_gives_the_pdus_that_its_index_counts(shared_data: Path) -> None:
    index = {
        Path(row["file"]).name: row for row in json.loads((shared_data / "pcap" / "index.json").read_text())
    }
    files = captures(shared_data)
    assert len(files) == len(index) == 22
    for path in files:
        records = list(decode(path.read_bytes()))
        found = Counter(record["pdu"] for record in pdus(records))
        expected = {
            PduType(int(kind)).name.lower(): count for kind, count in index[path.name]["pdu_types"].items()
        }
        assert found == expected, path.name
        for record in records:
            assert json.loads(json.dumps(record)) == record
            assert all(line.isprintable() for line in lines(record))


@pytest.mark.slow
def test_parameters_of_real_hosts_are_read_whole(shared_data: Path) -> None:
    """Whatever is in the clear and of an interface that we speak has its parameters, or says what is wrong."""
    spoken = Counter[str]()
    for path in captures(shared_data):
        for record in pdus(list(decode(path.read_bytes()))):
            whole = not {"first", "middle"} & set(record.get("flags", ()))
            if (
                record["pdu"] in ("request", "response")
                and whole
                and "in" not in record
                and "out" not in record
            ):
                said = {"protection", "stub", "error"} & record.keys()
                assert said or not record["size"] or "method" not in record, record
            spoken[str(record.get("interface"))] += "in" in record or "out" in record
    assert spoken["IRemoteSCMActivator"] == 12
    assert spoken["IRemUnknown2"] >= 20
    assert spoken["IWbemLevel1Login"] >= 12
    assert spoken["IObjectExporter"] >= 10


def test_a_real_activation_is_readable(shared_data: Path) -> None:
    (path,) = (shared_data / "pcap" / "wmi").glob("covenant*")
    records = list(decode(path.read_bytes()))
    asked, answered = [r for r in records if r.get("method") == "RemoteCreateInstance"][:2]
    wanted = asked["in"]["properties"]["InstantiationInfo"]
    assert wanted["class_id"].endswith("(CLSID_WbemLevel1Login)")
    assert wanted["iids"] == ["f309ad18-d86a-11d0-a075-00c04fb68820 (IWbemLevel1Login)"]
    reply = answered["out"]["properties"]["ScmReplyInfo"]["reply"]
    assert any("[" in text for text in reply["bindings"]["strings"])
    # Calls by IPID alone, and what the log-on gave.
    login = next(r for r in records if r.get("method") == "NTLMLogin" and r["pdu"] == "request")
    assert login["in"]["namespace"].lower().endswith("root\\cimv2")
    services = next(r for r in records if r.get("method") == "NTLMLogin" and r["pdu"] == "response")
    assert services["out"]["services"]["iid"].endswith("(IWbemServices)")


def test_a_sealed_conversation_opens_with_the_password(shared_data: Path) -> None:
    folder = shared_data / "pcap" / "dcerpc-keyed"
    facts = json.loads((folder / "vectors.json").read_text())["dcerpc_privacy_ntlm.pcapng"]
    data = (folder / "dcerpc_privacy_ntlm.pcapng").read_bytes()
    sealed = [r for r in decode(data) if r.get("protection") == "sealed"]
    opened = [r for r in decode(data, Keys([nt_hash(facts["password"])])) if "protection" in r]
    assert {r["protection"] for r in opened} == {"verified"}
    assert len(opened) == len(sealed) == 12
    assert "8ae3137102f43671" in opened[0]["stub"]
    # The last answer has six fragments; 33,592 bytes and their digest are in vectors.json.
    assert sum(r["size"] for r in opened[-6:]) == 33592
    assert opened[-1]["stub"].endswith("(33592 bytes)")


def test_pipes_say_their_names(shared_data: Path) -> None:
    path = shared_data / "pcap" / "dcerpc" / "20-fids.pcap"
    records = list(decode(path.read_bytes()))
    assert {"SMB 2"} == {record["carries"] for record in records if "carries" in record}
    assert {record["pipe"] for record in pdus(records)} == {"samr"}
    assert {record["interface"] for record in records if record.get("pdu") == "request"} == {"SAMR, accounts"}


def test_parameters_in_another_encoding_stay_bytes(shared_data: Path) -> None:
    """Windows' own services speak NDR64 to each other; read as NDR20 their parameters would be nonsense."""
    path = shared_data / "pcap" / "dcerpc-keyed" / "dcerpc_privacy_ntlm.pcapng"
    calls = [one for one in decode(path.read_bytes()) if "encoding" in one]
    assert [(one["pdu"], one["method"], one["encoding"]) for one in calls] == [
        ("request", "ept_map", "NDR64"),
        ("response", "ept_map", "NDR64"),
    ]
    assert all("stub" in one for one in calls)


@pytest.mark.req("A-200")
def test_real_objects_are_printed_from_their_hex(shared_data: Path) -> None:
    found = {}
    for path in sorted((shared_data / "wmio").glob("*.dump")):
        (record,) = decode(path.read_bytes())
        found[path.stem] = record["object"]
    assert found["wmio_instance_encoding"]["Data2"] == "defaultValue"
    assert found["wmio_instance_encoding"]["Array"] == [1, 2, 3]
    process = found["wmio_win32_process"]
    assert (len(process["properties"]), len(process["methods"])) == (45, 7)
    assert process["methods"]["Create"]["in"]["CommandLine"]["type"] == "string"
    assert process["properties"]["Handle"]["qualifiers"]["key"] is True
    assert len(found) == 5


# Sessions of our own --------------------------------------------------------------------------------------------------


def captured(carried: Carried) -> bytes:
    return pcap([ethernet(one) for one in conversation(carried.chunks)])


@pytest.mark.parametrize("level", [None, AuthLevel.CONNECT, AuthLevel.INTEGRITY, AuthLevel.PRIVACY])
@pytest.mark.parametrize("on_one_context", [False, True])
def test_a_session_is_read_to_its_last_value(level: int | None, on_one_context: bool) -> None:
    context = None if level is None else initiator
    data = captured(played(context, accept, level or 0, on_one_context=on_one_context))
    records = list(decode(data, KEYS))
    requests, responses = named(records, "request"), named(records, "response")
    assert requests == METHODS
    assert responses == METHODS[:-1]
    assert not [record for record in records if "error" in record]
    expected = {"verified"} if level in (AuthLevel.INTEGRITY, AuthLevel.PRIVACY) else set()
    assert {r["protection"] for r in records if "protection" in r} == expected

    said = {(r["method"], r["pdu"]): r for r in pdus(records) if "method" in r}
    assert said["ExecQuery", "request"]["in"]["query"] == "SELECT * FROM Test_Thing"
    assert said["ExecQuery", "request"]["in"]["context"] == {"context": {"Word": "meaning", "Number": 7}}
    assert said["ExecQuery", "request"]["object"] == str(SERVICES_IPID)
    thing = {
        "__CLASS": "Test_Thing",
        "__PATH": '\\\\SERVER\\root\\cimv2:Test_Thing.Name="Grün"',
        "Name": "Grün",
        "Size": 2**63,
        "Notes": ["a", "b"],
    }
    smart = [r["out"] for r in records if r.get("interface") == "IWbemWCOSmartEnum" and "out" in r]
    assert [[one["Name"] for one in page["packet"]] for page in smart] == [["Grün"], ["second", "Grün"]]
    assert smart[0]["packet"] == [thing]
    assert said["Indicate", "request"]["in"]["objects"] == [thing]
    assert said["SetStatus", "request"]["in"]["status"] == "0x80041002 WBEM_E_NOT_FOUND"
    assert said["GetObject", "response"]["out"]["found"]["properties"]["Size"]["type"] == "uint64"
    assert said["Reset", "fault"]["status"] == "0x80010108 RPC_E_DISCONNECTED"


def test_without_the_password_sealed_calls_keep_their_names() -> None:
    records = list(decode(captured(played(initiator, accept)), Keys([nt_hash("wrong")])))
    assert {r.get("protection") for r in records if r.get("pdu") == "request"} == {"sealed"}
    # Under one context for each interface they are told apart by it, although no reference could be read.
    assert named(records, "request") == METHODS
    assert not [r for r in records if {"in", "out", "stub"} & r.keys()]


def test_no_secret_of_a_handshake_is_in_a_record() -> None:
    carried = played(initiator, accept)
    text = json.dumps(list(decode(captured(carried), KEYS)))
    opening = b"".join(data for _, data in carried.chunks[:4])
    at = opening.index(b"NTLMSSP\0\3")
    for piece in (opening[at + 72 : at + 88], nt_hash(PASSWORD)):
        assert piece.hex() not in text
    size, _, offset = (
        int.from_bytes(opening[at + 20 + i : at + 20 + j], "little") for i, j in ((0, 2), (2, 4), (4, 8))
    )
    response = opening[at + offset : at + offset + size]
    assert len(response) > 100
    assert not any(response[start : start + 8].hex() in text for start in range(0, 24, 4))
    assert '"user": "ada"' in text
    assert repr(KEYS) == "Keys(2 hashes, 0 service keys)"


# Traces ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [None, AuthLevel.INTEGRITY, AuthLevel.PRIVACY])
def test_a_trace_says_what_the_capture_says(level: int | None) -> None:
    """On both sides; sealed calls are in the clear, since the connection opens them."""
    traced: dict[str, list[str]] = {"client": [], "server": []}

    def watch(client: Any, server: Any) -> None:
        near, far = ("client", 1), ("server", 2)
        Trace(traced["client"].append, lambda: 1.5).watch(client, peer=far, local=near)
        Trace(traced["server"].append, lambda: 1.5).watch(server, peer=near, local=far)

    carried = played(None if level is None else initiator, accept, level or 0, watch=watch)
    expected = [
        {
            key: value
            for key, value in record.items()
            if key not in ("packet", "time", "from", "to", "protection")
        }
        for record in decode(captured(carried), KEYS)
    ]
    for name, written in traced.items():
        assert all(line.endswith("\n") and line.count("\n") == 1 for line in written)
        records = [json.loads(line) for line in written]
        assert {record["from"] for record in records} == {"client:1", "server:2"}
        assert records[0]["from"] == "client:1"
        found = [
            {key: value for key, value in record.items() if key not in ("connection", "time", "from", "to")}
            for record in records
        ]
        assert found == expected, name
        text = "".join(written)
        assert nt_hash(PASSWORD).hex() not in text


def test_what_a_peer_breaks_is_traced_and_harms_nobody() -> None:
    written: list[str] = []
    from openwmi.wire.rpc import ServerConnection

    server = ServerConnection(lambda _: True, accept)
    Trace(written.append, lambda: 0.0).watch(server, peer=("p", 1), local=("l", 2))
    carried = played(initiator, accept)
    server.receive(carried.chunks[0][1])
    server.receive(b"\5\0\0\3\x10\0\0\0\x20\0\0\0\1\0\0\0" + b"\xff" * 16)
    server.receive(b"garbage that is no PDU at all")
    assert [json.loads(line)["pdu"] for line in written] == ["bind", "bind_ack", "request", "fault"]


# Streams: order, gaps, links, files -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def plain() -> Carried:
    return played(None, accept)


def said(data: bytes) -> list[str]:
    return named(list(decode(data)), "request")


def test_every_kind_of_file_and_link(plain: Carried) -> None:
    segments = conversation(plain.chunks)
    six = conversation(plain.chunks, client=("2001:db8::1", 50_000), server=("2001:db8::2", 135))
    frames, raw = [ethernet(one) for one in segments], [ip(one) for one in segments]
    cooked = [b"\0\0\0\1\0\6" + bytes(8) + b"\x08\0" + packet for packet in raw]
    cooked2 = [b"\x08\0\0\0\0\0\0\1\0\1\0\6" + bytes(8) + packet for packet in raw]
    files = {
        "pcap": pcap(frames),
        "pcap, big-endian": pcap(frames, order=">"),
        "pcap, nanoseconds": pcap(frames, nano=True),
        "pcapng": pcapng(frames),
        "pcapng, big-endian": pcapng(frames, order=">"),
        "pcapng, nanoseconds": pcapng(frames, resolution=9),
        "two sections": pcapng(frames[:5]) + pcapng(frames[5:], order=">"),
        "VLAN": pcap([ethernet(one, vlans=2) for one in segments]),
        "raw": pcap(raw, 101),
        "raw, old number": pcap(raw, 12),
        "IPv4": pcap(raw, 228),
        "IPv6": pcap([ip(one) for one in six], 229),
        "IPv6 over Ethernet": pcap([ethernet(one) for one in six]),
        "loopback": pcap([b"\2\0\0\0" + packet for packet in raw], 0),
        "loopback, network order": pcap([b"\0\0\0\2" + packet for packet in raw], 108),
        "cooked": pcap(cooked, 113),
        "cooked, second version": pcap(cooked2, 276),
        "with pad bytes": pcap([frame + bytes(6) for frame in frames]),
    }
    for name, data in files.items():
        assert said(data) == METHODS, name
    first = next(decode(files["IPv6"]))
    assert (first["from"], first["to"]) == ("[2001:db8::1]:50000", "[2001:db8::2]:135")
    for name in ("pcap", "pcap, big-endian", "pcap, nanoseconds", "pcapng", "pcapng, nanoseconds"):
        assert 1_700_000_000 <= next(decode(files[name]))["time"] < 1_700_000_001, name


def test_segments_out_of_order_and_sent_again(plain: Carried) -> None:
    segments = [one for one in conversation(plain.chunks, largest=100) if one.payload or one.flags & SYN]
    swapped = segments[:2] + [
        one for pair in zip(segments[3::2], segments[2::2], strict=False) for one in pair
    ]
    twice = [one for segment in segments for one in (segment, segment)]
    overlapping = []
    for one, following in zip(segments, [*segments[1:], segments[0]], strict=True):
        joined = one.payload + following.payload[:7] if one.source == following.source else one.payload
        overlapping.append(one._replace(payload=joined))
    for name, some in {"swapped": swapped, "twice": twice, "overlapping": overlapping}.items():
        assert sorted(said(pcap([ethernet(one) for one in some]))) == sorted(METHODS), name


def test_a_gap_is_told_and_what_follows_is_read(plain: Carried) -> None:
    segments = conversation(plain.chunks)
    victim = next(number for number, one in enumerate(segments) if b"S\0E\0L\0E\0C\0T" in one.payload)
    lost = segments[victim]
    frames = [ethernet(one) for one in segments if one is not lost]
    records = list(decode(pcap(frames)))
    assert [record["missing"] for record in records if "missing" in record] == [len(lost.payload)]
    assert named(records, "request") == [name for name in METHODS if name != "IWbemServices.ExecQuery"]
    # The answer is there, and says what it can without its question.
    answers = [record for record in pdus(records) if record["pdu"] == "response"]
    assert len(answers) == len(METHODS) - 1


def test_a_gap_in_a_sealed_direction_ends_what_can_be_opened() -> None:
    carried = played(initiator, accept)
    segments = conversation(carried.chunks, largest=100_000)
    sealed = [one for one in segments if one.payload[:3] == b"\5\0\0"]
    frames = [ethernet(one) for one in segments if one is not sealed[3]]
    records = list(decode(pcap(frames), KEYS))
    requests = [record.get("protection") for record in records if record.get("pdu") == "request"]
    assert requests[:3] == ["verified"] * 3
    assert set(requests[3:]) == {"sealed; the keys are out of step behind a gap"}
    # The other direction goes on.
    assert {r.get("protection") for r in records if r.get("pdu") == "response"} == {"verified"}


def test_a_capture_that_begins_in_the_middle_or_is_cut(plain: Carried) -> None:
    segments = conversation(plain.chunks)
    late = [ethernet(one) for one in segments[8:]]
    assert len(said(pcap(late))) >= len(METHODS) - 2
    short = pcapfile.struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 96, 1)
    for one in segments:
        frame = ethernet(one)
        short += pcapfile.struct.pack("<IIII", 0, 0, min(len(frame), 96), len(frame)) + frame[:96]
    records = list(decode(short))
    assert any("missing" in record for record in records)
    whole = pcap([ethernet(one) for one in segments])
    records = list(decode(whole[:-3]))
    assert "breaks off" in records[-1]["error"] or "breaks off" in records[-2]["error"]
    assert named(records, "request") == METHODS


def test_ports_that_are_used_again_are_another_connection(plain: Carried) -> None:
    frames = [ethernet(one) for one in conversation(plain.chunks)]
    assert said(pcap(frames + frames)) == METHODS * 2


@pytest.mark.slow
def test_what_looks_like_a_pdu_and_is_none_is_passed_over(plain: Carried) -> None:
    """Any number of it, and in pieces of any size."""
    false = b"\5\0\0\3\x10\0\0\0" + bytes(8)  # a length of 0
    first, *others = [data for _, data in plain.chunks]
    for garbage in (false * 5000, b"x" * 5000, false + b"\5", b"\5\0\0"):
        chunks = [(True, first), (True, garbage + others[1]), *[(True, one) for one in others[2:]]]
        for largest in (1, 7, 60_000):
            if len(garbage) > 100 and largest < 100:
                continue
            records = list(decode(pcap([ethernet(one) for one in conversation(chunks, largest=largest)])))
            assert [one["skipped"] for one in records if "skipped" in one] == [len(garbage)]
            assert named(records, "request") == METHODS


def test_other_traffic_is_named() -> None:
    web = [(True, b"GET / HTTP/1.1\r\n\r\n"), (False, b"HTTP/1.1 200 OK\r\n\r\n")]
    files = {
        "HTTP": web,
        "something else": [(True, b"\x16\x03\x01\0\5hello")],
        "SMB 1": [(True, b"\0\0\0\5\xffSMBr")],
        "SMB 3, encrypted": [(True, b"\0\0\0\5\xfdSMBr")],
    }
    for expected, chunks in files.items():
        records = list(decode(pcap([ethernet(one) for one in conversation(chunks)])))
        assert [record["carries"] for record in records] == [expected]
    udp = ethernet(Tcp(("192.0.2.1", 1), ("192.0.2.2", 2), 0, 0, 0))
    udp = udp[:23] + b"\x11" + udp[24:]
    assert list(decode(pcap([udp]))) == [{"packets": 1, "carries": "no TCP, or TCP that cannot be read"}]


# Hex ------------------------------------------------------------------------------------------------------------------


def xxd(data: bytes) -> str:
    rows = []
    for at in range(0, len(data), 16):
        row = data[at : at + 16]
        pairs = " ".join(row[i : i + 2].hex() for i in range(0, len(row), 2))
        rows.append(f"{at:08x}: {pairs:39}  {shown(row)}")
    return "\n".join(rows) + "\n"


def hexdump(data: bytes) -> str:
    rows = []
    for at in range(0, len(data), 16):
        row = data[at : at + 16]
        half = " ".join(f"{byte:02x}" for byte in row[:8]), " ".join(f"{byte:02x}" for byte in row[8:])
        rows.append(f"{at:08x}  {half[0]:23}  {half[1]:23}  |{shown(row)}|")
    return "\n".join([*rows, f"{len(data):08x}"]) + "\n"


def wireshark(data: bytes) -> str:
    rows = []
    for at in range(0, len(data), 16):
        row = data[at : at + 16]
        rows.append(f"{at:04x}   {' '.join(f'{byte:02x}' for byte in row):47}   {shown(row)}")
    return "\n".join(rows) + "\n\n"


def shown(row: bytes) -> str:
    return "".join(chr(byte) if 33 <= byte < 127 else "." for byte in row)


@pytest.mark.parametrize("dump", [xxd, hexdump, wireshark, bytes.hex], ids=lambda f: f.__name__)
def test_dumps_of_every_program(dump: Any, plain: Carried) -> None:
    stream = b"".join(data for _, data in plain.chunks)
    assert said(dump(stream).encode()) == METHODS
    assert said(stream) == METHODS
    if dump is not bytes.hex:
        # One dump for each PDU, as text2pcap and Wireshark write them.
        each = "".join(dump(data) for _, data in plain.chunks)
        assert said(each.encode()) == METHODS
        frames = "".join(dump(ethernet(one)) for one in conversation(plain.chunks) if one.payload)
        assert len(said(frames.encode())) >= len(METHODS) - 3


def test_pieces_by_themselves(shared_data: Path) -> None:
    from tests.wire.session import LOGIN_IPID, THING, reference

    from openwmi.wire.wmi.guids import IWbemLevel1Login
    from openwmi.wmio import encode
    from openwmi.wmio.arrays import ArrayEncoder

    token = initiator().step(b"")
    assert [r["reference"]["ipid"] for r in decode(reference(IWbemLevel1Login, LOGIN_IPID))] == [
        str(LOGIN_IPID)
    ]
    assert [r["object"]["Name"] for r in decode(encode(THING))] == ["Grün"]
    assert [r["object"]["Name"] for r in decode(ArrayEncoder(lambda: bytes(16)).encode([THING]))] == ["Grün"]
    assert [r["handshake"]["ntlm"] for r in decode(token)] == ["NEGOTIATE"]
    for data in (b"", b"nothing of the kind", b"\x7fELF\2\1\1\0", b"12345", b"00000000 0g\n00000010 00\n"):
        with pytest.raises(PeerMisbehaved):
            list(decode(data))


def test_steps_are_what_the_names_say() -> None:
    assert [step.method.name for step in steps()] == [name.partition(".")[2] for name in METHODS]


def test_a_line_is_a_line_whatever_names_and_values_hold() -> None:
    record = {"pdu": "request", "pipe": "a\nb", "in": {"na\nme": "va\x1b[1mlue", "plain": ["x", "y\n"]}}
    assert list(lines(record)) == [
        "pipe 'a\\nb'  request",
        "    in:",
        "        'na\\nme': 'va\\x1b[1mlue'",
        "        plain: x, 'y\\n'",
    ]
