"""IWbemPath and IWbemPathKeyList: whole wmiutils.h (model.md A-176, A-177)."""

from __future__ import annotations

import pytest
from tests.faces.com.support import created

from openwmi import com

ALL = com.WBEMPATH_CREATE_ACCEPT_ALL
RELATIVE = com.WBEMPATH_CREATE_ACCEPT_RELATIVE
ABSOLUTE = com.WBEMPATH_CREATE_ACCEPT_ABSOLUTE
SINGLE = com.WBEMPATH_TREAT_SINGLE_IDENT_AS_NS
BAD = com.WBEM_E_INVALID_PARAMETER


@pytest.fixture
def path() -> com.IWbemPath:
    return created(com.CLSID_WbemDefPath, com.IID_IWbemPath)


def text(path: com.IWbemPath, flags: int = 0) -> str:
    hr, length, found = path.GetText(flags, 256)
    assert hr == 0
    assert length == len(found) + 1
    return found


@pytest.mark.req("A-177")
@pytest.mark.parametrize(
    ("source", "mode", "expected"),
    [
        ("", 0, BAD),
        ("", ALL, 0),
        ("", RELATIVE, BAD),
        ("\\", 0, BAD),
        ("\\", ALL, 0),
        (r"\\server", 0, BAD),
        (r"\\server", ALL, 0),
        (r"\\server", RELATIVE, BAD),
        ("\\\\server\\", ALL, 0),
        ("\\\\.\\", ALL, 0),
        ("//./root/cimv2", 0, BAD),
        ("//./root/cimv2", ALL, 0),
        ("//./root/cimv2:C", RELATIVE, 0),
        ("//./root/cimv2:C", ABSOLUTE, 0),
        ("//./root/cimv2:C", SINGLE, BAD),
        ("//./root/cimv2:C", SINGLE | RELATIVE, 0),
        ("/root/cimv2:C", RELATIVE, 0),
        ("/root/cimv2:C", ABSOLUTE, BAD),
        ("/root/cimv2:C", ALL, 0),
        (r"\\.\root\cimv2:C", ABSOLUTE, 0),
        ("/\\.\\root\\cimv2:C", ABSOLUTE, BAD),
        ("//.\\root\\cimv2:C", ABSOLUTE, 0),
        (None, 0, BAD),
        (None, ALL, BAD),
        ("C", 0x40, BAD),
    ],
)
def test_set_text_modes(path: com.IWbemPath, source: str | None, mode: int, expected: int) -> None:
    assert path.SetText(mode, source) == expected
    if not expected:
        assert text(path, com.WBEMPATH_GET_ORIGINAL) == source


@pytest.mark.req("A-177")
@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (com.WBEMPATH_GET_SERVER_TOO, r"\\.\root\cimv2:C"),
        (com.WBEMPATH_GET_SERVER_AND_NAMESPACE_ONLY, r"\\.\root\cimv2"),
        (com.WBEMPATH_GET_RELATIVE_ONLY, "C"),
        (com.WBEMPATH_GET_NAMESPACE_ONLY, r"root\cimv2"),
        (0, r"root\cimv2:C"),
        (com.WBEMPATH_COMPRESSED, r"root\cimv2:C"),
    ],
)
def test_text_of_a_path_without_server(path: com.IWbemPath, flags: int, expected: str) -> None:
    assert path.SetText(ALL, "/root/cimv2:C") == 0
    assert text(path, flags) == expected


@pytest.mark.req("A-177")
def test_text_keeps_the_case_of_keys(path: com.IWbemPath) -> None:
    source = r'\\.\root\cimv2:Win32_LogicalDisk.DeviceId="C:"'
    assert path.SetText(ALL, source) == 0
    assert text(path, com.WBEMPATH_GET_SERVER_TOO) == source
    assert path.SetText(ALL, r'C.B="x\\y",a=5') == 0
    assert text(path, com.WBEMPATH_GET_RELATIVE_ONLY) == r'C.B="x\\y",a=5'


@pytest.mark.req("A-177")
def test_text_of_an_untouched_object_is_empty(path: com.IWbemPath) -> None:
    for flags in (0, com.WBEMPATH_GET_ORIGINAL, com.WBEMPATH_GET_SERVER_TOO):
        assert path.GetText(flags, 128) == (0, 1, "")


