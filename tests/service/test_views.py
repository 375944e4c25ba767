"""View classes: unions, joins and associations over the classes of other namespaces (model.md F3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.service.registered.conftest import Registered

from openwmi import host, mof, testing
from openwmi.contract import flags as f
from openwmi.contract import operations as ops
from openwmi.model import status as s
from openwmi.model.errors import WbemError
from openwmi.service.connection import Connection
from openwmi.service.views.definition import MAX_DEPTH, read_view

# As Microsoft's page registers it.
REGISTRATION = """
instance of __Win32Provider as $DataProv {
    Name = "MS_VIEW_INSTANCE_PROVIDER"; ClsId = "{AA70DDF4-E11C-11D1-ABB0-00C04FD9159E}";
    ImpersonationLevel = 1; PerUserInitialization = "True";
};
instance of __InstanceProviderRegistration {
    Provider = $DataProv; SupportsPut = True; SupportsGet = True; SupportsDelete = True;
    SupportsEnumeration = True; QuerySupportLevels = {"WQL:UnarySelect"};
};
instance of __MethodProviderRegistration { Provider = $DataProv; };
"""
SOURCES = """
#pragma namespace("root\\\\default")
instance of __Namespace { Name = "left"; };
instance of __Namespace { Name = "right"; };
instance of __Namespace { Name = "views"; };
#pragma namespace("root\\\\default\\\\left")
class Disk { [key] string DeviceID; uint64 Size; string Label; boolean Fixed; uint32 Host; };
class Smart : Disk { string Health; };
class Machine { [key] uint32 Number; string Name; };
[association] class Holds { [key] Machine ref Group; [key] Disk ref Part; };
instance of Disk { DeviceID = "a"; Size = 100; Label = "first"; Fixed = TRUE; Host = 1; };
instance of Disk { DeviceID = "b"; Size = 200; Label = "second"; Fixed = FALSE; Host = 2; };
instance of Smart { DeviceID = "s"; Size = 300; Label = "Smart"; Fixed = TRUE; Host = 1; Health = "good"; };
instance of Machine { Number = 1; Name = "one"; };
instance of Machine { Number = 2; Name = "two"; };
instance of Holds { Group = "Machine.Number=1"; Part = "Disk=\\"a\\""; };
instance of Holds { Group = "Machine.Number=1"; Part = "Smart=\\"s\\""; };
instance of Holds { Group = "Machine.Number=2"; Part = "Disk=\\"b\\""; };
#pragma namespace("root\\\\default\\\\right")
class Volume { [key] string Id; uint64 Bytes; string Name; };
instance of Volume { Id = "a"; Bytes = 1000; Name = "far"; };
instance of Volume { Id = "z"; Bytes = 2000; Name = "away"; };
"""
LEFT, RIGHT = '"\\\\\\\\.\\\\root\\\\default\\\\left"', '"\\\\\\\\.\\\\root\\\\default\\\\right"'
VIEWS = (
    REGISTRATION
    + f"""
[Union, ViewSources{{"SELECT DeviceID, Size, Label, __Namespace FROM Disk WHERE Fixed = TRUE",
                      "SELECT Id, Bytes, Name, __Namespace FROM Volume"}},
 ViewSpaces{{{LEFT}, {RIGHT}}}, dynamic: ToInstance, provider("MS_VIEW_INSTANCE_PROVIDER")]
class Drives {{
    [PropertySources{{"DeviceID", "Id"}}, key] string Id;
    [PropertySources{{"__Namespace", "__Namespace"}}, key] string Place;
    [PropertySources{{"Size", "Bytes"}}] uint64 Size;
    [PropertySources{{"Label", ""}}] string Label;
    [HiddenDefault, PropertySources{{"Fixed", ""}}] boolean Always = TRUE;
}};
[JoinOn("Disk.Host = Machine.Number"), ViewSources{{"SELECT * FROM Disk", "SELECT Number, Name FROM Machine"}},
 ViewSpaces{{{LEFT}, {LEFT}}}, dynamic, provider("MS_VIEW_INSTANCE_PROVIDER")]
