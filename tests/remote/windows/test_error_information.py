"""Error information beside failures, as a server of Windows sends it ([MS-DCOM] 2.2.21.1 to 2.2.21.3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from tests.model.making import make, prop
from tests.remote.hostile.stage import QUERY, answers, run_operation
from tests.remote.network import NetworkLoop
from tests.remote.windows.test_client import log_on, with_host
from tests.remote.windows.wmi import PROCESS, WmiHost, _nothing
from tests.wire.test_reports import information

from openwmi.contract.operations import ExecMethod, ExecNotificationQuery, GetObject, PutInstance
from openwmi.faces.views import perform
from openwmi.model import status as codes
from openwmi.model.cimtypes import CimType
from openwmi.model.errors import WbemError
from openwmi.wire.dcom import guids as dcom
from openwmi.wire.dcom import objref
from openwmi.wire.dcom.orpc import Extent, OrpcThat
from openwmi.wire.wmi import enumerators, results
from openwmi.wire.wmi.types import reference_to

STATUS = make(
    "__ExtendedStatus",
    prop("StatusCode", CimType.UINT32),
    prop("Description"),
    prop("Operation"),
    prop("ParameterInfo"),
    prop("ProviderName"),
    server="WIN-HOST",
)
DETAILS = STATUS.spawn(
    {
        "StatusCode": codes.WBEM_E_PROVIDER_FAILURE,
        "Description": "the provider has gone",
        "Operation": "ExecQuery",
        "ParameterInfo": "SELECT * FROM Win32_Process",
        "ProviderName": "CIMWin32",
    }
)
WORDS = objref.Custom(UUID(int=7), dcom.CLSID_ErrorObject, information("SWbem", "in its own words", None))
CODE = codes.WBEM_E_PROVIDER_FAILURE


def beside(reference: bytes) -> OrpcThat:
    return OrpcThat(extensions=(Extent(dcom.CLSID_ErrorExtension, reference),))


SAID = {"words": beside(WORDS.encode()), "object": beside(reference_to(DETAILS))}


def fails(host: WmiHost, method: str, that: OrpcThat, *, code: int = CODE) -> None:
    """Have a method of IWbemServices fail, and say why."""

    def hook(called: Any, honest: Callable[[], Any]) -> Any:
        holds = called.method.response.members.holds
        return called.method.answer(holds(**_nothing(called, code)), that)

    answers(host, method, hook)


async def error_of(work: Any) -> WbemError:
    with pytest.raises(WbemError) as failure:
        await work
    assert failure.value.code == CODE
    assert failure.value.host == "10.0.0.2"
    assert failure.value.phase
    assert failure.value.hint == codes.describe(CODE).hint
    return failure.value


def judge(wrong: WbemError, said: str, operation: str) -> None:
    if said == "words":
        assert (wrong.message, wrong.extended) == ("in its own words", None)
        assert wrong.operation == operation
    else:
        assert wrong.message == "the provider has gone"
        assert wrong.extended is not None
        assert wrong.extended.ProviderName == "CIMWin32"


@pytest.mark.req("calls:G9")
@pytest.mark.parametrize("said", SAID)
@pytest.mark.parametrize("delivery", ["poll", "sink"])
@pytest.mark.parametrize(
    "operation", [QUERY, ExecNotificationQuery("SELECT * FROM E")], ids=["query", "events"]
)
def test_a_refused_call(said: str, delivery: str, operation: Any) -> None:
    async def work(loop: NetworkLoop, host: WmiHost) -> None:
        name = type(operation).__name__
        fails(host, name if delivery == "poll" else name + "Async", SAID[said])
        services = await log_on(delivery)
        judge(await error_of(run_operation(services, operation)), said, name)
        await services.close()

    with_host(work)


@pytest.mark.req("calls:G9")
@pytest.mark.parametrize("said", SAID)
@pytest.mark.parametrize("method", ["GetObject", "ExecMethod"])
def test_a_synchronous_method(said: str, method: str) -> None:
    async def work(loop: NetworkLoop, host: WmiHost) -> None:
        fails(host, method, SAID[said])
        services = await log_on()
        operation: Any = (
            GetObject("Win32_Process") if method == "GetObject" else ExecMethod("Win32_Process", "Create")
        )
        judge(await error_of(perform(services, operation)), said, method)
        await services.close()

    with_host(work)


@pytest.mark.req("calls:G9", "calls:F9")
@pytest.mark.parametrize("said", SAID)
@pytest.mark.parametrize("smart", [True, False], ids=["smart", "plain"])
def test_a_page(said: str, smart: bool) -> None:
    async def work(loop: NetworkLoop, host: WmiHost) -> None:
        made: Any
        if smart:
            made = enumerators.SMART_NEXT.answer(enumerators.SmartNextAnswer(0, None, CODE), SAID[said])
        else:
            made = enumerators.NEXT.answer(enumerators.NextAnswer((), CODE), SAID[said])
            answers(host, "GetSmartEnum", 5)
        answers(host, "Next", made)
        services = await log_on()
        judge(await error_of(run_operation(services, QUERY)), said, "ExecQuery")
        await services.close()

    with_host(work)


@pytest.mark.req("calls:F29", "calls:F34")
@pytest.mark.parametrize("said", SAID)
def test_a_call_result_whose_getters_say_why(said: str) -> None:
    """GetCallStatus does not fail with the operation: why that failed is said beside what does."""

    async def work(loop: NetworkLoop, host: WmiHost) -> None:
        answers(host, "GetCallStatus", results.GET_CALL_STATUS.answer(results.CallStatus(CODE)))
        answers(
            host,
            "GetResultObject",
            results.GET_RESULT_OBJECT.answer(results.ResultObject(None, CODE), SAID[said]),
        )
        answers(
            host,
            "GetResultString",
            results.GET_RESULT_STRING.answer(results.ResultString(None, CODE), SAID[said]),
        )
        services = await log_on()
        put = PutInstance(PROCESS.spawn({"Handle": "1"}))
        judge(await error_of(perform(services, put)), said, "PutInstance")
        judge(await error_of(run_operation(services, GetObject("Win32_Process"))), said, "GetObject")
        await services.close()

    with_host(work)


def test_a_call_result_that_nobody_explains() -> None:
    async def work(loop: NetworkLoop, host: WmiHost) -> None:
        answers(host, "GetCallStatus", results.GET_CALL_STATUS.answer(results.CallStatus(CODE)))
        answers(host, "GetResultString", 0x80010108)
        services = await log_on()
        wrong = await error_of(perform(services, PutInstance(PROCESS.spawn({"Handle": "1"}))))
        assert (wrong.message, wrong.extended) == (codes.describe(CODE).text, None)
        await services.close()

    with_host(work)


def test_a_log_on_that_is_refused_in_words() -> None:
    async def work(loop: NetworkLoop, host: WmiHost) -> None:
        fails(host, "NTLMLogin", SAID["words"])
        wrong = await error_of(log_on())
        assert wrong.message == "10.0.0.2 refuses root\\cimv2: in its own words"

    with_host(work)
