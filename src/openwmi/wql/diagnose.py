"""How a query that cannot run is reported: the code, a sentence, the place in the text, a near name."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from openwmi.model.errors import QuerySyntaxError, WbemError, error

if TYPE_CHECKING:
    from collections.abc import Iterable

Span: TypeAlias = tuple[int, int]  # character offsets into the query, end exclusive


def syntax_error(text: str, span: Span, message: str, hint: str | None = None) -> QuerySyntaxError:
    """INVALID_QUERY for a text that no grammar rule accepts, or whose names and types do not fit the class."""
    failure = QuerySyntaxError(message, text=text, span=span)
    failure.hint = hint  # what stands beside the carets, instead of the code's general advice
    return failure


def query_error(code: int, text: str, span: Span, message: str, hint: str | None = None) -> WbemError:
    """Any other code, with the same `text`, `span` and `hint` for the caret line (interfaces.md A2)."""
    failure = error(code, message)
    failure.text, failure.span, failure.hint = text, span, hint
    return failure


def suggestion(name: str, candidates: Iterable[str]) -> str | None:
    """`did you mean X?` when a candidate is near."""
    from openwmi.model.instances import nearest

    near = nearest(name, tuple(candidates))
    return f"did you mean {near}?" if near else None


def caret(text: str, span: Span, hint: str | None = None) -> str:
    """Two lines that point at `span`: the line of the query it stands on, and carets below with the hint."""
    start, end = span
    begin = text.rfind("\n", 0, start) + 1
    stop = text.find("\n", start)
    line = text[begin : stop if stop >= 0 else len(text)].rstrip("\r")
    shown = "".join(" " if char in "\t\r" else char for char in line)
    width = max(1, min(end, begin + len(line)) - start)
    return f"{shown}\n{' ' * (start - begin)}{'^' * width}{' ' + hint if hint else ''}"
