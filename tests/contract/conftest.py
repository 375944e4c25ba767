"""A small class for tests of what travels through the seam."""

from __future__ import annotations

import pytest

from openwmi.model.cimtypes import CimType
from openwmi.model.classes import Class, ClassDeclaration, Property, derive
from openwmi.model.qualifiers import EMPTY, Qualifier, QualifierSet


@pytest.fixture(scope="session")
def simple_class() -> Class:
    """Name (key, string) and Number (sint32)."""
    key = QualifierSet([Qualifier("key", True, CimType.BOOLEAN, 0)])
    name = Property("Name", CimType.STRING, qualifiers=key, origin="Simple")
    number = Property("Number", CimType.SINT32, qualifiers=EMPTY, origin="Simple")
    return derive(ClassDeclaration("Simple", None, EMPTY, (name, number), ()), None)
