"""Proxies and their security: blankets, and who makes a callback (calls.md A7-A11, E.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from openwmi.faces.com import constants as c
from openwmi.faces.com import faults
from openwmi.faces.com.calling import Failure, method
from openwmi.faces.com.guids import IID_IClientSecurity
from openwmi.faces.com.process import PROCESS, Blanket
from openwmi.faces.com.unknown import IUnknown
from openwmi.faces.workers import client
from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_ACCESS_DENIED

if TYPE_CHECKING:
    from uuid import UUID

    from openwmi.faces.com.calling import Outs
    from openwmi.faces.com.connection import Connection

_AUTHN_SERVICES: Final = frozenset(
    (c.RPC_C_AUTHN_NONE, c.RPC_C_AUTHN_GSS_NEGOTIATE, c.RPC_C_AUTHN_WINNT, c.RPC_C_AUTHN_GSS_KERBEROS)
)
_BLANKET_OUTS: Final = ("pAuthzSvc", "pServerPrincName", "pAuthnLevel", "pImpLevel")
_QUERY_OUTS: Final = ("pAuthnSvc", *_BLANKET_OUTS, "pAuthInfo", "pCapabilites")
_PROXY_OUTS: Final = ("pwAuthnSvc", *_BLANKET_OUTS, "pAuthInfo", "pCapabilites")
_CLIENT_OUTS: Final = ("pAuthnSvc", *_BLANKET_OUTS, "pPrivs", "pCapabilities")


class Proxy(IUnknown):
    """An object that stands for one in the service: it has a blanket of its own (A7)."""

    def __init__(self, connection: Connection) -> None:
        self.connection_ = connection
        self.blanket_ = PROCESS.blanket()

    def interface_(self, iid: UUID) -> IUnknown | None:
        return IClientSecurity(self) if iid == IID_IClientSecurity else super().interface_(iid)

    def admitted_(self) -> Connection:
        """What leads to the service; refused on a released proxy and below the levels that the service asks for
        (A10, A11). Every method of a proxy begins here."""
        self.alive_()
        faults.begin(self.connection_)
        if self.blanket_.level < c.RPC_C_AUTHN_LEVEL_CONNECT:
            raise error(WBEM_E_ACCESS_DENIED, "the authentication level of the proxy is below CONNECT")
        if self.blanket_.impersonation < c.RPC_C_IMP_LEVEL_IMPERSONATE:
            raise error(WBEM_E_ACCESS_DENIED, "the impersonation level of the proxy is below IMPERSONATE")
        return self.connection_


def _chosen(
    present: Blanket,
    authn: int,
    authz: int,
    principal: Any,
    level: int,
    impersonation: int,
    auth: Any,
    caps: int,
) -> Blanket:
    """The blanket that CoSetProxyBlanket asks for; E_INVALIDARG for a value that does not exist."""
    default = PROCESS.blanket()
    if authn == c.RPC_C_AUTHN_DEFAULT:
        authn = default.authn_service
    if authz == c.RPC_C_AUTHZ_DEFAULT:
        authz = default.authz_service
    if level == c.RPC_C_AUTHN_LEVEL_DEFAULT:
        level = default.level
    if impersonation == c.RPC_C_IMP_LEVEL_DEFAULT:
        impersonation = default.impersonation
    fits = (
        authn in _AUTHN_SERVICES
        and authz in (c.RPC_C_AUTHZ_NONE, c.RPC_C_AUTHZ_NAME, c.RPC_C_AUTHZ_DCE)
        and level in range(c.RPC_C_AUTHN_LEVEL_NONE, c.RPC_C_AUTHN_LEVEL_PKT_PRIVACY + 1)
        and impersonation in range(c.RPC_C_IMP_LEVEL_ANONYMOUS, c.RPC_C_IMP_LEVEL_DELEGATE + 1)
        and isinstance(caps, int)
    )
    if not fits:
        raise Failure(c.E_INVALIDARG)
    if principal == c.COLE_DEFAULT_PRINCIPAL:
        principal = present.principal
    if auth == c.COLE_DEFAULT_AUTHINFO:
        auth = present.identity
    return Blanket(authn, authz, principal, level, impersonation, auth, caps)


def _proxy(pProxy: object) -> Proxy:
    if pProxy is None:
        raise Failure(c.E_INVALIDARG)
    if not isinstance(pProxy, Proxy):
        raise Failure(c.E_NOINTERFACE)
    return pProxy


class IClientSecurity(IUnknown):
    """The blanket of one proxy."""

    interfaces_ = (IID_IClientSecurity,)

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy

    @method(*_QUERY_OUTS, optional=_QUERY_OUTS)
    def QueryBlanket(self, pProxy: IUnknown, *, out: Outs = None) -> tuple[Any, ...]:
        """(hr, authentication service, authorisation service, principal, level, impersonation, identity, caps)."""
        return 0, *_proxy(pProxy).blanket_

    @method()
    def SetBlanket(
        self,
        pProxy: IUnknown,
        AuthnSvc: int,
        AuthzSvc: int,
        pServerPrincName: str | int | None,
        AuthnLevel: int,
        ImpLevel: int,
        pAuthInfo: Any,
        Capabilities: int,
    ) -> int:
        proxy = _proxy(pProxy)
        proxy.blanket_ = _chosen(
            proxy.blanket_,
            AuthnSvc,
            AuthzSvc,
            pServerPrincName,
            AuthnLevel,
            ImpLevel,
            pAuthInfo,
            Capabilities,
        )
        return c.S_OK

    @method("ppCopy")
    def CopyProxy(self, pProxy: IUnknown, *, out: Outs = None) -> tuple[int, Any]:
        """A private copy is not needed here: blankets are per object already."""
        raise Failure(c.E_NOTIMPL)


@method()
def CoSetProxyBlanket(
    pProxy: IUnknown,
    dwAuthnSvc: int,
    dwAuthzSvc: int,
    pServerPrincName: str | int | None,
    dwAuthnLevel: int,
    dwImpLevel: int,
    pAuthInfo: Any,
    dwCapabilities: int,
) -> int:
    """Set the security of one proxy, and of that one alone (A7). E_NOINTERFACE for an object that is no proxy."""
    return IClientSecurity(_proxy(pProxy)).SetBlanket(
        pProxy, dwAuthnSvc, dwAuthzSvc, pServerPrincName, dwAuthnLevel, dwImpLevel, pAuthInfo, dwCapabilities
    )


@method(*_PROXY_OUTS, optional=_PROXY_OUTS)
def CoQueryProxyBlanket(pProxy: IUnknown, *, out: Outs = None) -> tuple[Any, ...]:
    """(hr, authentication service, authorisation service, principal, level, impersonation, identity, capabilities)."""
    return 0, *_proxy(pProxy).blanket_


@method(*_CLIENT_OUTS, optional=_CLIENT_OUTS)
def CoQueryClientBlanket(pCapabilities: int = c.EOAC_NONE, *, out: Outs = None) -> tuple[Any, ...]:
    """Inside a callback: how its caller, the service, authenticated (E15). pPrivs is the caller's name as text.

    (hr, authentication service, authorisation service, principal, level, impersonation, pPrivs, capabilities);
    RPC_E_CALL_COMPLETE outside a callback.
    """
    blanket = client()
    if blanket is None:
        raise Failure(c.RPC_E_CALL_COMPLETE)
    return 0, *blanket
