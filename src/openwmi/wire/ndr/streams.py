"""Reader and Writer with what NDR remembers between values: referents of pointers."""

from __future__ import annotations

from typing import Any, Final

from openwmi.wire.buffers import Buffer, Reader, Writer

# Windows numbers its referents from here in steps of four; a peer tests them for zero only.
_FIRST_REFERENT: Final = 0x00020000


class NdrReader(Reader):
    """A stub or a serialized type being read."""

    __slots__ = ("referents",)

    def __init__(
        self, data: Buffer, clause: str = "[C706] 14", start: int = 0, end: int | None = None
    ) -> None:
        super().__init__(data, clause, start, end)
        self.referents: dict[int, Any] = {}


class Promise:
    """An object that a full pointer announced, and whether it has been written."""

    __slots__ = ("referent", "value", "written")

    def __init__(self, referent: int, value: Any) -> None:
        self.referent = referent
        self.value = value
        self.written = False


class NdrWriter(Writer):
    """A stub or a serialized type being written."""

    __slots__ = ("_next", "referents")

    def __init__(self) -> None:
        super().__init__()
        self._next = _FIRST_REFERENT
        # Of full pointers, by the identity of their object: a promise that keeps the object, and so its identity.
        self.referents: dict[int, Promise] = {}

    def referent(self) -> int:
        """A new non-zero identifier."""
        value = self._next
        self._next += 4
        return value
