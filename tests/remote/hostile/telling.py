"""Misbehaviours beside answers: reports and error information that lie, swell, contradict or lead elsewhere.

What is said beside an answer never changes what the answer itself says.
"""

from __future__ import annotations

import asyncio
from struct import pack
from typing import Any
from uuid import UUID

from tests.remote.hostile.answering import many, packet
from tests.remote.hostile.stage import (
    QUERY,
    Watcher,
    answers,
    cancelled,
    connected,
    ends_in,
    run_operation,
)
from tests.remote.network import NetworkLoop
from tests.remote.windows.wmi import PROCESS, S_FALSE, TIMED_OUT, WmiHost

from openwmi.contract import flags as f
from openwmi.contract.operations import PutInstance
from openwmi.model import status as codes
from openwmi.model.errors import WbemError
from openwmi.wire.dcom import guids as dcom
from openwmi.wire.dcom import objref
from openwmi.wire.dcom.bindings import DualStringArray, tcp
from openwmi.wire.dcom.orpc import Extent, OrpcThat
from openwmi.wire.wmi import enumerators, guids, results
from openwmi.wire.wmi.reports import LARGEST, MOST, telling
from openwmi.wire.wmi.results import SetStatus
from openwmi.wire.wmi.types import reference_to

PROGRESS = SetStatus(2, 0x00640019, "a quarter")


async def listens(host: WmiHost, flags: int) -> tuple[Watcher, WbemError | None]:
    """A query by polling: what its sink heard, and its error."""
    watcher, wrong = Watcher(), None
    async with connected(delivery="poll") as remote:
        try:
            await run_operation(remote, QUERY, flags=flags, sink=watcher)
        except WbemError as reason:
            wrong = reason
    return watcher, wrong


async def hears_nothing(loop: NetworkLoop, host: WmiHost) -> None:
    """Five objects and a good end, whatever was said beside them."""
    watcher, wrong = await listens(host, f.WBEM_FLAG_SEND_STATUS)
    if wrong is not None:
        raise wrong
    assert len(watcher.objects) == 5
    assert watcher.progress == []
    assert watcher.outcomes == [(0, None, None)]


async def asks_for_no_progress(loop: NetworkLoop, host: WmiHost) -> None:
    watcher, wrong = await listens(host, 0)
    assert (wrong, watcher.progress, len(watcher.objects)) == (None, [], 5)


async def fails_unexplained(loop: NetworkLoop, host: WmiHost) -> None:
    """The error of the status, in our own words."""
    watcher, wrong = await listens(host, f.WBEM_FLAG_SEND_STATUS)
    assert wrong is not None
    assert wrong.extended is None
    assert "beside" not in wrong.message
    assert all(outcome.error is None for outcome in watcher.outcomes)
    raise wrong


async def has_heard_enough_after_a_minute(loop: NetworkLoop, host: WmiHost) -> None:
    async with connected(delivery="poll") as remote:
        watcher, before = Watcher(), len(host.log)
        call = await remote.start(QUERY, watcher, f.WBEM_FLAG_SEND_STATUS)
        await asyncio.sleep(60)
        assert 0 < len(watcher.progress) <= 1201 * MOST, "more than an answer's in 50 ms"
        assert len(host.log) - before < 1300, "asks without end"
        await cancelled(call, watcher)


async def puts_and_has_heard_enough(loop: NetworkLoop, host: WmiHost) -> None:
    async with connected(delivery="poll") as remote:
        watcher, before = Watcher(), len(host.log)
        call = await remote.start(PutInstance(PROCESS.spawn({"Handle": "1"})), watcher, 0x80)
        await asyncio.sleep(60)
        assert 0 < len(watcher.progress) <= 1201
        assert len(host.log) - before < 1300
        await cancelled(call, watcher)


def smart(host: WmiHost, that: OrpcThat, *, count: int = 5, result: int = S_FALSE) -> None:
    """Answer the pages of the smart enumerator with something beside them."""
    page = enumerators.SmartNextAnswer(count, packet(count) if count else None, result)
    answers(host, "Next", enumerators.SMART_NEXT.answer(page, that))


def reports(data: bytes) -> OrpcThat:
    return OrpcThat(extensions=(Extent(guids.EXTENT_Reports, data),))


def information(reference: bytes) -> OrpcThat:
    return OrpcThat(extensions=(Extent(dcom.CLSID_ErrorExtension, reference),))


def in_words(data: bytes) -> OrpcThat:
    head = pack("<II", 0, 0) + bytes(16)
    return information(objref.Custom(UUID(int=1), dcom.CLSID_ErrorObject, head + data).encode())


# Reports


@ends_in(None, act=hears_nothing)
def lies_about_how_many_reports_there_are(host: WmiHost) -> None:
    smart(host, reports(pack("<I", 0xFFFFFFFF) + bytes(64)))


@ends_in(None, act=hears_nothing)
def cuts_its_reports_off(host: WmiHost) -> None:
    (extent,) = telling([PROGRESS, PROGRESS]).extensions or ()
    smart(host, reports(extent.data[:-9]))


@ends_in(None, act=hears_nothing)
def has_reports_of_no_kind(host: WmiHost) -> None:
    smart(host, telling([SetStatus(1, 5, "a requirement")]))


@ends_in(None, act=hears_nothing)
def ends_twice_beside_one_page(host: WmiHost) -> None:
    smart(host, telling([SetStatus(0, 0x40010), SetStatus(0, 0x40010)]))


