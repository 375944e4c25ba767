"""Reports of progress that wait to be heard: a view has no sink, whoever uses it comes by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from openwmi.contract.outcome import Progress

# Of more the newest are kept: progress is about now.
MOST: Final = 64


class Reports:
    """What nobody has heard yet; each is told once, to whoever asks first."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: list[Progress] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, progress: Progress) -> None:
        self._waiting.append(progress)
        del self._waiting[:-MOST]

    def heard(self) -> list[Progress]:
        """All that wait, which they do no longer."""
        found, self._waiting = self._waiting, []
        return found
