"""Writes on the repository: classes, instances and namespaces (calls.md B.7-B.11, model.md A12)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.service.conftest import Running

from openwmi import testing
from openwmi.contract import flags as f
from openwmi.contract import operations as ops
from openwmi.contract.context import Context
from openwmi.model import status as s
from openwmi.model.classes import Class, ClassDeclaration, derive
from openwmi.model.errors import WbemError
from openwmi.model.instances import Instance
from openwmi.model.qualifiers import Qualifier
from openwmi.mof import class_declarations

BASE = "class {0} {{ [key] string K; sint32 V = 7; string T[]; datetime D; }};"


def declared(running: Running, text: str) -> Class:
    """The class of a MOF text, below what the namespace holds."""
    (declaration,) = class_declarations(text)
    parent = None
    if declaration.superclass:
        parent = running.collect(ops.GetObject(declaration.superclass)).objects[0]
    return derive(declaration, parent)


def put(running: Running, text: str, flags: int = 0) -> int:
    return running.status(ops.PutClass(declared(running, text)), flags)


def stored_class(running: Running, name: str) -> Class:
    found = running.collect(ops.GetObject(name)).objects
    assert isinstance(found[0], Class)
    return found[0]


@pytest.fixture
def name(running: Running, fresh_name: Callable[[], str]) -> str:
    """A stored class of BASE's form."""
    chosen = fresh_name()
    assert put(running, BASE.format(chosen)) == 0
    return chosen


def save(
    running: Running, class_name: str, flags: int = 0, context: Context | None = None, **values: Any
) -> int:
    instance = stored_class(running, class_name).spawn(values)
    return running.status(ops.PutInstance(instance), flags, context=context)


def everything(running: Running, query: str) -> list[Any]:
    return running.collect(ops.ExecQuery(query)).objects


@pytest.mark.req("calls:B53", "calls:B29", "A-250", "A-251")
def test_create_and_update_a_class(running: Running, fresh_name: Callable[[], str]) -> None:
    name = fresh_name()
    class_ = declared(running, BASE.format(name))
    assert running.status(ops.PutClass(class_), f.WBEM_FLAG_UPDATE_ONLY) == s.WBEM_E_NOT_FOUND
    sink = running.collect(ops.PutClass(class_), f.WBEM_FLAG_CREATE_ONLY)
    assert sink.outcome == (0, name, None)
    assert sink.batches == []
    assert running.status(ops.PutClass(class_), f.WBEM_FLAG_CREATE_ONLY) == s.WBEM_E_ALREADY_EXISTS
    assert running.status(ops.PutClass(class_), f.WBEM_FLAG_UPDATE_ONLY) == 0
    assert put(running, f"class {name} {{ [key] string K; uint8 Other; }};") == 0
    assert list(stored_class(running, name).properties) == ["k", "other"]


@pytest.mark.req("calls:B51", "A-062", "A-061")
def test_names_that_no_class_may_have(running: Running) -> None:
    for name, code in (
        ("_X", s.WBEM_E_INVALID_OPERATION),
        ("__X", s.WBEM_E_INVALID_OPERATION),
        ("X_", s.WBEM_E_INVALID_OBJECT),
        ("1X", s.WBEM_E_INVALID_PARAMETER),
        ("X" * 300, s.WBEM_E_QUOTA_VIOLATION),
    ):
        assert running.status(ops.PutClass(Class(name, declaration=ClassDeclaration(name)))) == code


@pytest.mark.req("calls:B52", "A-081")
def test_a_missing_superclass(running: Running) -> None:
    class_ = Class(
        "Test_Orphan", "Test_NoParent", declaration=ClassDeclaration("Test_Orphan", "Test_NoParent")
    )
    assert running.status(ops.PutClass(class_)) == s.WBEM_E_NOT_FOUND


@pytest.mark.req("calls:B53", "calls:B64")
def test_the_wrong_kind_of_object(running: Running, name: str) -> None:
    class_ = stored_class(running, name)
    assert running.status(ops.PutClass(class_.spawn({"K": "a"}))) == s.WBEM_E_INVALID_CLASS  # type: ignore[arg-type]
    assert running.status(ops.PutInstance(class_)) == s.WBEM_E_INVALID_OBJECT  # type: ignore[arg-type]


