"""Forms: what all instances of one layout have in common when they are written, with the code made for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from openwmi.model.cimtypes import CimType, type_name
from openwmi.model.classes import Class
from openwmi.model.errors import error
from openwmi.model.instances import Extras, Instance, brief
from openwmi.model.members import Property
from openwmi.model.qualifiers import (
    EMPTY,
    NOT_OVERRIDABLE,
    TO_INSTANCE,
    TO_SUBCLASS,
    Qualifier,
    QualifierSet,
)
from openwmi.model.status import WBEM_E_TYPE_MISMATCH
from openwmi.wmio.buffers import LETTERS, Writer, encoded_text, packed_scalar, size_of
from openwmi.wmio.classparts import Column
from openwmi.wmio.classwriting import class_part
from openwmi.wmio.compiled import FAULTS, HEAD_SIZE, PLAIN_TAIL, encoder
from openwmi.wmio.heaps import HeapWriter
from openwmi.wmio.qualifiers import write_qualifiers

if TYPE_CHECKING:
    from openwmi.model.layouts import Layout
    from openwmi.wmio.compiled import Encode

_COMPILE_AFTER: Final = 2
_MAX_ENCODERS: Final = 4
_MAX_FORMS: Final = 256
_KEY: Final = QualifierSet(
    (Qualifier("key", True, CimType.BOOLEAN, TO_INSTANCE | TO_SUBCLASS | NOT_OVERRIDABLE),)
)


class Form:
    """How the instances of a layout are written.

    prefix: the object block up to the instance; place: of that the flags and the decoration.
    """

    __slots__ = (
        "_defaults",
        "_encode",
        "_made",
        "_nd_length",
        "_nullable",
        "_seen",
        "class_",
        "columns",
        "layout",
        "place",
        "prefix",
    )

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.class_ = class_of(layout)
        columns, free = [], 0
        for order, code in enumerate(layout.types):
            columns.append(Column(code, order, free))
            free += size_of(code)
        self.columns = tuple(columns)
        self.place = _decoration(layout)
        self.prefix = self.place + class_part(self.class_)
        self._nd_length = (len(columns) + 3) // 4
        self._defaults = tuple([one.default for one in self.class_.properties.values()])
        self._seen = 0
        self._made = 0
        self._nullable: set[int] = set()
        self._encode: Encode | None = None

    def body(self, instance: Instance, depth: int = 1) -> bytes:
        """An instance from its length on."""
        if instance.extras_ is not None:
            return self._slowly(instance.values_, instance.defaults_, instance.extras_, depth)
        return self.row(instance.values_, instance.defaults_, depth)

    def row(self, values: tuple[Any, ...], defaults: int = 0, depth: int = 1) -> bytes:
        """Values aligned with the layout as an instance, from its length on; `defaults` as Instance.defaults_."""
        encode = self._encode
        if encode is not None:
            try:
                return encode(values, defaults, depth)
            except FAULTS:
                pass  # NULL where there was none yet, text beyond Latin-1, or a fault that the slow way names
        body = self._slowly(values, defaults, None, depth)
        self._learn(values)
        return body

    def _learn(self, values: tuple[Any, ...]) -> None:
        """Note where NULLs are, and make an encoder: for the third object, and for a NULL where there was none yet."""
        self._seen += 1
        nulls = {at for at, value in enumerate(values) if value is None}
        known = nulls <= self._nullable
        self._nullable |= nulls
        if self._seen <= _COMPILE_AFTER or (known and self._encode is not None):
            return
        self._made += 1
        everywhere = self._made > _MAX_ENCODERS
        nullable = frozenset(range(len(self.columns)) if everywhere else self._nullable)
        self._encode = encoder(self.columns, nullable, self._nd_length, self._latin_name(), self._masked)
        self._nullable = set(nullable)

    def _latin_name(self) -> str:
        """The class name, or one that sends every instance the slow way."""
        name = self.class_.name
        return name if encoded_text(name)[0] == 0 and "\0" not in name else "\0"

    def _masked(self, values: tuple[Any, ...], defaults: int) -> tuple[tuple[Any, ...], int, int]:
        """The values without those that are defaults; the bits to keep of what follows; the bits of the defaults."""
        honoured = [
            at
            for at, (value, default) in enumerate(zip(values, self._defaults, strict=True))
            if defaults >> at & 1 and (value is default or value == default)
        ]
        row = list(values)
        keep, more = -1, 0
        for at in honoured:
            if row[at] is not None:
                keep &= ~(1 << 2 * at)
                row[at] = None
            more |= 2 << 2 * at
        return tuple(row), keep, more

    def _slowly(self, values: tuple[Any, ...], defaults: int, extras: Extras | None, depth: int) -> bytes:
        """Any instance, step by step; names the property whose value is not of its type."""
        if len(values) != len(self.columns):
            message = f"{self.class_.name} has {len(self.columns)} properties, not {len(values)}"
            raise error(WBEM_E_TYPE_MISMATCH, message)
        values, keep, more = self._masked(values, defaults)
        heap = HeapWriter(depth=depth)
        heap.string(self.class_.name)
        table = Writer()
        nd = 0
        for (code, order, _), value in zip(self.columns, values, strict=True):
            if value is None:
                nd |= 1 << 2 * order
                table.raw(bytes(size_of(code)))
            else:
                table.raw(self._value(order, code, value, heap))
        writer = Writer(bytes(HEAD_SIZE))
        writer.raw((nd & keep | more).to_bytes(self._nd_length, "little"))
        writer.raw(table.data)
        writer.raw(self._qualifiers(extras, heap))
        writer.raw(heap.finished())
        writer.length_at(0)
        return bytes(writer.data)

    def _value(self, order: int, code: int, value: Any, heap: HeapWriter) -> bytes:
        try:
            if code in LETTERS:
                return packed_scalar(code, value)
            return packed_scalar(CimType.UINT32, heap.value(value, code))
        except FAULTS:
            name = self.layout.names[order]
            message = f"{self.class_.name}.{name}: {brief(value)} is no {type_name(code)}"
            raise error(WBEM_E_TYPE_MISMATCH, message, parameter=name) from None

    def _qualifiers(self, extras: Extras | None, heap: HeapWriter) -> bytes:
        """The qualifier sets, which take references from the heap as it is now."""
        if extras is None:
            return PLAIN_TAIL
        own = write_qualifiers(extras.qualifiers, heap)
        if not extras.properties:
            return own + b"\1"
        sets = [write_qualifiers(extras.properties.get(name, EMPTY), heap) for name in self.layout.index]
        return own + b"\2" + b"".join(sets)


def _decoration(layout: Layout) -> bytes:
    from openwmi.wmio.objects import INSTANCE, decoration

    shown = layout.shown is None or "__NAMESPACE" in layout.shown
    return decoration(layout.namespace if shown else None, layout.server, INSTANCE)


def class_of(layout: Layout) -> Class:
    """The class that is written with the instances of a layout: for a projection it has the chosen properties alone.

    A projection that does not show its ancestors (A-144) is written as a class that has none.
    """
    known = layout.class_
    hidden = layout.shown is not None and "__DERIVATION" not in layout.shown
    derivation = () if hidden else layout.derivation
    if known is not None and not hidden and tuple(known.properties) == tuple(layout.index):
        return known
    properties = {}
    for at, key in enumerate(layout.index):
        one = known.properties.get(key) if known is not None else None
        properties[key] = one if one is not None else _property(layout, at)
    qualifiers = known.qualifiers if known is not None else EMPTY
    superclass = derivation[0] if derivation else None
    return Class(layout.class_name, superclass, derivation, None, qualifiers, properties)


def _property(layout: Layout, at: int) -> Property:
    name = layout.names[at]
    is_key = name.lower() in [one.lower() for one in layout.key_names]
    return Property(
        name,
        layout.types[at],
        layout.references[at],
        qualifiers=_KEY if is_key else EMPTY,
        origin=layout.class_name,
    )


_forms: dict[int, Form] = {}


def form_of(layout: Layout) -> Form:
    """The form of a layout, made once."""
    form = _forms.get(id(layout))
    if form is None or form.layout is not layout:
        form = Form(layout)
        if len(_forms) >= _MAX_FORMS:
            _forms.clear()
        _forms[id(layout)] = form  # the form holds the layout, so its id stays taken
    return form
