"""Instances: a shared layout, a tuple of values, one bit per value that is the class default (DESIGN.md section 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from openwmi.model.cimtypes import CimType
from openwmi.model.errors import error
from openwmi.model.qualifiers import EMPTY, QualifierSet
from openwmi.model.status import WBEM_E_INVALID_PROPERTY
from openwmi.model.system import SYSTEM_TYPES
from openwmi.model.values import coerce, present

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from openwmi.model.classes import Class
    from openwmi.model.layouts import Layout

# Types whose raw value is what the Python faces show.
_PLAIN = frozenset(int(code) for code in CimType if code != CimType.DATETIME)


class Extras(NamedTuple):
    """What few instances have: qualifiers of their own, and those of single properties by lower-case name (A-112)."""

    qualifiers: QualifierSet = EMPTY
    properties: dict[str, QualifierSet] = {}  # noqa: RUF012 - never written to


class _NoProperty(AttributeError):
    """Puts its sentence together only when somebody reads it, since hasattr() makes these too."""

    def __init__(self, name: str, instance: Instance) -> None:
        super().__init__(name)
        self._instance = instance

    def __str__(self) -> str:
        return self._instance._absent(self.args[0])


class Instance:
    """An immutable instance. `inst.Name` and `inst["name"]` read a property in any case; NULL is None.

    Item access also reads system properties: `inst["__PATH"]`. Names of our own end in an underscore. Setting goes
    through :meth:`with_`, which makes another instance.
    """

    __slots__ = ("defaults_", "extras_", "layout_", "values_")

    layout_: Layout
    values_: tuple[Any, ...]
    defaults_: int
    extras_: Extras | None

    def __init__(
        self, layout: Layout, values: tuple[Any, ...], defaults: int = 0, extras: Extras | None = None
    ) -> None:
        """`values` are raw and aligned with the layout; they are not checked here."""
        self.layout_ = layout
        self.values_ = values
        self.defaults_ = defaults
        self.extras_ = extras

    # Reading ------------------------------------------------------------------------------------------------------

    def __getattr__(self, name: str) -> Any:
        if name[-1] == "_":  # no property ends so; and slots that are not set yet end here
            raise AttributeError(f"{type(self).__name__} has no attribute {name}")
        position = self.layout_.index.get(name.lower())
        if position is None:
            raise _NoProperty(name, self)
        code = self.layout_.types[position]
        value = self.values_[position]
        return value if code in _PLAIN else present(value, code)

    def __getitem__(self, name: str) -> Any:
        if name[:2] == "__":
            return present(self.system_(name), SYSTEM_TYPES[name.upper()])
        position = self.layout_.index.get(name.lower())
        if position is None:
            raise KeyError(self._absent(name))
        return present(self.values_[position], self.layout_.types[position])

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and (name.lower() in self.layout_.index or name.upper() in SYSTEM_TYPES)

    __iter__ = None  # names, values or pairs? names_, values_ and items_() say which

    def raw_(self, name: str) -> Any:
        """The raw value of a property or system property. KeyError when there is none of that name."""
        position = self.layout_.index.get(name.lower())
        if position is not None:
            return self.values_[position]
        return self.system_(name)

    def get_(self, name: str, default: Any = None) -> Any:
        """The value as the Python faces show it; `default` when the object has no such property."""
        try:
            return self[name]
        except KeyError:
            return default

    def system_(self, name: str) -> Any:
        """A system property, raw. KeyError when there is none of that name."""
        upper = name.upper()
        if upper not in SYSTEM_TYPES:
            raise KeyError(self._absent(name))
        return self.layout_.system(upper, self.values_)

    def items_(self) -> Iterator[tuple[str, Any]]:
        """(name, shown value) of every property, in class order."""
        layout = self.layout_
        for name, code, value in zip(layout.names, layout.types, self.values_, strict=False):
            yield name, present(value, code)

    def as_dict_(self) -> dict[str, Any]:
        """The properties by declared name, as the Python faces show them."""
        return dict(self.items_())

    @property
    def names_(self) -> tuple[str, ...]:
        return self.layout_.names

    @property
    def path_(self) -> str | None:
        """__PATH: None while a key is NULL, and for projections and embedded copies without a place."""
        path: str | None = self.layout_.system("__PATH", self.values_)
        return path

    @property
    def relpath_(self) -> str | None:
        path: str | None = self.layout_.system("__RELPATH", self.values_)
        return path

    @property
    def class_(self) -> Class | None:
        return self.layout_.class_

    @property
    def classname_(self) -> str:
        return self.layout_.class_name

    @property
    def namespace_(self) -> str | None:
        return self.layout_.namespace

    @property
    def server_(self) -> str | None:
        return self.layout_.server

    # Making another -----------------------------------------------------------------------------------------------

    def with_(self, values: Mapping[str, Any] | None = None, /, **named: Any) -> Instance:
        """A copy with other values, coerced to their types; INVALID_PROPERTY for a name that the object lacks."""
        layout = self.layout_
        row = list(self.values_)
        defaults = self.defaults_
        for name, value in {**(values or {}), **named}.items():
            position = layout.index.get(name.lower())
            if position is None:
                raise error(WBEM_E_INVALID_PROPERTY, self._absent(name), parameter=name)
            row[position] = coerce(
                value,
                layout.types[position],
                name=layout.names[position],
                reference=layout.references[position],
            )
            defaults &= ~(1 << position)
        return Instance(layout, tuple(row), defaults, self.extras_)

    # Comparing and showing ----------------------------------------------------------------------------------------

    def __eq__(self, other: object) -> bool:
        """Same class name, same properties, same values."""
        if not isinstance(other, Instance):
            return NotImplemented
        mine, theirs = self.layout_, other.layout_
        if mine is not theirs and mine.class_name.lower() != theirs.class_name.lower():
            return False
        if mine.names == theirs.names or mine.index == theirs.index:
            return self.values_ == other.values_
        return mine.index.keys() == theirs.index.keys() and all(
            self.values_[position] == other.values_[theirs.index[name]]
            for name, position in mine.index.items()
        )

    def __hash__(self) -> int:
        return hash(
            (self.layout_.class_name.lower(), frozenset(zip(self.layout_.index, self.values_, strict=False)))
        )

    def __repr__(self) -> str:
        path = self.relpath_
        if path is not None:
            return f"<{path}>"
        shown = [
            f"{name}={brief(value)}"
            for name, value in zip(self.layout_.names[:4], self.values_, strict=False)
        ]
        more = ", ..." if len(self.values_) > 4 else ""
        return f"<{self.layout_.class_name} {', '.join(shown)}{more}>"

    def __dir__(self) -> list[str]:
        return [*object.__dir__(self), *self.layout_.names]

    def __getstate__(self) -> tuple[Any, ...]:
        return self.layout_, self.values_, self.defaults_, self.extras_

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.layout_, self.values_, self.defaults_, self.extras_ = state

    def _absent(self, name: str) -> str:
        near = nearest(name, self.layout_.names)
        return f"{self.layout_.class_name} has no property {name}{f'; did you mean {near}?' if near else ''}"


def brief(value: object) -> str:
    """A raw value in at most some 60 characters; embedded objects by their class, so that no depth is too deep."""
    if isinstance(value, Instance):
        return f"<{value.layout_.class_name}>"
    if isinstance(value, (str, bytes)):
        return repr(value) if len(value) <= 40 else f"{value[:40]!r}..."
    if isinstance(value, (tuple, list)):
        more = ", ..." if len(value) > 3 else ""
        return f"[{', '.join([brief(one)[:20] for one in value[:3]])}{more}]"
    if isinstance(value, int) and value.bit_length() > 128:
        return "a number that is far too large"  # and that Python itself may refuse to write out
    return f"{value!r:.60}"


def nearest(name: str, candidates: tuple[str, ...]) -> str | None:
    """The candidate that is spelled most like `name`, or None when none is near."""
    from difflib import get_close_matches

    spelled = {candidate.lower(): candidate for candidate in candidates}
    found = get_close_matches(name.lower()[:255], spelled, n=1, cutoff=0.6)
    return spelled[found[0]] if found else None
