"""Object paths: grammar, canonical text, comparison."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openwmi.model.cimtypes import CimType
from openwmi.model.errors import WbemError
from openwmi.model.paths import ObjectPath, escape, key_literal, parse_path, relpath_of
from openwmi.model.status import WBEM_E_INVALID_OBJECT_PATH, WBEM_E_QUOTA_VIOLATION

letters = "abyzABYZ_"
identifiers = st.builds(str.__add__, st.sampled_from(letters), st.text(f"{letters}059", max_size=8))
servers = st.sampled_from([".", "HOST", "host.example.org", "192.0.2.1", "fe80::1", "[::1]"])
namespaces = st.lists(identifiers, min_size=1, max_size=3).map("\\".join)
plain_text = st.text(st.characters(min_codepoint=0x20), max_size=20)
key_values = plain_text | st.booleans() | st.integers(-(2**31), 2**32 - 1)


@st.composite
def paths(draw: st.DrawFn) -> ObjectPath:
    """A path as the canonical text writes it: its keys in order."""
    server = draw(st.none() | servers)
    namespace = draw(namespaces if server is not None else st.none() | namespaces)
    class_name = draw(identifiers)
    keys = draw(st.dictionaries(identifiers.map(str.lower), key_values, max_size=4))
    kind = draw(st.sampled_from(["class", "keys", "singleton", "implied"]))
    if kind == "singleton":
        return ObjectPath(server, namespace, class_name, (), True)
    if kind == "implied":
        return ObjectPath(server, namespace, class_name, ((None, draw(key_values)),))
    return ObjectPath(server, namespace, class_name, tuple(sorted(keys.items())) if kind == "keys" else ())


def refused(text: str, code: int = WBEM_E_INVALID_OBJECT_PATH) -> WbemError:
    with pytest.raises(WbemError) as caught:
        parse_path(text)
    assert caught.value.code == code
    return caught.value


# The vectors of model.md H, in their order.


@pytest.mark.req("A-162")
def test_one_key_needs_no_name() -> None:
    path = parse_path('Win32_LogicalDisk="C:"')
    assert path == ObjectPath(None, None, "Win32_LogicalDisk", ((None, "C:"),))
    assert path.is_instance
    assert str(path) == 'Win32_LogicalDisk="C:"'


@pytest.mark.req("A-164", "A-165", "A-175", "A-048")
def test_case_and_kind_of_quotes_do_not_matter() -> None:
    one, other = parse_path("Win32_LogicalDisk.deviceid='c:'"), parse_path('WIN32_LogicalDisk.DeviceID="C:"')
    assert one.folded() == other.folded()
    assert str(one) == 'Win32_LogicalDisk.deviceid="c:"'


@pytest.mark.req("A-173")
@pytest.mark.parametrize(
    "text",
    [
        'Win32_LogicalDisk = "C:"',
        'Win32_LogicalDisk ="C:"',
        'Win32_LogicalDisk= "C:"',
        'Win32_LogicalDisk="C:" ',
        ' Win32_LogicalDisk="C:"',
        'X.A="1", B=2',
        'X. A="1"',
        "root\\cimv2: X",
    ],
)
def test_no_blanks_between_tokens(text: str) -> None:
    refused(text)


@pytest.mark.req("A-164")
def test_a_path_of_nothing_is_well_formed() -> None:
    assert parse_path('Win32_Service.Name="nonexistent"').keys == (("Name", "nonexistent"),)


@pytest.mark.req("A-162", "A-088")
def test_singletons() -> None:
    path = parse_path("Win32_OperatingSystem=@")
    assert path == ObjectPath(None, None, "Win32_OperatingSystem", (), True)
    assert path.is_instance
    assert not path.is_class
    assert str(path) == "Win32_OperatingSystem=@"
    for text in ("C.K=@", "C=@@", "C=@,A=1", "C.@"):
        refused(text)


@pytest.mark.req("A-165")
def test_backslashes_are_doubled_in_and_out() -> None:
    text = r'CIM_DataFile.Name="c:\\dir\\a.txt"'
    path = parse_path(text)
    assert path.keys == (("Name", "c:\\dir\\a.txt"),)
    assert str(path) == text


@pytest.mark.req("A-160", "A-161", "A-163", "A-172")
def test_slashes_are_taken_and_backslashes_written() -> None:
    path = parse_path("//./root/cimv2:Win32_Bios")
    assert path == ObjectPath(".", "root\\cimv2", "Win32_Bios")
    assert path.is_class
    assert str(path) == r"\\.\root\cimv2:Win32_Bios"
    assert str(path._replace(server="SERVER")) == r"\\SERVER\root\cimv2:Win32_Bios"


@pytest.mark.req("A-180")
def test_the_empty_path_names_nothing() -> None:
    assert parse_path("") == ObjectPath()
    assert str(ObjectPath()) == ""
    assert not ObjectPath().is_class


@pytest.mark.req("A-164", "A-170")
def test_keys_come_in_any_order_and_leave_in_one() -> None:
    one, other = parse_path('X.A="1",B=2'), parse_path('X.B=2,A="1"')
    assert one.folded() == other.folded()
    assert str(one) == str(other) == 'X.A="1",B=2'


# Grammar ------------------------------------------------------------------------------------------------------------


@pytest.mark.req("A-160", "A-170")
@given(paths())
def test_canonical_text_reads_back(path: ObjectPath) -> None:
    text = str(path)
    again = parse_path(text)
    assert again == path
    assert again.folded() == path.folded()
    assert parse_path(path.relative()) == path._replace(server=None, namespace=None)


@pytest.mark.req("A-175", "A-060")
@given(paths())
def test_folding_ignores_case(path: ObjectPath) -> None:
    def swapped(text: str | None) -> str | None:
        return text.swapcase() if text is not None and text.isascii() else text

    keys = [(swapped(name), swapped(value) if isinstance(value, str) else value) for name, value in path.keys]
    other = path._replace(
        server=swapped(path.server),
        namespace=swapped(path.namespace),
        class_name=swapped(path.class_name),
        keys=tuple(keys),
    )
    assert other.folded() == path.folded()
    assert hash(other.folded()) == hash(path.folded())
    assert path._replace(class_name=f"{path.class_name}x").folded() != path.folded()


@given(
    st.text(st.characters(categories=["L", "N", "P", "S", "Zs", "Cc"]), max_size=30)
    | st.text("\\/.:=\"',@_aZ0x-+ ", max_size=30)
)
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        path = parse_path(text)
    except WbemError as reason:
        assert reason.code == WBEM_E_INVALID_OBJECT_PATH
        assert reason.path == text
    else:
        assert parse_path(str(path)).folded() == path.folded()


@pytest.mark.req("A-161", "A-163")
@pytest.mark.parametrize(
    ("text", "path"),
    [
        (r"\\srv\root\cimv2", ObjectPath("srv", "root\\cimv2")),
        (r"\\srv", ObjectPath("srv")),
        (r"\\.\root", ObjectPath(".", "root")),
        (r"root\cimv2", ObjectPath(None, "root\\cimv2")),
        ("root/cimv2:C", ObjectPath(None, "root\\cimv2", "C")),
        ("/root/cimv2:C", ObjectPath(None, "root\\cimv2", "C")),
        (r"\\srv\root:C.K=1", ObjectPath("srv", "root", "C", (("K", 1),))),
        ("root:C", ObjectPath(None, "root", "C")),
        ("root", ObjectPath(None, None, "root")),
        ("__EventFilter", ObjectPath(None, None, "__EventFilter")),
        (r"\\[fe80::1]\root\cimv2:C", ObjectPath("[fe80::1]", "root\\cimv2", "C")),
    ],
)
def test_where_a_path_leads(text: str, path: ObjectPath) -> None:
    assert parse_path(text) == path


@pytest.mark.req("A-166", "A-167", "A-168")
@pytest.mark.parametrize(
    ("text", "value", "canonical"),
    [
        ("C.K=7", 7, "C.K=7"),
        ("C.K=-7", -7, "C.K=-7"),
        ("C.K=+7", 7, "C.K=7"),
        ("C.K=007", 7, "C.K=7"),
        ("C.K=0x1F", 31, "C.K=31"),
        ("C.K=-0x1f", -31, "C.K=-31"),
        ("C.K=4294967295", 4294967295, "C.K=4294967295"),
        ("C.K=4294967296", "4294967296", 'C.K="4294967296"'),
        ("C.K=0xFFFFFFFFFFFFFFFF", "18446744073709551615", 'C.K="18446744073709551615"'),
        ("C.K=TRUE", True, "C.K=TRUE"),
        ("C.K=false", False, "C.K=FALSE"),
        ('C.K=""', "", 'C.K=""'),
        ("C.K='it''", None, ""),
        (r"C.K='it\'s'", "it's", 'C.K="it\'s"'),
        (r'C.K="a\"b"', 'a"b', r'C.K="a\"b"'),
        ('C.K="a,b=c.d:e"', "a,b=c.d:e", 'C.K="a,b=c.d:e"'),
        ('C.K="50%20off"', "50%20off", 'C.K="50%20off"'),
        ('C.K="Disk #0, Partition #0"', "Disk #0, Partition #0", 'C.K="Disk #0, Partition #0"'),
    ],
)
def test_values(text: str, value: object, canonical: str) -> None:
    if value is None:
        refused(text)
        return
    path = parse_path(text)
    assert path.keys == (("K", value),)
    assert type(path.keys[0][1]) is type(value)
    assert str(path) == canonical


@pytest.mark.req("A-174")
def test_percent_escapes_are_not_decoded() -> None:
    assert parse_path('C.K="a%20b"').keys == (("K", "a%20b"),)


@pytest.mark.req("A-085")
def test_control_characters_are_refused_and_blanks_are_not() -> None:
    refused('C.K="a\nb"')
    refused('C.K="a\x00b"')
    assert parse_path('C.K="a b"').keys == (("K", "a b"),)


@pytest.mark.req("A-164")
@pytest.mark.parametrize(
    "text",
    [
        "C.",
        "C=",
        "C.K",
        "C.K=",
        "C.=1",
        "C.K=1,",
        "C.K=1,L",
        "C.K=1,k=2",
        "C.K=1;L=2",
        'C.K="a',
        'C.K="a\\',
        r'C.K="c:\dir"',
        'C.K="a"b',
        "C.K=1.5",
        "C.K=x",
        "C.K=0x",
        "C.K=-",
        "C.K=--1",
        "C.K=" + "9" * 21,
        "1C",
        "C-D",
        "C:",
        ":C",
        "root:",
        "root\\:C",
        "root\\\\cimv2:C",
        "\\\\",
        "\\\\\\root",
        "\\\\srv\\root\\:C",
        '\\\\srv\\root\\cimv2.K="a"',
        "\\C",
        "root\\cimv2=1",
        "C.K=1:D",
        "C{",
    ],
)
def test_malformed(text: str) -> None:
    reason = refused(text)
    assert "is not an object path" in reason.message


@pytest.mark.req("A-064")
def test_limits() -> None:
    longest = 'C.K="' + "x" * (0x2000 - 6) + '"'
    assert len(longest) == 0x2000
    assert len(str(parse_path(longest))) == 0x2000
    refused(longest + "x", WBEM_E_QUOTA_VIOLATION)
    refused("\\" * 100_000, WBEM_E_QUOTA_VIOLATION)
    assert len(parse_path("C." + ",".join(f"K{number}=1" for number in range(256))).keys) == 256
    assert len(refused("C." + "x" * 8000 + "-").message) < 400
    refused("C." + ",".join(f"K{number}=1" for number in range(257)))


# Canonical text -----------------------------------------------------------------------------------------------------


@pytest.mark.req("A-169", "A-171")
def test_references_as_keys_are_quoted_once() -> None:
    inner = r'\\SRV\root\cimv2:Y.StartingAddress="2463203328"'
    text = relpath_of("X", ("Dependent", "Antecedent"), (102, 102), ("Z=@", inner))
    assert text == r'X.Antecedent="\\\\SRV\\root\\cimv2:Y.StartingAddress=\"2463203328\"",Dependent="Z=@"'
    path = parse_path(text)
    assert dict(path.keys) == {"Antecedent": inner, "Dependent": "Z=@"}
    assert parse_path(str(dict(path.keys)["Antecedent"])).keys == (("StartingAddress", "2463203328"),)


@pytest.mark.req("A-166", "A-167", "A-168", "A-169")
@pytest.mark.parametrize(
    ("value", "code", "text"),
    [
        (5, CimType.UINT32, "5"),
        (-5, CimType.SINT8, "-5"),
        (65, CimType.CHAR16, "65"),
        (2463203328, CimType.UINT64, '"2463203328"'),
        (-1, CimType.SINT64, '"-1"'),
        (True, CimType.BOOLEAN, "TRUE"),
        ("20240101000000.000000+000", CimType.DATETIME, '"20240101000000.000000+000"'),
        ("a\\b", CimType.STRING, '"a\\\\b"'),
    ],
)
def test_key_literals(value: object, code: int, text: str) -> None:
    assert key_literal(value, code) == text
    assert relpath_of("C", ("K",), (code,), (value,)) == f"C.K={text}"


@pytest.mark.req("A-143", "A-170")
def test_relpaths_of_instances() -> None:
    assert relpath_of("C", ("b", "A"), (8, 19), ("x", 1)) == 'C.A=1,b="x"'
    assert relpath_of("C", ("b", "A"), (8, 19), ("x", None)) is None
    assert relpath_of("C", ("A",), (8,), (None,)) is None
    assert relpath_of("C", (), (), ()) is None


@given(plain_text)
def test_escaping_reads_back(text: str) -> None:
    assert parse_path(f"C.K={escape(text)}").keys == (("K", text),)


@pytest.mark.req("A-048")
def test_the_local_server_is_no_server() -> None:
    assert parse_path(r"\\.\root\cimv2:C").folded() == parse_path(r"root\cimv2:C").folded()
    assert parse_path(r"\\A\root\cimv2:C").folded() == parse_path(r"\\a\ROOT\cimv2:c").folded()
    assert parse_path(r"\\A\root\cimv2:C").folded() != parse_path(r"root\cimv2:C").folded()
    assert parse_path("C=1").folded() == parse_path('C="1"').folded(), "the type of a key is not known here"
    assert parse_path("C=1").folded() != parse_path("C").folded()
    assert parse_path("C=@").folded() != parse_path("C").folded()
