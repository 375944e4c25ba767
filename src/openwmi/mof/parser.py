"""The directives of a MOF text: pragmas, includes, qualifier declarations, classes and instances (model.md C2).

Only form is judged by the parser; what names mean, and whether a value fits its property, is the business of
:mod:`openwmi.mof.resolution`. The two recursions, embedded objects and included files, are bounded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from openwmi.model import status as s
from openwmi.mof.cursor import CONSTANTS
from openwmi.mof.flavors import WORDS as FLAVORS
from openwmi.mof.objects import ObjectParser
from openwmi.mof.source import Source
from openwmi.mof.syntax import Pragma, QualifierDeclaration

if TYPE_CHECKING:
    from collections.abc import Callable

    from openwmi.model.errors import MofError
    from openwmi.mof.syntax import Directive, Value

    Include = Callable[[str, str], tuple[str, str | bytes]]

MAX_INCLUDES: Final = 32
"""Deepest include."""

PRAGMAS: Final = frozenset(
    (
        "namespace",
        "classflags",
        "instanceflags",
        "autorecover",
        "deleteclass",
        "deleteinstance",
        "amendment",
    )
)
"""Pragmas that mean something (C2); the others are passed over."""

_UNSUPPORTED: Final = frozenset(("define", "ifdef", "ifndef", "if", "else", "elif", "endif", "undef"))
_SCOPES: Final = frozenset(
    (
        "any",
        "association",
        "class",
        "indication",
        "instance",
        "method",
        "parameter",
        "property",
        "qualifier",
        "reference",
        "schema",
    )
)


class Parser(ObjectParser):
    """Reads one source, and in its place the sources it includes, into one list of directives."""

    __slots__ = ("directives", "include", "level")

    def __init__(
        self, source: Source, include: Include | None, directives: list[Directive], level: int = 0
    ) -> None:
        super().__init__(source)
        self.include = include
        self.directives = directives
        self.level = level

    # -- the file ------------------------------------------------------------------------------------------------

    def file(self) -> None:
        """Read all directives of the source into `self.directives`."""
        tokens = self.tokens
        while token := tokens[self.i]:
            at = self.i
            if token[0] == "#":
                self.pragma()
                continue
            if token == "[":
                qualifiers = self.qualifiers()
                word = tokens[self.i].lower()
            else:
                qualifiers = ()
                word = token.lower()
            if word == "class":
                node: Directive = self.class_(qualifiers, at)
                self.need(";", s.WBEMMOF_E_EXPECTED_SEMI)
            elif word == "instance":
                node = self.instance(qualifiers, at)
                self.need(";", s.WBEMMOF_E_EXPECTED_SEMI)
            elif word == "qualifier" and not qualifiers:
                node = self.qualifier_declaration()
            else:
                raise self.no_declaration(word, bool(qualifiers))
            self.directives.append(node)

    def no_declaration(self, word: str, qualified: bool) -> MofError:
        if word == "typedef":
            return self.error(s.WBEMMOF_E_TYPEDEF_NOT_SUPPORTED, "typedef is not supported")
        if qualified:
            return self.expected(
                s.WBEMMOF_E_INVALID_CLASS_DECLARATION, "'class' or 'instance' after the qualifiers"
            )
        why = self.source.why_unrecognised(self.i)
        message = f"expected '#pragma', 'qualifier', 'class' or 'instance'; {why}"
        return self.error(s.WBEMMOF_E_UNRECOGNIZED_TOKEN, message)

    # -- pragmas -------------------------------------------------------------------------------------------------

    def pragma(self) -> None:
        tokens, at = self.tokens, self.i
        word = tokens[at][1:].strip().lower()
        self.i += 1
        if word == "include":
            self.included(at, self.arguments())
            return
        if word in _UNSUPPORTED:
            message = f"#{word} is not part of MOF; run the file through a C preprocessor first"
            raise self.error(s.WBEMMOF_E_TYPEDEF_NOT_SUPPORTED, message, at)
        if word != "pragma":
            raise self.error(s.WBEMMOF_E_INVALID_PRAGMA, "expected '#pragma' or '#include'", at)
        name = self.name(s.WBEMMOF_E_INVALID_PRAGMA, "the name of a pragma").lower()
        if name == "include":
            self.included(at, self.arguments())
        elif name in PRAGMAS:
            arguments = self.arguments() if tokens[self.i] == "(" else ()
            self.directives.append(Pragma(self.source, at, name, arguments))
        else:
            self.skip_pragma(at)
            self.directives.append(Pragma(self.source, at, name, ()))

    def arguments(self) -> tuple[Value, ...]:
        """`(a, b)`; the words of deleteclass and deleteinstance come as text."""
        self.need("(", s.WBEMMOF_E_EXPECTED_OPEN_PAREN)
        tokens = self.tokens
        found: list[Value] = []
        while tokens[self.i] != ")":
            if found:
                if tokens[self.i] != ",":
                    raise self.expected(s.WBEMMOF_E_EXPECTED_CLOSE_PAREN, "',' or ')'")
                self.i += 1
            token = tokens[self.i]
            if token.isidentifier() and token.lower() not in CONSTANTS:
                found.append(token)
                self.i += 1
            else:
                found.append(self.constant())
        self.i += 1
        return tuple(found)

    def skip_pragma(self, at: int) -> None:
        """Pass over a pragma that means nothing here: a group in parentheses, else the rest of the line."""
        tokens = self.tokens
        if tokens[self.i] == "(":
            while tokens[self.i] != ")":
                if not tokens[self.i]:
                    raise self.expected(s.WBEMMOF_E_EXPECTED_CLOSE_PAREN, "')'")
                self.i += 1
            self.i += 1
            return
        line = self.source.position(at)[0]
        while tokens[self.i] and self.source.position(self.i)[0] == line:
            self.i += 1

    def included(self, at: int, arguments: tuple[Value, ...]) -> None:
        if len(arguments) != 1 or not isinstance(arguments[0], str):
            raise self.error(s.WBEMMOF_E_ERROR_INVALID_INCLUDE_FILE, "include takes one file name", at)
        if self.include is None:
            self.directives.append(Pragma(self.source, at, "include", arguments))
            return
        name = arguments[0]
        if self.level >= MAX_INCLUDES:
            message = f"more than {MAX_INCLUDES} files include each other"
            raise self.error(s.WBEMMOF_E_ERROR_INVALID_INCLUDE_FILE, message, at)
        try:
            file, content = self.include(name, self.source.file)
        except (OSError, ValueError) as reason:  # the latter for a name that no file can have
            message = f"cannot include {name!r}: {getattr(reason, 'strerror', None) or reason}"
            raise self.error(s.WBEMMOF_E_ERROR_INVALID_INCLUDE_FILE, message, at) from reason
        if isinstance(content, bytes):
            from openwmi.mof.encoding import decode

            content = decode(content)
        Parser(Source(content, file), self.include, self.directives, self.level + 1).file()

    # -- qualifier declarations ----------------------------------------------------------------------------------

    def qualifier_declaration(self) -> QualifierDeclaration:
        """The short form of WMI and the long one of the DMTF (C-10)."""
        at = self.i
        self.i += 1
        node = QualifierDeclaration(self.source, at, self.name(s.WBEMMOF_E_EXPECTED_QUALIFIER_NAME, "a name"))
        self.need(":", s.WBEMMOF_E_INVALID_QUALIFIER_SYNTAX)
        tokens = self.tokens
        if tokens[self.i].lower() in FLAVORS:
            node.flavors = self.flavors()
        else:
            node.type = self.name(s.WBEMMOF_E_INVALID_QUALIFIER_SYNTAX, "a type or a flavor").lower()
            if tokens[self.i] == "[":
                node.array = True
                self.size()
            if tokens[self.i] == "=":
                self.i += 1
                node.value_at = self.i
                node.value = self.array() if tokens[self.i] == "{" else self.constant()
            while tokens[self.i] == ",":
                self.i += 1
                self.declared_list(node)
        self.need(";", s.WBEMMOF_E_EXPECTED_SEMI)
        return node

    def declared_list(self, node: QualifierDeclaration) -> None:
        """`Scope(word, ...)` or `Flavor(word, ...)`."""
        kind = self.name(s.WBEMMOF_E_INVALID_QUALIFIER_SYNTAX, "'scope' or 'flavor'").lower()
        if kind not in ("scope", "flavor"):
            raise self.error(s.WBEMMOF_E_INVALID_QUALIFIER_SYNTAX, "expected 'scope' or 'flavor'", self.i - 1)
        self.need("(", s.WBEMMOF_E_EXPECTED_OPEN_PAREN)
        known = _SCOPES if kind == "scope" else FLAVORS
        words: list[str] = []
        while True:
            word = self.tokens[self.i].lower()
            if word not in known:
                code = (
                    s.WBEMMOF_E_EXPECTED_FLAVOR_TYPE
                    if kind == "flavor"
                    else s.WBEMMOF_E_INVALID_QUALIFIER_SYNTAX
                )
                raise self.expected(code, f"a {kind}")
            words.append(word)
            self.i += 1
            if self.tokens[self.i] != ",":
                break
            self.i += 1
        self.need(")", s.WBEMMOF_E_EXPECTED_CLOSE_PAREN)
        if kind == "scope":
            node.scopes = tuple(words)
        else:
            node.flavors = tuple(words)


def parse(text: str, *, file: str = "<text>", include: Include | None = None) -> list[Directive]:
    """All directives of a MOF text, in order; included files stand in place of their include.

    include(name, including_file) gives (file, text or bytes) or raises OSError; without it an include stays a Pragma.
    Raises MofError with file, line and column.
    """
    directives: list[Directive] = []
    Parser(Source(text, file), include, directives).file()
    return directives
