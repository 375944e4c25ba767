"""Hosts and ports: the two ends of a connection, as people name them and as sockets tell them."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address
from typing import Final, NamedTuple

# Where every client of DCOM asks first: the endpoint mapper and resolver ([MS-DCOM] 2.1).
RESOLVER_PORT: Final = 135


class Address(NamedTuple):
    """A host, as a name or an address, and a TCP port."""

    host: str
    port: int


_NOWHERE: Final = Address("", 0)


def address_of(name: object, otherwise: Address = _NOWHERE) -> Address:
    """The address that a socket gives: an IPv4 one is written as such on an IPv6 socket, too, and no zone is kept.
    otherwise: for a transport that has none."""
    if not isinstance(name, tuple) or len(name) < 2:
        return otherwise
    return Address(plain_host(str(name[0])), int(name[1]))


def plain_host(text: str) -> str:
    """An address without zone, IPv4 where it is one; any other text as it is."""
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return text
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(found)


def is_literal(host: str) -> bool:
    """Whether a host is an address and needs no looking up."""
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True
