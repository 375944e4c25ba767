"""IUnknown: reference counts that can be observed, and QueryInterface."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, ClassVar, Final

from openwmi.faces.com.calling import Failure
from openwmi.faces.com.constants import E_NOINTERFACE, E_POINTER, RPC_E_DISCONNECTED
from openwmi.faces.com.guids import IID_IUnknown, as_guid

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID

# One lock for all counts: they change seldom, and an object that is one of a million must not carry a lock.
_COUNTING: Final = threading.Lock()


class IUnknown:
    """Every object of this face. It starts with one reference, its receiver's; Python's own do not count."""

    interfaces_: ClassVar[tuple[UUID, ...]] = ()
    __references = 1

    def QueryInterface(self, riid: object, *, out: Collection[str] | None = None) -> tuple[int, Any]:
        """(hr, object): the object under another interface, with a reference of its own; E_NOINTERFACE."""
        if out is not None and "ppvObject" not in out:
            return E_POINTER, None
        wanted = as_guid(riid)
        if wanted is None:
            return E_POINTER if riid is None else E_NOINTERFACE, None
        found = self.interface_(wanted)
        if found is None:
            return E_NOINTERFACE, None
        if found is self:
            self.AddRef()
        return 0, found

    def AddRef(self) -> int:
        """Take a reference; returns the new count."""
        with _COUNTING:
            self.__references += 1
            return self.__references

    def Release(self) -> int:
        """Drop a reference; returns the new count. At 0 the object lets go of what it holds."""
        with _COUNTING:
            if self.__references <= 0:
                return 0
            self.__references -= 1
            left = self.__references
        if not left:
            self.released_()
        return left

    def interface_(self, iid: UUID) -> IUnknown | None:
        """The object that answers an interface: this one, or a new one that comes with a reference; None."""
        return self if iid == IID_IUnknown or iid in self.interfaces_ else None

    @property
    def referenced_(self) -> bool:
        """Whether somebody holds a reference."""
        return self.__references > 0

    def released_(self) -> None:
        """The last reference is gone."""

    def alive_(self) -> None:
        """Refuse a call on an object whose last reference is gone."""
        if not self.referenced_:
            raise Failure(RPC_E_DISCONNECTED)
