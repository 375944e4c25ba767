"""What the tests of providers share: ask, look up, call; a process to play with; file trees of other machines."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from tests.providers.questions import OWNER, Ask, class_named, request, settled

from openwmi.contract.caller import Caller
from openwmi.contract.provider import Condition, Request
from openwmi.providers.cimwin32 import CimWin32


@pytest.fixture
def ask() -> Ask:
    def answered(
        class_name: str, *columns: str, root: Path | None = None, caller: Caller = OWNER, **fixed: object
    ) -> list[dict[str, object]]:
        conditions = tuple(Condition(name, "=", value) for name, value in fixed.items())
        question = request(class_name, *columns, caller=caller, conditions=conditions)
        rows = CimWin32("" if root is None else str(root)).instances(question)
        return [dict(zip(question.columns, row, strict=True)) for row in rows]

    return answered


@pytest.fixture
def look_up() -> Callable[..., dict[str, object] | None]:
    """Ask for the instance with some keys: `look_up("Win32_Process", "Name", Handle="7")`."""

    def answered(
        class_name: str, *columns: str, root: Path | None = None, caller: Caller = OWNER, **keys: object
    ) -> dict[str, object] | None:
        question = request(class_name, *columns, caller=caller)
        row = CimWin32("" if root is None else str(root)).instance(question, keys)
        return None if row is None else dict(zip(question.columns, row, strict=True))

    return answered


@pytest.fixture
def call() -> Callable[..., Mapping[str, object]]:
    """Run a method: `call("Win32_Process", "Terminate", {"Handle": "7"}, Reason=1)`."""

    def answered(
        class_name: str,
        method: str,
        keys: Mapping[str, object] | None = None,
        caller: Caller = OWNER,
        **params: object,
    ) -> Mapping[str, object]:
        question = Request(class_named(class_name), (), caller=caller)
        return CimWin32().method(question, method, keys, params)

    return answered


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process that has settled and waits until it is killed."""
    with settled(["cat"]) as child:
        yield child


@pytest.fixture
def tree(tmp_path: Path) -> Callable[[Mapping[str, str | bytes]], Path]:
    """A file tree with the given contents below `tmp_path`; a text that begins with "->" makes a link."""

    def planted(files: Mapping[str, str | bytes]) -> Path:
        for name, content in files.items():
            path = tmp_path / name.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, str) and content.startswith("->"):
                path.symlink_to(content[2:])
            else:
                path.write_bytes(content.encode() if isinstance(content, str) else content)
        return tmp_path

    return planted
