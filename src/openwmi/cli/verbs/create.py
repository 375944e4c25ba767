"""`openwmi create`: make an object of a class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.cli.naming import class_named, target
from openwmi.cli.options import Argument, Misuse
from openwmi.cli.parameters import properties
from openwmi.cli.session import Session
from openwmi.cli.storing import CREATE_ONLY, DRY_RUN, VALUES_HELP, put
from openwmi.model.errors import WbemError

if TYPE_CHECKING:
    from openwmi.cli.console import Console
    from openwmi.cli.options import Options

EXAMPLES = """
openwmi create -n root/default MyClass Name=first Value=1
openwmi create -n root/default MyClass Name=second Tags=a Tags=b Note=@note.txt
openwmi create -n root/default MyClass Name=third Value:=null --dry-run
openwmi create -n root __NAMESPACE Name=acme
"""

ARGUMENTS = (
    Argument("class_name", "CLASS", "the class; openwmi describe CLASS shows its properties"),
    Argument("values", "NAME=VALUE", VALUES_HELP, many=True, optional=True),
)
OPTIONS = (DRY_RUN,)


def run(options: Options, console: Console) -> int:
    """Make the object and print its path; ALREADY_EXISTS when there is one of that key."""
    session = Session(options.namespace, options)
    path = target(session, options.class_name)
    if path.class_name is None or path.is_instance:
        raise Misuse(f"{options.class_name} is no class; the key is a value like the others: NAME=VALUE")
    class_ = class_named(session, path.class_name)
    values = properties(session, class_, options.values)
    try:
        instance = class_.spawn(values)
    except WbemError as failure:
        raise session.failed(failure) from failure
    return put(session, instance, CREATE_ONLY, options, console)
