"""Rules of writing that concern several providers, rights and limits (calls.md B.7-B.11, H15; model.md A12)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.service.conftest import Running
from tests.service.test_writes import declared, everything, put, save, stored_class

from openwmi import host, testing
from openwmi.contract import flags as f
from openwmi.contract import operations as ops
from openwmi.model import status as s
from openwmi.model.errors import error
from openwmi.repository import care
from openwmi.service.connection import Connection

ALL = f.ALL_NAMESPACE_RIGHTS


class Line:
    """Dynamic classes below each other, each with a provider of its own that notes what it is told."""

    def __init__(self, running: Running, name: str, levels: list[str]) -> None:
        self.running = running
        self.told: list[tuple[str, Any]] = []
        self.failures: dict[str, int] = {}
        self.names = [f"{name}{level}" for level in levels]
        above = ""
        for level, one in zip(levels, self.names, strict=True):
            kind = "[abstract] " if level.startswith("Abstract") else ""
            body = "[key] string K; sint32 V;" if not above else ""
            testing.provide(
                "root\\cimv2", f"{kind}class {one}{above} {{ {body} }};", instances=lambda: iter(())
            )
            above = f" : {one}"
            self._listen(one)

    def _listen(self, name: str) -> None:
        space = self.running.host.namespaces.named("root\\cimv2")
        provider: Any = space.providers.named(stored_class(self.running, name).provider or "").provider  # type: ignore[union-attr]

        def tell(what: str, value: Any) -> None:
            self.told.append((name, what))
            if name in self.failures:
                raise error(self.failures[name], "no")

        provider.put = lambda request, instance, flags: tell("put", instance)
        provider.delete = lambda request, keys: tell("delete", keys)

    def delete(self, name: str) -> int:
        return self.running.status(ops.DeleteInstance(f'{name}.K="a"'))


@pytest.fixture
def line(running: Running, fresh_name: Callable[[], str]) -> Callable[..., Line]:
    return lambda *levels: Line(running, fresh_name(), list(levels))


@pytest.mark.req("calls:B67", "A-260", "F-23")
def test_a_put_goes_down_the_line_until_somebody_refuses(running: Running, line: Callable[..., Line]) -> None:
    chain = line("AbstractTop", "Base", "Sub")
    _, base, sub = chain.names
    assert save(running, sub, K="a") == 0
    assert chain.told == [(base, "put"), (sub, "put")]
    chain.told.clear()
    chain.failures[base] = s.WBEM_E_VETO_PUT
    assert save(running, sub, K="a") == s.WBEM_E_VETO_PUT
    assert chain.told == [(base, "put")]


@pytest.mark.req("calls:B73", "A-264")
def test_the_topmost_provider_decides_about_a_delete(line: Callable[..., Line]) -> None:
    chain = line("Base", "Sub")
    base, sub = chain.names
    assert chain.delete(sub) == 0
    assert chain.told == [(base, "delete"), (sub, "delete")]
    chain.failures[sub] = s.WBEM_E_VETO_DELETE
    assert chain.delete(sub) == 0
    chain.told.clear()
    chain.failures = {base: s.WBEM_E_NOT_FOUND}
    assert chain.delete(sub) == s.WBEM_E_NOT_FOUND
    assert chain.told == [(base, "delete"), (sub, "delete")], "all of them are told"


@pytest.mark.req("calls:B73", "A-264")
def test_below_abstract_classes_one_success_is_enough(line: Callable[..., Line]) -> None:
    chain = line("AbstractTop", "Middle", "Sub")
    top, middle, sub = chain.names
    chain.failures[middle] = s.WBEM_E_NOT_FOUND
    assert chain.delete(top) == 0
    assert chain.told == [(middle, "delete"), (sub, "delete")]
    chain.failures[sub] = s.WBEM_E_NOT_FOUND
    assert chain.delete(top) == s.WBEM_E_NOT_FOUND


@pytest.mark.req("calls:B64")
def test_a_veto_reaches_the_caller(running: Running, line: Callable[..., Line]) -> None:
    chain = line("Only")
    chain.failures[chain.names[0]] = s.WBEM_E_VETO_PUT
    assert save(running, chain.names[0], K="a") == s.WBEM_E_VETO_PUT


# Rights


@pytest.mark.req("calls:B63", "calls:B54", "calls:B72", "calls:B59", "calls:K4", "calls:B18", "A-321")
def test_each_write_takes_its_right(running: Running, fresh_name: Callable[[], str]) -> None:
    static, dynamic = fresh_name(), fresh_name()
    assert put(running, f"class {static} {{ [key] string K; }};") == 0
    testing.provide("root\\cimv2", f"class {dynamic} {{ [key] string K; }};", instances=list)
    timer = stored_class(running, "__IntervalTimerInstruction")
    of_system = timer.spawn({"TimerId": fresh_name(), "IntervalBetweenEvents": 1000})
    own = stored_class(running, static).spawn({"K": "a"})
    provided = stored_class(running, dynamic).spawn({"K": "a"})
    new = declared(running, f"class {fresh_name()} {{ [key] string K; }};")

    space = running.host.namespaces.named("root\\cimv2")

    def without(*missing: int) -> Connection:
        caller = host.owner()._replace(granted=ALL & ~sum(missing))
        return Connection(running.host.service, space, caller)

    partial, full, provider = f.WBEM_PARTIAL_WRITE_REP, f.WBEM_FULL_WRITE_REP, f.WBEM_WRITE_PROVIDER
    for operation, right, others in (
        (ops.PutInstance(own), (partial, full), provider),
        (ops.DeleteInstance(f'{static}.K="a"'), (partial, full), provider),
        (ops.PutInstance(of_system), (full,), provider),
        (ops.DeleteInstance(f'{timer.name}.TimerId="x"'), (full,), provider),
        (ops.PutInstance(provided), (provider,), full),
        (ops.DeleteInstance(f'{dynamic}.K="a"'), (provider,), full),
        (ops.PutClass(new), (full,), provider),
        (ops.DeleteClass(static), (full,), provider),
    ):
        sink = running.collect(operation, services=without(*right))  # the call itself is accepted
        assert sink.outcome is not None
        assert sink.outcome.status == s.WBEM_E_ACCESS_DENIED, operation
        assert running.status(operation, services=without(others)) != s.WBEM_E_ACCESS_DENIED


# Rules of classes, as the service applies them


@pytest.mark.req("calls:B57", "A-088", "A-089")
def test_singletons_and_abstract_classes_have_their_parents(
    running: Running, fresh_name: Callable[[], str]
) -> None:
    from openwmi.model.classes import Class, ClassDeclaration
    from openwmi.model.qualifiers import Qualifier, QualifierSet
    from openwmi.mof import class_declarations

    base = fresh_name()
    assert put(running, f"class {base} {{ string V; }};") == 0

    def refused(name: str, qualifier: str, above: str | None, body: str = "") -> int:
        (plain,) = class_declarations(f"class {name} {{ {body} }};")
        marked = ClassDeclaration(
            name, above, QualifierSet((Qualifier(qualifier, True, 11, 0x13),)), plain.properties, ()
        )
        return running.status(ops.PutClass(Class(name, above, declaration=marked)))

    assert refused(fresh_name(), "singleton", base) == s.WBEM_E_CANNOT_BE_SINGLETON
    assert refused(fresh_name(), "singleton", None, "[key] string K;") == s.WBEM_E_CANNOT_BE_SINGLETON
    assert refused(fresh_name(), "abstract", base) == s.WBEM_E_CANNOT_BE_ABSTRACT
    assert refused(fresh_name(), "singleton", None) == 0
    assert refused(fresh_name(), "abstract", None) == 0


@pytest.mark.req("calls:B68", "A-263")
def test_instances_of_a_class_need_none_of_the_class_above(
    running: Running, fresh_name: Callable[[], str]
) -> None:
    base, sub = fresh_name(), fresh_name()
    assert put(running, f"class {base} {{ [key] string K; }};") == 0
    assert put(running, f"class {sub} : {base} {{ }};") == 0
    assert save(running, sub, K="a") == 0
    assert [one.K for one in everything(running, f"SELECT * FROM {base}")] == ["a"]


@pytest.mark.req("A-094")
def test_another_key_is_another_instance(running: Running, fresh_name: Callable[[], str]) -> None:
    name = fresh_name()
    assert put(running, f'class {name} {{ [key] string K = "usual"; string V; }};') == 0
    assert save(running, name, V="first") == 0
    (first,) = everything(running, f"SELECT * FROM {name}")
    assert (first.K, first.V) == ("usual", "first")
    assert running.status(ops.PutInstance(first.with_({"K": "other"}))) == 0
    assert sorted(one.K for one in everything(running, f"SELECT * FROM {name}")) == ["other", "usual"]


@pytest.mark.req("A-047")
def test_a_reference_is_of_its_class_where_both_are_known(
    running: Running, fresh_name: Callable[[], str]
) -> None:
    target, other, holder = fresh_name(), fresh_name(), fresh_name()
    for name in (target, other):
        assert put(running, f"class {name} {{ [key] string K; }};") == 0
    assert put(running, f"class {target}Sub : {target} {{ }};") == 0
    assert put(running, f"class {holder} {{ [key] string K; {target} ref Strong; object ref Weak; }};") == 0
    for strong, expected in (
        (f'{target}.K="nowhere"', 0),
        (f'{target}Sub="x"', 0),
        (f'\\\\.\\root\\cimv2:{target}="x"', 0),
        ('Unknown="x"', 0),
        ("no path at all", 0),
        (f'{other}="x"', s.WBEM_E_TYPE_MISMATCH),
    ):
        assert save(running, holder, K="a", Strong=strong) == expected, strong
        assert save(running, holder, K="a", Weak=strong) == 0


# Limits and restores


@pytest.mark.req("calls:H15")
def test_a_full_store_says_so() -> None:
    here = Running()
    try:
        assert put(here, "class Big { [key] string K; string V; };") == 0
        connection = here.host.repository.opened().store.connection
        ((pages,),) = connection.execute("PRAGMA page_count").fetchall()
        connection.execute(f"PRAGMA max_page_count = {pages + 8}")
        codes = [save(here, "Big", K=str(number), V="x" * 4000) for number in range(40)]
        assert set(codes) == {0, s.WBEM_E_OUT_OF_DISK_SPACE}
        assert len(everything(here, "SELECT K FROM Big")) == codes.count(0), (
            "what is told is there, nothing else"
        )
        connection.execute("PRAGMA max_page_count = 1000000")
        assert save(here, "Big", K="after", V="x") == 0
    finally:
        host.end(here.host)


@pytest.mark.req("calls:A14", "calls:A15")
def test_a_namespace_that_a_restore_took_away(tmp_path: Path) -> None:
    store, backup = str(tmp_path / "repository.db"), str(tmp_path / "backup.db")
    here = Running.__new__(Running)
    here.host = host.Host(store)
    here.cimv2 = here.connect("root\\cimv2")
    try:
        assert put(here, "class Before { [key] string K; };") == 0
        care.backed_up(store, backup)
        assert save(here, "__Namespace", Name="Gone") == 0
        gone = here.connect("root\\cimv2\\Gone")
        assert here.status(ops.GetObject("__Namespace"), services=gone) == 0
        care.restore(store, backup, force=True)
        for operation in (
            ops.GetObject("__Namespace"),
            ops.ExecQuery("SELECT * FROM meta_class"),
            ops.CreateClassEnum(None),
            ops.DeleteClass("Any"),
        ):
            assert here.status(operation, services=gone) == s.WBEM_E_INVALID_NAMESPACE
        assert here.status(ops.GetObject("Before")) == 0
    finally:
        here.host.shut_down()


@pytest.mark.req("B-04", "B-02")
@pytest.mark.slow
def test_the_standard_tree_is_there_and_every_namespace_has_the_system_classes(running: Running) -> None:
    from openwmi.service.namespaces import STANDARD

    here = running.host.namespaces
    assert set(STANDARD) <= {space.path for space in here.spaces()}
    system = {one.name for one in here.named("root").schema.classes() if one.name.startswith("__")}
    assert len(system) > 60
    for path in STANDARD:
        names = {one.name for one in here.named(path).schema.classes()}
        assert system <= names, path
        above, _, name = path.rpartition("\\")
        if above:
            assert (
                running.status(ops.GetObject(f'__Namespace.Name="{name}"'), services=running.connect(above))
                == 0
            )


@pytest.mark.slow
def test_readers_see_a_long_delete_whole_or_not_at_all(tmp_path: Path) -> None:
    """Two classes with a thousand instances each go in one DeleteClass, while a deep enumeration is half read."""

    here = Running.__new__(Running)
    here.host = host.Host(str(tmp_path / "repository.db"))
    here.cimv2 = here.connect("root\\cimv2")
    try:
        assert put(here, "class Upper { [key] uint32 K; string V; };") == 0
        assert put(here, "class Lower : Upper { };") == 0
        with here.host.repository.opened().store.writing():
            one_shot = here.host.one_shot("root\\cimv2")
            for name, first in (("Upper", 0), ("Lower", 1000)):
                class_ = stored_class_of(one_shot, name)
                for number in range(first, first + 1000):
                    one_shot.write(ops.PutInstance(class_.spawn({"K": number, "V": "x" * 100})))
        reading = here.host.one_shot("root\\cimv2").query("SELECT * FROM Upper")
        seen = len(next(reading))
        assert here.status(ops.DeleteClass("Upper")) == 0
        seen += sum(len(batch) for batch in reading)
        assert seen == 2000
        assert here.status(ops.ExecQuery("SELECT * FROM Upper")) == s.WBEM_E_INVALID_CLASS
    finally:
        here.host.shut_down()


def stored_class_of(one_shot: Any, name: str) -> Any:
    return one_shot.get(name)


PUTS = """
import sys
from openwmi import mof, sync
with sync.connect("root/cimv2", repository=sys.argv[1]) as wmi:
    for line in sys.stdin:
        mof.compile(line, wmi)
        print("stored", flush=True)