@pytest.mark.req("calls:B55", "A-252")
def test_compatible_updates(running: Running, name: str, fresh_name: Callable[[], str]) -> None:
    changed = f"class {name} {{ [key] string K; sint32 V = 7; string T[]; datetime D; uint8 New; }};"
    described = '[Description("new words")] ' + BASE.format(name)
    save(running, name, K="a")
    assert put(running, changed) == s.WBEM_E_CLASS_HAS_INSTANCES
    assert put(running, described) == 0
    assert put(running, described) == 0
    below = fresh_name()
    assert put(running, f"class {below} : {name} {{ }};") == 0
    assert put(running, changed) == s.WBEM_E_CLASS_HAS_CHILDREN
    assert put(running, BASE.format(name)) == 0


@pytest.mark.req("calls:B56", "A-253", "A-255")
def test_safe_updates(running: Running, name: str, fresh_name: Callable[[], str]) -> None:
    below = fresh_name()
    assert put(running, f"class {below} : {name} {{ uint8 Mine; }};") == 0
    grown = f"class {name} {{ [key] string K; sint32 V = 7; string T[]; datetime D; uint8 New; }};"
    assert put(running, grown, f.WBEM_FLAG_UPDATE_SAFE_MODE) == 0
    assert "new" in stored_class(running, below).properties
    clash = grown.replace("uint8 New", "string Mine")
    assert put(running, clash, f.WBEM_FLAG_UPDATE_SAFE_MODE) == s.WBEM_E_UPDATE_TYPE_MISMATCH
    assert put(running, clash, f.WBEM_FLAG_UPDATE_FORCE_MODE) == s.WBEM_E_UPDATE_TYPE_MISMATCH
    rekeyed = grown.replace("[key] string K; sint32 V = 7;", "string K; [key] sint32 V;")
    assert put(running, rekeyed, f.WBEM_FLAG_UPDATE_FORCE_MODE) == s.WBEM_E_CANNOT_CHANGE_KEY_INHERITANCE
    indexed = grown.replace("uint8 New", "[indexed] uint8 New")
    assert put(running, indexed, f.WBEM_FLAG_UPDATE_FORCE_MODE) == s.WBEM_E_CANNOT_CHANGE_INDEX_INHERITANCE
    save(running, below, K="a")
    assert put(running, BASE.format(name), f.WBEM_FLAG_UPDATE_SAFE_MODE) == s.WBEM_E_CLASS_HAS_INSTANCES
    assert put(running, BASE.format(name), f.WBEM_FLAG_UPDATE_FORCE_MODE) == s.WBEM_E_CLASS_HAS_INSTANCES
    assert len(everything(running, f"SELECT * FROM {name}")) == 1


@pytest.mark.req("A-254")
def test_force_makes_conflicting_qualifiers_give_way(running: Running, fresh_name: Callable[[], str]) -> None:
    name, below = fresh_name(), fresh_name()
    assert put(running, f"class {name} {{ [key] string K; string P; }};") == 0
    assert put(running, f'class {below} : {name} {{ [Units("mine"): ToSubClass] string P; }};') == 0
    fixed = f'class {name} {{ [key] string K; [Units("theirs"): ToSubClass DisableOverride] string P; }};'
    assert put(running, fixed, f.WBEM_FLAG_UPDATE_SAFE_MODE) == s.WBEM_E_UPDATE_OVERRIDE_NOT_ALLOWED
    assert put(running, fixed, f.WBEM_FLAG_UPDATE_FORCE_MODE) == 0
    assert stored_class(running, below).properties["p"].qualifiers.value("Units") == "theirs"


@pytest.mark.req("A-256")
def test_a_class_stays_under_its_superclass(
    running: Running, name: str, fresh_name: Callable[[], str]
) -> None:
    other = fresh_name()
    assert put(running, f"[abstract] class {other} {{ }};") == 0
    assert put(running, f"class {name} : {other} {{ [key] string K; }};") == s.WBEM_E_UNSUPPORTED_CLASS_UPDATE