@pytest.mark.req("A-177")
def test_buffers(path: com.IWbemPath) -> None:
    path.SetText(ALL, r"\\.\root\cimv2")
    length_only = {"puBuffLength"}
    assert path.GetText(0, None) == (BAD, None, None)
    assert path.GetText(0, 128, out=()) == (BAD, None, None)
    assert path.GetText(0, 128, out=length_only) == (BAD, None, None)
    assert path.GetText(com.WBEMPATH_GET_SERVER_TOO, 0, out=length_only) == (0, 15, None)
    assert path.GetText(com.WBEMPATH_GET_SERVER_TOO, 14) == (com.WBEM_E_BUFFER_TOO_SMALL, None, None)
    assert path.GetText(com.WBEMPATH_GET_SERVER_TOO, 15) == (0, 15, r"\\.\root\cimv2")
    assert path.GetText(0x40, 128) == (BAD, None, None)


@pytest.mark.req("A-177")
def test_server_and_class_name_of_an_untouched_object(path: com.IWbemPath) -> None:
    assert path.GetServer(32) == (com.WBEM_E_NOT_AVAILABLE, None, None)
    assert path.GetServer(0, out={"puNameBufLength"}) == (com.WBEM_E_NOT_AVAILABLE, None, None)
    assert path.GetServer(32, out={"puNameBufLength"})[0] == BAD
    assert path.GetClassName(32) == (com.WBEM_E_INVALID_OBJECT_PATH, None, None)
    assert path.GetClassName(0, out={"puBuffLength"})[0] == com.WBEM_E_INVALID_OBJECT_PATH
    assert path.GetClassName(None)[0] == BAD
    path.SetText(ALL, r'\\.\root\cimv2:Win32_LogicalDisk.DeviceId="C:"')
    assert path.GetServer(32) == (0, 2, ".")
    assert path.GetClassName(32) == (0, 18, "Win32_LogicalDisk")


@pytest.mark.req("A-176")
@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("", 0x4001),
        (r"root\cimv2:C", 1 | 4 | 0x10 | 0x400 | 0x800),
        (r'\\.\root\cimv2:C.K="v"', 1 | 8 | 0x10 | 0x400 | 0x800 | 0x20000),
        (r'\\.\root\cimv2:C="v"', 1 | 8 | 0x10 | 0x80 | 0x400 | 0x800 | 0x20000),
        (r"\\host\root:C.A=1,B=2", 2 | 8 | 0x10 | 0x20 | 0x400 | 0x800 | 0x20000),
        ("C=@", 1 | 8 | 0x10 | 0x100 | 0x400 | 0x800 | 0x1000),
        (r"\\.\root\cimv2", 1 | 0x200 | 0x400 | 0x800 | 0x4000 | 0x20000),
        (r"\\host", 2 | 0x200 | 0x400 | 0x800 | 0x4000 | 0x20000),
    ],
)
def test_info(path: com.IWbemPath, source: str, expected: int) -> None:
    assert path.SetText(ALL, source) == 0
    assert path.GetInfo(0) == (0, expected)
    assert path.GetInfo(1) == (BAD, None)


@pytest.mark.req("A-173")
@pytest.mark.parametrize(
    "source", ['C = "x"', "C.K=", 'C.K="x', "root cimv2 :C", "a\\\\b:C", "root:", ":C.="]
)
def test_text_that_is_no_path(path: com.IWbemPath, source: str) -> None:
    assert path.SetText(ALL, source) == BAD


def test_namespaces(path: com.IWbemPath) -> None:
    path.SetText(ALL, "/root/cimv2:C")
    assert path.GetNamespaceCount() == (0, 2)
    assert path.GetNamespaceAt(1, 32) == (0, 6, "cimv2")
    assert path.GetNamespaceAt(2, 32)[0] == BAD
    assert path.SetNamespaceAt(1, "a") == 0
    assert path.SetNamespaceAt(3, "b") == 0
    assert path.SetNamespaceAt(5, "c") == BAD
    assert text(path, com.WBEMPATH_GET_NAMESPACE_ONLY) == r"root\a\cimv2\b"
    assert path.RemoveNamespaceAt(1) == 0
    assert path.RemoveNamespaceAt(7) == BAD
    assert path.RemoveAllNamespaces() == 0
    assert text(path) == "C"


def test_a_single_name_is_a_class_or_a_namespace(path: com.IWbemPath) -> None:
    path.SetText(ALL, "root")
    assert path.GetClassName(32)[2] == "root"
    path.SetText(ALL | SINGLE, "root")
    assert path.GetNamespaceAt(0, 32)[2] == "root"
    path.SetText(ALL, r"root\cimv2")
    assert path.GetNamespaceCount() == (0, 2)


