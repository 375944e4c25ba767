"""A second evaluator, by walking the parsed tree over dicts: slow, plain, and written from model.md D2 alone.

It shares nothing with the compiler but the tree, so that where both agree neither is likely to be wrong. It covers the
types whose rules fit in a few lines: numbers, booleans, text.
"""

from __future__ import annotations

import re
from typing import Any

from openwmi.wql.syntax import And, Comparison, IsNull, Like, Literal, Node, Not

INTEGERS = frozenset({"i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64"})
REALS = frozenset({"r64"})


def holds(node: Node, row: dict[str, Any]) -> bool:
    """Whether `node` is true for a row of values by lower-case name."""
    if isinstance(node, Not):
        return not holds(node.items[0], row)
    if isinstance(node, And):
        return all(holds(item, row) for item in node.items)
    if hasattr(node, "items"):
        return any(holds(item, row) for item in node.items)
    name = node.path.folded[0]  # type: ignore[attr-defined]
    value = row[name]
    if isinstance(node, IsNull):
        return (value is None) is not node.negated
    if value is None:
        return False  # D-26
    if isinstance(node, Like):
        return like(node.pattern, str(value))
    assert isinstance(node, Comparison)
    return compare(value, node.op, constant(node.literal, name))


def constant(literal: Literal, name: str) -> Any:
    value = literal.value
    if name in INTEGERS:
        return int(float(value)) if isinstance(value, str) and "." in value else int(value)  # type: ignore[arg-type]
    if name in REALS:
        return float(value)  # type: ignore[arg-type]
    if name == "b":
        return {"true": True, "false": False, "1": True, "0": False}[str(value).lower()]
    return value if isinstance(value, str) else literal.text


def compare(value: Any, op: str, wanted: Any) -> bool:
    if isinstance(value, str):
        value, wanted = upper(value), upper(wanted)
    return {
        "=": value == wanted,
        "<>": value != wanted,
        "<": value < wanted,
        ">": value > wanted,
        "<=": value <= wanted,
        ">=": value >= wanted,
    }[op]


def upper(value: str) -> str:
    """Character by character, and only where the upper case is one character (D-23)."""
    return "".join(char.upper() if len(char.upper()) == 1 else char for char in value)


def like(pattern: str, value: str) -> bool:
    """D-35 by trying every way to cut the text, with a memory of what failed."""
    parts: list[Any] = []
    position = 0
    while position < len(pattern):
        char = pattern[position]
        end = pattern.find("]", position + 1)
        if char == "[" and end > 0:
            parts.append(pattern[position + 1 : end])
            position = end
        else:
            parts.append((char,))
        position += 1
    return _like(parts, upper(value), 0, 0, {})


def _like(parts: list[Any], value: str, at: int, place: int, known: dict[tuple[int, int], bool]) -> bool:
    if (at, place) not in known:
        known[at, place] = _decide(parts, value, at, place, known)
    return known[at, place]


def _decide(parts: list[Any], value: str, at: int, place: int, known: dict[tuple[int, int], bool]) -> bool:
    if at == len(parts):
        return place == len(value)
    part = parts[at]
    if part == ("%",):
        return _like(parts, value, at + 1, place, known) or (
            place < len(value) and _like(parts, value, at, place + 1, known)
        )
    return place < len(value) and one(part, value[place]) and _like(parts, value, at + 1, place + 1, known)


def one(part: Any, char: str) -> bool:
    """Whether one character fits an element of a pattern."""
    if isinstance(part, tuple):
        return part == ("_",) or upper(part[0]) == char
    negated = part.startswith("^") and len(part) > 1
    inside = upper(part[1:] if negated else part)
    ranges = re.findall(r"(?s)(.)-(.)|(.)", inside)
    found = any(low <= char <= high if low else char == single for low, high, single in ranges)
    return found is not negated
