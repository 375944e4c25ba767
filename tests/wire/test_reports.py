"""Reports beside answers, and error information as Windows' servers send it: both ways, bounds, names."""

from __future__ import annotations

from struct import pack
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.wire.test_dcom import THIS
from tests.wire.test_wmi import a_class

from openwmi.wire.dcom import objref
from openwmi.wire.dcom.errorinfo import ErrorInfo, read_error_info, reference_in
from openwmi.wire.dcom.guids import CLSID_ErrorExtension, CLSID_ErrorObject
from openwmi.wire.dcom.orpc import NO_THAT, Extent, OrpcThat, OrpcThis
from openwmi.wire.decoding.calls import Call, Objects
from openwmi.wire.errors import PeerMisbehaved
from openwmi.wire.wmi import guids, reports
from openwmi.wire.wmi.enumerators import SMART_NEXT, SmartNext, SmartNextAnswer
from openwmi.wire.wmi.reports import LARGEST, MOST, TEXT, Asked, asked, telling, told
from openwmi.wire.wmi.results import SetStatus
from openwmi.wire.wmi.types import reference_to

IID = UUID(int=7)
OBJECT = reference_to(a_class().spawn({"Name": "x"}))

texts = st.none() | st.text(st.characters(exclude_characters="\0"), max_size=20)
status = st.integers(0, 0xFFFFFFFF)
progress = st.builds(SetStatus, st.just(2), status, texts)
final = st.builds(SetStatus, st.just(0), status, texts, st.sampled_from([None, OBJECT]))
series = st.tuples(st.lists(progress, max_size=5), st.lists(final, max_size=1)).map(
    lambda two: two[0] + two[1]
)


@pytest.mark.slow
@given(series)
def test_reports_come_back_in_their_order(sent: list[SetStatus]) -> None:
    answer = SMART_NEXT.answer(SmartNextAnswer(0, None, 1), telling(sent))
    that, outputs = SMART_NEXT.answered(answer)
    assert told(that) == tuple(sent)
    assert outputs == SmartNextAnswer(0, None, 1)


def test_nothing_to_tell_is_an_answer_like_any_other() -> None:
    assert telling(()) is NO_THAT
    assert told(NO_THAT) == ()
    assert told(OrpcThat(extensions=(Extent(IID, b"of somebody else"),))) == ()


def test_only_who_asks_hears() -> None:
    other = Extent(IID, b"")
    assert asked(None) is None
    assert asked(OrpcThis(IID)) is None
    assert asked(OrpcThis(IID, extensions=(other,))) is None
    for extensions, wanted in ((reports.ASK, False), (reports.ASK_PROGRESS, True)):
        this = OrpcThis(IID, extensions=(other, *extensions))
        inputs = SmartNext(IID, 5, 7)
        heard, again = SMART_NEXT.called(SMART_NEXT.call(inputs, this))
        assert (heard, again) == (this, inputs)
        assert asked(heard) == Asked(wanted)
    for data, progress in (
        (b"", False),
        (b"\1", False),
        (b"\xfe\xff\xff\xff", False),
        (b"\1\0\0\0more", True),
    ):
        assert asked(OrpcThis(IID, extensions=(Extent(guids.EXTENT_Reports, data),))) == Asked(progress)


def test_what_one_answer_may_tell_is_bounded() -> None:
    many = [SetStatus(2, n, "x" * 2 * TEXT) for n in range(3 * MOST)]
    huge = SetStatus(0, 5, "y" * TEXT, bytes(LARGEST))
    found = told(telling([*many, huge]))
    assert len(found) == MOST
    assert [one.status for one in found] == [*range(2 * MOST + 1, 3 * MOST), 5]
    assert found[0].text == "x" * (TEXT - 3) + "..."
    assert found[-1] == SetStatus(0, 5, "y" * TEXT)
    largest = [SetStatus(2, n, "\N{GRINNING FACE}" * TEXT) for n in range(MOST - 1)]
    (extent,) = telling([*largest, SetStatus(0, 5, None, bytes(256 << 10))]).extensions or ()
    assert len(extent.data) <= LARGEST


def extent(data: bytes) -> OrpcThat:
    return OrpcThat(extensions=(Extent(guids.EXTENT_Reports, data),))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "early"),
        (pack("<I", MOST + 2), "66 reports"),
        (pack("<I", 0xFFFFFFFF), "4294967295 reports"),
        (pack("<I", 2) + pack("<iIII", 2, 7, 0, 0), "early"),
        (pack("<I", 1) + pack("<iIII", 1, 7, 0, 0), "flags 1"),
        (pack("<I", 2) + pack("<iIII", 0, 7, 0, 0) * 2, "report 1 of 2 has flags 0"),
        (bytes(LARGEST + 1), "bytes"),
    ],
)
def test_what_is_not_reports_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(PeerMisbehaved, match=says):
        told(extent(data))


