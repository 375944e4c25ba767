"""CoCreateInstance: the classes that a program can create."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openwmi.faces.com import constants as c
from openwmi.faces.com import guids
from openwmi.faces.com.calling import Failure, method
from openwmi.faces.com.process import initialised

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from openwmi.faces.com.calling import Outs
    from openwmi.faces.com.unknown import IUnknown

_CONTEXTS = c.CLSCTX_INPROC_SERVER | c.CLSCTX_LOCAL_SERVER


def _classes() -> dict[UUID, Callable[[], IUnknown]]:
    from openwmi.faces.com.apartment import IWbemUnsecuredApartment
    from openwmi.faces.com.contexts import IWbemContext
    from openwmi.faces.com.locator import IWbemLocator
    from openwmi.faces.com.objecttext import IWbemObjectTextSrc
    from openwmi.faces.com.paths import IWbemPath
    from openwmi.faces.com.statustext import IWbemStatusCodeText

    return {
        guids.CLSID_WbemLocator: IWbemLocator,
        guids.CLSID_WbemDefPath: IWbemPath,
        guids.CLSID_WbemContext: IWbemContext,
        guids.CLSID_UnsecuredApartment: IWbemUnsecuredApartment,
        guids.CLSID_WbemStatusCodeText: IWbemStatusCodeText,
        guids.CLSID_WbemObjectTextSrc: IWbemObjectTextSrc,
    }


@method("ppv")
def CoCreateInstance(
    rclsid: object, pUnkOuter: None, dwClsContext: int, riid: object, *, out: Outs = None
) -> tuple[int, Any]:
    """(hr, object): a new object of a class, under the interface asked for.

    REGDB_E_CLASSNOTREG for a class this face does not have, E_NOINTERFACE for an interface the class does not have,
    CLASS_E_NOAGGREGATION with an outer object, CO_E_NOTINITIALIZED before CoInitializeEx.
    """
    initialised()
    if not isinstance(dwClsContext, int) or not dwClsContext:
        raise Failure(c.E_INVALIDARG)
    make = _classes().get(guids.as_guid(rclsid)) if dwClsContext & _CONTEXTS else None  # type: ignore[arg-type]
    if make is None:
        raise Failure(c.REGDB_E_CLASSNOTREG)
    if pUnkOuter is not None:
        raise Failure(c.CLASS_E_NOAGGREGATION)
    subject = make()
    hr, found = subject.QueryInterface(riid)
    subject.Release()
    return hr, found
