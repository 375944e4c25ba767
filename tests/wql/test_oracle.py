"""Our parser beside an independent grammar: the same trees, and the same texts refused (model.md D2, D4, D5, D6)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from lark.exceptions import LarkError, VisitError
from tests.wql import grammar
from tests.wql.queries import damaged, queries, spelled

from openwmi import wql
from openwmi.model.errors import WbemError


def ours(text: str) -> Any:
    try:
        return wql.parse(text)
    except WbemError as failure:
        assert failure.symbol == "WBEM_E_INVALID_QUERY"
        return None


def theirs(text: str) -> Any:
    try:
        return grammar.parse(text)
    except VisitError as failure:
        if not isinstance(failure.orig_exc, grammar.Refused):
            raise
        return None
    except LarkError:
        return None


@pytest.mark.slow
@pytest.mark.req("D-03", "D-20", "D-21", "D-22", "D-25")
@given(spelled(queries))
def test_the_same_trees(text: str) -> None:
    tree = ours(text)
    expected = theirs(text)
    assert (tree is None) == (expected is None)
    if tree is not None:
        assert grammar.shape(tree) == expected


@pytest.mark.slow
@pytest.mark.req("D-02", "D-09")
@given(spelled(damaged()))
def test_the_same_texts_are_refused(text: str) -> None:
    tree = ours(text)
    expected = theirs(text)
    if tree is not None and expected is None:
        assert grammar.names_of(tree) & grammar.KEYWORDS, (
            "only a keyword in the place of a name may parse here alone"
        )
    elif tree is None:
        assert expected is None
    else:
        assert grammar.shape(tree) == expected
