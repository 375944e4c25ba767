"""Kerberos, both roles, DCE style (wire.md 4.5; [MS-KILE] 3.4.5): handshakes, and signed and sealed messages.

The protocol itself is MIT's or Heimdal's, through the optional package gssapi, which is imported when it is needed.
Only `Initiator.prepare` talks to a KDC; everything else takes bytes and gives bytes.
"""

from openwmi.wire.kerberos.acceptor import Acceptor
from openwmi.wire.kerberos.credential import Credential, ServiceKeys
from openwmi.wire.kerberos.gss import NoTicket
from openwmi.wire.kerberos.initiator import Initiator

__all__ = ["Acceptor", "Credential", "Initiator", "NoTicket", "ServiceKeys"]
