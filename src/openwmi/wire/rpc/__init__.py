"""Connection-oriented RPC: PDUs, fragments, presentation and security contexts, one machine for both roles.

[C706] chapters 9 and 12, [MS-RPCE] 2.2.2 and 3.3. `ClientConnection` and `ServerConnection` take bytes and give events,
take calls and give bytes; everything else here is what they are made of.
"""

from openwmi.wire.rpc.client import ClientConnection
from openwmi.wire.rpc.constants import AuthLevel, AuthType, PduType
from openwmi.wire.rpc.groups import AssociationGroups
from openwmi.wire.rpc.limits import Limits
from openwmi.wire.rpc.security import SecurityContext
from openwmi.wire.rpc.server import ServerConnection
from openwmi.wire.rpc.syntax import NDR20, NDR64, SyntaxId

__all__ = [
    "NDR20",
    "NDR64",
    "AssociationGroups",
    "AuthLevel",
    "AuthType",
    "ClientConnection",
    "Limits",
    "PduType",
    "SecurityContext",
    "ServerConnection",
    "SyntaxId",
]
