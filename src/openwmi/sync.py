"""The synchronous face under its public name: `with openwmi.sync.connect() as wmi`."""

from __future__ import annotations

from openwmi.faces.sync import Batches, Call, Connection, Objects, Query, Reading, Subscription, connect

__all__ = ["Batches", "Call", "Connection", "Objects", "Query", "Reading", "Subscription", "connect"]
