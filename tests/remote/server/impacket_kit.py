"""What impacket leaves to whoever uses it: its connections, kept in class attributes and forgotten there."""

from __future__ import annotations

import contextlib
import gc
from typing import Any


def close_everything() -> None:
    """Close every connection of impacket's, those that it has overwritten included."""
    from impacket.dcerpc.v5 import dcomrt, transport

    transports: Any = (transport.TCPTransport,)
    for one in gc.get_objects():
        if isinstance(one, transports):
            with contextlib.suppress(Exception):
                one.disconnect()  # type: ignore[attr-defined]
    dcomrt.INTERFACE.CONNECTIONS.clear()
    dcomrt.DCOMConnection.PORTMAPS.clear()
