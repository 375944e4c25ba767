"""Comparing text as WQL does: without case and character by character (D-23).

`fold` is upper case, one character for one: a character whose upper case is longer (the sharp s, ligatures) stays
itself, so that `_` in a pattern is one character and lengths never change. Order is ordinal on folded text.
Characters are code points: one outside the BMP counts as one.
"""

from __future__ import annotations

from functools import lru_cache


def fold(text: str) -> str:
    """`text` in the form that compares without case; as long as `text` itself."""
    upper = text.upper()
    if len(upper) == len(text):
        return upper
    return "".join([big if len(big := char.upper()) == 1 else char for char in text])


def is_plain(folded: str) -> bool:
    """True when `text.upper() == folded` says the same as `fold(text) == folded` for a text of the same length."""
    return folded.isascii() or not (_long_upper_cases()[0] & set(folded))


def has_shorter_spelling(folded: str) -> bool:
    """True when a text shorter than `folded` could have it as its upper case, as the sharp s has SS."""
    if folded.isascii():
        return any(pair in folded for pair in ("SS", "FF", "FI", "FL", "ST"))
    return any(upper in folded for upper in _long_upper_cases()[1])


@lru_cache(maxsize=1)
def _long_upper_cases() -> tuple[frozenset[str], tuple[str, ...]]:
    """The characters whose upper case is longer than one, and these upper cases."""
    found = {chr(code): chr(code).upper() for code in range(0x80, 0x10000) if len(chr(code).upper()) > 1}
    return frozenset(found), tuple(sorted(set(found.values())))
