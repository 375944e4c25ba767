"""WQL text cut into tokens: names, strings, numbers, operators, object paths in braces (model.md D-03, D-22).

A token is a plain tuple because a query has a dozen of them and is read once: (kind, text, start, end), where kind is
NAME, STRING, NUMBER, PATH, END or the operator itself. Names are not told from keywords here: nearly every
keyword may be the name of a class or property (D-02), so the parser decides by the place.
"""

from __future__ import annotations

import re
from typing import Final, TypeAlias

from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_QUOTA_VIOLATION
from openwmi.wql.diagnose import Span, syntax_error

Token: TypeAlias = tuple[str, str, int, int]

NAME: Final = "name"
STRING: Final = "string"
NUMBER: Final = "number"
PATH: Final = "path"
END: Final = "end of the query"

MAX_QUERY: Final = 0x4000  # characters (D-05, calls.md B7)
MAX_NAME: Final = 0x1000  # characters of one identifier
MAX_NUMBER: Final = 256  # digits and signs of one number; Python refuses to convert beyond 4300

# A name begins with a letter, an underscore or any character from U+0080 up (D-03). Written as what it is not: a set
# that names the upper range takes `re` 10 ms to compile.
_START = r"[^\x00-@\[-^`{-\x7f]"
_INSIDE = r"[^\x00-/:-@\[-^`{-\x7f]"
_TOKEN: Final = re.compile(
    r"[ \t\r\n]*+(?:"
    rf"(?P<name>{_START}{_INSIDE}*+)"
    r"""|(?P<string>"[^"\\]*+(?:\\["'\\][^"\\]*+)*+"|'[^'\\]*+(?:\\["'\\][^'\\]*+)*+')"""
    rf"|(?P<number>(?:[0-9]++(?:\.[0-9]++)?+|\.[0-9]++)(?:[eE][+-]?+[0-9]++)?+(?!{_INSIDE}))"
    r"|(?P<op><=|>=|<>|!=|[=<>(),.*+-])"
    r"""|(?P<path>\{(?:[^}"']|"(?:[^"\\]|\\.)*+"|'(?:[^'\\]|\\.)*+')*+\}))""",
    re.DOTALL,
)
_STRAY: Final = {
    ";": "a statement has no terminator",
    "/": "WQL has no arithmetic",
    "%": "a pattern stands in quotes, after LIKE",
}


def tokenize(text: str) -> list[Token]:
    """The tokens of `text`, closed by one END token.

    Raises QuerySyntaxError on a character, escape or quote that belongs to no token, QUOTA_VIOLATION on a text
    longer than MAX_QUERY.
    """
    if len(text) > MAX_QUERY:
        raise error(WBEM_E_QUOTA_VIOLATION, f"the query has {len(text)} characters; {MAX_QUERY} is the limit")
    tokens: list[Token] = []
    match = _TOKEN.match
    position = 0
    while found := match(text, position):
        kind = found.lastgroup or ""
        start, position = found.span(kind)
        word = text[start:position]
        tokens.append((word if kind == "op" else kind, word, start, position))
        if kind == NAME and position - start > MAX_NAME:
            raise error(
                WBEM_E_QUOTA_VIOLATION, f"a name has {position - start} characters; {MAX_NAME} is the limit"
            )
    position = len(text) - len(text[position:].lstrip(" \t\r\n"))
    if position < len(text):
        raise _unreadable(text, position)
    tokens.append((END, "", position, position))
    return tokens


def string_value(token: Token) -> str:
    """The text that a STRING token stands for: quotes off, escapes undone."""
    inner = token[1][1:-1]
    if "\\" not in inner:
        return inner
    return "\\".join(part.replace("\\", "") for part in inner.split("\\\\"))


def _unreadable(text: str, position: int) -> Exception:
    """Why no token begins at `position`."""
    char = text[position]
    if char in "'\"":
        return _broken_string(text, position, char)
    if char == "{":
        return syntax_error(
            text, (position, len(text)), "the brace that opens an object path is never closed"
        )
    if char.isdigit():
        return syntax_error(text, _run(text, position), "this is neither a number nor a name")
    return syntax_error(text, (position, position + 1), f"{char!r} has no meaning in WQL", _STRAY.get(char))


def _broken_string(text: str, start: int, quote: str) -> Exception:
    """The first bad escape of the string that opens at `start`, or its missing end."""
    at = start + 1
    while at < len(text) and text[at] != quote:
        if text[at] == "\\":
            if text[at + 1 : at + 2] not in ("\\", '"', "'"):
                hint = "double the backslash to mean one"
                return syntax_error(
                    text, (at, min(at + 2, len(text))), "only \\\\, \\\" and \\' are escapes", hint
                )
            at += 1
        at += 1
    return syntax_error(text, (start, len(text)), f"the string is not closed by {quote}")


def _run(text: str, start: int) -> Span:
    end = start
    while end < len(text) and (text[end].isalnum() or text[end] in "._"):
        end += 1
    return start, end
