"""Compiling into a running service: what is stored, where it stops, what an error says (C-18 to C-26)."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from openwmi import host, mof
from openwmi.contract import operations as ops
from openwmi.contract.services import Services
from openwmi.model import WbemError
from openwmi.model.errors import MofError

_numbers = itertools.count(1)


class Store:
    """A namespace of a service in memory."""

    def __init__(self, namespace: str, running: host.Host | None = None) -> None:
        self.host = running or host.local(host.MEMORY)
        self.namespace = namespace
        self.services: Services = self.run(lambda: self.host.services(namespace))

    def run(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        return self.host.portal.run(work)

    def compile(self, text: str | bytes, **named: Any) -> mof.Compiled:
        found: mof.Compiled = self.run(lambda: mof.compile(text, self.services, **named))
        return found

    def query(self, text: str, services: Services | None = None) -> list[Any]:
        class Sink:
            def __init__(self) -> None:
                self.objects: list[Any] = []

            def on_objects(self, batch: Any) -> None:
                self.objects += batch

            def on_progress(self, progress: Any) -> None: ...

            def on_completed(self, outcome: Any) -> None: ...

        async def work() -> list[Any]:
            sink = Sink()
            outcome = await (await (services or self.services).start(ops.ExecQuery(text), sink))
            outcome.raise_()
            return sink.objects

        found: list[Any] = self.run(work)
        return found

    def has(self, name: str) -> bool:
        return bool(self.query(f"SELECT * FROM meta_class WHERE __CLASS = '{name}'"))


@pytest.fixture(scope="module")
def root() -> Store:
    return Store("root")


@pytest.fixture
def store(root: Store) -> Iterator[Store]:
    """A fresh namespace below root."""
    name = f"mof{next(_numbers)}"
    root.compile(f'instance of __Namespace {{ Name = "{name}"; }};')
    yield Store(f"root\\{name}", root.host)
    root.compile(f'#pragma deleteinstance("__Namespace.Name=\\"{name}\\"", FAIL)')


@pytest.mark.req("C-14", "C-24", "C-25", "A-235")
def test_classes_and_instances_are_stored(store: Store) -> None:
    text = """
        [Description("the page's")] class MyClass { [key] string Name; uint32 Size = 3; object Inner; };
        class Below : MyClass { uint8 More[]; };
        instance of MyClass as $a { Name = "a"; Inner = instance of MyClass { Size = 9; }; };
        instance of Below as $b { Name = "b"; More = {1, 2}; };
        [Association] class Link { [key] MyClass ref One; [key] MyClass ref Other; };
        instance of Link { One = $a; Other = $b; };
    """
    assert store.compile(text) == (3, 3, 0, False)
    a, b = sorted(store.query("SELECT * FROM MyClass"), key=lambda one: str(one.Name))
    assert (a.Size, a.Inner.Size, b.classname_, b.More) == (3, 9, "Below", [1, 2])
    (link,) = store.query("SELECT * FROM Link")
    assert link.One == a.path_
    assert link.Other == b.path_
    # The same text again is a no-op for the classes and an update for the instances (C-25).
    assert store.compile(text) == (3, 3, 0, False)
    assert len(store.query("SELECT * FROM MyClass")) == 2


@pytest.mark.req("A-092", "A-262", "C-14", "C-17")
def test_an_alias_of_an_instance_with_a_generated_key_is_known_once_it_is_stored(store: Store) -> None:
    store.compile(
        "class A { [key] string K; uint8 n; }; class R { [key] uint8 i; A ref to; };"
        "instance of A as $x { n = 1; }; instance of R { i = 1; to = $x; };"
    )
    (a,), (r,) = store.query("SELECT * FROM A"), store.query("SELECT * FROM R")
    assert len(a.K) == 38
    assert r.to == a.path_


@pytest.mark.req("C-24")
def test_the_first_refused_object_ends_the_run_and_what_was_stored_stays(store: Store) -> None:
    text = "class A { [key] string K; };\nclass B { };\n\n"
    text += '  instance of A { K = "1"; };\ninstance of B { };\nclass C { };'
    with pytest.raises(MofError) as caught:
        store.compile(text, file="x.mof")
    assert (caught.value.symbol, caught.value.file, caught.value.line) == ("WBEM_E_NO_KEY", "x.mof", 5)
    assert [store.has(name) for name in "ABC"] == [True, True, False]
    assert len(store.query("SELECT * FROM A")) == 1


def test_a_syntax_error_stores_nothing(store: Store) -> None:
    with pytest.raises(MofError):
        store.compile("class A { };\nclass B {")
    assert not store.has("A")


@pytest.mark.req("A-081", "C-24")
def test_a_missing_superclass_has_the_compilers_code(store: Store) -> None:
    with pytest.raises(MofError) as caught:
        store.compile("class A { };\n class B : Nobody { };")
    assert (caught.value.symbol, caught.value.line, caught.value.column) == (
        "WBEM_E_INVALID_SUPERCLASS",
        2,
        2,
    )


@pytest.mark.req("C-18")
def test_namespaces_are_opened_as_the_text_names_them(root: Store, store: Store) -> None:
    name = store.namespace.rpartition("\\")[2]
    text = f"""
        #pragma namespace("//./root/{name}")
        instance of __Namespace {{ Name = "sub"; }};
        #pragma namespace("\\\\\\\\.\\\\root\\\\{name}\\\\sub")
        class InSub {{ [key] uint8 K; }};
        instance of InSub {{ K = 1; }};
        #pragma namespace("root/{name}")
        class InName {{ [key] uint8 K; }};
    """
    assert root.compile(text) == (2, 2, 0, False)
    below = Store(f"root\\{name}\\sub", root.host)
    assert len(below.query("SELECT * FROM InSub")) == 1
    assert store.has("InName")
    assert not store.has("InSub")
    with pytest.raises(MofError) as caught:
        root.compile('#pragma namespace("root/nowhere")\nclass A { };')
    assert (caught.value.symbol, caught.value.line) == ("WBEM_E_INVALID_NAMESPACE", 2)


@pytest.mark.req("C-18")
def test_a_namespace_that_is_not_below_is_opened_by_the_caller(root: Store, store: Store) -> None:
    text = '#pragma namespace("root/default") class OverThere { }; #pragma deleteclass("OverThere", FAIL)'
    opened: list[str] = []

    async def open_(namespace: str) -> Services:
        opened.append(namespace)
        found: Services = await root.host.services(namespace)
        return found

    assert store.compile(text, open=open_) == (1, 0, 1, False)
    assert opened == ["root\\default"]


@pytest.mark.req("C-19", "A-251")
def test_flags_are_those_of_the_text_else_of_the_caller(store: Store) -> None:
    with pytest.raises(MofError) as caught:
        store.compile("class A { };", class_flags=1)
    assert caught.value.symbol == "WBEM_E_NOT_FOUND"
    store.compile("class A { [key] uint8 K; }; instance of A { K = 1; };")
    with pytest.raises(MofError) as caught:
        store.compile(
            '#pragma instanceflags("createonly")\ninstance of A { K = 2; };\ninstance of A { K = 1; };'
        )
    assert (caught.value.symbol, caught.value.line) == ("WBEM_E_ALREADY_EXISTS", 3)
    with pytest.raises(MofError) as caught:
        store.compile('#pragma classflags("createonly")\nclass A { [key] uint8 K; };')
    assert (caught.value.symbol, caught.value.line) == ("WBEM_E_ALREADY_EXISTS", 2)


@pytest.mark.req("C-20")
def test_deletions(store: Store) -> None:
    store.compile('class A { [key] string K; }; class B : A { }; instance of A { K = "x"; };')
    store.compile('#pragma deleteinstance("A.K=\\"x\\"", FAIL)')
    assert store.query("SELECT * FROM A") == []
    store.compile('#pragma deleteinstance("A.K=\\"x\\"", NOFAIL)\n#pragma deleteclass("Nobody", NOFAIL)')
    for text in ('\n#pragma deleteinstance("A.K=\\"x\\"", FAIL)', '\n#pragma deleteclass("Nobody", FAIL)'):
        with pytest.raises(MofError) as caught:
            store.compile(text)
        assert (caught.value.symbol, caught.value.line) == ("WBEM_E_NOT_FOUND", 2)
    text = '#pragma deleteclass("A", NOFAIL)\nclass A { [key] uint8 K; }; instance of A { K = 5; };'
    assert store.compile(text) == (1, 1, 1, False)
    assert not store.has("B")


@pytest.mark.req("C-21")
def test_the_wish_for_recovery_is_reported(store: Store) -> None:
    assert store.compile("#pragma autorecover").autorecover


def test_bytes_are_decoded_and_files_included(store: Store) -> None:
    def include(name: str, including: str) -> tuple[str, bytes]:
        return name, b"class Included { };"

    text = '\ufeff#include("x.mof") class Ünder : Included { };'.encode("utf-16-le")
    assert store.compile(text, include=include).classes == 2
    assert store.has("Included")


def test_any_loop_may_wait_for_it(store: Store) -> None:
    async def elsewhere() -> mof.Compiled:
        assert asyncio.get_running_loop() is not store.services.loop
        return await mof.compile("class A { [key] uint8 K; }; instance of A { K = 1; };", store.services)

    assert asyncio.run(elsewhere()) == (1, 1, 0, False)

    async def refused() -> None:
        await mof.compile("class B : Nobody { };", store.services)

    with pytest.raises(WbemError) as caught:
        asyncio.run(refused())
    assert caught.value.symbol == "WBEM_E_INVALID_SUPERCLASS"


@pytest.mark.req("A-235")
def test_what_the_service_gives_back_compiles_to_the_same(store: Store) -> None:
    store.compile(
        """
        [Description("d")] class A
        {
            [key] string K; [Values{"a"}] uint64 N = 5; datetime T; boolean B[];
            [static] uint32 M([in] string a, [in, out] uint8 b[]);
        };
        instance of A { K = "\\\\1\\""; T = "20000101000000.000000+060"; B = {}; };
        """
    )
    (class_,) = store.query("SELECT * FROM meta_class WHERE __CLASS = 'A'")
    (instance,) = store.query("SELECT * FROM A")
    text = mof.print_class(class_) + mof.print_instance(instance)
    other = Store(store.namespace, store.host)
    other.compile('#pragma deleteclass("A", FAIL)')
    assert other.compile(text) == (1, 1, 0, False)
    assert other.query("SELECT * FROM meta_class WHERE __CLASS = 'A'") == [class_]
    assert other.query("SELECT * FROM A") == [instance]
