"""Translated text in child namespaces (model.md B2, calls.md B41-B43)."""

from __future__ import annotations

from typing import Any

import pytest
from tests.service.conftest import Running

from openwmi.contract import operations as ops
from openwmi.model import status as s
from openwmi.model.classes import derive
from openwmi.mof import class_declarations

AMENDED = 0x20000
NEUTRAL = 'class Test_Text { [key] string K; [Units("own")] string P; uint32 M(); };'
ENGLISH = """[AMENDMENT, LOCALE(0x409), Description("A class"): Amended] class Test_Text {
    [key, Description("Its key"): Amended ToSubclass] string K;
    [Units("theirs"): Amended, DisplayName("Pea"): Amended] string P;
    [Description("A method"): Amended] uint32 M();
};"""
GERMAN = (
    '[AMENDMENT, LOCALE(0x407), Description("Eine Klasse"): Amended] class Test_Text { [key] string K; };'
)


@pytest.fixture(scope="module")
def texts(running: Running) -> Running:
    running.host.namespaces.create("root\\cimv2\\ms_407")
    for namespace, text in (
        ("root\\cimv2", NEUTRAL),
        ("root\\cimv2\\ms_409", ENGLISH),
        ("root\\cimv2\\ms_407", GERMAN),
    ):
        class_ = derive(next(iter(class_declarations(text))), None)
        assert running.status(ops.PutClass(class_), services=running.connect(namespace)) == 0
    return running


def text_of(running: Running, flags: int, **options: Any) -> Any:
    return running.collect(ops.GetObject("Test_Text"), flags, **options).objects[0]


@pytest.mark.req("B-10", "B-11", "calls:B41", "A-127")
def test_the_flag_adds_the_text_of_the_language(texts: Running) -> None:
    plain, rich = text_of(texts, 0), text_of(texts, AMENDED)
    assert "Description" not in plain.qualifiers
    assert rich.qualifiers.value("Description") == "A class"
    assert rich.property("K").qualifiers.value("Description") == "Its key"
    assert rich.method("M").qualifiers.value("Description") == "A method"
    assert rich.property("P").qualifiers.value("DisplayName") == "Pea"
    assert rich.property("P").qualifiers.value("Units") == "own"


@pytest.mark.req("calls:B41", "B-12")
def test_the_callers_languages_come_in_their_order(texts: Running) -> None:
    german = texts.connect("root\\cimv2", locale="MS_407")
    assert text_of(texts, AMENDED, services=german).qualifiers.value("Description") == "Eine Klasse"
    unknown = texts.connect("root\\cimv2", locale="MS_7FF")
    assert text_of(texts, AMENDED, services=unknown).qualifiers.value("Description") == "A class"


@pytest.mark.req("B-11")
def test_enumerations_and_schema_queries_take_the_flag(texts: Running) -> None:
    found = texts.collect(
        ops.ExecQuery("SELECT * FROM meta_class WHERE __class = 'Test_Text'"), AMENDED
    ).objects
    assert found[0].qualifiers.value("Description") == "A class"
    every = texts.collect(ops.CreateClassEnum(None), AMENDED).objects
    assert next(one for one in every if one.name == "Test_Text").qualifiers.value("Description") == "A class"


@pytest.mark.req("calls:B42", "A-257")
def test_a_translated_class_is_put_with_the_flag(texts: Running) -> None:
    rich = text_of(texts, AMENDED)
    assert texts.status(ops.PutClass(rich)) == s.WBEM_E_AMENDED_OBJECT
    assert texts.status(ops.PutClass(rich), AMENDED) == 0
    assert "Description" not in text_of(texts, 0).qualifiers


@pytest.mark.req("calls:B43", "calls:B41")
def test_what_the_text_is_not_for(texts: Running) -> None:
    english = texts.connect("root\\cimv2\\ms_409")
    instance = text_of(texts, 0, services=english).spawn({"K": "a"})
    assert texts.status(ops.PutInstance(instance), services=english) == s.WBEM_E_INVALID_OPERATION
    alone = derive(
        next(iter(class_declarations("[Amendment] class Test_TextAlone { [key] string K; };"))), None
    )
    assert texts.status(ops.PutClass(alone), services=english) == 0
    assert texts.status(ops.GetObject("Test_TextAlone"), AMENDED) == s.WBEM_E_NOT_FOUND
    assert texts.status(ops.DeleteClass("Test_Text"), AMENDED) == s.WBEM_E_INVALID_PARAMETER
