"""A client written with impacket's structures alone exports a sink, and our server calls it back (wire.md 6).

The sink's side is the test's own: a socket, impacket's PDUs, its NTLM (which knows the server's half as far as the
cryptography goes) and its stubs of IObjectExporter, IRemUnknown and IWbemObjectSink.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import queue
import socket
import struct
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from tests.remote.server.impacket_kit import close_everything
from tests.remote.server.serving import NAMESPACE, PASSWORD, Served, rows

from openwmi.model import status

rpcrt = pytest.importorskip("impacket.dcerpc.v5.rpcrt")
dcomrt = pytest.importorskip("impacket.dcerpc.v5.dcomrt")
wmi = pytest.importorskip("impacket.dcerpc.v5.dcom.wmi")
ntlm = pytest.importorskip("impacket.ntlm")
dtypes = pytest.importorskip("impacket.dcerpc.v5.dtypes")
uuid = pytest.importorskip("impacket.uuid")
transport = pytest.importorskip("impacket.dcerpc.v5.transport")

SECONDS = 60.0
OXID, OID = 0x1122334455667788, 0x99AA
SINK, UNKNOWN = os.urandom(16), os.urandom(16)
NDR20 = ("8a885d04-1ceb-11c9-9fe8-08002b104860", "2.0")


class Association:
    """One connection to the sink's port: an NTLM acceptor at PKT_PRIVACY over impacket's cryptography."""

    def __init__(self, link: socket.socket, owner: SinkProcess) -> None:
        self.link = link
        self.owner = owner
        self.challenge = os.urandom(8)
        self.contexts: dict[int, str] = {}
        self.sealing: dict[str, Any] = {}
        self.sequence = {"in": 0, "out": 0}
        self.level = 1
        self.trailer = b""
        self.arrived = b""

    def serve(self) -> None:
        with self.link, contextlib.suppress(OSError, EOFError):
            while True:
                head = self._exactly(16)
                (length,) = struct.unpack_from("<H", head, 8)
                self._pdu(head + self._exactly(length - 16))

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = self.link.recv(count - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def _pdu(self, data: bytes) -> None:
        header = rpcrt.MSRPCHeader(data)
        if header["type"] in (rpcrt.MSRPC_BIND, rpcrt.MSRPC_ALTERCTX):
            self._bind(header, data)
        elif header["type"] == rpcrt.MSRPC_AUTH3:
            self._prove(data[-header["auth_len"] :])
        elif header["type"] == rpcrt.MSRPC_REQUEST:
            self._request(header, data)

    def _bind(self, header: Any, data: bytes) -> None:
        (count,) = struct.unpack_from("<B", data, 24)
        at, results = 28, b""
        for _ in range(count):
            number, transfers = struct.unpack_from("<HBx", data, at)
            name = uuid.bin_to_string(data[at + 4 : at + 20]).lower()
            self.contexts[number] = name
            results += struct.pack("<HH", 0, 0) + uuid.uuidtup_to_bin(NDR20)
            at += 24 + 20 * transfers
        kind = rpcrt.MSRPC_BINDACK if header["type"] == rpcrt.MSRPC_BIND else rpcrt.MSRPC_ALTERCTX_R
        port = b"\6\0" + b"12345\0" if kind == rpcrt.MSRPC_BINDACK else b"\0\0"
        body = struct.pack("<HHI", 4280, 4280, 7) + port
        body += bytes(-(16 + len(body)) % 4) + struct.pack("<BBH", count, 0, 0) + results
        token = self._challenge(data[-header["auth_len"] :]) if header["auth_len"] else b""
        if token:
            start = len(data) - header["auth_len"] - 8
            self.level = data[start + 1]
            self.trailer = data[start : start + 2] + b"\0\0" + data[start + 4 : start + 8]
            body += bytes(-len(body) % 4) + self.trailer
        self._send(kind, header["call_id"], body + token, len(token), header["flags"] & ~4)

    def _challenge(self, negotiate: bytes) -> bytes:
        made = ntlm.NTLMAuthChallenge()
        pairs = ntlm.AV_PAIRS()
        pairs[ntlm.NTLMSSP_AV_DOMAINNAME] = "WORKGROUP".encode("utf-16-le")
        pairs[ntlm.NTLMSSP_AV_HOSTNAME] = "CLIENT".encode("utf-16-le")
        flags = struct.unpack_from("<I", negotiate, 12)[0]
        made["flags"] = flags | ntlm.NTLMSSP_NEGOTIATE_TARGET_INFO | ntlm.NTLMSSP_TARGET_TYPE_SERVER
        name = "CLIENT".encode("utf-16-le")
        made["domain_len"] = made["domain_max_len"] = len(name)
        made["domain_offset"] = 56
        made["domain_name"] = name
        made["challenge"] = self.challenge
        made["TargetInfoFields_len"] = made["TargetInfoFields_max_len"] = len(pairs.getData())
        made["TargetInfoFields_offset"] = 56 + len(name)
        made["TargetInfoFields"] = pairs.getData()
        made["Version"] = b"\x0a\0\x63\x45\0\0\0\x0f"
        made["VersionLen"] = 8
        self.flags = made["flags"]
        return bytes(made.getData())

    def _prove(self, token: bytes) -> None:
        """The account's password proves itself by NTLMv2; then the session's keys."""
        answer = ntlm.NTLMAuthChallengeResponse()
        answer.fromString(token)
        user, domain = (answer[name].decode("utf-16-le") for name in ("user_name", "domain_name"))
        self.owner.users.append((user, domain))
        key = ntlm.NTOWFv2(user, PASSWORD, domain)
        response = bytes(answer["ntlm"])
        proof = ntlm.hmac_md5(key, self.challenge + response[16:])
        assert hmac.compare_digest(proof, response[:16]), "not the account's password"
        session = ntlm.generateEncryptedSessionKey(ntlm.hmac_md5(key, proof), bytes(answer["session_key"]))
        self.keys = {
            "in": (ntlm.SIGNKEY(self.flags, session), ntlm.SEALKEY(self.flags, session)),
            "out": (ntlm.SIGNKEY(self.flags, session, "Server"), ntlm.SEALKEY(self.flags, session, "Server")),
        }
        for way, (_, seal) in self.keys.items():
            self.sealing[way] = ntlm.ARC4.new(seal).encrypt

    def _request(self, header: Any, data: bytes) -> None:
        context, opnum = struct.unpack_from("<HH", data, 20)
        at = 40 if header["flags"] & rpcrt.PFC_OBJECT_UUID else 24
        target = data[24:40] if at == 40 else b""
        stub = data[at:]
        if header["auth_len"]:
            end = len(data) - header["auth_len"] - 8
            pad = data[end + 2]
            stub = self._unseal(data, at, end)
            stub = stub[: len(stub) - pad]
        self.arrived += stub
        if not header["flags"] & rpcrt.PFC_LAST_FRAG:
            return
        stub, self.arrived = self.arrived, b""
        answer = self.owner.answer(self.contexts[context], opnum, target, stub, self.level)
        self._respond(header["call_id"], context, answer)

    def _unseal(self, data: bytes, at: int, end: int) -> bytes:
        """Opened, and its signature checked: head, stub and trailer are under it."""
        sign, _ = self.keys["in"]
        plain = self.sealing["in"](data[at:end])
        expected = ntlm.MAC(
            self.flags, self.sealing["in"], sign, self.sequence["in"], data[:at] + plain + data[end : end + 8]
        )
        self.sequence["in"] += 1
        assert bytes(expected.getData()) == data[end + 8 :], "a wrong signature"
        return bytes(plain)

    def _respond(self, call_id: int, context: int, stub: bytes) -> None:
        body = struct.pack("<IHBB", len(stub), context, 0, 0)
        if not self.keys_known():
            self._send(rpcrt.MSRPC_RESPONSE, call_id, body + stub, 0, 3)
            return
        pad = -len(stub) % 16
        stub += bytes(pad)
        trailer = self.trailer[:2] + bytes((pad, 0)) + self.trailer[4:]
        length = 16 + len(body) + len(stub) + 8 + 16
        head = struct.pack("<BBBBIHHI", 5, 0, rpcrt.MSRPC_RESPONSE, 3, 0x10, length, 16, call_id) + body
        sign, _ = self.keys["out"]
        sealed = self.sealing["out"](stub)
        mac = ntlm.MAC(self.flags, self.sealing["out"], sign, self.sequence["out"], head + stub + trailer)
        self.sequence["out"] += 1
        self.link.sendall(head + bytes(sealed) + trailer + bytes(mac.getData()))

    def keys_known(self) -> bool:
        return bool(self.sealing)

    def _send(self, kind: int, call_id: int, body: bytes, auth: int, flags: int) -> None:
        head = struct.pack("<BBBBIHHI", 5, 0, kind, flags, 0x10, 16 + len(body), auth, call_id)
        self.link.sendall(head + body)


class SinkProcess:
    """The exporter of a client: its port, and what was called there."""

    def __init__(self) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        self.heard: queue.Queue[tuple[str, Any]] = queue.Queue()
        self.users: list[tuple[str, str]] = []
        self.levels: set[int] = set()
        self.threads: list[threading.Thread] = []
        self.links: list[socket.socket] = []
        self._thread(self._accept)

    def _thread(self, work: Any) -> None:
        self.threads.append(threading.Thread(target=work, daemon=True))
        self.threads[-1].start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                link, _ = self.listening.accept()
                self.links.append(link)
                self._thread(Association(link, self).serve)

    def close(self) -> None:
        self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()
        for link in self.links:
            with contextlib.suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join(SECONDS)

    def bindings(self, port: bool = True) -> bytes:
        text = f"127.0.0.1[{self.port}]\0".encode("utf-16-le")
        units = b"\7\0" + text + b"\0\0"
        offset = len(units) // 2
        units += b"\x0a\0\xff\xff\0\0" + b"\0\0"
        return struct.pack("<HH", len(units) // 2, offset) + units

    def reference(self) -> bytes:
        """An OBJREF_STANDARD of the sink, in impacket's structures."""
        made = dcomrt.OBJREF_STANDARD()
        made["iid"] = uuid.string_to_bin("7C857801-7381-11CF-884D-00AA004B2E24")
        made["flags"] = dcomrt.FLAGS_OBJREF_STANDARD
        for name, value in (
            ("flags", 0x1000),
            ("cPublicRefs", 5),
            ("oxid", OXID),
            ("oid", OID),
            ("ipid", SINK),
        ):
            made["std"][name] = value
        made["saResAddr"] = self.bindings()
        return bytes(made.getData())

    def answer(self, interface: str, opnum: int, target: bytes, stub: bytes, level: int) -> bytes:
        if interface == "99fcfec4-5260-101b-bbcb-00aa0021347a":
            return self._resolver(opnum, stub, level)
        self.levels.add(level)
        that = bytes(8)
        if target == UNKNOWN:
            self.heard.put(({4: "AddRef", 5: "Release"}[opnum], stub))
            counted = struct.pack("<II", 1, 0) if opnum == 4 else b""
            return that + counted + bytes(4)
        assert target == SINK
        kind = {3: wmi.IWbemObjectSink_Indicate, 4: wmi.IWbemObjectSink_SetStatus}[opnum]
        request = kind()
        request.fromString(stub)
        self.heard.put((kind.__name__.partition("_")[2], request))
        return that + bytes(4)

    def _resolver(self, opnum: int, stub: bytes, level: int) -> bytes:
        dsa = self.bindings()
        array = struct.pack("<II", 0x20000, (len(dsa) - 4) // 2) + dsa
        array += bytes(-len(array) % 4)
        if opnum == 5:  # ServerAlive2
            text = struct.pack("<HH", 5, 7) + array
            return text + bytes(8)
        assert opnum == 4, "ResolveOxid2"
        assert struct.unpack_from("<Q", stub)[0] == OXID
        self.levels.add(level)
        return array + UNKNOWN + struct.pack("<IHHI", 5, 5, 7, 0)


@pytest.fixture
def sink() -> Iterator[SinkProcess]:
    made = SinkProcess()
    yield made
    made.close()
    close_everything()


class Client:
    """impacket's DCOM client on another port than 135, and its IWbemServices."""

    def __init__(self, address: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
        host, port = address
        original = transport.DCERPCTransportFactory

        def factory(binding: str) -> Any:
            return original(binding if "[" in binding else f"{binding}[{port}]")

        monkeypatch.setattr(transport, "DCERPCTransportFactory", factory)
        self.dcom = dcomrt.DCOMConnection(
            host, "ada", PASSWORD, "", authLevel=rpcrt.RPC_C_AUTHN_LEVEL_PKT_PRIVACY, oxidResolver=False
        )
        made = self.dcom.CoCreateInstanceEx(wmi.CLSID_WbemLevel1Login, wmi.IID_IWbemLevel1Login)
        login = wmi.IWbemLevel1Login(made)
        self.services = login.NTLMLogin("//./" + NAMESPACE.replace("\\", "/"), dtypes.NULL, dtypes.NULL)
        self.services.get_dce_rpc().set_auth_level(rpcrt.RPC_C_AUTHN_LEVEL_PKT_PRIVACY)

    def call(self, request: Any) -> int:
        services = self.services
        try:
            answer = services.request(request, iid=wmi.IID_IWbemServices, uuid=services.get_iPid())
        except Exception as failure:
            code = getattr(failure, "error_code", None) or failure.get_error_code()  # type: ignore[attr-defined]
            return int(code) & 0xFFFFFFFF
        return int(answer["ErrorCode"])

    def query_async(self, text: str, reference: bytes) -> int:
        request = wmi.IWbemServices_ExecQueryAsync()
        request["strQueryLanguage"]["asData"] = "WQL\0"
        request["strQuery"]["asData"] = text + "\0"
        request["lFlags"] = 0
        request["pCtx"] = dtypes.NULL
        request["pResponseHandler"]["ulCntData"] = len(reference)
        request["pResponseHandler"]["abData"] = list(reference)
        return self.call(request)

    def cancel(self, reference: bytes) -> int:
        request = wmi.IWbemServices_CancelAsyncCall()
        request["IWbemObjectSink"]["ulCntData"] = len(reference)
        request["IWbemObjectSink"]["abData"] = list(reference)
        return self.call(request)


def objects(request: Any) -> list[dict[str, Any]]:
    """The instances of an Indicate, as impacket reads them."""
    found = []
    for pointer in request["apObjArray"]:
        reference = b"".join(pointer["abData"])
        unit = wmi.ENCODING_UNIT(dcomrt.OBJREF_CUSTOM(reference)["pObjectData"])
        block = unit["ObjectBlock"]
        block.parseObject()
        values = block.ctCurrent["properties"]
        found.append({name: values[name]["value"] for name in values})
    return found


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_asynchronous_query_of_a_client_of_impackets(
    served: Served, sink: SinkProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Client(served.listen(), monkeypatch)
    assert client.query_async("SELECT N, S FROM Row", sink.reference()) == 0
    seen: list[dict[str, Any]] = []
    names = []
    while True:
        name, heard = sink.heard.get(timeout=SECONDS)
        names.append(name)
        if name == "Indicate":
            assert heard["lObjectCount"] == len(heard["apObjArray"]) <= 100
            seen += objects(heard)
        if name == "SetStatus":
            assert (heard["lFlags"], heard["hResult"]) == (0, 0)
        if name == "Release":
            refs = struct.unpack_from("<16sII", heard, 40)
            assert refs == (SINK, 6, 0), "the five that came along, and the one by which we were tried"
            break
    assert seen == rows(250)
    assert names[0] == "AddRef"
    assert names[-2:] == ["SetStatus", "Release"]
    assert set(names[1:-2]) == {"Indicate"}
    assert sink.levels == {rpcrt.RPC_C_AUTHN_LEVEL_PKT_PRIVACY}
    assert {user for user, _ in sink.users} == {"ada"}
    assert client.cancel(sink.reference()) == status.WBEM_E_NOT_FOUND
