"""An independent grammar of WQL, from model.md D2, D4, D5 and D6, for an LALR parser: the hand-made one's oracle.

It takes a keyword as a name where its lexer expects no keyword, which is less often than ours; everything else is meant
to be the same language. `parse` gives nested tuples,
`shape` the same tuples from our tree.
"""

from __future__ import annotations

import re
from typing import Any

from lark import Lark, Token, Transformer, v_args

from openwmi.wql.syntax import (
    And,
    Associators,
    Comparison,
    Isa,
    IsNull,
    Like,
    Literal,
    Name,
    Not,
    Or,
    PropertyPath,
    Query,
    References,
    SchemaSelect,
)

GRAMMAR = r"""
start: select | associators | references

select: SELECT columns FROM NAME within? where? group? having?
columns: STAR | column ("," column)*
column: NAME ("." NAME)* ("." STAR)?
within: WITHIN number
where: WHERE expr
group: GROUP (groupwithin groupby? | groupby)
groupwithin: WITHIN number
groupby: BY (STAR | path ("," path)*)?
having: HAVING path relop number

expr: term (OR term)*
term: factor (AND factor)*
factor: negated | "(" expr ")" | predicate
negated: NOT ("(" expr ")" | predicate)
predicate: path relop const          -> compare
         | const relop path          -> mirrored
         | path LIKE STRING          -> like
         | path IS NULL              -> isnull
         | path IS NOT NULL          -> isnotnull
         | path ISA classname        -> isa
         | path NOT ISA classname    -> isnota
path: NAME ("." NAME)*
classname: STRING | NAME
relop: OPERATOR
const: STRING -> string
     | number
     | TRUE -> true
     | FALSE -> false
     | NULL -> null
number: SIGN? NUMBER

associators: ASSOCIATORS OF PATH (WHERE option+)?
references: REFERENCES OF PATH (WHERE option+)?
option: FLAG -> flag
      | CLAUSE "=" (NAME | STRING) -> clause

SELECT.2: /select(?![\w\u0080-\U0010ffff])/i
FROM.2: /from(?![\w\u0080-\U0010ffff])/i
WHERE.2: /where(?![\w\u0080-\U0010ffff])/i
WITHIN.2: /within(?![\w\u0080-\U0010ffff])/i
GROUP.2: /group(?![\w\u0080-\U0010ffff])/i
BY.2: /by(?![\w\u0080-\U0010ffff])/i
HAVING.2: /having(?![\w\u0080-\U0010ffff])/i
AND.2: /and(?![\w\u0080-\U0010ffff])/i
OR.2: /or(?![\w\u0080-\U0010ffff])/i
NOT.2: /not(?![\w\u0080-\U0010ffff])/i
LIKE.2: /like(?![\w\u0080-\U0010ffff])/i
ISA.2: /isa(?![\w\u0080-\U0010ffff])/i
IS.2: /is(?![\w\u0080-\U0010ffff])/i
NULL.2: /null(?![\w\u0080-\U0010ffff])/i
TRUE.2: /true(?![\w\u0080-\U0010ffff])/i
FALSE.2: /false(?![\w\u0080-\U0010ffff])/i
ASSOCIATORS.2: /associators(?![\w\u0080-\U0010ffff])/i
REFERENCES.2: /references(?![\w\u0080-\U0010ffff])/i
OF.2: /of(?![\w\u0080-\U0010ffff])/i
FLAG.2: /(classdefsonly|keysonly|schemaonly)(?![\w\u0080-\U0010ffff])/i
CLAUSE.2: /(assocclass|requiredassocqualifier|requiredqualifier|resultclass|resultrole|role)(?![\w\u0080-\U0010ffff])/i
STAR: "*"
SIGN: "+" | "-"
OPERATOR: "<=" | ">=" | "<>" | "!=" | "=" | "<" | ">"
NAME: /(?!(null|true|false)(?![\w\u0080-\U0010ffff]))[a-z_\u0080-\U0010ffff][a-z0-9_\u0080-\U0010ffff]*/i
NUMBER: /([0-9]+(\.[0-9]+)?|\.[0-9]+)([eE][+-]?[0-9]+)?(?![A-Za-z0-9_\u0080-\U0010ffff])/
STRING: /"([^"\\]|\\["'\\])*"|'([^'\\]|\\["'\\])*'/
PATH: /\{([^}"']|"([^"\\]|\\.)*"|'([^'\\]|\\.)*')*\}/s
%ignore /[ \t\r\n]+/
"""