@pytest.mark.req("calls:B59", "calls:B60", "A-259")
def test_delete_a_class_with_all_below_it(running: Running, name: str, fresh_name: Callable[[], str]) -> None:
    below = fresh_name()
    put(running, f"class {below} : {name} {{ }};")
    save(running, below, K="a")
    assert running.status(ops.DeleteClass(name.lower())) == 0
    for gone in (name, below):
        assert running.status(ops.GetObject(gone)) == s.WBEM_E_NOT_FOUND
    assert running.status(ops.DeleteClass(name)) == s.WBEM_E_NOT_FOUND
    assert running.status(ops.DeleteClass("__EventFilter")) == s.WBEM_E_INVALID_OPERATION
    assert running.status(ops.DeleteClass("Win32_Process")) == s.WBEM_E_INVALID_OPERATION
    put(running, BASE.format(name))
    assert everything(running, f"SELECT * FROM {name}") == []


@pytest.mark.req("calls:B28", "calls:K4", "A-262", "calls:B32")
def test_k4_put_instance_says_the_path(running: Running, name: str) -> None:
    instance = stored_class(running, name).spawn(
        {"K": 'a"b\\c', "T": ["x", "y"], "D": "20200101000000.000000+000"}
    )
    sink = running.collect(ops.PutInstance(instance))
    assert sink.batches == []
    assert sink.outcome is not None
    assert sink.outcome.ok
    path = sink.outcome.text
    assert path is not None
    found = running.collect(ops.GetObject(path)).objects[0]
    assert found == instance
    assert (found.K, found.V, found.T, found.D.year) == ('a"b\\c', 7, ["x", "y"], 2020)
    assert found.defaults_ == instance.defaults_
    assert found.path_.endswith(path)


@pytest.mark.req("calls:B64", "A-251", "A-267")
def test_put_flags_and_updates(running: Running, name: str) -> None:
    assert save(running, name, f.WBEM_FLAG_UPDATE_ONLY, K="a") == s.WBEM_E_NOT_FOUND
    assert save(running, name, f.WBEM_FLAG_CREATE_ONLY, K="a", V=1) == 0
    assert save(running, name, f.WBEM_FLAG_CREATE_ONLY, K="A") == s.WBEM_E_ALREADY_EXISTS
    assert save(running, name, f.WBEM_FLAG_UPDATE_ONLY, K="A", V=2) == 0
    assert [one.V for one in everything(running, f"SELECT * FROM {name}")] == [2]


@pytest.mark.req("calls:B65", "A-092", "A-087")
def test_keys_that_are_missing(running: Running, name: str, fresh_name: Callable[[], str]) -> None:
    instance = stored_class(running, name).spawn({})
    first = running.collect(ops.PutInstance(instance)).outcome
    second = running.collect(ops.PutInstance(instance)).outcome
    assert first is not None
    assert second is not None
    assert first.text != second.text
    assert len(running.collect(ops.GetObject(first.text)).objects[0].K) == 38
    number, bare = fresh_name(), fresh_name()
    put(running, f"class {number} {{ [key] sint32 N; }};")
    assert running.status(ops.PutInstance(stored_class(running, number).spawn({}))) == s.WBEM_E_ILLEGAL_NULL
    put(running, f"class {bare} {{ sint32 N; }};")
    assert running.status(ops.PutInstance(stored_class(running, bare).spawn({}))) == s.WBEM_E_NO_KEY


@pytest.mark.req("A-051")
def test_not_null(running: Running, fresh_name: Callable[[], str]) -> None:
    name = fresh_name()
    put(running, f"class {name} {{ [key] string K; [not_null] sint32 N; }};")
    assert save(running, name, K="a") == s.WBEM_E_ILLEGAL_NULL
    assert save(running, name, K="a", N=1) == 0


@pytest.mark.req("A-088", "A-263")
def test_singletons_and_abstract_classes(running: Running, fresh_name: Callable[[], str]) -> None:
    single, abstract = fresh_name(), fresh_name()
    put(running, f"[singleton] class {single} {{ sint32 N; }};")
    assert save(running, single, N=1) == 0
    assert save(running, single, N=2) == 0
    assert running.collect(ops.GetObject(f"{single}=@")).objects[0].N == 2
    put(running, f"[abstract] class {abstract} {{ [key] string K; }};")
    class_ = stored_class(running, abstract)
    assert running.status(ops.PutInstance(Instance(class_.layout, ("a",)))) == s.WBEM_E_INVALID_OPERATION


