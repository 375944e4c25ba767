"""Small files of the kernel: read whole, decoded so that any byte survives as text."""

from __future__ import annotations

import os
from re import sub

_READ = os.O_RDONLY


def contents(path: str, size: int = 4096) -> bytes:
    """The whole file, in one read when it is shorter than `size` bytes. Raises OSError."""
    descriptor = os.open(path, _READ)
    try:
        data = os.read(descriptor, size)
        return data if len(data) < size else data + rest(descriptor)
    finally:
        os.close(descriptor)


def beginning(path: str, size: int) -> bytes:
    """The first bytes of a file, fewer when it is shorter. Raises OSError."""
    descriptor = os.open(path, _READ)
    try:
        return os.read(descriptor, size)
    finally:
        os.close(descriptor)


def rest(descriptor: int) -> bytes:
    """What is left of an open file."""
    parts = []
    while data := os.read(descriptor, 65536):
        parts.append(data)
    return b"".join(parts)


def text(raw: bytes) -> str:
    """Bytes as text. What is not UTF-8 shows as \\xNN: nothing is lost and every face can print it."""
    return raw.decode("utf-8", "backslashreplace")


def line(path: str) -> str | None:
    """The stripped text of a file; None when it is empty or cannot be read."""
    try:
        return text(contents(path)).strip("\0\n\t ") or None
    except OSError:
        return None


def number(path: str) -> int | None:
    """The decimal number that a file holds, or None."""
    found = line(path)
    try:
        return None if found is None else int(found)
    except ValueError:
        return None


def listing(path: str) -> list[str]:
    """The names in a directory; empty when it cannot be read."""
    try:
        return os.listdir(path)
    except OSError:
        return []


def assignments(path: str) -> dict[str, str]:
    """NAME=value lines as os-release, locale.conf and the environment files have them: quotes and comments understood.

    `export NAME=value` is accepted; lines that assign nothing are passed over.
    """
    try:
        lines = text(contents(path, 65536)).splitlines()
    except OSError:
        return {}
    found = {}
    for raw in lines:
        name, equals, value = raw.strip().removeprefix("export ").partition("=")
        name = name.strip()
        if equals and name and not name.startswith("#"):
            found[name] = _unquoted(value.strip())
    return found


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        quote, value = value[0], value[1:-1]
        if quote == '"' and "\\" in value:
            return sub(r'\\(["$`\\])', r"\1", value)
    return value


def fields(path: str) -> dict[str, int]:
    """`Name:   number kB` lines as /proc/meminfo has them."""
    try:
        lines = contents(path, 16384).splitlines()
    except OSError:
        return {}
    found = {}
    for raw in lines:
        name, colon, rest = raw.partition(b":")
        value = rest.split(None, 1)
        if colon and value and value[0].isdigit():
            found[name.decode("ascii", "replace")] = int(value[0])
    return found
