"""GetObject, CreateClassEnum, CreateInstanceEnum and the flags of reading (calls.md B.5, B.6, B.9, B.12)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.conformance.support import Seam, rows

from openwmi.contract import operations as ops
from openwmi.contract.context import Context
from openwmi.model.classes import Class
from openwmi.model.errors import error
from openwmi.model.status import (
    WBEM_E_INVALID_CLASS,
    WBEM_E_INVALID_NAMESPACE,
    WBEM_E_INVALID_OBJECT_PATH,
    WBEM_E_NOT_FOUND,
    WBEM_E_PROVIDER_FAILURE,
    WBEM_E_PROVIDER_NOT_CAPABLE,
    WBEM_E_PROVIDER_NOT_FOUND,
)

DEEP, SHALLOW, DIRECT_READ = 0, 1, 0x200
DISK = """
[dynamic, provider("{provider}")]
class Disk { [key] string Id; uint64 Size; string Label; };
"""


def disks(request: Any) -> Iterator[tuple[object, ...]]:
    return rows(request, {"Id": "C:", "Size": 1, "Label": "one"}, {"Id": "D:", "Size": 2, "Label": "two"})


def disk(request: Any, keys: dict[str, object]) -> tuple[object, ...] | None:
    return next((row for row in disks(request) if row[request.columns.index("Id")] == keys["Id"]), None)


@pytest.mark.req("calls:B46", "A-180")
async def test_no_path_gives_the_empty_class(seam: Seam) -> None:
    for path in (None, ""):
        (found,) = (await seam.hear(ops.GetObject(path))).objects
        assert isinstance(found, Class)
        assert found.name == ""
        assert not found.properties


@pytest.mark.req("calls:B30", "calls:B47")
async def test_an_object_is_found_by_its_path_or_not_found(seam: Seam) -> None:
    seam.serve(DISK, instances=disks, instance=disk)
    (found,) = (await seam.hear(ops.GetObject('Disk.Id="D:"'))).objects
    assert (found.Id, found.Size, found.Label) == ("D:", 2, "two")
    assert await seam.status(ops.GetObject('Disk.Id="X:"')) == WBEM_E_NOT_FOUND
    assert await seam.status(ops.GetObject('disk="c:"')) in (0, WBEM_E_NOT_FOUND)  # the provider compares


@pytest.mark.parametrize(
    "path",
    [
        'Disk.Id="C:',
        "Disk.",
        "Disk.Id=",
        'Disk.No="C:"',
        'Disk.Id="C:",Id="D:"',
        "Disk=@",
        "!Disk",
        "Disk.Id=C:",
    ],
)
@pytest.mark.req("calls:B47", "calls:A43", "A-164")
async def test_a_path_that_does_not_fit_is_invalid(seam: Seam, path: str) -> None:
    seam.serve(DISK, instances=disks, instance=disk)
    assert await seam.status(ops.GetObject(path)) == WBEM_E_INVALID_OBJECT_PATH


@pytest.mark.req("calls:B47", "calls:C22", "F-20")
async def test_a_provider_that_is_missing_or_cannot_get_says_so(seam: Seam) -> None:
    seam.serve('[dynamic, provider("Nobody_At_All")] class Orphan { [key] uint32 N; };')
    seam.serve('[dynamic, provider("{provider}")] class Mute { [key] uint32 N; };')
    assert await seam.status(ops.GetObject("Orphan.N=1")) == WBEM_E_PROVIDER_NOT_FOUND
    assert await seam.status(ops.GetObject("Mute.N=1")) == WBEM_E_PROVIDER_NOT_CAPABLE


@pytest.mark.req("calls:B38", "calls:B47")
async def test_a_look_up_that_fails_is_not_an_object_that_is_absent(seam: Seam) -> None:
    def broken(request: Any, keys: dict[str, object]) -> None:
        raise OSError("the disk is on fire")

    seam.serve(DISK, instance=broken)
    assert await seam.status(ops.GetObject('Disk.Id="C:"')) == WBEM_E_PROVIDER_FAILURE


@pytest.mark.req("calls:B48")
async def test_only_objects_of_this_namespace_are_served(seam: Seam) -> None:
    seam.serve(DISK, instances=disks, instance=disk)
    services = seam.services
    full = f'\\\\{services.server}\\{services.namespace}:Disk.Id="C:"'
    for path in (full, full.lower().replace('"c:"', '"C:"'), f'\\\\.\\{services.namespace}:Disk.Id="C:"'):
        (found,) = (await seam.hear(ops.GetObject(path))).objects
        assert found.Id == "C:"
    assert await seam.status(ops.GetObject('root\\default:Disk.Id="C:"')) == WBEM_E_INVALID_NAMESPACE
    other = f'\\\\somewhere-else\\{services.namespace}:Disk.Id="C:"'
    assert await seam.status(ops.GetObject(other)) == WBEM_E_INVALID_OBJECT_PATH


@pytest.mark.req("calls:B49")
async def test_a_singleton_has_no_keys(seam: Seam) -> None:
    seam.serve(
        '[singleton, dynamic, provider("{provider}")] class Only { string Name; };',
        instance=lambda request, keys: next(rows(request, {"Name": "me"})),
    )
    (found,) = (await seam.hear(ops.GetObject("Only=@"))).objects
    assert found.Name == "me"


@pytest.mark.req("calls:B50", "calls:B9", "A-292")
async def test_a_partial_get_asks_the_provider_for_less(seam: Seam) -> None:
    asked = []

    def instance(request: Any, keys: dict[str, object]) -> tuple[object, ...] | None:
        asked.append(request.columns)
        return disk(request, keys)

    seam.serve(DISK, instance=instance)
    wanted = {"__GET_EXTENSIONS": True, "__GET_EXT_PROPERTIES": ["label"], "__GET_EXT_CLIENT_REQUEST": True}
    (found,) = (await seam.hear(ops.GetObject('Disk.Id="C:"'), 0, Context(wanted))).objects
    assert (found.Id, found.Label, found.Size) == ("C:", "one", None)
    assert asked == [("Id", "Label")]
    keys_only = Context({**wanted, "__GET_EXT_KEYS_ONLY": True})
    (found,) = (await seam.hear(ops.GetObject('Disk.Id="C:"'), 0, keys_only)).objects
    assert (found.Id, found.Label) == ("C:", None)


@pytest.mark.req("calls:C22", "F-20")
async def test_what_a_provider_answers_about_an_object_is_the_status(seam: Seam) -> None:
    def instance(request: Any, keys: dict[str, object]) -> None:
        if keys["Id"] == "absent":
            return
        raise error(WBEM_E_PROVIDER_NOT_CAPABLE if keys["Id"] == "hard" else WBEM_E_NOT_FOUND)

    seam.serve(DISK, instance=instance)
    assert await seam.status(ops.GetObject('Disk.Id="absent"')) == WBEM_E_NOT_FOUND
    assert await seam.status(ops.GetObject('Disk.Id="said so"')) == WBEM_E_NOT_FOUND
    assert await seam.status(ops.GetObject('Disk.Id="hard"')) == WBEM_E_PROVIDER_NOT_CAPABLE


FAMILY = """
class Top { [key] uint32 N; };
class Middle : Top { string M; };
class Bottom : Middle { };
class Side : Top { };
class Alone { [key] uint32 N; };
"""


async def names(seam: Seam, superclass: str | None, flags: int) -> set[str]:
    found = (await seam.hear(ops.CreateClassEnum(superclass), flags)).objects
    assert all(isinstance(one, Class) for one in found)
    return {one.name for one in found}


@pytest.mark.req("calls:B61", "A-266")
async def test_classes_deep_and_shallow(seam: Seam) -> None:
    seam.serve(FAMILY)
    everything = {"Top", "Middle", "Bottom", "Side", "Alone"}
    for nothing in (None, ""):
        assert everything <= await names(seam, nothing, DEEP)
        above = await names(seam, nothing, SHALLOW)
        assert above & everything == {"Top", "Alone"}
    assert await names(seam, "top", DEEP) == {"Middle", "Bottom", "Side"}
    assert await names(seam, "Top", SHALLOW) == {"Middle", "Side"}
    assert await names(seam, "Bottom", DEEP) == set()


@pytest.mark.req("calls:B62")
async def test_classes_below_an_unknown_one(seam: Seam) -> None:
    heard = await seam.hear(ops.CreateClassEnum("No_Such"))
    assert heard.outcome.status == WBEM_E_INVALID_CLASS
    assert heard.objects == []


SERVED = """
[dynamic, provider("{provider}")] class Upper { [key] uint32 N; };
[dynamic, provider("{provider}")] class Lower : Upper { string Extra; };
"""


def by_class(request: Any) -> Iterator[tuple[object, ...]]:
    return rows(request, {"N": 1 if request.class_.name == "Upper" else 2, "Extra": "e"})


@pytest.mark.req("calls:B75", "calls:B40", "A-267")
async def test_instances_deep_and_shallow(seam: Seam) -> None:
    seam.serve(SERVED, instances=by_class)

    async def found(flags: int) -> list[tuple[str, int]]:
        heard = await seam.hear(ops.CreateInstanceEnum("Upper"), flags)
        assert heard.outcome.status == 0
        return sorted((one.classname_, one.N) for one in heard.objects)

    assert await found(DEEP) == [("Lower", 2), ("Upper", 1)]
    assert await found(SHALLOW) == [("Upper", 1)]
    assert await found(DIRECT_READ) == [("Upper", 1)]


@pytest.mark.req("calls:B75", "calls:B76")
async def test_instances_that_cannot_be_had(seam: Seam) -> None:
    seam.serve('[dynamic, provider("{provider}")] class Mute { [key] uint32 N; };')
    seam.serve('[dynamic, provider("{provider}")] class Empty { [key] uint32 N; };', instances=lambda _: [])
    assert await seam.status(ops.CreateInstanceEnum("Mute")) == WBEM_E_PROVIDER_NOT_CAPABLE
    assert await seam.status(ops.CreateInstanceEnum("No_Such")) == WBEM_E_INVALID_CLASS
    heard = await seam.hear(ops.CreateInstanceEnum("Empty"))
    assert (heard.outcome.status, heard.objects) == (0, [])


@pytest.mark.req("calls:A17", "calls:B93")
async def test_class_names_have_no_case(seam: Seam) -> None:
    seam.serve(DISK, instances=disks, instance=disk)
    assert len((await seam.hear(ops.CreateInstanceEnum("DISK"))).objects) == 2
    (found,) = (await seam.hear(ops.GetObject("dISK"))).objects
    assert found.name == "Disk"
