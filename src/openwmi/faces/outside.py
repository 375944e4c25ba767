"""Connections to other machines, for every face: the log-on with its options, and the loop of those that have none."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any, Final

from openwmi.faces.options import chosen, port
from openwmi.faces.session import Session, as_context

if TYPE_CHECKING:
    from openwmi.contract.context import Context
    from openwmi.contract.services import Services
    from openwmi.faces.options import Options
    from openwmi.faces.target import Remote
    from openwmi.portal import Portal
    from openwmi.remote.client import Credentials, Settings
    from openwmi.wire.decoding import Trace

# What `timeout=None` comes to where somebody has to wait for another machine.
_FOR_EVER: Final = 86_400.0

# How sinks are reached in every connection of the process that says nothing about it: the names that `openwmi.com` has
# from wbemidl.h leave no room to say it.
DELIVERY: Final = "OPENWMI_DELIVERY"
CALLBACK_PORT: Final = "OPENWMI_CALLBACK_PORT"

_lock: Final = threading.Lock()
_portals: Final[list[Portal]] = []
_traced: Final[list[Trace | None]] = [None]


def trace(to: Trace | None) -> None:
    """Have every PDU of the connections that begin from now on written down; None: of none any more.

    That is for a program to decide about its process, as the command line does with `--trace`, and for no library.
    """
    _traced[0] = to


def portal() -> Portal:
    """The loop of the connections that threads hold; the asynchronous face has the caller's own."""
    from openwmi.portal import Portal

    with _lock:
        if not _portals or not _portals[0].loop.is_running():
            _portals[:] = [Portal("openwmi-remote")]
        return _portals[0]


def settings(delivery: Any = "auto", callback_port: int | None = None) -> Settings:
    """How sinks are reached: as the connection says, else as the environment does. Raises InvalidParameter."""
    from openwmi.remote.client import Settings

    said: Any = os.environ.get(DELIVERY) or "auto"
    chosen("delivery", said, shown=DELIVERY)
    number: Any = os.environ.get(CALLBACK_PORT) or None
    if number is not None and number.isdecimal():
        number = int(number)
    port(CALLBACK_PORT, number)
    return Settings(
        delivery=said if delivery == "auto" else delivery, callback_port=callback_port or number or 0
    )


async def log_on_there(target: Remote, options: Options) -> Session:
    """On the loop that the connection shall live on: log on to a namespace of another machine."""
    from openwmi.remote.client import Credentials

    credentials = Credentials(
        options.user,
        options.password,
        nt_hash=options.nt_hash,
        keytab=options.keytab,
        ccache=options.ccache,
        auth=options.auth,
        level=options.auth_level,
    )
    context = as_context(options.context)
    services = await reach(
        target,
        credentials,
        timeout=options.timeout,
        delivery=options.delivery,
        callback_port=options.callback_port,
        locale=options.locale,
        context=context,
    )
    return Session(services, context)


async def reach(
    target: Remote,
    credentials: Credentials,
    *,
    timeout: float | None,
    delivery: Any = "auto",
    callback_port: int | None = None,
    locale: str | None = None,
    context: Context | None = None,
) -> Services:
    """The services of a namespace of another machine. timeout: the longest silence of one step, in seconds."""
    from openwmi.remote.client import connect
    from openwmi.remote.outbound.network import NETWORK, Deadlines

    usual = Deadlines()
    patience = _FOR_EVER if timeout is None else timeout
    deadlines = Deadlines(min(usual.connect, patience), min(usual.bind, patience), patience)
    how = settings(delivery, callback_port)
    how.network = NETWORK._replace(deadlines=deadlines, trace=_traced[0])
    return await connect(
        target.host,
        target.namespace,
        credentials,
        port=target.port,
        locale=locale,
        context=context,
        settings=how,
        shared=True,
    )