KEYWORDS = frozenset(re.findall(r"^[A-Z]+\.2: /\(?([a-z|]+)", GRAMMAR, re.MULTILINE)) | frozenset(
    word for words in re.findall(r"/\(([a-z|]+)\)", GRAMMAR) for word in words.split("|")
)
_MIRRORED = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}
_REFERENCES_TAKE = {"classdefsonly", "keysonly", "schemaonly", "requiredqualifier", "resultclass", "role"}


class Refused(Exception):
    """A rule that no context-free grammar states."""


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)


def _spliced(kind: str, items: list[Any]) -> Any:
    flat: list[Any] = []
    for item in items:
        flat.extend(item[1:] if item[0] == kind else [item])
    return (kind, *flat) if len(items) > 1 else items[0]


@v_args(inline=True)
class _Shapes(Transformer[Token, Any]):
    def start(self, query: Any) -> Any:
        return query

    def select(self, *parts: Any) -> Any:
        columns, name = parts[1], str(parts[3]).lower()
        rest = dict(part for part in parts[4:] if part is not None)
        where = rest.pop("where", None)
        if name == "meta_class":
            if columns != "*" or rest:
                raise Refused
            return ("schema", where)
        return ("select", columns, name, rest.get("within"), where, rest.get("group"), rest.get("having"))

    def columns(self, *columns: Any) -> Any:
        return "*" if columns == ("*",) else tuple(columns)

    def column(self, *names: Any) -> Any:
        return tuple(str(name).lower() for name in names)

    path = column

    def within(self, _: Any, number: Any) -> Any:
        return ("within", number)

    def where(self, _: Any, expr: Any) -> Any:
        return ("where", expr)

    def group(self, _: Any, *parts: Any) -> Any:
        rest = dict(parts)
        return ("group", (rest.get("within"), rest.get("by")))

    def groupwithin(self, _: Any, number: Any) -> Any:
        return ("within", number)

    def groupby(self, _: Any, *paths: Any) -> Any:
        return ("by", () if paths == ("*",) else paths)

    def having(self, _: Any, path: Any, op: Any, number: Any) -> Any:
        return ("having", ("compare", path, op, number))

    def expr(self, *items: Any) -> Any:
        return _spliced("or", [item for item in items if not isinstance(item, Token)])

    def term(self, *items: Any) -> Any:
        return _spliced("and", [item for item in items if not isinstance(item, Token)])

    def factor(self, item: Any) -> Any:
        return item

    def negated(self, _: Any, item: Any) -> Any:
        return ("not", item)

    def compare(self, path: Any, op: Any, const: Any) -> Any:
        if const != ("null",):
            return ("compare", path, op, const)
        if op not in ("=", "<>"):
            raise Refused
        return ("null" if op == "=" else "notnull", path)

    def mirrored(self, const: Any, op: Any, path: Any) -> Any:
        return self.compare(path, _MIRRORED.get(op, op), const)

    def like(self, path: Any, _: Any, pattern: Any) -> Any:
        return ("like", path, _unquoted(pattern))

    def isnull(self, path: Any, *_: Any) -> Any:
        return ("null", path)

    def isnotnull(self, path: Any, *_: Any) -> Any:
        return ("notnull", path)

    def isa(self, path: Any, _: Any, name: Any) -> Any:
        return ("isa", path, name)

    def isnota(self, path: Any, _: Any, __: Any, name: Any) -> Any:
        return ("isnota", path, name)

    def classname(self, token: Token) -> Any:
        return (_unquoted(token) if token.type == "STRING" else str(token)).lower()

    def relop(self, token: Token) -> Any:
        return "<>" if token == "!=" else str(token)

    def const(self, value: Any) -> Any:
        return value

    def string(self, token: Token) -> Any:
        return ("text", _unquoted(token))

    def number(self, *tokens: Token) -> Any:
        text = "".join(tokens).replace("+", "", 1) if tokens[0].type == "SIGN" else str(tokens[0])
        return ("number", float(text))

    def true(self, _: Any) -> Any:
        return ("boolean", True)

    def false(self, _: Any) -> Any:
        return ("boolean", False)

    def null(self, _: Any) -> Any:
        return ("null",)

    def associators(self, *parts: Any) -> Any:
        return self._association("associators", parts)

    def references(self, *parts: Any) -> Any:
        options = {part[0] for part in parts if isinstance(part, tuple)}
        if not options <= _REFERENCES_TAKE:
            raise Refused
        return self._association("references", parts)

    def _association(self, kind: str, parts: Any) -> Any:
        options = [part for part in parts if isinstance(part, tuple)]
        words = [word for word, _ in options]
        (path,) = (part for part in parts if isinstance(part, Token) and part.type == "PATH")
        exclusive = "classdefsonly" in words and ("resultclass" in words or "schemaonly" in words)
        if exclusive or len(set(words)) != len(words) or not path[1:-1].strip():
            raise Refused
        return (kind, str(path[1:-1]), tuple(sorted(options)))

    def flag(self, token: Token) -> Any:
        return (str(token).lower(), "")

    def clause(self, word: Token, token: Token) -> Any:
        return (str(word).lower(), (_unquoted(token) if token.type == "STRING" else str(token)).lower())


