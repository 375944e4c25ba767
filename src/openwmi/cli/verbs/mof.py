"""`openwmi mof`: a class or an object as MOF text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.cli.formats import writer_for
from openwmi.cli.naming import target, unknown_class
from openwmi.cli.options import Argument, Misuse
from openwmi.cli.session import Failed, Session
from openwmi.model.status import WBEM_E_NOT_FOUND

if TYPE_CHECKING:
    from openwmi.cli.console import Console
    from openwmi.cli.options import Options

EXAMPLES = """
openwmi mof Win32_LogicalDisk
openwmi mof 'Win32_Process.Handle="1"'
"""

ARGUMENTS = (Argument("path", "CLASS|PATH", "a class, or the path of an instance"),)
OPTIONS: tuple[()] = ()


def run(options: Options, console: Console) -> int:
    """Print what GetObjectText prints."""
    session = Session(options.namespace, options)
    path = target(session, options.path)
    if path.class_name is None:
        raise Misuse(f"{options.path} is a namespace; name a class or an object in it")
    try:
        found = session.get(path.relative(), amended=not path.is_instance)
    except Failed as failure:
        if failure.error.code != WBEM_E_NOT_FOUND or path.is_instance:
            raise
        raise session.failed(unknown_class(session, path.class_name)) from None
    output = writer_for(options.output or "mof", console, raw=options.raw, single=True)
    output.begin(())
    output.batch([found])
    output.end()
    return 0
