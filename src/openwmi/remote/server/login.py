"""The object that activation makes: IWbemLevel1Login and what hangs on it ([MS-WMI] 3.1.4.1, 3.1.4.8, 3.1.4.9)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from openwmi.model.errors import error
from openwmi.model.status import E_NOTIMPL, WBEM_E_INVALID_PARAMETER, WBEM_E_NOT_SUPPORTED
from openwmi.remote.inbound import Incoming, interface
from openwmi.remote.server.services import ServicesObject
from openwmi.wire.wmi import guids
from openwmi.wire.wmi import login as w

if TYPE_CHECKING:
    from openwmi.remote.server.server import Server

_TOLERATED: Final = 0x40 | 0x100  # CONNECT_REPOSITORY_ONLY and CONNECT_PROVIDERS mean nothing here (A35)
_UNKNOWN_LOCALES_IGNORED: Final = 1


class Login:
    """Logs its caller on to namespaces, as often as asked."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def released(self) -> None:
        """Nothing hangs on it."""

    def _establish(self, incoming: Incoming, asked: w.EstablishPosition) -> w.EstablishPositionAnswer:
        return w.EstablishPositionAnswer(_UNKNOWN_LOCALES_IGNORED)

    def _challenge(self, incoming: Incoming, asked: w.Unread) -> w.Challenge:
        return w.Challenge(bytes(16), WBEM_E_NOT_SUPPORTED)

    def _wbem_login(self, incoming: Incoming, asked: w.Unread) -> w.LoginAnswer:
        return w.LoginAnswer(None, E_NOTIMPL)

    async def _log_in(self, incoming: Incoming, asked: w.NtlmLogin) -> w.LoginAnswer:
        if asked.namespace is None:
            raise error(WBEM_E_INVALID_PARAMETER, "NTLMLogin: the namespace is NULL")
        if asked.flags & ~_TOLERATED:
            raise error(
                WBEM_E_INVALID_PARAMETER, f"NTLMLogin does not take flags 0x{asked.flags & 0xFFFFFFFF:X}"
            )
        services = await self._server.log_on(
            incoming.identity,
            local_part(asked.namespace),
            address=incoming.association.peer.host,
            auth_level=incoming.level,
            locale=asked.locale,
        )
        made = ServicesObject(self._server, services)
        return w.LoginAnswer(self._server.give(made, guids.IWbemServices.uuid, incoming))

    def _client_info(self, incoming: Incoming, asked: Any) -> w.Result:
        """Whatever a client says of itself without proof is worth no record."""
        return w.Result()

    interfaces: ClassVar = {
        guids.IWbemLevel1Login.uuid: interface(
            (w.ESTABLISH_POSITION, _establish),
            (w.REQUEST_CHALLENGE, _challenge),
            (w.WBEM_LOGIN, _wbem_login),
            (w.NTLM_LOGIN, _log_in),
        ),
        guids.IWbemLoginClientID.uuid: interface((w.SET_CLIENT_INFO, _client_info)),
        guids.IWbemLoginClientIDEx.uuid: interface(
            (w.SET_CLIENT_INFO, _client_info), (w.SET_CLIENT_INFO_EX, _client_info)
        ),
        guids.IWbemLoginHelper.uuid: interface((w.SET_EVENT, _client_info)),
    }


def local_part(resource: str) -> str:
    r"""The namespace of a resource, without the server: the client has found us by whatever name it knows us.

    Accepted are `\\host\root\x`, `//./root/x` and `root/x`; what is no path at all is left for the log-on to refuse.
    """
    path = resource.replace("/", "\\")
    if not path.startswith("\\\\"):
        return path
    server, backslash, namespace = path[2:].partition("\\")
    return namespace if server and backslash else path
