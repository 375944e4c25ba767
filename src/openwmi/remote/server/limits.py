"""What clients may ask of the DCOM server at once (calls.md H, DESIGN.md section 5)."""

from __future__ import annotations

from dataclasses import dataclass, field

from openwmi.remote.inbound.limits import ExporterLimits, ListenerLimits


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """held, held_per_user: objects that the results of enumerators keep, of one and of all of a user together; what is
    beyond ends its operation with QUOTA_VIOLATION.

    page, page_size: of one answer of an enumerator, in objects and, within a few hundred objects, in bytes; proxies:
    clients' numbers for one smart enumerator; ready: bytes of objects up to which the next answer is made before it is
    asked for.

    Callbacks: objects, size: of one Indicate, in objects and bytes; patience: seconds until a sink has answered (C7);
    sinks, sinks_per_user: that wait for callbacks; the excess gets SERVER_TOO_BUSY or QUOTA_VIOLATION.
    """

    held: int = 250_000
    held_per_user: int = 1_000_000
    page: int = 10_000
    page_size: int = 8 << 20
    proxies: int = 16
    ready: int = 64 << 10
    objects: int = 100
    size: int = 64 << 10
    patience: float = 30.0
    sinks: int = 10_000
    sinks_per_user: int = 2_000
    listener: ListenerLimits = field(default_factory=ListenerLimits)
    exporter: ExporterLimits = field(default_factory=ExporterLimits)
