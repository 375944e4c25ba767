"""A verb's command line: its arguments and options as a table, read into values, printed as help.

Written by hand because argparse costs 9 ms, a sixth of what the first row of a query may take.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import ModuleType

DEFAULT_NAMESPACE = "root\\cimv2"
_WIDTH = 28  # of the left column of help


class Misuse(Exception):
    """A command line that cannot be carried out as written; its text says why. Exit code 2."""


class Argument:
    """A positional argument: its key among the values, how help shows it, whether it may be missing or repeated."""

    __slots__ = ("help", "key", "many", "optional", "shown")

    def __init__(
        self,
        key: str,
        shown: str,
        help: str,  # noqa: A002
        *,
        many: bool = False,
        optional: bool = False,
    ) -> None:
        self.key = key
        self.shown = shown
        self.help = help
        self.many = many
        self.optional = optional

    @property
    def usage(self) -> str:
        text = f"{self.shown} ..." if self.many else self.shown
        return f"[{text}]" if self.optional else text


class Option:
    """An option: `--name`, perhaps `-short`.

    value: how help shows what follows it; None for a flag, whose value is True, or its count when `repeated`.
    convert: from text to the value; a ValueError of it becomes Misuse. repeated: values are collected in a list.
    """

    __slots__ = ("convert", "default", "help", "key", "name", "repeated", "short", "value")

    def __init__(
        self,
        name: str,
        help: str,  # noqa: A002
        *,
        short: str | None = None,
        value: str | None = None,
        default: object = None,
        convert: Callable[[str], object] = str,
        repeated: bool = False,
    ) -> None:
        self.name = f"--{name}"
        self.key = name.replace("-", "_")
        self.help = help
        self.short = f"-{short}" if short else None
        self.value = value
        self.default = default
        self.convert = convert
        self.repeated = repeated

    @property
    def initial(self) -> object:
        if self.value is None:
            return 0 if self.repeated else False
        return [] if self.repeated else self.default


class Options:
    """The values of a command line, as attributes."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.__dict__.update(values)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

        def __setattr__(self, name: str, value: Any) -> None: ...


def count(text: str) -> int:
    """A number of things: a whole number that is not negative."""
    number = int(text)
    if number < 0:
        raise ValueError(text)
    return number


def _colour(text: str) -> str:
    if text not in ("auto", "always", "never"):
        raise ValueError(text)
    return text


COMMON = (
    Option("namespace", "the namespace, root/cimv2 unless given", short="n", value="NS"),
    Option("output", "table, list, tsv, csv, json, jsonl, xml, name or mof", short="o", value="FORMAT"),
    Option("raw", "datetimes as WMI writes them (DMTF)"),
    Option("color", "auto (on terminals), always or never", value="WHEN", default="auto", convert=_colour),
    Option("quiet", "no notes, only results and errors", short="q"),
    Option("verbose", "more about an error; -vv: where in the program", short="v", repeated=True),
    Option("help", "show this", short="h"),
)


def _one_of(*words: str) -> Callable[[str], str]:
    def convert(text: str) -> str:
        if text not in words:
            raise ValueError(text)
        return text

    return convert


def _seconds(text: str) -> float:
    from openwmi.cli.durations import duration

    seconds = duration(text)
    if not seconds:
        raise ValueError(text)
    return seconds


def port(text: str, *, least: int = 1) -> int:
    """The number of a TCP port; where it may be 0, that is any free one."""
    if not (text.isascii() and text.isdigit() and least <= int(text) <= 0xFFFF):
        raise ValueError(text)
    return int(text)


TRACE = Option(
    "trace", "write every PDU, decoded and without secrets, as lines of JSON to a file", value="FILE"
)
# How another machine is reached; of every verb but those that are about this one (`LOCAL` in their module).
ELSEWHERE = (
    Option("host", "another machine, as HOST or HOST[PORT]", short="H", value="HOST"),
    Option("user", r"who to log on there as: NAME, DOMAIN\NAME or NAME@REALM", short="u", value="USER"),
    Option(
        "password-file",
        "the password is its first line (-: standard input); OPENWMI_PASSWORD_FILE, OPENWMI_PASSWORD and the"
        " keyboard are other ways, this line is none",
        value="FILE",
    ),
    Option(
        "auth",
        "negotiate (unless given), ntlm or kerberos",
        value="PROTOCOL",
        convert=_one_of("negotiate", "ntlm", "kerberos"),
    ),
    Option(
        "auth-level",
        "privacy (unless given) or integrity",
        value="LEVEL",
        convert=_one_of("privacy", "integrity"),
    ),
    Option("timeout", "the longest silence of that machine, 30s unless given", value="D", convert=_seconds),
    Option(
        "delivery",
        "how events come from there: auto (unless given), sink (called back) or poll",
        value="WAY",
        convert=_one_of("auto", "sink", "poll"),
    ),
    Option(
        "callback-port",
        "the port of this machine that the other one calls back to, with events",
        value="PORT",
        convert=port,
    ),
    TRACE,
)