_PARSER = Lark(GRAMMAR, parser="lalr")
_SHAPES = _Shapes()


def parse(text: str) -> Any:
    """Nested tuples; raises lark's exceptions or Refused."""
    return _SHAPES.transform(_PARSER.parse(text))


def shape(query: Query) -> Any:
    """Our tree in the oracle's tuples."""
    if isinstance(query, Associators):
        options = tuple(sorted((word, name.folded if name else "") for word, name in query.options.items()))
        return ("references" if isinstance(query, References) else "associators", query.source, options)
    where = None if query.where is None else _condition(query.where)
    if isinstance(query, SchemaSelect):
        return ("schema", where)
    columns = "*" if query.columns is None else tuple(path.folded for path in query.columns)
    group = query.group
    grouped = group and (
        _number(group.within),
        None if group.by is None else tuple(path.folded for path in group.by),
    )
    having = query.having and _condition(query.having)
    return ("select", columns, query.class_name.folded, _number(query.within), where, grouped, having)


def names_of(query: Query) -> set[str]:
    """Every identifier of a query, lower case."""
    found: set[str] = set()

    def visit(node: object) -> None:
        if isinstance(node, Name):
            found.add(node.folded)
        elif isinstance(node, PropertyPath):
            found.update(node.folded)
        elif isinstance(node, (tuple, list)):
            for item in node:
                visit(item)
        elif isinstance(node, dict):
            visit(list(node.values()))
        elif hasattr(node, "__slots__") and not isinstance(node, Literal):
            for slot in (*node.__slots__, *getattr(type(node).__mro__[1], "__slots__", ())):
                visit(getattr(node, slot, None))

    visit(query)
    return found


def _number(literal: Literal | None) -> Any:
    return None if literal is None else ("number", float(literal.text))


def _condition(node: Any) -> Any:
    if isinstance(node, Comparison):
        return ("compare", node.path.folded, node.op, _constant(node.literal))
    if isinstance(node, Like):
        return ("like", node.path.folded, node.pattern)
    if isinstance(node, IsNull):
        return ("notnull" if node.negated else "null", node.path.folded)
    if isinstance(node, Isa):
        return ("isnota" if node.negated else "isa", node.path.folded, node.class_name.folded)
    if isinstance(node, Not):
        return ("not", _condition(node.items[0]))
    assert isinstance(node, (And, Or))
    return ("and" if isinstance(node, And) else "or", *map(_condition, node.items))


def _constant(literal: Literal) -> Any:
    if isinstance(literal.value, str):
        return ("text", literal.value)
    return ("boolean", literal.value) if isinstance(literal.value, bool) else ("number", float(literal.text))
