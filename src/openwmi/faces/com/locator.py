"""IWbemLocator: log-on to a namespace (calls.md A.3)."""

from __future__ import annotations

import asyncio
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
from openwmi.faces.target import Remote, check_locale, resolve
from openwmi.model.errors import error
from openwmi.model.status import RPC_S_SERVER_UNAVAILABLE

if TYPE_CHECKING:
    from openwmi.contract.context import Context
    from openwmi.contract.services import Services
    from openwmi.faces.com.calling import Outs
    from openwmi.faces.com.contexts import IWbemContext
    from openwmi.faces.options import Auth
    from openwmi.remote.client import Credentials

_FLAGS: Final = (
    WBEM_FLAG_CONNECT_USE_MAX_WAIT | WBEM_FLAG_CONNECT_REPOSITORY_ONLY | WBEM_FLAG_CONNECT_PROVIDERS
)


# USE_MAX_WAIT: two minutes at most, even if the host is dead (A27).
_MAX_WAIT: Final = 120.0
# The longest silence of one step; the waiting times of methods are the callers' own.
_SILENCE: Final = 30.0


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
        context = values_of(pCtx)
        target = resolve(strNetworkResource, user=strUser, password=strPassword, authority=strAuthority)
        if isinstance(target, Remote):
            credentials = _credentials(strUser, strPassword, strAuthority)
            longest = _MAX_WAIT if lSecurityFlags & WBEM_FLAG_CONNECT_USE_MAX_WAIT else None
            return 0, _remote(target, credentials, strLocale, context, longest)
        return 0, _embedded(target.namespace, strLocale)


def _embedded(namespace: str, locale: str | None) -> IWbemServices:
    """A log-on to this machine's service, in this process."""
    from openwmi.host import local

    host = local()
    services = host.portal.run(host.services, namespace, None, locale)
    PROCESS.marshal()
    return IWbemServices(Connection(host.portal, services))


def _credentials(user: str | None, password: str | None, authority: str | None) -> Credentials:
    """Those of a log-on (A22 to A24): the authority forces a protocol, or names the domain."""
    from openwmi.remote.client import Credentials

    kind, _, name = (authority or "").partition(":")
    auth: Auth = "negotiate"
    if kind.lower() == "kerberos":
        auth = "kerberos"
    elif kind:
        auth = "ntlm"
        user = f"{name}\\{user}" if user else user
    return Credentials(user, password, auth=auth)


def _remote(
    target: Remote,
    credentials: Credentials,
    locale: str | None,
    context: Context | None,
    longest: float | None,
) -> IWbemServices:
    """A log-on to another machine. longest: seconds that it may take in all, None for as long as its steps may."""
    from openwmi.faces.outside import portal, reach

    async def connected() -> Services:
        async with asyncio.timeout(longest):
            return await reach(target, credentials, timeout=_SILENCE, locale=locale, context=context)

    there = portal()
    try:
        services = there.run(connected)
    except TimeoutError:
        raise error(RPC_S_SERVER_UNAVAILABLE, f"{target.host} did not answer within {longest:g} s") from None
    PROCESS.marshal()
    return IWbemServices(Connection(there, services))
