"""IWbemQualifierSet: the qualifiers of a class, an instance, a property or a method, live (model.md A6, A-215)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openwmi.faces.com.calling import invalid, method, reserved
from openwmi.faces.com.guids import IID_IWbemQualifierSet
from openwmi.faces.com.unknown import IUnknown
from openwmi.faces.com.variants import NULL, VARIANT, inferred_type, is_null, to_variant
from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_INVALID_QUALIFIER_TYPE, WBEM_E_UNEXPECTED, WBEM_S_NO_MORE_DATA

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from openwmi.faces.com.calling import Outs
    from openwmi.model.drafts import QualifierDraft
    from openwmi.model.qualifiers import Qualifier


class IWbemQualifierSet(IUnknown):
    """A set of qualifiers; changes apply to the object it was taken from.

    find: gives the set as the object has it now; with True the superclass is at hand, so that what an override hides
    can show again.
    """

    interfaces_ = (IID_IWbemQualifierSet,)

    def __init__(self, find: Callable[[bool], QualifierDraft]) -> None:
        self._find = find
        self._enumeration: Iterator[Qualifier] | None = None

    @method("pVal", "plFlavor", optional=("pVal", "plFlavor"))
    def Get(self, wszName: str | None, lFlags: int, *, out: Outs = None) -> tuple[int, Any, int | None]:
        """(hr, value, flavor)."""
        reserved(lFlags)
        found = self._find(False).get(_given(wszName))
        return 0, to_variant(found.value, found.type), found.flavor

    @method()
    def Put(self, wszName: str | None, pVal: Any, lFlavor: int) -> int:
        """Set a qualifier. Values: sint32, real64, string, boolean and arrays of these (A-106); flavor: who inherits
        it and who may override it, without the bits that say where it comes from."""
        name = _given(wszName)
        if pVal is NULL:
            raise invalid("the value is a NULL pointer", "pVal")
        if is_null(pVal):
            raise error(
                WBEM_E_INVALID_QUALIFIER_TYPE, f"qualifier {name} cannot be VT_NULL", parameter="pVal"
            )
        value, code = pVal, 0
        if isinstance(pVal, VARIANT):
            value, code = pVal.value, inferred_type(pVal) or 0
        self._find(False).put(name, value, lFlavor, code)
        return 0

    @method()
    def Delete(self, wszName: str | None) -> int:
        """WBEM_S_RESET_TO_DEFAULT when the inherited qualifier shows again (A-108)."""
        return self._find(True).delete(_given(wszName))

    @method("pNames")
    def GetNames(self, lFlags: int, *, out: Outs = None) -> tuple[int, list[str] | None]:
        """(hr, names): all, WBEM_FLAG_LOCAL_ONLY or WBEM_FLAG_PROPAGATED_ONLY (A-110)."""
        return 0, self._find(False).names(lFlags)

    @method()
    def BeginEnumeration(self, lFlags: int) -> int:
        self._enumeration = iter(self._find(False).entries(lFlags))
        return 0

    @method("pstrName", "pVal", "plFlavor", optional=("pstrName", "pVal", "plFlavor"))
    def Next(self, lFlags: int, *, out: Outs = None) -> tuple[int, str | None, Any, int | None]:
        """(hr, name, value, flavor); WBEM_S_NO_MORE_DATA at the end, WBEM_E_UNEXPECTED before BeginEnumeration."""
        reserved(lFlags)
        if self._enumeration is None:
            raise error(WBEM_E_UNEXPECTED, "IWbemQualifierSet::Next before BeginEnumeration")
        for one in self._enumeration:
            return 0, one.name, to_variant(one.value, one.type), one.flavor
        return WBEM_S_NO_MORE_DATA, None, None, None

    @method()
    def EndEnumeration(self) -> int:
        self._enumeration = None
        return 0


def _given(name: str | None) -> str:
    if not isinstance(name, str) or not name:
        raise invalid("the name is NULL", "wszName")
    return name
