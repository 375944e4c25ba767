"""Both ends of an association in one process: what goes in on one side comes out on the other."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from openwmi.wire.ntlm import Acceptor, Credential, Initiator, ServerNames, nt_hash
from openwmi.wire.rpc import AssociationGroups, AuthType, ClientConnection, Limits, ServerConnection, SyntaxId

PASSWORD = "Sesame"
NOW = 133_500_000_000_000_000
NAMES = ServerNames("SERVER", "WORKGROUP", "server", "workgroup")
ALPHA = SyntaxId(UUID("11111111-0000-0000-0000-000000000001"))
BETA = SyntaxId(UUID("11111111-0000-0000-0000-000000000002"))
UNKNOWN = SyntaxId(UUID("11111111-0000-0000-0000-00000000000f"))


def accounts(domain: str, user: str) -> tuple[str, bytes] | None:
    return (user, nt_hash(PASSWORD)) if user == "ada" else None


def initiator(password: str = PASSWORD, user: str = "ada") -> Initiator:
    return Initiator(Credential(user, password=password), bytes(24), filetime=NOW)


def accept(auth_type: int, level: int) -> Acceptor | None:
    return Acceptor(accounts, NAMES, b"fedcba98", filetime=NOW) if auth_type == AuthType.NTLM else None


def server(**options: Any) -> ServerConnection:
    options.setdefault("groups", AssociationGroups(start=77))
    return ServerConnection(
        {ALPHA, BETA}.__contains__, options.pop("accept", accept), address="135", **options
    )


class Pair:
    """A client and a server, and the events of both since they were last asked for."""

    def __init__(
        self, client: ClientConnection | None = None, serving: ServerConnection | None = None
    ) -> None:
        self.client = client or ClientConnection()
        self.server = serving or server()
        self.client_events: list[Any] = []
        self.server_events: list[Any] = []

    def run(self) -> None:
        """Carry bytes until both are silent."""
        while True:
            up, down = self.client.take(), self.server.take()
            if not up and not down:
                return
            if up:
                self.server_events += self.server.receive(up)
            if down:
                self.client_events += self.client.receive(down)

    def bound(self, level: int | None = None, **options: Any) -> Pair:
        """Bind ALPHA as context 0, BETA as 1, with NTLM at a level if one is given."""
        if level is None:
            self.client.bind([(0, ALPHA), (1, BETA)])
        else:
            self.client.bind(
                [(0, ALPHA), (1, BETA)], options.pop("context", initiator()), level=level, **options
            )
        self.run()
        return self

    def events(self) -> tuple[list[Any], list[Any]]:
        """(the client's, the server's) events, once."""
        mine, theirs = self.client_events, self.server_events
        self.client_events, self.server_events = [], []
        return mine, theirs


SMALL = Limits(fragment=1432)
