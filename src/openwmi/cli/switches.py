"""mofcomp's switches, `-N:root\\default` or `/check`, as the options of `openwmi compile` (model.md C-40)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from openwmi.cli.options import Misuse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_VALUED = {
    "n": "--namespace",
    "class": "--class-flags",
    "instance": "--instance-flags",
    "mof": "--mof",
    "mfl": "--mfl",
    "amendment": "--amendment",
}
_FLAGS = {"autorecover": "--autorecover", "check": "--check"}
_ABSENT = {
    "b": "binary MOF is not written here",
    "wmi": "binary MOF is not written here",
    "p": "no password is needed: MOF is compiled into the store of this machine, by its owner",
    "u": "no account is needed: MOF is compiled into the store of this machine, by its owner",
    "a": "no authority is needed: MOF is compiled into the store of this machine, by its owner",
    "er": "MOF cannot be taken out of a program file here",
    "l": "MOF cannot be taken out of a program file here",
}


def translated(words: Sequence[str]) -> Iterator[str]:
    """The words with mofcomp's switches replaced; after `--` nothing is one. Raises Misuse for those not there.

    A file may begin with `/` as a switch does: an existing one is a file.
    """
    waiting = iter(words)
    for word in waiting:
        if word == "--":
            yield word
            yield from waiting
        else:
            yield _option(word) or word


def _option(word: str) -> str | None:
    if word[:1] not in ("-", "/") or word.startswith("--") or (word[0] == "/" and os.path.exists(word)):
        return None
    name, colon, value = word[1:].partition(":")
    key = name.lower()
    if colon and key in _VALUED:
        return f"{_VALUED[key]}={value}"
    if not colon and key in _FLAGS:
        return _FLAGS[key]
    if key in _ABSENT and (colon or key == "wmi"):
        raise Misuse(f"{word.partition(':')[0]}: {_ABSENT[key]}")
    return None


def flags(table: dict[str, int], text: str) -> int:
    """The bits of `updateonly,forceupdate`, quoted or not; ValueError for a word that the table does not have."""
    found = 0
    for word in text.split(","):
        bit = table.get(word.strip().strip('"').lower())
        if bit is None:
            raise ValueError(word)
        found |= bit
    return found
