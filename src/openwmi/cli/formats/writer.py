"""What every output format is: it is told the columns, gets batches as they come, and is told the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.cli.records import Columns
from openwmi.cli.values import text_form
from openwmi.model.cimtypes import CimType
from openwmi.model.classes import Class

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from openwmi.cli.console import Console
    from openwmi.cli.records import Row
    from openwmi.model.batches import Batch

    Form = Callable[[Any], Any]

# What a class is shown as where only rows can be: what describe says in full.
CLASS_COLUMNS = ("__CLASS", "__SUPERCLASS")


class Writer:
    """One result in one format; a format overrides `start`, `rows` and `finish`, or `batch` when it wants objects.

    wants_paths: the format cannot do without the objects' paths, which a query then has to bring along.
    needs_objects: it shows objects, and has no use for rows.
    """

    wants_paths = False
    needs_objects = False

    def __init__(self, console: Console, *, raw: bool = False, single: bool = False) -> None:
        self.console = console
        self.raw = raw
        self.single = single
        self.columns = Columns(())
        self._forms: dict[tuple[int, ...], list[Form]] = {}

    def begin(self, names: Sequence[str]) -> None:
        """The columns are known; called once, before anything else."""
        self.columns = Columns(names)
        self.start(self.columns.names)

    def batch(self, batch: Batch) -> None:
        """Write some objects."""
        first = batch[0]
        if isinstance(first, Class):
            codes = (int(CimType.STRING),) * len(self.columns.names)
            self.rows(codes, [tuple([one.system_(name) for name in self.columns.names]) for one in batch])
            return
        for codes, rows in self.columns.blocks(batch):
            self.rows(codes, rows)

    def records(self, codes: Sequence[int], rows: list[Row]) -> None:
        """Write rows that are no objects, or none at all."""
        if rows:
            self.rows(codes, rows)

    def pause(self) -> None:
        """More may come, but not now: what was written so far is to be seen."""
        self.console.flush()

    def end(self) -> None:
        """The result is over, or as much of it as there will be. Called once, whatever happened before."""
        self.finish()
        self.console.flush()

    def forms(self, codes: Sequence[int]) -> list[Form]:
        """`form` of each column, kept: rows come in many small batches of the same few shapes."""
        known = self._forms.get(tuple(codes))
        if known is None:
            known = self._forms[tuple(codes)] = [self.form(code) for code in codes]
        return known

    def form(self, code: int) -> Form:
        """The function that writes non-NULL values of a type in this format."""
        return text_form(code, dmtf=self.raw)

    def start(self, names: Sequence[str]) -> None:
        """The columns' names."""

    def rows(self, codes: Sequence[int], rows: list[Row]) -> None:
        """Rows of raw values and the types of their columns (0: this class has no such property)."""
        raise NotImplementedError

    def finish(self) -> None:
        """What closes the output."""
