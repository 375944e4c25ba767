"""Standard string templates: each rule of model.md E-70."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.consumers.conftest import Event

from openwmi.consumers.templates import LIMIT, expand
from openwmi.model.instances import Instance

CASES = [
    ("plain text", "plain text"),
    ("%Number%", "90"),
    ("load is %number% now", "load is 90 now"),
    ("%Truth%", "TRUE"),
    ("%Moment%", "20240501123456.500000+120"),
    ("%Real%|%Low%", "0.5|-9223372036854775808"),
    ("100%% of %%%Text%%%", "100% of %word%"),
    ("%Empty%%Nothing%.", "."),
    ("%Numbers%", "(1,5,10,1024)"),
    ("%Bytes%", "7"),
    ("%Texts%", '("C:","D:")'),
    ("%One.Drive%", "C:"),
    ("%One.Drive.Deeper%|%Text.Drive%", "|"),
    ("%Parts.Drive%", '("C:","D:")'),
    ("%Parts.Id%", "(1,2)"),
    ("%__CLASS%: %One.__RELPATH%", "Rang: Part.Id=1"),
    ('value "%Number%" stays', 'value "%Number%" stays'),
    ('"%Number%" %Number% "', '"%Number%" 90 "'),
    ("5% of %Number% and %", "5% of 90 and %"),
    ("% Number %Number", "% Number %Number"),
    ("%1a%Number%", "%1a90"),
    ("%One..Drive%", "%One..Drive%"),
    ("", ""),
    (None, ""),
]


@pytest.fixture(scope="module")
def rang(event: Event, part: Event) -> Instance:
    drives: dict[str, Any] = {"One": part(Id=1, Drive="C:")}
    drives["Parts"] = [part(Id=1, Drive="C:"), part(Id=2, Drive="D:")]
    return event(
        Text="word",
        Number=90,
        Truth=True,
        Moment="20240501123456.500000+120",
        Real=0.5,
        Low=-(2**63),
        Texts=["C:", "D:"],
        Numbers=[1, 5, 10, 1024],
        Bytes=[7],
        **drives,
    )


@pytest.mark.req("E-70")
@pytest.mark.parametrize(("template", "text"), CASES)
def test_templates(rang: Instance, template: str | None, text: str) -> None:
    assert expand(template, rang) == text


@pytest.mark.req("E-70")
def test_arrays_of_none_one_and_more(event: Event) -> None:
    assert expand("%Numbers%", event(Numbers=[])) == "()"
    assert expand("%Texts%", event(Texts=["C:"])) == "C:"
    assert expand("%Texts%", event(Texts=["a", ""])) == '("a","")'
    assert expand("%Numbers%", event()) == ""


@pytest.mark.req("E-70")
def test_an_embedded_object_is_its_mof(rang: Instance) -> None:
    text = expand("got %One%", rang)
    assert text.split() == [
        "got",
        "instance",
        "of",
        "Part",
        "{",
        "Id",
        "=",
        "1;",
        "Drive",
        "=",
        '"C:";',
        "};",
    ]
    assert expand("%Parts%", rang).count("instance of Part") == 2


def test_what_is_put_together_stays_within_a_limit(event: Event) -> None:
    assert len(expand("%Text%" * 3, event(Text="x" * LIMIT))) == LIMIT


@pytest.mark.slow
@given(st.text(alphabet='ab%".1 _N', max_size=60))
def test_any_template_has_a_text_and_what_has_no_percent_sign_is_kept(template: str) -> None:
    text = expand(template, _EMPTY)
    if "%" not in template:
        assert text == template
    assert len(text) <= len(template)


def _empty() -> Instance:
    from openwmi.model.classes import Class

    return Class("Nothing", properties={}).spawn({})


_EMPTY = _empty()
