"""COM of this process: initialisation, its security, and its strings (calls.md A.1)."""

from __future__ import annotations

import threading
from typing import Any, Final, NamedTuple

from openwmi.faces.com import constants as c
from openwmi.faces.com.calling import Failure, method


class Blanket(NamedTuple):
    """The security of one proxy, or of one callback as its receiver sees it."""

    authn_service: int = c.RPC_C_AUTHN_WINNT
    authz_service: int = c.RPC_C_AUTHZ_NONE
    principal: str | None = None
    level: int = c.RPC_C_AUTHN_LEVEL_PKT_PRIVACY
    impersonation: int = c.RPC_C_IMP_LEVEL_IMPERSONATE
    identity: Any = None
    capabilities: int = c.EOAC_NONE


class Process:
    """What COM knows of a process. There is one, :data:`PROCESS`."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.apartments = 0
        self.impersonation: int | None = None  # None until CoInitializeSecurity
        self.implicit = False  # COM had to choose the process's security itself (A3)

    def marshal(self) -> None:
        """The first interface pointer crosses a process boundary: too late for CoInitializeSecurity now (A3)."""
        with self.lock:
            if self.impersonation is None:
                self.implicit = True

    @property
    def secured(self) -> bool:
        """Whether the program has called CoInitializeSecurity, so that its sinks may be called (A1)."""
        return self.impersonation is not None

    def blanket(self) -> Blanket:
        """What a new proxy carries: the level negotiated with a local service (A8), the impersonation of the process,
        which is not negotiated (A6, A7)."""
        return Blanket() if self.impersonation is None else Blanket(impersonation=self.impersonation)


PROCESS: Final = Process()
# How often this thread has initialised COM, and for which kind of apartment.
_THREAD: Final = threading.local()


def initialised() -> None:
    """Refuse what needs CoInitializeEx before it was called."""
    if not PROCESS.apartments:
        raise Failure(c.CO_E_NOTINITIALIZED)


@method()
def CoInitializeEx(pvReserved: None, dwCoInit: int) -> int:
    """Initialise COM: S_OK the first time in the process, S_FALSE after that, RPC_E_CHANGED_MODE on a thread that had
    chosen the other kind of apartment."""
    known = c.COINIT_APARTMENTTHREADED | c.COINIT_DISABLE_OLE1DDE | c.COINIT_SPEED_OVER_MEMORY
    if pvReserved is not None or not isinstance(dwCoInit, int) or dwCoInit & ~known:
        raise Failure(c.E_INVALIDARG)
    mode = dwCoInit & c.COINIT_APARTMENTTHREADED
    if getattr(_THREAD, "depth", 0) and mode != _THREAD.mode:
        raise Failure(c.RPC_E_CHANGED_MODE)
    _THREAD.mode, _THREAD.depth = mode, getattr(_THREAD, "depth", 0) + 1
    with PROCESS.lock:
        PROCESS.apartments += 1
        return c.S_OK if PROCESS.apartments == 1 else c.S_FALSE


@method()
def CoInitialize(pvReserved: None) -> int:
    """CoInitializeEx for a single-threaded apartment."""
    return CoInitializeEx(pvReserved, c.COINIT_APARTMENTTHREADED)


@method()
def CoUninitialize() -> int:
    """Undo one CoInitializeEx. Objects that are still referenced go on working until they are released."""
    _THREAD.depth = max(0, getattr(_THREAD, "depth", 0) - 1)
    with PROCESS.lock:
        PROCESS.apartments = max(0, PROCESS.apartments - 1)
    return c.S_OK


@method()
def CoInitializeSecurity(
    pSecDesc: object,
    cAuthSvc: int,
    asAuthSvc: object,
    pReserved1: None,
    dwAuthnLevel: int,
    dwImpLevel: int,
    pAuthList: object,
    dwCapabilities: int,
    pReserved3: None,
) -> int:
    """Set the security of the process, once: RPC_E_TOO_LATE the second time and after the first proxy (A3).

    Without it no asynchronous call ever calls its sink (A1). The levels are checked as on Windows (A6); inside one
    process there is nobody else who could call in, so descriptor and services admit everyone (A5).
    """
    initialised()
    levels_fit = (
        dwAuthnLevel in range(c.RPC_C_AUTHN_LEVEL_DEFAULT, c.RPC_C_AUTHN_LEVEL_PKT_PRIVACY + 1)
        and dwImpLevel in range(c.RPC_C_IMP_LEVEL_ANONYMOUS, c.RPC_C_IMP_LEVEL_DELEGATE + 1)
        and isinstance(dwCapabilities, int)
    )
    if pReserved1 is not None or pReserved3 is not None or not levels_fit:
        raise Failure(c.E_INVALIDARG)
    if not isinstance(cAuthSvc, int) or cAuthSvc < -1 or (cAuthSvc > 0 and asAuthSvc is None):
        raise Failure(c.E_INVALIDARG)
    # EOAC_ACCESS_CONTROL: the descriptor is an IAccessControl; EOAC_APPID: an AppID, or NULL; never both.
    access_control, app_id = dwCapabilities & c.EOAC_ACCESS_CONTROL, dwCapabilities & c.EOAC_APPID
    if access_control and (app_id or pSecDesc is None):
        raise Failure(c.E_INVALIDARG)
    with PROCESS.lock:
        if PROCESS.implicit or PROCESS.impersonation is not None:
            raise Failure(c.RPC_E_TOO_LATE)
        PROCESS.impersonation = dwImpLevel
    return c.S_OK


def SysAllocString(psz: str | None) -> str | None:
    """A BSTR is a Python text: the identity. NULL gives NULL."""
    return psz


def SysFreeString(bstrString: str | None) -> None:
    """Nothing to free."""
