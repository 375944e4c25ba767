"""Limits and waiting times of a running service; the defaults are the documented ones (calls.md H, C7; DESIGN.md 1)."""

from __future__ import annotations


class Settings:
    """One service's settings. Plain attributes: they may be changed while the service runs.

    sink_patience: seconds one callback may take before its call is ended (C7).
    cancel_wait: seconds CancelAsyncCall waits for a running callback (DESIGN.md section 1).
    max_calls, max_calls_per_user: pending operations; the excess gets WBEM_E_SERVER_TOO_BUSY or QUOTA_VIOLATION (H2).
    provider_threads: threads one provider may hold; further calls wait without a thread (H11: ThreadsPerHost 256).
    """

    __slots__ = ("cancel_wait", "max_calls", "max_calls_per_user", "provider_threads", "sink_patience")

    def __init__(self) -> None:
        self.sink_patience = 30.0
        self.cancel_wait = 1.0
        self.max_calls = 5000
        self.max_calls_per_user = 5000
        self.provider_threads = 256
