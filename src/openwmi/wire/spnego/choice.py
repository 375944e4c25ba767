"""Negotiate as Windows does it: Kerberos under both of its names where there is a ticket, NTLM after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.wire.spnego.acceptor import SpnegoAcceptor
from openwmi.wire.spnego.initiator import SpnegoInitiator
from openwmi.wire.spnego.mechanisms import KERBEROS, KERBEROS_MICROSOFT, NTLM, Mechanism

if TYPE_CHECKING:
    from collections.abc import Callable


def initiating(*, kerberos: Mechanism | None = None, ntlm: Mechanism | None = None) -> SpnegoInitiator:
    """Offer what there is, Kerberos first."""
    offers: list[tuple[bytes, Mechanism]] = []
    if kerberos is not None:
        offers += [(KERBEROS_MICROSOFT, kerberos), (KERBEROS, kerberos)]
    if ntlm is not None:
        offers.append((NTLM, ntlm))
    return SpnegoInitiator(offers)


def accepting(
    *, kerberos: Callable[[], Mechanism] | None = None, ntlm: Callable[[], Mechanism] | None = None
) -> SpnegoAcceptor:
    """Take the client's first offer that is possible here; a context is made when it is chosen."""
    made = {KERBEROS_MICROSOFT: kerberos, KERBEROS: kerberos, NTLM: ntlm}

    def mechanism(name: bytes) -> Mechanism | None:
        make = made.get(name)
        return make() if make is not None else None

    return SpnegoAcceptor(mechanism)
