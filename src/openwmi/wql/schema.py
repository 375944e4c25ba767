"""Schema queries: which class definitions `SELECT * FROM meta_class WHERE ...` means (D5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from openwmi.model.cimtypes import CimType
from openwmi.wql.checks import THIS, Scope
from openwmi.wql.compile import Shape, compiled, source_of
from openwmi.wql.diagnose import suggestion
from openwmi.wql.terms import Column

if TYPE_CHECKING:
    from collections.abc import Callable

    from openwmi.model.classes import Class
    from openwmi.wql.catalog import Catalog
    from openwmi.wql.syntax import PropertyPath, SchemaSelect

_COLUMNS: Final = {
    "__class": CimType.STRING,
    "__dynasty": CimType.STRING,
    "__superclass": CimType.STRING,
    THIS: CimType.OBJECT,
}
_SHAPE: Final = Shape(len(_COLUMNS), {name: at for at, name in enumerate(_COLUMNS)}, None, {}, (None, None))


class _MetaClass(Scope):
    """meta_class has three properties and __this (D-91)."""

    __slots__ = ()

    def __init__(self, text: str) -> None:
        self.text = text
        self.event = False

    def column(self, path: PropertyPath) -> Column:
        name = path.names[0]
        code = _COLUMNS.get(name.folded)
        if code is None or len(path.names) > 1:
            hint = suggestion(name.text, ("__CLASS", "__DYNASTY", "__SUPERCLASS", "__this"))
            message = f"a schema query compares __CLASS, __DYNASTY, __SUPERCLASS and __this, not {path.text}"
            self.refuse(path.span, message, hint)
        return Column(name.folded, code, system=True)


def schema_filter(select: SchemaSelect, catalog: Catalog) -> Callable[[Class], bool]:
    """Whether a class belongs to the result of a schema query. A class in ISA that `catalog` lacks has no descendants.

    Raises INVALID_QUERY with the place for properties other than those of D-91 and for operators that do not fit.
    """
    if select.where is None:
        return lambda _: True
    run = compiled(*source_of(_MetaClass(select.text).condition(select.where), _SHAPE))

    def matches(class_: Class) -> bool:
        row = (class_.name, class_.dynasty, class_.superclass, class_)
        return next(run((row,)), None) is not None

    return matches