class CommandLine:
    """What a verb's module says it takes: ARGUMENTS, OPTIONS and EXAMPLES."""

    def __init__(self, verb: str, summary: str, module: ModuleType) -> None:
        self.verb = verb
        self.summary = summary
        self.examples: str = module.EXAMPLES
        self.arguments: Sequence[Argument] = module.ARGUMENTS
        own: Sequence[Option] = module.OPTIONS
        mine = {option.name for option in own}
        common = COMMON if getattr(module, "LOCAL", False) else (*ELSEWHERE, *COMMON)
        self.options = (*own, *(option for option in common if option.name not in mine))
        self._known: dict[str, Option] = {}
        for option in self.options:
            self._known[option.name] = option
            if option.short:
                self._known[option.short] = option

    def read(self, words: Sequence[str]) -> Options:
        """The values; options may stand anywhere, and after `--` nothing is one. Raises Misuse."""
        values: dict[str, Any] = {option.key: option.initial for option in self._known.values()}
        positional: list[str] = []
        waiting = iter(words)
        for word in waiting:
            if word == "--":
                positional.extend(waiting)
            elif word.startswith("--"):
                name, equals, text = word.partition("=")
                self._take(values, name, text if equals else None, waiting)
            elif word.startswith("-") and len(word) > 1:
                self._take_short(values, word, waiting)
            else:
                positional.append(word)
        if not values["help"]:
            self._place(values, positional)
        return Options(values)

    def help(self) -> str:
        """The help text: examples come first."""
        usage = " ".join(
            ("openwmi", self.verb, *(argument.usage for argument in self.arguments), "[options]")
        )
        return "\n".join(
            (
                f"{self.summary[0].upper()}{self.summary[1:]}.\n",
                "examples:",
                *(f"  {line}" for line in self.examples.strip().splitlines()),
                f"\nusage: {usage}\n",
                *_columns((argument.shown, argument.help) for argument in self.arguments),
                "\noptions:",
                *_columns((_shown(option), option.help) for option in self.options),
                "",
            )
        )

    def _take(self, values: dict[str, Any], name: str, text: str | None, waiting: Iterator[str]) -> None:
        option = self._known.get(name)
        if option is None:
            raise Misuse(self._unknown(name))
        if option.value is None:
            if text is not None:
                raise Misuse(f"{name} takes no value")
            values[option.key] = values[option.key] + 1 if option.repeated else True
            return
        if text is None:
            text = next(waiting, None)
        if text is None:
            raise Misuse(f"{name} takes a value: {name} {option.value}")
        try:
            value = option.convert(text)
        except ValueError:
            raise Misuse(f"{name} {option.value}: {text} will not do; {option.help}") from None
        if option.repeated:
            values[option.key].append(value)
        else:
            values[option.key] = value

    def _take_short(self, values: dict[str, Any], word: str, waiting: Iterator[str]) -> None:
        """`-n root`, `-nroot`, `-n=root`, and flags together, as in `-qv`."""
        for position in range(1, len(word)):
            name = f"-{word[position]}"
            option = self._known.get(name)
            if option is not None and option.value is not None:
                rest = word[position + 1 :].removeprefix("=")
                return self._take(values, name, rest or None, waiting)
            self._take(values, name, None, waiting)
        return None

    def _place(self, values: dict[str, Any], positional: list[str]) -> None:
        for argument in self.arguments:
            if argument.many:
                values[argument.key], positional = positional, []
            else:
                values[argument.key] = positional.pop(0) if positional else None
            if not values[argument.key] and not argument.optional:
                raise Misuse(f"{argument.shown} is missing: {argument.help}")
        if positional:
            raise Misuse(f"one argument too many: {positional[0]}")

    def _unknown(self, name: str) -> str:
        from openwmi.cli.suggestions import closest

        likely = closest(name, self._known)
        return f"there is no option {name}" + (f": did you mean {likely}?" if likely else "")


def _shown(option: Option) -> str:
    both = f"{option.short}, {option.name}" if option.short else option.name
    return f"{both} {option.value}" if option.value else both


def _columns(rows: Iterator[tuple[str, str]]) -> Iterator[str]:
    for left, right in rows:
        if len(left) <= _WIDTH - 4:
            yield f"  {left:<{_WIDTH - 2}}{right}"
        else:
            yield f"  {left}"
            yield f"{' ' * _WIDTH}{right}"
