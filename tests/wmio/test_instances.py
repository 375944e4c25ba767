"""Instances, read: lazily, with NULLs, defaults and qualifiers; broken ones refused at the right moment."""

from __future__ import annotations

import copy
import datetime
import pickle
from pathlib import Path
from typing import Any

import pytest
from tests.model.making import key, make, prop, qualifier
from tests.wmio.making import MOMENT, PART, every_type, samples
from tests.wmio.real import dump

from openwmi.model.cimtypes import CimType
from openwmi.model.classes import Class
from openwmi.model.datetimes import CimDateTime
from openwmi.model.errors import InvalidStream
from openwmi.model.instances import Extras, Instance
from openwmi.model.qualifiers import QualifierSet
from openwmi.wmio import decode, encode
from openwmi.wmio.instances import DecodedInstance

THING = make(
    "Test_Thing",
    key(),
    prop("Size", CimType.UINT32, default=5),
    prop("When", CimType.DATETIME),
    prop("Part", CimType.OBJECT),
    prop("Ready", CimType.BOOLEAN),
)


def decoded(**values: Any) -> Instance:
    found = decode(encode(THING.spawn(values)))
    assert isinstance(found, DecodedInstance)
    return found


def unread(one: Instance) -> bool:
    assert isinstance(one, DecodedInstance)
    return one.source_ is not None


def test_the_sample_instance_reads_as_its_mof_says(shared_data: Path) -> None:
    one = decode(dump(shared_data, "wmio_instance_encoding"))
    assert isinstance(one, Instance)
    assert one.Data2 == "defaultValue"
    assert one.as_dict_() == {
        "Id": 123,
        "Data1": "StringField",
        "Data2": "defaultValue",
        "Array": [1, 2, 3],
    }
    assert one.defaults_ == 0b0100
    assert one.path_ == "\\\\DPRAVAT-DEV\\ROOT:MyClass.Id=123"
    assert one.layout_.derivation == ("Base",)


def test_reading_one_property_leaves_the_others_alone() -> None:
    one = decoded(Name="a", When=MOMENT, Ready=True)
    assert (one.Name, one.name, one.Size, one["READY"]) == ("a", "a", 5, True)
    assert one.When == datetime.datetime.fromisoformat("2024-02-29T12:34:56.000001+01:00")
    assert unread(one)
    assert one.raw_("When") == MOMENT
    assert not unread(one)
    assert (one.Name, one.name, one.Size, one["READY"]) == ("a", "a", 5, True)
    assert one.When == datetime.datetime.fromisoformat("2024-02-29T12:34:56.000001+01:00")


def test_incomplete_datetimes_are_shown_as_such() -> None:
    one = decoded(When="20000101******.******+***")
    assert one.When == CimDateTime("20000101******.******+***")
    assert one["When"] == CimDateTime("20000101******.******+***")


def test_nulls_and_defaults() -> None:
    one = decoded(Name=None, Size=None)
    assert (one.Name, one.Size, one.When, one.Ready) == (None, None, None, None)
    assert one.values_ == (None, None, None, None, None)
    assert one.defaults_ == 0b11100
    other = decoded()
    assert (other.Name, other.Size, other.Ready) == (None, 5, None)
    assert other.defaults_ == 0b11111


def test_reading_an_object_decodes_everything() -> None:
    one = decoded(Part=PART.spawn({"Name": "b"}), Ready=False)
    assert one.Part.Name == "b"
    assert not unread(one)
    assert one.Ready is False


@pytest.mark.parametrize("attribute", ["values_", "defaults_", "path_", "relpath_"])
def test_what_needs_all_values_decodes_them(attribute: str) -> None:
    one = decoded(Name="a")
    assert getattr(one, attribute) is not None
    assert not unread(one)


@pytest.mark.parametrize("attribute", ["layout_", "extras_", "class_", "names_", "namespace_"])
def test_what_needs_no_value_decodes_none(attribute: str) -> None:
    one = decoded(Name="a")
    getattr(one, attribute)
    assert unread(one)


