"""Date and time literals (model.md D-30)."""

from __future__ import annotations

import pytest

from openwmi.wql.dates import dmtf


@pytest.mark.req("D-30")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Mon[th] dd[,] [yy]yy
        ("Jan 17 2005", "20050117"),
        ("January 17, 2005", "20050117"),
        ("jan 17, 05", "20050117"),
        ("Jan 17 99", "19990117"),
        # Mon[th][,] yyyy
        ("May 2005", "20050501"),
        ("May, 2005", "20050501"),
        # Mon[th] [yy]yy dd
        ("Jan 2005 17", "20050117"),
        ("Jan 99 17", "19990117"),
        # dd Mon[th][,][ ][yy]yy
        ("17 Jan 2005", "20050117"),
        ("17 January,2005", "20050117"),
        ("17Jan05", "20050117"),
        # dd [yy]yy Mon[th]
        ("17 2005 Jan", "20050117"),
        ("17 05 Jan", "20050117"),
        # [yy]yy Mon[th] dd
        ("2005 Jan 17", "20050117"),
        ("99 Jan 17", "19990117"),
        # yyyy Mon[th]; yyyy dd Mon[th]
        ("2005 September", "20050901"),
        ("2005 17 Sep", "20050917"),
        # numbers in any order, with equal separators
        ("1/17/2005", "20050117"),
        ("17/1/2005", "20050117"),
        ("1/2005/17", "20050117"),
        ("17-2005-1", "20050117"),
        ("2005-17-1", "20050117"),
        ("2005-01-17", "20050117"),
        ("17.01.2005", "20050117"),
        ("01/02/03", "20030102"),
        ("99/01/17", "19990117"),
        # [yy]yyMMdd, yyyy[MM[dd]]
        ("050117", "20050117"),
        ("990117", "19990117"),
        ("20050117", "20050117"),
        ("200501", "20050101"),
        ("2005", "20050101"),
        ("  2005 ", "20050101"),
        ("29 Feb 2024", "20240229"),
    ],
)
def test_the_documented_date_formats(text: str, expected: str) -> None:
    assert dmtf(text) == f"{expected}000000.000000+000"


@pytest.mark.req("D-30")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7 AM", "070000.000000+000"),
        ("7pm", "190000.000000+000"),
        ("12 am", "000000.000000+000"),
        ("12 pm", "120000.000000+000"),
        ("7:30", "073000.000000+000"),
        ("19:30", "193000.000000+000"),
        ("7:30 PM", "193000.000000+000"),
        ("7:30pm", "193000.000000+000"),
        ("7:30:15", "073015.000000+000"),
        ("7:30:15 PM", "193015.000000+000"),
        ("7:30:15:060", "073015.000000+060"),
        ("7:30:15:060 PM", "193015.000000+060"),
    ],
)
def test_the_documented_time_formats(text: str, expected: str) -> None:
    assert dmtf(f"2005-01-17 {text}") == f"20050117{expected}"
    assert dmtf(f"17 Jan 2005, {text}") == f"20050117{expected}"


@pytest.mark.req("D-30", "D-31")
@pytest.mark.parametrize(
    "text", ["20050117103000.123456-480", "20050117******.******+***", "00000007103000.000000:000"]
)
def test_dmtf_text_stays_as_it_is(text: str) -> None:
    assert dmtf(text) == text


@pytest.mark.req("D-30")
@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "x",
            "yesterday",
            "7 AM",
            "10:30",
            "Jan",
            "Jan 17",
            "Foo 17 2005",
            "Jan Feb 2005",
            "17 2005",
            "205",
            "123/1/1",
        ),
        *(
            "2005-01/17",
            "2005-13-40",
            "30 Feb 2024",
            "29 Feb 2023",
            "31/31/2005",
            "2005-2005-1",
            "1/1/1/1",
            "0 Jan 2005",
        ),
        *(
            "2005-01-17 25:00",
            "2005-01-17 10:60",
            "2005-01-17 13 PM",
            "2005-01-17 0 AM",
            "2005-01-17 10:30:60",
        ),
        *(
            "20050132",
            "99999999999999",
            "20050117103000.12345x+000",
            "20051317103000.123456+000",
            "٢٠٠٥",
            "Jan 17, 205",
        ),
    ],
)
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="."):
        dmtf(text)