class Homes {{
    [PropertySources{{"DeviceID", ""}}, key] string Disk;
    [PropertySources{{"Host", "Number"}}] uint32 Host;
    [PropertySources{{"", "Name"}}] string Machine;
    [PropertySources{{"Size", ""}}] uint64 Size;
}};
[JoinOn("Disk.DeviceID <> Machine.Name AND Disk.Host = Machine.Number"),
 PostJoinFilter("select * from Large where Size > 150"),
 ViewSources{{"SELECT * FROM Disk", "SELECT * FROM Machine"}}, ViewSpaces{{{LEFT}, {LEFT}}},
 dynamic, provider("MS_VIEW_INSTANCE_PROVIDER")]
class Large {{
    [PropertySources{{"DeviceID", ""}}, key] string Disk;
    [PropertySources{{"", "Name"}}] string Machine;
    [PropertySources{{"Size", ""}}] uint64 Size;
}};
[Union, ViewSources{{"SELECT * FROM Drives WHERE Size > 500"}}, ViewSpaces{{"root\\\\default\\\\views"}},
 dynamic, provider("MS_VIEW_INSTANCE_PROVIDER")]
class Upon {{
    [PropertySources{{"Id"}}, key] string Id; [PropertySources{{"Place"}}, key] string Place;
    [PropertySources{{"Size"}}] uint64 Size;
}};
[Union, ViewSources{{"SELECT * FROM Disk"}}, ViewSpaces{{{LEFT}}},
 dynamic, provider("MS_VIEW_INSTANCE_PROVIDER")]
class AllDisks {{ [PropertySources{{"DeviceID"}}, key] string Id; [PropertySources{{"Label"}}] string Label; }};
[Association, ViewSources{{"SELECT * FROM Holds"}}, ViewSpaces{{{LEFT}}},
 dynamic, provider("MS_VIEW_INSTANCE_PROVIDER")]
class Holding {{
    [Direct, key, PropertySources{{"Group"}}] object ref Machine;
    [key, PropertySources{{"Part"}}] AllDisks ref Disk;
}};
[Union, ViewSources{{"SELECT * FROM Disk", "SELECT * FROM Disk"}}, ViewSpaces{{{LEFT}}},
 dynamic, provider("MS_VIEW_INSTANCE_PROVIDER")]
class Uneven {{ [PropertySources{{"DeviceID"}}, key] string Id; }};
[Union, ViewSources{{"SELECT * FROM Circle"}}, ViewSpaces{{"root\\\\default\\\\views"}},
 dynamic, provider("MS_VIEW_INSTANCE_PROVIDER")]
class Circle {{ [PropertySources{{"Id"}}, key] string Id; }};
[Union, ViewSources{{"SELECT * FROM Disk"}}, ViewSpaces{{"\\\\\\\\elsewhere\\\\root\\\\cimv2"}},
 dynamic, provider("MS_VIEW_INSTANCE_PROVIDER")]
