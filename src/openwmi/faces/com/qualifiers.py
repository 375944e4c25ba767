"""IWbemQualifierSet: the qualifiers of a class, an instance, a property or a method, live (model.md A6, A-215)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from openwmi.faces.com import constants as c
from openwmi.faces.com.calling import invalid, method, reserved
from openwmi.faces.com.guids import IID_IWbemQualifierSet
from openwmi.faces.com.unknown import IUnknown
from openwmi.faces.com.variants import NULL, VARIANT, from_variant, inferred_type, is_null, to_variant
from openwmi.model.cimtypes import ARRAY, CimType
from openwmi.model.errors import error
from openwmi.model.names import check_member_name
from openwmi.model.qualifiers import EMPTY, PROPAGATED, Qualifier, QualifierSet, check_qualifiers
from openwmi.model.status import (
    WBEM_E_INVALID_QUALIFIER_TYPE,
    WBEM_E_NOT_FOUND,
    WBEM_E_PROPAGATED_QUALIFIER,
    WBEM_E_UNEXPECTED,
    WBEM_S_NO_ERROR,
    WBEM_S_NO_MORE_DATA,
    WBEM_S_RESET_TO_DEFAULT,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from openwmi.faces.com.calling import Outs

_ORIGINS: Final = (0, c.WBEM_FLAG_LOCAL_ONLY, c.WBEM_FLAG_PROPAGATED_ONLY)
_ORIGIN_BITS: Final = c.WBEM_FLAVOR_MASK_ORIGIN
_VTS: Final = (c.VT_I4, c.VT_R8, c.VT_BSTR, c.VT_BOOL)
_TYPES: Final = (CimType.SINT32, CimType.REAL64, CimType.STRING, CimType.BOOLEAN)


class Holder(NamedTuple):
    """Whose qualifiers they are: how to read them all, how to write the local ones (with inherited ones that show
    again), and what is inherited."""

    read: Callable[[], QualifierSet]
    write: Callable[[QualifierSet, QualifierSet], None]
    inherited: Callable[[], QualifierSet]
    on_instance: bool = False


class IWbemQualifierSet(IUnknown):
    """A set of qualifiers; changes apply to the object it was taken from."""

    interfaces_ = (IID_IWbemQualifierSet,)

    def __init__(self, holder: Holder) -> None:
        self._holder = holder
        self._enumeration: Iterator[Qualifier] | None = None

    @method("pVal", "plFlavor", optional=("pVal", "plFlavor"))
    def Get(self, wszName: str | None, lFlags: int, *, out: Outs = None) -> tuple[int, Any, int | None]:
        """(hr, value, flavor)."""
        reserved(lFlags)
        found = self._found(wszName)
        return 0, to_variant(found.value, found.type), found.flavor

    @method()
    def Put(self, wszName: str | None, pVal: Any, lFlavor: int) -> int:
        """Set a qualifier. Values: sint32, real64, string, boolean and arrays of these (A-106); flavor: who inherits
        it and who may override it, without the bits that say where it comes from."""
        check_member_name(wszName or "", "qualifier")
        if pVal is NULL:
            raise invalid("the value is a NULL pointer", "pVal")
        if not isinstance(lFlavor, int) or lFlavor & _ORIGIN_BITS:
            raise invalid(f"not a flavor to set: {lFlavor!r}", "lFlavor")
        code = _type_of(pVal)
        raw = from_variant(pVal, code, name=wszName or "")
        present = self._holder.read().get(wszName or "")
        name = wszName if present is None else present.name
        made = Qualifier(name or "", raw, code, lFlavor)
        check_qualifiers(QualifierSet((made,)), on_instance=self._holder.on_instance)
        self._holder.write(self._holder.read().local().with_(made), EMPTY)
        return 0

    @method()
    def Delete(self, wszName: str | None) -> int:
        """WBEM_S_RESET_TO_DEFAULT when the inherited qualifier shows again (A-108)."""
        found = self._found(wszName)
        if found.flavor & PROPAGATED:
            raise error(
                WBEM_E_PROPAGATED_QUALIFIER, f"qualifier {found.name} is inherited", parameter=found.name
            )
        inherited = self._holder.inherited().get(found.name)
        restored = EMPTY if inherited is None else QualifierSet((inherited,))
        self._holder.write(self._holder.read().local().without(found.name), restored)
        return WBEM_S_RESET_TO_DEFAULT if restored else WBEM_S_NO_ERROR

    def _found(self, name: str | None) -> Qualifier:
        if not name:
            raise invalid("the name is NULL", "wszName")
        found = self._holder.read().get(name)
        if found is None:
            raise error(WBEM_E_NOT_FOUND, f"there is no qualifier {name}", parameter=name)
        return found

    @method("pNames")
    def GetNames(self, lFlags: int, *, out: Outs = None) -> tuple[int, list[str] | None]:
        """(hr, names): all, WBEM_FLAG_LOCAL_ONLY or WBEM_FLAG_PROPAGATED_ONLY (A-110)."""
        return 0, [one.name for one in self._chosen(lFlags)]

    @method()
    def BeginEnumeration(self, lFlags: int) -> int:
        self._enumeration = iter(self._chosen(lFlags))
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

    def _chosen(self, flags: int) -> QualifierSet:
        if flags not in _ORIGINS:
            raise invalid(f"not an origin of qualifiers: {flags!r}", "lFlags")
        every = self._holder.read()
        if flags == c.WBEM_FLAG_LOCAL_ONLY:
            return every.local()
        return every.propagated() if flags == c.WBEM_FLAG_PROPAGATED_ONLY else every


def _type_of(value: Any) -> int:
    """The type of a qualifier's value; INVALID_QUALIFIER_TYPE for one that no qualifier can have."""
    code = inferred_type(value)
    vt_fits = not isinstance(value, VARIANT) or value.vt & ~c.VT_ARRAY in _VTS
    if is_null(value) or not vt_fits or code is None or code & ~ARRAY not in _TYPES:
        raise error(
            WBEM_E_INVALID_QUALIFIER_TYPE,
            "a qualifier is a sint32, real64, string, boolean or an array of these",
            parameter="pVal",
        )
    return code
