"""Property providers: single values of static instances come from a provider, and go to it (F-26)."""

from __future__ import annotations

from typing import Any

import pytest
from tests.service.registered import samples
from tests.service.registered.conftest import SAMPLES, Registered

from openwmi.contract import flags as f
from openwmi.contract import operations as ops
from openwmi.contract.context import Context
from openwmi.contract.provider import PropertyPlace
from openwmi.model import status as s

CLASS = """
    instance of __Win32Provider as $P {{ Name = "{name}"; CLSID = "python:{samples}:{code}"; {more} }};
    instance of __PropertyProviderRegistration {{ provider = $P; {flags} }};
    [{qualifiers}] class {name} {{ [key] uint32 Number; string Plain; {level} string Text; }};
"""
LEVEL = '[dynamic, provider("{name}"), PropertyContext("level")] uint32 Level;'
INSTANCES = """
    [DynProps, InstanceContext("four")] instance of {name} {{
        Number = 1; Plain = "stored"; [PropertyContext("first"), Dynamic, Provider("{name}")] Text;
    }};
    [DynProps] instance of {name} {{
        Number = 2; [PropertyContext("{second}"), Dynamic, Provider("{name}")] Text;
    }};
    instance of {name} {{ Number = 3; Text = "own"; }};
"""


class Sensors:
    """A class with supplied properties: by its declaration, and by two of its three instances."""

    def __init__(self, registered: Registered) -> None:
        self.registered = registered
        self.name = ""

    def declare(
        self,
        code: str = "Sensors",
        *,
        flags: str = "SupportsGet = TRUE; SupportsPut = TRUE;",
        more: str = "",
        by_class: bool = False,
        second: str = "second",
    ) -> Sensors:
        name = self.name = f"Supplied{next(NUMBERS)}"
        text = CLASS + INSTANCES
        level = LEVEL if by_class else "uint32 Level;"
        self.registered.compile(
            text.format(
                name=name,
                samples=SAMPLES,
                code=code,
                flags=flags,
                more=more,
                qualifiers=f'DynProps, ClassContext("{name} class")' if by_class else "Version(1)",
                level=level.format(name=name),
                second=second,
            )
        )
        samples.LOG.clear()
        return self

    def get(self, number: int, **kwargs: Any) -> Any:
        (found,) = self.registered.collect(ops.GetObject(f"{self.name}={number}"), **kwargs).objects
        return found

    def put(self, instance: Any, flags: int = 0, **kwargs: Any) -> int:
        return self.registered.status(ops.PutInstance(instance), flags, **kwargs)

    def query(self, text: str) -> list[Any]:
        sink = self.registered.collect(ops.ExecQuery(text.format(self.name)))
        assert sink.outcome is not None
        assert sink.outcome.status == 0, sink.outcome
        return sink.objects

    def status(self, text: str) -> int:
        return self.registered.status(ops.ExecQuery(text.format(self.name)))


NUMBERS = iter(range(1, 1000))


@pytest.fixture
def sensors(registered: Registered) -> Sensors:
    return Sensors(registered)


@pytest.mark.req("F-26")
def test_values_of_instances_come_from_their_provider(sensors: Sensors, log: list[Any]) -> None:
    sensors.declare()
    found = sensors.get(1)
    assert (found.Plain, found.Level, found.Text) == ("stored", None, "None/first")
    assert log[1:] == [("get", PropertyPlace("Text", None, "four", "first"), ("Text",))]
    assert [one.Text for one in sensors.query("SELECT * FROM {}")] == ["None/first", "None/second", "own"]
    assert sensors.get(3).Text == "own"


@pytest.mark.req("F-26")
def test_a_class_may_say_so_for_all_its_instances(sensors: Sensors, log: list[Any]) -> None:
    sensors.declare(by_class=True)
    assert [one.Level for one in sensors.query("SELECT * FROM {}")] == [4, 0, 0]
    place = PropertyPlace("Text", f"{sensors.name} class", "four", "first")
    assert ("get", place, ("Text",)) in log
    assert sensors.get(3).Text == "own"


@pytest.mark.req("F-26")
def test_only_what_is_asked_for_is_read_and_tests_see_what_is_supplied(
    sensors: Sensors, log: list[Any]
) -> None:
    sensors.declare(by_class=True)
    assert [one.Number for one in sensors.query("SELECT Number FROM {}")] == [1, 2, 3]
    assert log == []
    (one,) = sensors.query("SELECT Number FROM {} WHERE Text LIKE '%second'")
    assert one.Number == 2
    (one,) = sensors.query("SELECT Level FROM {} WHERE Number = 1")
    assert one.Level == 4
    assert [entry[1].name for entry in log if entry[0] == "get"] == ["Text", "Text", "Level"]
    log.clear()
    partial = Context({"__GET_EXTENSIONS": True, "__GET_EXT_PROPERTIES": ["Level"]})
    assert sensors.get(1, context=partial).Level == 4
    assert [entry[1].name for entry in log] == ["Level"]