# Error information ----------------------------------------------------------------------------------------------------


def text(value: str | None, *, pad: bool = False) -> bytes:
    """[MS-DCOM] 2.2.21.3."""
    if value is None:
        return pack("<I", 0)
    raw = (value + "\0").encode("utf-16-le")
    count = len(raw) // 2
    return pack("<IIII", 0xFFFFFFFF, count, 0, count) + raw + bytes(-len(raw) % 4 if pad else 0)


def information(*texts: str | None, version: int = 0, pad: bool = False) -> bytes:
    return pack("<II", version, 9) + IID.bytes_le + b"".join(text(one, pad=pad) for one in texts)


@pytest.mark.parametrize("pad", [False, True])
@pytest.mark.parametrize("source", [None, "", "W", "WinMgmt"])
@pytest.mark.parametrize("words", [None, "it is not there", "an odd one"])
@pytest.mark.parametrize("helps", [None, "c:\\x.hlp"])
def test_error_information_in_words(
    source: str | None, words: str | None, helps: str | None, pad: bool
) -> None:
    assert read_error_info(information(source, words, helps, pad=pad)) == ErrorInfo(
        IID, source, words, helps, 9
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        information(None, None),
        information(None, None, None, version=1),
        information() + pack("<I", 1),
        information() + pack("<IIII", 0xFFFFFFFF, 0x7FFFFFFF, 0, 0x7FFFFFFF) + b"x" * 64,
        information() + pack("<IIII", 0xFFFFFFFF, 3, 0, 2) + b"x" * 64,
        information() + pack("<IIII", 0xFFFFFFFF, 3, 1, 3) + b"x" * 64,
    ],
)
def test_other_bytes_are_no_error_information(data: bytes) -> None:
    with pytest.raises(PeerMisbehaved):
        read_error_info(data)


# For mutants.
REPORTS = [
    one.data
    for sent in (
        [SetStatus(2, 0x00640019, "a quarter"), SetStatus(2, 5), SetStatus(0, 0x80041002, None, OBJECT)],
        [SetStatus(0, 0x80041008, "a sentence")],
    )
    for one in telling(sent).extensions or ()
]
INFORMATION = [information("W", "odd", None), information(None, "padded", "x", pad=True)]


# As `openwmi decode` shows them ---------------------------------------------------------------------------------------


def error_extension(reference: bytes) -> Extent:
    return Extent(CLSID_ErrorExtension, reference)


def shown(that: OrpcThat, this: OrpcThis = THIS) -> tuple[Any, Any]:
    call = Call(Objects(), guids.IWbemWCOSmartEnum.uuid, SMART_NEXT.opnum, IID)
    asks = call.add(SMART_NEXT.call(SmartNext(IID, 5, 7), this), 3, up=True) or {}
    says = call.add(SMART_NEXT.answer(SmartNextAnswer(0, None, 1), that), 3, up=False) or {}
    return asks.get("extensions"), says.get("extensions")


def test_decoding_shows_what_is_asked_and_told() -> None:
    sent = [SetStatus(2, 0x00640019, "a quarter"), SetStatus(0, 0x80041002, None, OBJECT)]
    asks, says = shown(telling(sent), OrpcThis(IID, extensions=reports.ASK_PROGRESS))
    assert asks == [{"extension": "reports", "asked": 1}]
    ((first, last),) = [one["reports"] for one in says]
    assert (first["flags"], first["text"]) == (2, "a quarter")
    assert last["status"] == "0x80041002 WBEM_E_NOT_FOUND"
    assert last["error"] == {"__CLASS": "T", "__PATH": 'T.Name="x"', "Name": "x"} | last["error"]


def test_decoding_shows_error_information_and_what_cannot_be_read() -> None:
    words = objref.Custom(IID, CLSID_ErrorObject, information("WinMgmt", "no", None)).encode()
    _, says = shown(
        OrpcThat(
            extensions=(
                error_extension(words),
                error_extension(OBJECT),
                error_extension(b"noise"),
                Extent(IID, b"\1"),
                *(extent(b"\xff" * 8).extensions or ()),
            )
        )
    )
    assert says[0]["information"]["description"] == "no"
    assert says[1]["information"]["Name"] == "x"
    assert "signature" in says[2]["error"]
    assert says[3]["data"] == "01"
    assert "4294967295 reports" in says[4]["error"]


def test_the_first_error_information_is_the_one() -> None:
    assert reference_in(None) is None
    assert reference_in((Extent(IID, b"x"), error_extension(b"a"), error_extension(b"b"))) == b"a"
