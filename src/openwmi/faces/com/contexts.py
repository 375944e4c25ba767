"""IWbemContext: named values that travel with a call (calls.md G.1, model.md A-294)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openwmi.contract.context import Context
from openwmi.faces.com.calling import invalid, method, reserved
from openwmi.faces.com.guids import IID_IWbemContext
from openwmi.faces.com.unknown import IUnknown
from openwmi.faces.com.variants import NULL, VARIANT, is_null
from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_UNEXPECTED, WBEM_S_NO_MORE_DATA

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openwmi.faces.com.calling import Outs


class IWbemContext(IUnknown):
    """A set of named values. Names are case-insensitive; flags are always 0."""

    interfaces_ = (IID_IWbemContext,)

    def __init__(self, values: Context | None = None) -> None:
        self._values = values if values is not None else Context()
        self._enumeration: Iterator[tuple[str, object]] | None = None

    def values_(self) -> Context:
        """The values as the service takes them."""
        return self._values

    @method("ppNewCopy")
    def Clone(self, *, out: Outs = None) -> tuple[int, IWbemContext | None]:
        return 0, IWbemContext(Context({name: _copied(value) for name, value in self._values.items()}))

    @method("pNames")
    def GetNames(self, lFlags: int, *, out: Outs = None) -> tuple[int, list[str] | None]:
        reserved(lFlags)
        return 0, self._values.names()

    @method()
    def BeginEnumeration(self, lFlags: int) -> int:
        reserved(lFlags)
        self._enumeration = self._values.items()
        return 0

    @method("pstrName", "pValue", optional=("pstrName", "pValue"))
    def Next(self, lFlags: int, *, out: Outs = None) -> tuple[int, str | None, Any]:
        """(hr, name, value); WBEM_S_NO_MORE_DATA at the end, WBEM_E_UNEXPECTED before BeginEnumeration (G2)."""
        reserved(lFlags)
        if self._enumeration is None:
            raise error(WBEM_E_UNEXPECTED, "IWbemContext::Next before BeginEnumeration")
        for name, value in self._enumeration:
            return 0, name, _shown(value)
        return WBEM_S_NO_MORE_DATA, None, None

    @method()
    def EndEnumeration(self) -> int:
        if self._enumeration is None:
            raise error(WBEM_E_UNEXPECTED, "IWbemContext::EndEnumeration before BeginEnumeration")
        self._enumeration = None
        return 0

    @method()
    def SetValue(self, wszName: str | None, lFlags: int, pValue: Any) -> int:
        """Store a copy of a value under a name, replacing one that is there."""
        reserved(lFlags)
        if pValue is NULL:
            raise invalid("the value is a NULL pointer", "pValue")
        self._values.set(_name(wszName), _stored(pValue))
        return 0

    @method("pValue")
    def GetValue(self, wszName: str | None, lFlags: int, *, out: Outs = None) -> tuple[int, Any]:
        reserved(lFlags)
        return 0, _shown(self._values.value(_name(wszName)))

    @method()
    def DeleteValue(self, wszName: str | None, lFlags: int) -> int:
        reserved(lFlags)
        self._values.delete(_name(wszName))
        return 0

    @method()
    def DeleteAll(self) -> int:
        self._values.clear()
        return 0


def values_of(context: object) -> Context | None:
    """The values of a context argument; None for NULL, INVALID_PARAMETER for what is no context."""
    if context is None:
        return None
    if not isinstance(context, IWbemContext):
        raise invalid("the context is no IWbemContext", "pCtx")
    return context.values_()


def _name(name: str | None) -> str:
    if not name:
        raise invalid("the name is NULL", "wszName")
    return name


def _stored(value: Any) -> object:
    """A VARIANT as the service keeps it: objects as their content (a copy, G3), arrays as lists of their own."""
    if is_null(value):
        return None
    if isinstance(value, VARIANT):
        value = value.value
    if hasattr(value, "snapshot_"):
        return value.snapshot_()
    if isinstance(value, (list, tuple)):
        return [_stored(element) for element in value]
    if isinstance(value, (bytes, bytearray)):
        return list(value)
    if isinstance(value, (bool, int, float, str)):
        return value
    raise invalid(f"a context cannot hold a {type(value).__name__}", "pValue")


def _copied(value: object) -> object:
    return [_copied(element) for element in value] if isinstance(value, list) else value


def _shown(value: Any) -> Any:
    if isinstance(value, list):
        return [_shown(element) for element in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    from openwmi.faces.com.objects import class_object

    return class_object(value)