def test_what_there_is_not_is_not_there() -> None:
    one = decoded(Name="a")
    with pytest.raises(AttributeError, match="did you mean Name"):
        _ = one.Nam
    with pytest.raises(AttributeError):
        _ = one.nothing_
    with pytest.raises(KeyError):
        _ = one["Nothing"]
    assert one.get_("Nothing", 3) == 3
    with pytest.raises(AttributeError):
        one.Name = "b"  # type: ignore[misc]


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_a_copy_is_an_instance_like_any(again: Any) -> None:
    """Pickling needs the layout alone, so without its class."""
    one = decoded(Name="a", Ready=True)
    assert again(one) == THING.spawn({"Name": "a", "Ready": True})
    assert one.with_(Name="b").Name == "b"


def test_a_property_may_be_called_like_something_of_python() -> None:
    odd = make(
        "Test_Odd",
        key("with"),
        prop("mro"),
        prop("class"),
        prop("Class", CimType.UINT8) if False else prop("x"),
    )
    one = decode(encode(odd.spawn({"with": "a", "mro": "b", "class": "c"})))
    assert isinstance(one, Instance)
    assert (getattr(one, "with"), one.mro, one["class"], one.x) == ("a", "b", "c", None)


def test_qualifiers_of_instances_come_back() -> None:
    extras = Extras(
        QualifierSet((qualifier("Mine", "yes"),)),
        {"when": QualifierSet((qualifier("Units", "s"),)), "ready": QualifierSet((qualifier("read"),))},
    )
    given = THING.spawn({"Name": "a", "Part": PART.spawn()})
    given.extras_ = extras
    found = decode(encode(given))
    assert found == given
    assert isinstance(found, Instance)
    assert found.extras_ == extras
    assert found.defaults_ == given.defaults_
    given.extras_ = Extras(extras.qualifiers)
    again = decode(encode(given))
    assert isinstance(again, Instance)
    assert again.extras_ == given.extras_


def test_every_type_comes_back_lazily_and_whole() -> None:
    class_ = every_type()
    given = class_.spawn(samples())
    one = decode(encode(given))
    assert isinstance(one, Instance)
    assert [getattr(one, name) for name in given.names_] == [getattr(given, name) for name in given.names_]
    assert decode(encode(given)) == given


def body_at(data: bytes, class_: Class = THING) -> int:
    from openwmi.wmio.forms import form_of

    return 8 + len(form_of(class_.layout).prefix)


@pytest.mark.parametrize(
    ("offset", "size", "value"),
    [
        (0, 4, 0xFFFFFF),  # the instance is longer than its unit
        (0, 4, 8),  # or shorter than its tables
        (34, 4, 0x80FFFFFF),  # the heap is longer than the instance
        (34, 4, 5),  # or has no bit 31
        (33, 1, 3),  # neither 1 nor 2
        (29, 4, 0xFFFF),  # qualifiers beyond the end
        (29, 4, 3),
    ],
)
def test_an_instance_that_is_broken_as_a_whole_is_refused_at_once(offset: int, size: int, value: int) -> None:
    data = bytearray(encode(THING.spawn({"Name": "a"})))
    at = body_at(data)
    assert data[at + 29 : at + 34] == b"\4\0\0\0\1"
    data[at + offset : at + offset + size] = value.to_bytes(size, "little")
    with pytest.raises(InvalidStream):
        decode(bytes(data))


@pytest.mark.parametrize("reference", [0xFFFF, 0x80000020, 3])
def test_a_reference_to_nothing_is_refused_when_it_is_read(reference: int) -> None:
    data = bytearray(encode(THING.spawn({"Name": "a"})))
    at = body_at(data) + 11
    data[at : at + 4] = reference.to_bytes(4, "little")
    one = decode(bytes(data))
    assert isinstance(one, Instance)
    assert one.Size == 5
    with pytest.raises(InvalidStream):
        _ = one.Name
    with pytest.raises(InvalidStream):
        _ = one.values_


@pytest.mark.parametrize(("reference", "word"), [(0x80000001, "key"), (0xFFFFFFFF, None)])
def test_a_value_may_be_a_word_of_the_dictionary_or_none(reference: int, word: str | None) -> None:
    data = bytearray(encode(THING.spawn({"Name": "a"})))
    at = body_at(data) + 11
    data[at : at + 4] = reference.to_bytes(4, "little")
    for _ in range(5):
        one = decode(bytes(data))
        assert isinstance(one, Instance)
        assert one.Name == word
        assert one.values_[0] == word
