"""IWbemPath and IWbemPathKeyList: object paths in parts, whole wmiutils.h (A-176, A-177)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from openwmi.faces.com import constants as c
from openwmi.faces.com.calling import invalid, method, reserved
from openwmi.faces.com.guids import IID_IWbemPath
from openwmi.faces.com.keylists import IWbemPathKeyList, buffered, key_bits
from openwmi.faces.com.pathparts import Parts, Scope, parse
from openwmi.faces.com.unknown import IUnknown
from openwmi.model.errors import error
from openwmi.model.status import (
    WBEM_E_INVALID_OBJECT_PATH,
    WBEM_E_NOT_AVAILABLE,
)

if TYPE_CHECKING:
    from openwmi.faces.com.calling import Outs

_MODES: Final = (
    c.WBEMPATH_CREATE_ACCEPT_RELATIVE | c.WBEMPATH_CREATE_ACCEPT_ABSOLUTE | c.WBEMPATH_CREATE_ACCEPT_ALL
)


def _same(one: str | None, other: str | None) -> bool:
    return (one or "").lower() == (other or "").lower()


class IWbemPath(IUnknown):
    """A path that can be set as text or piece by piece, and read either way."""

    interfaces_ = (IID_IWbemPath,)

    def __init__(self) -> None:
        self._parts = Parts()

    # The whole

    @method()
    def SetText(self, uMode: int, pszPath: str | None) -> int:
        """Parse a text. Mode: WBEMPATH_CREATE_*; without one of them, or a NULL text: INVALID_PARAMETER."""
        if pszPath is None or not uMode & _MODES or uMode & ~(_MODES | c.WBEMPATH_TREAT_SINGLE_IDENT_AS_NS):
            raise invalid("SetText needs a text and a mode", "uMode")
        self._parts = parse(pszPath, uMode)
        return 0

    @method("puBuffLength", "pszText", optional=("pszText",))
    def GetText(
        self, lFlags: int, puBuffLength: int | None, *, out: Outs = None
    ) -> tuple[int, int | None, str | None]:
        """(hr, length with terminator, text); WBEMPATH_GET_* say how much of it (A-177)."""
        return 0, *buffered(puBuffLength, self._text(lFlags), out, "pszText")

    def _text(self, flags: int) -> str:
        parts = self._parts
        if flags == c.WBEMPATH_GET_ORIGINAL:
            return parts.original
        relative = parts.relative_text()
        if flags == c.WBEMPATH_GET_RELATIVE_ONLY:
            return relative
        if flags == c.WBEMPATH_GET_NAMESPACE_ONLY:
            return parts.namespace_text()
        if flags in (0, c.WBEMPATH_COMPRESSED):
            front = parts.namespace_text()
        elif flags in (c.WBEMPATH_GET_SERVER_TOO, c.WBEMPATH_GET_SERVER_AND_NAMESPACE_ONLY):
            front = "" if parts.empty else parts.server_text()
        else:
            raise invalid(f"GetText: unknown flags 0x{flags:X}", "lFlags")
        if flags == c.WBEMPATH_GET_SERVER_AND_NAMESPACE_ONLY or not relative:
            return front
        return f"{front}:{relative}" if front else relative

    @method("puResponse")
    def GetInfo(self, uRequestedInfo: int, *, out: Outs = None) -> tuple[int, int | None]:
        """(hr, WBEMPATH_INFO_* bits) (A-176)."""
        reserved(uRequestedInfo, "uRequestedInfo")
        parts = self._parts
        local = parts.server in (None, ".")
        bits = c.WBEMPATH_INFO_ANON_LOCAL_MACHINE if local else c.WBEMPATH_INFO_HAS_MACHINE_NAME
        if parts.server is not None:
            bits |= c.WBEMPATH_INFO_PATH_HAD_SERVER
        scope = parts.scope
        if not parts.empty:
            bits |= c.WBEMPATH_INFO_V2_COMPLIANT | c.WBEMPATH_INFO_CIM_COMPLIANT
        if scope is None:
            # "No scopes and no CIM_REFERENCE keys" is V1, and a class part is a scope.
            bits |= 0 if parts.empty else c.WBEMPATH_INFO_V1_COMPLIANT
            return 0, bits | c.WBEMPATH_INFO_SERVER_NAMESPACE_ONLY
        bits |= c.WBEMPATH_INFO_HAS_SUBSCOPES
        bits |= c.WBEMPATH_INFO_IS_INST_REF if scope.is_instance else c.WBEMPATH_INFO_IS_CLASS_REF
        if scope.singleton:
            bits |= c.WBEMPATH_INFO_IS_SINGLETON
        for one in parts.scopes:
            bits |= key_bits(one)
        return 0, bits

    # Server and namespaces

    @method()
    def SetServer(self, Name: str | None) -> int:
        """NULL or an empty name takes the server away."""
        self._parts.server = Name or None
        return 0

    @method("puNameBufLength", "pName", optional=("pName",))
    def GetServer(
        self, puNameBufLength: int | None, *, out: Outs = None
    ) -> tuple[int, int | None, str | None]:
        """(hr, length, name); WBEM_E_NOT_AVAILABLE when none is set."""
        return 0, *buffered(puNameBufLength, self._parts.server, out, "pName", missing=WBEM_E_NOT_AVAILABLE)

    @method("puCount")
    def GetNamespaceCount(self, *, out: Outs = None) -> tuple[int, int | None]:
        return 0, len(self._parts.namespaces)

    @method()
    def SetNamespaceAt(self, uIndex: int, pszName: str | None) -> int:
        """Insert a namespace before the one of that index; the count itself appends."""
        if not pszName or not 0 <= uIndex <= len(self._parts.namespaces):
            raise invalid("SetNamespaceAt needs a name and an index within the path", "uIndex")
        self._parts.namespaces.insert(uIndex, pszName)
        return 0

    @method("puNameBufLength", "pName", optional=("pName",))
    def GetNamespaceAt(
        self, uIndex: int, puNameBufLength: int | None, *, out: Outs = None
    ) -> tuple[int, int | None, str | None]:
        name = _at(self._parts.namespaces, uIndex)
        return 0, *buffered(puNameBufLength, name, out, "pName")

    @method()
    def RemoveNamespaceAt(self, uIndex: int) -> int:
        _at(self._parts.namespaces, uIndex)
        del self._parts.namespaces[uIndex]
        return 0

    @method()
    def RemoveAllNamespaces(self) -> int:
        self._parts.namespaces.clear()
        return 0

    # Scopes: the class part is the last one

    @method("puCount")
    def GetScopeCount(self, *, out: Outs = None) -> tuple[int, int | None]:
        return 0, len(self._parts.scopes)

    @method()
    def SetScope(self, uIndex: int, pszClass: str | None) -> int:
        """Make the scope of that index one of that class, without keys; the count itself appends."""
        self._put_scope(uIndex, Scope(_class_name(pszClass)))
        return 0

    @method()
    def SetScopeFromText(self, uIndex: int, pszText: str | None) -> int:
        """The same, written as `Class.Key="v"`."""
        found = parse(pszText or "", c.WBEMPATH_CREATE_ACCEPT_RELATIVE)
        if found.server is not None or found.namespaces or len(found.scopes) != 1:
            raise invalid(f"{pszText!r} is not one scope", "pszText")
        self._put_scope(uIndex, found.scopes[0])
        return 0

    def _put_scope(self, index: int, scope: Scope) -> None:
        if not 0 <= index <= len(self._parts.scopes):
            raise invalid("the index of the scope is outside of the path", "uIndex")
        self._parts.scopes[index : index + 1] = [scope]

    @method("puClassNameBufSize", "pszClass", "pKeyList", optional=("pszClass", "pKeyList"))
    def GetScope(
        self, uIndex: int, puClassNameBufSize: int | None, *, out: Outs = None
    ) -> tuple[int, int | None, str | None, IWbemPathKeyList | None]:
        scope = _at(self._parts.scopes, uIndex)
        wants_list = out is not None and "pKeyList" in out
        keys = IWbemPathKeyList(scope) if wants_list else None
        return 0, *buffered(puClassNameBufSize, scope.class_name, out, "pszClass"), keys

    @method("puTextBufSize", "pszText", optional=("pszText",))
    def GetScopeAsText(
        self, uIndex: int, puTextBufSize: int | None, *, out: Outs = None
    ) -> tuple[int, int | None, str | None]:
        return 0, *buffered(puTextBufSize, _at(self._parts.scopes, uIndex).text(), out, "pszText")

    @method()
    def RemoveScope(self, uIndex: int) -> int:
        _at(self._parts.scopes, uIndex)
        del self._parts.scopes[uIndex]
        return 0

    @method()
    def RemoveAllScopes(self) -> int:
        self._parts.scopes.clear()
        return 0

    # The class part

    @method()
    def SetClassName(self, Name: str | None) -> int:
        """Name the class; a path without a class part gets one. An empty name is taken, NULL is not."""
        name = _class_name(Name) if Name is None else Name
        if self._parts.scope is None:
            self._parts.scopes.append(Scope(name))
        else:
            self._parts.scope.class_name = name
        return 0

    @method("puBuffLength", "pszName", optional=("pszName",))
    def GetClassName(
        self, puBuffLength: int | None, *, out: Outs = None
    ) -> tuple[int, int | None, str | None]:
        """(hr, length, name); WBEM_E_INVALID_OBJECT_PATH without a class part."""
        scope = self._parts.scope
        name = scope.class_name if scope is not None else None
        return 0, *buffered(puBuffLength, name, out, "pszName", missing=WBEM_E_INVALID_OBJECT_PATH)

    @method("pOut")
    def GetKeyList(self, *, out: Outs = None) -> tuple[int, IWbemPathKeyList | None]:
        """(hr, list): the keys of the class part, live."""
        return 0, IWbemPathKeyList(self._class_part())

    @method()
    def CreateClassPart(self, lFlags: int, Name: str | None) -> int:
        """Begin the class part with a class name; INVALID_PARAMETER when there is one already."""
        reserved(lFlags)
        if self._parts.scope is not None:
            raise invalid("the path has a class part already", "Name")
        self._parts.scopes.append(Scope(_class_name(Name)))
        return 0

    @method()
    def DeleteClassPart(self, lFlags: int) -> int:
        reserved(lFlags)
        self._class_part()
        self._parts.scopes.pop()
        return 0

    def _class_part(self) -> Scope:
        if self._parts.scope is None:
            raise error(WBEM_E_NOT_AVAILABLE, "the path has no class part")
        return self._parts.scope

    # Questions; these answer a BOOL, not an HRESULT

    def IsRelative(self, wszMachine: str | None, wszNamespace: str | None) -> bool:
        """Whether the path lies in that namespace of that machine; parts it does not have do not count."""
        return self._placed(wszMachine) and self._below(wszNamespace, deeper=False)

    def IsRelativeOrChild(self, wszMachine: str | None, wszNamespace: str | None, lFlags: int) -> bool:
        """As IsRelative, namespaces below that one included."""
        return not lFlags and self._placed(wszMachine) and self._below(wszNamespace, deeper=True)

    def IsLocal(self, wszMachine: str | None) -> bool:
        """Whether the path's server is that machine: the same name, `.`, or none."""
        return self._placed(wszMachine)

    def IsSameClassName(self, wszClass: str | None) -> bool:
        scope = self._parts.scope
        return scope is not None and _same(scope.class_name, wszClass)

    def _placed(self, machine: str | None) -> bool:
        return self._parts.server in (None, ".") or _same(self._parts.server, machine)

    def _below(self, namespace: str | None, *, deeper: bool) -> bool:
        mine = [name.lower() for name in self._parts.namespaces]
        above = [name for name in (namespace or "").lower().replace("/", "\\").split("\\") if name]
        return not mine or mine == above or (deeper and mine[: len(above)] == above)


def _class_name(name: str | None) -> str:
    if not name:
        raise invalid("the class name is NULL or empty", "Name")
    return name


def _at(items: list[Any], index: int) -> Any:
    if not isinstance(index, int) or not 0 <= index < len(items):
        raise invalid("the index is outside of the path", "uIndex")
    return items[index]
