"""Consumers of one's own: their providers are registered like any other, in the service's process or in another one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.service.conftest import Collector, Running

from openwmi import host, mof
from openwmi.contract import operations as ops
from openwmi.contract.provider import Delivery
from openwmi.model.status import (
    WBEM_E_NOT_AVAILABLE,
    WBEM_E_PROVIDER_FAILURE,
    WBEM_E_PROVIDER_LOAD_FAILURE,
)

TAKERS = "tests.service.permanent.takers"
DECLARED = """
class Own_Consumer : __EventConsumer { [key] string Name; string File; };
class Own_Special : Own_Consumer { };
"""
REGISTERED = """
instance of __Win32Provider as $P { Name = "OwnTaker"; CLSID = "python:%s:FileTaker"; HostingModel = "%s"; };
instance of __EventConsumerProviderRegistration { provider = $P; ConsumerClassNames = {"Own_Consumer"}; };
"""
SUBSCRIBED = """
instance of __EventFilter as $F {
    Name = "f"; QueryLanguage = "WQL"; EventNamespace = "root\\\\cimv2"; Query = "SELECT * FROM Rang";
};
instance of %s as $C { Name = "c"; File = "%s"; };
instance of __FilterToConsumerBinding { Filter = $F; Consumer = $C; };
"""


class Owning(Running):
    """A host that runs its permanent subscriptions, and a bell in root\\cimv2."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.file = file
        self.host.own()
        self.compile("class Rang : __ExtrinsicEvent { string Text; };", "root\\cimv2")
        self.failures = Collector()
        call = self.start(
            ops.ExecNotificationQuery("SELECT * FROM __ConsumerFailureEvent"),
            self.failures,
            services=self.connect("root\\subscription"),
        )
        self.host.portal.submit(call.begun).result(10)

    def compile(self, text: str, namespace: str = "root\\subscription") -> None:
        self.host.portal.submit(mof.compile, text, self.connect(namespace)).result(10)

    def subscribe(self, class_name: str = "Own_Consumer") -> None:
        self.compile(SUBSCRIBED % (class_name, self.file))
        self.settled(lambda: any(route.reason is None for route in self.permanent.routes.values()))

    @property
    def permanent(self) -> Any:
        return self.host.service.permanent

    def settled(self, true: Any) -> None:
        """Wait until something holds, looked at on the loop."""

        async def looking() -> None:
            import asyncio

            async with asyncio.timeout(20):
                while not true():
                    await asyncio.sleep(0.005)

        self.host.portal.submit(looking).result(30)

    def ring(self, text: str) -> None:
        """Raise an event, and wait until it is known what became of it."""
        before = self.told
        class_ = self.host.namespaces.named("root\\cimv2").schema.class_named("Rang")

        async def raised() -> None:
            sink: Any = await self.cimv2.event_sink()
            assert sink.on_objects([class_.spawn({"Text": text})]) == 0

        self.host.portal.submit(raised).result(10)
        self.settled(lambda: self.told > before)

    @property
    def told(self) -> int:
        return sum(route.delivered + route.failed for route in self.permanent.routes.values())

    @property
    def lines(self) -> list[list[str]]:
        return [line.split() for line in self.file.read_text().splitlines()]


@pytest.fixture
def owning(tmp_path: Path) -> Iterator[Owning]:
    host.announce(TAKERS)
    one = Owning(tmp_path / "taken")
    yield one
    one.host.shut_down()


