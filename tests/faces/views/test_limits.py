"""The numbers of the views and the forms they come in."""

from __future__ import annotations

import pytest

from openwmi.contract import operations as ops
from openwmi.faces.views.limits import source_flags
from openwmi.model.classes import ClassDeclaration, derive
from openwmi.model.qualifiers import EMPTY


@pytest.mark.req("calls:0.1a", "calls:B3")
def test_what_says_how_to_read_does_not_reach_the_source() -> None:
    """0x20 is FORWARD_ONLY where something is enumerated, and SAFE_MODE on PutClass."""
    thing = derive(ClassDeclaration("Thing", None, EMPTY, (), ()), None)
    assert source_flags(ops.ExecQuery("SELECT * FROM T"), 0x230, "semisync") == 0x200
    assert source_flags(ops.PutClass(thing), 0x30, "semisync") == 0x20
    assert source_flags(ops.GetObject("T"), 0x10, "sync") == 0
