"""RPC, DCOM and WMIO made readable: captures, hex dumps and live connections become records. Nothing here does I/O.

`decode` takes the bytes of a file and gives records; `Trace` gives one JSON line for every PDU of a live connection.
Records are dictionaries ready for JSON, without secrets: no response, key, hash or ticket of a handshake is in them.
"""

from openwmi.wire.decoding.files import decode, decode_capture
from openwmi.wire.decoding.kerberos.keytab import read_keytab
from openwmi.wire.decoding.keys import Keys
from openwmi.wire.decoding.trace import Trace

__all__ = ["Keys", "Trace", "decode", "decode_capture", "read_keytab"]
