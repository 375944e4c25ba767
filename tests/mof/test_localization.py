"""A master text as its neutral and its translatable part (C-23, B-10)."""

from __future__ import annotations

import pytest

from openwmi import mof
from openwmi.model import Class, ClassDeclaration, Instance
from openwmi.model.errors import MofError
from openwmi.model.qualifiers import AMENDED

MASTER = r"""
#pragma amendment("MS_407")
#pragma classflags("forceupdate")
#pragma autorecover
#pragma namespace("\\\\.\\root\\one")
Qualifier Description : ToSubClass Amended;
[Description("Eine Klasse"), Locale(0x407), UUID("{1}")] class A
{
    [key, Description("Schluessel")] string K;
    [Values{"a"} : Amended ToSubClass, MaxLen(5)] string V = "v";
    uint8 Plain;
    [Description("Tu es"), implemented] uint32 Do([in, Description("womit")] string what, [out] uint8 result);
    [implemented] void Nothing([in] uint8 x);
};
class Silent : A { uint8 More; };
instance of A as $x { K = "1"; V = "w"; };  // as it stands
#pragma namespace("\\\\.\\root\\two")
class B { [Description("Text")] string T; };
#pragma deleteclass("Old", NOFAIL)
"""


def steps(text: str, known: dict[str, Class] | None = None) -> list[mof.Step]:
    classes = known or {}
    return list(mof.declarations(text, lambda name: classes.get(name.lower()), system=True))


@pytest.fixture
def split() -> mof.Split:
    return mof.split(MASTER)


@pytest.mark.req("C-23")
def test_the_neutral_text_is_the_master_without_its_amended_qualifiers(split: mof.Split) -> None:
    master, neutral = steps(MASTER), steps(split.neutral)
    assert [(one.namespace, one.flags) for one in neutral] == [(one.namespace, one.flags) for one in master]
    for before, after in zip(master, neutral, strict=True):
        if not isinstance(before.item, ClassDeclaration):
            assert before.item == after.item
            continue
        assert isinstance(after.item, ClassDeclaration)
        assert "Amended" not in mof.print_class(after.item)
        assert after.item.name == before.item.name
        assert [one.name for one in after.item.properties] == [one.name for one in before.item.properties]
    first = neutral[0].item
    assert isinstance(first, ClassDeclaration)
    assert [one.name for one in first.qualifiers] == ["Locale", "UUID"]
    assert first.qualifiers.value("locale") == 1031
    assert [one.name for one in first.properties[1].qualifiers] == ["MaxLen"]
    assert first.properties[1].default == "v"
    assert isinstance(neutral[2].item, Instance)
    assert "#pragma autorecover" in split.neutral
    assert "amendment" not in split.neutral


@pytest.mark.req("C-23", "B-10")
def test_the_translatable_text_holds_keys_and_text_below_each_namespace(split: mof.Split) -> None:
    assert split.locale == "ms_407"
    known: dict[str, Class] = {}
    from openwmi.model import derive

    for declared in mof.class_declarations("class __namespace { [key] string Name; };", system=True):
        known[declared.name.lower()] = derive(declared, None)
    found = steps(split.localized, known)
    assert [one.namespace for one in found] == [
        "root\\one",
        "root\\one\\ms_407",
        "root\\two",
        "root\\two\\ms_407",
    ]
    assert [one.flags for one in found] == [0, 0x40, 0, 0x40]
    assert isinstance(found[0].item, Instance)
    assert found[0].item.raw_("name") == "ms_407"
    a, b = found[1].item, found[3].item
    assert isinstance(a, ClassDeclaration)
    assert isinstance(b, ClassDeclaration)
    assert [(one.name, one.value) for one in a.qualifiers] == [
        ("Description", "Eine Klasse"),
        ("AMENDMENT", True),
        ("LOCALE", 0x407),
    ]
    assert [(one.name, [q.name for q in one.qualifiers]) for one in a.properties] == [
        ("K", ["key", "Description"]),
        ("V", ["Values"]),
    ]
    assert not any(one.has_default for one in a.properties)
    assert all(q.flavor & AMENDED for one in a.properties for q in one.qualifiers if q.name != "key")
    (method,) = a.methods
    assert method.qualifiers.value("description") == "Tu es"
    assert method.inputs is not None
    assert method.inputs.properties["what"].qualifiers.value("description") == "womit"
    assert [one.name for one in b.properties] == ["T"]


def test_a_text_without_a_locale_cannot_be_split() -> None:
    with pytest.raises(MofError) as caught:
        mof.split("class A { };")
    assert caught.value.symbol == "WBEMMOF_E_INVALID_AMENDMENT_SYNTAX"
    assert mof.split("class A { };", locale="MS_409") == ("class A\n{\n};\n", "\n", "ms_409")
