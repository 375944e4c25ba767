"""Instances: reading, changing, comparing, showing."""

from __future__ import annotations

import copy
import datetime as dt
import pickle
import subprocess
import sys

import pytest
from tests.model.making import key, make, prop, qualifier

from openwmi.model.cimtypes import ARRAY, CimType
from openwmi.model.errors import WbemError
from openwmi.model.instances import Instance, brief
from openwmi.model.qualifiers import TO_SUBCLASS
from openwmi.model.status import WBEM_E_INVALID_PROPERTY, WBEM_E_TYPE_MISMATCH

THING = make(
    "Thing",
    key("Name"),
    prop("Size", CimType.UINT32, default=1),
    prop("When", CimType.DATETIME),
    prop("Items", CimType.STRING | ARRAY),
    prop("Inner", CimType.OBJECT),
)
ONE = THING.spawn({"Name": "a", "When": "20240101000000.000000+000", "Items": ["x", "y"]})
MOMENT = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)


@pytest.mark.req("A-060", "A-049", "A-040")
def test_properties_are_read_in_any_case() -> None:
    assert ONE.Name == ONE.name == ONE.NAME == "a"
    assert ONE["name"] == ONE["NAME"] == "a"
    assert ONE.when == MOMENT
    assert ONE["when"] == MOMENT
    assert ONE.Items == ["x", "y"]
    assert ONE.Inner is None
    assert ONE.raw_("when") == "20240101000000.000000+000"
    assert ONE.raw_("ITEMS") == ("x", "y")


@pytest.mark.req("A-140")
def test_system_properties_are_read_by_item() -> None:
    assert ONE["__path"] == '\\\\HOST\\root\\cimv2:Thing.Name="a"'
    assert ONE.system_("__Genus") == 2
    assert ONE.raw_("__DERIVATION") == ()
    assert ONE["__DERIVATION"] == []
    assert (ONE.path_, ONE.relpath_) == (ONE["__PATH"], ONE["__RELPATH"])
    assert (ONE.classname_, ONE.namespace_, ONE.server_) == ("Thing", "root\\cimv2", "HOST")
    assert ONE.class_ is THING
    with pytest.raises(KeyError):
        ONE["__NOTHING"]


def test_what_is_not_there() -> None:
    with pytest.raises(AttributeError, match="Thing has no property Nmae; did you mean Name?"):
        ONE.Nmae  # noqa: B018
    with pytest.raises(KeyError, match="did you mean Size?"):
        ONE["Sise"]
    with pytest.raises(KeyError):
        ONE.raw_("Nothing")
    with pytest.raises(AttributeError, match="has no attribute nothing_"):
        ONE.nothing_  # noqa: B018
    assert not hasattr(ONE, "__await__")
    assert ONE.get_("Nothing") is None
    assert ONE.get_("Nothing", 5) == 5
    assert ONE.get_("Inner", 5) is None
    assert "size" in ONE
    assert "__path" in ONE
    assert "Nothing" not in ONE
    assert 5 not in ONE
    with pytest.raises(TypeError):
        iter(ONE)
    with pytest.raises(AttributeError):
        ONE.Name = "b"


def test_all_of_it() -> None:
    shown = {"Name": "a", "Size": 1, "When": MOMENT, "Items": ["x", "y"], "Inner": None}
    assert ONE.as_dict_() == shown
    assert list(ONE.items_()) == list(shown.items())
    assert ONE.names_ == tuple(shown)
    assert {"Name", "Items", "with_"} <= set(dir(ONE))


@pytest.mark.req("A-006", "A-049")
def test_with_other_values() -> None:
    other = ONE.with_({"SIZE": 7.4}, When=None)
    assert (other.Size, other.When, other.Name) == (7, None, "a")
    assert (ONE.Size, ONE.When) == (1, MOMENT)
    assert ONE.defaults_ == 0b10010
    assert other.defaults_ == 0b10000
    assert other.layout_ is ONE.layout_
    assert ONE.with_() == ONE
    for values, code in [({"Nothing": 1}, WBEM_E_INVALID_PROPERTY), ({"Size": -1}, WBEM_E_TYPE_MISMATCH)]:
        with pytest.raises(WbemError) as caught:
            ONE.with_(values)
        assert caught.value.code == code


