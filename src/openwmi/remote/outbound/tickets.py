"""Kerberos tickets, fetched beside the loop: who talks to a KDC blocks for as long as the network likes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from openwmi.threads import Threads

if TYPE_CHECKING:
    from openwmi.wire.kerberos import Initiator

# They can be left behind (openwmi.threads).
_TICKETS: Final = Threads(32, name="openwmi-tickets")


async def fetched(context: Initiator) -> Initiator:
    """The context, with its ticket; raises what `wire.kerberos.Initiator.prepare` does."""
    await _TICKETS.run(context.prepare)
    return context
