"""Progress encoding and outcomes (calls.md B27, B34, B35)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openwmi.contract.outcome import Outcome, Progress
from openwmi.model.errors import NotFound
from openwmi.model.status import WBEM_E_NOT_FOUND, WBEM_S_PARTIAL_RESULTS, failed


@pytest.mark.req("calls:B34")
def test_the_documented_example() -> None:
    assert Progress(25, 100).hresult == 0x00640019


@pytest.mark.req("calls:B34")
@given(st.integers(0, 65535), st.integers(0, 65535))
def test_small_figures_travel_unchanged(current: int, total: int) -> None:
    read = Progress.from_hresult(Progress(current, total).hresult, "text")
    assert read == Progress(current, total, "text")


@pytest.mark.req("calls:B34")
@given(st.integers(0, 2**64), st.integers(1, 2**64))
def test_large_figures_are_scaled_in_proportion(current: int, total: int) -> None:
    encoded = Progress(current, total).hresult
    assert 0 <= encoded <= 0xFFFFFFFF
    read = Progress.from_hresult(encoded)
    if 65535 < total and current <= total:
        assert read.total == 65535
        assert abs(read.current / 65535 - current / total) < 2 / 65535


@pytest.mark.req("calls:B35")
def test_a_large_total_looks_like_a_failure_and_is_none() -> None:
    encoded = Progress(1, 0x8000).hresult
    assert failed(encoded)
    assert Progress.from_hresult(encoded).total == 0x8000


def test_an_outcome_says_whether_it_is_good() -> None:
    assert Outcome().ok
    assert Outcome(WBEM_S_PARTIAL_RESULTS).ok
    Outcome().raise_()
    with pytest.raises(NotFound):
        Outcome(WBEM_E_NOT_FOUND).raise_()
