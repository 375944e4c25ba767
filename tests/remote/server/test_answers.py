"""Answers that several things have a part in: pages cut short, pages at the same time, results still to come."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.conformance.support import Provided
from tests.remote.server.serving import NAMESPACE, Served
from tests.remote.server.session import Session, ipid_of

from openwmi import testing
from openwmi.contract.context import Context
from openwmi.host import provide
from openwmi.model import status
from openwmi.model.errors import error
from openwmi.mof import class_declarations
from openwmi.wire.wmi import enumerators as e
from openwmi.wire.wmi import results as w
from openwmi.wire.wmi import services
from openwmi.wire.wmi.contexts import write_context
from openwmi.wire.wmi.types import object_in

GET, QUERY = services.METHODS[6], services.METHODS[20]
SECONDS = 10.0


@pytest.fixture(scope="module")
def address(served: Served) -> tuple[str, int]:
    return served.listen()


@asynccontextmanager
async def session(address: tuple[str, int]) -> AsyncIterator[Session]:
    made = await Session.open(address)
    try:
        yield made
    finally:
        await made.close()


async def opened(one: Session, text: str, flags: int = 0x30) -> Any:
    answer = await one.call(QUERY, language="WQL", query=text, flags=flags)
    assert answer.result == 0, hex(answer.result)
    return ipid_of(answer.enumerator)


def numbers(answer: Any) -> list[int]:
    return [object_in(each).N for each in answer.objects]


def failing(request: Any) -> Iterator[tuple[object, ...]]:
    for number in range(1000):
        yield (number,)
    raise error(status.WBEM_E_PROVIDER_FAILURE, "and no more")


@pytest.mark.req("calls:F9")
async def test_objects_before_a_failure_come_in_an_answer_of_their_own(address: tuple[str, int]) -> None:
    """More of them than are put together at once; the failure is what the next call says, and all after it."""
    (declared,) = class_declarations('[dynamic, provider("Failing")] class Failing { [key] uint32 N; };')
    provide(NAMESPACE, declared, Provided("Failing", {"instances": failing}))
    async with session(address) as one:
        ipid = await opened(one, "SELECT N FROM Failing")
        found: list[int] = []
        for _ in range(1000):
            answer = await one.caller.call(e.NEXT, e.Next(-1, 5000), ipid)
            found += numbers(answer)
            if status.failed(answer.result):
                break
            assert answer.result == status.WBEM_S_TIMEDOUT, "neither an end nor all that was asked for"
            assert answer.objects
        assert found == list(range(1000))
        for _ in range(2):
            again = await one.caller.call(e.NEXT, e.Next(-1, 5000), ipid)
            assert (again.result, list(again.objects)) == (status.WBEM_E_PROVIDER_FAILURE, [])


@pytest.mark.req("calls:F20", "calls:F12")
async def test_answers_to_calls_at_the_same_time_are_whole(served: Served, address: tuple[str, int]) -> None:
    """Each has objects that follow upon each other, and together they have them all."""
    wide = [{"N": n} for n in range(3600)]
    testing.provide(NAMESPACE, "class Many { [key] uint32 N; };", instances=lambda: iter(wide))
    async with session(address) as one:
        ipid = await opened(one, "SELECT N FROM Many")
        begun = [one.caller.begin(e.NEXT, e.Next(-1, 1200), ipid) for _ in range(3)]
        answers = [await one.caller.answer(call) for call in begun]
        pages = [numbers(e.NEXT.answered(answer)[1]) for answer in answers]  # type: ignore[arg-type]
        assert sorted(pages) == [list(range(start, start + 1200)) for start in (0, 1200, 2400)]


@pytest.mark.req("calls:B12", "calls:F27")
async def test_get_object_for_its_call_result_alone_comes_back_at_once(
    served: Served, address: tuple[str, int]
) -> None:
    """With flags 0, as the documented sample has it: the object is fetched later."""
    gate = threading.Event()

    def get(keys: dict[str, object]) -> dict[str, object]:
        gate.wait(SECONDS)
        return {"N": keys["N"]}

    testing.provide(NAMESPACE, "class Late { [key] uint32 N; };", get=get)
    async with session(address) as one:
        try:
            answer = await asyncio.wait_for(one.call(GET, path="Late.N=5", call_result=b""), SECONDS / 2)
            result = ipid_of(answer.call_result)
            early = await one.caller.call(w.GET_RESULT_OBJECT, w.Timeout(0), result)
            assert (early.result, early.found) == (status.WBEM_S_TIMEDOUT, None)
        finally:
            gate.set()
        for _ in range(2):  # a copy of its own each time (F32)
            got: Any = await one.caller.call(w.GET_RESULT_OBJECT, w.Timeout(-1), result)
            assert object_in(got.found).N == 5


@pytest.mark.req("calls:A38")
async def test_the_context_of_open_namespace_is_reserved(address: tuple[str, int]) -> None:
    async with session(address) as one:
        answer = await one.call(
            services.OPEN, namespace="x", services=b"", context=write_context(Context({"a": 1}))
        )
        assert (answer.result, answer.services) == (status.WBEM_E_INVALID_PARAMETER, b"")


@pytest.mark.req("calls:B99")
async def test_events_with_a_null_among_them_are_not_raised(address: tuple[str, int]) -> None:
    async with session(address) as one:
        sink = ipid_of((await one.call(services.EVENT_SINK, flags=0)).sink)
        item = (await one.call(GET, path="Item.Id=1", found=b"")).found
        for objects in ([], [None], [item, None]):
            answer = await one.caller.call(w.INDICATE, w.Indicate(objects), sink)
            assert answer.result == status.WBEM_E_INVALID_PARAMETER