def test_made_from_parts(path: com.IWbemPath) -> None:
    assert path.SetServer("host") == 0
    path.SetNamespaceAt(0, "root")
    assert path.CreateClassPart(0, "C") == 0
    assert path.CreateClassPart(0, "D") == BAD
    hr, keys = path.GetKeyList()
    assert hr == 0
    assert keys.SetKey("K", 0, com.CIM_STRING, 'a"b') == 0
    assert keys.SetKey2("N", 0, com.CIM_UINT32, 7) == 0
    assert text(path, com.WBEMPATH_GET_SERVER_TOO) == '\\\\host\\root:C.K="a\\"b",N=7'
    assert path.SetClassName("D") == 0
    assert path.IsSameClassName("d")
    assert path.SetClassName(None) == BAD
    assert path.DeleteClassPart(0) == 0
    assert path.DeleteClassPart(0) == com.WBEM_E_NOT_AVAILABLE
    assert path.GetKeyList() == (com.WBEM_E_NOT_AVAILABLE, None)
    assert text(path, com.WBEMPATH_GET_SERVER_TOO) == r"\\host\root"


def test_the_scope_of_a_path_is_its_class_part(path: com.IWbemPath) -> None:
    """The page of SetScope: the index is always 0, and the class name is set, too."""
    assert path.SetScope(0, "C") == 0
    assert path.GetClassName(8) == (0, 2, "C")
    path.SetText(ALL, 'root:A.K="x"')
    assert path.SetScope(0, "C") == 0
    assert path.GetClassName(8) == (0, 2, "C")
    assert text(path) == "root:C"
    assert path.SetScopeFromText(0, "D.L=1") == 0
    assert text(path) == "root:D.L=1"


def test_a_class_name_may_be_empty_but_not_null(path: com.IWbemPath) -> None:
    assert path.SetClassName(None) == BAD
    assert path.SetClassName("") == 0
    assert path.SetClassName("class") == 0
    assert path.GetClassName(16) == (0, 6, "class")
    assert path.GetInfo(0) == (0, 1 | 4 | 0x10 | 0x400 | 0x800)


@pytest.mark.req("A-176")
def test_info_of_what_is_put_together(path: com.IWbemPath) -> None:
    compliant = 0x200 | 0x400 | 0x800
    assert path.SetServer("server") == 0
    assert path.GetInfo(0) == (0, 2 | compliant | 0x4000 | 0x20000)
    for nothing in (None, ""):
        assert path.SetServer(nothing) == 0
        assert path.GetServer(8)[0] == com.WBEM_E_NOT_AVAILABLE
        assert path.GetInfo(0) == (0, 0x4001)
    assert path.SetNamespaceAt(1, "cimv2") == BAD
    assert path.SetNamespaceAt(0, None) == BAD
    assert path.SetNamespaceAt(0, "cimv2") == 0
    assert path.GetInfo(0) == (0, 1 | compliant | 0x4000)
    assert path.SetNamespaceAt(0, "root") == 0
    assert path.GetInfo(0) == (0, 1 | compliant | 0x4000)
    assert path.GetNamespaceCount() == (0, 2)
    assert path.GetNamespaceAt(1, 16) == (0, 6, "cimv2")
    assert path.RemoveAllNamespaces() == 0
    assert path.GetInfo(0) == (0, 0x4001)


@pytest.mark.req("A-176")
def test_a_path_keeps_its_info_without_namespaces(path: com.IWbemPath) -> None:
    assert path.RemoveAllNamespaces() == 0
    assert path.RemoveNamespaceAt(0) == BAD
    path.SetText(ALL, r'\\.\root\cimv2:C.K="v"')
    expected = path.GetInfo(0)
    for left in ("cimv2", None):
        assert path.RemoveNamespaceAt(0) == 0
        assert path.GetInfo(0) == expected
        assert path.GetNamespaceAt(0, 16)[2] == left
    assert path.GetNamespaceAt(0, 16)[0] == BAD