@pytest.mark.slow
@pytest.mark.req("E-76", "F-29")
@pytest.mark.parametrize("model", ["SelfHost", "LocalSystemHost"])
def test_a_registered_provider_takes_the_events_of_its_consumers(owning: Owning, model: str) -> None:
    owning.compile(DECLARED + REGISTERED % (TAKERS, model))
    owning.subscribe()
    owning.ring("one")
    owning.ring("fail")
    owning.ring("two")
    owner = owning.host.caller.sid
    assert [line[1:] for line in owning.lines] == [
        [owner, "c", "Rang", "one"],
        [owner, "c", "Rang", "two"],
    ]
    assert all((int(line[0]) == os.getpid()) is (model == "SelfHost") for line in owning.lines)
    (failure,) = owning.failures.objects
    assert (failure.ErrorCode, failure.Event.Text) == (WBEM_E_PROVIDER_FAILURE, "fail")
    assert "I do not like it" in failure.ErrorDescription


@pytest.mark.slow
@pytest.mark.req("E-57", "F-29")
@pytest.mark.parametrize("model", ["SelfHost", "LocalSystemHost"])
def test_what_a_provider_says_of_its_deliveries_counts_wherever_it_runs(owning: Owning, model: str) -> None:
    owning.compile(DECLARED + REGISTERED % (TAKERS, model))
    space = owning.host.namespaces.named("root\\subscription")
    own = space.schema.class_named("Own_Consumer")
    hosted = space.providers.consumer(own)
    limit = hosted.role("delivery_limit")
    assert limit is not None
    for name, seconds in [("patient", 100.0), ("other", None)]:
        request = Delivery(own, caller=owning.host.caller)
        assert limit(request, own.spawn({"Name": name})) == seconds
    assert hosted.batch == 3


@pytest.mark.slow
@pytest.mark.parametrize("model", ["SelfHost", "LocalSystemHost"])
def test_a_provider_need_not_say_anything_of_its_deliveries(owning: Owning, model: str) -> None:
    owning.compile(DECLARED + (REGISTERED % (TAKERS, model)).replace("FileTaker", "Plain"))
    owning.subscribe()
    owning.ring("one")
    assert owning.failures.objects == []
    (route,) = owning.permanent.routes.values()
    assert route.channel._hosted.batch == 1


@pytest.mark.slow
@pytest.mark.req("E-57", "F-29")
@pytest.mark.parametrize("model", ["SelfHost", "LocalSystemHost"])
def test_what_fails_later_is_told(owning: Owning, model: str) -> None:
    owning.compile(DECLARED + REGISTERED % (TAKERS, model))
    owning.subscribe()
    for text in ("late", "later"):
        owning.ring(text)
    owning.settled(lambda: len(owning.failures.objects) == 2)
    assert {(one.Event.Text, one.ErrorCode) for one in owning.failures.objects} == {
        ("late", WBEM_E_NOT_AVAILABLE),
        ("later", WBEM_E_PROVIDER_FAILURE),
    }
    assert any("too late for c" in one.ErrorDescription for one in owning.failures.objects)
    assert any("the day after" in one.ErrorDescription for one in owning.failures.objects)


@pytest.mark.slow
@pytest.mark.req("E-57", "F-29")
def test_a_provider_that_dies_costs_the_event_it_had_and_nothing_else(owning: Owning) -> None:
    owning.compile(DECLARED + REGISTERED % (TAKERS, "LocalSystemHost"))
    owning.subscribe()
    owning.ring("one")
    owning.ring("die")
    owning.ring("two")
    assert [line[-1] for line in owning.lines] == ["one", "two"]
    assert len({line[0] for line in owning.lines}) == 2
    (failure,) = owning.failures.objects
    assert (failure.ErrorCode, failure.Event.Text) == (WBEM_E_PROVIDER_FAILURE, "die")


@pytest.mark.req("E-76")
def test_a_class_below_the_registered_one_has_the_same_provider(owning: Owning) -> None:
    owning.compile(DECLARED + REGISTERED % (TAKERS, "SelfHost"))
    owning.subscribe("Own_Special")
    owning.ring("one")
    assert [line[-1] for line in owning.lines] == ["one"]


