"""`openwmi set`: change properties of an object."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.cli.naming import class_named, target
from openwmi.cli.options import Argument, Misuse
from openwmi.cli.parameters import properties
from openwmi.cli.session import Session
from openwmi.cli.storing import DRY_RUN, UPDATE_ONLY, VALUES_HELP, put
from openwmi.model.classes import Class
from openwmi.model.errors import WbemError

if TYPE_CHECKING:
    from openwmi.cli.console import Console
    from openwmi.cli.options import Options

EXAMPLES = """
openwmi set -n root/default 'MyClass.Name="first"' Value=2
openwmi set -n root/default 'MyClass.Name="first"' Value:=null --dry-run
"""

ARGUMENTS = (
    Argument("path", "PATH", "the object"),
    Argument("values", "NAME=VALUE", VALUES_HELP, many=True),
)
OPTIONS = (DRY_RUN,)


def run(options: Options, console: Console) -> int:
    """Store the object with these values and print its path."""
    session = Session(options.namespace, options)
    path = target(session, options.path)
    if path.class_name is None or not path.is_instance:
        raise Misuse(f"{options.path} is no object; openwmi ls lists the paths of a class's objects")
    found = session.get(path.relative())
    if isinstance(found, Class):  # the path of an instance gives an instance
        raise TypeError(options.path)
    class_ = class_named(session, found.classname_)
    values = properties(session, class_, options.values)
    try:
        changed = found.with_(values)
    except WbemError as failure:
        raise session.failed(failure) from failure
    for key in class_.keys:
        if changed.raw_(key) != found.raw_(key):
            raise Misuse(f"{key} is a key: with another one it would be another object, which create makes")
    return put(session, changed, UPDATE_ONLY, options, console)
