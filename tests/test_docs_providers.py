"""docs/providers.md names every property of every class that has instances, and says NULL where it always is."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from openwmi import host, providers

PAGE = Path(__file__).resolve().parent.parent / "docs" / "providers.md"
SECTIONS = dict(
    re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
)
SERVED = {name: entry.module for name, entry in providers.CLASSES.items() if entry.module}


def rows(section: str) -> list[str]:
    """The first cells of a table."""
    return [line.split("|")[1].strip() for line in section.splitlines() if line.startswith("|")][2:]


def names_in(cell: str) -> list[str]:
    return re.findall(r"`(\w+)`", cell)


def columns_of(module: str) -> set[str]:
    """The properties that a family reads."""
    place = "linux.processes" if module == "process" else module
    return set(importlib.import_module(f"openwmi.providers.{place}").COLUMNS)


def test_every_class_with_instances_has_its_section() -> None:
    assert {name.lower() for name in SECTIONS} == set(SERVED)


@pytest.mark.parametrize("name", list(SECTIONS))
def test_a_section_names_every_property_once(name: str) -> None:
    class_ = host.local().one_shot().space.schema.class_named(name)
    told = [one for cell in rows(SECTIONS[name]) for one in names_in(cell)]
    assert sorted(told) == sorted(one.name for one in class_.properties.values())


@pytest.mark.parametrize("name", list(SECTIONS))
def test_what_is_called_null_is_what_nobody_reads(name: str) -> None:
    null = {one for cell in rows(SECTIONS[name]) if cell.startswith("NULL: ") for one in names_in(cell)}
    told = {one for cell in rows(SECTIONS[name]) for one in names_in(cell)}
    assert null == told - columns_of(SERVED[name.lower()] or "") - {"LoadPercentage"}
