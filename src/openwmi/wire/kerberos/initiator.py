"""The client's side of a Kerberos handshake: AP-REQ out, AP-REP in, AP-REP out ([MS-KILE] 3.4.5.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.wire.errors import LocalProtocolError
from openwmi.wire.kerberos.context import KerberosContext
from openwmi.wire.kerberos.gss import library, no_ticket, principal, required_flags

if TYPE_CHECKING:
    from openwmi.wire.kerberos.credential import Credential


class Initiator(KerberosContext):
    """Logs on. target: the service's principal, as `host/name`, in the default realm unless it names one."""

    def __init__(self, credential: Credential, target: str) -> None:
        super().__init__()
        self._credential = credential
        self._target = target
        self._opening = b""
        self._begun = False

    def prepare(self) -> None:
        """Get the ticket and make the first token of it. Blocks while it talks to the KDC; raises NoTicket.

        Call it in a thread, before the connection's bind; `step` does it in place where nobody has.
        """
        if self._opening:
            return
        gssapi = library()
        held = self._credential.acquired()
        try:
            self._context = gssapi.SecurityContext(
                name=principal(self._target),
                creds=held,
                mech=gssapi.MechType.kerberos,
                flags=required_flags(),
                usage="initiate",
            )
            self._context.__DEFER_STEP_ERRORS__ = False
            self._opening = self._context.step() or b""
        except gssapi.exceptions.GSSError as error:
            raise no_ticket(error, self._target) from None

    def step(self, token: bytes) -> bytes:
        """b"" gives AP-REQ, the server's AP-REP gives ours, after which we are done."""
        if self.complete:
            raise LocalProtocolError("the Kerberos handshake is over")
        if not self._begun:
            self.prepare()
            self._begun = True
            return self._opening
        return self._advance(token, "the server does not prove who it is")
