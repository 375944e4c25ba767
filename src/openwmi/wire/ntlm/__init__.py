"""NTLM, version 2 only, both roles ([MS-NLMP]): handshakes, and messages signed and sealed under their keys.

LM and NTLMv1 do not exist here: a peer that sends them is refused. Secrets enter as an NT hash and show up in no repr
and in no error.
"""

from openwmi.wire.ntlm.acceptor import Acceptor, ServerNames
from openwmi.wire.ntlm.credential import Credential
from openwmi.wire.ntlm.initiator import Initiator
from openwmi.wire.ntlm.keys import nt_hash

__all__ = ["Acceptor", "Credential", "Initiator", "ServerNames", "nt_hash"]
