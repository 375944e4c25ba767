"""Where a query finds its classes, and what is said about one that is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from openwmi.model.status import WBEM_E_INVALID_CLASS
from openwmi.wql.diagnose import query_error

if TYPE_CHECKING:
    from collections.abc import Iterable

    from openwmi.model.classes import Class
    from openwmi.wql.syntax import Name


class Catalog(Protocol):
    """The classes of one namespace. `subclasses`: all descendants. `names`: every class name, in any case, for
    suggestions.

    A catalog may also have a `version`: an object that it replaces whenever a class changes. Without one a kept plan is
    good as long as `find_class` and `subclasses` yield the very same classes.
    """

    def find_class(self, name: str) -> Class | None: ...

    def subclasses(self, name: str) -> Iterable[Class]: ...

    def names(self) -> Iterable[str]: ...


def known_class(text: str, name: Name, catalog: Catalog, code: int = WBEM_E_INVALID_CLASS) -> Class:
    """The class of that name; the error `code` with a near name when there is none."""
    found = catalog.find_class(name.text)
    if found is not None:
        return found
    from openwmi.model.instances import nearest

    near = nearest(name.text, tuple(catalog.names()))
    declared = catalog.find_class(near) if near else None
    hint = f"did you mean {declared.name}?" if declared else None
    raise query_error(code, text, name.span, f"there is no class {name.text} in this namespace", hint)
