"""What is said beside answers, as the client takes it: what cannot be read is noted, and as if it had not been said."""

from __future__ import annotations

import logging
from typing import Any
from uuid import UUID

import pytest
from tests.remote.client.host import class_named

from openwmi.model.status import WBEM_E_FAILED, WBEM_E_NOT_FOUND, WBEM_S_PARTIAL_RESULTS
from openwmi.remote.client.failures import as_told
from openwmi.remote.client.hearing import UNEXPLAINED, Explanation, explanation, reported, succeeded
from openwmi.wire.dcom.guids import CLSID_ErrorExtension
from openwmi.wire.dcom.orpc import NO_THAT, Extent, OrpcThat
from openwmi.wire.wmi.guids import EXTENT_Reports
from openwmi.wire.wmi.reports import telling
from openwmi.wire.wmi.results import SetStatus
from openwmi.wire.wmi.types import reference_to

CLASS = class_named("class T { [key] string Name; };")
OBJECT = CLASS.spawn({"Name": "x"})
STATUS = class_named("class Detail { uint32 StatusCode; string Description; string Operation; };")
PROGRESS = SetStatus(2, 0x00640019)


def beside(*extensions: tuple[UUID, bytes]) -> OrpcThat:
    return OrpcThat(extensions=tuple(Extent(*one) for one in extensions))


@pytest.mark.parametrize(
    ("that", "noted"),
    [
        (NO_THAT, ""),
        (beside((UUID(int=5), b"x")), ""),
        (beside((EXTENT_Reports, b"\xff" * 9)), "reports that cannot be read"),
        (beside((CLSID_ErrorExtension, b"\xff" * 9)), "error information that cannot be read"),
        (telling([SetStatus(0, WBEM_E_FAILED, None, b"noise")]), "an error object that cannot be read"),
        (telling([SetStatus(0, WBEM_E_FAILED, None, reference_to(CLASS))]), ""),
        (telling([PROGRESS]), ""),
        (telling([SetStatus(0, 0, "a path")]), ""),
    ],
)
def test_what_explains_nothing(that: OrpcThat, noted: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "openwmi.remote"):
        assert explanation(that) == UNEXPLAINED
    assert [noted in record.message for record in caplog.records] == [True] * bool(noted)
    assert as_told(WBEM_E_FAILED, UNEXPLAINED).extended is None


def test_what_explains_a_failure() -> None:
    words = telling([PROGRESS, SetStatus(0, WBEM_E_NOT_FOUND, "it is not there")])
    whole = telling([SetStatus(0, WBEM_E_NOT_FOUND, None, reference_to(OBJECT))])
    assert explanation(words) == Explanation("it is not there")
    assert as_told(WBEM_E_NOT_FOUND, explanation(words)).message == "it is not there"
    found: Any = explanation(whole).error
    assert (found, found.Name) == (OBJECT, "x")
    assert as_told(WBEM_E_NOT_FOUND, explanation(whole)).extended == OBJECT


def test_an_error_object_is_read_to_the_end_or_not_shown() -> None:
    """Objects are decoded when they are looked at: whoever gets this one must not find it broken then."""
    whole = reference_to(
        STATUS.spawn({"Description": "a sentence", "Operation": "GetObject", "StatusCode": 7})
    )
    shown = 0
    for at in range(48, len(whole)):
        for value in (0, 0x7F, 0xFF):
            made = whole[:at] + bytes([value]) + whole[at + 1 :]
            wrong = as_told(WBEM_E_FAILED, explanation(telling([SetStatus(0, WBEM_E_FAILED, None, made)])))
            if wrong.extended is not None:
                repr(wrong.extended.as_dict_())
                shown += 1
    assert 0 < shown < 3 * (len(whole) - 48)


def test_how_an_operation_ended_is_said_by_its_answer_and_added_to_by_the_last_report() -> None:
    assert succeeded(0, ()) == (0, None, None)
    assert succeeded(0, [PROGRESS]) == (0, None, None)
    partial = [PROGRESS, SetStatus(0, WBEM_S_PARTIAL_RESULTS, "text")]
    assert succeeded(0, partial) == (WBEM_S_PARTIAL_RESULTS, "text", None)
    assert succeeded(0, [SetStatus(0, WBEM_E_FAILED, "text", reference_to(OBJECT))]) == (0, None, None)
    assert reported(telling(partial)) == tuple(partial)
