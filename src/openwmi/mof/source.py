"""MOF text as tokens, and where in the text each of them stands (model.md C1).

Tokens are plain strings made by one `findall` of one expression: the parser tells their kinds by the first character.
Positions are not kept but found again by scanning a second time, which only an error or a caller that asks for lines
ever needs.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import Final

from openwmi.model.errors import MofError
from openwmi.model.status import WBEM_E_QUOTA_VIOLATION

MAX_CHARACTERS: Final = 64 * 1024 * 1024
"""Longest text of one source; real files stay under 1 MB, the whole DMTF schema has 4."""

_TOKEN: Final = re.compile(
    r"""
    \s*+ (?: [\s\ufeff\x1a]++ | //[^\n\r]*+ | /\*[^*]*+(?:\*(?!/)[^*]*+)*\*/ )*
    ( "[^"\\\r\n]*+(?:\\.[^"\\\r\n]*+)*"
    | [^\W\d]\w*+
    | [-+]?[.]?[0-9][\w.]*+(?:(?<=[eE])[-+][0-9]\w*+)?
    | \$[^\W\d]\w*+
    | '(?:[^'\\\r\n]|\\[xX][0-9a-fA-F]{1,8}|\\.)'
    | \#[ \t]*+\w*+
    | .
    | \Z )
    """,
    re.VERBOSE,
)
# Looked at after the token proper: what an unrecognised character was meant to begin.
_OPENINGS: Final = {'"': "the string is not closed on its line", "/": "the comment is not closed"}


class Source:
    """One text: its file name, its tokens (three empty ones stand after the last), its lines."""

    __slots__ = ("_lines", "_starts", "file", "text", "tokens")

    def __init__(self, text: str, file: str) -> None:
        """WbemError QUOTA_VIOLATION for a text longer than MAX_CHARACTERS."""
        self.text = text
        self.file = file
        self._starts: list[int] | None = None
        self._lines: list[int] | None = None
        self.tokens: list[str] = []
        if len(text) > MAX_CHARACTERS:
            message = f"the text has {len(text):,} characters, the limit is {MAX_CHARACTERS:,}"
            raise self.error(WBEM_E_QUOTA_VIOLATION, message, 0)
        self.tokens = _TOKEN.findall(text)
        self.tokens += ("", "", "")

    def offset(self, index: int) -> int:
        """Character offset of a token."""
        if self._starts is None:
            self._starts = [match.start(1) for match in _TOKEN.finditer(self.text)] if self.tokens else [0]
        return self._starts[min(index, len(self._starts) - 1)]

    def _line_starts(self) -> list[int]:
        if self._lines is None:
            self._lines = [0, *(match.end() for match in re.finditer(r"\r\n?|\n", self.text))]
        return self._lines

    def position(self, index: int) -> tuple[int, int]:
        """(line, column) of a token, both from 1."""
        offset = self.offset(index)
        lines = self._line_starts()
        line = bisect_right(lines, offset)
        return line, offset - lines[line - 1] + 1

    def line(self, number: int) -> str:
        """The text of a line, without its end."""
        lines = self._line_starts()
        start = lines[number - 1]
        stop = lines[number] if number < len(lines) else len(self.text)
        return self.text[start:stop].rstrip("\r\n")

    def excerpt(self, first: int, last: int) -> str:
        """The text from one token to the end of another."""
        return self.text[self.offset(first) : self.offset(last) + len(self.tokens[last])]

    def error(self, code: int, message: str, index: int) -> MofError:
        """The error `code` at a token of this source."""
        line, column = self.position(index)
        token = self.tokens[index] if index < len(self.tokens) else ""
        return MofError(
            code, message, file=self.file, line=line, column=column, text=token, source=self.line(line)
        )

    def why_unrecognised(self, index: int) -> str:
        """What is wrong with a token that no rule of the grammar can begin with."""
        token = self.tokens[index]
        why = _OPENINGS.get(token[:1])
        if why and (token != "/" or self.text.startswith("/*", self.offset(index))):
            return why
        return f"{token!r} has no meaning here" if token else "the text ends too early"
