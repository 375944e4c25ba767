"""The asynchronous face: `async with openwmi.connect() as wmi` (DESIGN.md section 4)."""

from __future__ import annotations

from openwmi.faces.aio.call import Call
from openwmi.faces.aio.connection import Connection, connect
from openwmi.faces.aio.objects import Batches, Objects, Query, Reading
from openwmi.faces.aio.subscription import Subscription

__all__ = ["Batches", "Call", "Connection", "Objects", "Query", "Reading", "Subscription", "connect"]
