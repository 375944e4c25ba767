"""IWbemLocator: log-on to a namespace (calls.md A.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from openwmi.contract.flags import (
    WBEM_FLAG_CONNECT_PROVIDERS,
    WBEM_FLAG_CONNECT_REPOSITORY_ONLY,
    WBEM_FLAG_CONNECT_USE_MAX_WAIT,
)
from openwmi.faces.com.calling import invalid, method
from openwmi.faces.com.connection import Connection
from openwmi.faces.com.contexts import values_of
from openwmi.faces.com.guids import IID_IWbemLocator
from openwmi.faces.com.process import PROCESS
from openwmi.faces.com.services import IWbemServices
from openwmi.faces.com.unknown import IUnknown
from openwmi.faces.target import Remote, check_locale, refuse, resolve

if TYPE_CHECKING:
    from openwmi.faces.com.calling import Outs
    from openwmi.faces.com.contexts import IWbemContext

_FLAGS: Final = (
    WBEM_FLAG_CONNECT_USE_MAX_WAIT | WBEM_FLAG_CONNECT_REPOSITORY_ONLY | WBEM_FLAG_CONNECT_PROVIDERS
)


class IWbemLocator(IUnknown):
    """Where every program starts."""

    interfaces_ = (IID_IWbemLocator,)

    @method("ppNamespace")
    def ConnectServer(
        self,
        strNetworkResource: str | None,
        strUser: str | None,
        strPassword: str | None,
        strLocale: str | None,
        lSecurityFlags: int,
        strAuthority: str | None,
        pCtx: IWbemContext | None,
        *,
        out: Outs = None,
    ) -> tuple[int, IWbemServices | None]:
        """(hr, services). NULL credentials are those of the process; for this machine nothing else is allowed (A25).

        0x800706BA when the host cannot be reached, INVALID_NAMESPACE when it has no such namespace.
        """
        if not isinstance(lSecurityFlags, int) or lSecurityFlags & ~_FLAGS:
            raise invalid(f"ConnectServer does not take flags {lSecurityFlags!r}", "lSecurityFlags")
        check_locale(strLocale)
        values_of(pCtx)
        target = resolve(strNetworkResource, user=strUser, password=strPassword, authority=strAuthority)
        if isinstance(target, Remote):
            refuse(target)
        return 0, _embedded(target.namespace, strLocale)


def _embedded(namespace: str, locale: str | None) -> IWbemServices:
    """A log-on to this machine's service, in this process."""
    from openwmi.host import local

    host = local()
    services = host.portal.run(host.services, namespace, None, locale)
    PROCESS.marshal()
    return IWbemServices(Connection(host.portal, services))
