"""Mutated bytes: an object or one of our errors, in bounded time and memory, and what is read may be written."""

from __future__ import annotations

import os
import random
import time
import tracemalloc
from pathlib import Path

import pytest
from tests.wmio.making import PART, every_type, family, samples
from tests.wmio.real import NAMES_OF_DUMPS, dump

from openwmi.model.classes import Class
from openwmi.model.errors import WbemError
from openwmi.model.instances import Instance
from openwmi.wmio import Decoder, encode
from openwmi.wmio.arrays import ArrayDecoder, ArrayEncoder

DEEP = os.environ.get("OPENWMI_DEEP") == "1"
COUNT = 1_000_000 if DEEP else 4_000
TEMPTING = (
    0,
    1,
    2,
    3,
    4,
    7,
    8,
    0x7F,
    0x80,
    0xFF,
    0xFFFF,
    0x7FFFFFFF,
    0x80000000,
    0x80000001,
    0xFFFFFFFE,
    0xFFFFFFFF,
)


def corpus(shared_data: Path) -> list[bytes]:
    derived, base = family()
    instance = every_type().spawn(samples())
    numbers = iter(range(9))
    rows = ArrayEncoder(lambda: bytes(15) + bytes((next(numbers),))).encode(
        [PART.spawn({"Name": "a"}), instance, PART.spawn(), base]
    )
    made = [
        encode(derived, parent=base),
        encode(base),
        encode(instance),
        encode(PART.spawn({"Name": "a"})),
        rows,
    ]
    return made + [dump(shared_data, name) for name in NAMES_OF_DUMPS]


def mutated(data: bytes, chance: random.Random) -> bytes:
    """A few changes of the kinds that hurt parsers: bits, numbers, pieces moved, doubled or cut."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        at = chance.randrange(len(changed))
        kind = chance.randrange(6)
        if kind == 0:
            changed[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            changed[at] = chance.randrange(256)
        elif kind == 2:
            changed[at : at + 4] = chance.choice(TEMPTING).to_bytes(4, "little")
        elif kind == 3:
            near = (int.from_bytes(changed[at : at + 4], "little") + chance.randrange(-9, 9)) & 0xFFFFFFFF
            changed[at : at + 4] = near.to_bytes(4, "little")
        elif kind == 4:
            other = chance.randrange(len(changed))
            changed[at : at + 8] = changed[other : other + 8]
        elif len(changed) > 20:
            del changed[at : at + chance.randrange(1, 5)]
    return bytes(changed)


def walk(one: object, left: int = 300) -> int:
    """Read everything of an object, embedded ones included, but no more than `left` of them."""
    if isinstance(one, Instance):
        for value in one.values_:
            left = walk(value, left)
        return left - 1
    if isinstance(one, tuple):
        for value in one:
            if left <= 0:
                break
            left = walk(value, left)
    elif isinstance(one, Class):
        left -= 1
        for member in one.properties.values():
            left = walk(member.default, left)
    return left


def take_apart(data: bytes) -> bool:
    """Decode and read all, and write it again; whether that went well."""
    try:
        if data[4:12] == b"WBEMDATA":
            found: list[Instance | Class] = ArrayDecoder().decode(data)
        else:
            found = [Decoder().decode(data)]
        for one in found:
            walk(one)
            encode(one)
    except WbemError as refused:
        assert refused.message
        return False
    return True


@pytest.mark.slow
@pytest.mark.timeout(40_000 if DEEP else 120)
def test_mutated_units_give_an_object_or_our_error(shared_data: Path) -> None:
    chance = random.Random(None if DEEP else 20240229)
    whole = corpus(shared_data)
    assert all(take_apart(data) for data in whole)
    # Small objects come more often: their mutants are the cheap ones.
    weights = [1 / len(data) for data in whole]
    good = 0
    slowest = 0.0
    for number, data in enumerate(chance.choices(whole, weights, k=COUNT)):
        mutant = mutated(data, chance)
        start = time.process_time()
        try:
            good += take_apart(mutant)
        except Exception as escaped:
            raise AssertionError(f"mutant {number}: {mutant.hex()}") from escaped
        slowest = max(slowest, time.process_time() - start)
    assert 0 < good < COUNT
    assert slowest < 2


@pytest.mark.slow
def test_mutated_units_take_no_more_memory_than_they_should(shared_data: Path) -> None:
    chance = random.Random(7)
    data = dump(shared_data, "wmio_win32_process")
    take_apart(data)
    tracemalloc.start()
    try:
        for _ in range(20):
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            take_apart(mutated(data, chance))
            assert tracemalloc.get_traced_memory()[1] - before < 200 * len(data)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("length", [0, 1, 4, 8, 9, 30, 200])
def test_noise_is_refused(length: int) -> None:
    chance = random.Random(length)
    for _ in range(50):
        noise = chance.randbytes(length)
        assert not take_apart(noise)
        assert not take_apart(b"\x78\x56\x34\x12" + length.to_bytes(4, "little") + noise)
        assert not take_apart(bytes(4) + b"WBEMDATA" + noise)
