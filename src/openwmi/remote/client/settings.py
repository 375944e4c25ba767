"""How patient the client is with its sinks and with other machines, and how much it asks for at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from openwmi.remote.outbound.network import NETWORK, Network

Delivery = Literal["auto", "sink", "poll"]


@dataclass(slots=True)
class Settings:
    """sink_patience, cancel_wait: as for the embedded service (calls.md C7, DESIGN.md section 1), in seconds.

    network: how one gets out, with its deadlines; page: objects asked for at a time; delivery: how sinks of the program
    hear of their objects; callback_wait: how long a server may take to come back to an exported sink, in seconds;
    callback_port: where servers look for sinks, that port and no other; 0 for 135 towards servers that are on 135
    themselves, and for any free port towards others; callback_objects: the port of the sinks themselves, where that is
    another one; log_ons: how many may be under way at a time in a loop, at least 1, of all that say the same number.
    """

    sink_patience: float = 30.0
    cancel_wait: float = 1.0
    page: int = 100
    delivery: Delivery = "auto"
    callback_wait: float = 10.0
    callback_port: int = 0
    callback_objects: int | None = None
    log_ons: int = 256
    network: Network = field(default=NETWORK)
