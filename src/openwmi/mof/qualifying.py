"""Qualifiers as written into qualifier sets: their types, their flavors, their declarations (C-10, A-101, A-106)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from openwmi.model import status as s
from openwmi.model.cimtypes import ARRAY, BY_NAME, CimType
from openwmi.model.qualifiers import EMPTY, TO_SUBCLASS, Qualifier, QualifierSet
from openwmi.mof.flavors import DEFAULTS, FIXED, NEVER_INHERITED, combined, contradiction
from openwmi.mof.syntax import Char

if TYPE_CHECKING:
    from openwmi.mof.syntax import QualifierDeclaration, QualifierNode, Value

_STRING: Final = int(CimType.STRING)
_BOOLEAN: Final = int(CimType.BOOLEAN)
_STRINGS: Final = _STRING | ARRAY
_SINT32: Final = int(CimType.SINT32)
_REAL64: Final = int(CimType.REAL64)
# A qualifier has one of four types; a declared type becomes the one that holds it.
_HELD_AS: Final[dict[int, int]] = {
    **dict.fromkeys(
        (
            CimType.SINT8,
            CimType.UINT8,
            CimType.SINT16,
            CimType.UINT16,
            CimType.SINT32,
            CimType.UINT32,
            CimType.SINT64,
            CimType.UINT64,
        ),
        _SINT32,
    ),
    CimType.REAL32: _REAL64,
    CimType.REAL64: _REAL64,
    CimType.STRING: _STRING,
    CimType.BOOLEAN: _BOOLEAN,
}
_EMBEDDING: Final = frozenset(("embeddedinstance", "embeddedobject"))
_CIMTYPE: Final = "cimtype"
_NO_TYPE: Final = 0
_ONLY_STRINGS: Final = {str}
_PRESENT_IS_TRUE: Final = frozenset(("key", "static"))  # whatever value is written (C-27)
_UNSIGNED: Final = 1 << 32
_SIGNED: Final = 1 << 31


class _Rule(NamedTuple):
    """What is known of a qualifier before it is used: type None = by the literal; default: its value where none is
    written; scopes empty = anywhere; implied: whether it counts as TRUE where it is not written at all."""

    lower: str
    flavor: int
    type: int | None
    default: object
    scopes: frozenset[str]
    implied: bool = False


class Qualifying:
    """The qualifiers declared so far, and the sets made of written ones."""

    __slots__ = ("_rules", "embedding")

    def __init__(self) -> None:
        self._rules: dict[str, _Rule] = {}
        self.embedding = False  # whether EmbeddedInstance or EmbeddedObject has been met in any set

    def declare(self, node: QualifierDeclaration) -> None:
        """Take a `Qualifier X : ...;` for what follows. Key and Singleton keep their meaning (A-102)."""
        lower = node.name.lower()
        if lower == _CIMTYPE:
            return  # known files declare it; it stays what it is
        _check_flavors(node, node.flavors)
        rule = _Rule(lower, combined(node.flavors, 0), None, True, frozenset())
        if node.type is not None:
            rule = self._typed(node, lower)
        if lower in FIXED:
            rule = rule._replace(flavor=DEFAULTS[lower])
        elif lower in NEVER_INHERITED:
            rule = rule._replace(flavor=0)
        self._rules = {name: known for name, known in self._rules.items() if known.lower != lower}
        self._rules[lower] = rule
        self.embedding = self.embedding or lower in _EMBEDDING

    def _typed(self, node: QualifierDeclaration, lower: str) -> _Rule:
        """The DMTF form: without a word on propagation a qualifier reaches subclasses."""
        type_ = _HELD_AS.get(BY_NAME.get(node.type or "", -1))
        if type_ is None:
            message = f"a qualifier cannot be of type {node.type}"
            raise node.error(s.WBEMMOF_E_UNSUPPORTED_CIMV22_DATA_TYPE, message)
        if node.array:
            type_ |= ARRAY
        flavor = combined(node.flavors, 0 if "restricted" in node.flavors else DEFAULTS["description"])
        rule = _Rule(lower, flavor, type_, None, frozenset(node.scopes) - {"any"})
        default: object = None
        if node.value is not None:
            default = _typed_value(node, node.value, type_, node.value_at)
        if type_ == _BOOLEAN:
            # TRUE where it is written without a value; what is declared is the value of its absence.
            return rule._replace(default=True, implied=default is True)
        return rule._replace(default=default)

    def _rule(self, name: str) -> _Rule:
        """The rule of a name as written, remembered under that spelling."""
        lower = name.lower()
        rule = self._rules.get(lower)
        if rule is None:
            # A type that no literal has leads to the rules for a few names below.
            type_ = _NO_TYPE if lower in _PRESENT_IS_TRUE or lower == _CIMTYPE else None
            rule = _Rule(lower, DEFAULTS.get(lower, 0), type_, True, frozenset())
        self._rules[name] = rule
        self.embedding = self.embedding or lower in _EMBEDDING
        return rule

    def implied(self, name: str) -> bool:
        """Whether a qualifier (lower case) is declared so that it holds without being written, as DMTF's In."""
        rule = self._rules.get(name)
        return rule is not None and rule.implied

    def set(self, nodes: tuple[QualifierNode, ...], scopes: frozenset[str], *more: Qualifier) -> QualifierSet:
        """The set of the written qualifiers, in order, then `more`; MofError names the offending one.

        scopes: what carries the set, any of which a declared scope must name.
        """
        if not nodes:
            return QualifierSet(more) if more else EMPTY
        rules = self._rules
        found: list[Qualifier] = []
        seen = set()
        for node in nodes:
            name = node.name
            rule = rules.get(name) or self._rule(name)
            if rule.lower in seen:
                raise node.error(s.WBEMMOF_E_DUPLICATE_QUALIFIER, f"qualifier {name} is written twice")
            seen.add(rule.lower)
            value: object = node.value
            kind = type(value)
            declared = rule.type
            if kind is str and (declared is None or declared == _STRING):
                type_ = _STRING
            elif value is True and (declared is None or declared == _BOOLEAN):
                type_ = _BOOLEAN
            elif kind is tuple and (declared is None or declared == _STRINGS) and _all_strings(value):
                type_ = _STRINGS
            else:
                value, type_ = _typed(node, rule)
            flavor = rule.flavor
            if node.flavors:
                _check_flavors(node, node.flavors)
                if rule.lower not in FIXED:
                    flavor = combined(node.flavors, flavor)
                    if rule.lower in NEVER_INHERITED:
                        flavor = 0
            if rule.scopes and rule.scopes.isdisjoint(scopes):
                where = ", ".join(sorted(rule.scopes))
                raise node.error(
                    s.WBEMMOF_E_QUALIFIER_USED_OUTSIDE_SCOPE, f"{name} is declared for {where} only"
                )
            found.append(Qualifier(name, value, type_, flavor))
        found += (one for one in more if one.name.lower() not in seen)
        return QualifierSet(found)

    def on_instance(self, nodes: tuple[QualifierNode, ...], scopes: frozenset[str]) -> QualifierSet:
        """The set of an instance or one of its properties: no flavor leads to subclasses there (A-105)."""
        if not nodes:
            return EMPTY
        for node in nodes:
            if "tosubclass" in node.flavors:
                message = f"{node.name}: a qualifier of an instance has no subclass to go to"
                raise node.error(s.WBEM_E_INVALID_FLAVOR, message)
        return QualifierSet(one._replace(flavor=one.flavor & ~TO_SUBCLASS) for one in self.set(nodes, scopes))


