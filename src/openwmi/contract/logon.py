"""Who may log on: what a server asks the store of accounts, and what it learns (DESIGN.md section 5)."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Identity(NamedTuple):
    """An account that has proven who it is.

    sid, groups: as text. runs_as: the name of the Unix user that it acts as on this machine; without one it changes
    nothing here and sees nothing that the kernel keeps from others.
    """

    sid: str
    name: str
    groups: tuple[str, ...] = ()
    runs_as: str | None = None


def printable(text: str, longest: int) -> str:
    """What a peer has sent, fit for one line of a log."""
    cut = text if len(text) <= longest else text[: longest - 3] + "..."
    return "".join(one if one.isprintable() else "?" for one in cut)


class Attempt(Protocol):
    """One attempt of one peer to log on."""

    def lookup(self, domain: str, user: str) -> tuple[Identity, bytes] | None:
        """The account of these names, as the client sent them, and its NT hash. None: there is none, or there have been
        too many failures lately."""

    def principal(self, name: str) -> Identity | None:
        """The account that a Kerberos principal, alice@REALM, belongs to."""

    def passed(self) -> None:
        """It has proven who it is."""

    def failed(self, reason: str) -> float:
        """It has not. How many seconds the peer should be left waiting for the answer."""


class Authority(Protocol):
    """The store of accounts, as a server sees it. Usable from any thread."""

    @property
    def keytab(self) -> str | None:
        """The file with the keys of our Kerberos services; None without Kerberos."""

    def attempt(self, address: str) -> Attempt:
        """A peer at this address begins to log on."""

    def valid(self, identity: Identity) -> bool:
        """Whether that account still exists as it was."""

    def reload(self) -> None:
        """Read the store again now."""
