# Written from openwmi/faces/aio/__init__.py by tools/generate_sync.py: change that one.
"""The synchronous face: `with openwmi.sync.connect() as wmi` (DESIGN.md section 4)."""

from __future__ import annotations

from openwmi.faces.sync.call import Call
from openwmi.faces.sync.connection import Connection, connect
from openwmi.faces.sync.objects import Batches, Objects, Query, Reading
from openwmi.faces.sync.subscription import Subscription

__all__ = ["Batches", "Call", "Connection", "Objects", "Query", "Reading", "Subscription", "connect"]
