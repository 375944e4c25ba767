r"""Object paths: `\\server\root\cimv2:Class.Key="value",Other=1` to values and back (model.md A9).

The grammar is small and has no white space, so it is read by hand, once from left to right, without backtracking.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from openwmi.model.cimtypes import CimType
from openwmi.model.errors import error
from openwmi.model.names import MAX_KEYS, MAX_PATH, is_identifier
from openwmi.model.status import WBEM_E_INVALID_OBJECT_PATH, WBEM_E_QUOTA_VIOLATION

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, TypeAlias

    Key: TypeAlias = tuple[str | None, int | str | bool]

_SLASHES: Final = ("\\", "/")
_WIDE: Final = frozenset((CimType.SINT64, CimType.UINT64))
_LOW: Final = -(2**31)
_HIGH: Final = 2**32 - 1
_MAX_DIGITS: Final = 20
_ESCAPABLE: Final = "\\\"'"
_WORD: Final = re.compile(r"[A-Za-z0-9_\x80-\U0010ffff]*")
_BEYOND_NAMESPACE: Final = re.compile(r"[:.=\"']")


class ObjectPath(NamedTuple):
    r"""A parsed path. Parts that were not given are None.

    server: `HOST`, `.`; namespace: `root\cimv2`, with backslashes; class_name; keys: (name, value) as typed, the name
    None for the shorthand `Class="v"`; value str, bool or int (a number beyond 32 bits is kept as its decimal text,
    because that is how it is written, A-168); singleton: `Class=@`.
    """

    server: str | None = None
    namespace: str | None = None
    class_name: str | None = None
    keys: tuple[Key, ...] = ()
    singleton: bool = False

    @property
    def is_instance(self) -> bool:
        return self.class_name is not None and (self.singleton or bool(self.keys))

    @property
    def is_class(self) -> bool:
        return self.class_name is not None and not self.singleton and not self.keys

    def relative(self) -> str:
        """The canonical __RELPATH: keys by name in alphabetical order, double quotes, no blanks (A-170)."""
        name = self.class_name or ""
        if self.singleton:
            return f"{name}=@"
        if not self.keys:
            return name
        if len(self.keys) == 1 and self.keys[0][0] is None:
            return f"{name}={_literal(self.keys[0][1])}"
        ordered = sorted(self.keys, key=lambda pair: (pair[0] or "").lower())
        return f"{name}.{','.join([f'{key}={_literal(value)}' for key, value in ordered])}"

    def __str__(self) -> str:
        r"""The canonical text with the server and namespace that are known (A-172)."""
        prefix = self.namespace or ""
        if self.server is not None:
            prefix = f"\\\\{self.server}\\{prefix}" if prefix else f"\\\\{self.server}"
        if self.class_name is None:
            return prefix
        return f"{prefix}:{self.relative()}" if prefix else self.relative()

    def folded(self) -> tuple[object, ...]:
        """Equal for paths of the same object: case and key order aside, `.` is no server (A-048, A-164, A-175)."""
        server = self.server.lower() if self.server is not None else None
        keys = sorted(
            (name.lower() if name is not None else "", str(value).lower()) for name, value in self.keys
        )
        return (
            None if server == "." else server,
            self.namespace.lower() if self.namespace is not None else None,
            self.class_name.lower() if self.class_name is not None else None,
            tuple(keys),
            self.singleton,
        )


def parse_path(text: str) -> ObjectPath:
    """The parts of a path. INVALID_OBJECT_PATH for a malformed one, QUOTA_VIOLATION beyond 8,192 characters."""
    if len(text) > MAX_PATH:
        raise error(WBEM_E_QUOTA_VIOLATION, f"an object path has at most {MAX_PATH} characters")
    server, start = _server(text)
    namespace, position = _namespace(text, start, server is not None)
    if position is None:
        return ObjectPath(server, namespace)
    end = _word_end(text, position)
    class_name = text[position:end]
    if not class_name or not is_identifier(class_name):
        raise _bad(text, "a class name is expected", position)
    if end == len(text):
        return ObjectPath(server, namespace, class_name)
    if text[end:] == "=@":
        return ObjectPath(server, namespace, class_name, (), True)
    return ObjectPath(server, namespace, class_name, _keys(text, end))


def _bad(text: str, why: str, position: int) -> Exception:
    shown = text if len(text) <= 200 else f"{text[:200]}..."
    message = f"{shown!r} is not an object path: {why} at character {position + 1}"
    return error(WBEM_E_INVALID_OBJECT_PATH, message, path=text)


def _server(text: str) -> tuple[str | None, int]:
    r"""The server of `\\server\...`, and where the rest begins."""
    if text[:1] not in _SLASHES or text[1:2] not in _SLASHES or len(text) < 2:
        return None, 0
    end = 2
    while end < len(text) and text[end] not in _SLASHES:
        end += 1
    server = text[2:end]
    if not server or any(char <= " " or char in "\"'=," for char in server):
        raise _bad(text, "a server name is expected", 2)
    return server, min(end + 1, len(text))


def _namespace(text: str, position: int, has_server: bool) -> tuple[str | None, int | None]:
    r"""The namespace, and where the class begins; None for a path that ends with its namespace (A-161, A-163)."""
    if not has_server and text[:1] in _SLASHES and text:
        position = 1  # `/root/cimv2:C` is taken too
    stop = _BEYOND_NAMESPACE.search(text, position)
    end = stop.start() if stop is not None else len(text)
    if end < len(text) and text[end] == ":":
        return _checked_namespace(text, position, end), end + 1
    bare = text[position:end]
    if has_server or not bare or "\\" in bare or "/" in bare:
        if end < len(text):
            raise _bad(text, "':' and a class name are expected", end)
        return (_checked_namespace(text, position, end) if bare else None), None
    if position:
        raise _bad(text, "a namespace is expected", 0)
    return None, position


def _checked_namespace(text: str, start: int, end: int) -> str:
    parts = text[start:end].replace("/", "\\").split("\\")
    for part in parts:
        if not part or not is_identifier(part):
            raise _bad(text, "a namespace is expected", start)
    return "\\".join(parts)


def _word_end(text: str, position: int) -> int:
    found = _WORD.match(text, position)
    assert found is not None  # it may be empty
    return found.end()


def _keys(text: str, position: int) -> tuple[Key, ...]:
    """The keys from `.` or `=` to the end of the text."""
    if text[position] == "=":
        value, end = _value(text, position + 1)
        if end != len(text):
            raise _bad(text, "the end is expected", end)
        return ((None, value),)
    if text[position] != ".":
        raise _bad(text, "'.', '=' or the end is expected", position)
    keys: list[Key] = []
    while True:
        start = position + 1
        end = _word_end(text, start)
        name = text[start:end]
        if not name or not is_identifier(name):
            raise _bad(text, "the name of a key is expected", start)
        if text[end : end + 1] != "=":
            raise _bad(text, "'=' is expected", end)
        if len(keys) == MAX_KEYS:
            raise _bad(text, f"more than {MAX_KEYS} keys", start)
        value, position = _value(text, end + 1)
        keys.append((name, value))
        if position == len(text):
            break
        if text[position] != ",":
            raise _bad(text, "',' or the end is expected", position)
    names = {name.lower() for name, _ in keys if name is not None}
    if len(names) != len(keys):
        raise _bad(text, "a key is given twice", len(text))
    return tuple(keys)


def _value(text: str, position: int) -> tuple[int | str | bool, int]:
    quote = text[position : position + 1]
    if quote in ('"', "'") and quote:
        return _quoted(text, position + 1, quote)
    end = position
    while end < len(text) and text[end] != ",":
        end += 1
    word = text[position:end]
    upper = word.upper()
    if upper in ("TRUE", "FALSE"):
        return upper == "TRUE", end
    return _number(text, word, position), end


def _quoted(text: str, position: int, quote: str) -> tuple[str, int]:
    end = text.find(quote, position)
    plain = text[position:end]
    if end >= 0 and "\\" not in plain and plain.isprintable():  # nearly every key
        return plain, end + 1
    parts = []
    start = position
    while position < len(text):
        char = text[position]
        if char == quote:
            parts.append(text[start:position])
            return "".join(parts), position + 1
        if char < " ":
            raise _bad(text, "a key has no control characters (A-085)", position)
        if char == "\\":
            if text[position + 1 : position + 2] not in (*_ESCAPABLE,):
                raise _bad(text, "a backslash in a value must be doubled", position)
            parts.append(text[start:position])
            start = position + 1
            position += 1
        position += 1
    raise _bad(text, "the closing quote is missing", position)


def _number(text: str, word: str, position: int) -> int | str:
    """A decimal or hexadecimal number (A-166); beyond 32 bits its decimal text (A-168)."""
    digits = word[1:] if word[:1] in ("-", "+") else word
    base = 16 if digits[:2] in ("0x", "0X") else 10
    body = digits[2:] if base == 16 else digits
    allowed = "0123456789abcdefABCDEF" if base == 16 else "0123456789"
    if not body or len(body) > _MAX_DIGITS or any(char not in allowed for char in body):
        raise _bad(text, "a quoted text, a number, TRUE or FALSE is expected", position)
    number = -int(body, base) if word[0] == "-" else int(body, base)
    return number if _LOW <= number <= _HIGH else str(number)


def escape(text: str) -> str:
    """A text as a key value in double quotes (A-165)."""
    if "\\" in text:
        text = text.replace("\\", "\\\\")
    if '"' in text:
        text = text.replace('"', '\\"')
    return f'"{text}"'


def _literal(value: int | str | bool) -> str:
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    return str(value) if _LOW <= value <= _HIGH else f'"{value}"'


def key_literal(value: Any, code: int) -> str:
    """A raw key value as a path writes it: 64-bit numbers are quoted (A-168)."""
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    return f'"{value}"' if code in _WIDE else str(value)


def relpath_of(
    class_name: str, key_names: Sequence[str], types: Sequence[int], values: Sequence[Any]
) -> str | None:
    """The canonical __RELPATH of an instance; None while a key is NULL, or when there is none (A-143, A-170)."""
    if len(key_names) == 1:
        value = values[0]
        return None if value is None else f"{class_name}.{key_names[0]}={key_literal(value, types[0])}"
    if not key_names or None in values:
        return None
    ordered = sorted(zip(key_names, types, values, strict=True), key=_folded_name)
    return f"{class_name}.{','.join([f'{name}={key_literal(value, code)}' for name, code, value in ordered])}"


def _folded_name(key: tuple[str, int, Any]) -> str:
    return key[0].lower()
