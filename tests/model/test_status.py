"""The table of status codes."""

from __future__ import annotations

import re

import pytest

from openwmi.model import status
from openwmi.model.status import STATUS, Status, describe, failed
from openwmi.model.statustexts import HINTS, TEXTS

# Digits and names from the specification: a sample of every family, the printed errata included.
KNOWN = [
    (0, "WBEM_S_NO_ERROR"),
    (1, "WBEM_S_FALSE"),
    (0x40002, "WBEM_S_RESET_TO_DEFAULT"),
    (0x40005, "WBEM_S_NO_MORE_DATA"),
    (0x40010, "WBEM_S_PARTIAL_RESULTS"),
    (0x400FF, "WBEM_S_NEW_STYLE"),
    (0x43003, "WBEM_S_SUBJECT_TO_SDS"),
    (0x80041001, "WBEM_E_FAILED"),
    (0x80041012, "WBEM_E_INVALID_PROVIDER_REGISTRATION"),
    (0x80041049, "WBEM_E_CANNOT_CHANGE_KEY_INHERITANCE"),
    (0x80041050, "WBEM_E_CANNOT_CHANGE_INDEX_INHERITANCE"),
    (0x80041056, "WBEM_E_METHOD_DISABLED"),
    (0x8004105F, "WBEM_E_UNINTERPRETABLE_PROVIDER_QUERY"),
    (0x80041084, "WBEM_E_PROVIDER_ALREADY_REGISTERED"),
    (0x8004108A, "WBEM_E_PROVIDER_DISABLED"),
    (0x80042002, "WBEMESS_E_REGISTRATION_TOO_PRECISE"),
    (0x80043001, "WBEM_E_RETRY_LATER"),
    (0x8004400B, "WBEMMOF_E_UNRECOGNIZED_TYPE"),
    (0x8004400C, "WBEMMOF_E_EXPECTED_PROPERTY_NAME"),
    (0x80044031, "WBEMMOF_E_INVALID_DELETECLASS_SYNTAX"),
    (0x80070005, "E_ACCESSDENIED"),
    (0x80070057, "E_INVALIDARG"),
    (0x800706BA, "RPC_S_SERVER_UNAVAILABLE"),
    (0x80004001, "E_NOTIMPL"),
    (0x8000FFFF, "E_UNEXPECTED"),
    (0x80010119, "RPC_E_TOO_LATE"),
    (0x80080008, "CO_E_SERVER_STOPPING"),
]


@pytest.mark.req("0-01", "0-02", "0-03", "0-04", "C-43", "calls:G14")
@pytest.mark.parametrize(("code", "symbol"), KNOWN)
def test_codes_and_symbols(code: int, symbol: str) -> None:
    assert STATUS[code].symbol == symbol
    assert getattr(status, symbol) == code


@pytest.mark.req("0-02", "0-03")
def test_the_error_codes_have_no_gap_but_the_documented_ones() -> None:
    codes = {
        code & 0xFF
        for code, row in STATUS.items()
        if code >> 8 == 0x800410 and row.symbol.startswith("WBEM_E_")
    }
    assert codes == {*range(0x01, 0x4A), *range(0x50, 0x5E), *range(0x5F, 0x7B), *range(0x80, 0x8B)}


@pytest.mark.req("C-43")
def test_the_compiler_codes_have_no_gap() -> None:
    codes = {code for code, row in STATUS.items() if row.symbol.startswith("WBEMMOF_E_")}
    assert codes == set(range(0x80044001, 0x80044032))


def test_every_constant_has_one_sentence_and_every_sentence_a_constant() -> None:
    constants = {name: value for name, value in vars(status).items() if type(value) is int and name.isupper()}
    aliases = {"WBEM_S_SAME", "S_OK", "S_FALSE"}
    assert constants.keys() - aliases == TEXTS.keys()
    assert {name for name in aliases if constants[name] not in (0, 1)} == set()
    assert len(STATUS) == len(TEXTS), "two symbols share a number"
    assert HINTS.keys() <= TEXTS.keys()
    for text in TEXTS.values():
        assert re.fullmatch(r"[A-Z'].*[^. ]\.", text), text


@pytest.mark.parametrize(
    "symbol",
    [
        *("RPC_S_SERVER_UNAVAILABLE", "E_ACCESSDENIED", "WBEM_E_ACCESS_DENIED", "WBEM_E_INVALID_NAMESPACE"),
        *("WBEM_E_INVALID_CLASS", "WBEM_E_INVALID_QUERY", "WBEM_E_NOT_FOUND", "WBEM_E_PROVIDER_LOAD_FAILURE"),
        *("WBEM_E_INITIALIZATION_FAILURE", "WBEM_E_PRIVILEGE_NOT_HELD", "WBEM_E_LOCAL_CREDENTIALS"),
        *("WBEM_E_QUOTA_VIOLATION", "RPC_E_DISCONNECTED", "ERROR_KEY_DELETED", "STATUS_ACCESS_DENIED"),
        *("SEC_E_TIME_SKEW", "ERROR_NTLM_BLOCKED", "RPC_E_ACCESS_DENIED"),
    ],
)
def test_codes_that_are_reported_often_say_what_to_try(symbol: str) -> None:
    hint = describe(getattr(status, symbol)).hint
    assert hint
    assert not hint.endswith(".")


@pytest.mark.req("calls:G7")
@pytest.mark.parametrize(
    ("code", "facility"),
    [
        (0x80041002, "WBEM"),
        (0x40005, "WBEM"),
        (0x80070005, "Windows"),
        (0x800706BA, "RPC"),
        (0x80010108, "RPC"),
        (0x80090308, "SSPI"),
        (0, "Windows"),
    ],
)
def test_facilities(code: int, facility: str) -> None:
    assert describe(code).facility == facility


@pytest.mark.req("calls:G7")
def test_an_unknown_code_is_described_by_its_number() -> None:
    assert describe(0x8123ABCD) == Status(
        0x8123ABCD, "0x8123ABCD", "The operation failed with a status that is not known here."
    )
    assert describe(-2147217406).symbol == "WBEM_E_NOT_FOUND", "signed numbers are taken"
    assert describe(1722).symbol == "RPC_S_SERVER_UNAVAILABLE", "Win32 codes are taken"


@pytest.mark.parametrize(
    ("code", "expected"), [(0, False), (1, False), (0x40010, False), (0x80041001, True), (-1, True)]
)
def test_failed(code: int, expected: bool) -> None:
    assert failed(code) is expected
