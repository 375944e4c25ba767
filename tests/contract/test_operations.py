"""The operations table: argument and flag checks as calls.md B.1-B.3 say."""

from __future__ import annotations

import pytest

from openwmi.contract import flags as f
from openwmi.contract.operations import (
    BY_METHOD,
    OPERATIONS,
    CreateClassEnum,
    CreateInstanceEnum,
    DeleteClass,
    DeleteInstance,
    ExecMethod,
    ExecNotificationQuery,
    ExecQuery,
    GetObject,
    PutClass,
    PutInstance,
    checked_arguments,
    checked_flags,
    parameter_info,
    reference_table,
)
from openwmi.model.errors import WbemError
from openwmi.model.status import WBEM_E_INVALID_PARAMETER, WBEM_E_QUOTA_VIOLATION

QUERY = ExecQuery("SELECT * FROM X")
ONE_OF_EACH = [
    GetObject("X"),
    PutClass(object()),  # type: ignore[arg-type]
    DeleteClass("X"),
    CreateClassEnum(),
    PutInstance(object()),  # type: ignore[arg-type]
    DeleteInstance("X.k=1"),
    CreateInstanceEnum("X"),
    QUERY,
    ExecNotificationQuery("SELECT * FROM __Event"),
    ExecMethod("X", "M"),
]
AMENDED, DIRECT, SHALLOW, PROTOTYPE, LOCATABLE = 0x20000, 0x200, 1, 2, 0x100
# calls.md B3, row by row: the flags every mode allows.
ALLOWED = {
    "GetObject": AMENDED | DIRECT,
    "PutClass": AMENDED | 3 | 0x60,
    "DeleteClass": 0,
    "CreateClassEnum": AMENDED | SHALLOW,
    "PutInstance": AMENDED | 3,
    "DeleteInstance": 0,
    "CreateInstanceEnum": AMENDED | DIRECT | SHALLOW,
    "ExecQuery": AMENDED | DIRECT | PROTOTYPE | LOCATABLE,
    "ExecNotificationQuery": AMENDED,
    "ExecMethod": 0,
}
ENUMERATORS = {"CreateClassEnum", "CreateInstanceEnum", "ExecQuery", "ExecNotificationQuery"}
IGNORED = 0x40 | 0x1F000 | 0x100000


def refused(operation: object, flags: int, mode: str) -> bool:
    try:
        checked_flags(operation, flags, mode)  # type: ignore[arg-type]
    except WbemError as reason:
        assert reason.code == WBEM_E_INVALID_PARAMETER
        return True
    return False


@pytest.mark.req("calls:B1", "calls:B3", "calls:0.1a")
@pytest.mark.parametrize("mode", ["sync", "async"])
@pytest.mark.parametrize("operation", ONE_OF_EACH, ids=lambda o: type(o).__name__)
def test_every_bit_alone_is_legal_exactly_where_the_table_says(operation: object, mode: str) -> None:
    name = type(operation).__name__
    base = 0x30 if name == "ExecNotificationQuery" and mode == "sync" else 0
    extra = 0x80 if mode == "async" else 0x10 | (0x20 if name in ENUMERATORS else 0)
    ignored = IGNORED & ~(0x60 if name == "PutClass" else 0)
    for bit in (1 << shift for shift in range(32)):
        legal = bool(bit & (ALLOWED[name] | extra | ignored))
        assert refused(operation, base | bit, mode) is not legal, hex(bit)


@pytest.mark.req("calls:B2", "calls:K11")
def test_ignored_bits_are_masked_away() -> None:
    assert checked_flags(QUERY, 0x40 | 0x1F000 | 0x100000 | DIRECT, "sync") == DIRECT
    assert checked_flags(ONE_OF_EACH[1], 0x40, "sync") == 0x40  # FORCE_MODE on PutClass


@pytest.mark.req("calls:K11")
def test_k11_flags_of_the_wrong_mode() -> None:
    assert refused(QUERY, 0x10, "async")
    assert refused(QUERY, 0x80, "sync")
    assert refused(ExecMethod("X", "M"), 0x20000, "async")
    assert refused(DeleteInstance("X.k=1"), 0x20000, "async")


@pytest.mark.req("calls:B4")
def test_locatable_and_owner_update_are_taken() -> None:
    assert checked_flags(QUERY, LOCATABLE, "sync") == LOCATABLE
    assert checked_flags(ONE_OF_EACH[1], 0x10000, "sync") == 0


