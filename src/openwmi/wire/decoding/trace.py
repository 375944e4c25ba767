"""A live connection, PDU by PDU, as lines of JSON: what `--trace FILE` writes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from openwmi.wire.decoding.association import Association, Record
from openwmi.wire.decoding.calls import Objects
from openwmi.wire.decoding.segments import Address

if TYPE_CHECKING:
    from collections.abc import Callable

    from openwmi.wire.rpc.connection import Connection


class Trace:
    """Where the lines of all connections of a program go.

    write: takes one line at a time, with its end; now: seconds since 1970. Connections share what is known of objects.
    """

    def __init__(self, write: Callable[[str], object], now: Callable[[], float]) -> None:
        self._write = write
        self._now = now
        self._objects = Objects()
        self._connections = 0

    def watch(self, connection: Connection, *, peer: tuple[str, int], local: tuple[str, int]) -> None:
        """Write every PDU of a connection from here on, decoded, both ways. peer, local: hosts and ports."""
        far, near = str(Address(*peer)), str(Address(*local))
        association = Association(self._objects)
        self._connections += 1
        number = self._connections

        def seen(data: bytes, stub: bytes | None, *, outgoing: bool) -> None:
            ends = (near, far) if outgoing else (far, near)
            place = {"time": round(self._now(), 6), "connection": number, "from": ends[0], "to": ends[1]}
            self._put({**place, **_said(association, data, stub)})

        connection.observer = seen

    def _put(self, record: Record) -> None:
        self._write(json.dumps(record, ensure_ascii=True, separators=(",", ":")) + "\n")


def _said(association: Association, data: bytes, stub: bytes | None) -> Record:
    """What a PDU says. A trace must not break the connection that it watches, whatever a peer has sent."""
    try:
        return association.pdu(data, stub)
    except Exception as error:  # noqa: BLE001
        return {"error": f"not decoded: {type(error).__name__}: {error}", "size": len(data)}
