"""Where this side says that it can be reached: the bindings of its exporter and of its resolver (wire.md 5.2)."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final

from openwmi.remote.places import RESOLVER_PORT, Address
from openwmi.wire.dcom.bindings import (
    OFFERED,
    TOWER_TCP,
    DualStringArray,
    SecurityBinding,
    StringBinding,
    tcp,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

_LOCALHOST: Final = "localhost"
_WILDCARDS: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - nothing is bound here


class Part(Enum):
    """What is served at an address: where objects are, the objects, or both."""

    RESOLVER = "resolver"
    OBJECTS = "objects"
    BOTH = "both"


class Addresses:
    """Bindings for the client that came to one of our addresses.

    That address comes first: some clients take only a binding that contains what they were told to connect to, others
    the last one when none does (wire.md 8, trap 7). names: further names and addresses of this machine, in order; with
    a port of its own, `name[port]`, where somebody forwards that to us.
    """

    def __init__(self, names: Sequence[str] = (), *, securities: Sequence[SecurityBinding] = OFFERED) -> None:
        self._names = tuple(dict.fromkeys(names))
        self._securities = tuple(securities)
        self._objects_of: dict[Address, int] = {}
        self._resolver_of: dict[Address, int] = {}

    def apart(self, resolver: Address, objects: Address) -> None:
        """The objects that one address leads to are served at another one of the same host, as they are by Windows."""
        self._objects_of[_listening(resolver)] = objects.port
        self._resolver_of[_listening(objects)] = resolver.port

    def together(self) -> None:
        """Every address is for everything again."""
        self._objects_of.clear()
        self._resolver_of.clear()

    def part(self, local: Address) -> Part:
        """What is served at an address that somebody came to."""
        if _port(self._objects_of, local) is not None:
            return Part.RESOLVER
        return Part.BOTH if _port(self._resolver_of, local) is None else Part.OBJECTS

    def hosts(self, local: Address) -> tuple[str, ...]:
        loopback = local.host == "::1" or local.host.startswith("127.")
        more = (_LOCALHOST, *self._names) if loopback else self._names
        return tuple(dict.fromkeys((local.host, *more)))

    def exporter(self, local: Address) -> DualStringArray:
        """Bindings with the port, always."""
        return self._bindings(local, _port(self._objects_of, local) or local.port)

    def resolver(self, local: Address) -> DualStringArray:
        """Bindings without a port where it is the resolver's own."""
        port = _port(self._resolver_of, local) or local.port
        return self._bindings(local, None if port == RESOLVER_PORT else port)

    def _bindings(self, local: Address, port: int | None) -> DualStringArray:
        strings = [
            StringBinding(TOWER_TCP, host) if host.endswith("]") else tcp(host, port)
            for host in self.hosts(local)
        ]
        return DualStringArray(tuple(strings), self._securities)


def _listening(place: Address) -> Address:
    """What is listened on, without the host where that is every one."""
    return Address("", place.port) if place.host in _WILDCARDS else place


def _port(ports: dict[Address, int], local: Address) -> int | None:
    """The port that belongs to an address that somebody came to."""
    return ports.get(local) or ports.get(Address("", local.port))
