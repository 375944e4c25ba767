"""The cursor over the tokens of one query: names, constants and property paths, and how a missing piece is reported."""

from __future__ import annotations

from typing import Final, NoReturn

from openwmi.wql.diagnose import Span, syntax_error
from openwmi.wql.syntax import RELATIONS, Literal, Name, PropertyPath
from openwmi.wql.tokens import END, MAX_NUMBER, NAME, NUMBER, STRING, Token, string_value, tokenize

CONSTANTS: Final = {"NULL": None, "TRUE": True, "FALSE": False}  # the only words that cannot be names (D-02)
OPERATORS: Final = RELATIONS | {"!="}

_FOREIGN: Final = {  # what other SQLs write, and what WQL has instead (D-04, D-57)
    "ORDER": "WQL has no ORDER BY; sort the results",
    "JOIN": "WQL has no joins; ask for ASSOCIATORS OF {path}",
    "INNER": "WQL has no joins; ask for ASSOCIATORS OF {path}",
    "LIMIT": "WQL has no LIMIT; stop reading when you have enough",
    "TOP": "WQL has no TOP; stop reading when you have enough",
    "IN": "WQL has no IN; write a = 1 OR a = 2",
    "BETWEEN": "WQL has no BETWEEN; write a >= 1 AND a <= 2",
    "DISTINCT": "WQL has no DISTINCT",
    "AS": "WQL has no aliases",
    ",": "WQL reads one class at a time",
    "+": "WQL has no arithmetic",
    "-": "WQL has no arithmetic",
    "*": "WQL has no arithmetic",
    "(": "WQL has no functions and no subqueries",
}


class Reader:
    """Where the parser stands: `token`, its `kind`, and `word`, the token in upper case when it is a name."""

    __slots__ = ("_at", "_tokens", "kind", "text", "token", "word")

    def __init__(self, text: str) -> None:
        self.text = text
        self._tokens = tokenize(text)
        self._at = -1
        self.advance()

    def advance(self) -> Token:
        """Step on; the token left behind is returned."""
        left = self._tokens[self._at]
        self._at += 1
        self.token = token = self._tokens[self._at]
        self.kind = token[0]
        self.word = token[1].upper() if token[0] == NAME else ""
        return left

    def ahead(self) -> Token:
        """The token after this one; END after END."""
        return self._tokens[min(self._at + 1, len(self._tokens) - 1)]

    @property
    def here(self) -> Span:
        return self.token[2], self.token[3]

    def accept(self, word: str) -> bool:
        if self.word != word:
            return False
        self.advance()
        return True

    def expect(self, word: str) -> None:
        if not self.accept(word):
            self.missing(word)

    def missing(self, what: str, hint: str | None = None) -> NoReturn:
        """Refuse the text because `what` should stand where this token does."""
        where = "at the end" if self.kind == END else f"before {self.token[1]!r:.60}"
        self.refuse(self.here, f"{what} is missing {where}", hint or _FOREIGN.get(self.word or self.kind))

    def refuse(self, span: Span, message: str, hint: str | None = None) -> NoReturn:
        raise syntax_error(self.text, span, message, hint)

    def end(self) -> None:
        if self.kind != END:
            hint = _FOREIGN.get(self.word or self.kind)
            self.refuse(self.here, f"{self.token[1]!r:.60} is not expected here", hint)

    @property
    def at_operator(self) -> bool:
        return self.kind in OPERATORS

    @property
    def at_constant(self) -> bool:
        return self.kind in (STRING, NUMBER, "+", "-") or self.word in CONSTANTS

    def name(self, what: str) -> Name:
        if self.kind != NAME or self.word in CONSTANTS:
            self.missing(what)
        token = self.advance()
        return Name(token[1], (token[2], token[3]))

    def quoted_name(self, what: str) -> Name:
        """A name with quotes or without (D-70)."""
        if self.kind != STRING:
            return self.name(what)
        token = self.advance()
        return Name(string_value(token), (token[2], token[3]))

    def path(self, *, starred: bool = False) -> PropertyPath:
        """`Name` or `Name.Name...`; `starred` lets it end in `.*`."""
        names = [self.name("a property name")]
        while self.kind == ".":
            self.advance()
            if starred and self.kind == "*":
                names.append(Name("*", self.here))
                self.advance()
                break
            names.append(self.name("a property name"))
        return PropertyPath(tuple(names))

    def relation(self) -> str:
        """A comparison operator; `!=` is the other spelling of `<>`."""
        if not self.at_operator:
            self.missing("an operator")
        op = self.advance()[0]
        if self.kind in OPERATORS:
            self.refuse(
                self.here, "two operators in a row", "equality is a single =" if self.kind == "=" else None
            )
        return "<>" if op == "!=" else op

    def literal(self) -> Literal:
        if self.kind == STRING:
            token = self.advance()
            value = string_value(token)
            return Literal(value, value, (token[2], token[3]))
        if self.word in CONSTANTS:
            word, span = self.word, self.here
            self.advance()
            return Literal(CONSTANTS[word], word, span)
        if self.kind == NAME:
            hint = f"put text in quotes: '{self.token[1]}'"
            self.refuse(self.here, "WQL compares a property with a constant, never with a property", hint)
        return self.number("a constant")

    def number(self, what: str) -> Literal:
        start, sign = self.token[2], ""
        if self.kind in ("+", "-"):
            sign = self.advance()[0].replace("+", "")
        if self.kind != NUMBER:
            self.missing(what)
        token = self.advance()
        span = start, token[3]
        if len(token[1]) > MAX_NUMBER:
            self.refuse(span, f"a number has at most {MAX_NUMBER} digits")
        text = sign + token[1]
        value = int(text) if token[1].isdecimal() else float(text)
        if value in (float("inf"), float("-inf")):
            self.refuse(span, "the number is too large")
        return Literal(value, text, span)
