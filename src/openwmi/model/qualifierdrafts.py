"""Live qualifier sets of an object that is being edited, as IWbemQualifierSet shows them (model.md A6, A-215)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from openwmi.model.cimtypes import ARRAY, INTEGER_RANGES, CimType
from openwmi.model.errors import error
from openwmi.model.listing import LOCAL_ONLY, PROPAGATED_ONLY
from openwmi.model.names import check_member_name
from openwmi.model.qualifiers import ORIGIN_MASK, PROPAGATED, Qualifier, QualifierSet, check_qualifiers
from openwmi.model.status import (
    WBEM_E_INVALID_PARAMETER,
    WBEM_E_INVALID_QUALIFIER,
    WBEM_E_INVALID_QUALIFIER_TYPE,
    WBEM_E_NOT_FOUND,
    WBEM_E_PROPAGATED_QUALIFIER,
    WBEM_S_NO_ERROR,
    WBEM_S_RESET_TO_DEFAULT,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_TYPES: Final[dict[type, CimType]] = {
    bool: CimType.BOOLEAN,
    int: CimType.SINT32,
    float: CimType.REAL64,
    str: CimType.STRING,
}


class QualifierDraft:
    """The qualifiers of one owner: reads what is in force, writes what the owner itself declares.

    shown: gives the qualifiers in force; store: takes the new local ones, judges them as the owner must, and raises
    before anything has changed.
    """

    __slots__ = ("_on_instance", "_shown", "_store")

    def __init__(
        self,
        shown: Callable[[], QualifierSet],
        store: Callable[[QualifierSet], None],
        *,
        on_instance: bool = False,
    ) -> None:
        self._shown = shown
        self._store = store
        self._on_instance = on_instance

    def freeze(self) -> QualifierSet:
        """The qualifiers in force now."""
        return self._shown()

    def get(self, name: str) -> Qualifier:
        """NOT_FOUND when there is none of that name."""
        found = self._shown().get(name)
        if found is None:
            raise error(WBEM_E_NOT_FOUND, f"there is no qualifier {name}", parameter=name)
        return found

    def entries(self, flags: int = 0) -> list[Qualifier]:
        """All, or with LOCAL_ONLY or PROPAGATED_ONLY those of one origin (A-110)."""
        if flags not in (0, LOCAL_ONLY, PROPAGATED_ONLY):
            raise error(
                WBEM_E_INVALID_PARAMETER, f"the flags 0x{flags:X} are not possible here", parameter="lFlags"
            )
        shown = self._shown()
        if flags == LOCAL_ONLY:
            return list(shown.local())
        return list(shown.propagated() if flags else shown)

    def names(self, flags: int = 0) -> list[str]:
        return [one.name for one in self.entries(flags)]

    def put(self, name: str, value: Any, flavor: int = 0, code: int = 0) -> None:
        """Add a qualifier, change one, or override an inherited one; the type follows from the value unless given.

        INVALID_PARAMETER for NULL or for origin bits in the flavor, INVALID_FLAVOR, INVALID_QUALIFIER_TYPE,
        OVERRIDE_NOT_ALLOWED, and what the owner refuses (CANNOT_BE_KEY, INVALID_QUALIFIER).
        """
        check_member_name(name, "qualifier")
        if value is None:
            raise error(WBEM_E_INVALID_PARAMETER, f"qualifier {name}: the value is NULL", parameter=name)
        if flavor & ORIGIN_MASK:
            message = f"qualifier {name}: the flavor 0x{flavor:X} says where it comes from"
            raise error(WBEM_E_INVALID_PARAMETER, message, parameter=name)
        made = qualifier(name, value, flavor, code)
        check_qualifiers(QualifierSet((made,)), on_instance=self._on_instance)
        present = self._shown().get(name)
        if present is not None:
            made = made._replace(name=present.name)
        self._store(self._shown().local().with_(made))

    def delete(self, name: str) -> int:
        """Delete a local qualifier. WBEM_S_RESET_TO_DEFAULT when the inherited one shows again (A-108)."""
        found = self.get(name)
        if found.flavor & PROPAGATED:
            message = f"qualifier {found.name} is inherited"
            raise error(WBEM_E_PROPAGATED_QUALIFIER, message, parameter=name)
        if name.lower() == "cimtype":
            raise error(WBEM_E_INVALID_QUALIFIER, "the CIMTYPE qualifier cannot be deleted", parameter=name)
        self._store(self._shown().local().without(name))
        return WBEM_S_RESET_TO_DEFAULT if name in self._shown() else WBEM_S_NO_ERROR


def qualifier(name: str, value: Any, flavor: int = 0, code: int = 0) -> Qualifier:
    """A qualifier from a Python value; INVALID_QUALIFIER_TYPE when its type can be none (A-106)."""
    raw = tuple(value) if isinstance(value, list) else value
    sample = raw[0] if isinstance(raw, tuple) and raw else raw
    found = CimType.STRING if raw == () else _TYPES.get(type(sample))
    elements = raw if isinstance(raw, tuple) else (raw,)
    wanted = (found or 0) | (ARRAY if isinstance(raw, tuple) else 0)
    low, high = INTEGER_RANGES[CimType.SINT32]
    fits = found is not None and code in (0, wanted) and all(type(one) is type(sample) for one in elements)
    if not fits or (found == CimType.SINT32 and not all(low <= one <= high for one in elements)):
        message = f"qualifier {name}: only sint32, real64, string, boolean and arrays of these are possible"
        raise error(WBEM_E_INVALID_QUALIFIER_TYPE, message, parameter=name)
    return Qualifier(name, raw, wanted, flavor)
