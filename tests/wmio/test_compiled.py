"""Generated code: it holds numbers alone, whatever the names are."""

from __future__ import annotations

import pytest
from tests.model.making import make, prop
from tests.wmio.making import every_type, samples

from openwmi.model.cimtypes import CimType
from openwmi.model.instances import Instance
from openwmi.wmio import compiled, decode, encode
from openwmi.wmio.compiled import bits_of


def test_bits_lie_four_to_a_byte_from_the_low_end() -> None:
    nd = bytes((0b11_10_01_00, 0b00_00_00_11))
    assert [bits_of(nd, at) for at in range(8)] == [0, 1, 2, 3, 3, 0, 0, 0]


def test_no_name_reaches_generated_code(monkeypatch: pytest.MonkeyPatch) -> None:
    sources: list[str] = []
    original = compiled._code

    def watched(source: str) -> object:
        sources.append(source)
        return original(source)

    monkeypatch.setattr(compiled, "_code", watched)
    evil = make(
        "Test_Evil", prop("__import__x1"[2:]), prop("Exit", CimType.UINT32), prop("v0", CimType.STRING)
    )
    one = evil.spawn({"import__x1": "a", "Exit": 1, "v0": "b"})
    for _ in range(4):
        again = decode(encode(one))
        assert isinstance(again, Instance)
        assert again.values_ == one.values_
    assert len(sources) == 2
    assert all("import" not in source and "Exit" not in source and "Evil" not in source for source in sources)


def test_a_class_without_properties() -> None:
    bare = make("Test_Bare").spawn()
    for _ in range(5):
        assert decode(encode(bare)) == bare


def test_compiled_encoders_write_what_the_others_write() -> None:
    one = every_type().spawn(samples())
    assert len({decode(encode(one)) == one for _ in range(5)}) == 1
    latin = one.with_(Strings=["a"], String="a")
    assert {decode(encode(latin)) == latin for _ in range(5)} == {True}