class Elsewhere {{ [PropertySources{{"DeviceID"}}, key] string Id; }};
"""
)


class Views(Registered):
    def __init__(self) -> None:
        self.host = host.local(host.MEMORY)
        self.cimv2 = self.connect("root\\default")
        self.host.portal.submit(mof.compile, SOURCES, self.cimv2, open=self.host.services).result(20)
        self.compile(VIEWS, "root\\default\\views")
        self.cimv2 = self.connect("root\\default\\views")

    def rows(self, text: str, *names: str, **kwargs: Any) -> list[tuple[Any, ...]]:
        sink = self.collect(ops.ExecQuery(text), **kwargs)
        assert sink.outcome is not None
        assert sink.outcome.status == 0, sink.outcome
        return sorted(tuple(one[name] for name in names) for one in sink.objects)


@pytest.fixture(scope="module")
def views() -> Iterator[Views]:
    here = Views()
    yield here
    host.end(here.host)


@pytest.mark.req("F-40")
def test_a_union_has_the_instances_of_all_its_sources(views: Views) -> None:
    left, right = "root\\default\\left", "root\\default\\right"
    assert views.rows("SELECT * FROM Drives", "Id", "Place", "Size", "Always") == [
        ("a", left, 100, True),
        ("a", right, 1000, True),
        ("s", left, 300, True),
        ("z", right, 2000, True),
    ]
    assert views.rows("SELECT Label FROM Drives WHERE Size = 100", "Label") == [("first",)]
    assert views.rows("SELECT Id FROM Drives WHERE Label IS NULL", "Id") == [("a",), ("z",)]
    assert views.rows("SELECT Id FROM Drives WHERE Id = 'A' AND Size > 500", "Id") == [("a",)]
    assert views.rows("SELECT Id, Size FROM Upon", "Id", "Size") == [("a", 1000), ("z", 2000)]


@pytest.mark.req("F-40", "F-41")
def test_an_instance_of_a_view_has_a_path(views: Views) -> None:
    path = 'Drives.Id="a",Place="root\\\\default\\\\right"'
    (found,) = views.collect(ops.GetObject(path)).objects
    assert (found.Size, found.relpath_) == (1000, path)
    assert views.status(ops.GetObject('Drives.Id="b",Place="root\\\\default\\\\left"')) == s.WBEM_E_NOT_FOUND
    (home,) = views.collect(ops.GetObject('Homes="S"')).objects
    assert (home.Machine, home.Size, home.Host) == ("one", 300, 1)


@pytest.mark.req("F-40")
def test_a_join_puts_what_belongs_together_into_one_instance(views: Views) -> None:
    assert views.rows("SELECT * FROM Homes", "Disk", "Host", "Machine", "Size") == [
        ("a", 1, "one", 100),
        ("b", 2, "two", 200),
        ("s", 1, "one", 300),
    ]
    assert views.rows("SELECT Disk FROM Homes WHERE Machine = 'two'", "Disk") == [("b",)]
    assert views.rows("SELECT Machine FROM Large", "Machine") == [("one",), ("two",)]
    assert views.rows("SELECT * FROM Large WHERE Size = 200", "Disk") == [("b",)]


@pytest.mark.req("F-41")
def test_an_association_leads_to_the_views_of_its_ends(views: Views) -> None:
    server = views.host.namespaces.server
    here, there = f"\\\\{server}\\root\\default\\views", f"\\\\{server}\\root\\default\\left"
    assert views.rows("SELECT * FROM Holding", "Machine", "Disk") == [
        (f"{there}:Machine.Number=1", f'{here}:AllDisks.Id="a"'),
        (f"{there}:Machine.Number=1", f'{here}:AllDisks.Id="s"'),
        (f"{there}:Machine.Number=2", f'{here}:AllDisks.Id="b"'),
    ]
    found = views.collect(ops.ExecQuery('ASSOCIATORS OF {AllDisks.Id="b"}')).objects
    assert [one.Name for one in found] == ["two"]
    found = views.collect(ops.ExecQuery('REFERENCES OF {AllDisks.Id="s"}')).objects
    assert [one.Machine for one in found] == [f"{there}:Machine.Number=1"]


@pytest.mark.req("F-41")
def test_a_union_view_can_be_changed_and_nothing_made_or_deleted(views: Views) -> None:
    path = 'Drives.Id="s",Place="root\\\\default\\\\left"'
    (drive,) = views.collect(ops.GetObject(path)).objects
    try:
        assert views.status(ops.PutInstance(drive.with_({"Label": "renamed"}))) == 0
        left = views.connect("root\\default\\left")
        (disk,) = views.collect(ops.GetObject('Disk="s"'), services=left).objects
        assert (disk.Label, disk.Size, disk.Health) == ("renamed", 300, "good")
        assert disk.classname_ == "Smart"
    finally:
        assert views.status(ops.PutInstance(drive)) == 0
    new = drive.with_({"Id": "new"})
    assert views.status(ops.PutInstance(new)) == s.WBEM_E_NOT_FOUND
    assert views.status(ops.PutInstance(drive), f.WBEM_FLAG_CREATE_ONLY) == s.WBEM_E_PROVIDER_NOT_CAPABLE
    assert views.status(ops.DeleteInstance(path)) == s.WBEM_E_PROVIDER_NOT_CAPABLE
    (home,) = views.collect(ops.GetObject('Homes="s"')).objects
    assert views.status(ops.PutInstance(home.with_({"Size": 1}))) == s.WBEM_E_PROVIDER_NOT_CAPABLE


@pytest.mark.req("F-40")
def test_methods_are_those_of_the_sources(views: Views) -> None:
    calls: list[Any] = []
    testing.provide(
        "root\\default\\right",
        "class Robot { [key] uint32 Number; [implemented] uint32 Walk([in] uint32 Steps, [out] string Said);"
        " [implemented, static] uint32 Count(); };",
        instances=lambda: [{"Number": 7}],
        methods={
            "Walk": lambda path, params: (
                calls.append(path) or {"ReturnValue": 0, "Said": f"{params['Steps']} steps"}
            ),
            "Count": lambda path, params: {"ReturnValue": 1},
        },
    )
    views.host.namespaces.refresh()
    views.compile(
        f"""
        [Union, ViewSources{{"SELECT * FROM Robot"}}, ViewSpaces{{{RIGHT}}},
         dynamic, provider("MS_VIEW_INSTANCE_PROVIDER")]
        class Machines {{
            [PropertySources{{"Number"}}, key] uint32 Id;
            [implemented, MethodSource{{"Walk"}}] uint32 Go([in] uint32 Steps, [out] string Said);
            [implemented, static, MethodSource{{"Count"}}] uint32 HowMany();
            [implemented, static] uint32 Nowhere();
        }};
        """,
        "root\\default\\views",
    )
    (out,) = views.collect(ops.ExecMethod("Machines=7", "Go", {"Steps": 3})).objects
    assert (out.ReturnValue, out.Said) == (0, "3 steps")
    assert views.collect(ops.ExecMethod("Machines", "HowMany")).objects[0].ReturnValue == 1
    assert views.status(ops.ExecMethod("Machines", "Nowhere")) == s.WBEM_E_INVALID_METHOD
    assert views.status(ops.ExecMethod("Machines=8", "Go", {"Steps": 3})) == s.WBEM_E_NOT_FOUND


@pytest.mark.req("F-40")
@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("Uneven", s.WBEM_E_INVALID_CLASS),
        ("Circle", s.WBEM_E_CIRCULAR_REFERENCE),
        ("Elsewhere", s.WBEM_E_NOT_SUPPORTED),
    ],
)
def test_views_that_are_none(views: Views, name: str, code: int) -> None:
    assert views.status(ops.ExecQuery(f"SELECT * FROM {name}")) == code


def stacked(views: Views, count: int, *, ways: int = 1) -> None:
    """Views Level1 ... that stand on each other, with so many ways down from each."""
    here = LEFT.replace("left", "views")
    for level in range(1, count + 1):
        source, space, key = (f"Level{level - 1}", here, "Id") if level > 1 else ("Disk", LEFT, "DeviceID")
        queries = ", ".join([f'"SELECT {key} FROM {source}"'] * ways)
        spaces, keys = ", ".join([space] * ways), ", ".join([f'"{key}"'] * ways)
        text = f"""
            [Union, ViewSources{{{queries}}}, ViewSpaces{{{spaces}}},
             dynamic, provider("MS_VIEW_INSTANCE_PROVIDER")]
            class Level{level} {{ [PropertySources{{{keys}}}, key] string Id; }};
        """
        views.compile(text, "root\\default\\views")


@pytest.mark.req("F-40")
def test_views_on_views_are_looked_at_once_each(views: Views) -> None:
    """Many levels with two ways down from each: a look at every way would never end."""
    stacked(views, MAX_DEPTH, ways=2)
    space = views.host.namespaces.named("root\\default\\views")
    assert len(read_view(space, space.schema.class_named(f"Level{MAX_DEPTH}")).sources) == 2


@pytest.mark.slow
@pytest.mark.req("F-40")
def test_views_on_views_have_a_bound(views: Views) -> None:
    stacked(views, MAX_DEPTH + 1)
    assert len(views.collect(ops.ExecQuery(f"SELECT * FROM Level{MAX_DEPTH}")).objects) == 3
    query = ops.ExecQuery(f"SELECT * FROM Level{MAX_DEPTH + 1}")
    assert views.status(query) == s.WBEM_E_INVALID_CLASS
    space = views.host.namespaces.named("root\\default\\views")
    with pytest.raises(WbemError, match=f"more than {MAX_DEPTH} views stand on each other"):
        read_view(space, space.schema.class_named(f"Level{MAX_DEPTH + 1}"))


@pytest.mark.req("F-40")
def test_the_bound_holds_for_views_that_were_met_higher_up(views: Views) -> None:
    """A short way down is looked at first: what is known from there must not hide how long the other way is."""
    stacked(views, MAX_DEPTH - 1)
    here = LEFT.replace("left", "views")
    for number, (short, long) in enumerate([(29, 31), (1, 0)]):
        first = f"Level{short}"
        second = f"Level{long}" if long else "Both0"
        views.compile(
            f"""
            [Union, ViewSources{{"SELECT Id FROM {first}", "SELECT Id FROM {second}"}},
             ViewSpaces{{{here}, {here}}}, dynamic, provider("MS_VIEW_INSTANCE_PROVIDER")]
            class Both{number} {{ [PropertySources{{"Id", "Id"}}, key] string Id; }};
            """,
            "root\\default\\views",
        )
    space = views.host.namespaces.named("root\\default\\views")
    assert len(read_view(space, space.schema.class_named("Both0")).sources) == 2
    with pytest.raises(WbemError, match="views stand on each other"):
        read_view(space, space.schema.class_named("Both1"))


@pytest.mark.req("F-40")
def test_a_changed_view_is_read_anew(views: Views) -> None:
    text = """
        [Union, ViewSources{{"SELECT * FROM Disk WHERE Size {0}"}}, ViewSpaces{{{1}}},
         dynamic, provider("MS_VIEW_INSTANCE_PROVIDER")]
        class Changing {{ [PropertySources{{"DeviceID"}}, key] string Id; }};
    """
    views.compile(text.format("> 150", LEFT), "root\\default\\views")
    assert views.rows("SELECT * FROM Changing", "Id") == [("b",), ("s",)]
    views.compile(text.format("< 150", LEFT), "root\\default\\views")
    assert views.rows("SELECT * FROM Changing", "Id") == [("a",)]


@pytest.mark.req("F-40", "calls:I2")
def test_sources_are_asked_as_the_caller(views: Views) -> None:
    """Who may enter the namespace of a view but not that of its sources does not see them through it."""
    space = views.host.namespaces.named("root\\default\\views")
    stranger = host.owner()._replace(
        sid="S-1-5-21-1-2-3-1001", groups=(), remote=True, granted=f.ALL_NAMESPACE_RIGHTS
    )
    services = Connection(views.host.service, space, stranger)
    assert views.status(ops.ExecQuery("SELECT * FROM Drives"), services=services) == s.WBEM_E_ACCESS_DENIED
