"""Reading one property without the others: the same value as reading them all."""

from __future__ import annotations

import pytest
from hypothesis import given
from tests.wmio.making import instances

from openwmi.model.instances import Instance
from openwmi.model.values import present
from openwmi.wmio import decode, encode


@pytest.mark.slow
@given(instances())
def test_one_by_one_and_all_at_once_agree(one: Instance) -> None:
    data = encode(one)
    singly, whole = decode(data), decode(data)
    assert isinstance(singly, Instance)
    assert isinstance(whole, Instance)
    layout = one.layout_
    shown = [present(value, code) for value, code in zip(whole.values_, layout.types, strict=True)]
    assert [getattr(singly, name) for name in layout.names] == shown
    assert [decode(data)[name.upper()] for name in layout.names] == shown  # type: ignore[index]
    assert whole == one
    assert whole.defaults_ == one.defaults_
