"""IWbemContext by value: named values that travel with a call ([MS-WMI] 2.2.13).

| what | form |
|---|---|
| buffer | `u32 1, GUID, u32 count`, properties |
| property | name, `u32 0, u16 type`, value; no pad anywhere |
| text | `u32 characters`, UTF-16 without a terminator |
| scalar | 8 bytes, the value in the first ones |
| array | `u32 count, u32 size of an element`, elements in their own sizes |
| object | an OBJREF by value |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from openwmi.contract.context import MAX_VALUES, Context
from openwmi.model.classes import Class
from openwmi.model.errors import error
from openwmi.model.instances import Instance
from openwmi.model.status import WBEM_E_INVALID_PARAMETER
from openwmi.wire.buffers import Layout, Reader, Writer
from openwmi.wire.dcom import objref
from openwmi.wire.dcom.guids import GUID_NULL
from openwmi.wire.wmi.guids import CLSID_WbemContext, IID_IWbemContext
from openwmi.wire.wmi.types import object_in, reference_to

if TYPE_CHECKING:
    from openwmi.wire.buffers import Buffer

CLAUSE: Final = "[MS-WMI] 2.2.13"
VT_NULL: Final = 1
VT_I4: Final = 3
VT_R4: Final = 4
VT_R8: Final = 5
VT_BSTR: Final = 8
VT_BOOL: Final = 11
VT_UNKNOWN: Final = 13
VT_ARRAY: Final = 0x2000
_SCALAR: Final = 8
_LAYOUTS: Final = {
    2: Layout("h"),
    VT_I4: Layout("i"),
    VT_R4: Layout("f"),
    VT_R8: Layout("d"),
    VT_BOOL: Layout("h"),
    16: Layout("b"),
    17: Layout("B"),
    18: Layout("H"),
    19: Layout("I"),
}
_LEAST: Final = {VT_NULL: 0, VT_BSTR: 4, VT_UNKNOWN: 56}  # the fewest bytes of an element
_CUSTOM_HEAD: Final = 48  # of an OBJREF by value, before its data
_UNIT_HEAD: Final = 8


def read_context(reference: Buffer | None) -> Context | None:
    """The context that an OBJREF carries; None for a NULL one."""
    if reference is None:
        return None
    reader = Reader(objref.custom(reference, CLSID_WbemContext), CLAUSE)
    reader.skip(16 * _bounded(reader, 16))
    context = Context()
    for _ in range(min(_bounded(reader, 10), MAX_VALUES + 1)):
        name = _text(reader)
        reader.u32()
        context.set(name, _value(reader, reader.u16()))
    return context


def _bounded(reader: Reader, least: int) -> int:
    """A count of things that take at least so many bytes each."""
    count = reader.u32()
    if count * least > reader.remaining:
        raise reader.misbehaved(f"{count} values in {reader.remaining} bytes")
    return count


def _text(reader: Reader) -> str:
    return reader.utf16(_bounded(reader, 2))


def _value(reader: Reader, kind: int) -> object:
    if kind & VT_ARRAY:
        return _array(reader, kind & ~VT_ARRAY)
    layout = _LAYOUTS.get(kind)
    if layout is None:
        return _other(reader, kind)
    part = reader.part(_SCALAR)
    return _number(part, kind, layout)


def _number(reader: Reader, kind: int, layout: Layout) -> object:
    number = reader.fixed(layout)[0]
    return bool(number) if kind == VT_BOOL else number


def _other(reader: Reader, kind: int) -> object:
    if kind == VT_BSTR:
        return _text(reader)
    if kind == VT_NULL:
        return None
    if kind == VT_UNKNOWN:
        return _object(reader)
    raise reader.misbehaved(f"a value of type {kind}")


def _object(reader: Reader) -> Class | Instance:
    """Its length is that of the unit inside: the field before the data cannot be relied on (wire.md 5.2)."""
    start = reader.position
    reader.skip(_CUSTOM_HEAD + 4)
    size = _CUSTOM_HEAD + _UNIT_HEAD + reader.u32()
    reader.position = start
    return object_in(reader.octets(size))


def _array(reader: Reader, kind: int) -> list[object]:
    layout = _LAYOUTS.get(kind)
    least = _element_size(kind, layout) if layout is not None else _LEAST.get(kind, 1)
    count = reader.u32()
    reader.u32()
    if count > MAX_VALUES or count * least > reader.remaining:
        raise reader.misbehaved(f"an array of {count} values in {reader.remaining} bytes")
    if layout is None:
        return [_other(reader, kind) for _ in range(count)]
    return [_number(reader.part(least), kind, layout) for _ in range(count)]


def _element_size(kind: int, layout: Layout) -> int:
    return _SCALAR if kind == VT_R4 else layout.size


# Writing


def write_context(context: Context | None) -> bytes | None:
    """The OBJREF that carries a context. INVALID_PARAMETER for a value that has no form on the wire."""
    if context is None:
        return None
    writer = Writer()
    writer.u32(1)
    writer.guid(GUID_NULL)
    writer.u32(len(context))
    for name, value in context.items():
        _write_text(writer, name)
        writer.u32(0)
        _write_value(writer, name, value)
    return objref.Custom(IID_IWbemContext, CLSID_WbemContext, bytes(writer)).encode()


def _write_text(writer: Writer, text: str) -> None:
    raw = text.encode("utf-16-le", "surrogatepass")
    writer.u32(len(raw) // 2)
    writer.octets(raw)


def _kind(name: str, value: object) -> int:
    if value is None:
        return VT_NULL
    if isinstance(value, bool):
        return VT_BOOL
    if isinstance(value, int):
        # A number too large for a VARIANT of automation is text, as everywhere in WMI.
        return VT_I4 if -(1 << 31) <= value < 1 << 31 else VT_BSTR
    if isinstance(value, float):
        return VT_R8
    if isinstance(value, str):
        return VT_BSTR
    if isinstance(value, Class | Instance):
        return VT_UNKNOWN
    message = (
        f"the value of {name} is a {type(value).__name__}, which a context cannot carry to another machine"
    )
    raise error(WBEM_E_INVALID_PARAMETER, message, parameter=name)


def _write_value(writer: Writer, name: str, value: object) -> None:
    if isinstance(value, list | tuple):
        kinds = {_kind(name, one) for one in value} or {VT_NULL}
        if len(kinds) > 1:
            message = f"the values of {name} are of several types"
            raise error(WBEM_E_INVALID_PARAMETER, message, parameter=name)
        kind = kinds.pop()
        layout = _LAYOUTS.get(kind)
        writer.u16(kind | VT_ARRAY)
        writer.u32(len(value))
        writer.u32(layout.size if layout else 4)
        for one in value:
            writer.octets(_written(kind, one))
        return
    kind = _kind(name, value)
    writer.u16(kind)
    raw = _written(kind, value)
    writer.octets(raw.ljust(_SCALAR, b"\0") if kind in _LAYOUTS else raw)


def _written(kind: int, value: Any) -> bytes:
    if kind == VT_NULL:
        return b""
    if kind == VT_UNKNOWN:
        return reference_to(value)
    if kind == VT_BSTR:
        writer = Writer()
        _write_text(writer, str(value))
        return bytes(writer)
    return _LAYOUTS[kind].pack(-1 if kind == VT_BOOL and value else value)