@pytest.mark.req("A-162")
def test_an_implied_key_stands_alone(path: com.IWbemPath) -> None:
    path.SetText(ALL, "C.A=1,B=2")
    _, keys = path.GetKeyList()
    assert keys.SetKey(None, 0, com.CIM_STRING, "x") == 0
    assert text(path) == 'C="x"'
    assert keys.SetKey("A", 0, com.CIM_SINT32, 1) == BAD
    assert text(path) == 'C="x"'
    assert keys.SetKey2(None, 0, com.CIM_SINT32, 7) == 0
    assert keys.GetCount() == (0, 1)
    assert text(path) == "C=7"
    assert keys.RemoveKey(None, 0) == 0
    assert keys.SetKey("A", 0, com.CIM_SINT32, 1) == 0
    assert text(path) == "C.A=1"


def test_the_buffers_of_keys(path: com.IWbemPath) -> None:
    path.SetText(ALL, 'Class.Name="value"')
    _, keys = path.GetKeyList()
    lengths = {"puNameBufSize", "puKeyValBufSize"}
    assert keys.GetKey(0, 0, 0, 0, out=lengths) == (0, 5, None, 6, None, None)
    assert keys.GetKey(0, 0, 5, 0, out=lengths | {"pszKeyName"}) == (0, 5, "Name", 6, None, None)
    assert keys.GetKey(0, 0, 4, 6)[0] == com.WBEM_E_BUFFER_TOO_SMALL
    assert keys.GetKey(0, 0, 5, 5)[0] == com.WBEM_E_BUFFER_TOO_SMALL
    assert keys.GetKey(0, 0, 5, 6) == (0, 5, "Name", 6, "value", com.CIM_STRING)
    assert keys.GetKey(0, 0, 5, 6, out=lengths)[0] == BAD, "a length without its buffer"
    assert keys.GetKey(0, 1, 5, 6)[0] == BAD, "the flags are reserved"
    assert keys.GetKey2(0, 0, 0, out={"puNameBufSize"}) == (0, 5, None, None, None)
    assert keys.GetKey2(0, 0, 4)[0] == com.WBEM_E_BUFFER_TOO_SMALL
    assert keys.GetKey2(0, 1, 5)[0] == BAD
    assert keys.GetText(com.WBEMPATH_QUOTEDTEXT, 0, out={"puBuffLength"}) == (0, 13, None)
    assert keys.GetText(com.WBEMPATH_TEXT, 11) == (0, 11, "Name=value")
    assert keys.GetText(com.WBEMPATH_TEXT, 10)[0] == com.WBEM_E_BUFFER_TOO_SMALL
    assert keys.GetText(4, 64)[0] == BAD


def test_flags_and_outs_of_key_lists(path: com.IWbemPath) -> None:
    path.SetText(ALL, "C.A=1")
    _, keys = path.GetKeyList()
    assert keys.SetKey("B", 1, com.CIM_SINT32, 1) == BAD
    assert keys.SetKey2("B", 1, com.CIM_SINT32, 1) == BAD
    assert keys.RemoveKey("A", 1) == BAD
    assert keys.RemoveAllKeys(1) == BAD
    assert keys.GetInfo(1) == (BAD, None)
    assert keys.GetCount(out=()) == (BAD, None)
    assert keys.GetInfo(0, out=()) == (BAD, None)
    assert path.GetKeyList(out=()) == (BAD, None)
    assert path.CreateClassPart(1, "D") == BAD
    assert path.DeleteClassPart(1) == BAD
    assert text(path) == "C.A=1"
    assert path.DeleteClassPart(0) == 0
    for nothing in (None, ""):
        assert path.CreateClassPart(0, nothing) == BAD
    assert path.CreateClassPart(0, "D") == 0
    assert text(path) == "D"


def test_scopes(path: com.IWbemPath) -> None:
    path.SetText(ALL, 'root:A.K="x:y":B=1')
    assert path.GetScopeCount() == (0, 2)
    hr, length, name, keys = path.GetScope(0, 16)
    assert (hr, length, name) == (0, 2, "A")
    assert keys.GetKey2(0, 0, 8) == (0, 2, "K", "x:y", com.CIM_STRING)
    assert path.GetScopeAsText(1, 16) == (0, 4, "B=1")
    assert path.SetScope(0, "Z") == 0
    assert text(path, com.WBEMPATH_GET_RELATIVE_ONLY) == "Z:B=1"
    assert path.SetScopeFromText(1, "Y.Q=2") == 0
    assert path.SetScope(2, "X") == 0
    assert text(path, com.WBEMPATH_GET_RELATIVE_ONLY) == "Z:Y.Q=2:X"
    assert path.GetClassName(8) == (0, 2, "X")
    for wrong in ("a b", None, "", "root:C", r"\\.\root:C", "A.K=1:B"):
        assert path.SetScopeFromText(1, wrong) == BAD
    for wrong in (None, ""):
        assert path.SetScope(0, wrong) == BAD
    assert path.SetScope(9, "Z") == BAD
    assert path.SetScope(-1, "Z") == BAD
    assert path.GetScope(3, 8) == (BAD, None, None, None)
    assert path.GetScopeAsText(3, 8) == (BAD, None, None)
    assert path.GetScope(0, 0, out={"puClassNameBufSize"}) == (0, 2, None, None)
    assert text(path, com.WBEMPATH_GET_RELATIVE_ONLY) == "Z:Y.Q=2:X"
    assert path.RemoveScope(3) == BAD
    assert path.RemoveScope(0) == 0
    assert text(path, com.WBEMPATH_GET_RELATIVE_ONLY) == "Y.Q=2:X"
    assert path.RemoveAllScopes() == 0
    assert path.GetScopeCount() == (0, 0)


