"""`openwmi assoc`: the objects that associations connect an object with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.cli import associated
from openwmi.cli.associated import SHARED
from openwmi.cli.options import Option

if TYPE_CHECKING:
    from openwmi.cli.console import Console
    from openwmi.cli.options import Options

EXAMPLES = """
openwmi assoc -n root/default 'Team.Name="blue"'
openwmi assoc -n root/default 'Team.Name="blue"' --class Membership --result Person -o name
openwmi assoc -n root/default Team
"""

ARGUMENTS = associated.ARGUMENTS
OPTIONS = (
    Option("class", "only through associations of this class (AssocClass)", value="NAME"),
    Option("result", "only objects of this class (ResultClass)", value="NAME"),
    Option("role", "the association's property that points at PATH (Role)", value="NAME"),
    Option("result-role", "the one that points at the other object (ResultRole)", value="NAME"),
    *SHARED,
)


def run(options: Options, console: Console) -> int:
    """Show the objects at the other ends."""
    words = {"class": "AssocClass", "result": "ResultClass", "role": "Role", "result_role": "ResultRole"}
    return associated.run("ASSOCIATORS", words, options, console)
