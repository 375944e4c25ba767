"""CIM-XML text of classes and instances, written and read back (DMTF DSP0201, DTD 2.0; IWbemObjectTextSrc).

Two forms. CIM_DTD is the DMTF's: an embedded object is text in a VALUE, marked by EmbeddedObject. WMI_DTD is
Microsoft's extension: elements PROPERTY.OBJECT and VALUE.OBJECT hold it. Either is read from either.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from openwmi.model.cimtypes import ARRAY, NAMES, CimType
from openwmi.model.classes import Class, ClassDeclaration
from openwmi.model.errors import WbemError, error
from openwmi.model.instances import Instance
from openwmi.model.paths import parse_path
from openwmi.model.qualifiers import (
    AMENDED,
    NOT_OVERRIDABLE,
    PROPAGATED,
    TO_INSTANCE,
    TO_SUBCLASS,
)
from openwmi.model.status import WBEM_E_INVALID_PARAMETER, WBEM_E_QUOTA_VIOLATION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from openwmi.model.classes import Method, Property
    from openwmi.model.qualifiers import Qualifier

CIM_DTD: Final = 1
"""WMI_OBJ_TEXT_CIM_DTD_2_0."""
WMI_DTD: Final = 2
"""WMI_OBJ_TEXT_WMI_DTD_2_0."""
MAX_NESTING: Final = 64

_UNWRITABLE: Final = re.compile("[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\ud800-\\udfff\\ufffe\\uffff]")
_REPLACEMENT: Final = "\ufffd"


def escaped(text: str) -> str:
    """Text for an element or an attribute; what XML 1.0 cannot hold becomes U+FFFD."""
    text = _UNWRITABLE.sub(_REPLACEMENT, text)
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    return text.replace("\r", "&#13;").replace("\n", "&#10;").replace("\t", "&#9;")


def scalar_text(raw: object, code: int) -> str:
    """The text of a VALUE: TRUE/FALSE, decimal numbers, char16 as its character or as at least two digits."""
    if isinstance(raw, bool):
        return "TRUE" if raw else "FALSE"
    if isinstance(raw, int) and code == CimType.CHAR16:
        letter = chr(raw)
        return f"{raw:02d}" if _UNWRITABLE.match(letter) or letter.isspace() else letter
    return repr(raw) if isinstance(raw, float) else str(raw)


class _Writer:
    __slots__ = ("depth", "form", "out")

    def __init__(self, form: int) -> None:
        if form not in (CIM_DTD, WMI_DTD):
            raise error(
                WBEM_E_INVALID_PARAMETER, f"{form} is no text format: 1 is CIM DTD 2.0, 2 is WMI DTD 2.0"
            )
        self.form = form
        self.out: list[str] = []
        self.depth = 0

    def tag(self, name: str, *attributes: tuple[str, str | None]) -> None:
        texts = [f' {key}="{escaped(value)}"' for key, value in attributes if value is not None]
        self.out.append(f"<{name}{''.join(texts)}>")

    # -- objects -------------------------------------------------------------------------------------------------

    def class_(self, one: Class) -> None:
        self.nest(1)
        self.tag("CLASS", ("NAME", one.name), ("SUPERCLASS", one.superclass))
        self.qualifiers(one.qualifiers)
        for property_ in one.properties.values():
            self.property(property_, property_.default, local=property_.local)
        for method in one.methods.values():
            self.method(method)
        self.out.append("</CLASS>")
        self.nest(-1)

    def instance(self, one: Instance) -> None:
        self.nest(1)
        self.tag("INSTANCE", ("CLASSNAME", one.classname_))
        layout = one.layout_
        known = layout.class_.properties if layout.class_ is not None else {}
        columns = zip(layout.names, layout.types, layout.references, one.values_, strict=True)
        for place, (name, code, reference, raw) in enumerate(columns):
            declared = known.get(name.lower())
            origin = declared.origin if declared is not None else None
            changed = not one.defaults_ >> place & 1
            self.typed(name, code, reference, raw, origin, None if changed else True)
            if declared is not None:
                self.qualifiers(q for q in declared.qualifiers if q.flavor & TO_INSTANCE)
            self.value(raw, code)
            self.end_typed(code)
        self.out.append("</INSTANCE>")
        self.nest(-1)

    def nest(self, step: int) -> None:
        self.depth += step
        if self.depth > MAX_NESTING:
            raise error(WBEM_E_QUOTA_VIOLATION, f"objects are embedded more than {MAX_NESTING} deep")

    # -- members -------------------------------------------------------------------------------------------------

    def property(self, one: Property, default: object, *, local: bool) -> None:
        self.typed(one.name, one.type, one.reference, default, one.origin, None if local else True)
        self.qualifiers(one.qualifiers)
        if one.has_default:
            self.value(default, one.type)
        self.end_typed(one.type)

    def typed(
        self,
        name: str,
        code: int,
        reference: str | None,
        raw: object,
        origin: str | None,
        propagated: bool | None,
    ) -> None:
        """The start tag of a property."""
        element = code & ~ARRAY
        inherited = "true" if propagated else None
        named = ("NAME", name)
        tail = (("CLASSORIGIN", origin), ("PROPAGATED", inherited))
        if element == CimType.REFERENCE and not code & ARRAY:
            self.tag("PROPERTY.REFERENCE", named, ("REFERENCECLASS", reference), *tail)
        elif element == CimType.OBJECT and self.form == WMI_DTD:
            kind = "PROPERTY.OBJECTARRAY" if code & ARRAY else "PROPERTY.OBJECT"
            self.tag(kind, named, ("REFERENCECLASS", reference), *tail)
        else:
            kind = "PROPERTY.ARRAY" if code & ARRAY else "PROPERTY"
            type_ = "string" if element in (CimType.OBJECT, CimType.REFERENCE) else NAMES[element]
            embedded = "object" if element == CimType.OBJECT else None
            target = reference if element in (CimType.OBJECT, CimType.REFERENCE) else None
            if element == CimType.REFERENCE:
                target = reference or ""
            self.tag(
                kind, named, ("TYPE", type_), ("EmbeddedObject", embedded), ("REFERENCECLASS", target), *tail
            )

    def end_typed(self, code: int) -> None:
        element = code & ~ARRAY
        if element == CimType.REFERENCE and not code & ARRAY:
            self.out.append("</PROPERTY.REFERENCE>")
        elif element == CimType.OBJECT and self.form == WMI_DTD:
            self.out.append("</PROPERTY.OBJECTARRAY>" if code & ARRAY else "</PROPERTY.OBJECT>")
        else:
            self.out.append("</PROPERTY.ARRAY>" if code & ARRAY else "</PROPERTY>")

    def method(self, one: Method) -> None:
        from openwmi.mof.printer import parameters_of, type_text

        returned = one.outputs.property("ReturnValue") if one.outputs is not None else None
        type_ = None if returned is None else type_text(returned.type, returned.reference)
        self.tag(
            "METHOD",
            ("NAME", one.name),
            ("TYPE", type_),
            ("CLASSORIGIN", one.origin),
            ("PROPAGATED", None if one.local else "true"),
        )
        self.qualifiers(one.qualifiers)
        for parameter, qualifiers in parameters_of(one):
            element = parameter.type & ~ARRAY
            many = parameter.type & ARRAY
            type_ = None
            target = parameter.reference
            if element == CimType.REFERENCE:
                kind = "PARAMETER.REFARRAY" if many else "PARAMETER.REFERENCE"
            elif element == CimType.OBJECT:
                kind = "PARAMETER.OBJECTARRAY" if many else "PARAMETER.OBJECT"
            else:
                kind = "PARAMETER.ARRAY" if many else "PARAMETER"
                type_ = NAMES[element]
                target = None
            self.tag(kind, ("NAME", parameter.name), ("TYPE", type_), ("REFERENCECLASS", target))
            self.qualifiers(qualifiers)
            if parameter.has_default:
                self.value(parameter.default, parameter.type)
            self.out.append(f"</{kind}>")
        self.out.append("</METHOD>")

    def qualifiers(self, qualifiers: Iterable[Qualifier]) -> None:
        for one in qualifiers:
            if one.name.lower() == "cimtype":
                continue
            flavor = one.flavor
            self.tag(
                "QUALIFIER",
                ("NAME", one.name),
                ("TYPE", NAMES.get(one.type & ~ARRAY, "string")),
                ("PROPAGATED", "true" if flavor & PROPAGATED else None),
                ("OVERRIDABLE", "false" if flavor & NOT_OVERRIDABLE else None),
                ("TOSUBCLASS", None if flavor & TO_SUBCLASS else "false"),
                ("TOINSTANCE", "true" if flavor & TO_INSTANCE else None),
                ("TRANSLATABLE" if self.form == CIM_DTD else "AMENDED", "true" if flavor & AMENDED else None),
            )
            self.value(one.value, one.type)
            self.out.append("</QUALIFIER>")

    # -- values --------------------------------------------------------------------------------------------------

    def value(self, raw: object, code: int) -> None:
        """VALUE, VALUE.ARRAY, VALUE.REFERENCE or VALUE.OBJECT; NULL is no element at all."""
        if raw is None:
            return
        element = code & ~ARRAY
        if isinstance(raw, tuple):
            kind = {CimType.REFERENCE: "VALUE.REFARRAY", CimType.OBJECT: "VALUE.OBJECTARRAY"}.get(
                CimType(element), "VALUE.ARRAY"
            )
            if element == CimType.OBJECT and self.form == CIM_DTD:
                kind = "VALUE.ARRAY"
            self.out.append(f"<{kind}>")
            for one in raw:
                self.scalar(one, element)
            self.out.append(f"</{kind}>")
        else:
            self.scalar(raw, element)

    def scalar(self, raw: object, code: int) -> None:
        if isinstance(raw, Instance | Class):
            self.embedded(raw)
        elif code == CimType.REFERENCE and isinstance(raw, str):
            self.out.append("<VALUE.REFERENCE>")
            self.reference(raw)
            self.out.append("</VALUE.REFERENCE>")
        else:
            self.out.append(f"<VALUE>{escaped(scalar_text(raw, code))}</VALUE>")

    def embedded(self, raw: Instance | Class) -> None:
        if self.form == CIM_DTD:
            inner = _Writer(CIM_DTD)
            inner.depth = self.depth
            inner.any_object(raw)
            self.out.append(f"<VALUE>{escaped(''.join(inner.out))}</VALUE>")
        else:
            self.out.append("<VALUE.OBJECT>")
            self.any_object(raw)
            self.out.append("</VALUE.OBJECT>")

    def any_object(self, raw: Instance | Class) -> None:
        if isinstance(raw, Instance):
            self.instance(raw)
        else:
            self.class_(raw)

    def reference(self, text: str) -> None:
        """A path as elements; one that cannot be parsed stays text, which readers take as well."""
        try:
            path = parse_path(text)
        except WbemError:
            self.out.append(escaped(text))
            return
        if path.class_name is None:
            self.out.append(escaped(text))
            return
        around = ""
        spaces = path.namespace.split("\\") if path.namespace else []
        if spaces:
            names = "".join(f'<NAMESPACE NAME="{escaped(name)}"/>' for name in spaces)
            where = f"<LOCALNAMESPACEPATH>{names}</LOCALNAMESPACEPATH>"
            kind = "INSTANCEPATH" if path.is_instance else "CLASSPATH"
            if path.server is not None:
                where = f"<NAMESPACEPATH><HOST>{escaped(path.server)}</HOST>{where}</NAMESPACEPATH>"
            else:
                kind = "LOCAL" + kind
            around = kind
            self.out.append(f"<{kind}>{where}")
        if path.is_instance:
            self.tag("INSTANCENAME", ("CLASSNAME", path.class_name))
            for name, value in path.keys:
                if name is None:
                    self.key(value)
                else:
                    self.tag("KEYBINDING", ("NAME", name))
                    self.key(value)
                    self.out.append("</KEYBINDING>")
            self.out.append("</INSTANCENAME>")
        else:
            self.out.append(f'<CLASSNAME NAME="{escaped(path.class_name)}"/>')
        if around:
            self.out.append(f"</{around}>")

    def key(self, value: object) -> None:
        kind = "boolean" if isinstance(value, bool) else "numeric" if isinstance(value, int) else "string"
        self.out.append(f'<KEYVALUE VALUETYPE="{kind}">{escaped(scalar_text(value, 0))}</KEYVALUE>')


def class_to_xml(class_: Class, form: int = CIM_DTD) -> str:
    """The class with all it has; inherited members carry PROPAGATED="true"."""
    writer = _Writer(form)
    writer.class_(class_)
    return "".join(writer.out)


def instance_to_xml(instance: Instance, form: int = CIM_DTD) -> str:
    """The instance with all its properties; a NULL one has no value element."""
    writer = _Writer(form)
    writer.instance(instance)
    return "".join(writer.out)


def parse_xml(
    text: str, find_class: Callable[[str], Class | None] | None = None
) -> ClassDeclaration | Instance:
    """The class (what it declares itself) or instance of a CIM-XML text of either form.

    find_class(name) gives the class of an instance; without it, or where it gives None, the class is made of the
    properties in the text. INVALID_SYNTAX with a line for what the DTD does not allow; QUOTA_VIOLATION beyond the
    bounds of the reader.
    """
    from openwmi.mof.xmlobjects import read_object
    from openwmi.mof.xmlreader import read

    return read_object(read(text), find_class)


__all__ = ["CIM_DTD", "WMI_DTD", "class_to_xml", "instance_to_xml", "parse_xml"]
