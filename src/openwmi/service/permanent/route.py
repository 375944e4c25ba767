"""A binding at work: which way events go, and what has become of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openwmi.service.permanent.channel import Channel
    from openwmi.service.permanent.stored import Binding

ACTIVE = "active"
INACTIVE = "inactive"


class Route:
    """One binding. reason: why it is not active; seen: what was stored of it last."""

    __slots__ = (
        "binding",
        "channel",
        "delivered",
        "dropped",
        "failed",
        "last_delivery",
        "last_error",
        "last_failure",
        "last_text",
        "reason",
        "seen",
    )

    def __init__(self, binding: Binding) -> None:
        self.binding = binding
        self.channel: Channel | None = None
        self.reason: str | None = binding.trouble
        self.delivered = 0
        self.failed = 0
        self.dropped = 0
        self.last_error: int | None = None
        self.last_text: str | None = None
        self.last_failure: float | None = None
        self.last_delivery: float | None = None
        self.seen: dict[str, Any] | None = None

    @property
    def state(self) -> str:
        return ACTIVE if self.reason is None else INACTIVE
