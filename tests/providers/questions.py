"""Helpers of the tests of providers: the shipped classes resolved, questions to a provider, a watch on opened files."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Protocol

from openwmi import service
from openwmi.contract.caller import Caller, unix_sid
from openwmi.contract.provider import Condition, Request
from openwmi.model.classes import Class, ClassDeclaration, derive
from openwmi.model.values import coerce
from openwmi.mof import class_declarations
from openwmi.providers import CLASSES, NAMESPACE, load_mof

OWNER = Caller(unix_sid(os.geteuid()), "owner")
GUEST = Caller("S-1-5-21-1-2-3-1001", "guest", remote=True)


@cache
def declarations(family: str) -> dict[str, ClassDeclaration]:
    """What a .mof file declares, by lower-case name."""
    return {one.name.lower(): one for one in class_declarations(load_mof(family), file=f"{family}.mof")}


@cache
def system_declarations() -> dict[str, ClassDeclaration]:
    """The system classes, which events derive from, by lower-case name."""
    text = (Path(service.__file__).parent / "system.mof").read_text("utf-8")
    return {one.name.lower(): one for one in class_declarations(text, file="system.mof", system=True)}


@cache
def class_named(name: str) -> Class:
    """A shipped class with everything it inherits."""
    if name.startswith("__"):
        declared = system_declarations()[name.lower()]
        above = class_named(declared.superclass) if declared.superclass else None
        return derive(declared, above, namespace=NAMESPACE)
    entry = CLASSES[name.lower()]
    parent = class_named(entry.superclass) if entry.superclass else None
    return derive(declarations(entry.family)[name.lower()], parent, namespace=NAMESPACE)


def columns_of(class_: Class) -> tuple[str, ...]:
    return tuple(declared.name for declared in class_.properties.values())


class Ask(Protocol):
    """Ask for instances: `ask("Win32_Process", "Name", ProcessId=7)`; without columns all of them."""

    def __call__(
        self,
        class_name: str,
        *columns: str,
        root: Path | None = None,
        caller: Caller = OWNER,
        **fixed: object,
    ) -> list[dict[str, object]]: ...


def request(
    class_name: str,
    *columns: str,
    caller: Caller = OWNER,
    conditions: tuple[Condition, ...] = (),
    report: Callable[[int, int, str | None], None] | None = None,
) -> Request:
    class_ = class_named(class_name)
    return Request(class_, columns or columns_of(class_), conditions, caller=caller, report=report)


def check_types(name: str, rows: Sequence[Mapping[str, object]]) -> None:
    """There are rows, and each value is the raw form of its property's type."""
    class_ = class_named(name)
    assert rows
    for row in rows:
        for column, value in row.items():
            if value is not None:
                declared = class_.property(column)
                assert declared is not None
                assert coerce(value, declared.type, name=column) == value, column
                assert type(value) in (int, str, bool, tuple), column


_watched: list[list[str]] = []


def _hear(event: str, arguments: tuple[object, ...]) -> None:
    if _watched and event in ("open", "os.listdir", "os.scandir", "os.readlink"):
        path = arguments[0]
        for heard in _watched:
            heard.append(os.fsdecode(path) if isinstance(path, str | bytes) else str(path))


@cache
def _install_hook() -> None:
    sys.addaudithook(_hear)


@contextmanager
def opened_files() -> Iterator[list[str]]:
    """The paths that are opened or listed in the block; the interpreter itself tells."""
    _install_hook()
    heard: list[str] = []
    _watched.append(heard)
    try:
        yield heard
    finally:
        _watched.remove(heard)


@contextmanager
def settled(command: Sequence[str | bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """A process that echoes lines, until it is killed at the end of the block.

    It has echoed one: what the kernel shows of a process is not complete when exec has only begun.
    """
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(b"ready\n")
        assert child.stdout.readline() == b"ready\n"
        yield child
        child.kill()
