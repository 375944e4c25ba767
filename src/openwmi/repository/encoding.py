"""Declarations and values as lists, texts and numbers: what JSON can hold, for the columns of the store and for pipes.

Values are raw values of the model; tuples become lists, embedded objects become mappings with one marked member.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openwmi.model.classes import Class, ClassDeclaration, Method, Property, derive
from openwmi.model.errors import error
from openwmi.model.instances import Extras, Instance
from openwmi.model.qualifiers import EMPTY, Qualifier, QualifierSet
from openwmi.model.status import WBEM_E_QUOTA_VIOLATION

if TYPE_CHECKING:
    from collections.abc import Callable

    FindClass = Callable[[str], Class | None]

MAX_NESTING = 64


# Values


def packed(value: Any, depth: int = 0) -> Any:
    """A raw value as JSON can hold it."""
    if isinstance(value, tuple):
        return [packed(one, depth) for one in value]
    if isinstance(value, Instance):
        if depth >= MAX_NESTING:
            raise error(WBEM_E_QUOTA_VIOLATION, f"objects are embedded at most {MAX_NESTING} deep")
        return {"i": packed_instance(value, depth + 1)}
    if isinstance(value, Class):
        return {"c": [list(value.derivation), packed_class(value)]}
    return value


def packed_instance(instance: Instance, depth: int = 0) -> list[Any]:
    """An embedded instance: with the shape of its class, so that it can be read when that class is gone."""
    layout = instance.layout_
    return [
        layout.class_name,
        list(layout.names),
        list(layout.types),
        [packed(value, depth) for value in instance.values_],
        instance.defaults_,
    ]


def unpacked(value: Any, find: FindClass) -> Any:
    """A raw value again; embedded instances get their class from `find`, or a bare one of the stored shape."""
    if isinstance(value, list):
        return tuple([unpacked(one, find) for one in value])
    if isinstance(value, dict):
        if "i" in value:
            return _unpacked_instance(value["i"], find)
        derivation, stored = value["c"]
        return _embedded_class(derivation, stored, find)
    return value


def _unpacked_instance(stored: list[Any], find: FindClass) -> Instance:
    class_name, names, types, values, defaults = stored
    class_ = find(class_name) or _bare_class(class_name, names, types)
    layout = class_.layout
    raw = [unpacked(value, find) for value in values]
    if list(layout.names) == names:
        return Instance(layout, tuple(raw), defaults)
    by_name = dict(zip((name.lower() for name in names), raw, strict=True))
    return Instance(layout, tuple(by_name.get(name) for name in layout.index))


def _bare_class(name: str, names: list[str], types: list[int]) -> Class:
    properties = {
        one.lower(): Property(one, code, origin=name) for one, code in zip(names, types, strict=True)
    }
    return Class(name, properties=properties)


def _embedded_class(derivation: list[str], stored: list[Any], find: FindClass) -> Class:
    declaration = unpacked_class(stored)
    parent = find(derivation[0]) if derivation else None
    return find(declaration.name) or derive(
        declaration if parent is not None else _without_parent(declaration), parent
    )


def _without_parent(declaration: ClassDeclaration) -> ClassDeclaration:
    return ClassDeclaration(
        declaration.name, None, declaration.qualifiers, declaration.properties, declaration.methods
    )


# Qualifiers, properties, methods, classes


def _packed_qualifiers(qualifiers: QualifierSet) -> list[Any]:
    return [[one.name, packed(one.value), int(one.type), one.flavor] for one in qualifiers]


def _unpacked_qualifiers(stored: list[Any]) -> QualifierSet:
    if not stored:
        return EMPTY
    return QualifierSet(
        Qualifier(name, tuple(value) if isinstance(value, list) else value, code, flavor)
        for name, value, code, flavor in stored
    )


def _packed_property(one: Property) -> list[Any]:
    return [
        one.name,
        int(one.type),
        one.reference,
        packed(one.default),
        one.has_default,
        _packed_qualifiers(one.qualifiers),
        one.origin,
    ]


def _unpacked_property(stored: list[Any]) -> Property:
    name, code, reference, default, has_default, qualifiers, origin = stored
    return Property(
        name,
        code,
        reference,
        unpacked(default, lambda _: None),
        has_default,
        _unpacked_qualifiers(qualifiers),
        origin,
        True,
    )


def _packed_signature(signature: Class | None) -> list[Any] | None:
    if signature is None:
        return None
    return [
        _packed_qualifiers(signature.qualifiers),
        [_packed_property(one) for one in signature.properties.values()],
    ]


def _unpacked_signature(stored: list[Any] | None) -> Class | None:
    if stored is None:
        return None
    qualifiers, properties = stored
    members = [_unpacked_property(one) for one in properties]
    return Class(
        "__PARAMETERS",
        qualifiers=_unpacked_qualifiers(qualifiers),
        properties={one.name.lower(): one for one in members},
        keys=(),
    )


def packed_class(class_: Class | ClassDeclaration) -> list[Any]:
    """What a class says itself."""
    declaration = class_ if isinstance(class_, ClassDeclaration) else class_.declaration
    return [
        declaration.name,
        declaration.superclass,
        _packed_qualifiers(declaration.qualifiers),
        [_packed_property(one) for one in declaration.properties],
        [
            [
                one.name,
                _packed_qualifiers(one.qualifiers),
                _packed_signature(one.inputs),
                _packed_signature(one.outputs),
                one.origin,
            ]
            for one in declaration.methods
        ],
    ]


def unpacked_class(stored: list[Any]) -> ClassDeclaration:
    """The declaration again."""
    name, superclass, qualifiers, properties, methods = stored
    return ClassDeclaration(
        name,
        superclass,
        _unpacked_qualifiers(qualifiers),
        tuple([_unpacked_property(one) for one in properties]),
        tuple(
            [
                Method(
                    one,
                    _unpacked_qualifiers(its),
                    _unpacked_signature(inputs),
                    _unpacked_signature(outputs),
                    origin,
                    True,
                )
                for one, its, inputs, outputs, origin in methods
            ]
        ),
    )


def packed_extras(extras: Extras | None) -> list[Any] | None:
    """The qualifiers of an instance and of its properties."""
    if extras is None:
        return None
    return [
        _packed_qualifiers(extras.qualifiers),
        {name: _packed_qualifiers(qualifiers) for name, qualifiers in extras.properties.items()},
    ]


def unpacked_extras(stored: list[Any] | None) -> Extras | None:
    if stored is None:
        return None
    qualifiers, properties = stored
    return Extras(
        _unpacked_qualifiers(qualifiers),
        {name: _unpacked_qualifiers(its) for name, its in properties.items()},
    )