@pytest.mark.req("E-76")
def test_a_registration_that_comes_later_counts(owning: Owning) -> None:
    owning.compile(DECLARED)
    owning.subscribe()
    owning.ring("lost")
    owning.compile(REGISTERED % ("not.announced", "SelfHost"))
    owning.ring("lost too")
    owning.compile(REGISTERED % (TAKERS, "SelfHost"))
    owning.ring("found")
    assert [line[-1] for line in owning.lines] == ["found"]
    assert [one.ErrorCode & 0xFF for one in owning.failures.objects] == [
        0x11,
        WBEM_E_PROVIDER_LOAD_FAILURE & 0xFF,
    ]


@pytest.mark.req("E-76")
def test_the_standard_consumers_take_part_in_any_namespace(owning: Owning, tmp_path: Path) -> None:
    """As on Windows, where their MOF is compiled into the namespace that wants them."""
    text = (
        "class LogFileEventConsumer : __EventConsumer { [key] string Name; string Filename; string Text;"
        " uint64 MaximumFileSize; boolean IsUnicode; };"
        'instance of __EventFilter as $F { Name = "f"; QueryLanguage = "WQL"; Query = "SELECT * FROM Rang"; };'
        f'instance of LogFileEventConsumer as $C {{ Name = "c"; Filename = "{tmp_path}/log"; Text = "%Text%"; }};'
        "instance of __FilterToConsumerBinding { Filter = $F; Consumer = $C; };"
    )
    owning.compile(text, "root\\cimv2")
    owning.settled(lambda: any(route.reason is None for route in owning.permanent.routes.values()))
    owning.ring("one")
    assert (tmp_path / "log").read_text() == "one\n"


@pytest.mark.req("E-76")
def test_the_standard_consumers_are_registered_like_any_other(owning: Owning) -> None:
    services = owning.connect("root\\subscription")
    found = owning.collect(
        ops.CreateInstanceEnum("__EventConsumerProviderRegistration"), services=services
    ).objects
    names = {name for one in found for name in one.ConsumerClassNames}
    assert names == {
        *("CommandLineEventConsumer", "LogFileEventConsumer", "NTEventLogEventConsumer"),
        *("SMTPEventConsumer", "ActiveScriptEventConsumer"),
    }
    for one in found:
        (provider,) = owning.collect(ops.GetObject(one.raw_("provider")), services=services).objects
        assert provider.Name in names
    query = "SELECT * FROM __Win32Provider WHERE Name = 'SMTPEventConsumer'"
    assert len(owning.collect(ops.ExecQuery(query), services=services).objects) == 1
    (one,) = owning.collect(ops.GetObject('__Win32Provider="smtpeventconsumer"'), services=services).objects
    changed = one.with_({"Version": 7})
    assert owning.status(ops.PutInstance(changed), services=services) == 0
    found = owning.collect(ops.ExecQuery("SELECT * FROM __Win32Provider"), services=services).objects
    assert sorted(provider.Version or 0 for provider in found) == [0, 0, 0, 0, 7]
    elsewhere = owning.collect(ops.CreateInstanceEnum("__Win32Provider"), services=owning.cimv2)
    assert elsewhere.objects == []


@pytest.mark.req("E-73")
def test_the_setting_of_scripts_is_there_and_can_be_changed(owning: Owning) -> None:
    (setting,) = owning.collect(ops.GetObject("ScriptingStandardConsumerSetting=@")).objects
    assert (setting.MaximumScripts, setting.Timeout) == (300, 0)
    assert owning.status(ops.PutInstance(setting.with_({"Timeout": 5})), 1) == 0  # UPDATE_ONLY
    (changed,) = owning.collect(ops.CreateInstanceEnum("ScriptingStandardConsumerSetting")).objects
    assert changed.Timeout == 5
    assert owning.status(ops.DeleteInstance("ScriptingStandardConsumerSetting=@")) == 0
    (setting,) = owning.collect(ops.GetObject("ScriptingStandardConsumerSetting=@")).objects
    assert setting.Timeout == 0
