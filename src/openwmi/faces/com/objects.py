"""IWbemClassObject: a class or an instance, read and edited (model.md A10, A11)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.faces.com import constants as c
from openwmi.faces.com.calling import invalid, method, reserved
from openwmi.faces.com.class_drafts import ClassDraft
from openwmi.faces.com.comparing import FLAGS, Comparison
from openwmi.faces.com.guids import IID_IWbemClassObject
from openwmi.faces.com.instance_drafts import InstanceDraft
from openwmi.faces.com.properties import PropertyPart, given_name
from openwmi.faces.com.signatures import MethodPart
from openwmi.model.classes import Class, ClassDeclaration, derive
from openwmi.model.errors import error
from openwmi.model.instances import Instance
from openwmi.model.status import (
    WBEM_E_ILLEGAL_OPERATION,
    WBEM_E_INCOMPLETE_CLASS,
    WBEM_S_DIFFERENT,
    WBEM_S_FALSE,
    WBEM_S_NO_ERROR,
    WBEM_S_SAME,
)

if TYPE_CHECKING:
    from openwmi.faces.com.calling import Outs
    from openwmi.faces.com.class_drafts import Find


def _nowhere(name: str) -> Class | None:
    """The superclass of an object that came from no connection is not to be had."""
    return None


class IWbemClassObject(PropertyPart, MethodPart):
    """One object. Changes stay in it until PutClass or PutInstance (A-214)."""

    interfaces_ = (IID_IWbemClassObject,)

    def __init__(self, content: Class | Instance, find: Find = _nowhere, *, registered: bool = True) -> None:
        self._find = find
        self.draft_: ClassDraft | InstanceDraft = (
            ClassDraft(content, find, registered=registered)
            if isinstance(content, Class)
            else InstanceDraft(content)
        )

    def snapshot_(self) -> Class | Instance:
        """The object as it is now; later changes do not show."""
        return self.draft_.content

    # Making and comparing

    @method("ppCopy")
    def Clone(self, *, out: Outs = None) -> tuple[int, IWbemClassObject | None]:
        """(hr, an independent copy)."""
        twin = IWbemClassObject(self.draft_.content, self._find)
        twin.draft_ = self.draft_.clone()
        return 0, twin

    @method("ppNewInstance")
    def SpawnInstance(self, lFlags: int, *, out: Outs = None) -> tuple[int, IWbemClassObject | None]:
        """(hr, a new instance with the defaults of the class); from an instance one of its class (A-207)."""
        reserved(lFlags)
        draft = self.draft_
        if isinstance(draft, ClassDraft) and not draft.registered:
            raise error(WBEM_E_INCOMPLETE_CLASS, "the class was not got from a service yet")
        content = draft.content
        class_ = content if isinstance(content, Class) else content.class_
        if class_ is not None:
            return 0, IWbemClassObject(class_.spawn(), self._find)
        assert isinstance(content, Instance)
        layout = content.layout_
        return 0, IWbemClassObject(Instance(layout, (None,) * len(layout.names)), self._find)

    @method("ppNewClass")
    def SpawnDerivedClass(self, lFlags: int, *, out: Outs = None) -> tuple[int, IWbemClassObject | None]:
        """(hr, a new class without a name below this one) (A-208)."""
        reserved(lFlags)
        draft = self.draft_
        if not isinstance(draft, ClassDraft):
            raise error(WBEM_E_ILLEGAL_OPERATION, "a class can only be derived from a class")
        if not draft.registered:
            raise error(WBEM_E_INCOMPLETE_CLASS, "the class was not got from a service yet")
        base, find = draft.content, self._find
        made = derive(ClassDeclaration("", base.name), base, namespace=base.namespace, server=base.server)

        def above(name: str) -> Class | None:
            return base if name.lower() == base.name.lower() else find(name)

        return 0, IWbemClassObject(made, above, registered=False)

    @method()
    def CompareTo(self, lFlags: int, pCompareTo: IWbemClassObject | None) -> int:
        """WBEM_S_SAME or WBEM_S_DIFFERENT (A-230)."""
        if not isinstance(pCompareTo, IWbemClassObject):
            raise invalid("the object to compare with is NULL", "pCompareTo")
        if not isinstance(lFlags, int) or lFlags & ~FLAGS:
            raise invalid(f"unknown flags {lFlags!r}", "lFlags")
        same = Comparison(lFlags).same(self.draft_.content, pCompareTo.draft_.content)
        return WBEM_S_SAME if same else WBEM_S_DIFFERENT

    @method()
    def InheritsFrom(self, strAncestor: str | None) -> int:
        """WBEM_S_NO_ERROR for an ancestor and for the class itself, WBEM_S_FALSE otherwise (A-213)."""
        wanted = given_name(strAncestor, "strAncestor").lower()
        content = self.draft_.content
        line = (content.system_("__CLASS") or "", *(content.system_("__DERIVATION") or ()))
        if isinstance(content, Instance):
            line = (content.layout_.class_name, *content.layout_.derivation)
        return WBEM_S_NO_ERROR if wanted in [name.lower() for name in line] else WBEM_S_FALSE

    @method("pstrObjectText")
    def GetObjectText(self, lFlags: int, *, out: Outs = None) -> tuple[int, str | None]:
        """(hr, MOF): of a class what it declares itself; WBEM_FLAG_NO_FLAVORS leaves flavors out (A-232)."""
        if lFlags not in (0, c.WBEM_FLAG_NO_FLAVORS):
            raise invalid(f"unknown flags {lFlags!r}", "lFlags")
        from openwmi.mof import print_class, print_instance

        content = self.draft_.content
        if isinstance(content, Class):
            return 0, print_class(content, flavors=not lFlags)
        return 0, print_instance(content, flavors=not lFlags)


def class_object(content: Class | Instance, find: Find = _nowhere) -> IWbemClassObject:
    """An object as the COM-shaped face shows it. A class without a name is one that is being made (A-180)."""
    return IWbemClassObject(content, find, registered=not isinstance(content, Class) or bool(content.name))


def optional_object(content: Class | Instance | None, find: Find = _nowhere) -> IWbemClassObject | None:
    """An object for an out pointer, or None."""
    return None if content is None else class_object(content, find)