def _all_strings(values: object) -> bool:
    return set(map(type, values)) == _ONLY_STRINGS  # type: ignore[call-overload]


def _check_flavors(node: QualifierNode | QualifierDeclaration, words: tuple[str, ...]) -> None:
    if len(words) > 1 and (wrong := contradiction(words)) is not None:
        code = s.WBEMMOF_E_INCOMPATIBLE_FLAVOR_TYPES2 if wrong[2] else s.WBEMMOF_E_INCOMPATIBLE_FLAVOR_TYPES
        raise node.error(code, f"{node.name}: the flavors {wrong[0]} and {wrong[1]} exclude each other")


def _typed(node: QualifierNode, rule: _Rule) -> tuple[object, int]:
    """Value and type where the literal alone does not settle them."""
    if rule.lower in _PRESENT_IS_TRUE:
        return True, _BOOLEAN
    if rule.lower == _CIMTYPE:
        message = "CIMTYPE cannot be written; the type of a property says it"
        raise node.error(s.WBEMMOF_E_CIMTYPE_QUALIFIER, message)
    if rule.type is None:
        type_ = _inferred(node)
    elif node.value_at == node.at:  # no value is written
        return (True, _BOOLEAN) if rule.default is None else (rule.default, rule.type)
    else:
        type_ = rule.type
    raw = _typed_value(node, node.value, type_, node.value_at)
    return _wide(raw, type_) if type_ & ~ARRAY == _SINT32 else (raw, type_)


