"""IWbemClassObject: a class or an instance, read and edited (model.md A10, A11)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.faces.com.calling import invalid, method, reserved
from openwmi.faces.com.constants import WBEM_FLAG_NO_FLAVORS
from openwmi.faces.com.guids import IID_IWbemClassObject
from openwmi.faces.com.properties import given_name, nowhere
from openwmi.faces.com.signatures import MethodPart
from openwmi.model.classes import Class
from openwmi.model.drafts import compare
from openwmi.model.status import WBEM_S_DIFFERENT, WBEM_S_FALSE, WBEM_S_NO_ERROR, WBEM_S_SAME

if TYPE_CHECKING:
    from openwmi.faces.com.calling import Outs
    from openwmi.faces.com.properties import Find
    from openwmi.model.drafts import ClassDraft, InstanceDraft
    from openwmi.model.instances import Instance


class IWbemClassObject(MethodPart):
    """One object. Changes stay in it until PutClass or PutInstance (A-214)."""

    interfaces_ = (IID_IWbemClassObject,)

    @method("ppCopy")
    def Clone(self, *, out: Outs = None) -> tuple[int, IWbemClassObject | None]:
        """(hr, an independent copy)."""
        twin = IWbemClassObject(self._content, self._find, registered=self._registered)
        if self._draft is not None:
            twin._draft, twin._parented = self._draft.clone(), self._parented
        return 0, twin

    @method("ppNewInstance")
    def SpawnInstance(self, lFlags: int, *, out: Outs = None) -> tuple[int, IWbemClassObject | None]:
        """(hr, a new instance with the defaults of the class); from an instance one of its class (A-207)."""
        reserved(lFlags)
        return 0, self._made(self.draft_.spawn_instance())

    @method("ppNewClass")
    def SpawnDerivedClass(self, lFlags: int, *, out: Outs = None) -> tuple[int, IWbemClassObject | None]:
        """(hr, a new class without a name below this one) (A-208)."""
        reserved(lFlags)
        return 0, self._made(self.draft_.spawn_derived())

    def _made(self, draft: ClassDraft | InstanceDraft) -> IWbemClassObject:
        """A spawned object: its superclass, when it has one, is at hand."""
        made = IWbemClassObject(draft.freeze(), self._find)
        made._draft, made._parented = draft, True
        return made

    @method()
    def CompareTo(self, lFlags: int, pCompareTo: IWbemClassObject | None) -> int:
        """WBEM_S_SAME or WBEM_S_DIFFERENT (A-230)."""
        if not isinstance(pCompareTo, IWbemClassObject):
            raise invalid("the object to compare with is NULL", "pCompareTo")
        same = compare(self.snapshot_(), pCompareTo.snapshot_(), lFlags)
        return WBEM_S_SAME if same else WBEM_S_DIFFERENT

    @method()
    def InheritsFrom(self, strAncestor: str | None) -> int:
        """WBEM_S_NO_ERROR for an ancestor and for the class itself, WBEM_S_FALSE otherwise (A-213)."""
        inherits = self.draft_.inherits_from(given_name(strAncestor, "strAncestor"))
        return WBEM_S_NO_ERROR if inherits else WBEM_S_FALSE

    @method("pstrObjectText")
    def GetObjectText(self, lFlags: int, *, out: Outs = None) -> tuple[int, str | None]:
        """(hr, MOF): of a class what it declares itself; WBEM_FLAG_NO_FLAVORS leaves flavors out (A-232)."""
        if lFlags not in (0, WBEM_FLAG_NO_FLAVORS):
            raise invalid(f"unknown flags {lFlags!r}", "lFlags")
        from openwmi.mof import print_class, print_instance

        content = self.snapshot_()
        if isinstance(content, Class):
            return 0, print_class(content, flavors=not lFlags)
        return 0, print_instance(content, flavors=not lFlags)


def class_object(content: Class | Instance, find: Find = nowhere) -> IWbemClassObject:
    """An object as the COM-shaped face shows it. A class without a name is one that is being made (A-180)."""
    return IWbemClassObject(content, find, registered=not isinstance(content, Class) or bool(content.name))


def optional_object(content: Class | Instance | None, find: Find = nowhere) -> IWbemClassObject | None:
    """An object for an out pointer, or None."""
    return None if content is None else class_object(content, find)