@pytest.mark.req("A-093", "calls:B66")
def test_siblings_share_one_key_space(running: Running, name: str, fresh_name: Callable[[], str]) -> None:
    left, right = fresh_name(), fresh_name()
    put(running, f"class {left} : {name} {{ }};")
    put(running, f"class {right} : {name} {{ }};")
    assert save(running, left, K="a") == 0
    assert save(running, right, K="A") == s.WBEM_E_ALREADY_EXISTS
    assert running.collect(ops.GetObject(f'{name}.K="a"')).objects[0].classname_ == left
    assert running.status(ops.GetObject(f'{right}.K="a"')) == s.WBEM_E_NOT_FOUND


@pytest.mark.req("calls:B72", "A-264")
def test_delete_an_instance(running: Running, name: str, fresh_name: Callable[[], str]) -> None:
    below = fresh_name()
    put(running, f"class {below} : {name} {{ }};")
    save(running, name, K="a")
    save(running, below, K="b")
    assert running.status(ops.DeleteInstance(f'{name}.K="A"')) == 0
    assert running.status(ops.DeleteInstance(f'{name}.K="a"')) == s.WBEM_E_NOT_FOUND
    assert running.status(ops.DeleteInstance(f'{name}.K="b"')) == 0
    assert running.status(ops.DeleteInstance(name)) == s.WBEM_E_INVALID_OBJECT_PATH
    assert everything(running, f"SELECT * FROM {name}") == []


@pytest.mark.req("calls:B69", "calls:B70", "A-290", "A-291")
def test_partial_updates(running: Running, name: str) -> None:
    save(running, name, K="a", V=1, T=["x"])
    context = Context({"__PUT_EXTENSIONS": True, "__PUT_EXT_PROPERTIES": ["V", "T"]})
    assert save(running, name, 0, context, K="a", V=2) == s.WBEM_E_INVALID_CONTEXT
    assert save(running, name, f.WBEM_FLAG_UPDATE_ONLY, context, K="a", V=2) == 0
    found = running.collect(ops.GetObject(f'{name}="a"')).objects[0]
    assert (found.V, found.T) == (2, ["x"])
    context.set("__PUT_EXT_STRICT_NULLS", True)
    assert save(running, name, f.WBEM_FLAG_UPDATE_ONLY, context, K="a", V=3) == 0
    found = running.collect(ops.GetObject(f'{name}="a"')).objects[0]
    assert (found.V, found.T) == (3, None)
    context.set("__PUT_EXT_PROPERTIES", ["Nothing"])
    assert save(running, name, f.WBEM_FLAG_UPDATE_ONLY, context, K="a") == s.WBEM_E_INVALID_CONTEXT


@pytest.mark.req("D-55", "D-53")
def test_queries_use_the_index_and_still_filter(running: Running, fresh_name: Callable[[], str]) -> None:
    name = fresh_name()
    put(running, f"class {name} {{ [key] string K; [indexed] sint32 N; string T; }};")
    for number in range(30):
        save(running, name, K=f"k{number}", N=number % 3, T=f"t{number}")
    assert len(everything(running, f"SELECT * FROM {name} WHERE N = 1")) == 10
    assert [one.K for one in everything(running, f"SELECT K FROM {name} WHERE N = 1 AND T = 'T4'")] == ["k4"]
    assert [one.T for one in everything(running, f"SELECT * FROM {name} WHERE K = 'K7'")] == ["t7"]
    assert len(everything(running, f"SELECT * FROM {name} WHERE N = 1 OR K = 'k0'")) == 11


@pytest.mark.req("A-045", "A-044", "A-112")
def test_embedded_objects_and_qualifiers_survive(
    running: Running, name: str, fresh_name: Callable[[], str]
) -> None:
    outer = fresh_name()
    put(running, f"class {outer} {{ [key] string K; {name} One; object Many[]; object Kind; }};")
    inner = stored_class(running, name)
    one = inner.spawn({"K": "in", "T": ["x"]})
    assert save(running, outer, K="a", One=one, Many=[one, one.with_({"K": "2"})], Kind=inner) == 0
    found = running.collect(ops.GetObject(f'{outer}="a"')).objects[0]
    assert found.One == one
    assert [inside.K for inside in found.Many] == ["in", "2"]
    assert found.Kind.name == name


@pytest.mark.req("A-060", "A-252")
def test_instances_keep_up_with_their_class(running: Running, fresh_name: Callable[[], str]) -> None:
    name = fresh_name()
    put(running, f"class {name} {{ [key] string K; string A; }};")
    class_ = stored_class(running, name)
    instance = class_.spawn({"K": "a", "A": "x"})
    put(running, f"class {name} {{ [key] string K; sint32 B = 3; string A; }};")
    assert running.status(ops.PutInstance(instance)) == 0
    found = running.collect(ops.GetObject(f'{name}="a"')).objects[0]
    assert (found.A, found.B) == ("x", 3)


