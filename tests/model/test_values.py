"""Values: what each type accepts, and what the Python faces show."""

from __future__ import annotations

import datetime as dt
import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.model.making import key, make, prop

from openwmi.model.cimtypes import ARRAY, INTEGER_RANGES, NAMES, CimType
from openwmi.model.classes import Class
from openwmi.model.datetimes import CimDateTime
from openwmi.model.errors import WbemError
from openwmi.model.instances import Instance
from openwmi.model.paths import parse_path
from openwmi.model.status import (
    WBEM_E_ILLEGAL_NULL,
    WBEM_E_INVALID_CIM_TYPE,
    WBEM_E_QUOTA_VIOLATION,
    WBEM_E_TYPE_MISMATCH,
)
from openwmi.model.values import coerce, nesting, present

PARIS = dt.timezone(dt.timedelta(hours=1))
integer_types = st.sampled_from(sorted(INTEGER_RANGES))


def refused(value: object, code: int, expected: int = WBEM_E_TYPE_MISMATCH, **named: Any) -> WbemError:
    with pytest.raises(WbemError) as caught:
        coerce(value, code, **named)
    assert caught.value.code == expected
    return caught.value


def nested(depth: int) -> Instance:
    """An instance with `depth` objects in each other, itself counted."""
    box = make("Box", prop("Inner", CimType.OBJECT))
    thing = box.spawn()
    for _ in range(depth - 1):
        thing = Instance(box.layout, (thing,))
    return thing


@pytest.mark.req("A-001", "A-006")
@given(integer_types, st.data())
def test_integers_in_range_are_taken_and_others_refused(code: int, data: st.DataObject) -> None:
    low, high = INTEGER_RANGES[code]
    value = data.draw(st.integers(low, high))
    assert coerce(value, code) == value
    assert coerce([value, low, high], code | ARRAY) == (value, low, high)
    outside = data.draw(st.integers(max_value=low - 1) | st.integers(min_value=high + 1))
    refused(outside, code)


@pytest.mark.req("A-006")
@given(
    st.sampled_from(sorted(NAMES)),
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers()),
)
def test_any_python_value_is_taken_or_refused(code: int, value: object) -> None:
    for target in (code, code | ARRAY):
        try:
            raw = coerce(value, target)
        except WbemError as reason:
            assert reason.code in (WBEM_E_TYPE_MISMATCH, WBEM_E_ILLEGAL_NULL)
        else:
            assert raw is None or isinstance(raw, tuple) == (target != code)
            assert coerce(raw, target) == raw or raw != raw, "a raw value stays what it is"


@pytest.mark.req("A-006")
@pytest.mark.parametrize(("value", "raw"), [(2.4, 2), (2.6, 3), (-0.4, 0), (4294967295.0, 4294967295)])
def test_reals_round_to_integers(value: float, raw: int) -> None:
    made = coerce(value, CimType.UINT32)
    assert made == raw
    assert type(made) is int


@pytest.mark.req("A-006")
@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, "5", True, None, [5], b"5", object()])
def test_what_a_uint32_refuses(value: object) -> None:
    if value is None:
        assert coerce(value, CimType.UINT32) is None
    else:
        refused(value, CimType.UINT32)


@pytest.mark.req("A-004", "A-005")
@pytest.mark.parametrize("code", [CimType.SINT64, CimType.UINT64])
def test_decimal_text_is_taken_for_64_bits(code: int) -> None:
    assert coerce("10000000000", code) == 10_000_000_000
    assert coerce("0", code) == 0
    for text in ("0x10", "1e3", "", "-", "1 ", "+1", "1_0", "٣", "9" * 21, "1" * 10_000):
        refused(text, code)
    assert coerce("-9223372036854775808", CimType.SINT64) == -(2**63)
    refused("-1", CimType.UINT64)
    refused("18446744073709551616", CimType.UINT64)


@given(st.floats(width=32, allow_nan=False) | st.integers(-(2**24), 2**24))
def test_real32_keeps_what_fits_single_precision(value: float) -> None:
    assert coerce(value, CimType.REAL32) == value
    assert type(coerce(value, CimType.REAL32)) is float


def test_real32_rounds_and_refuses() -> None:
    assert coerce(0.1, CimType.REAL32) == struct.unpack("<f", struct.pack("<f", 0.1))[0] != 0.1
    assert coerce(0.1, CimType.REAL64) == 0.1
    refused(1e39, CimType.REAL32)
    refused(10**400, CimType.REAL64)
    refused(True, CimType.REAL64)
    refused("1.5", CimType.REAL64)


def test_booleans_are_neither_numbers_nor_texts() -> None:
    assert coerce(False, CimType.BOOLEAN) is False
    for value in (0, 1, "TRUE", 1.0):
        refused(value, CimType.BOOLEAN)


@pytest.mark.req("A-007")
@given(st.text(st.characters()))
def test_strings_are_kept_as_they_are(text: str) -> None:
    assert coerce(text, CimType.STRING) == text


@pytest.mark.req("A-008")
def test_char16_is_a_number() -> None:
    assert coerce(0x41, CimType.CHAR16) == 0x41
    refused("A", CimType.CHAR16)
    refused(0x10000, CimType.CHAR16)


@pytest.mark.req("A-020", "A-027")
@pytest.mark.parametrize(
    ("value", "raw"),
    [
        ("20240101000000.000000+060", "20240101000000.000000+060"),
        (CimDateTime.of(2000, 1, 1), "20000101******.******+***"),
        (dt.datetime(2024, 1, 1, tzinfo=PARIS), "20240101000000.000000+060"),
        (dt.timedelta(days=1, seconds=1), "00000001000001.000000:000"),
    ],
)
def test_datetimes_from_python(value: object, raw: str) -> None:
    assert coerce(value, CimType.DATETIME) == raw


