"""Whatever can be made can be printed and read back; whatever is read gives a result or an error with a place."""

from __future__ import annotations

import os
import random
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.mof import corpus

from openwmi import mof
from openwmi.model import (
    ARRAY,
    CimType,
    Class,
    ClassDeclaration,
    Instance,
    Method,
    Property,
    Qualifier,
    QualifierSet,
    WbemError,
    derive,
)
from openwmi.model.cimtypes import INTEGER_RANGES
from openwmi.model.errors import MofError
from openwmi.model.values import coerce
from openwmi.mof.cimxml import CIM_DTD, WMI_DTD
from openwmi.mof.flavors import DEFAULTS
from openwmi.mof.signatures import method_of, without_id

DEEP = os.environ.get("OPENWMI_DEEP") == "1"
MUTATIONS = 100_000 if DEEP else 300

# What is made -------------------------------------------------------------------------------------------------

identifiers = st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,8}", fullmatch=True).filter(
    lambda name: (
        name.lower() not in {*DEFAULTS, "in", "out", "static", "abstract", "max", "returnvalue", "ref"}
    )
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ['"', "\\", '\\"', "\n\r\t", "\x00\x07", "instance of", "𝄞", "'", "$a", "/* x */"]
)
reals = st.floats(allow_nan=False, allow_infinity=False)
singles = st.floats(allow_nan=False, allow_infinity=False, width=32)
datetimes = st.sampled_from(
    [
        "20000101000000.000000+000",
        "19991231235959.999999-480",
        "00000005010203.000004:000",
        "****0101******.******+***",
    ]
)
paths = st.sampled_from(['A.K="x"', "\\\\.\\root\\cimv2:A.K=5", "B=@", "A"])
SCALARS: dict[int, st.SearchStrategy[Any]] = {
    **{int(code): st.integers(*limits) for code, limits in INTEGER_RANGES.items()},
    CimType.REAL32: singles,
    CimType.REAL64: reals,
    CimType.STRING: texts,
    CimType.BOOLEAN: st.booleans(),
    CimType.DATETIME: datetimes,
    CimType.REFERENCE: paths,
}


