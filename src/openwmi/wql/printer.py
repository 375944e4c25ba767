"""The tree as WQL text again: one spelling for every way to write the same query."""

from __future__ import annotations

from typing import Final

from openwmi.wql.syntax import (
    And,
    Associators,
    Comparison,
    Group,
    Isa,
    IsNull,
    Like,
    Literal,
    Node,
    Not,
    Or,
    PropertyPath,
    Query,
    SchemaSelect,
    fold,
)

_WORDS: Final = {  # the clauses of D4 as their pages spell them
    word.lower(): word
    for word in (
        "AssocClass",
        "ClassDefsOnly",
        "KeysOnly",
        "RequiredAssocQualifier",
        "RequiredQualifier",
        "ResultClass",
        "ResultRole",
        "Role",
        "SchemaOnly",
    )
}


def text_of(query: Query) -> str:
    """WQL text whose tree equals `query`."""
    if isinstance(query, Associators):
        return _association(query)
    where = f" WHERE {condition_text(query.where)}" if query.where else ""
    if isinstance(query, SchemaSelect):
        return f"SELECT * FROM {query.class_name.text}{where}"
    columns = "*" if query.columns is None else _list(query.columns)
    within = f" WITHIN {query.within.text}" if query.within else ""
    group = _group(query.group) if query.group else ""
    having = f" HAVING {predicate_text(query.having)}" if query.having else ""
    return f"SELECT {columns} FROM {query.class_name.text}{within}{where}{group}{having}"


def condition_text(root: Node) -> str:
    """WQL text of a condition, with the parentheses that precedence asks for and no others.

    Its leaves are predicates, or anything else that has their `text`.
    """
    return fold(root, _join)[0]


def _join(node: Node, below: list[tuple[str, int]]) -> tuple[str, int]:
    """The text of `node` and how loosely it binds: 0 a predicate, 1 NOT, 2 AND, 3 OR."""
    if isinstance(node, And):
        return " AND ".join(f"({text})" if level == 3 else text for text, level in below), 2
    if isinstance(node, Or):
        return " OR ".join(text for text, _ in below), 3
    if isinstance(node, Not):
        text, level = below[0]
        return f"NOT ({text})" if level else f"NOT {text}", 1
    if isinstance(node, (Comparison, Like, IsNull, Isa)):
        return predicate_text(node), 0
    return str(getattr(node, "text", node)), 0


def predicate_text(node: Comparison | Like | IsNull | Isa) -> str:
    """WQL text of one predicate."""
    name = node.path.text
    if isinstance(node, Comparison):
        return f"{name} {node.op} {literal_text(node.literal)}"
    if isinstance(node, Like):
        return f"{name} LIKE {literal_text(node.literal)}"
    if isinstance(node, IsNull):
        return f"{name} IS {'NOT ' if node.negated else ''}NULL"
    return f"{name} {'NOT ' if node.negated else ''}ISA {quoted(node.class_name.text)}"


def literal_text(literal: Literal) -> str:
    """A constant as WQL text."""
    return quoted(literal.value) if isinstance(literal.value, str) else literal.text


def quoted(text: str) -> str:
    """A string constant: in single quotes, with \\ and ' escaped (D-22)."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _list(paths: tuple[PropertyPath, ...]) -> str:
    return ", ".join(path.text for path in paths)


def _group(group: Group) -> str:
    within = f" WITHIN {group.within.text}" if group.within else ""
    by = "" if group.by is None else f" BY {_list(group.by) or '*'}"
    return f" GROUP{within}{by}"


def _association(query: Associators) -> str:
    clauses = "".join(
        f" {_WORDS[word]}" + (f" = {_name(name.text)}" if name else "")
        for word, name in query.options.items()
    )
    return f"{query.verb} {{{query.source}}}" + (f" WHERE{clauses}" if clauses else "")


def _name(text: str) -> str:
    """A name, in quotes where it would not be read as one."""
    bare = all(char.isalnum() or char == "_" or char >= "\x80" for char in text) and not text[:1].isdigit()
    return text if bare and text and text.upper() not in ("NULL", "TRUE", "FALSE") else quoted(text)
