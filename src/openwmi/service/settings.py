"""Limits and waiting times of a running service; the defaults are the documented ones (calls.md H, C7; DESIGN.md 1)."""

from __future__ import annotations


class Settings:
    """One service's settings. Plain attributes: they may be changed while the service runs.

    sink_patience: seconds one callback may take before its call is ended (C7).
    cancel_wait: seconds CancelAsyncCall waits for a running callback (DESIGN.md section 1).
    max_calls, max_calls_per_user: pending operations; the excess gets WBEM_E_SERVER_TOO_BUSY or QUOTA_VIOLATION (H2).
    max_calls_per_account: of one remote caller, so that none can take all the others' room.
    event_queue: events that may wait for one subscription's sink; more end it with QUEUE_OVERFLOW (B90).
    event_drop_limit: events of earlier readings, or groups, that may still wait when the next ones come (H9, B90).
    subscriptions, subscriptions_per_user: temporary subscriptions; the excess gets QUOTA_VIOLATION (H5).
    event_memory_low, event_memory_high: bytes of events that may wait for all temporary subscriptions before providers
    are held up, and before the slowest ends (H7).
    polling, polling_per_user: classes that subscriptions have polled, each counted for itself; polling_memory,
    polling_memory_per_user: bytes of the instances that readings are compared with. Both: QUOTA_VIOLATION (H5, E-25).
    permanent_queues: bytes of events that may wait for the consumers of permanent subscriptions, of all together (H8).
    """

    __slots__ = (
        "cancel_wait",
        "event_drop_limit",
        "event_memory_high",
        "event_memory_low",
        "event_queue",
        "max_calls",
        "max_calls_per_account",
        "max_calls_per_user",
        "permanent_queues",
        "polling",
        "polling_memory",
        "polling_memory_per_user",
        "polling_per_user",
        "sink_patience",
        "subscriptions",
        "subscriptions_per_user",
    )

    def __init__(self) -> None:
        self.sink_patience = 30.0
        self.cancel_wait = 1.0
        self.max_calls = 5000
        self.max_calls_per_user = 5000
        self.max_calls_per_account = 2500
        self.permanent_queues = 10_000_000
        self.event_queue = 10_000
        self.event_drop_limit = 1_000
        self.event_memory_low = 10_000_000
        self.event_memory_high = 20_000_000
        self.polling = 10_000
        self.polling_per_user = 1_000
        self.polling_memory = 10_000_000
        self.polling_memory_per_user = 5_000_000
        self.subscriptions = 10_000
        self.subscriptions_per_user = 1_000
