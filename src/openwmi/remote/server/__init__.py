"""The DCOM server: other people's clients log on to this machine's namespaces and call them ([MS-WMI] 3.1)."""

from __future__ import annotations

from openwmi.remote.server.limits import ServerLimits
from openwmi.remote.server.server import LogOn, Server

__all__ = ["LogOn", "Server", "ServerLimits"]
