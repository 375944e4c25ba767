"""The properties of an object and their qualifiers, read and edited: a part of IWbemClassObject (A-200 to A-206)."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

from openwmi.faces.com import constants as c
from openwmi.faces.com.calling import invalid, method, reserved
from openwmi.faces.com.qualifiers import IWbemQualifierSet
from openwmi.faces.com.unknown import IUnknown
from openwmi.faces.com.variants import from_variant, inferred_type, is_null, plain, to_variant
from openwmi.model.classes import Class
from openwmi.model.drafts import ClassDraft, draft
from openwmi.model.errors import WbemError, error
from openwmi.model.instances import Instance
from openwmi.model.status import WBEM_E_NOT_FOUND, WBEM_E_UNEXPECTED, WBEM_S_NO_MORE_DATA
from openwmi.model.system import SYSTEM_TYPES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeAlias

    from openwmi.faces.com.calling import Outs
    from openwmi.model.drafts import InstanceDraft

    # Gives the class of a name, or None: for the superclass of a class that is being edited.
    Find: TypeAlias = Callable[[str], Class | None]

# One lock for all objects: edits are short, and an object that is one of a million must not carry a lock.
EDITING: Final = threading.RLock()


def given_name(name: str | None, parameter: str = "wszName") -> str:
    """A name argument; INVALID_PARAMETER for NULL."""
    if not isinstance(name, str) or not name:
        raise invalid("the name is NULL", parameter)
    return name


def nowhere(name: str) -> Class | None:
    """Finds nothing: the superclass of an object that came from no connection is not to be had."""
    return None


class PropertyPart(IUnknown):
    """What IWbemClassObject does with properties. A draft is made when the object is first edited."""

    def __init__(self, content: Class | Instance, find: Find = nowhere, *, registered: bool = True) -> None:
        self._content = content
        self._find = find
        self._registered = registered
        self._draft: ClassDraft | InstanceDraft | None = None
        self._parented = False
        self._enumeration: Iterator[str] | None = None

    def snapshot_(self) -> Class | Instance:
        """The object as it is now; later changes do not show."""
        return self._content if self._draft is None else self._draft.freeze()

    @property
    def draft_(self) -> ClassDraft | InstanceDraft:
        """The object in an editable form: a ClassDraft or an InstanceDraft of the model."""
        if self._draft is None:
            self._draft = draft(self._content)
            if isinstance(self._draft, ClassDraft):
                self._draft.registered = self._registered
        return self._draft

    def parented_(self) -> ClassDraft | InstanceDraft:
        """The draft, with the superclass at hand where it is to be had: what an override hides can show again."""
        content = self.snapshot_()
        if not self._parented and isinstance(content, Class) and content.superclass:
            parent = self._find(content.superclass)
            if parent is not None:
                self._draft = ClassDraft(content, parent, registered=self._registered)
            self._parented = True
        return self.draft_

    def editing_(self, whole: bool) -> ClassDraft | InstanceDraft:
        return self.parented_() if whole else self.draft_

    # Values

    @method("pVal", "pType", "plFlavor", optional=("pVal", "pType", "plFlavor"))
    def Get(
        self, wszName: str | None, lFlags: int, *, out: Outs = None
    ) -> tuple[int, Any, int | None, int | None]:
        """(hr, value, CIM type, flavor): local, propagated or system (A-200)."""
        reserved(lFlags)
        return 0, *self._read(given_name(wszName))

    def _read(self, name: str) -> tuple[Any, int, int]:
        content = self._content
        if self._draft is not None or not isinstance(content, Instance):
            entry = self.draft_.get(name)
            return to_variant(entry.value, entry.type), int(entry.type), entry.flavor
        code = SYSTEM_TYPES.get(name.upper())
        if code is not None:
            return to_variant(content.system_(name), code), int(code), c.WBEM_FLAVOR_ORIGIN_SYSTEM
        position = content.layout_.index.get(name.lower())
        if position is None:
            raise error(WBEM_E_NOT_FOUND, f"the object has no property {name}", parameter=name)
        raw, code = content.values_[position], content.layout_.types[position]
        own = raw is not None and not content.defaults_ >> position & 1
        return to_variant(raw, code), int(code), 0 if own else c.WBEM_FLAVOR_ORIGIN_PROPAGATED

    @method()
    def Put(self, wszName: str | None, lFlags: int, pVal: Any, Type: int) -> int:
        """Set a value. On a class an unknown name makes a new property: of `Type`, else of what the value is (A-201).
        `Type` 0 keeps the declared type."""
        reserved(lFlags)
        name = given_name(wszName)
        with EDITING:
            if name.upper() in SYSTEM_TYPES:
                self.draft_.put(name, None if is_null(pVal) else plain(pVal))
                return 0
            code = self._type_for(name, pVal, Type)
            self.draft_.put(name, from_variant(pVal, code, name=name) if code else None, Type or 0)
        return 0

    def _type_for(self, name: str, value: Any, given: int) -> int:
        """The type that a value is converted to: the declared one, or that of a new property of a class; 0 for none."""
        try:
            return int(self.draft_.get(name).type)
        except WbemError as absent:
            if absent.code != WBEM_E_NOT_FOUND or not isinstance(self.draft_, ClassDraft):
                raise
        return given or inferred_type(value) or 0

    @method()
    def Delete(self, wszName: str | None) -> int:
        """An instance's property goes back to its default; a class's own one is removed (A-203)."""
        with EDITING:
            return self.parented_().delete(given_name(wszName))

    # Names

    @method("pNames")
    def GetNames(
        self, wszQualifierName: str | None, lFlags: int, pQualifierVal: Any, *, out: Outs = None
    ) -> tuple[int, list[str] | None]:
        """(hr, names) of the properties that the flags choose: system properties, then by name (A-204, A-206)."""
        value = None if is_null(pQualifierVal) else plain(pQualifierVal)
        return 0, self.draft_.names(lFlags, wszQualifierName, value)

    @method()
    def BeginEnumeration(self, lEnumFlags: int) -> int:
        self._enumeration = iter([entry.name for entry in self.draft_.enumerate(lEnumFlags)])
        return 0

    @method("strName", "pVal", "pType", "plFlavor", optional=("strName", "pVal", "pType", "plFlavor"))
    def Next(self, lFlags: int, *, out: Outs = None) -> tuple[int, str | None, Any, int | None, int | None]:
        """(hr, name, value, CIM type, flavor); WBEM_S_NO_MORE_DATA at the end (A-205)."""
        reserved(lFlags)
        if self._enumeration is None:
            raise error(WBEM_E_UNEXPECTED, "IWbemClassObject::Next before BeginEnumeration")
        for name in self._enumeration:
            return 0, name, *self._read(name)
        return WBEM_S_NO_MORE_DATA, None, None, None, None

    @method()
    def EndEnumeration(self) -> int:
        self._enumeration = None
        return 0

    @method("pstrClassName")
    def GetPropertyOrigin(self, wszName: str | None, *, out: Outs = None) -> tuple[int, str | None]:
        """(hr, class) that introduced the property, not the last that overrode it (A-211)."""
        return 0, self.draft_.origin(given_name(wszName))

    # Qualifiers

    @method("ppQualSet")
    def GetQualifierSet(self, *, out: Outs = None) -> tuple[int, IWbemQualifierSet | None]:
        """(hr, the object's own qualifiers, live) (A-215)."""
        return 0, IWbemQualifierSet(lambda whole: self.editing_(whole).qualifiers())

    @method("ppQualSet")
    def GetPropertyQualifierSet(
        self, wszProperty: str | None, *, out: Outs = None
    ) -> tuple[int, IWbemQualifierSet | None]:
        """(hr, the qualifiers of a property, live)."""
        name = given_name(wszProperty, "wszProperty")
        self.draft_.property_qualifiers(name)
        return 0, IWbemQualifierSet(lambda whole: self.editing_(whole).property_qualifiers(name))