def test_keys(path: com.IWbemPath) -> None:
    path.SetText(ALL, 'C.S="v",N=-3,B=TRUE,L=5000000000')
    _, keys = path.GetKeyList()
    assert keys.GetCount() == (0, 4)
    found = [keys.GetKey2(index, 0, 8)[2:] for index in range(4)]
    assert found == [
        ("S", "v", com.CIM_STRING),
        ("N", -3, com.CIM_SINT32),
        ("B", True, com.CIM_BOOLEAN),
        ("L", "5000000000", com.CIM_STRING),  # beyond 32 bits a number is text
    ]
    assert keys.GetKey(0, 0, 8, 8) == (0, 2, "S", 2, "v", com.CIM_STRING)
    assert keys.GetKey(0, 0, 8, 1)[0] == com.WBEM_E_BUFFER_TOO_SMALL
    assert keys.GetKey2(4, 0, 8)[0] == BAD
    assert keys.GetText(com.WBEMPATH_QUOTEDTEXT, 64)[2] == 'S="v",N=-3,B=TRUE,L="5000000000"'
    assert keys.GetText(0, 64)[2] == "S=v,N=-3,B=TRUE,L=5000000000"
    assert keys.GetInfo(0) == (0, com.WBEMPATH_INFO_IS_COMPOUND)
    assert keys.RemoveKey("n", 0) == 0
    assert keys.RemoveKey("n", 0) == com.WBEM_E_NOT_FOUND
    assert keys.SetKey("s", 0, com.CIM_STRING, "w") == 0
    assert keys.GetCount() == (0, 3)
    assert keys.SetKey("S", 0, com.CIM_STRING, com.NULL) == BAD
    assert keys.SetKey("R", 0, com.CIM_REFERENCE, "X.Y=1") == 0
    assert keys.GetInfo(0)[1] & com.WBEMPATH_INFO_HAS_V2_REF_PATHS
    assert keys.RemoveAllKeys(0) == 0
    assert keys.SetKey(None, 0, com.CIM_STRING, "only") == 0
    assert keys.GetKey2(0, 0, 8) == (0, 1, "", "only", com.CIM_STRING)
    assert text(path) == 'C="only"'
    assert keys.SetKey("", 0, com.CIM_STRING, "x") == 0
    assert keys.GetCount() == (0, 0)
    assert keys.MakeSingleton(True) == 0
    assert text(path) == "C=@"
    assert keys.GetInfo(0) == (0, com.WBEMPATH_INFO_CONTAINS_SINGLETON)
    assert keys.MakeSingleton(False) == 0
    assert text(path) == "C"


def test_questions(path: com.IWbemPath) -> None:
    path.SetText(ALL, r"\\Host\root\cimv2\a:C")
    assert path.IsLocal("HOST")
    assert not path.IsLocal("other")
    assert path.IsRelative("host", "ROOT/cimv2/A")
    assert not path.IsRelative("host", "root")
    assert path.IsRelativeOrChild("host", "root", 0)
    assert not path.IsRelativeOrChild("host", "roo", 0)
    assert not path.IsRelativeOrChild("other", "root", 0)
    path.SetText(ALL, "C")
    assert path.IsRelative("any", "root")


def test_key_list_answers_its_interface(path: com.IWbemPath) -> None:
    path.SetText(ALL, "C")
    _, keys = path.GetKeyList()
    assert keys.QueryInterface(com.IID_IWbemPathKeyList) == (0, keys)
    assert keys.QueryInterface(com.IID_IWbemPath) == (com.E_NOINTERFACE, None)
