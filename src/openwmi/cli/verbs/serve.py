"""`openwmi serve`: the service in the foreground; it runs the permanent subscriptions and timers of a store."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from openwmi.cli import exits
from openwmi.cli.options import Option

if TYPE_CHECKING:
    from openwmi.cli.console import Console
    from openwmi.cli.foreground import Part
    from openwmi.cli.options import Options
    from openwmi.host import Host

EXAMPLES = """
openwmi serve
openwmi serve --repository /var/lib/openwmi
openwmi serve --log-format json 2>> /var/log/openwmi.log
"""


def _form(text: str) -> str:
    if text not in ("logfmt", "json"):
        raise ValueError(text)
    return text


ARGUMENTS = ()
OPTIONS = (
    Option("repository", "the store: a file or a folder; that of OPENWMI_HOME unless given", value="FILE"),
    Option(
        "log-format",
        "logfmt or json: the lines on standard error",
        value="FORM",
        default="logfmt",
        convert=_form,
    ),
)


def run(options: Options, console: Console) -> int:
    """Serve until a signal comes: 0 after SIGTERM and SIGHUP, 130 after Ctrl-C."""
    import logging

    from openwmi.cli.foreground import Foreground
    from openwmi.cli.logs import write_logs
    from openwmi.host import local

    level = logging.DEBUG if options.verbose else logging.WARNING if options.quiet else logging.INFO
    write_logs(options.log_format, level)
    host = local(options.repository)
    host.repository.opened()  # what cannot be had is told now, and not with the first thing to be stored
    host.own()

    def tell(line: str) -> None:
        console.write(f"{line}\n")
        console.flush()

    number = Foreground(host, parts(options, host), tell).run()
    return exits.CANCELLED if number == signal.SIGINT else exits.OK


def parts(options: Options, host: Host) -> list[Part]:
    """What runs beside the service itself: begun in this order, on the service's loop, and ended in the reverse one."""
    return []
