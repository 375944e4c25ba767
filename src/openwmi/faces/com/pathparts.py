"""The parts of a path while a program takes it apart or puts it together: server, namespaces, scopes, keys.

model.paths reads one finished path; a path object is edited piece by piece, keeps keys as they were typed, and knows
scopes (`ns:A.K=1:B.K=2`). The class part of a path is its last scope (A-176, wmiutils.h).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from openwmi.faces.com.calling import invalid
from openwmi.faces.com.constants import (
    CIM_BOOLEAN,
    CIM_REFERENCE,
    CIM_SINT32,
    CIM_SINT64,
    CIM_STRING,
    CIM_UINT64,
    WBEMPATH_CREATE_ACCEPT_ABSOLUTE,
    WBEMPATH_CREATE_ACCEPT_ALL,
    WBEMPATH_TREAT_SINGLE_IDENT_AS_NS,
)
from openwmi.model.errors import WbemError
from openwmi.model.paths import escape, parse_path

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAMESPACES: Final = re.compile(r"[^:\"'=]*")
_LARGEST_LONG: Final = 2**31


class Key:
    """One key of a scope. name None: an implied key (`C="v"`)."""

    __slots__ = ("name", "type", "value")

    def __init__(self, name: str | None, value: object, type_: int) -> None:
        self.name = name
        self.value = value
        self.type = type_

    def literal(self, quoted: bool = True) -> str:
        """The value as path text: numbers and booleans bare, everything else in double quotes."""
        if self.type == CIM_BOOLEAN:
            return "TRUE" if self.value else "FALSE"
        if isinstance(self.value, int) and self.type not in (CIM_SINT64, CIM_UINT64):
            return str(self.value)
        text = str(self.value)
        if not quoted:
            return text
        return escape(text)


class Scope:
    """A class and the keys of one of its instances."""

    __slots__ = ("class_name", "keys", "singleton")

    def __init__(self, class_name: str) -> None:
        self.class_name = class_name
        self.keys: list[Key] = []
        self.singleton = False

    @property
    def is_instance(self) -> bool:
        return bool(self.keys) or self.singleton

    @property
    def implied(self) -> bool:
        return any(key.name is None for key in self.keys)

    def find(self, name: str | None) -> Key | None:
        """The key of that name in any case; None finds the implied one."""
        wanted = name and name.lower()
        return next((key for key in self.keys if (key.name and key.name.lower()) == wanted), None)

    def put(self, key: Key) -> None:
        """Take in a key in place of one of its name. An implied one stands alone (A-162)."""
        found = self.find(key.name)
        if key.name is None:
            self.keys[:] = [key]
        elif self.implied:
            raise invalid(f"the key {key.name} cannot stand beside one without a name", "wszName")
        elif found is not None:
            self.keys[self.keys.index(found)] = key
        else:
            self.keys.append(key)
        self.singleton = False

    def key_text(self, quoted: bool = True) -> str:
        return ",".join(
            key.literal(quoted) if key.name is None else f"{key.name}={key.literal(quoted)}"
            for key in self.keys
        )

    def text(self) -> str:
        if self.singleton:
            return f"{self.class_name}=@"
        if not self.keys:
            return self.class_name
        return f"{self.class_name}{'=' if self.implied else '.'}{self.key_text()}"


class Parts:
    """A path in parts. An empty one has none."""

    __slots__ = ("namespaces", "original", "scopes", "server")

    def __init__(self) -> None:
        self.server: str | None = None
        self.namespaces: list[str] = []
        self.scopes: list[Scope] = []
        self.original = ""

    @property
    def scope(self) -> Scope | None:
        """The class part: the last scope."""
        return self.scopes[-1] if self.scopes else None

    @property
    def empty(self) -> bool:
        return self.server is None and not self.namespaces and not self.scopes

    def namespace_text(self) -> str:
        return "\\".join(self.namespaces)

    def server_text(self) -> str:
        """Server and namespaces; `.` where no server was given."""
        return "\\\\" + "\\".join((self.server or ".", *self.namespaces))

    def relative_text(self) -> str:
        return ":".join(scope.text() for scope in self.scopes)


def parse(text: str, mode: int) -> Parts:
    """The parts of a path text; INVALID_PARAMETER when it is none or the mode does not accept it (A-173, A-177)."""
    parts = Parts()
    parts.original = text
    if not text or text in ("\\", "/"):
        if not mode & WBEMPATH_CREATE_ACCEPT_ALL:
            raise invalid("an empty path needs WBEMPATH_CREATE_ACCEPT_ALL", "pszPath")
        return parts
    rest = _server(parts, text, mode)
    head = _head(rest)
    if head is not None:
        rest = rest[len(head) + 1 :]
        if not rest:
            raise invalid(f"{text!r} ends after its namespace", "pszPath")
    elif parts.server is not None or _only_namespaces(rest, mode):
        head, rest = rest, ""
    _namespaces(parts, head or "", text)
    for piece in _pieces(rest) if rest else ():
        parts.scopes.append(_scope(piece, text))
    return parts


def _server(parts: Parts, text: str, mode: int) -> str:
    """Take `\\\\server\\` off the front; returns the rest."""
    if text[:2] not in ("\\\\", "//"):
        if text[:2] in ("\\/", "/\\") or not mode & ~WBEMPATH_CREATE_ACCEPT_ABSOLUTE:
            raise invalid(f"{text!r} has no server", "pszPath")
        return text
    server, _, rest = text[2:].replace("/", "\\", 1).partition("\\")
    if "/" in server or not server:
        server, _, rest = re.sub(r"[\\/]", "\0", text[2:], count=1).partition("\0")
    if not server:
        raise invalid(f"{text!r} has an empty server name", "pszPath")
    if not rest and not mode & WBEMPATH_CREATE_ACCEPT_ALL:
        raise invalid("a path of a server alone needs WBEMPATH_CREATE_ACCEPT_ALL", "pszPath")
    parts.server = server
    return rest


def _head(text: str) -> str | None:
    """What stands before the colon that begins the class part; None when there is no such colon."""
    match = _NAMESPACES.match(text)
    assert match is not None
    return match.group() if text[match.end() : match.end() + 1] == ":" else None


def _only_namespaces(text: str, mode: int) -> bool:
    """Whether a text without a colon is a row of namespaces and not a class or instance."""
    if any(mark in text for mark in "\"'="):
        return False
    return "\\" in text or "/" in text or bool(mode & WBEMPATH_TREAT_SINGLE_IDENT_AS_NS)


def _namespaces(parts: Parts, text: str, whole: str) -> None:
    names = re.split(r"[\\/]", text) if text else []
    if names and not names[0]:
        del names[0]  # a leading separator: `/root/cimv2:C`
    if any(not name or name != name.strip() for name in names):
        raise invalid(f"{whole!r} has an empty or padded namespace", "pszPath")
    parts.namespaces = names


def _pieces(text: str) -> Iterator[str]:
    """The scopes of the class part: split at colons outside of quotes."""
    start, quote, index = 0, "", 0
    while index < len(text):
        char = text[index]
        if quote:
            if char == "\\":
                index += 1
            elif char == quote:
                quote = ""
        elif char in "\"'":
            quote = char
        elif char == ":":
            yield text[start:index]
            start = index + 1
        index += 1
    yield text[start:]


def _scope(text: str, whole: str) -> Scope:
    try:
        path = parse_path(text)
    except WbemError as reason:
        raise invalid(f"{whole!r}: {reason.message}", "pszPath") from None
    if path.class_name is None or path.namespace is not None:
        raise invalid(f"{whole!r} has no class", "pszPath")
    scope = Scope(path.class_name)
    scope.singleton = path.singleton
    scope.keys = [
        Key(name, str(value) if apparent_type(value) == CIM_STRING else value, apparent_type(value))
        for name, value in path.keys
    ]
    return scope


def apparent_type(value: object) -> int:
    """The CIM type that a key value looks like."""
    if isinstance(value, bool):
        return CIM_BOOLEAN
    if isinstance(value, int):
        if -_LARGEST_LONG <= value < _LARGEST_LONG:
            return CIM_SINT32
        return CIM_SINT64 if value < 2 * _LARGEST_LONG**2 else CIM_UINT64
    return CIM_STRING


def has_reference(scope: Scope) -> bool:
    """Whether a key was set as a reference."""
    return any(key.type == CIM_REFERENCE for key in scope.keys)
