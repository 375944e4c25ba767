"""The package's own face: names that load when they are used."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import openwmi
from openwmi.contract import flags
from openwmi.model import errors as model_errors
from openwmi.model.status import STATUS

TREE = ast.parse(Path(openwmi.__file__).read_text("utf-8"))


def test_every_public_name_is_there() -> None:
    for name in openwmi.__all__:
        assert getattr(openwmi, name) is not None, name
    assert set(openwmi.__all__) <= set(dir(openwmi))
    with pytest.raises(AttributeError):
        openwmi.no_such_name  # type: ignore[attr-defined]  # noqa: B018


def test_what_a_type_checker_sees_is_what_there_is() -> None:
    (block,) = (node for node in TREE.body if isinstance(node, ast.If))
    seen = {
        alias.asname or alias.name
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    } | {
        target.id
        for node in block.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    assert {name for name in seen if not name.startswith("_")} == set(openwmi.__all__)
    for node in block.body:
        if isinstance(node, ast.ImportFrom) and node.module != "openwmi":
            for alias in node.names:
                if alias.asname is None:
                    module = importlib.import_module(str(node.module))
                    assert getattr(openwmi, alias.name) is getattr(module, alias.name)


def test_short_flags_are_the_long_ones() -> None:
    assert openwmi.SEND_STATUS == flags.WBEM_FLAG_SEND_STATUS == 0x80
    assert openwmi.USE_AMENDED_QUALIFIERS == 0x20000
    for name in openwmi._FLAGS:
        assert getattr(openwmi, name) == getattr(flags, f"WBEM_FLAG_{name}")


def test_errors_have_a_public_home() -> None:
    import openwmi.errors

    assert openwmi.errors.NotFound is model_errors.NotFound
    assert issubclass(openwmi.errors.QuerySyntaxError, openwmi.errors.InvalidQuery)
    assert "NotFound" in dir(openwmi.errors)
    with pytest.raises(AttributeError):
        openwmi.errors.NoSuchError  # type: ignore[attr-defined]  # noqa: B018
    assert len(STATUS) > 100


def test_importing_the_package_loads_next_to_nothing() -> None:
    program = (
        "import sys; before = set(sys.modules); import openwmi; print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) <= {"__future__", "openwmi"}


def test_the_version_is_the_one_that_is_packaged() -> None:
    import tomllib

    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text("utf-8"))["project"]
    assert openwmi.__version__ == project["version"]