@pytest.mark.req("F-26")
def test_an_index_does_not_know_what_is_supplied(registered: Registered) -> None:
    registered.compile(
        f"""
        instance of __Win32Provider as $P {{ Name = "Indexing"; CLSID = "python:{SAMPLES}:Sensors"; }};
        instance of __PropertyProviderRegistration {{ provider = $P; SupportsGet = TRUE; }};
        class Indexing {{ [key] uint32 Number; [Indexed] string Text; }};
        instance of Indexing {{ Number = 1; Text = "None/here"; }};
        [DynProps] instance of Indexing {{
            Number = 2; [Dynamic, Provider("Indexing"), PropertyContext("here")] Text;
        }};
        """
    )
    found = registered.collect(ops.ExecQuery("SELECT Number FROM Indexing WHERE Text = 'None/here'")).objects
    assert [one.Number for one in found] == [1, 2]


@pytest.mark.req("F-26")
def test_what_is_written_goes_to_the_provider_and_not_into_the_store(
    sensors: Sensors, log: list[Any]
) -> None:
    sensors.declare()
    changed = sensors.get(1).with_({"Text": "written", "Plain": "changed"})
    assert sensors.put(changed) == 0
    assert ("put", PropertyPlace("Text", None, "four", "first"), "written") in log
    again = sensors.get(1)
    assert (again.Plain, again.Text) == ("changed", "written")
    space = sensors.registered.host.namespaces.named("root\\default")
    stored = space.static_instance(space.schema.class_named(sensors.name), {"Number": 1})
    assert stored is not None
    assert (stored.Plain, stored.Text) == ("changed", None)


@pytest.mark.req("F-26")
def test_a_put_that_the_provider_refuses_stores_nothing(sensors: Sensors) -> None:
    sensors.declare()
    refused = sensors.get(1).with_({"Text": "refused", "Plain": "changed"})
    assert sensors.put(refused) == s.WBEM_E_PROVIDER_FAILURE
    assert sensors.get(1).Plain == "stored"


@pytest.mark.req("F-26", "A-290")
def test_a_partial_put_hands_on_what_it_names(sensors: Sensors, log: list[Any]) -> None:
    sensors.declare(by_class=True)
    blank = sensors.get(1).with_({"Text": "written", "Level": 9, "Plain": None})
    bare = type(blank)(blank.layout_, blank.values_, blank.defaults_)  # without the instance's qualifiers
    partial = Context({"__PUT_EXTENSIONS": True, "__PUT_EXT_PROPERTIES": ["Text"]})
    assert sensors.put(bare, f.WBEM_FLAG_UPDATE_ONLY, context=partial) == 0
    assert [entry[2] for entry in log if entry[0] == "put"] == ["written"]
    found = sensors.get(1)
    assert (found.Plain, found.Level, found.Text) == ("stored", 4, "written")


@pytest.mark.req("F-26", "A-251")
def test_presence_is_checked_before_the_provider_is_called(sensors: Sensors, log: list[Any]) -> None:
    sensors.declare()
    changed = sensors.get(1).with_({"Text": "written"})
    assert sensors.put(changed, f.WBEM_FLAG_CREATE_ONLY) == s.WBEM_E_ALREADY_EXISTS
    missing = changed.with_({"Number": 77})
    assert sensors.put(missing, f.WBEM_FLAG_UPDATE_ONLY) == s.WBEM_E_NOT_FOUND
    assert [entry for entry in log if entry[0] == "put"] == []


@pytest.mark.req("F-26")
def test_what_a_registration_does_not_declare_is_not_called(sensors: Sensors, log: list[Any]) -> None:
    sensors.declare(flags="SupportsGet = TRUE;")
    same = sensors.get(1).with_({"Plain": "changed"})
    assert sensors.put(same) == 0  # what the provider has already is not written
    assert sensors.get(1).Plain == "changed"
    assert sensors.put(same.with_({"Text": "other"})) == s.WBEM_E_PROVIDER_NOT_CAPABLE
    assert [entry for entry in log if entry[0] == "put"] == []
    sensors.declare(flags="SupportsPut = TRUE;")
    assert sensors.status("SELECT * FROM {}") == s.WBEM_E_PROVIDER_NOT_CAPABLE
    assert sensors.status("SELECT Plain FROM {}") == 0


@pytest.mark.req("F-26", "G-66")
def test_a_value_that_the_caller_may_not_see_is_null(sensors: Sensors) -> None:
    sensors.declare(second="denied")
    assert [one.Text for one in sensors.query("SELECT Text FROM {}")] == ["None/first", None, "own"]


