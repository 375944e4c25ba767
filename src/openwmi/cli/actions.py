"""Verbs that do one of several things: `openwmi user add`, `openwmi repository check`."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from openwmi.cli.options import Misuse

if TYPE_CHECKING:
    from collections.abc import Mapping

Action = TypeVar("Action")


def chosen(verb: str, name: str, actions: Mapping[str, Action]) -> Action:
    """What a name stands for; Misuse, with the name that was probably meant, when it stands for nothing."""
    found = actions.get(name)
    if found is None:
        from openwmi.cli.suggestions import closest

        likely = closest(name, actions)
        said = f"did you mean {likely}?" if likely else f"there are {', '.join(actions)}"
        raise Misuse(f"there is no {verb} {name}: {said}")
    return found
