"""ASSOCIATORS OF and REFERENCES OF from options: what `assoc` and `refs` share (docs/wql.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.cli.formats import writer_for
from openwmi.cli.naming import target
from openwmi.cli.options import Argument, Misuse, Option, count
from openwmi.cli.results import show
from openwmi.cli.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from openwmi.cli.console import Console
    from openwmi.cli.options import Options

ARGUMENTS = (Argument("path", "PATH|CLASS", "the object; of a class the definitions are shown"),)
SHARED = (
    Option("classes", "show each class once instead of the objects (ClassDefsOnly)"),
    Option("keys", "fill only the keys of the objects (KeysOnly)"),
    Option("limit", "stop after N objects; 0 is all", value="N", default=0, convert=count),
    Option("system", "show the system properties too (__PATH ...)"),
)


def run(statement: str, restrictions: dict[str, str], options: Options, console: Console) -> int:
    """Run the statement for the object; restrictions: WQL's word by the option's key."""
    session = Session(options.namespace, options)
    path = target(session, options.path)
    if path.class_name is None:
        raise Misuse(f"{options.path} is a namespace; name an object or a class in it")
    clauses = list(_clauses(restrictions, options, schema=not path.is_instance))
    text = f"{statement} OF {{{path.relative()}}}"
    if clauses:
        text += f" WHERE {' '.join(clauses)}"
    if console.verbosity:
        console.note(text)
    output = writer_for(options.output, console, raw=options.raw)
    return show(session, text, output, console, limit=options.limit, system=options.system)


def _clauses(restrictions: dict[str, str], options: Options, *, schema: bool) -> Iterator[str]:
    given = vars(options)
    seen: set[str] = set()
    for key, word in restrictions.items():
        name = given[key]
        if name is None:
            continue
        if not name.isidentifier():
            raise Misuse(f"--{key.replace('_', '-')} takes one name, not {name}")
        if word in seen:
            raise Misuse(f"{word} is given twice")
        seen.add(word)
        yield f"{word}={name}"
    yield from _flags((("classes", "ClassDefsOnly"), ("keys", "KeysOnly")), given)
    if schema:
        yield "SchemaOnly"


def _flags(words: Iterable[tuple[str, str]], given: dict[str, object]) -> Iterator[str]:
    for key, word in words:
        if given[key]:
            yield word
