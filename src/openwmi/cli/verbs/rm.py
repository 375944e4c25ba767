"""`openwmi rm`: delete objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.cli import exits
from openwmi.cli.naming import target
from openwmi.cli.options import Argument, Misuse, Option
from openwmi.cli.session import Session
from openwmi.cli.storing import show_mof

if TYPE_CHECKING:
    from openwmi.cli.console import Console
    from openwmi.cli.options import Options
    from openwmi.model.paths import ObjectPath

EXAMPLES = """
openwmi rm -n root/default 'MyClass.Name="first"'
openwmi rm -n root/default MyClass --class --yes
openwmi rm -n root '__NAMESPACE.Name="acme"' --dry-run
"""

ARGUMENTS = (Argument("paths", "PATH", "the objects", many=True),)
OPTIONS = (
    Option("class", "the paths are classes: delete them, their subclasses and all instances of those"),
    Option("yes", "do not ask; without a terminal nobody is asked", short="y"),
    Option("dry-run", "print as MOF what would be deleted, and delete nothing"),
)


def run(options: Options, console: Console) -> int:
    """Delete the objects one after the other; the first that cannot be deleted ends it."""
    classes: bool = vars(options)["class"]
    for text in options.paths:
        session = Session(options.namespace, options)
        path = target(session, text)
        _check(path, text, classes=classes)
        if options.dry_run:
            show_mof(session.get(path.relative()), console)
            continue
        what = f"class {path.relative()}, its subclasses and their instances" if classes else path.relative()
        if console.converses and not options.yes and not console.ask(f"delete {what}?"):
            console.note("nothing is deleted" if len(options.paths) == 1 else "this one and the rest stay")
            return exits.CANCELLED
        session.delete(path)
        console.note(f"{what} {'are' if classes else 'is'} deleted")
    return exits.OK


def _check(path: ObjectPath, text: str, *, classes: bool) -> None:
    if path.class_name is None:
        raise Misuse(
            f"{text} is a namespace; it is deleted as an object of the one above: __NAMESPACE.Name=..."
        )
    if path.is_instance and classes:
        raise Misuse(f"{text} is no class")
    if not path.is_instance and not classes:
        raise Misuse(f"{text} is a class; --class deletes it with its subclasses and all their instances")
