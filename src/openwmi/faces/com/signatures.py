"""The methods of a class as IWbemClassObject shows and edits them (model.md A-209 to A-212)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from openwmi.faces.com.calling import invalid, method, reserved
from openwmi.faces.com.properties import PropertyPart, given_name
from openwmi.faces.com.qualifiers import IWbemQualifierSet
from openwmi.model.classes import Class
from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_UNEXPECTED, WBEM_S_NO_MORE_DATA

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openwmi.faces.com.calling import Outs
    from openwmi.faces.com.objects import IWbemClassObject
    from openwmi.model.classes import Method

_SIGNATURE: Final = ("ppInSignature", "ppOutSignature")


class MethodPart(PropertyPart):
    """What IWbemClassObject does with methods. Only classes have them: ILLEGAL_OPERATION on an instance."""

    _methods: Iterator[Method] | None = None

    @method(*_SIGNATURE, optional=_SIGNATURE)
    def GetMethod(
        self, wszName: str | None, lFlags: int, *, out: Outs = None
    ) -> tuple[int, IWbemClassObject | None, IWbemClassObject | None]:
        """(hr, in, out): classes with a property for each parameter; None for an empty signature (A-209)."""
        reserved(lFlags)
        return 0, *_shown(self.draft_.method(given_name(wszName)))

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
        self.draft_.put_method(given_name(wszName), _content(pInSignature), _content(pOutSignature))
        return 0

    @method()
    def DeleteMethod(self, wszName: str | None) -> int:
        """Remove a method; PROPAGATED_METHOD for an inherited one (A-211)."""
        return self.parented_().delete_method(given_name(wszName))

    @method()
    def BeginMethodEnumeration(self, lEnumFlags: int) -> int:
        """All methods, or WBEM_FLAG_LOCAL_ONLY, or WBEM_FLAG_PROPAGATED_ONLY (A-212); in alphabetical order."""
        found = self.draft_.methods(lEnumFlags)
        self._methods = iter(sorted(found, key=lambda one: one.name.lower()))
        return 0

    @method("pstrName", *_SIGNATURE, optional=("pstrName", *_SIGNATURE))
    def NextMethod(self, lFlags: int, *, out: Outs = None) -> tuple[int, str | None, Any, Any]:
        """(hr, name, in, out); WBEM_S_NO_MORE_DATA at the end."""
        reserved(lFlags)
        if self._methods is None:
            raise error(WBEM_E_UNEXPECTED, "IWbemClassObject::NextMethod before BeginMethodEnumeration")
        for one in self._methods:
            return 0, one.name, *_shown(one)
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
        name = given_name(wszMethod, "wszMethod")
        self.draft_.method_qualifiers(name)
        return 0, IWbemQualifierSet(lambda whole: self.editing_(whole).method_qualifiers(name))

    @method("pstrClassName")
    def GetMethodOrigin(self, wszMethodName: str | None, *, out: Outs = None) -> tuple[int, str | None]:
        """(hr, class) that introduced the method."""
        return 0, self.draft_.method_origin(given_name(wszMethodName, "wszMethodName"))


def _shown(found: Method) -> tuple[IWbemClassObject | None, IWbemClassObject | None]:
    from openwmi.faces.com.objects import optional_object

    return optional_object(found.inputs), optional_object(found.outputs)


def _content(signature: object) -> Class | None:
    """The class behind a signature argument; None for NULL, and for one without parameters."""
    if signature is None:
        return None
    content = signature.snapshot_() if isinstance(signature, PropertyPart) else None
    if not isinstance(content, Class):
        raise invalid("a signature is a class of parameters", "pInSignature")
    return content if content.properties else None
