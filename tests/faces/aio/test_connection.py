"""Connecting and single objects through the asynchronous face."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
from tests.faces.support import NAMESPACE, World

import openwmi
from openwmi import errors
from openwmi.contract.context import Context
from openwmi.model.status import (
    RPC_E_DISCONNECTED,
    RPC_S_SERVER_UNAVAILABLE,
    WBEM_E_LOCAL_CREDENTIALS,
)


async def test_this_machine_is_the_default() -> None:
    async with openwmi.connect() as wmi:
        assert wmi.namespace.lower() == "root\\cimv2"
        assert wmi.server == wmi.services.server
        assert await wmi.query("SELECT Name FROM Win32_OperatingSystem").one()
    wmi = await openwmi.connect(r"\\.\root\cimv2")
    async with wmi:
        assert wmi.namespace.lower() == "root\\cimv2"


@pytest.mark.req("calls:A25", "calls:A26", "calls:A29")
async def test_what_cannot_be_connected_to_says_why() -> None:
    for options, code in (
        ({"target": "root\\NONE"}, errors.InvalidNamespace),
        ({"user": "me", "password": "secret"}, errors.LocalCredentials),
        ({"target": r"\\.\root", "nt_hash": "0" * 32}, errors.LocalCredentials),
        ({"locale": "english"}, errors.InvalidParameter),
        ({"auth": "basic"}, errors.InvalidParameter),
        ({"auth_level": "none"}, errors.InvalidParameter),
        ({"delivery": "pigeon"}, errors.InvalidParameter),
        ({"callback_port": 0}, errors.InvalidParameter),
        ({"callback_port": 65536}, errors.InvalidParameter),
        ({"callback_port": True}, errors.InvalidParameter),
        ({"callback_port": "4135"}, errors.InvalidParameter),
        ({"timeout": 0}, errors.InvalidParameter),
        ({"timeout": "long"}, errors.InvalidParameter),
    ):
        with pytest.raises(code):
            await openwmi.connect(**options)  # type: ignore[arg-type]
    with pytest.raises(openwmi.WbemError) as failure:
        await openwmi.connect(user="")
    assert failure.value.code == WBEM_E_LOCAL_CREDENTIALS


@pytest.mark.req("calls:A29", "calls:A30")
async def test_a_host_that_cannot_be_reached() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    for target in (rf"\\127.0.0.1[{port}]\root\cimv2", f"127.0.0.1[{port}]"):
        with pytest.raises(openwmi.WbemError) as failure:
            await openwmi.connect(target)
        assert failure.value.code == RPC_S_SERVER_UNAVAILABLE
        assert failure.value.host == "127.0.0.1"


async def test_a_host_that_answers_and_says_nothing_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(errors.TimedOut) as failure:
            async with openwmi.connect(
                rf"\\127.0.0.1[{port}]\root\cimv2", user="u", password="p", timeout=0.05
            ):
                pass
    assert (failure.value.host, failure.value.phase) == ("127.0.0.1", "bind")


async def test_objects_by_path(world: World) -> None:
    world.serve(3)
    async with openwmi.connect(NAMESPACE) as wmi:
        found = await wmi.get(f"{world.name}.N=2")
        assert (found.N, found.S) == (2, "s2")
        with pytest.raises(errors.NotFound):
            await wmi.get(f"{world.name}.N=9")
        with pytest.raises(errors.InvalidObjectPath):
            await wmi.get("!")
        class_ = await wmi.get_class(world.name.lower())
        assert class_.name == world.name
        new = class_.new_(N=7, S="new")
        assert (new.N, new.S, new.relpath_) == (7, "new", f"{world.name}.N=7")
        with pytest.raises(errors.InvalidClass):
            await wmi.get_class(f"{world.name}.N=1")
        with pytest.raises(errors.InvalidClass):
            await wmi.get_class("")


async def test_methods_by_path_by_object_and_by_class(world: World) -> None:
    world.serve(3)
    async with openwmi.connect(NAMESPACE) as wmi:
        one = await wmi.get(f"{world.name}.N=1")
        for target in (f"{world.name}.N=1", one):
            out = await wmi.call(target, "do", What="it")
            assert (out.ReturnValue, out.Done) == (5, "it")
        assert world.calls == [(f"{world.name}.N=1", {"What": "it"})] * 2
        assert await wmi.call(await wmi.get_class(world.name), "Rest") is None
        assert (await wmi.call(one, "Do")).Done is None  # what is left out is NULL
        with pytest.raises(errors.InvalidMethod):
            await wmi.call(one, "No_Such")
        with pytest.raises(errors.InvalidMethodParameters):
            await wmi.call(one, "Do", Nothing=1)
        keyless = (await wmi.query(f"SELECT S FROM {world.name}").fetch_all())[0].with_({})
        bare = (await wmi.get_class(world.name)).new_()
        for target in (bare,):
            with pytest.raises(errors.InvalidObjectPath):
                await wmi.call(target, "Do", What="it")
        assert keyless.S == "s0"


@pytest.mark.req("calls:B28", "calls:B29", "calls:B64", "calls:B72")
async def test_objects_are_stored_and_deleted() -> None:
    async with openwmi.connect("root\\default", repository=":memory:") as wmi:
        await openwmi.mof.compile("class Kept { [key] string Key; uint32 N = 5; };", wmi)
        class_ = await wmi.get_class("Kept")
        path = await wmi.put(class_.new_(Key="a"), flags=openwmi.CREATE_ONLY)
        assert path is not None
        found = await wmi.get(path)
        assert (found.Key, found.N) == ("a", 5)
        with pytest.raises(errors.AlreadyExists):
            await wmi.put(found, flags=openwmi.CREATE_ONLY)
        await wmi.put(found.with_({"N": 6}))
        assert (await wmi.get('Kept.Key="a"')).N == 6
        await wmi.delete(found)
        with pytest.raises(errors.NotFound):
            await wmi.delete('Kept.Key="a"')
        assert await wmi.put(class_) is not None
        await wmi.delete(class_)
        with pytest.raises(errors.NotFound):
            await wmi.get_class("Kept")
        for wrong in ("Kept", None):
            with pytest.raises(errors.InvalidParameter):
                await wmi.put(wrong)  # type: ignore[arg-type]
        with pytest.raises(errors.InvalidParameter):
            await wmi.delete(7)  # type: ignore[arg-type]
        with pytest.raises(errors.InvalidObjectPath):
            await wmi.delete("!")


async def test_classes_are_read_like_a_query(world: World) -> None:
    world.serve(0)
    async with openwmi.connect(NAMESPACE) as wmi:
        names = [one.name async for one in wmi.classes()]
        assert world.name in names
        assert world.name in [one.name for one in await wmi.classes(deep=False).fetch_all()]
        assert await wmi.classes(world.name).fetch_all() == []
        with pytest.raises(errors.InvalidClass):
            await wmi.classes("No_Such").first()


@pytest.mark.req("calls:B9", "calls:G6")
async def test_a_context_goes_along(world: World) -> None:
    from openwmi import host, mof

    seen: list[Any] = []

    class Provider:
        def __init__(self) -> None:
            self.name = f"{world.name}_context"

        def instances(self, request: Any) -> Any:
            seen.append(dict(request.context.items()))
            return [(1,)]

    text = f'[dynamic, provider("{world.name}_context")] class {world.name} {{ [key] uint32 N; }};'
    (declaration,) = mof.class_declarations(text)
    host.provide(NAMESPACE, declaration, Provider())
    query = f"SELECT * FROM {world.name}"
    async with openwmi.connect(NAMESPACE, context={"All": 1}) as wmi:
        await wmi.query(query).first()
        await wmi.query(query, context={"One": 2}).first()
        await wmi.query(query, context=Context({"One": 3})).first()
    assert seen == [{"All": 1}, {"One": 2}, {"One": 3}]


@pytest.mark.req("calls:A31")
async def test_a_closed_connection_says_so() -> None:
    async with openwmi.connect() as wmi:
        pass
    await wmi.close()
    with pytest.raises(openwmi.WbemError) as failure:
        await wmi.get("Win32_Process")
    assert failure.value.code == RPC_E_DISCONNECTED


async def test_stores_of_their_own_are_apart(world: World) -> None:
    async with openwmi.connect(repository=":memory:") as one, openwmi.connect(repository=":memory:") as other:
        assert one.services.loop is not other.services.loop
        assert (await one.get("Win32_Process")).name == "Win32_Process"


async def test_a_log_on_that_is_given_up(world: World) -> None:
    for turns in range(4):
        opening = asyncio.ensure_future(openwmi.connect(NAMESPACE).__aenter__())
        for _ in range(turns):
            await asyncio.sleep(0)
        opening.cancel()
        try:
            await (await opening).close()
        except asyncio.CancelledError:
            pass


async def test_another_program_goes_on_while_one_waits(world: World) -> None:
    """The caller's loop is never blocked: a task counts while the provider is silent."""
    query = world.serve(world.blocked)
    async with openwmi.connect(NAMESPACE) as wmi:
        reading = asyncio.ensure_future(wmi.query(query).fetch_all())
        for _ in range(50):
            await asyncio.sleep(0.0005)
        assert not reading.done()
        world.gate.set()
        assert len(await reading) == 1