"""


@pytest.mark.slow
def test_what_another_process_puts_is_seen_by_the_next_call(tmp_path: Path) -> None:
    """Classes, instances, deletes and namespaces, each seen by a service that had the former state in its hands."""
    import subprocess
    import sys

    store = str(tmp_path / "repository.db")
    here = Running.__new__(Running)
    here.host = host.Host(store)
    here.cimv2 = here.connect("root\\cimv2")
    other = subprocess.Popen(
        [sys.executable, "-c", PUTS, store], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )

    def there(text: str) -> None:
        assert other.stdin is not None
        assert other.stdout is not None
        other.stdin.write(text + "\n")
        other.stdin.flush()
        assert other.stdout.readline() == "stored\n"

    try:
        assert here.status(ops.GetObject("Shared")) == s.WBEM_E_NOT_FOUND
        there("class Shared { [key] uint32 K; };")
        assert list(stored_class(here, "Shared").properties) == ["k"]
        there("class Shared { [key] uint32 K; string Added; };")
        assert list(stored_class(here, "Shared").properties) == ["k", "added"]
        there('instance of Shared { K = 1; Added = "x"; };')
        assert [one.Added for one in everything(here, "SELECT * FROM Shared")] == ["x"]
        assert save(here, "Shared", K=2, Added="own") == 0
        there('#pragma deleteinstance("Shared.K=1", FAIL)')
        assert [one.Added for one in everything(here, "SELECT * FROM Shared")] == ["own"]
        there('instance of __Namespace { Name = "Made"; };')
        inner = here.connect("root\\cimv2\\Made")
        assert here.status(ops.GetObject("__Namespace"), services=inner) == 0
        there('#pragma deleteclass("Shared", FAIL)')
        assert here.status(ops.GetObject("Shared")) == s.WBEM_E_NOT_FOUND
        there('#pragma deleteinstance("__Namespace.Name=\\"Made\\"", FAIL)')
        assert here.status(ops.GetObject("__Namespace"), services=inner) == s.WBEM_E_INVALID_NAMESPACE
    finally:
        other.communicate(timeout=20)
        here.host.shut_down()
