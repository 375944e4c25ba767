"""Inheritance: from a declaration and its superclass to a class, with every rule a declaration can break (A5 to A7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from openwmi.model.cimtypes import ARRAY, NAMES, CimType, type_name
from openwmi.model.classes import Class, ClassDeclaration, Method, Property
from openwmi.model.errors import error
from openwmi.model.names import MAX_KEYS, MAX_PROPERTIES, check_class_name, check_member_name
from openwmi.model.qualifiers import (
    EMPTY,
    TO_INSTANCE,
    TO_SUBCLASS,
    Qualifier,
    QualifierSet,
    check_qualifiers,
)
from openwmi.model.signatures import check_signature, same_signature
from openwmi.model.status import (
    WBEM_E_CANNOT_BE_ABSTRACT,
    WBEM_E_CANNOT_BE_KEY,
    WBEM_E_CANNOT_BE_SINGLETON,
    WBEM_E_CIRCULAR_REFERENCE,
    WBEM_E_INVALID_ASSOCIATION,
    WBEM_E_INVALID_CIM_TYPE,
    WBEM_E_INVALID_METHOD,
    WBEM_E_INVALID_OBJECT,
    WBEM_E_INVALID_PROPERTY,
    WBEM_E_INVALID_QUALIFIER,
    WBEM_E_INVALID_SUPERCLASS,
    WBEM_E_PROPAGATED_METHOD,
    WBEM_E_QUOTA_VIOLATION,
    WBEM_E_TOO_MANY_PROPERTIES,
    WBEM_E_TYPE_MISMATCH,
)

if TYPE_CHECKING:
    from openwmi.model.errors import WbemError

_NO_KEY_TYPES: Final = frozenset((CimType.REAL32, CimType.REAL64, CimType.OBJECT))
# Qualifiers that mean something in one place only.
_NOT_ON_CLASS: Final = ("key", "cimtype", "id", "in", "out")
_NOT_ON_PROPERTY: Final = ("abstract", "association", "singleton")
_MAX_CIMTYPES: Final = 4096
_CIMTYPE_FLAVOR: Final = TO_INSTANCE | TO_SUBCLASS


class PassedOn(NamedTuple):
    """What every subclass of a class starts with; worked out once per class."""

    qualifiers: QualifierSet
    properties: dict[str, Property]
    methods: dict[str, Method]


def resolve(
    declaration: ClassDeclaration, parent: Class | None, namespace: str | None, server: str | None
) -> Class:
    """The class; see :func:`openwmi.model.classes.derive`."""
    name = declaration.name
    if name:
        check_class_name(name)
    _check_parent(declaration, parent, namespace)
    base = passed_on(parent) if parent is not None else PassedOn(EMPTY, {}, {})
    check_class_qualifiers(name, declaration.qualifiers)
    derivation = (parent.name, *parent.derivation) if parent is not None else ()
    class_ = Class(
        name,
        parent.name if parent is not None else None,
        derivation,
        None,
        declaration.qualifiers.inherited_from(base.qualifiers),
        _properties(declaration, base),
        _methods(declaration, base),
        None,
        namespace,
        server,
        declaration,
    )
    _check_keys(class_, parent)
    _check_kind(class_, parent)
    if parent is not None and (parent.keys or parent.is_singleton):
        class_.key_root = parent.key_root
    return class_


def check_class_qualifiers(class_name: str, qualifiers: QualifierSet) -> None:
    """Raise for qualifiers that no class can have (A-106, A-109)."""
    check_qualifiers(qualifiers)
    for word in _NOT_ON_CLASS:
        if word in qualifiers:
            message = f"{word} is no qualifier of classes"
            raise _broken(class_name, WBEM_E_INVALID_QUALIFIER, message, word)


def _broken(class_name: str, code: int, message: str, parameter: str | None = None) -> WbemError:
    return error(code, f"class {class_name}: {message}", parameter=parameter or class_name)


# The superclass -----------------------------------------------------------------------------------------------------


def _check_parent(declaration: ClassDeclaration, parent: Class | None, namespace: str | None) -> None:
    name, wanted = declaration.name, declaration.superclass
    if parent is None:
        if wanted is not None:
            code = WBEM_E_CIRCULAR_REFERENCE if wanted.lower() == name.lower() else WBEM_E_INVALID_SUPERCLASS
            raise _broken(name, code, f"there is no class {wanted} to derive from", wanted)
        return
    if wanted is None or wanted.lower() != parent.name.lower():
        raise _broken(name, WBEM_E_INVALID_SUPERCLASS, f"{parent.name} is not its superclass")
    if name and parent.inherits_from(name):
        raise _broken(name, WBEM_E_CIRCULAR_REFERENCE, f"{parent.name} is derived from it already", wanted)
    if (
        namespace is not None
        and parent.namespace is not None
        and namespace.lower() != parent.namespace.lower()
    ):
        message = f"the superclass {parent.name} is in {parent.namespace}, not in {namespace}"
        raise _broken(name, WBEM_E_INVALID_SUPERCLASS, message, wanted)
    if parent.qualifiers.truth("terminal"):
        raise _broken(name, WBEM_E_INVALID_SUPERCLASS, f"{parent.name} is terminal", wanted)


def passed_on(parent: Class) -> PassedOn:
    passed: PassedOn | None = parent._passed_on
    if passed is None:
        passed = parent._passed_on = PassedOn(
            parent.qualifiers.passed_on(),
            {key: _inherited_property(one) for key, one in parent.properties.items()},
            {key: _inherited_method(one) for key, one in parent.methods.items()},
        )
    return passed


def _inherited_property(one: Property) -> Property:
    qualifiers = one.qualifiers.passed_on()
    if not one.local and len(qualifiers) == len(one.qualifiers):
        return one
    return one.replace(qualifiers=qualifiers, local=False, has_default=False)


def _inherited_method(one: Method) -> Method:
    qualifiers = one.qualifiers.passed_on()
    if not one.local and len(qualifiers) == len(one.qualifiers):
        return one
    return one.replace(qualifiers=qualifiers, local=False)


# Properties ---------------------------------------------------------------------------------------------------------

_CIMTYPES: dict[str, QualifierSet] = {}


def _cimtype(code: int, reference: str | None) -> QualifierSet:
    """The automatic CIMTYPE qualifier, shared: `uint32`, `object:Win32_X`, `ref:Win32_Y` (A-009)."""
    text = NAMES[code & ~ARRAY]
    if reference is not None:
        text = f"{text}:{reference}"
    found = _CIMTYPES.get(text)
    if found is None:
        found = QualifierSet((Qualifier("CIMTYPE", text, CimType.STRING, _CIMTYPE_FLAVOR),))
        if len(_CIMTYPES) < _MAX_CIMTYPES:
            _CIMTYPES[text] = found
    return found


def _typed(qualifiers: QualifierSet, code: int, reference: str | None) -> QualifierSet:
    """The set with its CIMTYPE in front, whatever it said itself."""
    own = qualifiers.without("cimtype")
    automatic = _cimtype(code, reference)
    return QualifierSet((*automatic, *own)) if len(own) else automatic


def _properties(declaration: ClassDeclaration, base: PassedOn) -> dict[str, Property]:
    properties = dict(base.properties)
    seen = set()
    for one in declaration.properties:
        key = one.name.lower()
        if key in seen:
            message = f"property {one.name} is declared twice"
            raise _broken(declaration.name, WBEM_E_INVALID_PROPERTY, message, one.name)
        seen.add(key)
        properties[key] = property_below(declaration.name, one, base.properties.get(key))
    if len(properties) > MAX_PROPERTIES:
        message = f"a class has at most {MAX_PROPERTIES} properties, not {len(properties)}"
        raise _broken(declaration.name, WBEM_E_TOO_MANY_PROPERTIES, message)
    return properties


def property_below(class_name: str, one: Property, above: Property | None) -> Property:
    """What a declared property becomes in its class; `above` is what the class inherits under that name."""
    check_member_name(one.name, "property")
    if one.type & ~ARRAY not in NAMES:
        message = f"property {one.name} has the type {type_name(one.type)}"
        raise _broken(class_name, WBEM_E_INVALID_CIM_TYPE, message, one.name)
    check_qualifiers(one.qualifiers)
    for word in _NOT_ON_PROPERTY:
        if word in one.qualifiers:
            message = f"{word} is no qualifier of properties ({one.name})"
            raise _broken(class_name, WBEM_E_INVALID_QUALIFIER, message, one.name)
    if above is None:
        qualifiers = _typed(one.qualifiers, one.type, one.reference)
        return one.replace(qualifiers=qualifiers, origin=class_name, local=True)
    if above.type != one.type:
        message = (
            f"property {one.name} is {type_name(above.type)} in {above.origin}, not {type_name(one.type)}"
        )
        raise _broken(class_name, WBEM_E_TYPE_MISMATCH, message, one.name)
    reference = one.reference if one.reference is not None else above.reference
    merged = one.qualifiers.without("cimtype").inherited_from(above.qualifiers.without("cimtype"))
    return Property(
        above.name,
        one.type,
        reference,
        one.default if one.has_default else above.default,
        one.has_default,
        _typed(merged, one.type, reference),
        above.origin,
        True,
    )


# Methods ------------------------------------------------------------------------------------------------------------


def _methods(declaration: ClassDeclaration, base: PassedOn) -> dict[str, Method]:
    methods = dict(base.methods)
    seen = set()
    for one in declaration.methods:
        key = one.name.lower()
        if key in seen:
            message = f"method {one.name} is declared twice"
            raise _broken(declaration.name, WBEM_E_INVALID_METHOD, message, one.name)
        seen.add(key)
        methods[key] = method_below(declaration.name, one, base.methods.get(key))
    return methods


def method_below(class_name: str, one: Method, above: Method | None) -> Method:
    """What a declared method becomes in its class; `above` is what the class inherits under that name."""
    check_member_name(one.name, "method")
    check_qualifiers(one.qualifiers)
    check_signature(one)
    if above is None:
        return one.replace(origin=class_name, local=True)
    if not same_signature(one, above):
        message = f"method {one.name} has another signature in {above.origin}"
        raise _broken(class_name, WBEM_E_PROPAGATED_METHOD, message, one.name)
    qualifiers = one.qualifiers.inherited_from(above.qualifiers)
    return Method(above.name, qualifiers, one.inputs, one.outputs, above.origin, True)


# Keys and kinds -----------------------------------------------------------------------------------------------------


def check_key(class_name: str, one: Property) -> bool:
    """Whether a property is a key; raises when it cannot be one (A-084)."""
    if "key" not in one.qualifiers:
        return False
    if not one.is_key:
        message = f"the qualifier key of {one.name} can only be TRUE"
        raise _broken(class_name, WBEM_E_INVALID_QUALIFIER, message, one.name)
    if one.type & ARRAY or one.type in _NO_KEY_TYPES:
        message = f"{one.name} cannot be a key: it is {type_name(one.type)}"
        raise _broken(class_name, WBEM_E_CANNOT_BE_KEY, message, one.name)
    return True


def _check_keys(class_: Class, parent: Class | None) -> None:
    own = [one for one in class_.properties.values() if check_key(class_.name, one) and one.local]
    if len(class_.keys) > MAX_KEYS:
        raise _broken(class_.name, WBEM_E_QUOTA_VIOLATION, f"a class has at most {MAX_KEYS} keys")
    if parent is None:
        return
    inherited = {name.lower() for name in parent.keys}
    added = [one.name for one in own if one.name.lower() not in inherited]
    # A class of translated text counts as abstract (B-10).
    if added and (inherited or not (parent.is_abstract or "amendment" in parent.qualifiers)):
        why = (
            f"the keys of {parent.name} are fixed"
            if inherited
            else f"{parent.name} is not abstract and has no key"
        )
        message = f"{', '.join(added)} cannot be a key: {why}"
        raise _broken(class_.name, WBEM_E_CANNOT_BE_KEY, message, added[0])


def _check_kind(class_: Class, parent: Class | None) -> None:
    if class_.is_abstract and parent is not None and not parent.is_abstract:
        message = f"it cannot be abstract, because {parent.name} is not"
        raise _broken(class_.name, WBEM_E_CANNOT_BE_ABSTRACT, message)
    if class_.is_singleton:
        if class_.keys:
            message = f"a singleton has no key ({', '.join(class_.keys)})"
            raise _broken(class_.name, WBEM_E_CANNOT_BE_SINGLETON, message)
        if parent is not None and not parent.is_abstract and not parent.is_singleton:
            message = f"it cannot be a singleton, because {parent.name} is none"
            raise _broken(class_.name, WBEM_E_CANNOT_BE_SINGLETON, message)
    if class_.is_association and not class_.is_abstract:
        ends = [one.name for one in class_.properties.values() if one.type == CimType.REFERENCE]
        if len(ends) < 2:
            message = f"an association has two references, not {len(ends)}"
            raise _broken(class_.name, WBEM_E_INVALID_ASSOCIATION, message)
    if class_.is_dynamic and class_.qualifiers.truth("static"):
        raise _broken(class_.name, WBEM_E_INVALID_OBJECT, "it cannot be dynamic and static")
    if parent is not None and parent.is_dynamic and not class_.is_dynamic:
        raise _broken(class_.name, WBEM_E_INVALID_OBJECT, f"it must be dynamic, because {parent.name} is")
