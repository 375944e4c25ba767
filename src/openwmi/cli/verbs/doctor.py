"""`openwmi doctor`: how far one gets with another machine, and what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openwmi.cli import exits
from openwmi.cli.elsewhere import log_on
from openwmi.cli.options import DEFAULT_NAMESPACE, Argument, Misuse

if TYPE_CHECKING:
    from openwmi.cli.console import Console
    from openwmi.cli.options import Options
    from openwmi.faces.target import Remote
    from openwmi.model.errors import WbemError
    from openwmi.remote.client.examining import Finding

EXAMPLES = """
openwmi doctor server1 --user 'CORP\\ops'
openwmi doctor 192.0.2.7[1135] --user ops --password-file secret
openwmi doctor server1 -n root/security --auth kerberos
"""

ARGUMENTS = (Argument("what", "HOST", "the machine, as HOST or HOST[PORT]"),)
OPTIONS = ()
_MARKS = {True: "ok  ", False: "FAIL", None: "-   "}


def run(options: Options, console: Console) -> int:
    """Print a line for each step; the exit code is that of the first that fails."""
    target = _target(options)
    failed: WbemError | None = None
    for finding in _findings(target, options):
        console.write(f"{_MARKS[finding.ok]} {finding.step:<15} {finding.text}\n")
        console.flush()
        failed = failed or finding.failure
    if failed is None:
        return exits.OK
    console.complain(f"  {failed.symbol} 0x{failed.code:08X}\n")
    if failed.hint:
        console.complain(f"  try      {failed.hint}\n")
    return exits.exit_code(failed.symbol)


def _target(options: Options) -> Remote:
    from openwmi.faces.target import Remote, resolve

    if options.host:
        raise Misuse("the machine is the argument; -H is for other verbs")
    namespace = (options.namespace or DEFAULT_NAMESPACE).replace("/", "\\")
    found = resolve(f"\\\\{options.what}\\{namespace}", other=True)
    if not isinstance(found, Remote):
        raise Misuse(f"{options.what} is this machine; with a port, HOST[PORT], its server can be asked")
    return found


def _findings(target: Remote, options: Options) -> Any:
    """The findings, one by one, made on the loop of the connections."""
    from openwmi.faces.outside import portal, settings
    from openwmi.remote.client import Credentials
    from openwmi.remote.client.examining import examine
    from openwmi.remote.outbound.network import NETWORK, Deadlines
    from openwmi.remote.places import RESOLVER_PORT, Address

    who = log_on(options, target.host)
    credentials = Credentials(
        who["user"],
        who["password"],
        auth=who.get("auth", "negotiate"),
        level=who.get("auth_level", "privacy"),
    )
    how = settings(options.delivery or "auto", options.callback_port)
    if options.timeout:
        deadlines = Deadlines(*(min(usual, options.timeout) for usual in Deadlines()))
        how.network = NETWORK._replace(deadlines=deadlines)
    address = Address(target.host, target.port or RESOLVER_PORT)
    steps = examine(address, target.namespace, credentials, how)

    async def following() -> Finding | None:
        return await anext(steps, None)

    there = portal()
    while (finding := there.run(following)) is not None:
        yield finding
