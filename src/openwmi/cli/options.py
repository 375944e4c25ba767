"""The options every verb has, and how a verb's command line is read."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Sequence

DEFAULT_NAMESPACE = "root\\cimv2"


class Misuse(Exception):
    """A command line that cannot be carried out as written; its text says why. Exit code 2."""


class VerbParser(ArgumentParser):
    """Reads one verb's arguments. Examples come first in its help, mistakes are `Misuse`, options are never guessed."""

    def __init__(self, verb: str, summary: str, examples: str) -> None:
        super().__init__(
            prog=f"openwmi {verb}",
            description=f"{summary[0].upper()}{summary[1:]}.\n\nexamples:\n{_indented(examples)}",
            formatter_class=RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        common = self.add_argument_group("common options")
        common.add_argument(
            "-n", "--namespace", metavar="NS", default=None, help="the namespace, root/cimv2 unless given"
        )
        common.add_argument(
            "-o",
            "--output",
            metavar="FORMAT",
            default=None,
            help="table, list, tsv, csv, json, jsonl, xml, name or mof",
        )
        common.add_argument("--raw", action="store_true", help="datetimes as WMI writes them (DMTF)")
        common.add_argument(
            "--color", choices=("auto", "always", "never"), default="auto", help="auto: on terminals"
        )
        common.add_argument("-q", "--quiet", action="store_true", help="no notes, only results and errors")
        common.add_argument(
            "-v",
            "--verbose",
            action="count",
            default=0,
            help="more about an error; -vv: where in the program",
        )

    def error(self, message: str) -> NoReturn:
        raise Misuse(message)

    def read(self, arguments: Sequence[str]) -> Namespace:
        """The options; positional arguments may stand between them. Raises Misuse."""
        known, rest = self.parse_known_intermixed_args(arguments)
        if rest:
            raise Misuse(self._unknown(rest[0]))
        return known

    def _unknown(self, argument: str) -> str:
        if not argument.startswith("-"):
            return f"one argument too many: {argument}"
        from openwmi.cli.suggestions import closest

        word = argument.partition("=")[0]
        likely = closest(word, (option for action in self._actions for option in action.option_strings))
        return f"there is no option {word}" + (f": did you mean {likely}?" if likely else "")


def _indented(text: str) -> str:
    return "".join(f"  {line}\n" for line in text.strip().splitlines())
