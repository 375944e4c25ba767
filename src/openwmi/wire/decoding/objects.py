"""CIM objects as what JSON takes: a class with its properties, qualifiers and methods, an instance with its values.

Values are shown as they travel: datetimes as DMTF text, references as paths, 64-bit integers as numbers.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

from openwmi.model.cimtypes import type_name
from openwmi.model.classes import Class
from openwmi.model.instances import Instance

if TYPE_CHECKING:
    from openwmi.model.members import Method, Property
    from openwmi.model.qualifiers import QualifierSet


def described(value: Class | Instance) -> dict[str, Any]:
    """An object, whole; embedded ones in their places."""
    return _class(value) if isinstance(value, Class) else _instance(value)


def _instance(value: Instance) -> dict[str, Any]:
    layout = value.layout_
    document: dict[str, Any] = {"__CLASS": layout.class_name}
    path = value.path_ or value.relpath_
    if path:
        document["__PATH"] = path
    for name, raw in zip(layout.names, value.values_, strict=False):
        document[name] = _value(raw)
    return document


def _class(value: Class) -> dict[str, Any]:
    return {
        "__CLASS": value.name,
        "__SUPERCLASS": value.superclass,
        "__DERIVATION": list(value.derivation),
        "__NAMESPACE": value.namespace,
        "qualifiers": _qualifiers(value.qualifiers),
        "properties": {one.name: _property(one) for one in value.properties.values()},
        "methods": {one.name: _method(one) for one in value.methods.values()},
    }


def _property(one: Property) -> dict[str, Any]:
    document: dict[str, Any] = {"type": type_name(one.type), "origin": one.origin}
    if one.has_default:
        document["default"] = _value(one.default)
    document["qualifiers"] = _qualifiers(one.qualifiers)
    return document


def _method(one: Method) -> dict[str, Any]:
    return {
        "origin": one.origin,
        "qualifiers": _qualifiers(one.qualifiers),
        "in": _signature(one.inputs),
        "out": _signature(one.outputs),
    }


def _signature(signature: Class | None) -> dict[str, Any] | None:
    if signature is None:
        return None
    return {one.name: _property(one) for one in signature.properties.values()}


def _qualifiers(qualifiers: QualifierSet) -> dict[str, Any]:
    return {one.name: _value(one.value) for one in qualifiers}


def _value(raw: Any) -> Any:
    if isinstance(raw, Class | Instance):
        return described(raw)
    if isinstance(raw, tuple | list):
        return [_value(item) for item in raw]
    if isinstance(raw, float) and not isfinite(raw):
        return str(raw)  # JSON has no number for it
    return raw if raw is None or isinstance(raw, bool | int | float | str) else str(raw)