@pytest.mark.req("calls:B71", "calls:B74", "calls:A14", "B-01")
def test_namespaces_are_made_and_removed(running: Running, fresh_name: Callable[[], str]) -> None:
    name = fresh_name()
    child = running.collect(ops.GetObject("__NAMESPACE")).objects[0].spawn({"Name": name})
    assert running.status(ops.PutInstance(child), f.WBEM_FLAG_CREATE_ONLY) == 0
    assert running.status(ops.PutInstance(child), f.WBEM_FLAG_CREATE_ONLY) == s.WBEM_E_ALREADY_EXISTS
    below = running.connect(f"root\\cimv2\\{name}")
    class_ = derive(next(iter(class_declarations("class Inside { [key] string K; };"))), None)
    assert running.status(ops.PutClass(class_), services=below) == 0
    assert running.status(ops.GetObject("Inside")) == s.WBEM_E_NOT_FOUND
    assert running.status(ops.DeleteInstance(f'__NAMESPACE.Name="{name}"')) == 0
    assert running.status(ops.GetObject("Inside"), services=below) == s.WBEM_E_INVALID_NAMESPACE
    with pytest.raises(WbemError) as caught:
        running.connect(f"root\\cimv2\\{name}")
    assert caught.value.code == s.WBEM_E_INVALID_NAMESPACE
    root = running.connect("root")
    assert (
        running.status(ops.DeleteInstance('__NAMESPACE="cimv2"'), services=root) == s.WBEM_E_INVALID_OPERATION
    )


@pytest.mark.req("calls:B67", "A-260", "A-261", "A-265")
def test_dynamic_classes_are_written_through_their_provider(
    running: Running, fresh_name: Callable[[], str]
) -> None:
    name = fresh_name()
    testing.provide("root\\cimv2", f"class {name} {{ [key] string K; sint32 V; }};", instances=list)
    assert save(running, name, K="a") == s.WBEM_E_PROVIDER_NOT_CAPABLE
    assert running.status(ops.DeleteInstance(f'{name}="a"')) == s.WBEM_E_PROVIDER_NOT_CAPABLE
    space = running.host.namespaces.named("root\\cimv2")
    provider: Any = space.providers.of(stored_class(running, name)).provider
    seen: list[Any] = []
    provider.put = lambda request, instance, flags: seen.append((instance.K, flags))
    provider.delete = lambda request, keys: seen.append(keys)
    assert save(running, name, f.WBEM_FLAG_UPDATE_ONLY, K="a") == 0
    assert running.status(ops.DeleteInstance(f'{name}="a"')) == 0
    assert seen == [("a", f.WBEM_FLAG_UPDATE_ONLY), {"K": "a"}]


@pytest.mark.slow
def test_an_enumeration_survives_deletes_in_its_midst(running: Running, name: str) -> None:
    for number in range(600):
        save(running, name, K=f"k{number}")
    space = running.host.namespaces.named("root\\cimv2")
    class_ = space.schema.class_named(name)
    reading: Iterator[Instance] = space.static_instances(class_)
    seen = [next(reading).K for _ in range(10)]
    for number in range(300, 600):
        assert running.status(ops.DeleteInstance(f'{name}="k{number}"')) == 0
    seen += [one.K for one in reading]
    assert len(seen) == len(set(seen))
    assert set(seen) >= {f"k{number}" for number in range(300)}


def test_qualifiers_of_an_instance_are_kept(running: Running, name: str) -> None:
    from openwmi.model.instances import Extras
    from openwmi.model.qualifiers import QualifierSet

    extras = Extras(QualifierSet([Qualifier("Mark", "x", 8, 0)]))
    class_ = stored_class(running, name)
    spawned = class_.spawn({"K": "q"})
    instance = Instance(spawned.layout_, spawned.values_, spawned.defaults_, extras)
    assert running.status(ops.PutInstance(instance)) == 0
    found = running.collect(ops.GetObject(f'{name}="q"')).objects[0]
    assert found.extras_ is not None
    assert found.extras_.qualifiers.value("mark") == "x"