def test_equality_is_that_of_class_name_and_values() -> None:
    assert THING.spawn({"Name": "a"}) == THING.spawn({"name": "a"})
    assert ONE != ONE.with_(Size=2)
    assert ONE != "Thing"
    assert ONE == Instance(THING.layout.decorated(None, None), ONE.values_)
    assert hash(ONE) == hash(Instance(THING.layout.decorated(None, None), ONE.values_))
    part = Instance(THING.layout.project(["Name"]), ("a",))
    assert part != ONE
    assert part == Instance(THING.layout.project(["name"]), ("a",))
    turned = make("THING", *reversed([prop("A"), prop("B", default="x")]))
    assert make("Thing", prop("A"), prop("B", default="x")).spawn() == turned.spawn()
    assert hash(make("Thing", prop("A"), prop("B")).spawn()) == hash(
        make("Thing", prop("B"), prop("A")).spawn()
    )
    assert make("Other", key("Name")).spawn() != make("Thing", key("Name")).spawn()


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_copies(copied: object) -> None:
    inner = ONE.with_(Inner=THING.spawn({"Name": "b"}))
    assert copied(inner) == inner  # type: ignore[operator]


def test_showing() -> None:
    assert repr(ONE) == '<Thing.Name="a">'
    assert repr(THING.spawn({"Size": 5})) == "<Thing Name=None, Size=5, When=None, Items=None, ...>"
    assert repr(make("Empty").spawn()) == "<Empty >"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (ONE, "<Thing>"),
        ("x" * 50, f"'{'x' * 40}'..."),
        ((1, 2, 3, 4), "[1, 2, 3, ...]"),
        ([], "[]"),
        (None, "None"),
        (10**100, "a number that is far too large"),
    ],
)
def test_values_in_messages_are_brief(value: object, text: str) -> None:
    assert brief(value) == text


def test_an_instance_is_small() -> None:
    """DESIGN.md section 3: about 2 KB for the 45 values of a Win32_Process, the values included."""
    wide = make("Wide", *(prop(f"P{number}", (8, 19, 21)[number % 3]) for number in range(45)))
    row = tuple(
        f"a text of some length {number}" if number % 3 == 0 else 10**6 + number for number in range(45)
    )
    one = Instance(wide.layout, row)
    assert sys.getsizeof(one) + sys.getsizeof(row) + sum(map(sys.getsizeof, row)) < 2_500
    assert not hasattr(one, "__dict__")


@pytest.mark.slow
def test_the_package_is_cheap_to_import() -> None:
    program = "import sys; import openwmi.model; print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=False
    )
    if done.returncode:  # -I hides where the package lies when it is not installed
        program = f"import sys; sys.path[:0] = {sys.path!r}; " + program.removeprefix("import sys; ")
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True
        )
    loaded = set(done.stdout.split())
    heavy = {
        "dataclasses",
        "inspect",
        "datetime",
        "difflib",
        "asyncio",
        "logging",
        "json",
        "pathlib",
        "struct",
        "copy",
    }
    assert "openwmi.model.classes" in loaded
    assert loaded & heavy == set()
    assert "openwmi.model.inheritance" not in loaded


def test_qualifiers_of_an_instance_travel_with_it() -> None:
    from openwmi.model.instances import Extras
    from openwmi.model.qualifiers import QualifierSet

    extras = Extras(QualifierSet([qualifier("Mark", flavor=TO_SUBCLASS)]))
    marked = Instance(THING.layout, ONE.values_, 0, extras)
    assert marked.with_(Size=3).extras_ is extras
    assert marked == ONE
