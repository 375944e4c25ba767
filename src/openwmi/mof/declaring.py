"""Class nodes as class declarations: types, defaults, methods and their parameter classes (model.md C2, A14)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from openwmi.model import status as s
from openwmi.model.cimtypes import ARRAY, BY_NAME, CimType
from openwmi.model.classes import ClassDeclaration, Method, Property
from openwmi.model.qualifiers import Qualifier
from openwmi.mof.signatures import PARAMETERS, RETURN_VALUE, identity, method_of

if TYPE_CHECKING:
    from openwmi.model.qualifiers import QualifierSet
    from openwmi.mof.initialising import Initialiser
    from openwmi.mof.qualifying import Qualifying
    from openwmi.mof.syntax import ClassNode, MethodNode, PropertyNode

_OBJECT: Final = int(CimType.OBJECT)
_REFERENCE: Final = int(CimType.REFERENCE)
_SINT32: Final = int(CimType.SINT32)
_STRING: Final = int(CimType.STRING)
_IN: Final = Qualifier("In", True, int(CimType.BOOLEAN), 0)
_TYPES: Final[dict[str, int]] = {
    name: int(code) for name, code in BY_NAME.items() if code not in (CimType.OBJECT, CimType.REFERENCE)
}
_CLASS: Final = frozenset(("class",))
_PROPERTY: Final = frozenset(("property",))
_REFERENCE_SCOPE: Final = frozenset(("property", "reference"))
_METHOD: Final = frozenset(("method",))
_PARAMETER: Final = frozenset(("parameter",))
_REFERENCE_PARAMETER: Final = frozenset(("parameter", "reference"))


class Declarer:
    """Turns class nodes into declarations, with the qualifiers declared so far."""

    __slots__ = ("_initialiser", "_qualifying")

    def __init__(self, qualifying: Qualifying, initialiser: Initialiser) -> None:
        self._qualifying = qualifying
        self._initialiser = initialiser

    def declaration(self, node: ClassNode) -> ClassDeclaration:
        """The class as written, without what it inherits. MofError for what the class itself shows to be wrong."""
        scopes = _CLASS
        for qualifier in node.qualifiers:
            if qualifier.name.lower() in ("association", "indication"):
                scopes |= {qualifier.name.lower()}
        qualifiers = self._qualifying.set(node.qualifiers, scopes)
        name = node.name
        seen: set[str] = set()
        properties = []
        for one in node.properties:
            lower = one.name.lower()
            if lower in seen:
                raise one.error(s.WBEMMOF_E_DUPLICATE_PROPERTY, f"{name} has two properties {one.name}")
            seen.add(lower)
            scopes = _REFERENCE_SCOPE if one.reference else _PROPERTY
            properties.append(self._property(one, scopes, name))
        methods = tuple(self._method(one, name) for one in node.methods)
        if len(methods) > 1 and len({one.name.lower() for one in methods}) < len(methods):
            raise self._repeated(node)
        return ClassDeclaration(name, node.superclass, qualifiers, tuple(properties), methods)

    def _repeated(self, node: ClassNode) -> Exception:
        seen: set[str] = set()
        for one in node.methods:
            if one.name.lower() in seen:
                return one.error(s.WBEMMOF_E_DUPLICATE_PROPERTY, f"{node.name} has two methods {one.name}")
            seen.add(one.name.lower())
        raise AssertionError

    def _property(
        self, node: PropertyNode, scopes: frozenset[str], origin: str, *more: Qualifier
    ) -> Property:
        code, reference = _type(node)
        if node.array is not None:
            code |= ARRAY
            if node.array:  # Windows keeps a declared size as the qualifier MAX
                more = (Qualifier("MAX", node.array, _SINT32, 0), *more)
        qualifiers = self._qualifying.set(node.qualifiers, scopes, *more)
        if self._qualifying.embedding and code & ~ARRAY == _STRING:
            code, reference = _embedded(code, qualifiers)
        if node.value_at:
            default = self._initialiser.value(node, code, reference)
            return Property(node.name, code, reference, default, True, qualifiers, origin, True)
        return Property(node.name, code, reference, None, False, qualifiers, origin, True)

    def _method(self, node: MethodNode, origin: str) -> Method:
        qualifiers = self._qualifying.set(node.qualifiers, _METHOD)
        parameters: list[Property] = []
        identities = _identities(node)
        seen = {RETURN_VALUE.lower()}
        for parameter, number in zip(node.parameters, identities, strict=True):
            lower = parameter.name.lower()
            if lower in seen:
                message = f"{node.name} has two parameters {parameter.name}"
                raise parameter.error(s.WBEM_E_INVALID_DUPLICATE_PARAMETER, message)
            seen.add(lower)
            scopes = _REFERENCE_PARAMETER if parameter.reference else _PARAMETER
            more = (number,) if number is not None else ()
            made = self._property(parameter, scopes, PARAMETERS, *more)
            if not (made.qualifiers.truth("in") or made.qualifiers.truth("out")):
                if "in" not in made.qualifiers and self._qualifying.implied("in"):
                    parameters.append(made.replace(qualifiers=made.qualifiers.with_(_IN)))
                    continue
                message = f"parameter {parameter.name} of {node.name} is neither [in] nor [out]"
                raise parameter.error(s.WBEMMOF_E_MUST_BE_IN_OR_OUT, message)
            parameters.append(made)
        code: int | None = None
        reference = None
        if node.type.lower() != "void" or node.reference:
            code, reference = _type(node)
        return method_of(node.name, qualifiers, parameters, code, reference, origin)


def _embedded(code: int, qualifiers: QualifierSet) -> tuple[int, str | None]:
    """The CIM way to declare an embedded object, a string that says what it holds: Windows stores an object."""
    held = qualifiers.value("embeddedinstance")
    if isinstance(held, str):
        return code & ARRAY | _OBJECT, held
    if qualifiers.truth("embeddedobject"):
        return code & ARRAY | _OBJECT, None
    return code, None


def _type(node: PropertyNode | MethodNode) -> tuple[int, str | None]:
    """Type code and class of a reference or object."""
    word = node.type
    code = _TYPES.get(word)
    if code is None:
        code = _TYPES.get(word.lower())
    if code is not None:
        if node.reference:
            raise node.error(s.WBEMMOF_E_UNRECOGNIZED_TYPE, f"a reference points to a class, not to {word}")
        return code, None
    lower = word.lower()
    if lower in ("void", "ref"):
        raise node.error(s.WBEMMOF_E_UNRECOGNIZED_TYPE, f"{node.name} cannot be of type {word}")
    return _REFERENCE if node.reference else _OBJECT, None if lower == "object" else word


def _identities(node: MethodNode) -> list[Qualifier | None]:
    """The ID qualifier that each parameter lacks: 0, 1, 2 ... from left to right, or none where all have one (C-12).

    The rules for written ones are PutMethod's (A-210).
    """
    written = [next((q for q in p.qualifiers if q.name.lower() == "id"), None) for p in node.parameters]
    if not any(written):
        return [identity(number) for number in range(len(written))]
    numbers = set()
    for parameter, qualifier in zip(node.parameters, written, strict=True):
        if qualifier is None:
            message = f"{node.name}: parameter {parameter.name} lacks the ID that others have"
            raise parameter.error(s.WBEM_E_MISSING_PARAMETER_ID, message)
        value = qualifier.value
        if type(value) is not int or value < 0:
            message = f"{node.name}: the ID of {parameter.name} is not a number from 0"
            raise qualifier.error(s.WBEM_E_INVALID_PARAMETER_ID, message)
        if value in numbers:
            message = f"{node.name}: two parameters have the ID {value}"
            raise qualifier.error(s.WBEM_E_INVALID_DUPLICATE_PARAMETER, message)
        numbers.add(value)
    if max(numbers) != len(numbers) - 1:
        message = f"the parameter IDs of {node.name} are not 0, 1, 2 ..."
        raise node.error(s.WBEM_E_NONCONSECUTIVE_PARAMETER_IDS, message)
    return [None] * len(written)
