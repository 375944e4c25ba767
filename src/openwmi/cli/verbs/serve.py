"""`openwmi serve`: the service in the foreground, over the network, with the permanent subscriptions of its store."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from openwmi.cli import exits
from openwmi.cli.options import TRACE, Misuse, Option, port
from openwmi.cli.tracing import opened

if TYPE_CHECKING:
    from openwmi.cli.console import Console
    from openwmi.cli.foreground import Part
    from openwmi.cli.options import Options
    from openwmi.host import Host

EXAMPLES = """
openwmi serve
openwmi serve --listen 0.0.0.0:135
openwmi serve --listen 0.0.0.0:135 --objects-port 49200
openwmi serve --listen 127.0.0.1:5000 --mof windows-host.mof --readonly
openwmi serve --repository /var/lib/openwmi
openwmi serve --trace pdus.jsonl
openwmi serve --log-format json 2>> /var/log/openwmi.log
"""


def _form(text: str) -> str:
    if text not in ("logfmt", "json"):
        raise ValueError(text)
    return text


def _place(text: str) -> object:
    from openwmi.cli.network import place

    return place(text)


def _port(text: str) -> int:
    return port(text, least=0)


LOCAL = True
ARGUMENTS = ()
OPTIONS = (
    Option(
        "listen",
        "where clients find it, again for more places; loopback alone unless given, none: nowhere",
        value="ADDR:PORT",
        convert=_place,
        repeated=True,
    ),
    Option(
        "objects-port",
        "serve the objects there, as Windows does; the other ports only tell where they are then",
        value="PORT",
        convert=_port,
    ),
    Option(
        "name",
        "what else clients call this machine, as NAME[PORT] where a port is forwarded",
        value="NAME",
        repeated=True,
    ),
    Option(
        "mof",
        "be a mock: serve what the file declares, from memory, and nothing of this machine",
        value="FILE",
        repeated=True,
    ),
    Option("readonly", "let nobody change anything over the network, or run methods"),
    TRACE,
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
    """Serve until a signal comes: 0 after SIGTERM, 130 after Ctrl-C. SIGHUP reads the accounts anew."""
    import logging

    from openwmi.cli.foreground import Foreground, delivering
    from openwmi.cli.logs import write_logs
    from openwmi.cli.network import network
    from openwmi.host import MEMORY, local

    level = logging.DEBUG if options.verbose else logging.WARNING if options.quiet else logging.INFO
    write_logs(options.log_format, level)
    if options.mof and options.repository:
        raise Misuse("--mof makes a host in memory, which has no --repository")
    host = local(MEMORY if options.mof else options.repository, mock=bool(options.mof))
    if not options.readonly:
        host.mend_at_opening()
    host.repository.opened()  # what cannot be had is told now, and not with the first thing to be stored
    host.namespaces.access.read_only = options.readonly
    if code := _fill(host, options.mof, console):
        return code
    host.own()
    face = network(
        host,
        options.listen,
        objects=options.objects_port,
        aliases=options.name,
        trace=opened(options.trace),
    )

    def tell(line: str) -> None:
        console.write(f"{line}\n")
        console.flush()

    parts: list[Part] = [delivering(host), *([] if face is None else [face])]
    front = (
        Foreground(host, parts, tell) if face is None else Foreground(host, parts, tell, reload=face.reload)
    )
    return exits.CANCELLED if front.run() == signal.SIGINT else exits.OK


def _fill(host: Host, files: list[str], console: Console) -> int:
    """Put what MOF files declare into a mock; the exit code where one of them will not do, else 0."""
    from openwmi.cli import compiling
    from openwmi.host import DEFAULT_NAMESPACE
    from openwmi.model.errors import MofError

    for file in files:
        try:
            source = compiling.read(file)
            host.give_way(compiling.classes(source))
            done = compiling.store(host, source, DEFAULT_NAMESPACE, class_flags=0, instance_flags=0)
        except MofError as failure:
            return compiling.complain(console, failure)
        compiling.told(console, source.name, done)
    return 0
