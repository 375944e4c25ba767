"""`openwmi describe`: what a class, a property or a method is, for somebody who wants to use it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.cli import schema
from openwmi.cli.formats import writer_for
from openwmi.cli.formats.writer import CLASS_COLUMNS
from openwmi.cli.naming import class_named, member_named, selection, split_member
from openwmi.cli.options import Argument, Misuse
from openwmi.cli.session import Session
from openwmi.cli.values import json_text
from openwmi.model.classes import Method

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from openwmi.cli.console import Console
    from openwmi.cli.options import Options
    from openwmi.model.classes import Class, Property

EXAMPLES = """
openwmi describe Win32_Process
openwmi describe Win32_Process.Priority
openwmi describe Win32_Process.Create
openwmi describe Win32_LogicalDisk -o json
"""

ARGUMENTS = (Argument("subject", "CLASS[.MEMBER]", "a class, or a property or method of one"),)
OPTIONS: tuple[()] = ()


def run(options: Options, console: Console) -> int:
    """Print the description: text for people unless a format is asked for."""
    session = Session(options.namespace, options)
    class_name, member = split_member(options.subject)
    class_ = class_named(session, class_name)
    if member is None:
        _class(class_, options, console)
    else:
        _member(class_, member_named(session, class_, member), options, console)
    return 0


def _class(class_: Class, options: Options, console: Console) -> None:
    if options.output:
        output = writer_for(options.output, console, raw=options.raw, single=True)
        output.begin(CLASS_COLUMNS)
        output.batch([class_])
        output.end()
    else:
        console.write("\n".join(_class_lines(class_, _width(console))) + "\n")


def _member(class_: Class, found: Property | Method, options: Options, console: Console) -> None:
    if options.output and options.output.lower() not in ("json", "jsonl"):
        raise Misuse("a property or a method can be described as text, or with -o json")
    if isinstance(found, Method):
        document, lines = schema.method_document(found), _method_lines(class_, found, _width(console))
    else:
        document, lines = schema.property_document(found), _property_lines(class_, found, _width(console))
    console.write((json_text(document) if options.output else "\n".join(lines)) + "\n")


def _width(console: Console) -> int:
    return min(console.width or 100, 100)


def _class_lines(class_: Class, width: int) -> Iterator[str]:
    yield " : ".join((class_.name, *class_.derivation))
    yield from _wrapped(str(class_.qualifiers.value("Description") or ""), width, "  ")
    yield ""
    keys = f"keys {', '.join(class_.keys)}" if class_.keys else "no keys"
    yield f"  namespace {class_.namespace}, {_source(class_)}, {keys}"
    if class_.properties:
        yield "\nproperties"
        yield from _aligned(
            (one.name, schema.declared_type(one), "; ".join((*schema.facts(one), *_described(one))))
            for one in class_.properties.values()
        )
    if class_.methods:
        yield "\nmethods"
        for method in class_.methods.values():
            yield f"  {schema.signature(method)}"
            yield from _wrapped(str(method.qualifiers.value("Description") or ""), width, "      ")
    yield "\nexamples"
    yield from (f"  {line}" for line in _examples(class_))


def _source(class_: Class) -> str:
    if class_.is_abstract:
        return "abstract: instances are those of the classes below it"
    if class_.provider:
        return f"instances come from the provider {class_.provider}"
    return "instances are stored"


def _described(one: Property) -> Iterable[str]:
    text = one.qualifiers.value("Description")
    return (str(text),) if text else ()


def _examples(class_: Class) -> Iterator[str]:
    names = [*class_.keys, *(one.name for one in class_.properties.values() if one.name not in class_.keys)]
    if names:
        yield f'openwmi query "{selection(class_.name, names[:3])}"'
        yield f"openwmi get {class_.name} {' '.join(names[:2])} -o json"
    for one in list(class_.methods.values())[:1]:
        yield f"openwmi describe {class_.name}.{one.name}"
    if not class_.methods and names:
        yield f"openwmi describe {class_.name}.{names[0]}"


def _property_lines(class_: Class, one: Property, width: int) -> Iterator[str]:
    yield f"{class_.name}.{one.name}   {schema.declared_type(one)}"
    yield from _wrapped(str(one.qualifiers.value("Description") or ""), width, "  ")
    yield ""
    for fact in schema.facts(one):
        yield f"  {fact}"
    if one.has_default:
        yield f"  {one.default if one.default is not None else 'NULL'} unless set"
    yield f"  declared in {one.origin}"
    yield from _meaning_lines(schema.meanings(one.qualifiers))
    yield from _qualifier_lines(schema.other_qualifiers(one.qualifiers), width)


def _method_lines(class_: Class, method: Method, width: int) -> Iterator[str]:
    yield f"{class_.name}.{method.name}"
    yield f"  {schema.signature(method)}"
    yield from _wrapped(str(method.qualifiers.value("Description") or ""), width, "  ")
    ins, outs = schema.parameters(method.inputs), schema.parameters(method.outputs)
    for title, side in (("in", ins), ("out", outs)):
        if side:
            yield f"\n{title}"
            yield from _aligned(
                (one.name, schema.declared_type(one), "; ".join((*schema.facts(one), *_described(one))))
                for one in side
            )
    codes = schema.meanings(method.qualifiers)
    for one in outs:
        codes = codes or (schema.meanings(one.qualifiers) if one.name.lower() == "returnvalue" else {})
    if codes:
        yield "\nReturnValue"
        yield from _meaning_lines(codes)
    yield "\n  acts on the class" if method.qualifiers.truth("Static") else "\n  acts on an instance"
    if not method.qualifiers.truth("Implemented"):
        yield "  declared, but not implemented here"
    privileges = method.qualifiers.value("Privileges")
    if isinstance(privileges, tuple):
        yield f"  needs the privilege {', '.join(map(str, privileges))}"
    yield "\nexample"
    target = class_.name
    if not method.qualifiers.truth("Static") and class_.keys:
        target = "'" + f"{class_.name}." + ",".join(f'{key}="..."' for key in class_.keys) + "'"
    yield f"  openwmi call {target} {method.name}" + "".join(f" {one.name}=..." for one in ins[:2])


def _meaning_lines(codes: dict[str, str]) -> Iterator[str]:
    width = max(map(len, codes), default=0)
    for code, meaning in codes.items():
        yield f"  {code:>{width}}  {meaning}".rstrip()


def _qualifier_lines(qualifiers: Iterable[str], width: int) -> Iterator[str]:
    listed = ", ".join(qualifiers)
    if listed:
        yield from _wrapped(f"qualifiers: {listed}", width, "  ")


def _aligned(rows: Iterable[tuple[str, str, str]]) -> Iterator[str]:
    held = list(rows)
    first, second = (max((len(row[at]) for row in held), default=0) for at in (0, 1))
    for name, type_, text in held:
        yield f"  {name:<{first}}  {type_:<{second}}  {text}".rstrip()


def _wrapped(text: str, width: int, indent: str) -> list[str]:
    if not text:
        return []
    from textwrap import wrap

    return wrap(text, width, initial_indent=indent, subsequent_indent=indent)
