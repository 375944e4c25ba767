"""A place in a source's tokens, and what every rule of the grammar uses: expectations, names, constants (C1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from openwmi.model import status as s
from openwmi.mof import literals

if TYPE_CHECKING:
    from openwmi.model.errors import MofError
    from openwmi.mof.source import Source
    from openwmi.mof.syntax import Value

CONSTANTS: Final[dict[str, bool | None]] = {"true": True, "false": False, "null": None}


class Cursor:
    """Reads one source; `self.i` is the index of the token that comes next."""

    __slots__ = ("depth", "i", "source", "tokens")

    def __init__(self, source: Source) -> None:
        self.source = source
        self.tokens = source.tokens
        self.i = 0
        self.depth = 0

    def error(self, code: int, message: str, at: int | None = None) -> MofError:
        return self.source.error(code, message, self.i if at is None else at)

    def expected(self, code: int, what: str) -> MofError:
        """`what` is missing at the next token."""
        token = self.tokens[self.i]
        found = "the text ends" if not token else f"{shown(token)} stands here"
        if token[:1] in ('"', "/") and len(token) == 1:
            found = self.source.why_unrecognised(self.i)
        return self.error(code, f"expected {what}; {found}")

    def need(self, token: str, code: int) -> None:
        if self.tokens[self.i] != token:
            raise self.expected(code, f"'{token}'")
        self.i += 1

    def name(self, code: int, what: str) -> str:
        token = self.tokens[self.i]
        if not token.isidentifier():
            raise self.expected(code, what)
        self.i += 1
        return token

    def constant(self) -> Value:
        """A number, string, character, TRUE, FALSE or NULL."""
        token = self.tokens[self.i]
        first = token[:1]
        if first == '"' and len(token) > 1:
            return self.string()
        if token.isdigit() and first != "0" and len(token) < literals.MAX_DIGITS and token.isascii():
            self.i += 1
            return int(token)
        word = token.lower()
        if word in CONSTANTS:
            self.i += 1
            return CONSTANTS[word]
        return self.rare_constant(token)

    def rare_constant(self, token: str) -> Value:
        try:
            if token[:1] == "'" and len(token) > 1:
                value: Value = literals.character(token)
            elif token[:1] in "+-.0123456789" and len(token.strip("+-.")) > 0:
                value = literals.number(token)
            else:
                raise self.expected(s.WBEMMOF_E_ILLEGAL_CONSTANT_VALUE, "a constant")
        except OverflowError:
            raise self.error(s.WBEMMOF_E_OUT_OF_RANGE, "the constant is out of every range") from None
        except (KeyError, ValueError):
            raise self.error(
                s.WBEMMOF_E_ILLEGAL_CONSTANT_VALUE, f"{shown(token)} is not a constant"
            ) from None
        self.i += 1
        return value

    def string(self) -> str:
        """One string literal, or several that follow each other (C-03)."""
        tokens, at = self.tokens, self.i
        end = at + 1
        while tokens[end][:1] == '"' and len(tokens[end]) > 1:
            end += 1
        self.i = end
        text = tokens[at]
        if end > at + 1:
            # Where two literals meet, two quotes do: an escaped quote before them still has its backslash.
            text = '"' + "".join(tokens[at:end])[1:-1].replace('""', "") + '"'
        try:
            return literals.string(text) if "\\" in text else text[1:-1]
        except KeyError as wrong:
            message = f"\\{wrong.args[0]} is not an escape of MOF; a backslash is written \\\\"
            raise self.error(s.WBEMMOF_E_ILLEGAL_CONSTANT_VALUE, message, at) from None

    def array(self) -> tuple[Value, ...]:
        """`{a, b}` without objects in it, as qualifiers have."""
        tokens = self.tokens
        self.i += 1
        found: list[Value] = []
        if tokens[self.i] == "}":
            self.i += 1
            return ()
        while True:
            at = self.i
            token = tokens[at]
            if token[:1] == '"' and tokens[at + 1] in ",}" and len(token) > 1 and "\\" not in token:
                found.append(token[1:-1])  # the most frequent element, without a call
                self.i = at + 1
            elif token == "{":
                raise self.error(s.WBEMMOF_E_UNEXPECTED_ARRAY_INIT, "arrays have one dimension")
            else:
                found.append(self.constant())
            token = tokens[self.i]
            self.i += 1
            if token == ",":
                continue
            if token == "}":
                return tuple(found)
            self.i -= 1
            raise self.expected(s.WBEMMOF_E_EXPECTED_CLOSE_BRACE, "',' or '}'")


def shown(token: str) -> str:
    """A token in a message: shortened, in quotes of its own kind."""
    if len(token) > 40:
        token = token[:37] + "..."
    return token if token[:1] in ('"', "'") and len(token) > 1 else f"'{token}'"
