"""Instances while a program edits them, and what their drafts share with those of classes (model.md A10)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NoReturn

from openwmi.model.cimtypes import type_name
from openwmi.model.errors import WbemError, error
from openwmi.model.instances import Extras, Instance
from openwmi.model.listing import Entry, enumeration, names
from openwmi.model.qualifierdrafts import QualifierDraft
from openwmi.model.qualifiers import EMPTY, PROPAGATED, SYSTEM, TO_INSTANCE, QualifierSet
from openwmi.model.status import (
    WBEM_E_ILLEGAL_NULL,
    WBEM_E_ILLEGAL_OPERATION,
    WBEM_E_INCOMPLETE_CLASS,
    WBEM_E_NOT_FOUND,
    WBEM_E_OVERRIDE_NOT_ALLOWED,
    WBEM_E_READ_ONLY,
    WBEM_E_SYSTEM_PROPERTY,
    WBEM_E_TYPE_MISMATCH,
    WBEM_S_NO_ERROR,
)
from openwmi.model.system import SYSTEM_TYPES
from openwmi.model.values import coerce

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SYSTEM_ORIGIN: Final = "___SYSTEM"  # what GetPropertyOrigin says of a system property


def missing(kind: str, name: str) -> WbemError:
    """NOT_FOUND for a member."""
    return error(WBEM_E_NOT_FOUND, f"there is no {kind} {name}", parameter=name)


def is_system(name: str) -> bool:
    """Whether a name is that of a system property."""
    return name.upper() in SYSTEM_TYPES


def read_only(name: str) -> WbemError:
    """What a put of a system property raises (A-142)."""
    return error(WBEM_E_READ_ONLY, f"system property {name} cannot be written", parameter=name)


def system_property(name: str) -> WbemError:
    """What deleting a system property, or asking for its qualifiers, raises (A-109, A-142)."""
    message = f"{name} is a system property: it cannot be deleted and has no qualifiers"
    return error(WBEM_E_SYSTEM_PROPERTY, message, parameter=name)


def system_entries(read: Callable[[str], Any]) -> Iterator[Entry]:
    """The ten system properties as listings show them."""
    for name, code in SYSTEM_TYPES.items():
        yield Entry(name, read(name), code, SYSTEM, system=True)


class InstanceDraft:
    """An instance being edited."""

    __slots__ = ("_extras", "_instance", "_put", "_row")

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._row = list(instance.values_)
        self._put = 0  # one bit per property that was put, NULL included
        self._extras = instance.extras_ or Extras()

    def freeze(self) -> Instance:
        """The instance as it is now."""
        start = self._instance
        defaults = start.defaults_ & ~self._put
        extras = self._extras if self._extras != Extras() else None
        return Instance(start.layout_, tuple(self._row), defaults, extras)

    def clone(self) -> InstanceDraft:
        """A draft of its own with the same content (A-214)."""
        twin = InstanceDraft(self.freeze())
        twin._put = self._put
        return twin

    # Properties ---------------------------------------------------------------------------------------------------

    def get(self, name: str) -> Entry:
        """Value, type and flavor of a property; NOT_FOUND (A-200)."""
        if is_system(name):
            upper = name.upper()
            return Entry(upper, self.freeze().system_(upper), SYSTEM_TYPES[upper], SYSTEM, system=True)
        return self._entry(self._position(name))

    def put(self, name: str, value: Any, code: int = 0) -> None:
        """Assign a property (A-201): NOT_FOUND, READ_ONLY for a system property, TYPE_MISMATCH, ILLEGAL_NULL."""
        if is_system(name):
            raise read_only(name)
        position = self._position(name)
        layout = self._instance.layout_
        if code not in (0, layout.types[position]):
            message = f"{name} is {type_name(layout.types[position])}, not {type_name(code)}"
            raise error(WBEM_E_TYPE_MISMATCH, message, parameter=name)
        if value is None and self._declared_qualifiers(position).truth("not_null"):
            raise error(
                WBEM_E_ILLEGAL_NULL, f"{layout.names[position]} cannot be NULL", parameter=name
            )
        raw = coerce(
            value, layout.types[position], name=layout.names[position], reference=layout.references[position]
        )
        self._row[position] = raw
        self._put |= 1 << position

    def delete(self, name: str) -> int:
        """Back to the default of the class (A-050); SYSTEM_PROPERTY, NOT_FOUND."""
        if is_system(name):
            raise system_property(name)
        position = self._position(name)
        class_ = self._instance.class_
        declared = class_.property(name) if class_ is not None else None
        self._row[position] = None if declared is None else declared.default
        start = self._instance
        # The bit of the default has to be set even where the object came without it.
        self._instance = Instance(
            start.layout_, start.values_, start.defaults_ | 1 << position, start.extras_
        )
        self._put &= ~(1 << position)
        return WBEM_S_NO_ERROR

    def names(self, flags: int = 0, qualifier: str | None = None, value: Any = None) -> list[str]:
        """GetNames (A-204)."""
        return names(self._entries(), flags, qualifier, value)

    def enumerate(self, flags: int = 0) -> list[Entry]:
        """What BeginEnumeration and Next go through (A-205)."""
        return enumeration(self._entries(), flags)

    def origin(self, name: str) -> str:
        """The class that introduced a property (A-211)."""
        if is_system(name):
            return SYSTEM_ORIGIN
        position = self._position(name)
        class_ = self._instance.class_
        declared = class_.property(name) if class_ is not None else None
        return declared.origin if declared is not None else self._instance.layout_.names[position]

    def inherits_from(self, name: str) -> bool:
        """Whether `name` is the class of the instance or an ancestor (A-213)."""
        layout = self._instance.layout_
        return name.lower() in [one.lower() for one in (layout.class_name, *layout.derivation)]

    def _entries(self) -> Iterator[Entry]:
        frozen = self.freeze()
        yield from system_entries(frozen.system_)
        for position in range(len(self._row)):
            yield self._entry(position)

    def _entry(self, position: int) -> Entry:
        layout = self._instance.layout_
        name = layout.names[position]
        own = self._changed(position)
        flavor = 0 if own else PROPAGATED
        qualifiers = self._shown_property(name)
        return Entry(name, self._row[position], layout.types[position], flavor, own, qualifiers=qualifiers)

    def _changed(self, position: int) -> bool:
        """Whether the instance has a value of its own there. A provider leaves NULL where it knows nothing."""
        if self._put >> position & 1:
            return True
        return not self._instance.defaults_ >> position & 1 and self._row[position] is not None

    def _position(self, name: str) -> int:
        position = self._instance.layout_.index.get(name.lower())
        if position is None:
            raise missing("property", name)
        return position

    # Qualifiers ---------------------------------------------------------------------------------------------------

    def qualifiers(self) -> QualifierDraft:
        """The live qualifiers of the instance: its own over those of the class that reach instances (A-112, A-215)."""
        return QualifierDraft(self._shown, self._store, on_instance=True)

    def property_qualifiers(self, name: str) -> QualifierDraft:
        """The live qualifiers of a property; SYSTEM_PROPERTY, NOT_FOUND."""
        if is_system(name):
            raise system_property(name)
        declared = self._instance.layout_.names[self._position(name)]
        return QualifierDraft(
            lambda: self._shown_property(declared),
            lambda local: self._store_property(declared, local),
            on_instance=True,
        )

    def _shown(self) -> QualifierSet:
        class_ = self._instance.class_
        return self._extras.qualifiers.inherited_from(
            EMPTY if class_ is None else class_.qualifiers, TO_INSTANCE
        )

    def _store(self, local: QualifierSet) -> None:
        class_ = self._instance.class_
        local.inherited_from(EMPTY if class_ is None else class_.qualifiers, TO_INSTANCE)
        self._extras = self._extras._replace(qualifiers=local)

    def _declared_qualifiers(self, position: int) -> QualifierSet:
        class_ = self._instance.class_
        declared = class_.property(self._instance.layout_.names[position]) if class_ is not None else None
        return EMPTY if declared is None else declared.qualifiers

    def _shown_property(self, name: str) -> QualifierSet:
        own = self._extras.properties.get(name.lower(), EMPTY)
        return own.inherited_from(self._declared_qualifiers(self._position(name)), TO_INSTANCE)

    def _store_property(self, name: str, local: QualifierSet) -> None:
        above = self._declared_qualifiers(self._position(name))
        if "cimtype" in local and local.value("cimtype") != above.value("cimtype"):
            message = f"the type of {name} cannot be changed on an instance"
            raise error(WBEM_E_OVERRIDE_NOT_ALLOWED, message, parameter="CIMTYPE")
        local.inherited_from(above, TO_INSTANCE)
        self._extras = self._extras._replace(properties={**self._extras.properties, name.lower(): local})

    # What only classes have, and spawning -------------------------------------------------------------------------

    def spawn_instance(self) -> InstanceDraft:
        """A blank instance of the same class (A-207)."""
        class_ = self._instance.class_
        if class_ is None:
            message = f"the class {self._instance.classname_} of the instance is not known here"
            raise error(WBEM_E_INCOMPLETE_CLASS, message)
        return InstanceDraft(class_.spawn())

    def spawn_derived(self, *_: Any) -> NoReturn:
        """ILLEGAL_OPERATION, as everything that concerns methods: this is no class (A-208, A-209)."""
        raise error(
            WBEM_E_ILLEGAL_OPERATION, f"only classes can do that, and this is a {self._instance.classname_}"
        )

    method = methods = put_method = delete_method = method_qualifiers = method_origin = spawn_derived
