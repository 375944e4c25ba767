"""`openwmi compile`: MOF files checked, split, or put into the repository."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from openwmi.cli import exits
from openwmi.cli.options import Argument, Misuse, Option
from openwmi.cli.session import Session
from openwmi.cli.switches import flags, translated
from openwmi.mof.pragmas import CLASS_WORDS, INSTANCE_WORDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from openwmi.cli.compiling import Source
    from openwmi.cli.console import Console
    from openwmi.cli.options import Options
    from openwmi.host import Host

EXAMPLES = r"""
openwmi compile --check classes.mof
openwmi compile classes.mof instances.mof --namespace root/default
openwmi compile classes.mof --class-flags updateonly,forceupdate --autorecover
openwmi compile -N:root\default -class:createonly classes.mof
openwmi compile --mof neutral.mof --mfl german.mfl --amendment MS_407 master.mof
"""

ARGUMENTS = (
    Argument(
        "files", "FILE", "MOF files in UTF-8, UTF-16 or ANSI, compiled in this order; - reads one", many=True
    ),
)
OPTIONS = (
    Option("check", "judge syntax and what the files themselves settle; stores nothing, needs no repository"),
    Option(
        "namespace",
        "the namespace, root/default unless given; #pragma namespace overrides it",
        short="n",
        value="NS",
        default=r"root\default",
    ),
    Option(
        "class-flags",
        f"{', '.join(CLASS_WORDS)}; several with commas",
        value="FLAGS",
        convert=lambda text: flags(CLASS_WORDS, text),
        repeated=True,
    ),
    Option(
        "instance-flags",
        " or ".join(INSTANCE_WORDS),
        value="FLAGS",
        convert=lambda text: flags(INSTANCE_WORDS, text),
        repeated=True,
    ),
    Option("autorecover", "put the files into the list that openwmi repository recover compiles anew"),
    Option("mof", "split the file: where the language-neutral text goes", value="FILE"),
    Option("mfl", "split the file: where the translatable text goes", value="FILE"),
    Option("amendment", "the locale of a file that is split, unless the file says it", value="MS_XXX"),
)


def words(given: Sequence[str]) -> list[str]:
    """The command line with mofcomp's switches as options."""
    return list(translated(given))


def run(options: Options, console: Console) -> int:
    """Check, split or store. Exit code 2 for a mistake in a text, 1 for an object that the service refuses."""
    from openwmi.cli import compiling
    from openwmi.model.errors import MofError

    session = Session(options.namespace, options)
    namespace = session.namespace
    class_flags = _combined(options.class_flags, "class-flags")
    instance_flags = _combined(options.instance_flags, "instance-flags")
    if options.mof or options.mfl or options.amendment:
        _check_splitting(options)
    try:
        sources = [compiling.read(file) for file in options.files]
        if options.check:
            return compiling.check(sources, namespace, console)
        if options.mof:
            return _split(sources[0], options, namespace, console)
        _parse(sources)
    except MofError as failure:
        code = compiling.complain(console, failure)
        console.complain("  reached  the files were read; nothing is stored\n")
        return code
    if session.machine is not None:
        return _elsewhere(session, sources, options, console, flags=(class_flags, instance_flags))
    from openwmi.host import local

    host = local()
    for file, source in zip(options.files, sources, strict=True):
        try:
            done = compiling.store(
                host, source, namespace, class_flags=class_flags, instance_flags=instance_flags
            )
        except MofError as failure:
            code = compiling.complain(console, failure)
            console.complain(
                "  reached  what stands before it is stored, and stays (nothing is rolled back)\n"
            )
            return code
        compiling.told(console, source.name, done)
        _remember(console, host, file, wanted=options.autorecover or done.autorecover)
    return exits.OK


def _elsewhere(
    session: Session, sources: list[Source], options: Options, console: Console, *, flags: tuple[int, int]
) -> int:
    """Store in the repository of another machine."""
    from openwmi.cli import compiling
    from openwmi.model.errors import MofError, WbemError

    if options.autorecover:
        raise Misuse("--autorecover is for the store of this machine")
    try:
        with session.connected() as wmi:
            for source in sources:
                done = compiling.store_there(wmi, source, class_flags=flags[0], instance_flags=flags[1])
                compiling.told(console, source.name, done)
    except MofError as failure:
        code = compiling.complain(console, failure)
        console.complain("  reached  what stands before it is stored, and stays (nothing is rolled back)\n")
        return code
    except WbemError as failure:
        raise session.failed(failure) from failure
    return exits.OK


def _combined(given: list[int], name: str) -> int:
    """The bits of all mentions of an option."""
    found = 0
    for one in given:
        found |= one
    if found & 0x3 == 0x3 or found & 0x60 == 0x60:
        raise Misuse(f"--{name}: these exclude each other")
    return found


def _check_splitting(options: Options) -> None:
    if not options.mof or not options.mfl:
        raise Misuse("a file is split into two: name both, --mof FILE and --mfl FILE")
    if len(options.files) != 1:
        raise Misuse("one file at a time is split")


def _parse(sources: list[Source]) -> None:
    """Judge the syntax of all files, so that nothing is stored when one of them has a mistake there."""
    from openwmi import mof
    from openwmi.cli.compiling import Included

    for one in sources:
        mof.parse(one.text, file=one.name, include=Included())


def _split(source: Source, options: Options, namespace: str, console: Console) -> int:
    """Write the neutral and the translatable text (C-23); nothing is stored."""
    from openwmi import mof

    made = mof.split(
        source.text,
        file=source.name,
        include=source.included,
        locale=options.amendment,
        namespace=namespace,
    )
    for file, text in ((options.mof, made.neutral), (options.mfl, made.localized)):
        with open(file, "w", encoding="utf-16") as opened:
            opened.write(text)
    console.note(f"{options.mof} and {options.mfl} ({made.locale}) are written; nothing is stored yet")
    return exits.OK


def _remember(console: Console, host: Host, file: str, *, wanted: bool) -> None:
    """Put the file into the recovery list, or say that it is not in there (C-21, C-44)."""
    from openwmi.cli.compiling import STANDARD_INPUT
    from openwmi.repository.care import recovery_list, remember

    store = host.repository.opened().store
    path = os.path.abspath(file)
    if wanted and file != STANDARD_INPUT:
        remember(store, path)
    elif wanted or path not in recovery_list(store):
        console.note(f"{file} is not in the recovery list; --autorecover puts a file there")