def _inferred(node: QualifierNode) -> int:
    """The type of a written value."""
    value = node.value
    if not isinstance(value, tuple):
        return _STRING if value is None else _kind(value)
    kinds = {_kind(one) for one in value if one is not None} or {_STRING}
    if len(kinds) == 1:
        return kinds.pop() | ARRAY
    if kinds == {_SINT32, _REAL64}:
        return _REAL64 | ARRAY
    message = f"{node.name}: the values of an array are of one type"
    raise node.error(s.WBEMMOF_E_TYPE_MISMATCH, message, node.value_at)


def _wide(raw: object, type_: int) -> tuple[object, int]:
    """An integer that 32 bits cannot hold stays readable as decimal text; no qualifier type is wider (A-106)."""
    values = raw if isinstance(raw, tuple) else (raw,)
    if all(value is None or -_SIGNED <= value < _SIGNED for value in values):
        return raw, type_
    if isinstance(raw, tuple):
        return tuple(map(str, raw)), _STRING | ARRAY
    return str(raw), _STRING


def _kind(value: Value) -> int:
    """The type a literal has by itself (C-10); -1 for what no qualifier can hold."""
    if isinstance(value, bool):
        return _BOOLEAN
    if isinstance(value, int):
        return _SINT32
    if isinstance(value, float):
        return _REAL64
    return _STRING if isinstance(value, str) else -1


def _typed_value(node: QualifierNode | QualifierDeclaration, value: Value, type_: int, at: int) -> object:
    """A written value as the raw value of a qualifier of that type."""
    if value is None:
        return None
    if type_ & ARRAY:
        if not isinstance(value, tuple):
            message = f"{node.name} is an array; its values stand in braces"
            raise node.error(s.WBEMMOF_E_TYPE_MISMATCH, message, at)
        return tuple(_element(node, one, type_ & ~ARRAY, at) for one in value)
    if isinstance(value, tuple):
        raise node.error(s.WBEMMOF_E_UNEXPECTED_ARRAY_INIT, f"{node.name} is not an array", at)
    return _element(node, value, type_, at)


def _element(node: QualifierNode | QualifierDeclaration, value: Value, type_: int, at: int) -> object:
    if value is None:
        raise node.error(s.WBEMMOF_E_NULL_ARRAY_ELEM, f"{node.name}: an array cannot hold NULL", at)
    kind = _kind(value)
    if kind != type_ and not (kind == _SINT32 and type_ == _REAL64):
        raise node.error(s.WBEMMOF_E_TYPE_MISMATCH, f"{node.name}: the value is of another type", at)
    if type_ == _REAL64:
        return float(value)  # type: ignore[arg-type]
    if kind == _SINT32 and isinstance(value, int):
        if _SIGNED <= value < _UNSIGNED:
            return value - _UNSIGNED  # the bit pattern of a uint32, as automation has it
        return int(value) if isinstance(value, Char) else value
    return value
