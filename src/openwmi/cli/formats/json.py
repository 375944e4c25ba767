"""`-o json`: one JSON array, an object a line; a single object asked for by its path is no array.

The array is closed also when the call fails half-way, so that what did arrive can be read; the exit code tells.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.cli.formats import jsonl

if TYPE_CHECKING:
    from collections.abc import Sequence


class Writer(jsonl.Writer):
    """A JSON document."""

    def start(self, names: Sequence[str]) -> None:
        self._lead = "" if self.single else "[\n"

    def documents(self, texts: list[str]) -> None:
        self.console.write(self._lead + ",\n".join(texts))
        self._lead = ",\n"

    def finish(self) -> None:
        if self.single:
            self.console.write("\n")
        else:
            self.console.write("[]\n" if self._lead == "[\n" else "\n]\n")
