"""Elements of CIM-XML as classes and instances (the reading half of :mod:`openwmi.mof.cimxml`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from openwmi.model.cimtypes import ARRAY, BY_NAME, CimType
from openwmi.model.classes import ClassDeclaration, Property, derive
from openwmi.model.errors import WbemError
from openwmi.model.paths import ObjectPath
from openwmi.model.qualifiers import (
    AMENDED,
    NOT_OVERRIDABLE,
    TO_INSTANCE,
    TO_SUBCLASS,
    Qualifier,
    QualifierSet,
)
from openwmi.model.values import coerce
from openwmi.mof.signatures import PARAMETERS, method_of, without_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from openwmi.model.classes import Class, Method
    from openwmi.model.instances import Instance
    from openwmi.mof.xmlreader import Element

    FindClass = Callable[[str], Class | None]

MAX_NESTING: Final = 64

_WRAPPERS: Final = ("CIM", "DECLARATION", "DECLGROUP", "DECLGROUP.WITHNAME", "DECLGROUP.WITHPATH")
_OBJECT_WRAPPERS: Final = ("VALUE.OBJECT", "VALUE.NAMEDINSTANCE", "VALUE.OBJECTWITHPATH", "VALUE.NAMEDOBJECT")
_PROPERTIES: Final = (
    "PROPERTY",
    "PROPERTY.ARRAY",
    "PROPERTY.REFERENCE",
    "PROPERTY.REFARRAY",
    "PROPERTY.OBJECT",
    "PROPERTY.OBJECTARRAY",
)
_PARAMETERS: Final = tuple(tag.replace("PROPERTY", "PARAMETER") for tag in _PROPERTIES)
_VALUES: Final = (
    "VALUE",
    "VALUE.ARRAY",
    "VALUE.REFERENCE",
    "VALUE.REFARRAY",
    "VALUE.OBJECT",
    "VALUE.OBJECTARRAY",
)
_REALS: Final = (CimType.REAL32, CimType.REAL64)
_STRINGS: Final = (CimType.STRING, CimType.DATETIME)


def read_object(root: Element, find_class: FindClass | None) -> ClassDeclaration | Instance:
    """The one CLASS or INSTANCE below the root, inside the wrappers that messages put around it."""
    return _Objects(find_class).top(root)


class _Objects:
    __slots__ = ("depth", "find_class")

    def __init__(self, find_class: FindClass | None) -> None:
        self.find_class = find_class
        self.depth = 0

    def top(self, element: Element) -> ClassDeclaration | Instance:
        while element.tag in _WRAPPERS or element.tag in _OBJECT_WRAPPERS:
            inner = [child for child in element.children if not child.tag.endswith(("NAME", "PATH"))]
            if len(inner) != 1:
                raise element.wrong(f"<{element.tag}> must hold one object")
            element = inner[0]
        if element.tag == "CLASS":
            return self.class_(element)
        if element.tag == "INSTANCE":
            return self.instance(element)
        raise element.wrong(f"expected <CLASS> or <INSTANCE> instead of <{element.tag}>")

    def embedded(self, element: Element) -> Class | Instance:
        if self.depth >= MAX_NESTING:
            raise element.wrong(f"objects are embedded more than {MAX_NESTING} deep")
        self.depth += 1
        found = self.top(element)
        self.depth -= 1
        if not isinstance(found, ClassDeclaration):
            return found
        parent = self.find_class(found.superclass) if self.find_class and found.superclass else None
        return derive(found if parent is not None else _rootless(found), parent)

    # -- classes -------------------------------------------------------------------------------------------------

    def class_(self, element: Element) -> ClassDeclaration:
        """What the class declares itself: members with PROPAGATED="true" are passed over."""
        name = element["NAME"]
        properties = [self.property(one, name) for one in element.named(*_PROPERTIES) if not _inherited(one)]
        methods = [self.method(one, name) for one in element.named("METHOD") if not _inherited(one)]
        superclass = element.attributes.get("SUPERCLASS") or None
        return ClassDeclaration(name, superclass, self.qualifiers(element), tuple(properties), tuple(methods))

    def property(self, element: Element, origin: str) -> Property:
        code, reference = _typed(element)
        value = element.first(*_VALUES)
        default = None if value is None else self.value(value, code, reference, element["NAME"])
        qualifiers = self.qualifiers(element)
        return Property(
            element["NAME"], code, reference, default, value is not None, qualifiers, origin, True
        )

    def method(self, element: Element, origin: str) -> Method:
        parameters = [self.property(one, PARAMETERS) for one in element.named(*_PARAMETERS)]
        returned = element.attributes.get("TYPE")
        code, reference = (
            (None, None) if returned is None or returned.lower() == "void" else _return(returned)
        )
        name = element["NAME"]
        return method_of(name, self.qualifiers(element), without_id(parameters), code, reference, origin)

    def qualifiers(self, element: Element) -> QualifierSet:
        return QualifierSet(self.qualifier(one) for one in element.named("QUALIFIER") if not _inherited(one))

    def qualifier(self, element: Element) -> Qualifier:
        flags = element.attributes
        flavor = TO_SUBCLASS if _true(flags.get("TOSUBCLASS", "true")) else 0
        flavor |= TO_INSTANCE if _true(flags.get("TOINSTANCE", "false")) else 0
        flavor |= 0 if _true(flags.get("OVERRIDABLE", "true")) else NOT_OVERRIDABLE
        flavor |= (
            AMENDED
            if _true(flags.get("AMENDED", "false")) or _true(flags.get("TRANSLATABLE", "false"))
            else 0
        )
        code, _ = _typed(element)
        held = element.first(*_VALUES)
        if held is not None and held.tag == "VALUE.ARRAY":
            code |= ARRAY
        value = None if held is None else self.value(held, code, None, element["NAME"])
        return Qualifier(element["NAME"], value, code, flavor)

    # -- instances -----------------------------------------------------------------------------------------------

    def instance(self, element: Element) -> Instance:
        name = element["CLASSNAME"]
        class_ = self.find_class(name) if self.find_class is not None else None
        if class_ is None:
            class_ = self.made_class(element, name)
        values: dict[str, object] = {}
        for one in element.named(*_PROPERTIES):
            if one["NAME"].startswith("__"):
                continue  # Windows writes system properties too; they are computed
            found = class_.property(one["NAME"])
            if found is None:
                raise one.wrong(f"class {class_.name} has no property {one['NAME']}")
            held = one.first(*_VALUES)
            if held is None:
                if not _inherited(one):
                    values[found.name] = None
            elif not _inherited(one) or found.default is None:
                values[found.name] = self.value(held, found.type, found.reference, found.name)
        return class_.spawn(values)

    def made_class(self, element: Element, name: str) -> Class:
        """A class that is known only by an instance of it."""
        properties = []
        for one in element.named(*_PROPERTIES):
            if not one["NAME"].startswith("__"):
                code, reference = _typed(one)
                if code & ~ARRAY == CimType.OBJECT:
                    reference = None  # without ancestors no embedded object can prove that it fits
                properties.append(
                    Property(one["NAME"], code, reference, None, False, self.qualifiers(one), name, True)
                )
        return derive(ClassDeclaration(name, None, QualifierSet(), tuple(properties), ()), None)

    # -- values --------------------------------------------------------------------------------------------------

    def value(self, element: Element, code: int, reference: str | None, name: str) -> object:
        """The raw value of a VALUE element of any kind; an error names the line."""
        if code & ARRAY:
            if element.tag not in ("VALUE.ARRAY", "VALUE.REFARRAY", "VALUE.OBJECTARRAY"):
                raise element.wrong(f"{name} is an array; <{element.tag}> is none")
            raw: object = tuple(self.scalar(one, code & ~ARRAY) for one in element.children)
        else:
            raw = self.scalar(element, code)
        try:
            return coerce(raw, code, name=name, reference=reference)
        except WbemError as reason:
            raise element.wrong(reason.message) from None

    def scalar(self, element: Element, code: int) -> object:
        if code == CimType.OBJECT:
            return self.object(element)
        if code == CimType.REFERENCE:
            inner = element.children[0] if element.children else None
            return element.text if inner is None else _path_text(inner)
        if element.tag != "VALUE":
            raise element.wrong(f"expected <VALUE> instead of <{element.tag}>")
        text = element.text
        if code in _STRINGS:
            return text
        if code == CimType.CHAR16:
            return ord(text) if len(text) == 1 else _number(element, int, text)
        text = text.strip()
        if code == CimType.BOOLEAN:
            if text.lower() not in ("true", "false"):
                raise element.wrong(f"{text[:40]!r} is neither TRUE nor FALSE")
            return _true(text)
        return _number(element, float if code in _REALS else int, text)

    def object(self, element: Element) -> Class | Instance:
        if element.tag == "VALUE":
            from openwmi.mof.xmlreader import read

            return self.embedded(read(element.text))
        return self.embedded(element)


def _number(element: Element, kind: type[int | float], text: str) -> int | float:
    if len(text) > 400:
        raise element.wrong("the number is too long")
    try:
        return kind(text)
    except ValueError:
        raise element.wrong(f"{text[:40]!r} is no number") from None


def _true(text: str) -> bool:
    return text.strip().lower() == "true"


def _inherited(element: Element) -> bool:
    return _true(element.attributes.get("PROPAGATED", "false"))


def _rootless(declared: ClassDeclaration) -> ClassDeclaration:
    """An embedded class whose ancestors nobody knows stands for itself."""
    return ClassDeclaration(declared.name, None, declared.qualifiers, declared.properties, declared.methods)


def _return(text: str) -> tuple[int, str | None]:
    """The type of a method: a CIM type, a class, or a reference to one (`Class ref`)."""
    code = BY_NAME.get(text.lower())
    if code is not None:
        return int(code), None
    name, _, word = text.partition(" ")
    reference = None if name.lower() == "object" else name
    return int(CimType.REFERENCE if word.lower() == "ref" else CimType.OBJECT), reference


def _typed(element: Element) -> tuple[int, str | None]:
    """Type code and class of a reference or object."""
    tag = element.tag
    array = ARRAY if tag.endswith("ARRAY") else 0
    target = element.attributes.get("REFERENCECLASS")
    if tag.endswith((".REFERENCE", ".REFARRAY")):
        return int(CimType.REFERENCE) | array, target or None
    if tag.endswith((".OBJECT", ".OBJECTARRAY")) or element.attributes.get("EMBEDDEDOBJECT"):
        return int(CimType.OBJECT) | array, target or None
    if array and target is not None:
        return int(CimType.REFERENCE) | array, target or None
    name = element.attributes.get("TYPE", "string")
    code = BY_NAME.get(name.lower())
    if code is None:
        raise element.wrong(f"{name!r} is no CIM type")
    return int(code) | array, None


# -- references --------------------------------------------------------------------------------------------------


def _path_text(element: Element) -> str:
    """The object path that a reference's elements spell."""
    server: str | None = None
    namespace: str | None = None
    while element.tag not in ("INSTANCENAME", "CLASSNAME"):
        where = element.first("LOCALNAMESPACEPATH") or element.first("NAMESPACEPATH")
        if where is not None and where.tag == "NAMESPACEPATH":
            host = where.first("HOST")
            server = host.text if host is not None else None
            where = where.first("LOCALNAMESPACEPATH")
        if where is not None:
            namespace = "\\".join(one["NAME"] for one in where.named("NAMESPACE"))
        inner = element.first("INSTANCENAME", "CLASSNAME", "INSTANCEPATH", "CLASSPATH")
        if inner is None:
            raise element.wrong(f"<{element.tag}> names no object")
        element = inner
    if element.tag == "CLASSNAME":
        return str(ObjectPath(server, namespace, element["NAME"], (), False))
    bindings = list(element.named("KEYBINDING"))
    keys: tuple[tuple[str | None, int | str | bool], ...]
    if bindings:
        keys = tuple((one["NAME"], _key(one)) for one in bindings)
    else:
        keys = ((None, _key(element)),) if element.children else ()
    return str(ObjectPath(server, namespace, element["CLASSNAME"], keys, not keys))


def _key(element: Element) -> int | str | bool:
    held = element.first("KEYVALUE", "VALUE.REFERENCE")
    if held is None:
        raise element.wrong("a key has no value")
    if held.tag == "VALUE.REFERENCE":
        return _path_text(held.children[0]) if held.children else held.text
    kind = held.attributes.get("VALUETYPE", "string").lower()
    if kind == "boolean":
        return _true(held.text)
    return int(_number(held, int, held.text.strip())) if kind == "numeric" else held.text
