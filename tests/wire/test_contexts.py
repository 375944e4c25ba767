"""IWbemContext by value: every type both ways, the form of [MS-WMI] 2.2.13 byte for byte, bounds."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openwmi.contract.context import Context
from openwmi.model.cimtypes import CimType
from openwmi.model.classes import ClassDeclaration, Property, derive
from openwmi.model.errors import WbemError
from openwmi.model.qualifiers import EMPTY, Qualifier, QualifierSet
from openwmi.wire.dcom import objref
from openwmi.wire.errors import ProtocolError
from openwmi.wire.wmi.contexts import read_context, write_context
from openwmi.wire.wmi.guids import CLSID_WbemContext, IID_IWbemContext

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(1 << 31), (1 << 31) - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
)
ARRAYS = (
    st.lists(st.booleans(), min_size=1, max_size=5)
    | st.lists(st.integers(-5, 5), min_size=1, max_size=5)
    | st.lists(st.floats(allow_nan=False), min_size=1, max_size=5)
    | st.lists(st.text(max_size=5), min_size=1, max_size=5)
    | st.just([])
)


def buffer(*properties: bytes) -> bytes:
    """A reference to a context of these properties."""
    data = struct.pack("<I16sI", 1, bytes(16), len(properties)) + b"".join(properties)
    return objref.Custom(IID_IWbemContext, CLSID_WbemContext, data).encode()


def entry(name: str, kind: int, value: bytes) -> bytes:
    raw = name.encode("utf-16-le")
    return struct.pack("<I", len(name)) + raw + struct.pack("<IH", 0, kind) + value


@pytest.mark.slow
@given(st.dictionaries(st.text(min_size=1, max_size=10), SCALARS | ARRAYS, max_size=6))
def test_every_value_comes_back(values: dict[str, object]) -> None:
    context = Context()
    for name, value in values.items():
        context.set(name, value)
    assert read_context(write_context(context)) == context


def test_null_is_null() -> None:
    assert write_context(None) is None
    assert read_context(None) is None


@pytest.mark.req("calls:G5", "calls:G3")
def test_the_form_is_that_of_the_specification() -> None:
    context = Context({"__ProviderArchitecture": 64, "__RequiredArchitecture": True})
    written = write_context(context)
    assert written == buffer(
        entry("__ProviderArchitecture", 3, struct.pack("<i4x", 64)),
        entry("__RequiredArchitecture", 11, b"\xff\xff" + bytes(6)),
    )


@pytest.mark.req("calls:G5")
@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (2, struct.pack("<h6x", -5), -5),
        (4, struct.pack("<f4x", 1.5), 1.5),
        (16, struct.pack("<b7x", -1), -1),
        (17, struct.pack("<B7x", 255), 255),
        (18, struct.pack("<H6x", 65535), 65535),
        (19, struct.pack("<I4x", 4294967295), 4294967295),
        (1, b"", None),
        (0x2000 | 17, struct.pack("<II", 3, 1) + b"\1\2\3", [1, 2, 3]),
        (0x2000 | 18, struct.pack("<IIHH", 2, 2, 7, 8), [7, 8]),
        (0x2000 | 4, struct.pack("<IIf4x", 1, 8, 2.5), [2.5]),
        (0x2000 | 8, struct.pack("<III", 1, 4, 1) + b"x\0", ["x"]),
    ],
)
def test_types_that_other_clients_send(kind: int, value: bytes, expected: object) -> None:
    found = read_context(buffer(entry("a", kind, value), entry("b", 3, bytes(8))))
    assert found is not None
    assert found.value("A") == expected
    assert found.value("b") == 0


def test_an_object_travels_inside() -> None:
    key = Qualifier("key", True, CimType.BOOLEAN, 3)
    declared = Property("Name", CimType.STRING, None, None, False, QualifierSet([key]), "T", True)
    one = derive(ClassDeclaration("T", None, EMPTY, (declared,), ()), None).spawn({"Name": "inside"})
    found = read_context(write_context(Context({"object": one, "after": "it", "two": [one, one]})))
    assert found is not None
    assert str(found.value("object")) == str(one)
    assert found.value("after") == "it"
    assert [str(each) for each in found.value("two")] == [str(one)] * 2  # type: ignore[attr-defined]


@pytest.mark.parametrize("value", [object(), [1, "x"], {"a": 1}, [[1]]])
def test_what_has_no_form_is_refused(value: object) -> None:
    with pytest.raises(WbemError, match="a"):
        write_context(Context({"a": value}))


@given(st.binary(max_size=200))
def test_whatever_comes_is_read_or_refused(data: bytes) -> None:
    for reference in (data, objref.Custom(IID_IWbemContext, CLSID_WbemContext, data).encode()):
        try:
            read_context(reference)
        except (ProtocolError, WbemError):
            pass


def test_counts_are_bounded_by_the_bytes_that_are_there() -> None:
    for data in (
        struct.pack("<I", 0xFFFFFFFF),
        struct.pack("<I16sI", 1, bytes(16), 0xFFFFFFFF),
        struct.pack("<I16sI", 1, bytes(16), 1) + entry("a", 0x2000 | 1, struct.pack("<II", 0xFFFFFFFF, 0)),
        struct.pack("<I16sI", 1, bytes(16), 1) + entry("a", 8, struct.pack("<I", 0xFFFFFFFF)),
    ):
        with pytest.raises((ProtocolError, WbemError)):
            read_context(objref.Custom(IID_IWbemContext, CLSID_WbemContext, data).encode())
