"""A MOF error for people: message, the source line, a caret under the offending token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from openwmi.model.errors import MofError

WIDTH: Final = 110
"""Longest piece of a source line that is shown."""


def explain(error: MofError) -> str:
    """Several lines without a final newline.

    ::

        sample.mof:3:18: expected ';'; '}' stands here
            3 |   uint32 Counter }
              |                  ^
        WBEMMOF_E_EXPECTED_SEMI 0x80044002
    """
    tail = f"{error.symbol} 0x{error.code:08X}"
    if not error.line:
        return f"{error.message}\n{tail}"
    start = max(0, error.column - 1 - WIDTH // 2) if len(error.source) > WIDTH else 0
    shown = error.source[start : start + WIDTH]
    before = error.source[start : error.column - 1]
    # Tabs stay tabs, so that the caret stands right whatever their width.
    indent = "".join("\t" if character == "\t" else " " for character in before)
    carets = "^" * max(1, min(len(error.text or ""), len(shown) - len(before)))
    number = f"{error.line:>5}"
    head = f"{error.file}:{error.line}:{error.column}: {error.message}"
    return f"{head}\n{number} | {shown}\n{' ' * len(number)} | {indent}{carets}\n{tail}"
