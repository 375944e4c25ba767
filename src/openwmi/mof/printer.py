"""Classes and instances as MOF text that compiles back to an equal object (A-232 to A-235).

The text is Windows': a line per qualifier list of a class, tab-indented members, flavors after a colon.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from openwmi.model.cimtypes import ARRAY, NAMES, CimType
from openwmi.model.classes import Class, ClassDeclaration
from openwmi.model.errors import error
from openwmi.model.instances import Instance
from openwmi.model.status import WBEM_E_QUOTA_VIOLATION
from openwmi.model.values import coerce
from openwmi.mof.flavors import written

if TYPE_CHECKING:
    from collections.abc import Iterable

    from openwmi.model.classes import Method, Property
    from openwmi.model.qualifiers import Qualifier

MAX_NESTING: Final = 64

_SPECIAL: Final = re.compile('[\\x00-\\x1f"\\\\\\ud800-\\udfff]')
_NAMED: Final = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
_QUOTED_INTEGERS: Final = frozenset((CimType.SINT64, CimType.UINT64))


def _escaped(match: re.Match[str]) -> str:
    character = match[0]
    return _NAMED.get(character) or f"\\x{ord(character):04X}"


def quoted(text: str) -> str:
    """A string constant."""
    return f'"{_SPECIAL.sub(_escaped, text)}"' if _SPECIAL.search(text) else f'"{text}"'


def character(code: int) -> str:
    """A char16 constant: the character in quotes, or its code where it does not print."""
    if code in (0x27, 0x5C):
        return f"'\\{chr(code)}'"
    if 0x20 <= code < 0x7F:
        return f"'{chr(code)}'"
    return f"'\\x{code:04X}'"


def real(value: float, code: int) -> str:
    """A real constant, as short as its type allows. NULL for what is not finite: MOF has no constant for it."""
    if value - value != 0:
        return "NULL"
    if code == CimType.REAL32:
        for digits in range(6, 10):
            text = repr(float(f"{value:.{digits}g}"))
            if coerce(float(text), code) == value:
                return text
    return repr(value)


class _Printer:
    """One run over an object; `flavors` False leaves out the flavor words."""

    __slots__ = ("depth", "flavors")

    def __init__(self, flavors: bool) -> None:
        self.flavors = flavors
        self.depth = 0

    # -- values --------------------------------------------------------------------------------------------------

    def value(self, raw: object, code: int, indent: str) -> str:
        if raw is None:
            return "NULL"
        element = code & ~ARRAY
        if isinstance(raw, tuple):
            return "{" + ", ".join([self.scalar(one, element, indent) for one in raw]) + "}"
        return self.scalar(raw, element, indent)

    def scalar(self, raw: object, code: int, indent: str) -> str:
        if isinstance(raw, str):
            return quoted(raw)
        if isinstance(raw, bool):
            return "TRUE" if raw else "FALSE"
        if isinstance(raw, int):
            if code == CimType.CHAR16:
                return character(raw)
            return f'"{raw}"' if code in _QUOTED_INTEGERS else str(raw)
        if isinstance(raw, float):
            return real(raw, code)
        return self.embedded(raw, indent)

    def embedded(self, raw: object, indent: str) -> str:
        if self.depth >= MAX_NESTING:
            raise error(WBEM_E_QUOTA_VIOLATION, f"objects are embedded more than {MAX_NESTING} deep")
        self.depth += 1
        if isinstance(raw, Instance):
            text = self.instance(raw, indent + "\t")
        elif isinstance(raw, Class):
            text = self.class_(raw.declaration, indent + "\t")
        else:
            raise TypeError(f"not a raw value: {type(raw).__name__}")
        self.depth -= 1
        return text

    # -- qualifiers ----------------------------------------------------------------------------------------------

    def qualifiers(self, qualifiers: Iterable[Qualifier]) -> str:
        """`[a, b("v"): ToSubClass]`, or "" without any. CIMTYPE is never written (A-009)."""
        texts = [self.qualifier(one) for one in qualifiers if one.name.lower() != "cimtype"]
        return f"[{', '.join(texts)}]" if texts else ""

    def qualifier(self, one: Qualifier) -> str:
        text = one.name
        if isinstance(one.value, tuple):
            text += "{" + ", ".join(map(_constant, one.value)) + "}"
        elif one.value is not True:
            text += f"({_constant(one.value)})"
        flavor = written(one.name, one.flavor) if self.flavors else ""
        return f"{text}: {flavor}" if flavor else text

    # -- classes -------------------------------------------------------------------------------------------------

    def class_(self, declared: ClassDeclaration, indent: str) -> str:
        lines = []
        qualifiers = self.qualifiers(declared.qualifiers)
        head = f"class {declared.name}"
        if declared.superclass is not None:
            head += f" : {declared.superclass}"
        if qualifiers:
            lines.append(qualifiers)
        lines += (head, "{")
        lines += [f"\t{self.property(one, indent)};" for one in declared.properties]
        lines += [f"\t{self.method(one, indent)};" for one in declared.methods]
        lines.append("}")
        return f"\n{indent}".join(lines)

    def property(self, one: Property, indent: str, qualifiers: Iterable[Qualifier] | None = None) -> str:
        listed = self.qualifiers(one.qualifiers if qualifiers is None else qualifiers)
        text = f"{listed} " if listed else ""
        text += f"{type_text(one.type, one.reference)} {one.name}"
        if one.type & ARRAY:
            text += "[]"
        if one.has_default:
            text += f" = {self.value(one.default, one.type, indent)}"
        return text

    def method(self, one: Method, indent: str) -> str:
        listed = self.qualifiers(one.qualifiers)
        returned = one.outputs.property("ReturnValue") if one.outputs is not None else None
        type_ = "void" if returned is None else type_text(returned.type, returned.reference)
        parameters = ", ".join(self.property(p, indent, q) for p, q in parameters_of(one))
        text = f"{type_} {one.name}({parameters})"
        return f"{listed} {text}" if listed else text

    # -- instances -----------------------------------------------------------------------------------------------

    def instance(self, one: Instance, indent: str) -> str:
        extras = one.extras_
        lines = []
        if extras is not None and len(extras.qualifiers):
            lines.append(self.qualifiers(extras.qualifiers))
        lines += (f"instance of {one.classname_}", "{")
        layout = one.layout_
        declared = layout.class_.properties if layout.class_ is not None else {}
        for name, code, raw in zip(layout.names, layout.types, one.values_, strict=True):
            own = extras.properties.get(name.lower()) if extras is not None else None
            if raw is None and own is None:
                # A NULL is left out unless the class's default would take its place.
                known = declared.get(name.lower())
                if known is None or known.default is None:
                    continue
            listed = f"{self.qualifiers(own)} " if own else ""
            lines.append(f"\t{listed}{name} = {self.value(raw, code, indent)};")
        lines.append("}")
        return f"\n{indent}".join(lines)


def _constant(value: object) -> str:
    """The value of a qualifier: its four types say themselves what they are."""
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    return repr(value)


def type_text(code: int, reference: str | None) -> str:
    """The type as it stands before a name: `uint32`, `object`, `Win32_X`, `Win32_X ref`."""
    element = code & ~ARRAY
    if element == CimType.OBJECT:
        return reference or "object"
    if element == CimType.REFERENCE:
        return f"{reference or 'object'} ref"
    return NAMES[element]


def parameters_of(method: Method) -> list[tuple[Property, list[Qualifier]]]:
    """The parameters of a method in the order of their IDs, each with the qualifiers to write.

    One that stands in both signatures has [in] and [out]; an ID that counting would give anyway is left out (A-234).
    """
    found: dict[str, tuple[int, Property, list[Qualifier]]] = {}
    for signature in (method.inputs, method.outputs):
        for one in signature.properties.values() if signature is not None else ():
            lower = one.name.lower()
            if signature is method.outputs and lower == "returnvalue":
                continue
            if lower in found:
                out = one.qualifiers.get("out")
                if out is not None:
                    both = found[lower][2]
                    place = next((n for n, q in enumerate(both, 1) if q.name.lower() == "in"), 0)
                    both.insert(place, out)
                continue
            identity = one.qualifiers.value("id")
            number = identity if isinstance(identity, int) else len(found)
            found[lower] = number, one, list(one.qualifiers)
    ordered = sorted(found.values(), key=lambda item: item[0])
    counted = all(
        number == place and any(q.name.lower() == "id" and q.flavor & 0x1F == 0x11 for q in qualifiers)
        for place, (number, _, qualifiers) in enumerate(ordered)
    )
    if counted:
        return [(one, [q for q in qualifiers if q.name.lower() != "id"]) for _, one, qualifiers in ordered]
    return [(one, qualifiers) for _, one, qualifiers in ordered]


def print_class(class_: Class | ClassDeclaration, *, flavors: bool = True) -> str:
    """The class as MOF: what it declares itself, nothing inherited (A-232). Ends with `};`.

    flavors: False leaves flavor words out (WBEM_FLAG_NO_FLAVORS).
    """
    declared = class_ if isinstance(class_, ClassDeclaration) else class_.declaration
    return _Printer(flavors).class_(declared, "") + ";"


def print_instance(instance: Instance, *, flavors: bool = True) -> str:
    """The instance as MOF: every property that is not NULL (A-233). Ends with `};`."""
    return _Printer(flavors).instance(instance, "") + ";"
