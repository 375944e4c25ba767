"""The shipped schema is compiled from the .mof files, and the file is current."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from openwmi.repository import prebuilt
from tools import build_schema


@pytest.mark.req("B-02")
def test_the_schema_is_current(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["build_schema", "--check"])
    assert build_schema.main() == 0, capsys.readouterr().err


def test_a_file_that_is_not_current_is_found(tmp_path: Path) -> None:
    path = tmp_path / "schema.bin"
    parts = build_schema.compiled()
    assert build_schema.difference(parts, str(path)) is not None
    path.write_bytes(b"something else\n")
    assert build_schema.difference(parts, str(path)) is not None
    path.write_bytes(prebuilt.built({**parts, "cimv2": parts["cimv2"][1:]}))
    assert build_schema.difference(parts, str(path)) == "the classes of part cimv2"
    changed = parts["cimv2"][0]
    twin = type(changed)(
        changed.name, changed.superclass, changed.qualifiers, changed.properties[:-1], changed.methods
    )
    path.write_bytes(prebuilt.built({**parts, "cimv2": [twin, *parts["cimv2"][1:]]}))
    assert build_schema.difference(parts, str(path)) == changed.name
    path.write_bytes(prebuilt.built(parts))
    assert build_schema.difference(parts, str(path)) is None
