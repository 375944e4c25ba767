"""LIKE patterns: what they contain, the cheapest test that decides them, and a regular expression for the rest (D-35).

`%` any run, `_` one character, `[a-f]` `[abc]` one of, `[^a-f]` one of the others; `[_]` is the character itself.
A `[` that is never closed stands for itself. A range holds what lies between its ends without regard to case.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from openwmi.wql.text import fold

if TYPE_CHECKING:
    from collections.abc import Callable

_ANY_RUN: Final = 0
_ANY_ONE: Final = 1


class _Set(NamedTuple):
    """One of these ranges of folded characters, or none of them."""

    negated: bool
    ranges: tuple[tuple[str, str], ...]


_Element: TypeAlias = str | int | _Set


class Pattern(NamedTuple):
    """What a LIKE pattern comes to; the texts are folded.

    kind: "any" text at all, "equal" to head, "prefix" head, "suffix" tail, "both" head and tail, "contains" head,
    or "regex": ask `matcher`.
    """

    kind: str
    head: str = ""
    tail: str = ""


@lru_cache(maxsize=256)
def analyse(pattern: str) -> Pattern:
    """The cheapest test that decides `text LIKE pattern`."""
    segments = _segments(pattern)
    texts = ["".join(item for item in segment if isinstance(item, str)) for segment in segments]
    if any(len(text) != len(segment) for text, segment in zip(texts, segments, strict=True)):
        return Pattern("regex")
    if len(texts) == 1:
        return Pattern("equal", texts[0])
    head, *middle, tail = texts
    if any(middle):
        return Pattern("regex") if head or tail or len(middle) > 1 else Pattern("contains", middle[0])
    if head and tail:
        return Pattern("both", head, tail)
    if head:
        return Pattern("prefix", head)
    return Pattern("suffix", tail=tail) if tail else Pattern("any")


@lru_cache(maxsize=256)
def matcher(pattern: str) -> Callable[[str], bool]:
    """A function that decides `folded text LIKE pattern` in time linear in the text for each run.

    Each `%` takes the first place where what follows fits and never looks back (an atomic group): without that, a
    pattern such as a%a%a%b would try every way to cut the text.
    """
    first, *rest = (_regex(segment) for segment in _segments(pattern))
    source = first
    if rest:
        source += "".join(f"(?>.*?{segment})" for segment in rest[:-1]) + ".*" + rest[-1]
    fullmatch = re.compile(source, re.DOTALL).fullmatch
    return lambda text: fullmatch(text) is not None


def _segments(pattern: str) -> list[list[_Element]]:
    """The elements between the `%` of a pattern, empty middle segments left out."""
    segments: list[list[_Element]] = [[]]
    for element in _elements(pattern):
        if element is not _ANY_RUN:
            segments[-1].append(element)
        elif segments[-1] or len(segments) == 1:
            segments.append([])
    return segments


def _elements(pattern: str) -> list[_Element]:
    found: list[_Element] = []
    position = 0
    while position < len(pattern):
        char = pattern[position]
        position += 1
        if char == "%":
            found.append(_ANY_RUN)
        elif char == "_":
            found.append(_ANY_ONE)
        elif char == "[" and (end := pattern.find("]", position)) >= 0:
            found.append(_set(pattern[position:end]))
            position = end + 1
        else:
            found.append(fold(char))
    return found


def _set(inside: str) -> _Element:
    negated = inside.startswith("^") and len(inside) > 1
    rest = fold(inside[1:] if negated else inside)
    ranges: list[tuple[str, str]] = []
    while rest:
        wide = len(rest) >= 3 and rest[1] == "-"
        ranges.append((rest[0], rest[2] if wide else rest[0]))
        rest = rest[3 if wide else 1 :]
    if len(ranges) == 1 and ranges[0][0] == ranges[0][1] and not negated:
        return ranges[0][0]
    return _Set(negated, tuple(ranges))


def _regex(segment: list[_Element]) -> str:
    return "".join(
        re.escape(item) if isinstance(item, str) else "." if item == _ANY_ONE else _set_regex(item)
        for item in segment
    )


def _set_regex(item: _Element) -> str:
    assert isinstance(item, _Set)
    spans = "".join(f"{re.escape(low)}-{re.escape(high)}" for low, high in item.ranges if low <= high)
    if not spans:
        return "." if item.negated else "(?!)"
    return f"[{'^' if item.negated else ''}{spans}]"
