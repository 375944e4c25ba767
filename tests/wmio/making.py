"""What the tests of this room build their objects from: a class with a property of every type, and strategies."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from tests.model.making import key, make, parameter, parameters, prop, qualifier, qualifiers

from openwmi.model.cimtypes import ARRAY, INTEGER_RANGES, NAMES, CimType
from openwmi.model.classes import Class, Method, Property
from openwmi.model.instances import Instance
from openwmi.model.qualifiers import TO_INSTANCE, TO_SUBCLASS, Qualifier

CODES = tuple(code | array for array in (0, ARRAY) for code in NAMES)
MOMENT = "20240229123456.000001+060"
INTERVAL = "00000001020304.000005:000"
PART = make("Test_Part", prop("Name"), prop("Size", CimType.UINT16, default=7))

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
SINGLES = st.floats(width=32, allow_nan=False)


def every_type(name: str = "Test_Every", **parts: Any) -> Class:
    """A class with a scalar and an array of every type, and with a key."""
    return make(name, key(), *[prop(_name(code), code) for code in CODES], **parts)


def _name(code: int) -> str:
    return f"{NAMES[code & ~ARRAY].title()}{'s' if code & ARRAY else ''}"


def samples() -> dict[str, Any]:
    """A value for each property of `every_type`."""
    single: dict[int, Any] = {code: high for code, (_, high) in INTEGER_RANGES.items()}
    single |= {CimType.SINT8: -128, CimType.SINT64: -(2**63), CimType.REAL32: 1.5, CimType.REAL64: -2.1e300}
    single |= {CimType.STRING: "Grüße", CimType.BOOLEAN: True, CimType.DATETIME: MOMENT}
    single |= {CimType.REFERENCE: 'Test_Part.Name="a"', CimType.OBJECT: PART.spawn({"Name": "a"})}
    values: dict[str, Any] = {"Name": "a"}
    for code in CODES:
        one = single[code & ~ARRAY]
        values[_name(code)] = [one, one] if code & ARRAY else one
    values["Booleans"] = [True, False]
    values["Strings"] = ["", "日本", "a\\b"]
    return values


def family(*, reals: bool = True) -> tuple[Class, Class]:
    """A class and its superclass, with an override, defaults, methods and all kinds of qualifiers."""
    numbers = qualifier("Weights", (0.5, 2.0) if reals else (5, 20))
    base = make(
        "Test_Base",
        key("Id", CimType.UINT32),
        prop("Text", CimType.STRING, "read", default="inherited"),
        prop("Size", CimType.UINT16, qualifier("Units", "bytes", TO_SUBCLASS), default=5),
        prop("Bare", CimType.REAL64),
        Method("Stop", qualifiers("implemented"), None, parameters(returned())),
        marks=(qualifier("Description", "a base, ü", TO_INSTANCE), qualifier("Version", 3, TO_SUBCLASS)),
    )
    derived = make(
        "Test_Derived",
        prop("Size", CimType.UINT16, qualifier("Override", "Size"), default=6),
        prop("Flags", CimType.UINT8 | ARRAY, qualifier("Values", ("a", "日")), default=(1, 2, 255)),
        prop("Part", CimType.OBJECT, reference="Test_Part", default=PART.spawn({"Name": "d"})),
        prop("Other", CimType.REFERENCE, reference="Test_Base"),
        Method(
            "Start",
            qualifiers(qualifier("Numbers", (1, -2)), numbers, "static"),
            parameters(parameter("Speed", 0), parameter("Name", 1, CimType.STRING)),
            parameters(returned(), parameter("Job", 2, CimType.UINT64 | ARRAY)),
        ),
        parent=base,
        marks=(qualifier("provider", "P", TO_INSTANCE), qualifier("dynamic", flavor=TO_INSTANCE)),
    )
    return derived, base


def returned() -> Property:
    return prop("ReturnValue", CimType.UINT32, qualifier("out"))


# Strategies -------------------------------------------------------------------------------------------------------


def values_of(code: int, depth: int = 2) -> st.SearchStrategy[Any]:
    """Raw values of a type."""
    if code & ARRAY:
        return st.lists(values_of(code & ~ARRAY, depth), max_size=4).map(tuple)
    if code in INTEGER_RANGES:
        return st.integers(*INTEGER_RANGES[code])
    if code == CimType.BOOLEAN:
        return st.booleans()
    if code in (CimType.REAL32, CimType.REAL64):
        return SINGLES if code == CimType.REAL32 else st.floats(allow_nan=False)
    if code == CimType.DATETIME:
        return st.sampled_from((MOMENT, INTERVAL, "20000101******.******+***"))
    if code == CimType.OBJECT:
        return st.deferred(lambda: instances(depth - 1)) if depth else st.just(PART.spawn({"Name": "x"}))
    return TEXTS


NAMES_OF_PROPERTIES = ("Alpha", "beta", "Gamma", "delta", "Epsilon", "ZETA_1", "eta", "Théta")


@st.composite
def classes(draw: st.DrawFn, depth: int = 2, parent: Class | None = None) -> Class:
    """A class of a few properties with defaults and qualifiers; perhaps below another one."""
    name = draw(st.sampled_from(("Test_A", "Test_B", "Tést_Ü", "Test_日本")))
    if parent is None and depth and draw(st.booleans()):
        parent = draw(classes(0))
    used = set(parent.properties if parent else ())
    members = []
    for word in draw(st.lists(st.sampled_from(NAMES_OF_PROPERTIES), unique=True, max_size=6)):
        if word.lower() in used:
            continue
        code = draw(st.sampled_from(CODES))
        parts: dict[str, Any] = {}
        if draw(st.booleans()):
            parts["default"] = draw(values_of(code, depth))
        members.append(prop(word, code, *draw(st.lists(_qualifiers(), max_size=2)), **parts))
    if parent is not None and parent.name == name:
        name = f"{name}2"
    return make(name, *members, parent=parent, marks=tuple(draw(st.lists(_qualifiers(), max_size=2))))


def _qualifiers() -> st.SearchStrategy[Qualifier]:
    values = st.one_of(
        st.booleans(),
        st.integers(-(2**31), 2**31 - 1),
        TEXTS,
        st.floats(allow_nan=False),
        st.lists(TEXTS, min_size=1, max_size=3).map(tuple),
    )
    flavors = st.sampled_from((0, TO_INSTANCE, TO_SUBCLASS, TO_INSTANCE | TO_SUBCLASS))
    return st.builds(
        qualifier, st.sampled_from(("read", "Write", "Units", "Größe", "DWORD")), values, flavors
    )


@st.composite
def instances(draw: st.DrawFn, depth: int = 2, class_: Class | None = None) -> Instance:
    """An instance with some values, some NULLs and some defaults."""
    class_ = draw(classes(depth)) if class_ is None else class_
    made = class_.spawn()
    row = list(made.values_)
    mask = made.defaults_
    for at, code in enumerate(made.layout_.types):
        choice = draw(st.integers(0, 2))
        if choice:
            row[at] = draw(values_of(code, depth)) if choice == 1 else None
            mask &= ~(1 << at)
    return Instance(made.layout_, tuple(row), mask)
