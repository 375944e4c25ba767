"""What pragmas say: namespaces, flags, deletions (C-18 to C-20)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from openwmi.model import status as s

if TYPE_CHECKING:
    from openwmi.mof.syntax import Pragma

UPDATE_ONLY: Final = 0x1
CREATE_ONLY: Final = 0x2
UPDATE_SAFE_MODE: Final = 0x20
UPDATE_FORCE_MODE: Final = 0x40

CLASS_WORDS: Final = {
    "createonly": CREATE_ONLY,
    "updateonly": UPDATE_ONLY,
    "safeupdate": UPDATE_SAFE_MODE,
    "forceupdate": UPDATE_FORCE_MODE,
}
INSTANCE_WORDS: Final = {"createonly": CREATE_ONLY, "updateonly": UPDATE_ONLY}
_EXCLUSIVE: Final = (CREATE_ONLY | UPDATE_ONLY, UPDATE_SAFE_MODE | UPDATE_FORCE_MODE)


class DeleteClass(NamedTuple):
    """`#pragma deleteclass`: remove a class with all below it; must_exist: FAIL was written."""

    name: str
    must_exist: bool


class DeleteInstance(NamedTuple):
    """`#pragma deleteinstance`: remove the object of that path; must_exist: FAIL was written."""

    path: str
    must_exist: bool


def namespace(node: Pragma, server: str | None) -> str:
    """The namespace of `#pragma namespace`, with backslashes. Another machine cannot be named (0x8004401C)."""
    if len(node.arguments) != 1 or not isinstance(node.arguments[0], str):
        raise node.error(s.WBEMMOF_E_INVALID_NAMESPACE_SYNTAX, "the pragma takes one namespace path")
    path = node.arguments[0].replace("/", "\\")
    if path.startswith("\\\\"):
        machine, _, path = path[2:].partition("\\")
        if machine != "." and (server is None or machine.lower() != server.lower()):
            message = f"a MOF file cannot name another machine: {machine}"
            raise node.error(s.WBEMMOF_E_INVALID_NAMESPACE_SPECIFICATION, message)
    elif path.startswith("\\"):
        path = path[1:]  # Microsoft's own samples have it
    if not all(part.isidentifier() for part in path.split("\\")):
        raise node.error(s.WBEMMOF_E_INVALID_NAMESPACE_SYNTAX, f"not a namespace: {path!r}")
    return path


def flags(node: Pragma, words: dict[str, int]) -> int:
    """The flags of classflags or instanceflags; a number stands for the bits themselves."""
    found = 0
    for argument in node.arguments:
        if isinstance(argument, str):
            bit = words.get(argument.lower())
        else:
            whole = isinstance(argument, int) and not isinstance(argument, bool)
            bit = argument if whole and not argument & ~sum(words.values()) else None  # type: ignore[operator,assignment]
        if bit is None:
            known = ", ".join(words)
            raise node.error(s.WBEMMOF_E_INVALID_FLAGS_SYNTAX, f"{node.name} takes one or more of {known}")
        found |= bit
    if not node.arguments or any(found & mask == mask for mask in _EXCLUSIVE):
        raise node.error(
            s.WBEMMOF_E_INVALID_FLAGS_SYNTAX, f"these {node.name} are none or exclude each other"
        )
    return found


def deletion(node: Pragma) -> DeleteClass | DeleteInstance:
    """What deleteclass or deleteinstance removes."""
    arguments = node.arguments
    last = arguments[-1] if arguments else None
    well = len(arguments) == 2 and isinstance(arguments[0], str) and isinstance(last, str)
    if not well or last.lower() not in ("fail", "nofail"):  # type: ignore[union-attr]
        code = s.WBEMMOF_E_INVALID_DELETECLASS_SYNTAX
        if node.name == "deleteinstance":
            code = s.WBEMMOF_E_INVALID_DELETEINSTANCE_SYNTAX
        raise node.error(code, f'expected {node.name}("...", FAIL) or {node.name}("...", NOFAIL)')
    kind = DeleteClass if node.name == "deleteclass" else DeleteInstance
    return kind(str(arguments[0]), str(last).lower() == "fail")


def amendment(node: Pragma) -> str:
    """The locale of `#pragma amendment("MS_409")`, as written."""
    argument = node.arguments[0] if len(node.arguments) == 1 else None
    if not isinstance(argument, str) or not _is_locale(argument):
        raise node.error(
            s.WBEMMOF_E_INVALID_AMENDMENT_SYNTAX, 'expected amendment("MS_xxx"), xxx a locale in hex'
        )
    return argument


def _is_locale(text: str) -> bool:
    digits = text[3:]
    return (
        text[:3].lower() == "ms_"
        and 0 < len(digits) <= 8
        and not set(digits.lower()) - set("0123456789abcdef")
    )
