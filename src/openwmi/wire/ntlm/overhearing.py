"""The keys of somebody else's handshake, from its three messages and the NT hash of who logged on.

For captures whose password is known: what a client and a server of that handshake seal can be read in both directions.
"""

from __future__ import annotations

import hmac
from typing import NamedTuple

from openwmi.wire.errors import AuthenticationFailed
from openwmi.wire.ntlm import constants as c
from openwmi.wire.ntlm.keys import hmac_md5, proof, response_key
from openwmi.wire.ntlm.messages import Authenticate, Challenge
from openwmi.wire.ntlm.rc4 import rc4
from openwmi.wire.ntlm.session import Session

_PROOF = 16


class Overheard(NamedTuple):
    """Both ends' sessions: what the server reads, and what the client reads."""

    at_server: Session
    at_client: Session


def overheard(challenge: bytes, answer: bytes, hashed: bytes) -> Overheard:
    """The sessions after CHALLENGE and AUTHENTICATE. AuthenticationFailed when the hash is not that of the user."""
    asked, told = Challenge.decode(challenge), Authenticate.decode(answer)
    sent, blob = told.nt_response[:_PROOF], told.nt_response[_PROOF:]
    key = response_key(hashed, told.user, told.domain)
    expected = proof(key, asked.challenge, blob)
    if not hmac.compare_digest(expected, sent):
        raise AuthenticationFailed(f"{told.domain}\\{told.user}: not the password of this log-on")
    exported = base = hmac_md5(key, expected)
    exchanged = bool(told.flags & c.KEY_EXCHANGE)
    if exchanged:
        exported = rc4(base)(told.session_key)
    return Overheard(
        Session(exported, initiator=False, exchanged=exchanged),
        Session(exported, initiator=True, exchanged=exchanged),
    )
