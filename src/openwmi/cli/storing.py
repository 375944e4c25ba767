"""What `create` and `set` share: the object that is put, shown beforehand or stored, and how it is shown then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.cli.formats import writer_for
from openwmi.cli.options import Option
from openwmi.cli.records import all_columns
from openwmi.model.classes import Class

if TYPE_CHECKING:
    from openwmi.cli.console import Console
    from openwmi.cli.options import Options
    from openwmi.cli.session import Session
    from openwmi.model.instances import Instance

UPDATE_ONLY = 0x1
CREATE_ONLY = 0x2
VALUES_HELP = "NAME=text, NAME:=JSON (null too) or NAME=@file; repeat it for arrays"
DRY_RUN = Option("dry-run", "print the object as MOF and store nothing")


def put(session: Session, instance: Instance, flags: int, options: Options, console: Console) -> int:
    """Store the object and print its path, or the object as it is stored in the format asked for."""
    if options.dry_run:
        show_mof(instance, console)
        return 0
    output = writer_for(options.output, console, raw=options.raw, single=True) if options.output else None
    path = session.put(instance, flags)
    if output is None:
        console.write(f"{path}\n")
        return 0
    stored = session.get(path)
    if isinstance(stored, Class):  # the path of an instance gives an instance
        raise TypeError(path)
    output.begin(all_columns([stored.layout_]))
    output.batch([stored])
    output.end()
    return 0


def show_mof(subject: Instance | Class, console: Console) -> None:
    """Print an object as MOF."""
    from openwmi.mof import print_class, print_instance

    text = print_class(subject) if isinstance(subject, Class) else print_instance(subject)
    console.write(text.rstrip() + "\n")
