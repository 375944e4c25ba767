"""What the tests of the model build their objects from."""

from __future__ import annotations

from typing import Any

from openwmi.model.cimtypes import ARRAY, CimType
from openwmi.model.classes import Class, ClassDeclaration, Method, Property, derive
from openwmi.model.qualifiers import EMPTY, TO_SUBCLASS, Qualifier, QualifierSet

NAMESPACE = "root\\cimv2"
SERVER = "HOST"


def qualifier(name: str, value: Any = True, flavor: int = 0) -> Qualifier:
    """A qualifier whose type follows from its value."""
    one = value[0] if isinstance(value, tuple) else value
    code = {bool: CimType.BOOLEAN, int: CimType.SINT32, float: CimType.REAL64, str: CimType.STRING}[type(one)]
    return Qualifier(name, value, code | (ARRAY if isinstance(value, tuple) else 0), flavor)


def qualifiers(*names: str | Qualifier) -> QualifierSet:
    """A set from names (TRUE, to subclasses) and qualifiers."""
    return QualifierSet(qualifier(one, flavor=TO_SUBCLASS) if isinstance(one, str) else one for one in names)


def prop(name: str, code: int = CimType.STRING, *names: str | Qualifier, **parts: Any) -> Property:
    """A property with these qualifiers; `default=` also says that it has one."""
    return Property(name, code, qualifiers=qualifiers(*names), has_default="default" in parts, **parts)


def key(name: str = "Name", code: int = CimType.STRING) -> Property:
    return prop(name, code, "key")


def make(
    name: str,
    *members: Property | Method,
    parent: Class | None = None,
    marks: tuple[str | Qualifier, ...] = (),
    namespace: str | None = NAMESPACE,
    server: str | None = SERVER,
) -> Class:
    """A class from its members and the marks (qualifiers) of the class itself."""
    declaration = ClassDeclaration(
        name,
        parent.name if parent is not None else None,
        qualifiers(*marks) if marks else EMPTY,
        [one for one in members if isinstance(one, Property)],
        [one for one in members if isinstance(one, Method)],
    )
    return derive(declaration, parent, namespace=namespace, server=server)


def parameters(*properties: Property) -> Class:
    """The __PARAMETERS class of one side of a method."""
    return derive(ClassDeclaration("__PARAMETERS", None, EMPTY, properties), None)


def parameter(name: str, number: int | None, code: int = CimType.UINT32) -> Property:
    """A parameter with its ID; None leaves it out."""
    return prop(name, code, *(() if number is None else (qualifier("ID", number),)))
