"""Qualifiers: named values on classes, members and instances, and how they are inherited (model.md A6, A7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from openwmi.model.cimtypes import ARRAY, CimType
from openwmi.model.errors import error
from openwmi.model.status import (
    WBEM_E_INVALID_FLAVOR,
    WBEM_E_INVALID_QUALIFIER_TYPE,
    WBEM_E_OVERRIDE_NOT_ALLOWED,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Flavor bits.
TO_INSTANCE: Final = 1
TO_SUBCLASS: Final = 2
NOT_OVERRIDABLE: Final = 0x10
PROPAGATED: Final = 0x20
SYSTEM: Final = 0x40
AMENDED: Final = 0x80

ORIGIN_MASK: Final = 0x60

_VALUE_TYPES: Final = frozenset(
    code | array
    for code in (CimType.SINT32, CimType.REAL64, CimType.STRING, CimType.BOOLEAN)
    for array in (0, ARRAY)
)

# These reach subclasses whatever their flavor says: a key stays a key.
_ALWAYS: Final = frozenset(("key", "cimtype", "association", "singleton"))


class Qualifier(NamedTuple):
    """A qualifier: its name, raw value, type code and flavor bits."""

    name: str
    value: Any
    type: int
    flavor: int = 0


class QualifierSet:
    """An immutable set of qualifiers in declared order; names are case-insensitive."""

    __slots__ = ("_by_name",)

    def __init__(self, qualifiers: Iterable[Qualifier] = ()) -> None:
        """A repeated name replaces the earlier qualifier, in its place."""
        self._by_name = {one.name.lower(): one for one in qualifiers}

    def get(self, name: str) -> Qualifier | None:
        return self._by_name.get(name) or self._by_name.get(name.lower())

    def value(self, name: str, default: Any = None) -> Any:
        """The raw value of a qualifier, `default` when there is none of that name."""
        found = self.get(name)
        return default if found is None else found.value

    def truth(self, name: str) -> bool:
        """Whether the qualifier is there and TRUE."""
        found = self.get(name)
        return found is not None and found.value is True

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._by_name

    def __iter__(self) -> Iterator[Qualifier]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)

    def __eq__(self, other: object) -> bool:
        """Same qualifiers with same values, types and flavors; order and case of names aside."""
        if not isinstance(other, QualifierSet):
            return NotImplemented
        return self is other or (
            self._by_name.keys() == other._by_name.keys()
            and all(one[1:] == other._by_name[name][1:] for name, one in self._by_name.items())
        )

    def __hash__(self) -> int:
        return hash(frozenset((name, one[1:]) for name, one in self._by_name.items()))

    def __repr__(self) -> str:
        return f"QualifierSet({list(self)!r})"

    def with_(self, *qualifiers: Qualifier) -> QualifierSet:
        """These qualifiers added, or put in the place of those with the same names."""
        return QualifierSet((*self, *qualifiers)) if qualifiers else self

    def without(self, name: str) -> QualifierSet:
        """The set without one qualifier; the same set when there is none of that name."""
        lower = name.lower()
        if lower not in self._by_name:
            return self
        return QualifierSet(one for key, one in self._by_name.items() if key != lower)

    def local(self) -> QualifierSet:
        """Those that were declared here."""
        return QualifierSet(one for one in self if not one.flavor & PROPAGATED)

    def propagated(self) -> QualifierSet:
        """Those that were inherited."""
        return QualifierSet(one for one in self if one.flavor & PROPAGATED)

    def passed_on(self, to: int = TO_SUBCLASS) -> QualifierSet:
        """What a subclass (or instance: `to=TO_INSTANCE`) receives, marked as propagated."""
        if not self._by_name:
            return self
        made = [
            one if one.flavor & PROPAGATED else one._replace(flavor=one.flavor | PROPAGATED)
            for name, one in self._by_name.items()
            if (one.flavor & to or (to == TO_SUBCLASS and name in _ALWAYS)) and name != "abstract"
        ]
        return QualifierSet(made) if made else EMPTY

    def inherited_from(self, parent: QualifierSet, to: int = TO_SUBCLASS) -> QualifierSet:
        """These local qualifiers merged over what `parent` passes on: inherited ones first, in the parent's order.

        Overriding one that does not allow it with another value raises OVERRIDE_NOT_ALLOWED (A-107).
        """
        inherited = parent.passed_on(to)
        if not self._by_name:
            return inherited
        if not inherited._by_name:
            return self
        for name, one in self._by_name.items():
            above = inherited._by_name.get(name)
            if above is not None and above.flavor & NOT_OVERRIDABLE and one[1:3] != above[1:3]:
                raise error(
                    WBEM_E_OVERRIDE_NOT_ALLOWED,
                    f"qualifier {one.name} is inherited and cannot be overridden",
                    parameter=one.name,
                )
        return QualifierSet((*inherited, *self))


EMPTY: Final = QualifierSet()


def check_qualifiers(qualifiers: QualifierSet, *, on_instance: bool = False) -> None:
    """Raise for a value type or flavor that no qualifier can have (A-105, A-106, A-109)."""
    for one in qualifiers:
        if one.type not in _VALUE_TYPES:
            raise error(
                WBEM_E_INVALID_QUALIFIER_TYPE,
                f"qualifier {one.name}: only sint32, real64, string, boolean and arrays of these are possible",
                parameter=one.name,
            )
        wrong = one.flavor & ~0xF3 or (on_instance and one.flavor & TO_SUBCLASS)
        if wrong:
            raise error(
                WBEM_E_INVALID_FLAVOR,
                f"qualifier {one.name}: flavor 0x{one.flavor:X} is not possible here",
                parameter=one.name,
            )
