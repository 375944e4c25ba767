"""Calls that come in, for the server's objects and for the sinks that a client exports alike.

`Listener` has the sockets and one association per connection; `Exporter` has the objects, their references and pings,
and answers IRemUnknown(2) and IObjectExporter. Nothing here knows WMI.
"""

from __future__ import annotations

from openwmi.remote.inbound.addresses import Addresses
from openwmi.remote.inbound.association import Association
from openwmi.remote.inbound.exporter import ANYONE, Exporter
from openwmi.remote.inbound.incoming import Exported, Fault, Incoming, Interface, interface
from openwmi.remote.inbound.limits import ExporterLimits, ListenerLimits
from openwmi.remote.inbound.listener import Listener

__all__ = [
    "ANYONE",
    "Addresses",
    "Association",
    "Exported",
    "Exporter",
    "ExporterLimits",
    "Fault",
    "Incoming",
    "Interface",
    "Listener",
    "ListenerLimits",
    "interface",
]
