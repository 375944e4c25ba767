"""The methods of a class as IWbemClassObject shows and edits them (model.md A-209 to A-212)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from openwmi.faces.com import constants as c
from openwmi.faces.com.calling import invalid, method, reserved
from openwmi.faces.com.class_drafts import ClassDraft
from openwmi.faces.com.qualifiers import Holder, IWbemQualifierSet
from openwmi.faces.com.unknown import IUnknown
from openwmi.model.errors import error
from openwmi.model.status import (
    WBEM_E_ILLEGAL_OPERATION,
    WBEM_E_NOT_FOUND,
    WBEM_E_UNEXPECTED,
    WBEM_S_NO_MORE_DATA,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openwmi.faces.com.calling import Outs
    from openwmi.faces.com.instance_drafts import InstanceDraft
    from openwmi.faces.com.objects import IWbemClassObject
    from openwmi.model.classes import Class, Method

_ORIGINS: Final = (0, c.WBEM_FLAG_LOCAL_ONLY, c.WBEM_FLAG_PROPAGATED_ONLY)
_SIGNATURE: Final = ("ppInSignature", "ppOutSignature")


class MethodPart(IUnknown):
    """What IWbemClassObject does with methods. Only classes have them: ILLEGAL_OPERATION on an instance."""

    draft_: ClassDraft | InstanceDraft
    _methods: Iterator[str] | None = None

    def _class_draft(self) -> ClassDraft:
        if not isinstance(self.draft_, ClassDraft):
            raise error(WBEM_E_ILLEGAL_OPERATION, "an instance has no methods of its own; ask its class")
        return self.draft_

    def _method(self, name: str | None) -> Method:
        draft = self._class_draft()
        if not isinstance(name, str) or not name:
            raise invalid("the name is NULL", "wszName")
        found = draft.methods.get(name.lower())
        if found is None:
            raise error(WBEM_E_NOT_FOUND, f"the class has no method {name}", parameter=name)
        return found

    @method(*_SIGNATURE, optional=_SIGNATURE)
    def GetMethod(
        self, wszName: str | None, lFlags: int, *, out: Outs = None
    ) -> tuple[int, IWbemClassObject | None, IWbemClassObject | None]:
        """(hr, in, out): classes with a property for each parameter; None for an empty signature (A-209)."""
        reserved(lFlags)
        return 0, *_shown(self._method(wszName))

    @method()
    def PutMethod(
        self,
        wszName: str | None,
        lFlags: int,
        pInSignature: IWbemClassObject | None,
        pOutSignature: IWbemClassObject | None,
    ) -> int:
        """Add or change a method; every parameter has an ID, zero-based and consecutive (A-210)."""
        reserved(lFlags)
        draft = self._class_draft()
        if not isinstance(wszName, str) or not wszName:
            raise invalid("the name is NULL", "wszName")
        draft.put_method(wszName, _content(pInSignature), _content(pOutSignature))
        return 0

    @method()
    def DeleteMethod(self, wszName: str | None) -> int:
        """Remove a method; PROPAGATED_METHOD for an inherited one (A-211)."""
        return self._class_draft().delete_method(self._method(wszName).name)

    @method()
    def BeginMethodEnumeration(self, lEnumFlags: int) -> int:
        """All methods, or WBEM_FLAG_LOCAL_ONLY, or WBEM_FLAG_PROPAGATED_ONLY (A-212)."""
        draft = self._class_draft()
        if lEnumFlags not in _ORIGINS:
            raise invalid(f"unknown flags {lEnumFlags!r}", "lEnumFlags")
        local = lEnumFlags == c.WBEM_FLAG_LOCAL_ONLY
        names = [one.name for one in draft.methods.values() if not lEnumFlags or one.local == local]
        self._methods = iter(sorted(names, key=str.lower))
        return 0

    @method("pstrName", *_SIGNATURE, optional=("pstrName", *_SIGNATURE))
    def NextMethod(self, lFlags: int, *, out: Outs = None) -> tuple[int, str | None, Any, Any]:
        """(hr, name, in, out); WBEM_S_NO_MORE_DATA at the end."""
        reserved(lFlags)
        if self._methods is None:
            raise error(WBEM_E_UNEXPECTED, "IWbemClassObject::NextMethod before BeginMethodEnumeration")
        for name in self._methods:
            return 0, name, *_shown(self._method(name))
        return WBEM_S_NO_MORE_DATA, None, None, None

    @method()
    def EndMethodEnumeration(self) -> int:
        self._methods = None
        return 0

    @method("ppQualSet")
    def GetMethodQualifierSet(
        self, wszMethod: str | None, *, out: Outs = None
    ) -> tuple[int, IWbemQualifierSet | None]:
        """(hr, the qualifiers of a method, live)."""
        draft, name = self._class_draft(), self._method(wszMethod).name
        return 0, IWbemQualifierSet(
            Holder(
                lambda: draft.methods[name.lower()].qualifiers,
                lambda local, restored: draft.put_method_qualifiers(name, local, restored),
                lambda: draft.inherited_method_qualifiers(name),
            )
        )

    @method("pstrClassName")
    def GetMethodOrigin(self, wszMethodName: str | None, *, out: Outs = None) -> tuple[int, str | None]:
        """(hr, class) that introduced the method."""
        return 0, self._method(wszMethodName).origin


def _shown(found: Method) -> tuple[IWbemClassObject | None, IWbemClassObject | None]:
    from openwmi.faces.com.objects import optional_object

    return optional_object(found.inputs), optional_object(found.outputs)


def _content(signature: object) -> Class | None:
    """The class behind a signature argument; None for NULL, and for one without parameters."""
    if signature is None:
        return None
    draft = getattr(signature, "draft_", None)
    if not isinstance(draft, ClassDraft):
        raise invalid("a signature is a class of parameters", "pInSignature")
    return draft.content if draft.properties else None
