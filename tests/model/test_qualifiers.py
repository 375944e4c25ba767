"""Qualifiers: sets, flavors, inheritance."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.model.making import make, prop, qualifier

from openwmi.model.cimtypes import ARRAY, CimType
from openwmi.model.errors import WbemError
from openwmi.model.qualifiers import (
    AMENDED,
    EMPTY,
    NOT_OVERRIDABLE,
    PROPAGATED,
    SYSTEM,
    TO_INSTANCE,
    TO_SUBCLASS,
    Qualifier,
    QualifierSet,
    check_qualifiers,
)
from openwmi.model.status import (
    WBEM_E_INVALID_FLAVOR,
    WBEM_E_INVALID_QUALIFIER_TYPE,
    WBEM_E_OVERRIDE_NOT_ALLOWED,
)

names = st.sampled_from(["Key", "key", "Description", "MaxLen", "Abstract", "Read"])
sets = st.lists(
    st.builds(
        qualifier,
        names,
        st.integers(0, 3) | st.booleans(),
        st.sampled_from([0, TO_SUBCLASS, TO_INSTANCE, TO_INSTANCE | TO_SUBCLASS]),
    ),
    max_size=6,
).map(QualifierSet)


@pytest.mark.req("A-100")
def test_flavor_bits() -> None:
    assert (TO_INSTANCE, TO_SUBCLASS, NOT_OVERRIDABLE, PROPAGATED, SYSTEM, AMENDED) == (
        1,
        2,
        0x10,
        0x20,
        0x40,
        0x80,
    )


@pytest.mark.req("A-060")
def test_a_set_finds_names_in_any_case_and_keeps_order_and_spelling() -> None:
    one = QualifierSet([qualifier("MaxLen", 5), qualifier("Key"), qualifier("Values", ("a", "b"))])
    assert [entry.name for entry in one] == ["MaxLen", "Key", "Values"]
    assert len(one) == 3
    assert one.get("MAXLEN") == qualifier("MaxLen", 5)
    assert one.get("other") is None
    assert one.value("values") == ("a", "b")
    assert one.value("none", 7) == 7
    assert one.truth("KEY")
    assert not one.truth("maxlen")
    assert not one.truth("none")
    assert "kEy" in one
    assert "x" not in one
    assert 5 not in one


def test_sets_are_changed_by_making_others() -> None:
    one = QualifierSet([qualifier("A", 1), qualifier("B", 2)])
    other = one.with_(qualifier("a", 3), qualifier("C", 4))
    assert [(entry.name, entry.value) for entry in other] == [("a", 3), ("B", 2), ("C", 4)]
    assert one.value("a") == 1
    assert one.with_() is one
    assert one.without("x") is one
    assert [entry.name for entry in one.without("a")] == ["B"]


def test_equality_ignores_order_and_case_of_names() -> None:
    one = QualifierSet([qualifier("A", 1), qualifier("B", 2)])
    assert one == QualifierSet([qualifier("b", 2), qualifier("a", 1)])
    assert hash(one) == hash(QualifierSet([qualifier("b", 2), qualifier("a", 1)]))
    assert one != QualifierSet([qualifier("A", 1)])
    assert one != QualifierSet([qualifier("A", 1), qualifier("B", 2, TO_SUBCLASS)])
    assert one != QualifierSet([qualifier("A", 1), qualifier("B", True)])
    assert one != [qualifier("A", 1)]


@pytest.mark.req("A-102", "A-104")
def test_what_a_subclass_and_an_instance_receive() -> None:
    above = QualifierSet(
        [
            qualifier("Local", 1),
            qualifier("Down", 2, TO_SUBCLASS),
            qualifier("Out", 3, TO_INSTANCE),
            qualifier("Both", 4, TO_INSTANCE | TO_SUBCLASS),
            qualifier("Key"),
            qualifier("Abstract", True, TO_SUBCLASS),
        ]
    )
    assert [(one.name, one.flavor) for one in above.passed_on()] == [
        ("Down", TO_SUBCLASS | PROPAGATED),
        ("Both", TO_INSTANCE | TO_SUBCLASS | PROPAGATED),
        ("Key", PROPAGATED),
    ]
    assert [one.name for one in above.passed_on(TO_INSTANCE)] == ["Out", "Both"]
    assert QualifierSet([qualifier("Local")]).passed_on() is EMPTY


@pytest.mark.req("A-107")
def test_overriding() -> None:
    above = QualifierSet(
        [qualifier("Free", 1, TO_SUBCLASS), qualifier("Fixed", 2, TO_SUBCLASS | NOT_OVERRIDABLE)]
    )
    merged = QualifierSet([qualifier("own", 5), qualifier("FREE", 9)]).inherited_from(above)
    assert [(one.name, one.value, bool(one.flavor & PROPAGATED)) for one in merged] == [
        ("FREE", 9, False),
        ("Fixed", 2, True),
        ("own", 5, False),
    ]
    assert [one.name for one in merged.local()] == ["FREE", "own"]
    assert [one.name for one in merged.propagated()] == ["Fixed"]
    again = QualifierSet([qualifier("fixed", 2)]).inherited_from(above)
    assert again.value("fixed") == 2, "saying the same again is no override"
    for wrong in (qualifier("fixed", 3), qualifier("fixed", "2"), qualifier("fixed", True)):
        with pytest.raises(WbemError) as caught:
            QualifierSet([wrong]).inherited_from(above)
        assert caught.value.code == WBEM_E_OVERRIDE_NOT_ALLOWED
        assert caught.value.parameter == "fixed"


@given(sets, sets)
def test_inheriting_adds_only_what_is_passed_on(own: QualifierSet, above: QualifierSet) -> None:
    merged = own.inherited_from(above)
    passed = above.passed_on()
    assert {one.name.lower() for one in merged} == {one.name.lower() for one in (*own, *passed)}
    for one in own:
        assert merged.get(one.name) == one
    assert merged.inherited_from(EMPTY) == merged


@pytest.mark.req("A-106")
@pytest.mark.parametrize("code", sorted(CimType))
def test_value_types(code: int) -> None:
    allowed = code in (CimType.SINT32, CimType.REAL64, CimType.STRING, CimType.BOOLEAN)
    for full in (code, code | ARRAY):
        one = QualifierSet([Qualifier("Q", None, full)])
        if allowed:
            check_qualifiers(one)
            continue
        with pytest.raises(WbemError) as caught:
            check_qualifiers(one)
        assert caught.value.code == WBEM_E_INVALID_QUALIFIER_TYPE
        with pytest.raises(WbemError) as caught:
            make("C", prop("P", CimType.STRING, *one))
        assert caught.value.code == WBEM_E_INVALID_QUALIFIER_TYPE


@pytest.mark.req("A-105", "A-109")
def test_flavors_that_are_not_possible() -> None:
    check_qualifiers(QualifierSet([qualifier("Q", 1, TO_INSTANCE)]), on_instance=True)
    for flavor, on_instance in [(0x04, False), (0x08, False), (0x100, False), (TO_SUBCLASS, True)]:
        with pytest.raises(WbemError) as caught:
            check_qualifiers(QualifierSet([qualifier("Q", 1, flavor)]), on_instance=on_instance)
        assert caught.value.code == WBEM_E_INVALID_FLAVOR


def test_showing() -> None:
    assert repr(QualifierSet([qualifier("Key")])).startswith("QualifierSet([Qualifier(name='Key'")
