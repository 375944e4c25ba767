"""IWbemServices and what it gives, over the wire: flags, call results, enumerators, contexts, namespaces, lifetimes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest
from tests.remote.kit import Caller
from tests.remote.server.serving import PASSWORD, Served, rows
from tests.remote.server.session import INTERFACES, Session, ipid_of

from openwmi.contract.context import Context
from openwmi.model import status
from openwmi.mof import compile as compile_mof
from openwmi.remote.server import positions
from openwmi.remote.server.login import local_part
from openwmi.wire import errors
from openwmi.wire.dcom import activation as a
from openwmi.wire.dcom import guids as d
from openwmi.wire.dcom import objref
from openwmi.wire.dcom import remunknown as r
from openwmi.wire.dcom.properties import InstantiationInfo, PropsOutInfo
from openwmi.wire.wmi import apartment, guids, login, services
from openwmi.wire.wmi import enumerators as e
from openwmi.wire.wmi import results as w
from openwmi.wire.wmi.contexts import write_context
from openwmi.wire.wmi.types import object_in, reference_to
from openwmi.wmio.arrays import ArrayDecoder

GET, PUT_CLASS, PUT, DELETE, QUERY, EVENTS, EXECUTE = (
    services.METHODS[n] for n in (6, 8, 14, 16, 20, 22, 24)
)
AT_ONCE = 0x10


@pytest.fixture(scope="module")
def address(served: Served) -> tuple[str, int]:
    return served.listen()


@asynccontextmanager
async def session(address: tuple[str, int], **options: Any) -> AsyncIterator[Session]:
    made = await Session.open(address, **options)
    try:
        yield made
    finally:
        await made.close()


async def release(one: Session, *ipids: UUID) -> None:
    asked = r.References([r.InterfaceRef(ipid, 1) for ipid in ipids])
    await one.caller.call(r.REM_RELEASE, asked, one.unknown)


async def opened(one: Session, text: str = "SELECT N, S FROM Row", flags: int = 0x30) -> UUID:
    answer = await one.call(QUERY, language="WQL", query=text, flags=flags)
    assert answer.result == 0, hex(answer.result)
    return ipid_of(answer.enumerator)


async def page(one: Session, ipid: UUID, count: int, timeout: int = -1) -> tuple[int, list[int]]:
    answer = await one.caller.call(e.NEXT, e.Next(timeout, count), ipid)
    return answer.result, [object_in(each).N for each in answer.objects]


# Activation and log-on


async def test_activation_gives_the_interfaces_that_there_are(address: tuple[str, int]) -> None:
    caller = await Caller.connect(address, INTERFACES, password=PASSWORD)
    wanted = (guids.IWbemLevel1Login.uuid, UUID(int=5), guids.IWbemLoginClientID.uuid, d.IID_IUnknown)

    async def activate(clsid: UUID, iids: tuple[UUID, ...]) -> Any:
        properties = a.activation_in((InstantiationInfo(clsid, iids),))
        return await caller.call(a.REMOTE_CREATE_INSTANCE, a.CreateInstance(properties))

    made = await activate(guids.CLSID_WbemLevel1Login, wanted)
    found = a.properties_out(made.properties)
    assert [type(each).__name__ for each in found] == ["PropsOutInfo", "ScmReplyInfo"], (
        "in this order (trap 6)"
    )
    out = a.find(found, PropsOutInfo)
    assert list(out.results or ()) == [0, 0x80004002, 0, 0]
    assert [each is None for each in out.interfaces or ()] == [False, True, False, False]
    first, _, third, _ = (each and objref.standard(each).std for each in out.interfaces or ())
    assert first.oid == third.oid  # type: ignore[union-attr]
    assert (await activate(UUID(int=9), wanted)).result == a.REGDB_E_CLASSNOTREG
    assert (await activate(guids.CLSID_WbemLevel1Login, (UUID(int=5),))).result == status.E_NOINTERFACE
    await caller.close()


@pytest.mark.req("calls:A33")
async def test_the_older_activation(address: tuple[str, int]) -> None:
    caller = await Caller.connect(address, [d.IActivation, guids.IWbemLevel1Login], password=PASSWORD)
    iids = (guids.IWbemLevel1Login.uuid, UUID(int=5))
    made = await caller.call(a.REMOTE_ACTIVATION, a.Activation(guids.CLSID_WbemLevel1Login, iids, (7, 15)))
    assert (made.result, list(made.results), made.status) == (0, [0, 0x80004002], 0)
    assert made.bindings is not None
    assert made.bindings.strings[0].address == f"{address[0]}[{address[1]}]"
    answer = await caller.call(
        login.ESTABLISH_POSITION, login.EstablishPosition(), ipid_of(made.interfaces[0])
    )
    assert (answer.version, answer.result) == (1, 0)
    unknown = await caller.call(a.REMOTE_ACTIVATION, a.Activation(UUID(int=9), iids, (7,)))
    assert (unknown.result, list(unknown.results)) == (a.REGDB_E_CLASSNOTREG, [a.REGDB_E_CLASSNOTREG] * 2)
    await caller.close()


@pytest.mark.req("calls:E5")
async def test_the_unsecured_apartment_is_for_its_own_machine_alone(address: tuple[str, int]) -> None:
    iids = (guids.IUnsecuredApartment.uuid, guids.IWbemUnsecuredApartment.uuid)
    caller = await Caller.connect(address, [*INTERFACES, *iids], password=PASSWORD)
    properties = a.activation_in((InstantiationInfo(guids.CLSID_UnsecuredApartment, iids),))
    made = await caller.call(a.REMOTE_CREATE_INSTANCE, a.CreateInstance(properties))
    found = a.find(a.properties_out(made.properties), PropsOutInfo)
    simple, checking = map(ipid_of, found.interfaces or ())
    for method, ipid in (
        (apartment.CREATE_OBJECT_STUB, simple),
        (apartment.CREATE_OBJECT_STUB, checking),
        (apartment.CREATE_SINK_STUB, checking),
    ):
        answer = await caller.call(method, login.Unread(), ipid)
        assert (answer.stub, answer.result) == (None, 0x8000FFFF)
    await caller.close()


@pytest.mark.req("calls:A21", "calls:A36")
@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        ("//./root/x", "root\\x"),
        (r"\\.\root\x", "root\\x"),
        (r"\\some.host\root\x", "root\\x"),
        ("root/x", "root\\x"),
        (r"\\::1\root", "root"),
        ("", ""),
        ("\\\\", "\\\\"),
        (r"\\.", r"\\."),
        ("\\\\.\\", ""),
        (r"\root", r"\root"),
    ],
)
def test_the_server_part_of_a_resource_means_this_machine(resource: str, expected: str) -> None:
    assert local_part(resource) == expected


@pytest.mark.req("calls:A35", "calls:A37")
async def test_what_a_log_in_refuses(address: tuple[str, int]) -> None:
    async with session(address) as one:
        properties = a.activation_in(
            (InstantiationInfo(guids.CLSID_WbemLevel1Login, (guids.IWbemLevel1Login.uuid,)),)
        )
        made = await one.caller.call(a.REMOTE_CREATE_INSTANCE, a.CreateInstance(properties))
        door = ipid_of((a.find(a.properties_out(made.properties), PropsOutInfo).interfaces or [None])[0])

        async def enter(namespace: str | None, locale: str | None = None, flags: int = 0) -> int:
            asked = login.NtlmLogin(namespace, locale, flags)
            return int((await one.caller.call(login.NTLM_LOGIN, asked, door)).result)

        assert await enter("root") == 0
        assert await enter("root", "MS_409,MS_407", 0x140) == 0
        assert await enter(None) == status.WBEM_E_INVALID_PARAMETER
        assert await enter("root", "no locale!") == status.WBEM_E_INVALID_PARAMETER
        assert await enter("root", flags=1) == status.WBEM_E_INVALID_PARAMETER
        assert await enter("root\\nowhere") == status.WBEM_E_INVALID_NAMESPACE
        assert await enter("root\\" + "x" * 8200) == status.WBEM_E_QUOTA_VIOLATION
        for bad in ("", "\\", "\\\\", "\\\\.", "\\\\.\\", "\\root", "root\\", "root\\\\default"):
            assert await enter(bad) == status.WBEM_E_INVALID_NAMESPACE, bad


# Objects and call results


@pytest.mark.req("calls:B10", "calls:B12", "calls:B46")
async def test_get_object_in_all_its_forms(address: tuple[str, int]) -> None:
    async with session(address) as one:
        direct = await one.call(GET, path="Row.N=3", found=b"")
        assert (object_in(direct.found).S, direct.call_result) == ("s3", None)  # type: ignore[union-attr]
        both = await one.call(GET, path="Row.N=3", found=b"", call_result=b"")
        assert object_in(both.found).S == "s3"  # type: ignore[union-attr]
        later = await one.call(GET, path="Row.N=4", flags=AT_ONCE, call_result=b"")
        assert later.found is None
        ipid = ipid_of(later.call_result)
        got = await one.caller.call(w.GET_RESULT_OBJECT, w.Timeout(-1), ipid)
        assert object_in(got.found).S == "s4"  # type: ignore[union-attr]
        done = await one.caller.call(w.GET_CALL_STATUS, w.Timeout(0), ipid)
        assert (done.result, done.status) == (0, 0)
        wrong = await one.caller.call(w.GET_RESULT_STRING, w.Timeout(-1), ipid)
        assert wrong.result == status.WBEM_E_INVALID_OPERATION
        assert (await one.call(GET, path="Row.N=3", flags=AT_ONCE)).result == status.WBEM_E_INVALID_PARAMETER
        assert (await one.call(GET, path="Row.N=3")).result == status.WBEM_E_INVALID_PARAMETER
        missing = await one.call(GET, path="Row.N=999", found=b"")
        assert (missing.result, missing.found) == (status.WBEM_E_NOT_FOUND, b"")
        empty = await one.call(GET, path=None, found=b"")
        assert empty.result == 0


@pytest.mark.req("calls:B13", "calls:B28", "calls:B29", "calls:F28", "calls:F29")
async def test_a_put_and_its_call_result(address: tuple[str, int]) -> None:
    async with session(address) as one:
        class_ = object_in((await one.call(GET, path="Item", found=b"")).found)
        item = reference_to(class_.spawn({"Id": 77, "Text": "put"}))  # type: ignore[union-attr]
        put = await one.call(PUT, object=item, call_result=b"")
        ipid = ipid_of(put.call_result)
        stored = await one.caller.call(w.GET_RESULT_STRING, w.Timeout(-1), ipid)
        assert stored.text.endswith("Item.Id=77")
        again = await one.call(PUT, object=item, flags=2, call_result=b"")
        assert again.result == 0, "what failed is told by the call result alone"
        told = await one.caller.call(w.GET_CALL_STATUS, w.Timeout(-1), ipid_of(again.call_result))
        assert (told.result, told.status) == (0, status.WBEM_E_ALREADY_EXISTS)
        failed = await one.caller.call(w.GET_RESULT_STRING, w.Timeout(-1), ipid_of(again.call_result))
        assert (failed.result, failed.text) == (status.WBEM_E_ALREADY_EXISTS, None)
        assert (await one.call(PUT, object=item, flags=2)).result == status.WBEM_E_ALREADY_EXISTS
        assert (await one.call(DELETE, path="Item.Id=77")).result == 0
        assert (await one.call(PUT)).result == status.WBEM_E_INVALID_PARAMETER
        broken = objref.Custom(
            guids.IID_IWbemClassObject, guids.CLSID_WbemClassObject, b"\x78\x56\x34\x12"
        ).encode()
        assert (await one.call(PUT, object=broken)) != 0
        new = await one.call(PUT_CLASS, object=reference_to(class_), flags=2, call_result=b"")
        told = await one.caller.call(w.GET_CALL_STATUS, w.Timeout(-1), ipid_of(new.call_result))
        assert told.status == status.WBEM_E_ALREADY_EXISTS


@pytest.mark.req("calls:B94")
async def test_a_method(address: tuple[str, int]) -> None:
    async with session(address) as one:
        class_: Any = object_in((await one.call(GET, path="Row", found=b"")).found)
        inputs = class_.methods["do"].inputs.spawn({"What": "ab", "Times": 2})
        asked = {"path": "Row.N=1", "method": "Do", "params": reference_to(inputs)}
        direct: Any = object_in((await one.call(EXECUTE, **asked, found=b"")).found)
        assert (direct.ReturnValue, direct.Done, direct.Length) == (5, "abab", 4)
        later = await one.call(EXECUTE, **asked, flags=AT_ONCE, call_result=b"")
        got: Any = await one.caller.call(w.GET_RESULT_OBJECT, w.Timeout(-1), ipid_of(later.call_result))
        assert object_in(got.found).Done == "abab"
        assert (
            await one.call(EXECUTE, path="Row.N=1", method="Nothing", found=b"")
        ).result == status.WBEM_E_INVALID_METHOD


# Namespaces, contexts


@pytest.mark.req("calls:A38", "calls:A39")
async def test_open_namespace(address: tuple[str, int]) -> None:
    async with session(address, namespace="root") as one:
        opening = services.OPEN
        direct = await one.call(opening, namespace="ServeTests", services=b"")
        below = ipid_of(direct.services)
        answer = await one.call(GET, below, path="Item", found=b"")
        assert answer.result == 0
        later = await one.call(opening, namespace="ServeTests", flags=AT_ONCE, call_result=b"")
        assert later.services is None
        got = await one.caller.call(w.GET_RESULT_SERVICES, w.Timeout(-1), ipid_of(later.call_result))
        assert (await one.call(GET, ipid_of(got.found), path="Row.N=1", found=b"")).result == 0
        for inputs, code in (
            ({"namespace": None, "services": b""}, status.WBEM_E_INVALID_PARAMETER),
            ({"namespace": "\\root", "services": b""}, status.WBEM_E_INVALID_PARAMETER),
            ({"namespace": "ServeTests"}, status.WBEM_E_INVALID_PARAMETER),
            ({"namespace": "ServeTests", "services": b"", "flags": 1}, status.WBEM_E_INVALID_PARAMETER),
            ({"namespace": "nowhere", "services": b""}, status.WBEM_E_INVALID_NAMESPACE),
        ):
            assert (await one.call(opening, **inputs)).result == code, inputs


@pytest.mark.req("calls:A19", "calls:G4", "calls:G5")
async def test_a_context_is_read(address: tuple[str, int]) -> None:
    async with session(address) as one:
        for value, code in ((64, 0), (33, status.WBEM_E_INVALID_PARAMETER)):
            context = write_context(Context({"__ProviderArchitecture": value, "mine": ["a", "b"]}))
            assert (await one.call(GET, path="Row.N=1", found=b"", context=context)).result == code
        answer = await one.call(
            GET,
            path="Row.N=1",
            found=b"",
            context=reference_to(object_in((await one.call(GET, path="Row", found=b"")).found)),
        )
        assert isinstance(answer, int), "not a context: a fault"


# Enumerators


@pytest.mark.req("calls:F3", "calls:F5", "calls:F6", "calls:F8", "calls:F9", "calls:F10")
async def test_pages_and_their_statuses(address: tuple[str, int]) -> None:
    async with session(address) as one:
        ipid = await opened(one, "SELECT N FROM Row WHERE N < 5")
        assert await page(one, ipid, 0) == (0, [])
        assert await page(one, ipid, 3) == (0, [0, 1, 2])
        assert await page(one, ipid, 2) == (0, [3, 4])
        assert await page(one, ipid, 2) == (1, [])
        assert await page(one, ipid, 2) == (1, [])
        ipid = await opened(one, "SELECT N FROM Row WHERE N < 5")
        assert await page(one, ipid, 10) == (1, [0, 1, 2, 3, 4])
        assert (await page(one, ipid, 1, -2))[0] == status.WBEM_E_INVALID_PARAMETER
        failing = await opened(one, "SELECT * FROM Nothing")
        assert await page(one, failing, 1) == (status.WBEM_E_INVALID_CLASS, [])


@pytest.mark.req("calls:F13", "calls:F18", "calls:F19")
async def test_skip_reset_and_clone(address: tuple[str, int]) -> None:
    async with session(address) as one:
        ipid = await opened(one, flags=0)
        assert (await one.caller.call(e.SKIP, e.Next(-1, 10), ipid)).result == 0
        assert await page(one, ipid, 2) == (0, [10, 11])
        twin = ipid_of((await one.caller.call(e.CLONE, e.Nothing(), ipid)).enumerator)
        assert (await one.caller.call(e.RESET, e.Nothing(), ipid)).result == 0
        await release(one, ipid)
        assert await page(one, twin, 2) == (0, [12, 13])
        forward = await opened(one)
        assert (
            await one.caller.call(e.RESET, e.Nothing(), forward)
        ).result == status.WBEM_E_INVALID_OPERATION
        answer = await one.caller.call(e.CLONE, e.Nothing(), forward)
        assert (answer.result, answer.enumerator) == (status.WBEM_E_INVALID_OPERATION, None)


async def smart(one: Session, ipid: UUID) -> UUID:
    asked = r.QueryInterface(ipid, 1, [guids.IWbemFetchSmartEnum.uuid])
    found = await one.caller.call(r.REM_QUERY_INTERFACE, asked, one.unknown)
    fetch = found.results[0].std.ipid
    made = await one.caller.call(e.GET_SMART_ENUM, e.Nothing(), fetch)
    await release(one, fetch)
    return ipid_of(made.enumerator)


@pytest.mark.req("calls:F26")
async def test_the_smart_enumerator_sends_a_class_once_for_each_proxy(address: tuple[str, int]) -> None:
    async with session(address) as one:
        enumerator = await opened(one)
        ipid = await smart(one, enumerator)
        await release(one, enumerator)  # the smart one holds the result by itself
        decoders: dict[int, ArrayDecoder] = {}
        sizes: dict[int, list[int]] = {}
        seen: list[int] = []
        # Proxies by turns; 0 is one as good as any (trap 14).
        for turn, proxy in enumerate([0, 0, 7, 0, 7, 7] * 10):
            answer = await one.caller.call(e.SMART_NEXT, e.SmartNext(UUID(int=proxy), -1, 5), ipid)
            objects = (
                decoders.setdefault(proxy, ArrayDecoder()).decode(answer.packet) if answer.packet else []
            )
            assert len(objects) == answer.returned
            seen += [each.N for each in objects]  # type: ignore[union-attr]
            sizes.setdefault(proxy, []).append(len(answer.packet or b""))
            if answer.result == 1:
                assert turn == 50
                break
        assert seen == [row["N"] for row in rows(250)]
        for lengths in sizes.values():
            assert lengths[0] > lengths[1] + 100
        empty = await one.caller.call(e.SMART_NEXT, e.SmartNext(UUID(int=1), -1, 5), ipid)
        assert (empty.returned, empty.packet, empty.result) == (0, None, 1)


async def test_a_proxy_too_many_gets_its_classes_again(served: Served, address: tuple[str, int]) -> None:
    async with session(address) as one:
        ipid = await smart(one, await opened(one))
        many = served.server.limits.proxies + 3
        for number in (*range(many), 0):
            answer = await one.caller.call(e.SMART_NEXT, e.SmartNext(UUID(int=number), -1, 2), ipid)
            assert len(ArrayDecoder().decode(answer.packet)) == 2, "with its class, whoever asks"


async def test_a_page_is_bounded(
    served: Served, address: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with session(address) as one:
        limits = served.server.limits
        object.__setattr__(limits, "page", 100)
        monkeypatch.setattr(positions, "_AT_ONCE", 50)
        try:
            ipid = await opened(one)
            assert [await page(one, ipid, 0xFFFFFFFF) for _ in range(4)] == [
                (status.WBEM_S_TIMEDOUT, list(range(100))),
                (status.WBEM_S_TIMEDOUT, list(range(100, 200))),
                (1, list(range(200, 250))),
                (1, []),
            ]
        finally:
            object.__setattr__(limits, "page", 10_000)


async def test_a_page_is_bounded_in_bytes(
    served: Served, address: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with session(address) as one:
        limits = served.server.limits
        monkeypatch.setattr(positions, "_AT_ONCE", 50)
        object.__setattr__(limits, "page_size", 1)
        try:
            ipid = await opened(one)
            assert [len((await page(one, ipid, 120))[1]) for _ in range(6)] == [50, 50, 50, 50, 50, 0]
        finally:
            object.__setattr__(limits, "page_size", 8 << 20)
        ipid, decoder = await smart(one, await opened(one)), ArrayDecoder()
        answer = await one.caller.call(e.SMART_NEXT, e.SmartNext(UUID(int=0), -1, 120), ipid)
        assert [each.N for each in decoder.decode(answer.packet)] == list(range(120))  # type: ignore[union-attr]
        rest = await one.caller.call(e.SMART_NEXT, e.SmartNext(UUID(int=0), 1000, 400), ipid)
        assert (rest.returned, rest.result) == (130, 1)
        assert len(decoder.decode(rest.packet)) == 130


async def test_several_waiting_calls_share_a_connection(address: tuple[str, int]) -> None:
    async with session(address) as one:
        query = "SELECT * FROM __InstanceCreationEvent WHERE TargetInstance ISA 'Item'"
        answer = await one.call(EVENTS, language="WQL", query=query, flags=0x30)
        ipid = ipid_of(answer.enumerator)
        waiting = [one.caller.begin(e.NEXT, e.Next(-1, 1), ipid) for _ in range(3)]
        assert len(await one.query("SELECT N FROM Row")) == 250
        await release(one, ipid)
        for number in waiting:
            told = await one.caller.answer(number)
            assert isinstance(told, bytes)
            assert e.NEXT.answered(told)[1].result == status.WBEM_E_CALL_CANCELLED


@pytest.mark.req("calls:B98")
async def test_events_are_raised_through_the_sink_of_the_server(
    served: Served, address: tuple[str, int]
) -> None:
    async with session(address) as one:

        async def declare() -> None:
            await compile_mof("class Rang : __ExtrinsicEvent { uint32 Times; };", await served.services())

        await asyncio.to_thread(served.run, declare)
        got = await one.call(services.EVENT_SINK)
        raising = ipid_of(got.sink)
        answer = await one.call(EVENTS, language="WQL", query="SELECT * FROM Rang", flags=0x30)
        enumerator = ipid_of(answer.enumerator)
        class_: Any = object_in((await one.call(GET, path="Rang", found=b"")).found)
        told = await one.caller.call(
            w.INDICATE, w.Indicate([reference_to(class_.spawn({"Times": 3}))]), raising
        )
        assert told.result == 0
        heard = await one.caller.call(e.NEXT, e.Next(5000, 1), enumerator)
        assert [object_in(each).Times for each in heard.objects] == [3]  # type: ignore[union-attr]
        assert (await one.caller.call(w.SET_STATUS, w.SetStatus(0, 0), raising)).result == 0
        assert (
            await one.caller.call(w.INDICATE, w.Indicate([]), raising)
        ).result == status.WBEM_E_INVALID_PARAMETER
        assert (await one.call(services.EVENT_SINK, flags=1)).result == status.WBEM_E_INVALID_PARAMETER


# Rights and levels


async def test_integrity_is_enough_where_nothing_else_is_asked_for(address: tuple[str, int]) -> None:
    async with session(address, level=5) as one:
        assert (await one.call(GET, path="Row.N=1", found=b"")).result == 0


@pytest.mark.req("calls:F1")
async def test_another_account_cannot_use_what_was_given_to_this_one(address: tuple[str, int]) -> None:
    async with session(address) as one, session(address, user="bob") as other:
        ipid = await opened(one)
        answer = await other.caller.call(e.NEXT, e.Next(-1, 1), ipid)
        assert (answer.result, list(answer.objects)) == (status.WBEM_E_ACCESS_DENIED, [])
        assert (
            await other.call(GET, one.services, path="Row.N=1", found=b"")
        ).result == status.WBEM_E_ACCESS_DENIED
        assert (await page(one, ipid, 1)) == (0, [0])


# Lifetimes


async def test_everything_that_is_released_is_gone(served: Served, address: tuple[str, int]) -> None:
    before = len(served.server.exporter)
    async with session(address) as one:
        ipids = [await opened(one) for _ in range(5)]
        ipids.append(await smart(one, ipids[0]))
        later = await one.call(GET, path="Row.N=4", flags=AT_ONCE, call_result=b"")
        ipids.append(ipid_of(later.call_result))
        await release(one, *ipids, *ipids, one.services)
        assert await one.caller.call(e.NEXT, e.Next(0, 1), ipids[0]) == errors.RPC_E_DISCONNECTED
    # The objects that log clients on were never released: they go with their connection, in time.
    assert len(served.server.exporter) <= before + 1
    async with asyncio.timeout(10):
        while served.host.service.running:  # what was going on for them is being cancelled
            await asyncio.sleep(0.001)
