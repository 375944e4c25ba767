"""`openwmi user`: who may log on to this machine's service over the network, and as whom they act here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.cli import passwords
from openwmi.cli.actions import chosen
from openwmi.cli.options import Argument, Misuse, Option
from openwmi.model.cimtypes import CimType

if TYPE_CHECKING:
    from openwmi.accounts import Accounts
    from openwmi.cli.console import Console
    from openwmi.cli.options import Options

EXAMPLES = """
openwmi user add alice
openwmi user add backup --as backup --password-file /run/secrets/wmi
openwmi user add boss --admin
openwmi user passwd alice
openwmi user change alice --as alice
openwmi user ls
openwmi user rm alice
"""

LOCAL = True
ARGUMENTS = (
    Argument("action", "ACTION", "add NAME, passwd NAME, change NAME, rm NAME, or ls"),
    Argument("name", "NAME", "of the account", optional=True),
)
OPTIONS = (
    Option("admin", "add, change: with every right in every namespace"),
    Option("no-admin", "change: with the rights that descriptors give"),
    Option("as", "add, change: acts on this machine as a Unix user", value="UNIXUSER"),
    Option("no-as", "change: acts as no Unix user"),
    Option(
        "principal",
        "add, change: may log on with Kerberos as PRINCIPAL (alice@REALM)",
        value="PRINCIPAL",
        repeated=True,
    ),
    *passwords.OPTIONS,
)
_COLUMNS = ("Name", "Administrator", "ActsAs", "Password", "Principals", "SID")
_TYPES = (
    CimType.STRING,
    CimType.BOOLEAN,
    CimType.STRING,
    CimType.BOOLEAN,
    CimType.STRING,
    CimType.STRING,
)


def run(options: Options, console: Console) -> int:
    """Do one of the actions on the accounts of OPENWMI_HOME."""
    action = chosen("user", options.action, _ACTIONS)
    if (options.action == "ls") is (options.name is not None):
        raise Misuse("user ls takes no name" if options.name else f"user {options.action} needs a NAME")
    return action(options, console)


def _accounts() -> Accounts:
    from openwmi.accounts import Accounts
    from openwmi.host import home

    return Accounts(home())


def _hashed(password: str) -> bytes:
    from openwmi.wire.ntlm.keys import nt_hash

    return nt_hash(password)


def _add(options: Options, console: Console) -> int:
    runs_as = getattr(options, "as")
    if runs_as is not None:
        _check_unix_user(runs_as, console)
    password = passwords.new_password(options, console, options.name)
    if password is None and not options.principal:
        raise Misuse("no password: give --password-file FILE or --password-fd N, or run this on a terminal")
    account = _accounts().add(
        options.name,
        None if password is None else _hashed(password),
        admin=options.admin,
        runs_as=runs_as,
        principals=options.principal,
    )
    what = f"account {account.name} is added"
    if password is None:
        what += ", for Kerberos only"
    console.note(what if runs_as else f"{what}; it changes nothing on this machine: --as would let it")
    return 0


def _check_unix_user(name: str, console: Console) -> None:
    from openwmi.accounts.unixusers import unix_user

    found = unix_user(name)
    if found is None:
        raise Misuse(f"there is no Unix user {name} on this machine")
    if found.uid == 0:
        console.complain(
            f"warning: whoever logs on as this account can do everything on this machine ({name})\n"
        )


def _change(options: Options, console: Console) -> int:
    """The SID stays, and with it what descriptors say of the account."""
    runs_as = getattr(options, "as")
    if (options.admin and options.no_admin) or (runs_as and options.no_as):
        raise Misuse("an option and its opposite are given: nothing is changed")
    if not (options.admin or options.no_admin or runs_as or options.no_as or options.principal):
        raise Misuse(
            "user change needs --admin, --no-admin, --as, --no-as or --principal; passwd changes the password"
        )
    if runs_as:
        _check_unix_user(runs_as, console)
    account = _accounts().change(
        options.name,
        admin=True if options.admin else False if options.no_admin else None,
        runs_as="" if options.no_as else runs_as,
        principals=options.principal or None,
    )
    console.note(f"account {account.name} is changed; connections that it has stay as they are")
    return 0


def _passwd(options: Options, console: Console) -> int:
    accounts = _accounts()
    name = accounts.named(options.name).name  # before anybody types a password for nobody
    password = passwords.new_password(options, console, name)
    if password is None:
        raise Misuse("no password: give --password-file FILE or --password-fd N, or run this on a terminal")
    accounts.change(name, hashed=_hashed(password))
    console.note(f"account {name} has a new password")
    return 0


def _rm(options: Options, console: Console) -> int:
    accounts = _accounts()
    name = accounts.named(options.name).name
    accounts.remove(name)
    console.note(f"account {name} is gone; connections that it has stay until they end")
    return 0


def _ls(options: Options, console: Console) -> int:
    from openwmi.cli.formats import writer_for

    output = writer_for(options.output, console, objects=False)
    output.begin(_COLUMNS)
    rows = [
        (
            one.name,
            one.admin,
            one.runs_as,
            one.hashed is not None,
            ", ".join(one.principals) or None,
            str(one.sid),
        )
        for one in _accounts().accounts
    ]
    output.records(tuple(map(int, _TYPES)), rows)
    output.end()
    return 0


_ACTIONS = {"add": _add, "passwd": _passwd, "change": _change, "rm": _rm, "ls": _ls}