@ends_in(None, act=hears_nothing)
def says_beside_a_good_end_that_it_failed(host: WmiHost) -> None:
    smart(host, telling([SetStatus(0, codes.WBEM_E_FAILED, "beside")]))


@ends_in(None, act=hears_nothing)
def sends_two_megabytes_of_reports(host: WmiHost) -> None:
    smart(host, reports(bytes(2 * LARGEST)))


@ends_in(None, act=hears_nothing)
def sends_a_thousand_extensions_that_nobody_knows(host: WmiHost) -> None:
    smart(host, OrpcThat(extensions=tuple(Extent(UUID(int=n), bytes(n)) for n in range(1000))))


@ends_in("RPC_X_BAD_STUB_DATA", "Next", act=hears_nothing)
def has_an_extension_longer_than_its_room(host: WmiHost) -> None:
    made = bytearray(
        enumerators.SMART_NEXT.answer(enumerators.SmartNextAnswer(0, None, 1), reports(b"12345678"))
    )
    at = made.index(guids.EXTENT_Reports.bytes_le) + 16
    made[at : at + 4] = pack("<I", 9)
    answers(host, "Next", bytes(made))


@ends_in(None, act=asks_for_no_progress)
def tells_progress_beside_pages_that_nobody_asked_for(host: WmiHost) -> None:
    smart(host, telling([PROGRESS]))


@ends_in(None, act=has_heard_enough_after_a_minute, within=185.0)
def reports_progress_without_end(host: WmiHost) -> None:
    """Live, but with a pause between answers."""
    smart(host, telling([PROGRESS] * MOST), count=0, result=TIMED_OUT)


@ends_in(None, act=puts_and_has_heard_enough, within=185.0)
def reports_progress_of_a_put_without_end(host: WmiHost) -> None:
    answer = results.GET_CALL_STATUS.answer(results.CallStatus(0, TIMED_OUT), telling([PROGRESS]))
    answers(host, "GetCallStatus", answer)


@ends_in("WBEM_E_FAILED", "ExecQuery", act=fails_unexplained)
def says_beside_a_failure_that_all_is_well(host: WmiHost) -> None:
    """Then its text is no explanation, but what GetResultString would give."""
    smart(host, telling([SetStatus(0, 0, "beside")]), count=0, result=codes.WBEM_E_FAILED)


@ends_in("WBEM_E_FAILED", "ExecQuery", act=fails_unexplained)
def has_a_class_for_an_error_object(host: WmiHost) -> None:
    smart(host, explained(reference_to(PROCESS)), count=0, result=codes.WBEM_E_FAILED)


def explained(reference: bytes) -> OrpcThat:
    return telling([SetStatus(0, codes.WBEM_E_FAILED, None, reference)])


@ends_in("WBEM_E_FAILED", "ExecQuery", act=fails_unexplained)
def has_noise_for_an_error_object(host: WmiHost) -> None:
    noise = objref.Custom(guids.IID_IWbemClassObject, guids.CLSID_WbemClassObject, b"\xff" * 90).encode()
    smart(host, explained(noise), count=0, result=codes.WBEM_E_FAILED)


def elsewhere(host: WmiHost) -> bytes:
    std = objref.StdObjRef(0, 5, 0xBAD, 9, UUID(int=9))
    return objref.Standard(dcom.IID_IUnknown, std, DualStringArray((tcp("10.6.6.6"),))).encode()


@ends_in("WBEM_E_FAILED", "ExecQuery", act=fails_unexplained)
def has_an_error_object_on_another_machine(host: WmiHost) -> None:
    """Nobody goes there: the test sees whom the client dials."""
    smart(host, explained(elsewhere(host)), count=0, result=codes.WBEM_E_FAILED)


# Error information


@ends_in("WBEM_E_FAILED", "ExecQuery", act=fails_unexplained)
def has_error_information_on_another_machine(host: WmiHost) -> None:
    smart(host, information(elsewhere(host)), count=0, result=codes.WBEM_E_FAILED)


@ends_in("WBEM_E_FAILED", "ExecQuery", act=fails_unexplained)
def has_noise_for_error_information(host: WmiHost) -> None:
    smart(host, information(b"\xff" * 100), count=0, result=codes.WBEM_E_FAILED)


@ends_in("WBEM_E_FAILED", "ExecQuery", act=fails_unexplained)
def has_error_information_of_two_billion_characters(host: WmiHost) -> None:
    text = pack("<IIII", 0xFFFFFFFF, 0x7FFFFFFF, 0, 0x7FFFFFFF) + b"beside"
    smart(host, in_words(bytes(4) + text), count=0, result=codes.WBEM_E_FAILED)


@ends_in(None, act=hears_nothing)
def has_error_information_beside_a_good_end(host: WmiHost) -> None:
    smart(host, in_words(bytes(12)))


@ends_in("WBEM_E_INVALID_QUERY", "ExecQuery", act=fails_unexplained)
def refuses_a_query_with_reports_that_cannot_be_read(host: WmiHost) -> None:
    many(host)

    def hook(called: Any, honest: Any) -> Any:
        holds = called.method.response.members.holds
        outputs = holds(enumerator=None, result=codes.WBEM_E_INVALID_QUERY)
        return called.method.answer(outputs, reports(b"\1"))

    answers(host, "ExecQuery", hook)
