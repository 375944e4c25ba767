"""Whole objects: units, decoration, classes with their superclass, embedding, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from tests.model.making import key, make, prop
from tests.wmio.making import PART, classes, every_type, family, instances, samples

from openwmi.model.cimtypes import CimType
from openwmi.model.classes import Class
from openwmi.model.errors import (
    InvalidParameter,
    InvalidStream,
    MarshalInvalidSignature,
    QuotaViolation,
    UnknownObjectType,
)
from openwmi.model.instances import Instance
from openwmi.wmio import LACKS_KEY, PROTOTYPE, Decoder, decode, decode_class, encode, heaps

BOX = make("Test_Box", key(), prop("Inner", CimType.OBJECT))


@pytest.mark.slow
@given(classes())
def test_classes_come_back(class_: Class) -> None:
    found = decode(encode(class_))
    assert found == class_
    assert isinstance(found, Class)
    assert (found.namespace, found.server) == (class_.namespace, class_.server)
    assert list(found.properties) == list(class_.properties)
    assert found.keys == class_.keys
    assert encode(found) == encode(class_)


@pytest.mark.slow
@given(instances())
def test_instances_come_back(one: Instance) -> None:
    found = decode(encode(one))
    assert found == one
    assert isinstance(found, Instance)
    assert found.path_ == one.path_
    assert encode(found) == encode(one)


def test_a_class_brings_its_superclass_along() -> None:
    derived, base = family()
    found, parent = decode_class(encode(derived, parent=base))
    assert found == derived
    assert parent == base
    alone, nobody = decode_class(encode(base))
    assert alone == base
    assert nobody is None
    _, guessed = decode_class(encode(derived))
    assert guessed is not None
    assert guessed.name == "Test_Base"


def test_only_the_superclass_may_stand_for_it() -> None:
    derived, base = family()
    with pytest.raises(InvalidParameter):
        encode(derived, parent=PART)
    with pytest.raises(InvalidParameter):
        encode(base, parent=PART)


def test_flags_of_a_prototype() -> None:
    data = encode(BOX, flags=PROTOTYPE | LACKS_KEY)
    assert data[8] == 0x55
    assert decode(data) == BOX


def test_an_object_of_no_place_is_not_decorated() -> None:
    bare = make("Test_Bare", key(), namespace=None, server=None)
    for one in (bare, bare.spawn({"Name": "a"})):
        data = encode(one)
        assert data[8] in (1, 2)
        found = decode(data)
        assert found == one
    nowhere = make("Test_Bare", key(), namespace="root\\x", server=None)
    again = decode(encode(nowhere))
    assert isinstance(again, Class)
    assert (again.namespace, again.server) == ("root\\x", None)


def test_what_follows_an_object_means_nothing() -> None:
    """Real units have up to 181 bytes inside their length and two after it."""
    for one in (BOX, BOX.spawn({"Name": "a"})):
        data = encode(one)
        longer = (len(data) - 8 + 3).to_bytes(4, "little")
        assert decode(data[:4] + longer + data[8:] + b"abcde") == one
        assert decode(bytearray(data)) == one
        assert decode(memoryview(data)) == one  # type: ignore[arg-type]


def test_classes_and_instances_in_each_other() -> None:
    innermost = every_type().spawn(samples())
    for value in (family()[0], PART.spawn({"Name": "x"}), innermost):
        one = BOX.spawn({"Name": "a", "Inner": BOX.spawn({"Name": "b", "Inner": value})})
        found = decode(encode(one))
        assert found == one
        assert isinstance(found, Instance)
        assert found.Inner.Inner == value
        assert found.Inner.namespace_ == "root\\cimv2"


def nested(depth: int) -> Instance:
    one = PART.spawn({"Name": "x"})
    for _ in range(depth - 1):
        one = Instance(BOX.layout, ("a", one))
    return one


def test_objects_lie_64_deep_and_no_deeper() -> None:
    deepest = nested(64)
    found = decode(encode(deepest))
    assert found == deepest
    with pytest.raises(QuotaViolation):
        encode(nested(65))


def test_a_unit_that_nests_deeper_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Written by somebody who knows no limit."""
    monkeypatch.setattr(heaps, "MAX_NESTING", 1000)
    data = encode(nested(70))
    monkeypatch.undo()
    one = decode(data)
    for _ in range(63):
        assert isinstance(one, Instance)
        one = one.Inner
    with pytest.raises(InvalidStream, match="64 deep"):
        _ = one.Inner  # type: ignore[union-attr]


@pytest.mark.parametrize("flags", [0, 3, 4, 7, 0x10])
def test_an_object_is_a_class_or_an_instance(flags: int) -> None:
    data = bytearray(encode(BOX))
    data[8] = flags
    with pytest.raises(UnknownObjectType):
        decode(bytes(data))


def test_an_instance_is_no_class() -> None:
    with pytest.raises(UnknownObjectType):
        decode_class(encode(BOX.spawn()))


def test_the_signature_is_looked_at() -> None:
    with pytest.raises(MarshalInvalidSignature):
        decode(b"\x78\x56\x34\x13" + encode(BOX)[4:])


def test_every_cut_is_refused() -> None:
    for one in (family()[0], every_type().spawn(samples())):
        data = encode(one)
        for length in range(0, len(data), 7):
            with pytest.raises(InvalidStream):
                Decoder().decode(data[:length])


@pytest.mark.parametrize("value", [None, 5, "text", [BOX]])
def test_only_objects_have_an_encoding(value: object) -> None:
    with pytest.raises(InvalidParameter):
        encode(value)  # type: ignore[arg-type]
