"""The properties of an object and their qualifiers, read and edited: a part of IWbemClassObject (A-200 to A-206)."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

from openwmi.faces.com import constants as c
from openwmi.faces.com.calling import invalid, method, reserved
from openwmi.faces.com.class_drafts import ClassDraft
from openwmi.faces.com.instance_drafts import InstanceDraft
from openwmi.faces.com.members import enumerated, selected
from openwmi.faces.com.qualifiers import Holder, IWbemQualifierSet
from openwmi.faces.com.unknown import IUnknown
from openwmi.faces.com.variants import from_variant, inferred_type, is_null, to_variant
from openwmi.model.classes import Class, Property
from openwmi.model.errors import error
from openwmi.model.qualifiers import EMPTY, TO_INSTANCE, QualifierSet
from openwmi.model.status import (
    WBEM_E_NOT_FOUND,
    WBEM_E_READ_ONLY,
    WBEM_E_SYSTEM_PROPERTY,
    WBEM_E_TYPE_MISMATCH,
    WBEM_E_UNEXPECTED,
    WBEM_S_NO_ERROR,
    WBEM_S_NO_MORE_DATA,
)
from openwmi.model.system import SYSTEM_TYPES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openwmi.faces.com.calling import Outs

# What GetPropertyOrigin says of a system property.
_SYSTEM_ORIGIN: Final = "___SYSTEM"
# One lock for all objects: edits are short, and an object that is one of a million must not carry a lock.
_EDITING: Final = threading.RLock()


def given_name(name: str | None, parameter: str = "wszName") -> str:
    if not isinstance(name, str) or not name:
        raise invalid("the name is NULL", parameter)
    return name


def _passed(class_: Class | None) -> QualifierSet:
    return EMPTY if class_ is None else class_.qualifiers.passed_on(TO_INSTANCE)


class PropertyPart(IUnknown):
    """What IWbemClassObject does with properties."""

    draft_: ClassDraft | InstanceDraft
    _enumeration: Iterator[str] | None = None

    # Properties

    @method("pVal", "pType", "plFlavor", optional=("pVal", "pType", "plFlavor"))
    def Get(
        self, wszName: str | None, lFlags: int, *, out: Outs = None
    ) -> tuple[int, Any, int | None, int | None]:
        """(hr, value, CIM type, flavor): local, propagated or system (A-200)."""
        reserved(lFlags)
        return 0, *self._read(given_name(wszName))

    def _read(self, name: str) -> tuple[Any, int, int]:
        code = SYSTEM_TYPES.get(name.upper())
        if code is not None:
            value = to_variant(self.draft_.content.system_(name), code)
            return value, int(code), c.WBEM_FLAVOR_ORIGIN_SYSTEM
        member = self.draft_.member(name)
        if member is None:
            raise self._absent(name)
        raw, code, local = member
        return to_variant(raw, code), int(code), 0 if local else c.WBEM_FLAVOR_ORIGIN_PROPAGATED

    def _absent(self, name: str) -> Exception:
        return error(WBEM_E_NOT_FOUND, f"the object has no property {name}", parameter=name)

    @method()
    def Put(self, wszName: str | None, lFlags: int, pVal: Any, Type: int) -> int:
        """Set a value. On a class an unknown name makes a new property: of `Type`, else of what the value is (A-201).
        `Type` 0 keeps the declared type."""
        reserved(lFlags)
        name = given_name(wszName)
        if not isinstance(Type, int):
            raise invalid(f"not a CIM type: {Type!r}", "Type")
        with _EDITING:
            if name.upper() in SYSTEM_TYPES:
                self._put_system(name, pVal)
            elif isinstance(self.draft_, InstanceDraft):
                self._put_value(self.draft_, name, pVal, Type)
            else:
                self._put_default(self.draft_, name, pVal, Type)
        return 0

    def _put_system(self, name: str, value: Any) -> None:
        """__CLASS of a class that is being made is the only one that can be written (A-142)."""
        draft = self.draft_
        if name.upper() != "__CLASS" or not isinstance(draft, ClassDraft) or draft.registered:
            raise error(WBEM_E_READ_ONLY, f"{name} cannot be written", parameter=name)
        text = from_variant(value, c.CIM_STRING, name=name)
        if not text:
            raise invalid("a class needs a name", "pVal")
        draft.rename(text)

    def _put_value(self, draft: InstanceDraft, name: str, value: Any, code: int) -> None:
        position = draft.position(name)
        if position is None:
            raise self._absent(name)
        layout = draft.content.layout_
        declared = layout.types[position]
        if code not in (0, declared):
            raise error(WBEM_E_TYPE_MISMATCH, f"{name} has another type", parameter=name)
        raw = from_variant(
            value, declared, name=layout.names[position], reference=layout.references[position]
        )
        draft.put(position, raw)

    def _put_default(self, draft: ClassDraft, name: str, value: Any, code: int) -> None:
        present = draft.properties.get(name.lower())
        if present is None:
            declared = code or inferred_type(value)
            if not declared:
                raise invalid(f"the type of the new property {name} is not known", "Type")
            one = Property(name, declared)
        else:
            declared = present.type
            if code not in (0, declared):
                if not present.local or present.origin.lower() != draft.name.lower() or not is_null(value):
                    raise error(WBEM_E_TYPE_MISMATCH, f"{name} has another type", parameter=name)
                declared = code
            qualifiers = present.qualifiers.local().without("cimtype")
            one = present.replace(type=declared, qualifiers=qualifiers)
        raw = from_variant(value, declared, name=name, reference=one.reference)
        draft.put_property(one.replace(default=raw, has_default=present is not None or raw is not None))

    @method()
    def Delete(self, wszName: str | None) -> int:
        """An instance's property goes back to its default; a class's own one is removed (A-203)."""
        name = given_name(wszName)
        if name.upper() in SYSTEM_TYPES:
            raise error(WBEM_E_SYSTEM_PROPERTY, f"{name} cannot be deleted", parameter=name)
        draft = self.draft_
        with _EDITING:
            if isinstance(draft, ClassDraft):
                return draft.delete_property(name)
            position = draft.position(name)
            if position is None:
                raise self._absent(name)
            draft.reset(position)
        return WBEM_S_NO_ERROR

    @method("pNames")
    def GetNames(
        self, wszQualifierName: str | None, lFlags: int, pQualifierVal: Any, *, out: Outs = None
    ) -> tuple[int, list[str] | None]:
        """(hr, names) of the properties that the flags choose (A-204)."""
        return 0, selected(self.draft_, wszQualifierName, lFlags, pQualifierVal)

    @method()
    def BeginEnumeration(self, lEnumFlags: int) -> int:
        self._enumeration = iter(enumerated(self.draft_, lEnumFlags))
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
        name = given_name(wszName)
        if name.upper() in SYSTEM_TYPES:
            return 0, _SYSTEM_ORIGIN
        if self.draft_.member(name) is None:
            raise self._absent(name)
        declared = self.draft_.declared(name)
        return 0, self.draft_.content.system_("__CLASS") if declared is None else declared.origin

    # Qualifiers

    @method("ppQualSet")
    def GetQualifierSet(self, *, out: Outs = None) -> tuple[int, IWbemQualifierSet | None]:
        """(hr, the object's own qualifiers, live) (A-215)."""
        draft = self.draft_
        if isinstance(draft, InstanceDraft):
            return 0, IWbemQualifierSet(
                Holder(draft.qualifiers, draft.put_qualifiers, lambda: _passed(draft.content.class_), True)
            )
        return 0, IWbemQualifierSet(
            Holder(lambda: draft.qualifiers, draft.put_qualifiers, draft.inherited_qualifiers)
        )

    @method("ppQualSet")
    def GetPropertyQualifierSet(
        self, wszProperty: str | None, *, out: Outs = None
    ) -> tuple[int, IWbemQualifierSet | None]:
        """(hr, the qualifiers of a property, live)."""
        name = given_name(wszProperty)
        if name.upper() in SYSTEM_TYPES:
            raise error(WBEM_E_SYSTEM_PROPERTY, f"{name} has no qualifiers", parameter=name)
        draft = self.draft_
        if draft.member(name) is None:
            raise self._absent(name)
        return 0, IWbemQualifierSet(
            Holder(
                lambda: draft.property_qualifiers(name),
                lambda local, restored: draft.put_property_qualifiers(name, local, restored),
                lambda: draft.inherited_property_qualifiers(name),
                isinstance(draft, InstanceDraft),
            )
        )
