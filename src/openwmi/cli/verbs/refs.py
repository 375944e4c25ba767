"""`openwmi refs`: the associations that point at an object."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.cli import associated
from openwmi.cli.associated import SHARED
from openwmi.cli.options import Option

if TYPE_CHECKING:
    from openwmi.cli.console import Console
    from openwmi.cli.options import Options

EXAMPLES = """
openwmi refs -n root/default 'Team.Name="blue"'
openwmi refs -n root/default 'Team.Name="blue"' --class Membership --role Group
openwmi refs -n root/default Team
"""

ARGUMENTS = associated.ARGUMENTS
OPTIONS = (
    Option("class", "only associations of this class (ResultClass)", value="NAME"),
    Option("result", "the same as --class, as WQL calls it", value="NAME"),
    Option("role", "the association's property that points at PATH (Role)", value="NAME"),
    *SHARED,
)


def run(options: Options, console: Console) -> int:
    """Show the associations."""
    words = {"class": "ResultClass", "result": "ResultClass", "role": "Role"}
    return associated.run("REFERENCES", words, options, console)
