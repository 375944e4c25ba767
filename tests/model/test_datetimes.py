"""CIM datetimes: grammar, comparison, conversion."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openwmi.model.datetimes import CimDateTime, sort_key
from openwmi.model.errors import WbemError
from openwmi.model.status import WBEM_E_INVALID_SYNTAX

UNIX_EPOCH = 116444736000000000

moments = st.datetimes(timezones=st.integers(-999, 999).map(lambda m: dt.timezone(dt.timedelta(minutes=m))))
spans = st.timedeltas(dt.timedelta(0), dt.timedelta(days=99_999_999, hours=23))


@st.composite
def texts(draw: st.DrawFn) -> str:
    """A point in time with any of its fields starred."""
    moment = draw(st.datetimes())
    fields = [f"{moment.year:04d}", *moment.strftime("%m %d %H %M %S").split(), f"{moment.microsecond:06d}"]
    shown = [draw(st.sampled_from([field, "*" * len(field)])) for field in fields]
    zone = draw(st.sampled_from(["+***", "-***"]) | st.integers(-999, 999).map(lambda m: f"{m:+04d}"))
    return f"{''.join(shown[:6])}.{shown[6]}{zone}"


@pytest.mark.req("A-020", "A-021")
@given(texts())
def test_every_well_formed_point_is_kept_as_it_is(text: str) -> None:
    moment = CimDateTime(text)
    assert str(moment) == text
    assert not moment.is_interval
    assert moment.is_complete == ("*" not in text)
    assert (sort_key(text) is None) == ("*" in text)
    assert CimDateTime(text) == moment
    assert hash(CimDateTime(text)) == hash(moment)


@pytest.mark.req("A-023")
@given(spans)
def test_intervals_round_trip(span: dt.timedelta) -> None:
    interval = CimDateTime.from_timedelta(span)
    assert interval.is_interval
    assert len(str(interval)) == 25
    assert interval.to_timedelta() == span
    assert sort_key(str(interval)) == span // dt.timedelta(microseconds=1)
    assert CimDateTime(str(interval)) == interval


@pytest.mark.req("A-027")
@given(moments)
def test_datetimes_round_trip_with_their_offset(moment: dt.datetime) -> None:
    made = CimDateTime.from_datetime(moment)
    assert made.to_datetime() == moment
    assert made.to_datetime().utcoffset() == moment.utcoffset()
    assert made.offset == moment.utcoffset() // dt.timedelta(minutes=1)  # type: ignore[operator]


@pytest.mark.req("A-026")
@given(moments, moments)
def test_points_compare_by_instant(one: dt.datetime, other: dt.datetime) -> None:
    left, right = CimDateTime.from_datetime(one), CimDateTime.from_datetime(other)
    assert (left < right, left <= right, left > right, left >= right, left == right) == (
        one < other,
        one <= other,
        one > other,
        one >= other,
        one == other,
    )


@pytest.mark.req("A-026")
def test_the_same_instant_in_two_zones() -> None:
    paris, utc = CimDateTime("20240101010000.000000+060"), CimDateTime("20240101000000.000000+000")
    assert paris == utc
    assert hash(paris) == hash(utc)
    assert sort_key(str(paris)) == sort_key(str(utc))


@pytest.mark.req("A-022", "A-026")
def test_what_is_not_known_does_not_order() -> None:
    zoned, unzoned = CimDateTime("20240101000000.000000+000"), CimDateTime("20240101000000.000000+***")
    assert zoned != unzoned
    assert unzoned == CimDateTime("20240101000000.000000+***")
    assert unzoned != CimDateTime("20240101000000.000000-***"), "only the characters count"
    for left, right in [
        (zoned, unzoned),
        (unzoned, unzoned),
        (zoned, CimDateTime("00000001000000.000000:000")),
    ]:
        with pytest.raises(TypeError):
            assert left < right
        with pytest.raises(TypeError):
            assert left >= right
    assert zoned != "20240101000000.000000+000"


@pytest.mark.req("A-020", "A-021", "A-022", "A-023", "A-025")
@pytest.mark.parametrize(
    "text",
    [
        "",
        "20240101",
        "20240101000000.000000+00",
        "20240101000000.000000+0000",
        "20240101000000,000000+000",
        "20240101000000.000000 000",
        "20240101000000.000000+0*0",
        "202*0101000000.000000+000",
        "2024010100000*.000000+000",
        "20240101000000.000***+000",
        "20241301000000.000000+000",
        "20240001000000.000000+000",
        "20240230000000.000000+000",
        "20230229000000.000000+000",
        "19000229000000.000000+000",
        "****0230000000.000000+000",
        "20240101240000.000000+000",
        "20240101006000.000000+000",
        "20240101000060.000000+000",
        "00000001000000.000000:001",
        "00000001000000.000000:***",
        "********000000.000000:000",
        "00000001240000.000000:000",
        "00000001006000.000000:000",
        "00000001000060.000000:000",
        "2024010100000٠.000000+000",
        " 0240101000000.000000+000",
        "+0240101000000.000000+000",
    ],
)
def test_malformed_texts(text: str) -> None:
    with pytest.raises(ValueError, match="is not a datetime") as caught:
        CimDateTime(text)
    assert isinstance(caught.value, WbemError)
    assert caught.value.code == WBEM_E_INVALID_SYNTAX


@given(st.text(max_size=30))
def test_any_text_is_taken_or_refused(text: str) -> None:
    try:
        assert str(CimDateTime(text)) == text
    except ValueError:
        assert text not in ("20240229000000.000000+000", "20000229******.******+***")


@pytest.mark.req("A-025")
def test_the_scripting_default_is_well_formed() -> None:
    zero = CimDateTime("00000101000000.000000+000")
    assert zero.is_complete
    with pytest.raises(ValueError, match="year"):
        zero.to_datetime()


@pytest.mark.req("A-021")
def test_fields_that_are_left_out_are_asterisks() -> None:
    assert str(CimDateTime.of(2000, 1, 1)) == "20000101******.******+***"
    assert str(CimDateTime.of(month=1, day=1)) == "****0101******.******+***"
    assert str(CimDateTime.of(2000, 2, 29, 1, 2, 3, 4, 60)) == "20000229010203.000004+060"
    for wrong in [{"year": 10_000}, {"month": 13}, {"hour": -1}, {"offset": 1_000}]:
        with pytest.raises(ValueError, match="outside|digits"):
            CimDateTime.of(**wrong)


@pytest.mark.req("A-024")
def test_offsets_of_real_zones_are_written() -> None:
    assert str(CimDateTime.of(2024, 1, 1, 0, 0, 0, 0, 840)) == "20240101000000.000000+840"
    assert CimDateTime("20240101000000.000000+840").offset == 840


@pytest.mark.req("A-028")
@given(st.integers(0, 2_650_467_743_999_999_999))
def test_filetimes_round_trip_to_the_microsecond(ticks: int) -> None:
    made = CimDateTime.from_filetime(ticks)
    assert made.to_filetime() == ticks - ticks % 10
    assert made.to_datetime() == dt.datetime(1601, 1, 1, tzinfo=dt.UTC) + dt.timedelta(
        microseconds=ticks // 10
    )


@pytest.mark.req("A-028")
def test_filetime_of_the_unix_epoch() -> None:
    assert str(CimDateTime.from_filetime(UNIX_EPOCH)) == "19700101000000.000000+000"
    assert CimDateTime("19700101010000.000000+060").to_filetime() == UNIX_EPOCH
    for text in ("16001231235959.999999+000", "19700101000000.000000+***", "00000001000000.000000:000"):
        with pytest.raises(ValueError, match="1601|complete"):
            CimDateTime(text).to_filetime()
    for ticks in (-1, 2_650_467_744_000_000_000):
        with pytest.raises(ValueError, match="1601"):
            CimDateTime.from_filetime(ticks)


def test_a_naive_datetime_has_no_known_offset() -> None:
    assert str(CimDateTime.from_datetime(dt.datetime(2024, 1, 2, 3, 4, 5))) == "20240102030405.000000+***"  # noqa: DTZ001


def test_conversions_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="interval"):
        CimDateTime("20240101000000.000000+000").to_timedelta()
    with pytest.raises(ValueError, match="complete"):
        CimDateTime("00000001000000.000000:000").to_datetime()
    with pytest.raises(ValueError, match="days"):
        CimDateTime.from_timedelta(dt.timedelta(microseconds=-1))
    with pytest.raises(ValueError, match="days"):
        CimDateTime.interval(days=100_000_000)


def test_an_interval_from_its_parts() -> None:
    assert str(CimDateTime.interval(1, 2, 3, 4, 5)) == "00000001020304.000005:000"
    assert CimDateTime.interval(hours=36) == CimDateTime("00000001120000.000000:000")


def test_sort_keys_of_what_is_no_datetime() -> None:
    assert sort_key("") is None
    assert sort_key("not a datetime at all ....") is None