def test_what_a_datetime_refuses() -> None:
    for value in ("2024-01-01", 20240101, dt.date(2024, 1, 1), dt.timedelta(-1), ""):
        refused(value, CimType.DATETIME)


@pytest.mark.req("A-047")
def test_references_are_path_texts() -> None:
    disk = make("Disk", key())
    assert coerce('Disk.Name="x"', CimType.REFERENCE) == 'Disk.Name="x"'
    assert coerce(parse_path("Disk.name='x'"), CimType.REFERENCE) == 'Disk.name="x"'
    assert coerce(disk.spawn({"Name": "x"}), CimType.REFERENCE) == '\\\\HOST\\root\\cimv2:Disk.Name="x"'
    assert coerce(disk, CimType.REFERENCE) == "\\\\HOST\\root\\cimv2:Disk"
    refused(disk.spawn(), CimType.REFERENCE)
    refused(7, CimType.REFERENCE)


@pytest.mark.req("A-043", "A-044", "A-045")
def test_objects_are_instances_or_classes_of_the_declared_class() -> None:
    base = make("Base", prop("A"))
    below = make("Below", parent=base)
    other = make("Other", prop("A"))
    for value in (base.spawn(), below.spawn(), base, below):
        assert coerce(value, CimType.OBJECT, reference="BASE") is value
        assert coerce([value, other], CimType.OBJECT | ARRAY) == (value, other), "a weak array mixes classes"
    refused(other.spawn(), CimType.OBJECT, reference="Base")
    refused([base.spawn(), other], CimType.OBJECT | ARRAY, reference="Base")
    refused({"A": "x"}, CimType.OBJECT)


@pytest.mark.req("A-046", "A-064")
def test_objects_nest_64_deep() -> None:
    assert nesting(nested(64)) == 64
    assert coerce(nested(64), CimType.OBJECT) == nested(64)
    refused(nested(65), CimType.OBJECT, WBEM_E_QUOTA_VIOLATION)
    refused([nested(500)], CimType.OBJECT | ARRAY, WBEM_E_QUOTA_VIOLATION)
    deep: Class = make("C0", prop("Inner", CimType.OBJECT))
    for _ in range(70):
        deep = make("C", prop("Inner", CimType.OBJECT, default=deep))
    refused(deep, CimType.OBJECT, WBEM_E_QUOTA_VIOLATION)


@pytest.mark.req("A-040")
def test_arrays() -> None:
    code = CimType.UINT8 | ARRAY
    assert coerce(b"ab", code) == (97, 98)
    assert coerce(range(3), code) == (0, 1, 2)
    assert coerce([], code) == ()
    assert coerce(None, code) is None, "NULL is not an empty array"
    refused([1, None], code, WBEM_E_ILLEGAL_NULL)
    for value in ("ab", 1, {1, 2}, [[1]], [1, 256]):
        refused(value, code)
    refused(b"ab", CimType.UINT16 | ARRAY)
    refused(["a"], CimType.STRING)


def test_codes_that_are_no_types() -> None:
    for code in (0, 0xFFF, 13 | 0x4000):
        refused(1, code, WBEM_E_INVALID_CIM_TYPE)


def test_a_refusal_names_the_property_the_value_and_the_type() -> None:
    reason = refused("x" * 500, CimType.UINT32, name="Size")
    assert reason.message.startswith("Size: 'xxx")
    assert reason.message.endswith("does not fit uint32")
    assert len(reason.message) < 120
    assert reason.parameter == "Size"
    assert "outside 0..255" in refused(256, CimType.UINT8).message
    assert "far too large" in refused(10**5000, CimType.UINT8).message
    assert len(refused(["x" * 100] * 1000, CimType.UINT8).message) < 200


@pytest.mark.req("A-049")
@pytest.mark.parametrize("code", sorted(NAMES))
def test_null_is_none_both_ways(code: int) -> None:
    for target in (code, code | ARRAY):
        assert coerce(None, target) is None
        assert present(None, target) is None


@pytest.mark.req("A-022", "A-023")
@pytest.mark.parametrize(
    ("raw", "code", "shown"),
    [
        ("20240101000000.000000+060", CimType.DATETIME, dt.datetime(2024, 1, 1, tzinfo=PARIS)),
        ("00000001000001.000000:000", CimType.DATETIME, dt.timedelta(days=1, seconds=1)),
        ("20000101******.******+***", CimType.DATETIME, CimDateTime.of(2000, 1, 1)),
        ("00000101000000.000000+000", CimType.DATETIME, CimDateTime("00000101000000.000000+000")),
        (("20240101000000.000000+060",), CimType.DATETIME | ARRAY, [dt.datetime(2024, 1, 1, tzinfo=PARIS)]),
        ((1, 2), CimType.UINT8 | ARRAY, [1, 2]),
        ((), CimType.STRING | ARRAY, []),
        ("x", CimType.STRING, "x"),
        ("nonsense", CimType.DATETIME, "nonsense"),
    ],
)
def test_what_python_is_shown(raw: object, code: int, shown: object) -> None:
    assert present(raw, code) == shown


@given(st.datetimes(timezones=st.integers(-999, 999).map(lambda m: dt.timezone(dt.timedelta(minutes=m)))))
def test_datetimes_come_back_as_they_went_in(moment: dt.datetime) -> None:
    shown = present(coerce(moment, CimType.DATETIME), CimType.DATETIME)
    assert shown == moment
    assert shown.utcoffset() == moment.utcoffset()
