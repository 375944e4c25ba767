"""The shipped classes without their providers: what a mock host takes from them that its MOF does not declare.

Instances of such a class are those that somebody has put; it shows nothing of this machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from openwmi.model.classes import ClassDeclaration
from openwmi.model.qualifiers import QualifierSet

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openwmi.service.schema import ClassSource

_DRIVEN: Final = frozenset(("dynamic", "provider"))


class Undriven:
    """A source whose classes have lost their providers. Implements schema.ClassSource.

    hidden: names, in lower case, of those that have given way to others.
    """

    __slots__ = ("_source", "hidden")

    def __init__(self, source: ClassSource) -> None:
        self._source = source
        self.hidden: set[str] = set()

    def superclasses(self) -> Mapping[str, str | None]:
        found = self._source.superclasses()
        return {name: above for name, above in found.items() if name not in self.hidden}

    def declaration(self, name: str) -> ClassDeclaration | None:
        found = None if name in self.hidden else self._source.declaration(name)
        if found is None:
            return None
        kept = QualifierSet([one for one in found.qualifiers if one.name.lower() not in _DRIVEN])
        return ClassDeclaration(found.name, found.superclass, kept, found.properties, found.methods)