def arrays(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(strategy, max_size=3).map(tuple)


def values(code: int) -> st.SearchStrategy[Any]:
    scalar = SCALARS[code & ~ARRAY].map(lambda value: coerce(value, code & ~ARRAY))
    return st.none() | (arrays(scalar) if code & ARRAY else scalar)


types = st.sampled_from([*SCALARS, *(code | ARRAY for code in SCALARS)])


@st.composite
def qualifiers(draw: st.DrawFn) -> QualifierSet:
    held = [
        (CimType.BOOLEAN, st.booleans()),
        (CimType.SINT32, st.integers(-(2**31), 2**31 - 1)),
        (CimType.REAL64, reals),
        (CimType.STRING, texts),
    ]
    found = []
    for name in draw(st.lists(identifiers, max_size=3, unique_by=str.lower)):
        code, strategy = draw(st.sampled_from(held))
        many = draw(st.booleans())
        value = draw(st.lists(strategy, min_size=1, max_size=3).map(tuple) if many else strategy)
        flavor = draw(st.sampled_from([0, 1, 2, 3, 0x10, 0x13, 0x82]))
        found.append(Qualifier(name, value, code | ARRAY if many else code, flavor))
    return QualifierSet(found)


@st.composite
def properties(draw: st.DrawFn, origin: str) -> Property:
    code = draw(types)
    reference = draw(st.none() | identifiers) if code & ~ARRAY == CimType.REFERENCE else None
    has_default = draw(st.booleans())
    default = draw(values(code)) if has_default else None
    return Property(
        draw(identifiers), code, reference, default, has_default, draw(qualifiers()), origin, True
    )


def named_once(strategy: st.SearchStrategy[Any], size: int) -> st.SearchStrategy[list[Any]]:
    return st.lists(strategy, max_size=size, unique_by=lambda one: one.name.lower())


DIRECTIONS = [("in",), ("out",), ("in", "out")]


@st.composite
def methods(draw: st.DrawFn, origin: str) -> Method:
    parameters = []
    for one in draw(named_once(properties("__PARAMETERS"), 3)):
        ways = [Qualifier(word, True, CimType.BOOLEAN, 0) for word in draw(st.sampled_from(DIRECTIONS))]
        parameters.append(one.replace(qualifiers=QualifierSet((*ways, *one.qualifiers))))
    returned = draw(st.none() | st.sampled_from([int(code) for code in SCALARS]))
    return method_of(draw(identifiers), draw(qualifiers()), without_id(parameters), returned, None, origin)


@st.composite
def declarations(draw: st.DrawFn) -> ClassDeclaration:
    name = draw(identifiers)
    key = Qualifier("key", True, CimType.BOOLEAN, 0x13)
    members = draw(
        named_once(properties(name), 5).filter(lambda found: "k" not in [one.name.lower() for one in found])
    )
    members.insert(0, Property("K", CimType.STRING, None, None, False, QualifierSet((key,)), name, True))
    return ClassDeclaration(name, None, draw(qualifiers()), members, draw(named_once(methods(name), 2)))


@st.composite
def instances(draw: st.DrawFn) -> Instance:
    class_ = derive(draw(declarations()), None)
    chosen = {one.name: draw(values(one.type)) for one in class_.properties.values() if draw(st.booleans())}
    return class_.spawn({**chosen, "K": draw(texts)})


def reread(text: str, class_: Class | None = None) -> Any:
    (step,) = mof.declarations(text, lambda name: class_)
    return step.item


@pytest.mark.slow
@pytest.mark.req("A-232", "A-234", "A-235")
@given(declarations())
def test_a_made_class_survives_printing(declared: ClassDeclaration) -> None:
    assert reread(mof.print_class(declared)) == declared
    class_ = derive(declared, None)
    assert derive(reread(mof.print_class(class_)), None) == class_


@pytest.mark.slow
@pytest.mark.req("A-233", "A-235", "A-046")
@given(instances(), st.data())
def test_a_made_instance_survives_printing(made: Instance, data: st.DataObject) -> None:
    class_ = made.class_
    assert class_ is not None
    assert reread(mof.print_instance(made), class_) == made
    members = [Property("o", CimType.OBJECT | ARRAY), Property("p", CimType.OBJECT)]
    outer = derive(ClassDeclaration("Outer", None, properties=members), None)
    whole = outer.spawn({"o": [made, class_, made], "p": data.draw(st.sampled_from([made, class_, None]))})
    known = {"outer": outer, class_.name.lower(): class_}
    (step,) = mof.declarations(mof.print_instance(whole), lambda name: known[name.lower()])
    assert isinstance(step.item, Instance)
    assert step.item.raw_("o")[0] == made
    assert step.item.raw_("o")[1].declaration == class_.declaration


def clean(raw: Any) -> bool:
    """Whether XML 1.0 can hold the text."""
    if isinstance(raw, tuple):
        return all(map(clean, raw))
    return not isinstance(raw, str) or re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", raw) is None


@pytest.mark.slow
@given(instances(), st.sampled_from([CIM_DTD, WMI_DTD]))
def test_a_made_instance_survives_xml(made: Instance, form: int) -> None:
    class_ = made.class_
    assert class_ is not None
    text = mof.instance_to_xml(made, form)
    found = mof.parse_xml(text, lambda name: class_)
    assert isinstance(found, Instance)
    for name, mine, its, code in zip(
        made.names_, made.values_, found.values_, made.layout_.types, strict=True
    ):
        if clean(mine) and code & ~ARRAY != CimType.REFERENCE:
            assert its == mine, name


# What is read -------------------------------------------------------------------------------------------------

PIECES = [
    *(
        "class",
        "instance",
        "of",
        "as",
        "$a",
        "#pragma",
        "namespace",
        "qualifier",
        "ref",
        "object",
        "void",
        "NULL",
    ),
    *(
        "[",
        "]",
        "{",
        "}",
        "(",
        ")",
        ",",
        ";",
        ":",
        "=",
        '"',
        "'",
        "\\",
        "/*",
        "*/",
        "//",
        "\n",
        "\r",
        "\x1a",
        "\x00",
    ),
    *(
        "256",
        "-1",
        "0x",
        "1e999",
        "9" * 90,
        "TRUE",
        "[key]",
        "string s;",
        '"\\x',
        "\ud800",
        "\ufeff",
        "é",
        "\U0001f600",
    ),
]


def mutated(text: str, chance: random.Random) -> str:
    """The text after some of what happens to files: cut, doubled, moved, overwritten, spliced."""
    for _ in range(chance.randint(1, 6)):
        start = chance.randrange(len(text) + 1)
        stop = min(len(text), start + chance.choice((0, 1, 3, 20, 200)))
        way = chance.randrange(6)
        if way == 0:
            text = text[:start] + text[stop:]
        elif way == 1:
            text = text[:stop] + text[start:]
        elif way == 2:
            text = text[:start] + chance.choice(PIECES) + text[stop:]
        elif way == 3:
            text = (
                text[:start]
                + chr(chance.choice((chance.randrange(128), chance.randrange(0x11000))))
                + text[stop:]
            )
        elif way == 4:
            place = chance.randrange(len(text) + 1)
            text = text[:place] + text[start:stop] + text[place:]
        else:
            text = text[:start]
    return text


def judged(text: str) -> None:
    """A result, or an error whose place is in the text; never anything else."""
    try:
        classes = corpus.Catalogue()
        for item in classes.compile(text, "fuzz.mof"):
            printed = (
                mof.print_class(item) if isinstance(item, ClassDeclaration) else mof.print_instance(item)
            )
            assert printed.endswith("};")
    except MofError as reason:
        assert reason.file != ""
        assert reason.line >= 1
        assert reason.column >= 1
        assert mof.explain(reason)
        if reason.file == "fuzz.mof":
            assert reason.line <= len(re.findall(r"\r\n?|\n", text)) + 1
    except WbemError as reason:
        raise AssertionError(f"an error without a place: {reason!r}") from reason


@pytest.mark.slow
@pytest.mark.usefixtures("shared_data")
def test_a_mutated_file_gives_a_result_or_an_error_with_a_place() -> None:
    chance = random.Random(None if DEEP else 20)
    seeds = [
        mof.decode((corpus.MOF / path).read_bytes())
        for path in corpus.files()
        if (corpus.MOF / path).stat().st_size < 6_000
    ]
    for number in range(MUTATIONS):
        text = mutated(chance.choice(seeds), chance)
        try:
            judged(text)
        except Exception:
            print(f"mutation {number}: {text!r}")
            raise


@pytest.mark.slow
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=40).map(" ".join))
@settings(max_examples=20_000 if DEEP else 200)
def test_a_heap_of_tokens_gives_a_result_or_an_error_with_a_place(text: str) -> None:
    judged(text)


@pytest.mark.slow
@given(st.binary(max_size=200))
def test_any_bytes_are_a_text(data: bytes) -> None:
    judged(mof.decode(data))


@pytest.mark.slow
@given(st.data())
def test_mutated_xml_gives_an_object_or_an_error(data: st.DataObject) -> None:
    made = data.draw(instances())
    text = mof.instance_to_xml(made, data.draw(st.sampled_from([CIM_DTD, WMI_DTD])))
    assert made.class_ is not None
    if data.draw(st.booleans()):
        text = mof.class_to_xml(made.class_)
    chance = random.Random(data.draw(st.integers(0, 2**32)))
    for _ in range(3):
        start = chance.randrange(len(text) + 1)
        stop = min(len(text), start + chance.choice((1, 5, 30)))
        piece = chance.choice(
            ("", "<", ">", "</VALUE>", '"', "&", "NAME", "PROPERTY", "x", text[start:stop] * 2)
        )
        text = text[:start] + piece + text[stop:]
    try:
        mof.parse_xml(text)
    except WbemError as reason:
        assert reason.message
