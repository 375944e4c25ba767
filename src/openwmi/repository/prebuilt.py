"""The shipped schema: classes that were compiled beforehand, in one file from which each is read when it is named.

    first line   "openwmi schema 1\\n"
    next line    length of the index in decimal, "\\n"
    index        {part: {lower-case name: [superclass or None, offset, length]}}, offsets from the end of the index
    bodies       one class each, in the form of the encoding room

Index and bodies are in Python's marshal format, version 2: reading one class takes a tenth of what parsing its MOF
takes, and no import. It is part of the program, as its .pyc files are, and never comes from elsewhere. It is written
by tools/build_schema.
"""

from __future__ import annotations

import marshal
import os
import threading
from typing import TYPE_CHECKING, Any, Final

from openwmi.repository.encoding import packed_class, unpacked_class

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from openwmi.model.classes import ClassDeclaration

FILE: Final = os.path.join(os.path.dirname(os.path.abspath(__file__)), "schema.bin")
_HEAD: Final = b"openwmi schema 1\n"
_VERSION: Final = 2  # every Python reads it


def built(parts: Mapping[str, Iterable[ClassDeclaration]]) -> bytes:
    """The file of these parts."""
    bodies = bytearray()
    index: dict[str, dict[str, Any]] = {}
    for part, declarations in parts.items():
        names = index[part] = {}
        for one in declarations:
            body = marshal.dumps(packed_class(one), _VERSION)
            above = one.superclass.lower() if one.superclass else None
            names[one.name.lower()] = [above, len(bodies), len(body)]
            bodies += body
    head = marshal.dumps(index, _VERSION)
    return b"%b%d\n%b%b" % (_HEAD, len(head), head, bytes(bodies))


class PrebuiltSchema:
    """The file; the parts of it are sources of schemas."""

    def __init__(self, path: str = FILE) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._index: dict[str, dict[str, Any]] | None = None
        self._start = 0

    def part(self, name: str) -> PrebuiltClasses:
        """One part; nothing is read before it is asked for something."""
        return PrebuiltClasses(self, name)

    def names(self, part: str) -> dict[str, Any]:
        if self._index is None:
            with self._lock:
                if self._index is None:
                    with open(self._path, "rb") as file:
                        if file.readline() != _HEAD:
                            raise RuntimeError(f"{self._path} is not a schema of this version")
                        length = int(file.readline())
                        index: dict[str, dict[str, Any]] = marshal.loads(file.read(length))  # noqa: S302 - our own
                        self._start = file.tell()
                    self._index = index
        return self._index.get(part, {})

    def body(self, offset: int, length: int) -> ClassDeclaration:
        with open(self._path, "rb") as file:
            file.seek(self._start + offset)
            return unpacked_class(marshal.loads(file.read(length)))  # noqa: S302 - our own file


class PrebuiltClasses:
    """One part of the shipped schema as a source of a schema (service.schema.ClassSource)."""

    __slots__ = ("_declarations", "_file", "_part", "_superclasses")

    def __init__(self, file: PrebuiltSchema, part: str) -> None:
        self._file = file
        self._part = part
        self._superclasses: dict[str, str | None] | None = None
        self._declarations: dict[str, ClassDeclaration] = {}

    def superclasses(self) -> Mapping[str, str | None]:
        if self._superclasses is None:
            self._superclasses = {name: entry[0] for name, entry in self._file.names(self._part).items()}
        return self._superclasses

    def declaration(self, name: str) -> ClassDeclaration | None:
        found = self._declarations.get(name)
        if found is None:
            entry = self._file.names(self._part).get(name)
            if entry is not None:
                found = self._declarations[name] = self._file.body(entry[1], entry[2])
        return found
