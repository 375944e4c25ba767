"""IWbemPathKeyList: the keys of one scope of a path, and how the path interfaces fill a caller's buffer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openwmi.faces.com import constants as c
from openwmi.faces.com.calling import invalid, method, reserved
from openwmi.faces.com.guids import IID_IWbemPathKeyList
from openwmi.faces.com.pathparts import Key, has_reference
from openwmi.faces.com.unknown import IUnknown
from openwmi.faces.com.variants import from_variant, inferred_type, is_null, to_variant
from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_BUFFER_TOO_SMALL, WBEM_E_NOT_FOUND

if TYPE_CHECKING:
    from openwmi.faces.com.calling import Outs
    from openwmi.faces.com.pathparts import Scope


def buffered(
    length: int | None, text: str | None, out: Outs, buffer: str, *, missing: int = 0
) -> tuple[int, str]:
    """A text for a caller's buffer of `length` characters: (length used, with terminator; text).

    A NULL buffer with length 0 asks for the length. INVALID_PARAMETER for a NULL length or a NULL buffer of some
    length, BUFFER_TOO_SMALL, or the code `missing` when there is no text.
    """
    has_buffer = out is not None and buffer in out
    if length is None or length < 0 or (length and not has_buffer):
        raise invalid(f"{buffer} or its length is NULL", buffer)
    if text is None and missing:
        raise error(missing, "the path does not have this part")
    needed = len(text or "") + 1
    if has_buffer and length < needed:
        raise error(
            WBEM_E_BUFFER_TOO_SMALL, f"the buffer has room for {length} characters, {needed} are needed"
        )
    return needed, text or ""


def key_bits(scope: Scope) -> int:
    """The WBEMPATH_INFO_* bits that the keys of a scope have."""
    bits = 0
    if len(scope.keys) > 1:
        bits |= c.WBEMPATH_INFO_IS_COMPOUND
    if has_reference(scope):
        bits |= c.WBEMPATH_INFO_HAS_V2_REF_PATHS
    if scope.implied:
        bits |= c.WBEMPATH_INFO_HAS_IMPLIED_KEY
    if scope.singleton:
        bits |= c.WBEMPATH_INFO_CONTAINS_SINGLETON
    return bits


class IWbemPathKeyList(IUnknown):
    """The keys of the class part of a path, live: edits show in the path."""

    interfaces_ = (IID_IWbemPathKeyList,)

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    @method("puKeyCount")
    def GetCount(self, *, out: Outs = None) -> tuple[int, int | None]:
        return 0, len(self._scope.keys)

    @method()
    def SetKey(self, wszName: str | None, uFlags: int, uCimType: int, pKeyVal: Any) -> int:
        """Set or replace a key. NULL name: the implied key, in place of all there are; an empty name: every key is
        deleted."""
        return self._set(wszName, uFlags, uCimType, pKeyVal)

    @method()
    def SetKey2(self, wszName: str | None, uFlags: int, uCimType: int, pKeyVal: Any) -> int:
        """SetKey with a VARIANT."""
        return self._set(wszName, uFlags, uCimType, pKeyVal)

    def _set(self, name: str | None, flags: int, cim_type: int, value: Any) -> int:
        reserved(flags, "uFlags")
        if name == "":
            self._scope.keys.clear()
            return 0
        if is_null(value):
            raise invalid("the value of the key is NULL", "pKeyVal")
        code = cim_type or inferred_type(value) or c.CIM_STRING
        key = Key(name, from_variant(value, code, name=name or ""), code)
        self._scope.put(key)
        return 0

    @method(
        "puNameBufSize",
        "pszKeyName",
        "puKeyValBufSize",
        "pKeyVal",
        "puApparentCimType",
        optional=("pszKeyName", "pKeyVal", "puApparentCimType"),
    )
    def GetKey(
        self,
        uKeyIx: int,
        uFlags: int,
        puNameBufSize: int | None,
        puKeyValBufSize: int | None,
        *,
        out: Outs = None,
    ) -> tuple[int, Any, Any, Any, Any, Any]:
        """(hr, name length, name, value length, value, CIM type). An implied key has an empty name."""
        key = self._key(uKeyIx, uFlags)
        name = buffered(puNameBufSize, key.name or "", out, "pszKeyName")
        needed, _ = buffered(puKeyValBufSize, key.literal(quoted=False), out, "pKeyVal")
        return 0, *name, needed, to_variant(key.value, key.type), key.type

    @method(
        "puNameBufSize",
        "pszKeyName",
        "pKeyValue",
        "puApparentCimType",
        optional=("pszKeyName", "pKeyValue", "puApparentCimType"),
    )
    def GetKey2(
        self, uKeyIx: int, uFlags: int, puNameBufSize: int | None, *, out: Outs = None
    ) -> tuple[int, Any, Any, Any, Any]:
        """(hr, name length, name, value, CIM type)."""
        key = self._key(uKeyIx, uFlags)
        name = buffered(puNameBufSize, key.name or "", out, "pszKeyName")
        return 0, *name, to_variant(key.value, key.type), key.type

    def _key(self, index: int, flags: int) -> Key:
        reserved(flags, "uFlags")
        if not 0 <= index < len(self._scope.keys):
            raise invalid("the index of the key is outside of the list", "uKeyIx")
        return self._scope.keys[index]

    @method()
    def RemoveKey(self, wszName: str | None, uFlags: int) -> int:
        reserved(uFlags, "uFlags")
        found = self._scope.find(wszName)
        if found is None:
            raise error(WBEM_E_NOT_FOUND, f"there is no key {wszName}")
        self._scope.keys.remove(found)
        return 0

    @method()
    def RemoveAllKeys(self, uFlags: int) -> int:
        reserved(uFlags, "uFlags")
        self._scope.keys.clear()
        return 0

    @method()
    def MakeSingleton(self, bSet: bool) -> int:
        """TRUE: the path names the singleton (`C=@`) and has no keys."""
        self._scope.singleton = bool(bSet)
        if bSet:
            self._scope.keys.clear()
        return 0

    @method("puResponse")
    def GetInfo(self, uRequestedInfo: int, *, out: Outs = None) -> tuple[int, int | None]:
        reserved(uRequestedInfo, "uRequestedInfo")
        return 0, key_bits(self._scope)

    @method("puBuffLength", "pszText", optional=("pszText",))
    def GetText(
        self, lFlags: int, puBuffLength: int | None, *, out: Outs = None
    ) -> tuple[int, int | None, str | None]:
        """(hr, length, text): the keys as text; WBEMPATH_QUOTEDTEXT puts quotes around texts."""
        if lFlags & ~(c.WBEMPATH_TEXT | c.WBEMPATH_QUOTEDTEXT):
            raise invalid(f"GetText: unknown flags 0x{lFlags:X}", "lFlags")
        text = self._scope.key_text(bool(lFlags & c.WBEMPATH_QUOTEDTEXT))
        return 0, *buffered(puBuffLength, text, out, "pszText")
