"""Hypothesis strategies for queries: as lists of tokens, so that a test can space, spell and damage them."""

from __future__ import annotations

from hypothesis import strategies as st

NAMES = ("Name", "Id", "Target", "x_1", "_y", "Æ", "__CLASS", "__this", "Win32_Process")

names = st.sampled_from(NAMES)
paths = st.lists(names, min_size=1, max_size=3).map(lambda parts: ".".join(parts).split("."))
texts = st.text(st.sampled_from("aZ%_[]^-'\"\\ é{}"), max_size=6)


def quote(text: str, mark: str) -> str:
    return mark + text.replace("\\", "\\\\").replace(mark, "\\" + mark) + mark


strings = st.builds(quote, texts, st.sampled_from("'\""))
numbers = st.sampled_from(
    [["0"], ["7"], ["-", "3"], ["+", "1"], ["1.5"], [".5"], ["1e3"], ["18446744073709551616"]]
)
relations = st.sampled_from(["=", "<>", "!=", "<", ">", "<=", ">="])
constants = st.one_of(
    strings.map(lambda text: [text]), numbers, st.sampled_from([["TRUE"], ["false"], ["NULL"]])
)


def dotted(parts: list[str]) -> list[str]:
    tokens = [parts[0]]
    for part in parts[1:]:
        tokens += [".", part]
    return tokens


@st.composite
def predicates(draw: st.DrawFn) -> list[str]:
    path = dotted(draw(paths))
    kind = draw(st.integers(0, 6))
    if kind <= 1:
        return [*path, draw(relations), *draw(constants)]
    if kind == 2:
        return [*draw(constants), draw(relations), *path]
    if kind == 3:
        return [*path, "LIKE", draw(strings)]
    if kind == 4:
        return [*path, "IS", *draw(st.sampled_from([[], ["NOT"]])), "NULL"]
    return [*path, *draw(st.sampled_from([[], ["NOT"]])), "ISA", draw(st.one_of(strings, names))]


def _joined(children: st.SearchStrategy[list[str]]) -> st.SearchStrategy[list[str]]:
    joined = st.builds(
        lambda first, word, second: [*first, word, *second],
        children,
        st.sampled_from(["AND", "or"]),
        children,
    )
    grouped = children.map(lambda tokens: ["(", *tokens, ")"])
    negated = children.map(lambda tokens: ["NOT", "(", *tokens, ")"])
    return st.one_of(joined, grouped, negated)


conditions = st.recursive(predicates(), _joined, max_leaves=8)
columns = st.one_of(
    st.just(["*"]),
    st.lists(paths.map(dotted), min_size=1, max_size=3).map(
        lambda lists: [token for number, one in enumerate(lists) for token in ([","] if number else []) + one]
    ),
)
clauses = ("AssocClass", "ResultClass", "Role", "ResultRole", "RequiredQualifier", "RequiredAssocQualifier")


@st.composite
def selects(draw: st.DrawFn) -> list[str]:
    tokens = ["SELECT", *draw(columns), "FROM", draw(st.sampled_from([*NAMES, "meta_class"]))]
    if draw(st.integers(0, 4)) == 0:
        tokens += ["WITHIN", *draw(numbers)]
    if draw(st.booleans()):
        tokens += ["WHERE", *draw(conditions)]
    if draw(st.integers(0, 6)) == 0:
        tokens += [
            "GROUP",
            *draw(st.sampled_from([["WITHIN", "5"], ["WITHIN", "5", "BY", "Id"], ["BY", "*"], ["BY"]])),
        ]
        tokens += draw(st.sampled_from([[], ["HAVING", "NumberOfEvents", ">", "2"]]))
    return tokens


@st.composite
def associations(draw: st.DrawFn) -> list[str]:
    path = draw(st.sampled_from(["{A.B='x'}", '{A="}"}', "{A=@}", "{\\\\.\\root\\cimv2:A.B=1}"]))
    tokens = [draw(st.sampled_from(["ASSOCIATORS", "references"])), "OF", path]
    options = draw(
        st.lists(st.sampled_from([*clauses, "ClassDefsOnly", "KeysOnly", "SchemaOnly"]), max_size=3)
    )
    if options:
        tokens.append("WHERE")
    for option in options:
        tokens += [option, "=", draw(st.one_of(names, strings))] if option in clauses else [option]
    return tokens


queries = st.one_of(selects(), selects(), selects(), associations())
spaces = st.sampled_from([" ", "  ", "\t", "\n", "\r\n "])


@st.composite
def spelled(draw: st.DrawFn, token_lists: st.SearchStrategy[list[str]]) -> str:
    """A list of tokens as text, with some white space between them."""
    tokens = draw(token_lists)
    return "".join(token + draw(spaces) for token in tokens)


@st.composite
def damaged(draw: st.DrawFn) -> list[str]:
    """The tokens of a query with one or two dropped, doubled, swapped or replaced."""
    tokens = list(draw(queries))
    strays = [
        "SELECT",
        "FROM",
        "WHERE",
        "AND",
        "NOT",
        "(",
        ")",
        ",",
        "=",
        "NULL",
        "5",
        "'x'",
        "*",
        ".",
        "{a}",
        "ISA",
    ]
    for _ in range(draw(st.integers(1, 2))):
        at = draw(st.integers(0, len(tokens) - 1))
        change = draw(st.integers(0, 3))
        if change == 0 and len(tokens) > 1:
            del tokens[at]
        elif change == 1:
            tokens.insert(at, tokens[at])
        elif change == 2:
            other = draw(st.integers(0, len(tokens) - 1))
            tokens[at], tokens[other] = tokens[other], tokens[at]
        else:
            tokens[at] = draw(st.sampled_from(strays))
    return tokens
