"""Just enough of a C preprocessor for the driver kit's MOF files: #include, object-like #define, #if(n)def, #else.

They go through the C compiler's preprocessor before the MOF compiler sees them. Their header files are not in the
corpus; a constant from one stays a name, and `missing` gives it a value.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_DIRECTIVE = re.compile(r"\s*#\s*(\w+)\s*(.*)", re.DOTALL)
_DEFINE = re.compile(r"(\w+)(\([^)]*\))?\s*(.*)", re.DOTALL)
_TOKEN = re.compile(r'"(?:[^"\\\n]|\\.)*"|//[^\n]*|/\*.*?\*/|\w+', re.DOTALL)


def preprocessed(
    text: str, missing: dict[str, str] | None = None, include: Callable[[str], str] = lambda name: ""
) -> str:
    """The text with macros expanded and conditions decided. include(name) gives the text of an included file."""
    return _run(text, dict(missing or {}), include)


def _run(text: str, macros: dict[str, str], include: Callable[[str], str]) -> str:
    active = [True]
    out = []
    lines = iter(text.replace("\r\n", "\n").split("\n"))
    for line in lines:
        match = _DIRECTIVE.match(line)
        if match is None or match[1] == "pragma":
            line = line.rstrip().removesuffix("\\")  # lines are spliced before anything else looks at them
            out.append(_expanded(line, macros) if all(active) else "")
            continue
        word, rest = match[1], match[2]
        out.append("")
        while rest.rstrip().endswith("\\"):
            rest = rest.rstrip()[:-1] + "\n" + next(lines, "")
            out.append("")
        if word == "include" and all(active):
            out.append(_run(include(rest.strip().strip('<>"')), macros, include))
        else:
            _directive(word, rest, macros, active)
    return "\n".join(out)


def _directive(word: str, rest: str, macros: dict[str, str], active: list[bool]) -> None:
    name = (rest.split() or [""])[0]
    if word == "ifdef":
        active.append(name in macros)
    elif word in ("ifndef", "if"):
        active.append(word == "ifndef" and name not in macros)
    elif word == "else":
        active[-1] = not active[-1]
    elif word == "endif":
        active.pop()
    elif all(active) and word == "define" and (match := _DEFINE.match(rest)) is not None and not match[2]:
        macros[match[1]] = match[3].strip()
    elif all(active) and word == "undef":
        macros.pop(name, None)


def _expanded(line: str, macros: dict[str, str], depth: int = 0) -> str:
    def replaced(match: re.Match[str]) -> str:
        value = macros.get(match[0])
        return match[0] if value is None or depth > 20 else _expanded(value, macros, depth + 1)

    return _TOKEN.sub(replaced, line)
