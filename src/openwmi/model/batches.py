"""Batches: runs of rows of one layout, or lists of objects where classes mix (DESIGN.md section 3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, overload

from openwmi.model.instances import Instance

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openwmi.model.classes import Class
    from openwmi.model.layouts import Layout


class Rows(Sequence[Instance]):
    """Rows of one layout; an instance is made when it is read. `defaults` is the mask that all of them share."""

    __slots__ = ("defaults", "layout", "rows")

    def __init__(self, layout: Layout, rows: list[tuple[Any, ...]], defaults: int = 0) -> None:
        self.layout = layout
        self.rows = rows
        self.defaults = defaults

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> Instance: ...
    @overload
    def __getitem__(self, index: slice) -> Rows: ...
    def __getitem__(self, index: int | slice) -> Instance | Rows:
        if isinstance(index, slice):
            return Rows(self.layout, self.rows[index], self.defaults)
        return Instance(self.layout, self.rows[index], self.defaults)

    def __iter__(self) -> Iterator[Instance]:
        layout, defaults = self.layout, self.defaults
        return (Instance(layout, row, defaults) for row in self.rows)

    def __repr__(self) -> str:
        return f"<Rows {self.layout.class_name} x {len(self.rows)}>"


Batch: TypeAlias = "Rows | list[Instance | Class]"