@pytest.mark.req("F-26", "F-02")
@pytest.mark.parametrize(
    ("code", "more", "status"),
    [
        ("Sensors", "Enabled = FALSE;", s.WBEM_E_PROVIDER_DISABLED),
        ("Sensors", 'HostingModel = "LocalSystemHost";', s.WBEM_E_INVALID_PROVIDER_REGISTRATION),
        ("Absent", "", s.WBEM_E_PROVIDER_LOAD_FAILURE),
        ("Unready", "", s.WBEM_E_INITIALIZATION_FAILURE),
        ("OnlyInstances", "", s.WBEM_E_PROVIDER_NOT_CAPABLE),
        (
            "StuckSensors",
            'OperationTimeoutInterval = "00000000000000.050000:000";',
            s.WBEM_E_PROVIDER_TIMED_OUT,
        ),
    ],
)
def test_providers_that_cannot_supply(sensors: Sensors, code: str, more: str, status: int) -> None:
    sensors.declare(code, more=more)
    assert sensors.status("SELECT Text FROM {} WHERE Number = 1") == status
    assert sensors.status("SELECT Plain FROM {}") == 0


@pytest.mark.req("F-26")
def test_a_broken_property_fails_who_asks_for_it(sensors: Sensors) -> None:
    sensors.declare(second="broken")
    assert sensors.status("SELECT Text FROM {}") == s.WBEM_E_PROVIDER_FAILURE
    assert sensors.registered.status(ops.GetObject(f"{sensors.name}=1")) == 0
    assert sensors.registered.status(ops.GetObject(f"{sensors.name}=2")) == s.WBEM_E_PROVIDER_FAILURE


@pytest.mark.req("F-26")
def test_an_asynchronous_property_provider(sensors: Sensors) -> None:
    sensors.declare("AsynchronousSensors")
    assert sensors.get(1).Text == "asynchronously first"


@pytest.mark.req("F-26")
def test_nobody_registered(registered: Registered) -> None:
    registered.compile(
        """
        class Lonely { [key] uint32 Number; string Text; };
        [DynProps] instance of Lonely { Number = 1; [Dynamic, Provider("Nobody"), PropertyContext("")] Text; };
        """
    )
    assert registered.status(ops.GetObject("Lonely=1")) == s.WBEM_E_PROVIDER_NOT_FOUND


@pytest.mark.req("F-26")
def test_a_key_is_never_supplied(registered: Registered) -> None:
    registered.compile("class Keyed { [key] string Name; };")
    with pytest.raises(Exception, match="cannot be dynamic") as caught:
        registered.compile('[DynProps] instance of Keyed { [Dynamic, Provider("X")] Name = "a"; };')
    assert caught.value.code == s.WBEM_E_INVALID_QUALIFIER  # type: ignore[attr-defined]


@pytest.mark.req("F-26", "B-41")
def test_property_providers_have_a_setting_of_their_own(sensors: Sensors) -> None:
    sensors.declare()
    providers = sensors.registered.host.namespaces.named("root\\default").providers
    registration: Any = providers.named(sensors.name)
    assert registration.registration.kept == "__propertyprovidercachecontrol"
    other: Any = providers.named(sensors.registered.register())
    assert other.registration.kept == "__objectprovidercachecontrol"


@pytest.mark.req("F-26")
def test_stuck_properties_keep_nothing_else_from_being_read(sensors: Sensors) -> None:
    """More calls hang than the planner has threads."""
    from tests.service.conftest import Collector

    sensors.declare("StuckSensors")
    registered = sensors.registered
    stuck = [Collector() for _ in range(40)]
    for sink in stuck:
        registered.start(ops.GetObject(f"{sensors.name}=1"), sink)
    assert sensors.status("SELECT Plain FROM {}") == 0
    registered.compile("class Unrelated { [key] uint32 Number; };")
    assert registered.status(ops.ExecQuery("SELECT * FROM Unrelated")) == 0
    samples.GATE.set()
    try:
        for sink in stuck:
            assert sink.finished.wait(10)
            assert sink.objects[0].Text == "at last"
    finally:
        samples.GATE.clear()


@pytest.mark.req("F-26", "A-290")
def test_null_is_handed_on_only_when_a_partial_put_insists(sensors: Sensors, log: list[Any]) -> None:
    sensors.declare(by_class=True)
    empty = sensors.get(1).with_({"Text": None})
    assert sensors.put(empty.with_({"Level": None})) == 0
    assert [entry for entry in log if entry[0] == "put"] == []
    strict = {
        "__PUT_EXTENSIONS": True,
        "__PUT_EXT_PROPERTIES": ["Text"],
        "__PUT_EXT_STRICT_NULLS": True,
    }
    assert sensors.put(empty, f.WBEM_FLAG_UPDATE_ONLY, context=Context(strict)) == 0
    assert [entry[2] for entry in log if entry[0] == "put"] == [None]
