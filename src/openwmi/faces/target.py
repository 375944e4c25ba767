r"""Where a name leads: the texts that name a namespace of this machine or of another (calls.md A.3; DESIGN.md 4).

root\cimv2   root/cimv2   \\.\root\cimv2   \\localhost\root       this machine's service, in this process
\\host\root\cimv2   \\host[1135]\root\cimv2   \\fe80::1[135]\root   another one, or this one over the wire
host[1135]   192.0.2.7   fe80::1                                    the same, namespace root\cimv2
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from openwmi.contract.flags import MAX_NAMESPACE
from openwmi.model.errors import error
from openwmi.model.status import (
    WBEM_E_INVALID_NAMESPACE,
    WBEM_E_INVALID_PARAMETER,
    WBEM_E_LOCAL_CREDENTIALS,
    WBEM_E_QUOTA_VIOLATION,
)

if TYPE_CHECKING:
    from openwmi.model.errors import WbemError

DEFAULT_NAMESPACE: Final = "root\\cimv2"

_MAX_HOST: Final = 255
_AUTHORITY: Final = re.compile(r"(kerberos|ntlmdomain):(.+)\Z", re.IGNORECASE | re.DOTALL)
_LOCALE: Final = re.compile(r"MS_[0-9A-F]{1,8}(,MS_[0-9A-F]{1,8}){,31}\Z", re.IGNORECASE)


class Local(NamedTuple):
    """A namespace of the embedded service."""

    namespace: str


class Remote(NamedTuple):
    """A namespace that is reached over the wire. port None: ask the endpoint mapper."""

    host: str
    port: int | None
    namespace: str


def resolve(
    resource: str | None,
    *,
    user: str | None = None,
    password: str | None = None,
    authority: str | None = None,
    other: bool = False,
) -> Local | Remote:
    """Where a network resource leads. `other`: credentials of another kind are given (a hash, a keytab).

    INVALID_PARAMETER, INVALID_NAMESPACE for texts that name nothing (A30); LOCAL_CREDENTIALS for credentials on this
    machine (A25); INVALID_PARAMETER for a domain named twice (A23). Whether host and namespace exist is not asked.
    """
    if not isinstance(resource, str):
        raise _invalid("the network resource is NULL", "strNetworkResource")
    if len(resource) > MAX_NAMESPACE:
        raise error(WBEM_E_QUOTA_VIOLATION, f"a namespace path has at most {MAX_NAMESPACE} characters")
    check_authority(user, authority)
    credentials = user is not None or password is not None or bool(authority) or other
    server, namespace = _split(resource)
    if server is None or server == ".":
        if credentials:
            raise error(WBEM_E_LOCAL_CREDENTIALS, "a connection to this machine takes no credentials")
        return Local(namespace)
    host, port = _host_and_port(server)
    if port is None and not credentials and is_this_machine(host):
        return Local(namespace)
    return Remote(host, port, namespace)


def _split(resource: str) -> tuple[str | None, str]:
    """Server part and namespace. A host alone leads to its default namespace; `\\\\.` alone names none (A30)."""
    text = resource.replace("/", "\\")
    if not text.startswith("\\"):
        return (text, DEFAULT_NAMESPACE) if _is_host(text) else (None, _namespace(text))
    if not text.startswith("\\\\") or text == "\\\\":
        raise _no_namespace(resource)
    server, separator, namespace = text[2:].partition("\\")
    if not server:
        raise _invalid(f"{resource!r} names no host", "strNetworkResource")
    if separator:
        return server, _namespace(namespace)
    if server == ".":
        raise _no_namespace(resource)
    return server, DEFAULT_NAMESPACE


def _namespace(text: str) -> str:
    if not all(text.split("\\")):
        raise _no_namespace(text)
    return text


def _is_host(text: str) -> bool:
    """Whether a text without separators can only be a host: it has a port, or is an address."""
    return "\\" not in text and (text.endswith("]") or _is_address(text))


def _is_address(text: str) -> bool:
    from ipaddress import ip_address

    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _host_and_port(server: str) -> tuple[str, int | None]:
    """`HOST[PORT]`, split at the last bracket, so that an IPv6 address needs none of its own."""
    host, bracket, rest = server.rpartition("[")
    if not bracket:
        host, port = server, None
    elif (
        rest.endswith("]") and rest[:-1].isascii() and rest[:-1].isdigit() and 0 < int(rest[:-1][:9]) < 65536
    ):
        port = int(rest[:-1])
    else:
        raise _invalid(f"not a port in brackets: {server!r}", "strNetworkResource")
    if not host or len(host) > _MAX_HOST:
        raise _invalid(f"not a host: {server!r}", "strNetworkResource")
    return host, port


def is_this_machine(host: str) -> bool:
    """Whether a name, not an address, is this machine's own."""
    import socket

    from openwmi.host import server_name

    return host.lower() in {"localhost", server_name().lower(), socket.gethostname().lower()}


def check_authority(user: str | None, authority: str | None) -> None:
    """Forms of the authority and of the user beside it (A22-A24): INVALID_PARAMETER."""
    if not authority:  # blank leaves the choice to the negotiation (A24)
        return
    if not _AUTHORITY.match(authority):
        raise _invalid(
            f"the authority is Kerberos:<principal> or NTLMDOMAIN:<domain>, not {authority!r}", "strAuthority"
        )
    if user and "\\" in user:
        raise _invalid("the domain is given with the user and as the authority", "strAuthority")


def check_locale(locale: str | None) -> None:
    """A locale is None or MS_ and a hexadecimal LCID (A26), or several of them, the dearest first (B41); one that
    nobody knows is no error."""
    if locale is not None and not (isinstance(locale, str) and _LOCALE.match(locale)):
        raise _invalid(f"a locale is MS_ and a hexadecimal number, not {locale!r}", "strLocale")


def _no_namespace(text: str) -> WbemError:
    return error(WBEM_E_INVALID_NAMESPACE, f"not a namespace: {text!r}", namespace=text)


def _invalid(message: str, parameter: str) -> WbemError:
    return error(WBEM_E_INVALID_PARAMETER, message, parameter=parameter)
