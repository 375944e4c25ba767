"""What `connect` takes, checked; the same for the asynchronous face and its synchronous mirror."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from openwmi.faces.session import Session, as_context
from openwmi.faces.target import DEFAULT_NAMESPACE, Local, Remote, check_locale, resolve
from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_INVALID_PARAMETER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openwmi.contract.context import Context
    from openwmi.host import Host

Auth = Literal["negotiate", "ntlm", "kerberos"]
AuthLevel = Literal["privacy", "integrity"]
Delivery = Literal["auto", "sink", "poll"]
Overflow = Literal["drop_oldest", "block", "error"]

LAST_PORT: Final = 65535
_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "auth": ("negotiate", "ntlm", "kerberos"),
    "auth_level": ("privacy", "integrity"),
    "delivery": ("auto", "sink", "poll"),
    "overflow": ("drop_oldest", "block", "error"),
}


class Options(NamedTuple):
    """Where to connect and how; see :func:`openwmi.connect`."""

    target: str | None
    user: str | None
    password: str | None
    auth: Auth
    auth_level: AuthLevel
    timeout: float | None
    delivery: Delivery
    locale: str | None
    context: Mapping[str, object] | Context | None
    nt_hash: str | None
    keytab: str | None
    ccache: str | None
    repository: str | None
    subscriptions: bool
    callback_port: int | None

    def resolved(self) -> Local | Remote:
        """Where it leads, everything checked that can be without going there."""
        for name in ("auth", "auth_level", "delivery"):
            chosen(name, getattr(self, name))
        patience("timeout", self.timeout)
        port("callback_port", self.callback_port)
        check_locale(self.locale)
        other = any(given is not None for given in (self.nt_hash, self.keytab, self.ccache))
        target = DEFAULT_NAMESPACE if self.target is None else self.target
        return resolve(target, user=self.user, password=self.password, other=other)

    @property
    def private(self) -> bool:
        """Whether the store is this connection's own and ends with it."""
        from openwmi.host import MEMORY

        return self.repository == MEMORY

    def host(self) -> Host:
        """The embedded service of the store that was chosen."""
        from openwmi.host import local

        return local(self.repository, subscriptions=self.subscriptions)


def chosen(name: str, value: Any, *, shown: str | None = None) -> None:
    """Check one of the options that are words. shown: what it is called where it was given, unless that is its name."""
    if value not in _CHOICES[name]:
        raise error(
            WBEM_E_INVALID_PARAMETER,
            f"{shown or name} is one of {', '.join(_CHOICES[name])}, not {value!r}",
            parameter=shown or name,
        )


def patience(name: str, value: Any) -> None:
    """Check a number of seconds; None is no limit."""
    if value is not None and (
        not isinstance(value, (int, float)) or isinstance(value, bool) or not value > 0
    ):
        raise error(
            WBEM_E_INVALID_PARAMETER,
            f"{name} is a number of seconds above 0 or None, not {value!r}",
            parameter=name,
        )


def port(name: str, value: Any) -> None:
    """Check the number of a TCP port; None for whichever suits."""
    if value is not None and (
        not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= LAST_PORT
    ):
        raise error(
            WBEM_E_INVALID_PARAMETER,
            f"{name} is a port from 1 to {LAST_PORT} or None, not {value!r}",
            parameter=name,
        )


async def log_on(host: Host, namespace: str, options: Options) -> Session:
    """On the host's loop: log on to a namespace of this machine."""
    services = await host.services(namespace, locale=options.locale)
    return Session(services, as_context(options.context))
