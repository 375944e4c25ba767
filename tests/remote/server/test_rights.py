"""Rights and levels over the wire: what a namespace refuses, and when it says so (calls.md A12, A36, I)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from tests.remote.kit import Caller
from tests.remote.server.serving import NAMESPACE, PASSWORD, Served
from tests.remote.server.session import ENUMERATOR, CollectingSink, Session, ipid_of, sink_host

from openwmi.accounts import Accounts
from openwmi.model import sddl, status
from openwmi.service.access import Access
from openwmi.wire.errors import RPC_E_DISCONNECTED
from openwmi.wire.ntlm import nt_hash
from openwmi.wire.wmi import enumerators as e
from openwmi.wire.wmi import guids, login
from openwmi.wire.wmi import services as w
from openwmi.wire.wmi.types import EMPTY, object_in, reference_to

DENIED = status.WBEM_E_ACCESS_DENIED
GET, EXEC_QUERY, PUT_INSTANCE, EXEC_METHOD, PUT_INSTANCE_ASYNC = (
    w.METHODS[number] for number in (6, 20, 14, 24, 15)
)


@pytest.fixture(scope="module")
def address(served: Served) -> tuple[str, int]:
    return served.listen()


@pytest.fixture
def access(served: Served) -> Iterator[Access]:
    """What stands at the beginning stands again at the end."""
    access = served.host.namespaces.access
    space = served.host.namespaces.named(NAMESPACE)
    own = access.own(NAMESPACE)
    yield access
    access.store(space, own)
    access.require_encryption(space, False)


@asynccontextmanager
async def session(address: tuple[str, int], user: str = "ada", level: int = 6) -> AsyncIterator[Session]:
    made = await Session.open(address, user=user, level=level)
    try:
        yield made
    finally:
        await made.close()


async def result(session: Session, method: Any, /, **inputs: Any) -> int:
    return int((await session.call(method, **inputs)).result)


async def item(session: Session) -> bytes:
    """An instance to put, as it travels."""
    answer = await session.call(GET, path="Item.Id=1", found=EMPTY)
    return reference_to(object_in(answer.found).with_({"Text": "changed"}))


def sid(served: Served, name: str) -> str:
    return str(served.accounts.named(name).sid)


@pytest.mark.req("calls:A12", "calls:I24")
async def test_encryption_is_asked_of_every_call_and_of_everything_that_comes_out(
    served: Served, access: Access, address: tuple[str, int]
) -> None:
    async with session(address) as sealed, session(address, level=5) as signed:
        made = await sealed.call(EXEC_QUERY, language="WQL", query="SELECT * FROM Item", flags=0x30)
        enumerator = ipid_of(made.enumerator)
        access.require_encryption(served.host.namespaces.named(NAMESPACE), True)
        assert await result(signed, GET, path="Item", found=EMPTY) == DENIED
        assert await result(signed, w.OPEN, namespace="x", services=EMPTY) == DENIED
        assert await result(signed, w.EVENT_SINK, flags=0) == DENIED
        answer = await signed.caller.call(e.NEXT, e.Next(1000, 1), enumerator, ENUMERATOR)
        assert (answer.result, answer.objects or []) == (DENIED, [])
        answer = await sealed.caller.call(e.NEXT, e.Next(1000, 1), enumerator, ENUMERATOR)
        assert (answer.result, len(answer.objects)) == (0, 1)
        assert await result(sealed, GET, path="Item", found=EMPTY) == 0


@pytest.mark.req("calls:A36", "calls:A13")
async def test_who_may_not_enter_is_told_at_log_on(
    served: Served, access: Access, address: tuple[str, int]
) -> None:
    space = served.host.namespaces.named(NAMESPACE)
    access.store(space, sddl.parse(f"O:BAG:BAD:(D;;WP;;;{sid(served, 'bob')})"))
    with pytest.raises(AssertionError, match="0x80041003"):
        await Session.open(address, user="bob")
    async with session(address) as ada:
        assert await result(ada, GET, path="Item", found=EMPTY) == 0


@pytest.mark.req("calls:I2", "calls:I6", "calls:B18", "A-321")
async def test_a_write_right_is_missed_by_the_call_or_by_the_final_status(
    served: Served, access: Access, address: tuple[str, int]
) -> None:
    async with session(address, "bob") as bob, sink_host() as host:
        changed = await item(bob)
        assert await result(bob, PUT_INSTANCE, object=changed) == DENIED
        sink = CollectingSink()
        assert await result(bob, PUT_INSTANCE_ASYNC, object=changed, sink=host.export(sink)) == 0
        await sink.gone.wait()
        assert [one.status for one in sink.statuses] == [DENIED]
        access.store(
            served.host.namespaces.named(NAMESPACE), sddl.parse(f"O:BAG:BAD:(A;;SW;;;{sid(served, 'bob')})")
        )
        assert (
            await result(bob, PUT_INSTANCE, object=changed) == DENIED
        )  # this log-on keeps what it has (A13)
        bob.services = await bob.log_in(NAMESPACE)
        assert await result(bob, PUT_INSTANCE, object=changed) == 0


@pytest.mark.req("calls:B92", "calls:I2", "calls:I3")
async def test_a_right_for_methods_is_missed_by_the_call(
    served: Served, access: Access, address: tuple[str, int]
) -> None:
    access.store(
        served.host.namespaces.named(NAMESPACE), sddl.parse(f"O:BAG:BAD:(D;;DC;;;{sid(served, 'bob')})")
    )
    async with session(address, "bob") as bob:
        assert await result(bob, EXEC_METHOD, path="Row", method="Rest") == DENIED
        answer = await bob.call(
            EXEC_METHOD, path="__SystemSecurity", method="GetCallerAccessRights", found=EMPTY
        )
        assert answer.result == 0
        assert object_in(answer.found).rights == 0x31


async def test_an_account_that_is_gone_enters_no_namespace_over_its_connection(
    served: Served, address: tuple[str, int]
) -> None:

    accounts: Accounts = served.accounts
    accounts.add("brief", nt_hash(PASSWORD))
    async with session(address, "brief") as brief:
        accounts.remove("brief")
        with pytest.raises(AssertionError, match="0x80041003"):
            await brief.log_in(NAMESPACE)


@pytest.mark.slow
async def test_guesses_are_answered_late_noted_and_hold_the_account_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Over the network, too: four are free, and no more are gained by trying at the same time."""
    served = Served(tmp_path)
    now = [1000.0]
    served.accounts._clock = lambda: now[0]
    address = served.listen()

    async def attempt(password: str) -> tuple[bool, float]:
        """Whether a log-on is taken, and after how many seconds it is known."""
        before = time.monotonic()
        caller = await Caller.connect(address, [guids.IWbemLevel1Login], user="bob", password=password)
        try:
            answer = await caller.call(login.ESTABLISH_POSITION, login.EstablishPosition(), UUID(int=1))
        finally:
            await caller.close()
        return answer == RPC_E_DISCONNECTED, time.monotonic() - before

    try:
        assert (await attempt(PASSWORD))[0]
        guesses = await asyncio.gather(*(attempt(f"guess {number}") for number in range(5)))
        assert [taken for taken, _ in guesses] == [False] * 5
        assert min(seconds for _, seconds in guesses) > 0.4
        assert not (await attempt(PASSWORD))[0], "held back, right or wrong"
        now[0] += 61
        assert (await attempt(PASSWORD))[0]
        told = [
            one.message
            for one in caplog.records
            if one.name == "openwmi.logon" and "could not" in one.message
        ]
        assert len(told) == 5
        assert "bob could not log on from 127.0.0.1 (failure 5)" in told[-1]
        assert not any("guess" in one for one in told)
    finally:
        await asyncio.to_thread(served.close)
