"""Whole objects: the encoding unit, the object block and its decoration ([MS-WMIO] 2.2.1 to 2.2.12), both directions.

encoding unit
0      4     78 56 34 12
4      4     length of the object block; real ones have bytes after it, which mean nothing
8      ...   object block

object block
0      1     1 class, 2 instance; 4 decorated; 0x10 the prototype of a query's results, 0x40 one that lacks a key
1      ...   when decorated: server and namespace, encoded strings
       ...   class: class part and methods part of its parent, then its own (classparts.py, methods.py)
       ...   instance: class part, then the instance (instances.py)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from openwmi.model.classes import Class
from openwmi.model.errors import error
from openwmi.model.instances import Instance
from openwmi.model.status import (
    WBEM_E_INVALID_PARAMETER,
    WBEM_E_MARSHAL_INVALID_SIGNATURE,
    WBEM_E_UNKNOWN_OBJECT_TYPE,
)
from openwmi.wmio.buffers import Reader, Struct, encoded_text, invalid
from openwmi.wmio.classparts import read_class_part
from openwmi.wmio.classwriting import class_part, parent_of
from openwmi.wmio.forms import form_of
from openwmi.wmio.instances import read_instance
from openwmi.wmio.methods import methods_part, read_methods
from openwmi.wmio.shapes import shape_at

if TYPE_CHECKING:
    from openwmi.wmio.classparts import ClassPart
    from openwmi.wmio.shapes import Shape

SIGNATURE: Final = b"\x78\x56\x34\x12"
_UNIT: Final = Struct("<4sI")
CLASS: Final = 1
INSTANCE: Final = 2
DECORATED: Final = 4
PROTOTYPE: Final = 0x10
LACKS_KEY: Final = 0x40


class Decoder:
    """Decodes units. It remembers the class part of the last instance, which in a result is that of the next one."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: tuple[bytes, Shape] | None = None

    def decode(self, data: bytes) -> Class | Instance:
        """The object of an encoding unit; `data` may go on after it.

        Raises MARSHAL_INVALID_SIGNATURE, UNKNOWN_OBJECT_TYPE, and INVALID_STREAM for everything else that is wrong.
        """
        if data.__class__ is not bytes:
            data = bytes(data)
        end = _end_of_unit(data)
        last = self._last
        if last is not None and data.startswith(last[0], 8):
            return read_instance(data, 8 + len(last[0]), end, last[1])
        reader = Reader(data, 8, end)
        flags, namespace, server = read_decoration(reader)
        if flags & CLASS:
            return _class_and_parent(reader, namespace, server, 1)[0]
        shape = shape_at(reader, namespace, server)
        self._last = data[8 : reader.at], shape
        return read_instance(data, reader.at, end, shape)


def decode_class(data: bytes) -> tuple[Class, Class | None]:
    """The class of an encoding unit, and its superclass if it has one. UNKNOWN_OBJECT_TYPE for an instance."""
    reader = Reader(bytes(data), 8, _end_of_unit(data))
    flags, namespace, server = read_decoration(reader)
    if not flags & CLASS:
        raise error(WBEM_E_UNKNOWN_OBJECT_TYPE, "an instance stands where a class was expected")
    return _class_and_parent(reader, namespace, server, 1)


def _end_of_unit(data: bytes) -> int:
    if len(data) < 8:
        raise invalid(f"an object of {len(data)} bytes")
    signature, length = _UNIT.unpack_from(data)
    if signature != SIGNATURE:
        raise error(WBEM_E_MARSHAL_INVALID_SIGNATURE, f"no WMI object begins with {signature.hex(' ')}")
    if length > len(data) - 8:
        raise invalid(f"an object is said to take {length} bytes, {len(data) - 8} are there")
    return 8 + int(length)


def read_decoration(reader: Reader) -> tuple[int, str | None, str | None]:
    """Flags, namespace and server of the object block where the reader stands."""
    flags = reader.u8()
    if flags & 3 not in (CLASS, INSTANCE):
        raise error(
            WBEM_E_UNKNOWN_OBJECT_TYPE, f"an object with the flags 0x{flags:X} is no class and no instance"
        )
    if not flags & DECORATED:
        return flags, None, None
    server = reader.text()
    return flags, reader.text() or None, server or None


def read_block(reader: Reader, depth: int = 1) -> Class | Instance:
    """The object of the block where the reader stands."""
    flags, namespace, server = read_decoration(reader)
    if flags & CLASS:
        return _class_and_parent(reader, namespace, server, depth)[0]
    shape = shape_at(reader, namespace, server, depth)
    return read_instance(reader.data, reader.at, reader.end, shape, depth)


def _class_and_parent(
    reader: Reader, namespace: str | None, server: str | None, depth: int
) -> tuple[Class, Class | None]:
    parent = _one_class(reader, namespace, server, depth)
    return _one_class(reader, namespace, server, depth), parent if parent.name else None


def _one_class(reader: Reader, namespace: str | None, server: str | None, depth: int) -> Class:
    part: ClassPart = read_class_part(reader, depth)
    methods = read_methods(reader, (*reversed(part.derivation), part.name), depth)
    return part.as_class(namespace, server, methods)


# Writing ------------------------------------------------------------------------------------------------------------


def decoration(namespace: str | None, server: str | None, flags: int) -> bytes:
    """The flags, and the place of an object that has one."""
    if namespace is None:
        return bytes((flags,))
    return bytes((flags | DECORATED,)) + encoded_text(server or "") + encoded_text(namespace)


def block_of(value: Instance | Class, depth: int = 1) -> bytes:
    """The object block of an object that lies `depth` objects deep."""
    if isinstance(value, Instance):
        form = form_of(value.layout_)
        return form.prefix + form.body(value, depth)
    return class_block(value, depth=depth)


def class_block(class_: Class, parent: Class | None = None, flags: int = CLASS, depth: int = 1) -> bytes:
    """The object block of a class; what `encode` says about `parent` holds."""
    above = parent if parent is not None else parent_of(class_)
    if parent is not None and parent.name.lower() != (class_.superclass or "").lower():
        message = f"{parent.name} is not the superclass of {class_.name}"
        raise error(WBEM_E_INVALID_PARAMETER, message, parameter=parent.name)
    return b"".join(
        [
            decoration(class_.namespace, class_.server, flags),
            *[
                part
                for one in (above, class_)
                for part in (
                    class_part(one, depth),
                    methods_part(one.methods.values(), (*reversed(one.derivation), one.name), depth),
                )
            ],
        ]
    )


def unit_of(block: bytes) -> bytes:
    """An object block as an encoding unit."""
    return _UNIT.pack(SIGNATURE, len(block)) + block


def encode(value: Instance | Class, *, parent: Class | None = None, flags: int = 0) -> bytes:
    """An object as an encoding unit.

    `parent` is the superclass of a class; without it, it is made of what the class inherits, and defaults that the
    class overrides are missing there. `flags`: PROTOTYPE and LACKS_KEY, for the prototype of a query's results. Raises
    TYPE_MISMATCH for a value that is not of its type, QUOTA_VIOLATION for more than 64 objects in each other.
    """
    if isinstance(value, Class):
        return unit_of(class_block(value, parent, CLASS | flags))
    if not isinstance(value, Instance):
        raise error(WBEM_E_INVALID_PARAMETER, "only classes and instances have an encoding")
    return unit_of(block_of(value))
