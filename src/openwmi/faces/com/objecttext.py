"""IWbemObjectTextSrc: objects as CIM-XML text, and back (wbemcli.h; DMTF DSP0201)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.faces.com.calling import invalid, method, reserved
from openwmi.faces.com.constants import WMI_OBJ_TEXT_CIM_DTD_2_0, WMI_OBJ_TEXT_WMI_DTD_2_0
from openwmi.faces.com.contexts import values_of
from openwmi.faces.com.guids import IID_IWbemObjectTextSrc
from openwmi.faces.com.objects import IWbemClassObject, class_object
from openwmi.faces.com.unknown import IUnknown
from openwmi.model.classes import Class, ClassDeclaration, derive

if TYPE_CHECKING:
    from openwmi.faces.com.calling import Outs
    from openwmi.faces.com.contexts import IWbemContext


def _checked(flags: object, form: object, context: object) -> None:
    reserved(flags)
    if form not in (WMI_OBJ_TEXT_CIM_DTD_2_0, WMI_OBJ_TEXT_WMI_DTD_2_0):
        raise invalid(f"{form!r} is no text format: 1 is CIM DTD 2.0, 2 is WMI DTD 2.0", "uObjTextFormat")
    values_of(context)


class IWbemObjectTextSrc(IUnknown):
    """Formats: WMI_OBJ_TEXT_CIM_DTD_2_0, WMI_OBJ_TEXT_WMI_DTD_2_0."""

    interfaces_ = (IID_IWbemObjectTextSrc,)

    @method("strText")
    def GetText(
        self,
        lFlags: int,
        pObj: IWbemClassObject | None,
        uObjTextFormat: int,
        pCtx: IWbemContext | None,
        *,
        out: Outs = None,
    ) -> tuple[int, str | None]:
        """(hr, text) of a class or an instance."""
        _checked(lFlags, uObjTextFormat, pCtx)
        if not isinstance(pObj, IWbemClassObject):
            raise invalid("the object is NULL or no IWbemClassObject", "pObj")
        from openwmi.mof.cimxml import class_to_xml, instance_to_xml

        content = pObj.snapshot_()
        if isinstance(content, Class):
            return 0, class_to_xml(content, uObjTextFormat)
        return 0, instance_to_xml(content, uObjTextFormat)

    @method("pNewObj")
    def CreateFromText(
        self,
        lFlags: int,
        strText: str | None,
        uObjTextFormat: int,
        pCtx: IWbemContext | None,
        *,
        out: Outs = None,
    ) -> tuple[int, IWbemClassObject | None]:
        """(hr, object) that the text describes; a class knows of its superclass no more than the name."""
        _checked(lFlags, uObjTextFormat, pCtx)
        if not isinstance(strText, str) or not strText:
            raise invalid("the text is NULL or empty", "strText")
        from openwmi.mof.cimxml import parse_xml

        found = parse_xml(strText)
        return 0, class_object(_alone(found) if isinstance(found, ClassDeclaration) else found)


def _alone(declared: ClassDeclaration) -> Class:
    """A class of what it declares itself: its superclass is a name and nothing more."""
    name, superclass = declared.name, declared.superclass
    made = derive(
        ClassDeclaration(name, None, declared.qualifiers, declared.properties, declared.methods), None
    )
    if superclass is None:
        return made
    return Class(name, superclass, (superclass,), None, made.qualifiers, made.properties, made.methods)
