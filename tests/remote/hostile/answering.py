"""Misbehaviours within a log-on: pages, objects, call results. Each name says what the server does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from tests.model.making import key, make, prop
from tests.remote.hostile.stage import (
    QUERY,
    Watcher,
    answers,
    cancelled,
    connected,
    cuts,
    does,
    ends_in,
    pulls,
    twists,
)
from tests.remote.network import NetworkLoop
from tests.remote.windows.wmi import S_FALSE, TIMED_OUT, Results, SmartEnumerator, WmiHost, processes

from openwmi.contract.operations import ExecMethod, ExecNotificationQuery, GetObject, PutInstance
from openwmi.model import status as codes
from openwmi.model import values
from openwmi.model.cimtypes import CimType
from openwmi.model.errors import InvalidStream
from openwmi.wire.dcom import objref, remunknown
from openwmi.wire.wmi import enumerators, guids, results
from openwmi.wire.wmi.types import reference_to
from openwmi.wmio import heaps
from openwmi.wmio.arrays import ArrayEncoder

gets = does(GetObject('Win32_Process.Handle="1"'), "poll")
calls_a_method = does(ExecMethod('Win32_Process.Handle="1"', "Terminate"), "poll")
puts = does(PutInstance(processes(1)[0]), "poll")


async def goes_deep(loop: NetworkLoop, host: WmiHost) -> None:
    (one,) = await pulls(loop, host)
    for _ in range(63):
        one = one.Inner
    with pytest.raises(InvalidStream, match="64 deep"):
        _ = one.Inner


subscribes = does(ExecNotificationQuery("SELECT * FROM Host_Event"), "poll")


def page(found: int, packet: bytes | None, result: int = 0) -> bytes:
    return enumerators.SMART_NEXT.answer(enumerators.SmartNextAnswer(found, packet, result))


def packet(count: int) -> bytes:
    return ArrayEncoder(lambda: UUID(int=5).bytes_le).encode(list(processes(count)))


def smart(host: WmiHost, answer: Any, *, after: int = 0) -> None:
    """Answer the pages of the smart enumerator."""

    def hook(called: Any, honest: Callable[[], Any]) -> Any:
        if called.request.interface != guids.IWbemWCOSmartEnum:
            return honest()
        return answer(called, honest) if callable(answer) else answer

    answers(host, "Next", hook, after=after)


def many(host: WmiHost, count: int = 1000) -> None:
    host.found = lambda operation: Results(processes(count))


# Starting


@ends_in("RPC_S_PROTOCOL_ERROR", "unmarshal", act=pulls)
def starts_a_query_without_an_enumerator(host: WmiHost) -> None:
    def hook(called: Any, honest: Callable[[], Any]) -> Any:
        return called.method.answer(called.method.response.members.holds(enumerator=None, result=0))

    answers(host, "ExecQuery", hook)


@ends_in("WBEM_E_TIMED_OUT", "ExecQuery", act=pulls, within=31.0)
def never_starts_a_query(host: WmiHost) -> None:
    answers(host, "ExecQuery", None)


@ends_in("RPC_S_SERVER_TOO_BUSY", "ExecQuery", act=pulls)
def is_too_busy(host: WmiHost) -> None:
    answers(host, "ExecQuery", 0x1C010014)


@ends_in("RPC_S_CALL_FAILED", "ExecQuery", act=pulls)
def restarts_under_a_query(host: WmiHost) -> None:
    cuts(host, "ExecQuery", reset=True)


# Pages


@ends_in("RPC_S_PROTOCOL_ERROR", "Next", act=pulls)
def sends_empty_pages_without_an_end(host: WmiHost) -> None:
    smart(host, page(0, None))


@ends_in("RPC_S_PROTOCOL_ERROR", "Next", act=pulls)
def sends_more_than_was_asked_for(host: WmiHost) -> None:
    smart(host, page(5000, packet(5000)))


@ends_in("RPC_S_PROTOCOL_ERROR", "Next", act=pulls)
def announces_more_than_it_sends(host: WmiHost) -> None:
    smart(host, page(100, packet(3)))


@ends_in("RPC_S_PROTOCOL_ERROR", "Next", act=pulls)
def sends_half_pages_as_full_ones(host: WmiHost) -> None:
    smart(host, page(3, packet(3)))


@ends_in("WBEM_E_MARSHAL_INVALID_SIGNATURE", "ExecQuery", act=pulls)
def sends_noise_for_objects(host: WmiHost) -> None:
    smart(host, page(100, b"\xff" * 500))


@ends_in("WBEM_E_INVALID_STREAM", "ExecQuery", act=pulls)
def claims_four_billion_objects(host: WmiHost) -> None:
    made = bytearray(packet(100))
    made[42:46] = b"\xff\xff\xff\xff"
    smart(host, page(100, bytes(made)))


@ends_in("WBEM_E_INVALID_STREAM", "ExecQuery", act=pulls)
def speaks_of_a_class_that_it_never_sent(host: WmiHost) -> None:
    encoder = ArrayEncoder(lambda: UUID(int=5).bytes_le)
    encoder.encode(list(processes(1)))
    smart(host, page(2, encoder.encode(list(processes(2))), S_FALSE))


@ends_in(None, act=pulls)
def sends_its_class_anew_with_every_page(host: WmiHost) -> None:
    def hook(called: Any, honest: Callable[[], Any]) -> Any:
        thing: SmartEnumerator = host.things[called.request.object][0]  # type: ignore[assignment]
        thing.encoders.clear()
        return honest()

    many(host)
    smart(host, hook)


@ends_in(None, act=goes_deep)
def nests_an_object_in_itself_too_often(host: WmiHost) -> None:
    """What nobody looks into is not decoded; who does, meets the bound."""
    part = make("Deep", key("Id"), prop("Inner", CimType.OBJECT))
    inner: Any = None
    with pytest.MonkeyPatch.context() as patch:
        for module in (heaps, values):
            patch.setattr(module, "MAX_NESTING", 1000)
        for _ in range(100):
            inner = part.spawn({"Id": "x", "Inner": inner})
        nested = reference_to(inner)
    answers(host, "GetSmartEnum", 5)
    answers(host, "Next", enumerators.NEXT.answer(enumerators.NextAnswer([nested], S_FALSE, 100)))


@ends_in("WBEM_E_FAILED", "ExecQuery", act=pulls)
def fails_in_the_middle(host: WmiHost) -> None:
    many(host)
    smart(host, page(0, None, codes.WBEM_E_FAILED), after=3)


@ends_in("WBEM_E_TIMED_OUT", "Next", act=pulls, within=35.0)
def stops_in_the_middle(host: WmiHost) -> None:
    many(host)
    smart(host, None, after=3)


@ends_in("RPC_S_CALL_FAILED", "Next", act=pulls)
def restarts_in_the_middle(host: WmiHost) -> None:
    many(host)
    cuts(host, "Next", after=3, reset=True)


@ends_in("RPC_S_CALL_FAILED", "Next", act=pulls)
def hangs_up_in_the_middle(host: WmiHost) -> None:
    many(host)
    cuts(host, "Next", after=3)


@ends_in("SEC_E_MESSAGE_ALTERED", "Next", act=pulls)
def changes_its_keys_in_the_middle(host: WmiHost) -> None:
    many(host)
    twists(host, "Next", lambda pdu: [pdu[:-16] + bytes(16)], after=3)


@ends_in("RPC_E_DISCONNECTED", "Next", act=pulls)
def forgets_its_enumerator(host: WmiHost) -> None:
    many(host)
    smart(host, 0x80010108, after=3)


async def has_enough_after_a_minute(loop: NetworkLoop, host: WmiHost) -> None:
    async with connected(delivery="poll") as remote:
        watcher, before = Watcher(), len(host.log)
        call = await remote.start(QUERY, watcher)
        await asyncio.sleep(60)
        assert len(host.log) - before < 100, "asks without end"
        await cancelled(call, watcher)


@ends_in(None, act=has_enough_after_a_minute, within=185.0)
def never_has_anything_and_says_so_at_once(host: WmiHost) -> None:
    """Empty pages that time out at once: polite waiting, no spinning, until the caller has had enough."""
    smart(host, page(0, None, TIMED_OUT))


@ends_in(None, act=has_enough_after_a_minute, within=185.0)
def never_comes_to_an_end(host: WmiHost) -> None:
    """Object after object, for ever."""
    smart(host, endless())


def endless() -> Any:
    encoder, made = ArrayEncoder(lambda: UUID(int=5).bytes_le), processes(100)

    async def hook(called: Any, honest: Callable[[], Any]) -> Any:
        await asyncio.sleep(1.0)
        return page(called.inputs.count, encoder.encode(list(made[: called.inputs.count])))

    return hook


@ends_in("WBEM_E_MARSHAL_INVALID_SIGNATURE", "ExecQuery", act=pulls)
def has_only_noise_in_plain_pages(host: WmiHost) -> None:
    noise = objref.Custom(guids.IID_IWbemClassObject, guids.CLSID_WbemClassObject, b"\xff" * 90).encode()
    answers(host, "GetSmartEnum", 5)
    answers(host, "Next", enumerators.NEXT.answer(enumerators.NextAnswer([noise], S_FALSE, 100)))


@ends_in("RPC_S_PROTOCOL_ERROR", "Next", act=pulls)
def has_null_in_plain_pages(host: WmiHost) -> None:
    answers(host, "GetSmartEnum", 5)
    answers(host, "Next", enumerators.NEXT.answer(enumerators.NextAnswer([None], S_FALSE, 100)))


@ends_in(None, act=pulls)
def has_no_smart_enumerator(host: WmiHost) -> None:
    """F26: then it is plain pages."""
    nothing = objref.StdObjRef(0, 0, 0, 0, UUID(int=0))
    refused = remunknown.QueryInterfaceResult(0x80004002, nothing)
    answers(
        host,
        "RemQueryInterface",
        remunknown.REM_QUERY_INTERFACE.answer(remunknown.QueryInterfaceAnswer([refused], 0x80004002)),
    )


@ends_in("RPC_S_PROTOCOL_ERROR", "unmarshal", act=pulls)
def gives_an_interface_of_another_exporter(host: WmiHost) -> None:
    foreign = objref.StdObjRef(0, 5, 0xBAD, 9, UUID(int=9))
    found = remunknown.QueryInterfaceResult(0, foreign)
    answers(
        host,
        "RemQueryInterface",
        remunknown.REM_QUERY_INTERFACE.answer(remunknown.QueryInterfaceAnswer([found], 0)),
    )


@ends_in(None, act=pulls, within=5.0)
def never_takes_anything_back(host: WmiHost) -> None:
    """Releases without an answer: the end of the connection is theirs."""
    answers(host, "RemRelease", None)


@ends_in(None, act=pulls)
def asks_the_client_to_go(host: WmiHost) -> None:
    """A shutdown PDU in the middle of a call: what is under way still ends ([C706] 12.6.4.11)."""

    def hook(called: Any, honest: Callable[[], Any]) -> Any:
        called.station.rpc.shutdown()
        called.station.flush()
        return honest()

    smart(host, hook)


# Single results


def gives(host: WmiHost, reference: bytes) -> None:
    answers(host, "GetResultObject", results.GET_RESULT_OBJECT.answer(results.ResultObject(reference)))


@ends_in("RPC_S_PROTOCOL_ERROR", "a result", act=gets)
def gives_an_object_by_reference(host: WmiHost) -> None:
    std = objref.StdObjRef(0, 5, host.oxid, 9, UUID(int=9))
    gives(host, objref.Standard(guids.IID_IWbemClassObject, std, host.resolver_bindings()).encode())


@ends_in("WBEM_E_MARSHAL_INVALID_SIGNATURE", "GetObject", act=gets)
def gives_noise_for_an_object(host: WmiHost) -> None:
    gives(host, objref.Custom(guids.IID_IWbemClassObject, guids.CLSID_WbemClassObject, bytes(90)).encode())


@ends_in("WBEM_E_TIMED_OUT", "GetObject", act=gets, within=31.0)
def never_gives_an_object(host: WmiHost) -> None:
    answers(host, "GetObject", None)


@ends_in("RPC_S_PROTOCOL_ERROR", "GetCallStatus", act=puts)
def cannot_say_how_a_call_goes(host: WmiHost) -> None:
    failing = results.GET_CALL_STATUS.answer(results.CallStatus(0, codes.WBEM_E_FAILED))
    answers(host, "GetCallStatus", failing)


@ends_in("RPC_S_PROTOCOL_ERROR", "unmarshal", act=puts)
def puts_without_a_call_result(host: WmiHost) -> None:
    def hook(called: Any, honest: Callable[[], Any]) -> Any:
        return called.method.answer(called.method.response.members.holds(call_result=None, result=0))

    answers(host, "PutInstance", hook)


@ends_in("RPC_S_CALL_FAILED", "Next", act=subscribes, within=6.0)
def vanishes_under_a_subscription(host: WmiHost) -> None:
    cuts(host, "Next", reset=True, after=1)
