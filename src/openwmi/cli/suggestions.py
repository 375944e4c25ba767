"""Did you mean: the nearest known name to one that is not known. Used on the way to an error message only."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def closest(word: str, known: Iterable[str]) -> str | None:
    """The one known name that `word` was most likely meant to be, ignoring case; None when nothing is near."""
    import difflib

    folded = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word.lower(), folded, n=1, cutoff=0.6)
    return folded[found[0]] if found else None
