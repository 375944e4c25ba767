"""SPNEGO by hand, both roles (RFC 4178, [MS-SPNG]): which mechanism logs on, and proof that nobody chose for us."""

from openwmi.wire.spnego.acceptor import SpnegoAcceptor
from openwmi.wire.spnego.choice import accepting, initiating
from openwmi.wire.spnego.initiator import SpnegoInitiator
from openwmi.wire.spnego.mechanisms import KERBEROS, KERBEROS_MICROSOFT, NTLM, Mechanism, without_frame

__all__ = [
    "KERBEROS",
    "KERBEROS_MICROSOFT",
    "NTLM",
    "Mechanism",
    "SpnegoAcceptor",
    "SpnegoInitiator",
    "accepting",
    "initiating",
    "without_frame",
]
