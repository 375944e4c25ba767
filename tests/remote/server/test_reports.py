"""What the server says beside its answers: to whoever asked for it, and not a byte to anybody else (wire.md 5.2)."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.remote.kit import Caller
from tests.remote.server.serving import NAMESPACE, Served
from tests.remote.server.session import INTERFACES, Session, ipid_of

from openwmi import host
from openwmi.model import status as codes
from openwmi.model.errors import error
from openwmi.mof import class_declarations
from openwmi.wire.dcom import remunknown as r
from openwmi.wire.dcom.orpc import Extent, OrpcThis
from openwmi.wire.wmi import enumerators as e
from openwmi.wire.wmi import guids, services
from openwmi.wire.wmi import results as w
from openwmi.wire.wmi.reports import ASK, ASK_PROGRESS, told
from openwmi.wire.wmi.types import object_in

GET, PUT, QUERY, EXECUTE = (services.METHODS[n] for n in (6, 14, 20, 24))
PLAIN = bytes(8)  # ORPCTHAT without extensions
SLOW = """[dynamic, provider("Slow")] class Slow { [key] uint32 N;
    [static, implemented] uint32 Work(); };"""


class Provider:
    """Tells how far it is, and then waits until the test lets it go on."""

    name = "Slow"

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.fails = False

    def instances(self, request: Any) -> Iterator[tuple[object, ...]]:
        request.progress(1, 4, "a quarter")
        self.go_on.wait(60)
        request.progress(3, 4, "nearly all")
        if self.fails:
            raise error(codes.WBEM_E_VETO_PUT, "not on a Monday")
        yield from ((n,) for n in range(5))

    def method(self, request: Any, name: str, keys: Any, params: Any) -> dict[str, object]:
        request.progress(1, 2, "halfway")
        self.go_on.wait(60)
        return {"ReturnValue": 7}


@pytest.fixture(scope="module")
def address(served: Served) -> tuple[str, int]:
    return served.listen()


@pytest.fixture
def slow(served: Served) -> Iterator[Provider]:
    provider = Provider()
    (declaration,) = class_declarations(SLOW)
    host.provide(NAMESPACE, declaration, provider)
    yield provider
    provider.go_on.set()


class Listening:
    """A session that says what it wants to hear, and shows the bytes that come."""

    def __init__(self, one: Session) -> None:
        self.one = one

    async def stub(self, method: Any, inputs: Any, ipid: UUID, extensions: Any) -> bytes:
        sent = method.call(inputs, OrpcThis(uuid4(), extensions=extensions))
        answer = await self.one.caller.answer(self.one.caller.send(method.opnum, sent, ipid))
        assert isinstance(answer, bytes), hex(answer)
        return answer

    async def call(
        self, method: Any, extensions: Any = None, /, ipid: UUID | None = None, **inputs: Any
    ) -> tuple[Any, Any, bytes]:
        """(reports, [out] parameters, all bytes) of a method of IWbemServices."""
        asked = self.one.inputs(method, **inputs)
        return self.read(method, await self.stub(method, asked, ipid or self.one.services, extensions))

    async def next(self, ipid: UUID, timeout: int = -1, count: int = 10) -> tuple[Any, Any, bytes]:
        """As all clients ask for pages: without a word beside."""
        return self.read(e.NEXT, await self.stub(e.NEXT, e.Next(timeout, count), ipid, None))

    async def status(self, ipid: UUID, timeout: int = -1) -> tuple[Any, Any, bytes]:
        return self.read(
            w.GET_CALL_STATUS, await self.stub(w.GET_CALL_STATUS, w.Timeout(timeout), ipid, None)
        )

    @staticmethod
    def read(method: Any, stub: bytes) -> tuple[Any, Any, bytes]:
        that, outputs = method.answered(stub)
        return told(that), outputs, stub


@asynccontextmanager
async def listening(address: tuple[str, int], **options: Any) -> AsyncIterator[Listening]:
    made = await Session.open(address, **options)
    try:
        yield Listening(made)
    finally:
        await made.close()


def enumerated(text: str) -> dict[str, Any]:
    return {"language": "WQL", "query": text, "flags": 0x30}


async def test_who_does_not_ask_gets_not_a_byte_more(address: tuple[str, int], slow: Provider) -> None:
    """aiowmi asserts that there are none."""
    slow.go_on.set()
    slow.fails = True
    foreign = (Extent(uuid4(), b"of somebody else"),)
    async with listening(address) as one:
        for extensions in (None, foreign):
            for method, inputs in (
                (GET, {"path": "No_Such", "found": b""}),
                (GET, {"path": "Row", "flags": 0x10, "found": b""}),
                (QUERY, enumerated("SELEC nothing")),
                (EXECUTE, {"path": "Row", "method": "Nothing", "flags": 0}),
            ):
                _, outputs, stub = await one.call(method, extensions, **inputs)
                if method is not QUERY:
                    assert codes.failed(outputs.result)
                assert stub[:8] == PLAIN
        _, opened, _ = await one.call(QUERY, None, **enumerated("SELECT * FROM Slow"))
        ended = await one.next(ipid_of(opened.enumerator))
        assert (ended[1].result, ended[2][:8]) == (codes.WBEM_E_VETO_PUT, PLAIN)
        _, opened, _ = await one.call(QUERY, None, **enumerated("SELECT N FROM Row WHERE N < 3"))
        ended = await one.next(ipid_of(opened.enumerator))
        assert (ended[1].result, ended[2][:8]) == (1, PLAIN)


@pytest.mark.req("calls:G9", "calls:G11")
async def test_a_request_that_asks_hears_why_it_failed(address: tuple[str, int]) -> None:
    async with listening(address) as one:
        for method, inputs, code, subject in (
            (GET, {"path": "No_Such", "found": b""}, codes.WBEM_E_NOT_FOUND, "No_Such"),
            (EXECUTE, {"path": "Row", "method": "Nothing"}, codes.WBEM_E_INVALID_METHOD, "Row"),
        ):
            (report,), outputs, _ = await one.call(method, ASK, **inputs)
            assert outputs.result == code
            assert (report.flags, report.status, report.text) == (0, code, None)
            details: Any = object_in(report.error)
            assert (details.StatusCode, details.ParameterInfo) == (code, subject)
        # What is refused before there is a call has a sentence alone.
        (report,), outputs, _ = await one.call(GET, ASK, path="Row", flags=0x10, found=b"")
        assert outputs.result == report.status == codes.WBEM_E_INVALID_PARAMETER
        assert "call result" in report.text
        assert report.error is None


@pytest.mark.req("calls:B34", "calls:B36")
async def test_pages_tell_how_far_it_is(address: tuple[str, int], slow: Provider) -> None:
    async with listening(address) as one:
        reports, opened, _ = await one.call(QUERY, ASK_PROGRESS, **enumerated("SELECT * FROM Slow"))
        assert reports == ()
        ipid = ipid_of(opened.enumerator)
        (report,), page, _ = await one.next(ipid)
        assert (page.result, page.objects) == (codes.WBEM_S_TIMEDOUT, ())
        assert (report.flags, report.status, report.text) == (2, 0x00040001, "a quarter")
        slow.go_on.set()
        heard, (reports, page, _) = [], await one.next(ipid)
        while page.result == codes.WBEM_S_TIMEDOUT:
            assert reports, "a page came back without a reason"
            heard += reports
            reports, page, _ = await one.next(ipid)
        assert (len(page.objects), page.result) == (5, 1)
        assert [one.text for one in (*heard, *reports)] == ["nearly all"]


async def test_a_client_that_asks_for_no_progress_hears_none(
    address: tuple[str, int], slow: Provider
) -> None:
    slow.go_on.set()
    async with listening(address) as one:
        _, opened, _ = await one.call(QUERY, ASK, **enumerated("SELECT * FROM Slow"))
        reports, page, stub = await one.next(ipid_of(opened.enumerator))
        assert (len(page.objects), page.result, reports, stub[:8]) == (5, 1, (), PLAIN)


@pytest.mark.req("calls:F9", "calls:G9")
async def test_progress_comes_before_the_failure_and_the_failure_with_its_object(
    address: tuple[str, int], slow: Provider
) -> None:
    slow.go_on.set()
    slow.fails = True
    async with listening(address) as one:
        _, opened, _ = await one.call(QUERY, ASK_PROGRESS, **enumerated("SELECT * FROM Slow"))
        ipid = ipid_of(opened.enumerator)
        reports, page, _ = await one.next(ipid)
        while not codes.failed(page.result):
            assert {one.flags for one in reports} == {2}
            reports, page, _ = await one.next(ipid)
        assert page.result == codes.WBEM_E_VETO_PUT
        for _ in range(2):  # the answer repeats (F10)
            (report,) = reports
            details: Any = object_in(report.error)
            assert (details.Description, details.ProviderName) == ("not on a Monday", "Slow")
            reports, page, _ = await one.next(ipid)


async def test_a_clone_is_listened_to_as_well(address: tuple[str, int], slow: Provider) -> None:
    slow.go_on.set()
    slow.fails = True
    async with listening(address) as one:
        _, opened, _ = await one.call(QUERY, ASK, language="WQL", query="SELECT * FROM Slow", flags=0x10)
        ipid = ipid_of(opened.enumerator)
        twin = one.read(e.CLONE, await one.stub(e.CLONE, e.Nothing(), ipid, None))[1]
        for each in (ipid, ipid_of(twin.enumerator)):
            (report,), page, _ = await one.next(each)
            assert page.result == report.status == codes.WBEM_E_VETO_PUT


@pytest.mark.req("calls:B31", "calls:B34", "calls:F29")
async def test_a_call_result_tells_how_far_it_is_and_how_it_ended(
    address: tuple[str, int], slow: Provider
) -> None:
    at_once: dict[str, Any] = {"flags": 0x10, "call_result": b""}
    async with listening(address) as one:
        _, begun, _ = await one.call(EXECUTE, ASK_PROGRESS, path="Slow", method="Work", **at_once)
        ipid = ipid_of(begun.call_result)
        (report,), status, _ = await one.status(ipid)
        assert (status.result, report.text, report.status) == (codes.WBEM_S_TIMEDOUT, "halfway", 0x00020001)
        slow.go_on.set()
        _, status, stub = await one.status(ipid)
        assert (status.result, status.status, stub[:8]) == (0, 0, PLAIN)
        for extensions in (None, ASK):
            _, begun, _ = await one.call(GET, extensions, path="Row.N=777", **at_once)
            reports, status, stub = await one.status(ipid_of(begun.call_result))
            assert (status.result, status.status) == (0, codes.WBEM_E_NOT_FOUND)
            assert (stub[:8] == PLAIN) == (extensions is None)
            if extensions:
                assert reports[0].status == codes.WBEM_E_NOT_FOUND
                assert reports[0].error is not None


async def test_a_reference_of_another_user_is_refused_in_words(address: tuple[str, int]) -> None:
    async with listening(address) as ada:
        caller = await Caller.connect(address, INTERFACES, user="bob", password="Sesame, open: ünïcode")
        bob = Session(caller)
        bob.services = ada.one.services
        (report,), outputs, _ = await Listening(bob).call(GET, ASK, path="Row", found=b"")
        assert outputs.result == report.status == codes.WBEM_E_ACCESS_DENIED
        assert "another user" in report.text
        await caller.close()


async def test_smart_pages_tell_the_same(address: tuple[str, int], slow: Provider) -> None:
    slow.go_on.set()
    slow.fails = True
    async with listening(address) as one:
        _, opened, _ = await one.call(QUERY, ASK, **enumerated("SELECT * FROM Slow"))
        asked = r.QueryInterface(ipid_of(opened.enumerator), 1, [guids.IWbemFetchSmartEnum.uuid])
        found = await one.one.caller.call(r.REM_QUERY_INTERFACE, asked, one.one.unknown)
        fetch = found.results[0].std.ipid
        smart = one.read(e.GET_SMART_ENUM, await one.stub(e.GET_SMART_ENUM, e.Nothing(), fetch, None))[1]
        stub = await one.stub(e.SMART_NEXT, e.SmartNext(uuid4(), -1, 5), ipid_of(smart.enumerator), None)
        (report,), page, _ = one.read(e.SMART_NEXT, stub)
        assert page.result == report.status == codes.WBEM_E_VETO_PUT
