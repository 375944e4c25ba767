"""Object arrays: the packets of the smart enumerator, in which a class travels once ([MS-WMI] 2.2.14), both directions.

offset size  meaning
0      4     0: byte order
4      8     WBEMDATA
12     4     0x1A: bytes of this header
16     4     bytes after it
20     4     0
24     1     1: version
25     1     1 smart enumerator, 0 Indicate
26     4     8: bytes of this header
30     4     bytes after it
34     4     12: bytes of this header
38     4     bytes after it
42     4     count of objects
46     ...   per object:
  0    4     9: bytes of this header
  4    4     bytes after it
  8    1     1 class, 2 instance with its class, 3 instance of a class that came before
  9    4     8 for a class, 24 for an instance: bytes of this header
  13   4     bytes of the object block
  17   16    for instances, a GUID that stands for the class
  ...        object block (objects.py), without signature and length; for 3 without class part, too
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from openwmi.model.batches import Rows
from openwmi.model.classes import Class
from openwmi.model.errors import error
from openwmi.model.instances import Instance
from openwmi.model.status import (
    WBEM_E_INVALID_PARAMETER,
    WBEM_E_MARSHAL_INVALID_SIGNATURE,
    WBEM_E_MARSHAL_VERSION_MISMATCH,
    WBEM_E_QUOTA_VIOLATION,
    WBEM_E_UNKNOWN_OBJECT_TYPE,
    WBEM_E_UNKNOWN_PACKET_TYPE,
)
from openwmi.wmio.buffers import Reader, Struct, Writer, invalid
from openwmi.wmio.compiled import PLAIN_TAIL
from openwmi.wmio.forms import Form, form_of
from openwmi.wmio.heaps import DICTIONARY_BIT
from openwmi.wmio.instances import TAIL, new, read_instance
from openwmi.wmio.objects import CLASS, INSTANCE, class_block, read_block, read_decoration
from openwmi.wmio.shapes import shape_at

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from openwmi.model.batches import Batch
    from openwmi.model.layouts import Layout
    from openwmi.wmio.instances import DecodedInstance
    from openwmi.wmio.shapes import Shape

SMART_ENUMERATOR: Final = 1
INDICATE: Final = 0
_MAGIC: Final = b"WBEMDATA"
_HEAD: Final = Struct("<I8sIIIBB")
_TWO: Final = Struct("<II")
_LIST: Final = Struct("<III")
_OBJECT: Final = Struct("<IIB")
_COMMON: Final = Struct("<IIBII16s")  # both heads of an instance
read_common: Final = _COMMON.unpack_from
write_heads: Final = Struct("<IIBII").pack
_KIND_CLASS: Final = 1
_KIND_WITH_CLASS: Final = 2
_KIND_WITHOUT_CLASS: Final = 3
_GUID_SIZE: Final = 16
_MAX_CLASSES: Final = 4096


class _Known(NamedTuple):
    """A class that came, and how its next instance is expected to begin: flags and decoration, where what lies."""

    shape: Shape
    place: bytes
    made_of: type[DecodedInstance]
    front: int
    tail_at: int
    heap_at: int


class ArrayDecoder:
    """Decodes the packets of one enumerator; the classes that came stay known to it."""

    __slots__ = ("_elsewhere", "_shapes")

    def __init__(self) -> None:
        self._shapes: dict[bytes, _Known] = {}
        self._elsewhere: dict[bytes, Shape] = {}

    def decode(self, data: bytes) -> list[Instance | Class]:
        """The objects of a packet.

        Raises MARSHAL_INVALID_SIGNATURE, MARSHAL_VERSION_MISMATCH, UNKNOWN_PACKET_TYPE, UNKNOWN_OBJECT_TYPE,
        QUOTA_VIOLATION for more than 4,096 classes, and INVALID_STREAM for everything else that is wrong.
        """
        if data.__class__ is not bytes:
            data = bytes(data)
        body, count = _opened(data)
        objects: list[Instance | Class] = []
        add, shapes = objects.append, self._shapes
        at, end = body.at, body.end
        for _ in range(count):
            # The common case in one look: a class that came before, the same place, the heap up to the end. The heads
            # say how long it is four times over; here they need to agree.
            if at + _COMMON.size <= end:
                head, size, kind, inner_head, inner, guid = read_common(data, at)
                known = shapes.get(guid)
                if known is not None and kind == _KIND_WITHOUT_CLASS and head == 9 and inner_head == 24:
                    shape, place, made_of, front, tail_at, heap_at = known
                    instance = at + front
                    heap = instance + heap_at
                    stop = at + 9 + size
                    if (
                        heap <= stop <= end
                        and size == inner + 24
                        and data.startswith(place, at + _COMMON.size)
                    ) and TAIL(data, instance + tail_at) == (PLAIN_TAIL, stop - heap + DICTIONARY_BIT):
                        made = new(made_of)
                        made.source_ = (shape, data[instance:stop], 1)
                        add(made)
                        at = stop
                        continue
            body.at = at
            add(self._any(body))
            at = body.at
        return objects

    def _any(self, body: Reader) -> Instance | Class:
        """The next object, whatever it is."""
        head, size, kind = body.numbers(_OBJECT)
        if head != _OBJECT.size:
            raise invalid(f"an object of a packet begins with {head}")
        start = body.take(size)
        return self._object(Reader(body.data, start, body.at), kind)

    def _object(self, reader: Reader, kind: int) -> Instance | Class:
        if not _KIND_CLASS <= kind <= _KIND_WITHOUT_CLASS:
            raise error(WBEM_E_UNKNOWN_OBJECT_TYPE, f"an object of a packet has the kind {kind}")
        head, size = reader.numbers(_TWO)
        if head != (_TWO.size if kind == _KIND_CLASS else _TWO.size + _GUID_SIZE):
            raise invalid(f"an object of the kind {kind} has a header of {head} bytes")
        if kind == _KIND_CLASS:
            start = reader.take(size)
            found = read_block(Reader(reader.data, start, reader.at))
            if not isinstance(found, Class):
                raise error(WBEM_E_UNKNOWN_OBJECT_TYPE, "an instance stands where a class was announced")
            return found
        guid = reader.raw(_GUID_SIZE)
        start = reader.take(size)
        return self._instance(Reader(reader.data, start, reader.at), kind, guid)

    def _instance(self, reader: Reader, kind: int, guid: bytes) -> Instance:
        start = reader.at
        flags, namespace, server = read_decoration(reader)
        if flags & CLASS:
            raise error(WBEM_E_UNKNOWN_OBJECT_TYPE, "a class stands where an instance was announced")
        place = reader.data[start : reader.at]
        if kind == _KIND_WITH_CLASS:
            shape = shape_at(reader, namespace, server)
            if guid not in self._shapes:
                self._check_room()
        else:
            known = self._shapes.get(guid)
            if known is None:
                raise invalid(f"an instance of a class that did not come: {guid.hex()}")
            shape = (
                known.shape
                if namespace is None
                else self._moved(known.shape, guid + place, namespace, server)
            )
        front = _COMMON.size + len(place)
        self._shapes[guid] = _Known(shape, place, shape.kind, front, shape.tail_at, shape.heap_at)
        return read_instance(reader.data, reader.at, reader.end, shape)

    def _moved(self, shape: Shape, key: bytes, namespace: str, server: str | None) -> Shape:
        """The shape of a class that came from another place."""
        found = self._elsewhere.get(key)
        if found is None:
            self._check_room()
            found = self._elsewhere[key] = shape.in_place(namespace, server)
        return found

    def _check_room(self) -> None:
        if len(self._shapes) + len(self._elsewhere) >= _MAX_CLASSES:
            message = f"a result has instances of more than {_MAX_CLASSES} classes"
            raise error(WBEM_E_QUOTA_VIOLATION, message)


def _opened(data: bytes) -> tuple[Reader, int]:
    """A reader over the objects of a packet, and how many there are."""
    reader = Reader(data)
    order, magic, head, size, _, version, kind = reader.numbers(_HEAD)
    if magic != _MAGIC or order != 0:
        raise error(WBEM_E_MARSHAL_INVALID_SIGNATURE, f"no object array begins with {data[:12].hex(' ')}")
    if version != 1:
        raise error(WBEM_E_MARSHAL_VERSION_MISMATCH, f"an object array of version {version}")
    if kind not in (INDICATE, SMART_ENUMERATOR):
        raise error(WBEM_E_UNKNOWN_PACKET_TYPE, f"an object array of the kind {kind}")
    if head != _HEAD.size or size > reader.remaining:
        raise invalid(f"an object array is said to take {size} bytes, {reader.remaining} are left")
    body = Reader(data, reader.at, reader.at + size)
    head, size = body.numbers(_TWO)
    if head != _TWO.size or size > body.remaining:
        raise invalid(f"an object array is said to take {size} bytes, {body.remaining} are left")
    head, size, count = body.numbers(_LIST)
    if head != _LIST.size or size > body.remaining:
        raise invalid(f"the objects of an array are said to take {size} bytes, {body.remaining} are left")
    if count * _OBJECT.size > size:
        raise invalid(f"{count} objects do not fit {size} bytes")
    return Reader(data, body.at, body.at + size), count


def joined(packets: Sequence[bytes]) -> bytes:
    """Packets of one encoder, in the order in which they were made, as one packet."""
    if len(packets) == 1:
        return packets[0]
    start = _HEAD.size + _TWO.size + _LIST.size
    objects = b"".join([packet[start:] for packet in packets])
    count = sum([_LIST.unpack_from(packet, start - _LIST.size)[2] for packet in packets])
    return _headed(objects, count, packets[0][_HEAD.size - 1])


def _headed(objects: bytes, count: int, kind: int) -> bytes:
    packet = Writer()
    packet.numbers(_HEAD, 0, _MAGIC, _HEAD.size, len(objects) + 20, 0, 1, kind)
    packet.numbers(_TWO, _TWO.size, len(objects) + 12)
    packet.numbers(_LIST, _LIST.size, len(objects), count)
    return bytes(packet.data) + objects


class ArrayEncoder:
    """Encodes the packets of one enumerator for one proxy, which gets each class once.

    `guid()` gives 16 fresh random bytes. `decorated`: also instances whose class went before say where they are from.
    """

    __slots__ = ("_decorated", "_guid", "_sent")

    def __init__(self, guid: Callable[[], bytes], *, decorated: bool = True) -> None:
        self._guid = guid
        self._decorated = decorated
        self._sent: dict[int, tuple[Layout, bytes, bytes]] = {}

    def encode(self, batch: Batch, *, kind: int = SMART_ENUMERATOR) -> bytes:
        """The packet of some objects. Raises what :func:`openwmi.wmio.encode` raises; then no class counts as sent."""
        before = len(self._sent)
        parts: list[bytes] = []
        try:
            if isinstance(batch, Rows):
                self._add_rows(parts, batch)
            else:
                for one in batch:
                    self._add_object(parts, one)
        except BaseException:
            for key in list(self._sent)[before:]:
                del self._sent[key]
            raise
        return _headed(b"".join(parts), len(batch), kind)

    def has_sent(self, objects: Sequence[Instance | Class]) -> bool:
        """Whether the classes of all instances among some objects went before: then encoding them changes nothing."""
        sent = self._sent
        return all(isinstance(one, Class) or id(one.layout_) in sent for one in objects)

    def _add_rows(self, parts: list[bytes], batch: Rows) -> None:
        form, defaults = form_of(batch.layout), batch.defaults
        row_of = form.row
        self._add(parts, form, row_of(batch.rows[0], defaults))
        _, guid, front = self._sent[id(form.layout)]
        front = guid + front
        before = len(front)
        for row in batch.rows[1:]:
            body = row_of(row, defaults)
            size = before + len(body)
            parts += (write_heads(9, 8 + size, _KIND_WITHOUT_CLASS, 24, size - 16), front, body)

    def _add_object(self, parts: list[bytes], one: Instance | Class) -> None:
        if isinstance(one, Instance):
            form = form_of(one.layout_)
            self._add(parts, form, form.body(one))
        elif isinstance(one, Class):
            block = class_block(one)
            parts += (write_heads(9, 8 + len(block), _KIND_CLASS, 8, len(block)), block)
        else:
            raise error(WBEM_E_INVALID_PARAMETER, "only classes and instances have an encoding")

    def _add(self, parts: list[bytes], form: Form, body: bytes) -> None:
        sent = self._sent.get(id(form.layout))
        if sent is None:
            guid = self._guid()
            bare = form.place if self._decorated else bytes((INSTANCE,))
            self._sent[id(form.layout)] = (form.layout, guid, bare)
            kind, front = _KIND_WITH_CLASS, form.prefix
        else:
            kind, (_, guid, front) = _KIND_WITHOUT_CLASS, sent
        size = len(front) + len(body)
        parts += (write_heads(9, 24 + size, kind, 24, size), guid, front, body)