@pytest.mark.req("calls:B5", "A-250")
def test_flags_that_exclude_each_other() -> None:
    assert refused(ONE_OF_EACH[1], f.WBEM_FLAG_UPDATE_ONLY | f.WBEM_FLAG_CREATE_ONLY, "sync")
    assert refused(ONE_OF_EACH[1], f.WBEM_FLAG_UPDATE_SAFE_MODE | f.WBEM_FLAG_UPDATE_FORCE_MODE, "async")
    assert refused(ONE_OF_EACH[4], 3, "sync")


@pytest.mark.req("calls:B84", "D-103")
@pytest.mark.parametrize("flags", [0, 0x10, 0x20])
def test_a_notification_enumerator_needs_both_flags(flags: int) -> None:
    assert refused(ExecNotificationQuery("x"), flags, "sync")
    assert not refused(ExecNotificationQuery("x"), 0x30, "sync")


@pytest.mark.req("calls:B6", "D-01")
@pytest.mark.parametrize(
    "operation",
    [
        DeleteClass(None),  # type: ignore[arg-type]
        CreateInstanceEnum(None),  # type: ignore[arg-type]
        DeleteInstance(None),  # type: ignore[arg-type]
        ExecMethod(None, "M"),  # type: ignore[arg-type]
        ExecMethod("X", None),  # type: ignore[arg-type]
        ExecQuery(None),  # type: ignore[arg-type]
        ExecQuery("SELECT * FROM X", None),  # type: ignore[arg-type]
        ExecQuery(""),
        ExecQuery(None, "SQL"),  # type: ignore[arg-type]
        ExecNotificationQuery(None),  # type: ignore[arg-type]
        PutClass(None),  # type: ignore[arg-type]
        PutInstance(None),  # type: ignore[arg-type]
    ],
    ids=repr,
)
def test_required_arguments_that_are_null(operation: object) -> None:
    with pytest.raises(WbemError) as caught:
        checked_arguments(operation)  # type: ignore[arg-type]
    assert caught.value.code == WBEM_E_INVALID_PARAMETER


@pytest.mark.req("calls:B6")
@pytest.mark.parametrize(
    "operation", [GetObject(None), GetObject(""), CreateClassEnum(None), ExecMethod("X", "M", None)]
)
def test_arguments_that_may_be_null(operation: object) -> None:
    checked_arguments(operation)  # type: ignore[arg-type]


@pytest.mark.req("calls:B7", "calls:H1", "D-05")
def test_text_that_is_too_long() -> None:
    fine = [CreateInstanceEnum("c" * 4096), GetObject("p" * 8192), ExecQuery("q" * 16384)]
    for operation in fine:
        checked_arguments(operation)
    for operation in [CreateInstanceEnum("c" * 4097), GetObject("p" * 8193), ExecQuery("q" * 16385)]:
        with pytest.raises(WbemError) as caught:
            checked_arguments(operation)
        assert caught.value.code == WBEM_E_QUOTA_VIOLATION


def test_a_foreign_kind_of_argument_is_a_clear_error() -> None:
    for operation in (ExecQuery(5), GetObject(b"X")):  # type: ignore[arg-type]
        with pytest.raises(WbemError) as caught:
            checked_arguments(operation)
        assert caught.value.code == WBEM_E_INVALID_PARAMETER
    with pytest.raises(TypeError):
        checked_arguments(object())  # type: ignore[arg-type]
    assert refused(QUERY, "0", "sync")  # type: ignore[arg-type]


def test_method_numbers_are_those_of_the_interface() -> None:
    numbers = [(row.opnum, row.async_opnum) for row in OPERATIONS.values()]
    assert numbers == [(even, even + 1) for even in range(6, 26, 2)]
    assert set(BY_METHOD) == set(ALLOWED)


def test_values_compare_and_print() -> None:
    assert ExecQuery("a") == ExecQuery("a") != ExecQuery("b")
    assert ExecQuery("a") != ExecNotificationQuery("a")
    assert repr(ExecQuery("a")) == "ExecQuery('WQL', 'a')"
    assert len({GetObject("x"), GetObject("x")}) == 1


def test_parameter_info_names_the_subject() -> None:
    assert parameter_info(QUERY) == "SELECT * FROM X"
    assert parameter_info(ExecMethod("X.k=1", "M")) == "X.k=1"
    assert parameter_info(CreateClassEnum()) is None


def test_the_reference_table_has_every_method() -> None:
    text = reference_table()
    assert all(f"| {name} |" in text for name in ALLOWED)
