"""Operations of the embedded service on provided classes: reads, methods, errors (calls.md B.4-B.15)."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.service.conftest import Collector, Running

from openwmi import testing
from openwmi.contract import operations as ops
from openwmi.contract.context import Context
from openwmi.model import status as s
from openwmi.model.classes import Class
from openwmi.model.errors import WbemError
from openwmi.model.instances import Instance

NAMESPACE = "root\\cimv2"
MOF = """class %s {
    [key] uint32 Id;
    string Name;
    uint64 Size;
    [implemented, static] uint32 Add([in] sint32 A, [in] sint32 B, [out] sint32 Sum);
    [implemented] uint32 Touch([in, optional] string With);
    [implemented] void Nothing();
    uint32 Missing();
    [implemented, disabled] uint32 Off();
};"""


def items() -> Iterator[dict[str, object]]:
    for number in range(5):
        yield {"Id": number, "name": f"n{number}", "Size": number * 2**40}


@pytest.fixture(scope="module")
def touched() -> list[Any]:
    return []


@pytest.fixture(scope="module")
def item(touched: list[Any]) -> str:
    name = "Test_ServiceItem"
    testing.provide(
        NAMESPACE,
        MOF % name,
        instances=items,
        get=lambda keys: next((one for one in items() if one["Id"] == keys["Id"]), None),
        methods={
            "Add": lambda path, params: {"ReturnValue": 0, "Sum": params["A"] + params["B"]},
            "Touch": lambda path, params: (touched.append((path, params)), {"ReturnValue": 5})[1],
            "Nothing": lambda path, params: {},
            "Off": lambda path, params: {"ReturnValue": 0},
        },
    )
    return name


@pytest.mark.req("calls:B17", "calls:B22", "calls:B25", "calls:B27", "calls:B28")
def test_a_query_delivers_objects_then_one_status(running: Running, item: str) -> None:
    sink = running.collect(ops.ExecQuery(f"SELECT * FROM {item}"))
    assert [one.Id for one in sink.objects] == [0, 1, 2, 3, 4]
    assert sink.outcome == (0, None, None)
    assert sink.progress == []


@pytest.mark.req("calls:B23", "D-07")
def test_an_empty_result(running: Running, item: str) -> None:
    sink = running.collect(ops.ExecQuery(f"SELECT * FROM {item} WHERE Id > 100"))
    assert sink.batches == []
    assert sink.outcome is not None
    assert sink.outcome.ok


@pytest.mark.req("D-55")
def test_a_key_look_up_gives_the_same_answer_as_a_scan(running: Running, item: str) -> None:
    sink = running.collect(ops.ExecQuery(f"SELECT Name FROM {item} WHERE Id = 3"))
    assert [one.Name for one in sink.objects] == ["n3"]
    assert running.collect(ops.ExecQuery(f"SELECT Name FROM {item} WHERE Id = 77")).objects == []
    both = running.collect(ops.ExecQuery(f"SELECT Name FROM {item} WHERE Id = 3 AND Name = 'other'"))
    assert both.objects == []


@pytest.mark.req("calls:B18", "calls:B77", "calls:B78", "calls:B79", "D-08")
def test_what_is_wrong_with_a_query_comes_with_the_final_status(running: Running, item: str) -> None:
    assert running.status(ops.ExecQuery("SELEC * FROM X")) == s.WBEM_E_INVALID_QUERY
    assert running.status(ops.ExecQuery("SELECT * FROM NoSuchClass")) == s.WBEM_E_INVALID_CLASS
    assert running.status(ops.ExecQuery(f"SELECT Nmae FROM {item}")) == s.WBEM_E_INVALID_QUERY
    assert running.status(ops.ExecQuery("x", "SQL")) == s.WBEM_E_INVALID_QUERY_TYPE
    assert running.status(ops.ExecQuery(f"select * from {item}", "wql")) == 0


@pytest.mark.req("calls:G8", "calls:G10", "calls:G11", "calls:B27", "B-40", "0-05")
def test_a_failure_explains_itself(running: Running) -> None:
    sink = running.collect(ops.ExecQuery("SELEC * FROM X"))
    assert sink.outcome is not None
    details = sink.outcome.error
    assert details is not None
    assert details.classname_ == "__ExtendedStatus"
    assert details.StatusCode == s.WBEM_E_INVALID_QUERY
    assert details.Operation == "ExecQuery"
    assert details.ParameterInfo == "SELEC * FROM X"
    assert details.ProviderName == "Windows Management"
    assert details.Description


@pytest.mark.req("calls:B16", "calls:B6", "calls:C15")
def test_a_refused_call_never_touches_its_sink(running: Running) -> None:
    class Untouchable:
        def __getattr__(self, name: str) -> Any:
            raise AssertionError(f"touched: {name}")

    sink = Untouchable()
    assert running.status(ops.ExecQuery(None), services=running.cimv2) == s.WBEM_E_INVALID_PARAMETER  # type: ignore[arg-type]
    for operation, flags, code in (
        (ops.ExecQuery(""), 0, s.WBEM_E_INVALID_PARAMETER),
        (ops.ExecQuery("x"), 0x10, s.WBEM_E_INVALID_PARAMETER),
        (ops.ExecQuery("x" * 20000), 0, s.WBEM_E_QUOTA_VIOLATION),
    ):
        with pytest.raises(WbemError) as caught:
            running.start(operation, sink, flags)
        assert caught.value.code == code
    with pytest.raises(WbemError) as caught:
        running.start(ops.ExecQuery("x"), None)
    assert caught.value.code == s.WBEM_E_INVALID_PARAMETER


@pytest.mark.req("calls:B46", "calls:B47", "calls:B49", "A-164", "A-180", "A-181")
def test_get_object(running: Running, item: str) -> None:
    one = running.collect(ops.GetObject(f"{item}.Id=2")).objects[0]
    assert (one.Id, one.Name, one.Size) == (2, "n2", 2 * 2**40)
    assert one.path_ == f"\\\\{running.cimv2.server}\\root\\cimv2:{item}.Id=2"
    class_ = running.collect(ops.GetObject(item.upper())).objects[0]
    assert isinstance(class_, Class)
    assert class_.name == item
    empty = running.collect(ops.GetObject(None)).objects[0]
    assert isinstance(empty, Class)
    assert running.status(ops.GetObject(f"{item}.Id=99")) == s.WBEM_E_NOT_FOUND
    assert running.status(ops.GetObject("NoSuchClass")) == s.WBEM_E_NOT_FOUND
    assert running.status(ops.GetObject("NoSuchClass.a=1")) == s.WBEM_E_NOT_FOUND
    assert running.status(ops.GetObject(f"{item} = 2")) == s.WBEM_E_INVALID_OBJECT_PATH
    assert running.status(ops.GetObject(f"{item}.Name='x'")) == s.WBEM_E_INVALID_OBJECT_PATH
    assert running.status(ops.GetObject(f"{item}.Id=2,Id=3")) == s.WBEM_E_INVALID_OBJECT_PATH
    assert running.status(ops.GetObject(f"{item}=@")) == s.WBEM_E_INVALID_OBJECT_PATH


@pytest.mark.req("calls:B48")
def test_full_paths_of_this_namespace_are_served_and_no_others(running: Running, item: str) -> None:
    server = running.cimv2.server
    for path in (
        f"\\\\.\\root\\cimv2:{item}=2",
        f"//{server.lower()}/ROOT/CIMV2:{item}.id=2",
        f"root\\cimv2:{item}=2",
    ):
        assert running.collect(ops.GetObject(path)).objects[0].Id == 2
    assert running.status(ops.GetObject(f"\\\\.\\root\\default:{item}=2")) == s.WBEM_E_INVALID_NAMESPACE
    assert running.status(ops.GetObject(f"\\\\other\\root\\cimv2:{item}=2")) == s.WBEM_E_INVALID_OBJECT_PATH


@pytest.mark.req("calls:B50", "A-292")
def test_a_partial_get_reads_what_is_named(running: Running, item: str) -> None:
    context = Context({"__GET_EXTENSIONS": True, "__GET_EXT_PROPERTIES": ["size"]})
    one = running.collect(ops.GetObject(f"{item}.Id=2"), context=context).objects[0]
    assert (one.Id, one.Name, one.Size) == (2, None, 2 * 2**40)
    context.set("__GET_EXT_KEYS_ONLY", True)
    one = running.collect(ops.GetObject(f"{item}.Id=2"), context=context).objects[0]
    assert (one.Id, one.Name, one.Size) == (2, None, None)


@pytest.mark.req("calls:B75", "calls:B76", "A-267", "F-20")
def test_instance_enumeration(running: Running, item: str, fresh_name: Callable[[], str]) -> None:
    below = fresh_name()
    testing.provide(
        NAMESPACE, f"class {below} : {item} {{ string More; }};", instances=lambda: [{"Id": 50, "More": "m"}]
    )
    deep = running.collect(ops.CreateInstanceEnum(item)).objects
    assert sorted(one.Id for one in deep) == [0, 1, 2, 3, 4, 50]
    assert {one.classname_ for one in deep} == {item, below}
    assert len(running.collect(ops.CreateInstanceEnum(item), 1).objects) == 5
    assert running.status(ops.CreateInstanceEnum("NoSuchClass")) == s.WBEM_E_INVALID_CLASS
    assert running.status(ops.CreateInstanceEnum("no class")) == s.WBEM_E_INVALID_CLASS
    mute = fresh_name()
    testing.provide(NAMESPACE, f"class {mute} {{ [key] string K; }};", get=lambda keys: None)
    assert running.status(ops.CreateInstanceEnum(mute)) == s.WBEM_E_PROVIDER_NOT_CAPABLE


@pytest.mark.req("A-181", "F-20")
def test_without_a_look_up_the_enumeration_is_searched(
    running: Running, fresh_name: Callable[[], str]
) -> None:
    name = fresh_name()
    testing.provide(
        NAMESPACE, f"class {name} {{ [key] string K; sint32 V; }};", instances=lambda: [{"K": "Aa", "V": 1}]
    )
    assert running.collect(ops.GetObject(f'{name}.K="aA"')).objects[0].V == 1
    assert running.status(ops.GetObject(f'{name}.K="b"')) == s.WBEM_E_NOT_FOUND


@pytest.mark.req("calls:B61", "calls:B62", "A-266")
def test_class_enumeration(running: Running, fresh_name: Callable[[], str]) -> None:
    top, middle, low = fresh_name(), fresh_name(), fresh_name()
    for name, above in ((top, ""), (middle, f": {top}"), (low, f": {middle}")):
        key = "" if above else "[key] string K;"
        testing.provide(NAMESPACE, f"class {name} {above} {{ {key} }};", instances=list)

    def names(superclass: str | None, flags: int) -> set[str]:
        return {one.name for one in running.collect(ops.CreateClassEnum(superclass), flags).objects}

    assert names(top, 0) == {middle, low}
    assert names(top, 1) == {middle}
    assert names(low, 0) == set()
    assert {top, middle, low, "Win32_Process", "__EventFilter"} <= names(None, 0)
    assert top in names("", 1)
    assert not {middle, "Win32_Process"} & names(None, 1)
    assert running.status(ops.CreateClassEnum("NoSuchClass")) == s.WBEM_E_INVALID_CLASS


@pytest.mark.req("D-90", "D-91")
def test_schema_queries(running: Running, item: str) -> None:
    names = {
        one.name
        for one in running.collect(
            ops.ExecQuery('SELECT * FROM meta_class WHERE __class LIKE "[_][_]%"')
        ).objects
    }
    assert "__EventFilter" in names
    assert all(name.startswith("__") for name in names)
    found = running.collect(ops.ExecQuery(f'SELECT * FROM meta_class WHERE __this ISA "{item}"')).objects
    assert item in {one.name for one in found}


@pytest.mark.req("calls:B45", "A-271")
def test_a_prototype_has_the_selected_properties_only(running: Running, item: str) -> None:
    sink = running.collect(ops.ExecQuery(f"SELECT Name, Id FROM {item}"), 2)
    (prototype,) = sink.objects
    assert isinstance(prototype, Class)
    assert {one.name for one in prototype.properties.values()} == {"Name", "Id"}


@pytest.mark.req("calls:B44", "A-144")
def test_projections_have_no_path_unless_asked(running: Running, item: str) -> None:
    bare = running.collect(ops.ExecQuery(f"SELECT Name FROM {item} WHERE Id = 1")).objects[0]
    assert bare.path_ is None
    assert bare["__GENUS"] == 2
    located = running.collect(ops.ExecQuery(f"SELECT Name FROM {item} WHERE Id = 1"), 0x100).objects[0]
    assert located.path_.endswith(f":{item}.Id=1")


@pytest.mark.req("calls:B31", "calls:B93", "calls:K5", "A-300", "A-303")
def test_methods(running: Running, item: str, touched: list[Any]) -> None:
    out = running.collect(ops.ExecMethod(item, "add", {"a": 2, "B": 40})).objects[0]
    assert isinstance(out, Instance)
    assert (out.ReturnValue, out.Sum) == (0, 42)
    assert out.classname_ == "__PARAMETERS"
    sink = running.collect(ops.ExecMethod(f"{item}.Id=1", "Touch", {"With": "x"}))
    assert sink.objects[0].ReturnValue == 5
    assert sink.outcome is not None
    assert sink.outcome.ok
    assert touched[-1] == (f"{item}.Id=1", {"With": "x"})
    assert running.collect(ops.ExecMethod(f"{item}.Id=1", "Add", {"A": 1, "B": 1})).objects[0].Sum == 2
    assert running.collect(ops.ExecMethod(f"{item}.Id=1", "Nothing")).batches == []


@pytest.mark.req("calls:B94", "calls:B96", "A-301", "A-304")
def test_method_errors(running: Running, item: str) -> None:
    def status(path: str, method: str, params: Any = None) -> int:
        return running.status(ops.ExecMethod(path, method, params))

    assert status(item, "NoSuch") == s.WBEM_E_INVALID_METHOD
    assert status(item, "Add") == s.WBEM_E_INVALID_PARAMETER
    assert status(item, "Add", {"C": 1}) == s.WBEM_E_INVALID_METHOD_PARAMETERS
    assert status(item, "Add", {"A": "x", "B": 1}) == s.WBEM_E_INVALID_METHOD_PARAMETERS
    assert status(item, "Touch", {}) == s.WBEM_E_INVALID_OBJECT_PATH
    assert status(f"{item}.Id=1", "Missing") == s.WBEM_E_METHOD_NOT_IMPLEMENTED
    assert status(f"{item}.Id=1", "Off") == s.WBEM_E_METHOD_DISABLED
    assert status(f"{item}.Id=99", "Touch", {}) == s.WBEM_E_NOT_FOUND
    assert status(f"{item}.Id=1", "Touch", {}) == 0
    assert status("NoSuchClass", "M") == s.WBEM_E_NOT_FOUND
    assert status(item, "Add", 5) == s.WBEM_E_INVALID_PARAMETER


@pytest.mark.req("F-02")
def test_a_provider_that_raises_fails_its_own_call_only(
    running: Running, fresh_name: Callable[[], str], item: str
) -> None:
    name = fresh_name()

    def broken() -> Iterator[dict[str, object]]:
        yield {"K": "1"}
        raise ValueError("out of order")

    testing.provide(NAMESPACE, f"class {name} {{ [key] string K; }};", instances=broken)
    sink = running.collect(ops.CreateInstanceEnum(name))
    assert len(sink.objects) == 1
    assert sink.outcome is not None
    assert sink.outcome.status == s.WBEM_E_PROVIDER_FAILURE
    assert sink.outcome.error is not None
    assert "out of order" in sink.outcome.error.Description
    assert name in sink.outcome.error.ProviderName
    assert running.status(ops.CreateInstanceEnum(item)) == 0


@pytest.mark.req("F-02", "calls:C5")
@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, asyncio.CancelledError])
def test_nobody_ends_the_service_by_raising(
    running: Running, fresh_name: Callable[[], str], item: str, kind: type[BaseException]
) -> None:
    name = fresh_name()

    async def rows() -> Any:
        yield {"K": "1"}
        raise kind

    async def one(keys: dict[str, object]) -> dict[str, object] | None:
        raise kind

    class Plain(Collector):
        def on_objects(self, batch: Any) -> None:
            raise kind

    class Async(Collector):
        async def on_objects(self, batch: Any) -> None:  # type: ignore[override]
            raise kind

    testing.provide(NAMESPACE, f"class {name} {{ [key] string K; }};", instances=rows, get=one)
    assert running.status(ops.CreateInstanceEnum(name)) == s.WBEM_E_PROVIDER_FAILURE
    assert running.status(ops.GetObject(f'{name}="1"')) == s.WBEM_E_PROVIDER_FAILURE
    for sink in (Plain(), Async()):
        running.start(ops.CreateInstanceEnum(item), sink)
        assert sink.finished.wait(20)
        assert sink.outcome is not None
        assert sink.outcome.status == s.WBEM_E_CALL_CANCELLED
    assert running.status(ops.CreateInstanceEnum(item)) == 0


@pytest.mark.req("D-54")
def test_one_failing_class_among_several(running: Running, fresh_name: Callable[[], str]) -> None:
    top, good, bad = fresh_name(), fresh_name(), fresh_name()

    def failing() -> Iterator[dict[str, object]]:
        raise ValueError("no")
        yield {}

    testing.provide(NAMESPACE, f"[abstract] class {top} {{ [key] string K; }};")
    testing.provide(NAMESPACE, f"class {bad} : {top} {{ }};", instances=failing)
    assert running.status(ops.CreateInstanceEnum(top)) == s.WBEM_E_PROVIDER_FAILURE
    testing.provide(NAMESPACE, f"class {good} : {top} {{ }};", instances=lambda: [{"K": "1"}])
    sink = running.collect(ops.CreateInstanceEnum(top))
    assert [one.K for one in sink.objects] == ["1"]
    assert sink.outcome is not None
    assert sink.outcome.status == s.WBEM_S_PARTIAL_RESULTS


@pytest.mark.req("calls:B39")
def test_a_providers_own_error_passes_unchanged(running: Running, fresh_name: Callable[[], str]) -> None:
    name = fresh_name()

    def denied() -> Iterator[dict[str, object]]:
        raise WbemError(s.WBEM_E_ACCESS_DENIED, "not for you")
        yield {}

    testing.provide(NAMESPACE, f"class {name} {{ [key] string K; }};", instances=denied)
    assert running.status(ops.CreateInstanceEnum(name)) == s.WBEM_E_ACCESS_DENIED


@pytest.mark.req("calls:B38", "F-22")
def test_an_async_provider(running: Running, fresh_name: Callable[[], str]) -> None:
    name = fresh_name()

    async def rows() -> Any:
        for number in range(2500):
            yield {"K": str(number)}

    async def one(keys: dict[str, object]) -> dict[str, object] | None:
        return {"K": keys["K"]} if keys["K"] == "7" else None

    testing.provide(NAMESPACE, f"class {name} {{ [key] string K; }};", instances=rows, get=one)
    sink = running.collect(ops.CreateInstanceEnum(name))
    assert [one.K for one in sink.objects] == [str(number) for number in range(2500)]
    assert running.collect(ops.GetObject(f'{name}="7"')).objects[0].K == "7"
    assert running.status(ops.GetObject(f'{name}="8"')) == s.WBEM_E_NOT_FOUND


@pytest.mark.req("B-01", "calls:I26")
def test_namespaces_are_instances_of_their_parent(running: Running) -> None:
    root = running.connect("root")
    names = {
        one.Name for one in running.collect(ops.CreateInstanceEnum("__NAMESPACE"), services=root).objects
    }
    assert {"cimv2", "default", "subscription"} <= names
    one = running.collect(ops.GetObject('__NAMESPACE.Name="CIMV2"'), services=root).objects[0]
    assert one.Name == "cimv2"


@pytest.mark.req("calls:A38")
def test_open_namespace(running: Running) -> None:
    root = running.connect("root")

    def opened(path: Any) -> Any:
        return running.host.portal.submit(root.open, path).result(10)

    assert opened("cimv2").namespace == "root\\cimv2"
    assert opened("CIMV2/ms_409").namespace == "root\\cimv2\\ms_409"
    for path, code in (
        (None, s.WBEM_E_INVALID_PARAMETER),
        ("\\\\.\\root\\cimv2", s.WBEM_E_INVALID_PARAMETER),
        ("nothing", s.WBEM_E_INVALID_NAMESPACE),
        ("cimv2\\", s.WBEM_E_INVALID_NAMESPACE),
    ):
        with pytest.raises(WbemError) as caught:
            opened(path)
        assert caught.value.code == code


def test_a_blocked_provider_does_not_hold_others_up(
    running: Running, fresh_name: Callable[[], str], item: str
) -> None:
    name, gate = fresh_name(), threading.Event()

    def blocked() -> Iterator[dict[str, object]]:
        gate.wait(20)
        yield {"K": "1"}

    testing.provide(NAMESPACE, f"class {name} {{ [key] string K; }};", instances=blocked)
    from tests.service.conftest import Collector

    sinks = [Collector() for _ in range(50)]
    for sink in sinks:
        running.start(ops.CreateInstanceEnum(name), sink)
    assert running.status(ops.CreateInstanceEnum(item)) == 0
    assert not any(sink.finished.is_set() for sink in sinks)
    gate.set()
    for sink in sinks:
        assert sink.finished.wait(20)
        assert len(sink.objects) == 1


def test_the_first_objects_do_not_wait_for_a_provider_that_computes_on(running: Running) -> None:
    """It holds the interpreter until it is told to let it go, which is far off here."""
    reached: list[int] = []
    heard: list[int] = []

    def computed() -> Iterator[dict[str, object]]:
        for number in range(1000):
            reached[:] = [number]
            yield {"Id": number}

    class Early(Collector):
        def on_objects(self, batch: Any) -> None:
            heard.append(reached[0])
            super().on_objects(batch)

    testing.provide(NAMESPACE, "class Test_Computed { [key] uint32 Id; };", instances=computed)
    early = 0
    usual = sys.getswitchinterval()
    try:
        for attempt in range(41):  # a machine that does much else may be too late to use the chance
            heard.clear()
            sink = Early()
            running.start(ops.ExecQuery("SELECT * FROM Test_Computed"), sink)
            assert sink.finished.wait(10)
            assert [one.Id for one in sink.objects] == list(range(1000))
            if attempt > 0:  # what is done but once lets go of the interpreter, too
                early += heard[0] < 999
            sys.setswitchinterval(10)
            if early == 10:
                return
    finally:
        sys.setswitchinterval(usual)
    raise AssertionError("the first object came with the last")
