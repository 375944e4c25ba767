"""aiowmi, unmodified, against our server over sockets: plain and optimized."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from typing import Any

import pytest
from tests.remote.server.serving import NAMESPACE, PASSWORD, Served, rows

from openwmi.contract.operations import CreateInstanceEnum
from openwmi.faces.views import perform
from openwmi.model import sddl

connection = pytest.importorskip("aiowmi.connection")
query = pytest.importorskip("aiowmi.query")
exceptions = pytest.importorskip("aiowmi.exceptions")

SLASHED = NAMESPACE.replace("\\", "/")
# A query that fails leaves aiowmi's connection to the garbage collector.
pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture(scope="module", autouse=True)
def _collected() -> Iterator[None]:
    yield
    gc.collect()


@pytest.fixture(scope="module")
def address(served: Served) -> tuple[str, int]:
    return served.listen()


async def ask(
    address: tuple[str, int],
    text: str,
    *,
    skip_optimize: bool = True,
    user: str = "ada",
    password: str = PASSWORD,
    namespace: str = SLASHED,
) -> list[dict[str, Any]]:
    """The rows of a query, as aiowmi shows them."""
    host, port = address
    conn = connection.Connection(host, user, password, domain="", port=port)
    found = []
    await conn.connect()
    try:
        service = await conn.negotiate_ntlm()
        asked = query.Query(text, namespace=namespace)
        async with asked.context(conn, service, timeout=10, skip_optimize=skip_optimize) as context:
            async for props in context.results():
                found.append({name: prop.value for name, prop in props.items()})
    finally:
        conn.close()
        await asyncio.sleep(0)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("skip_optimize", [True, False], ids=["plain", "optimized"])
async def test_every_row_of_a_query(address: tuple[str, int], skip_optimize: bool) -> None:
    found = await ask(address, "SELECT N, S FROM Row", skip_optimize=skip_optimize)
    # Zero is NULL to aiowmi (wire.md 7.9).
    assert [(row["N"] or 0, row["S"]) for row in found] == [(row["N"], row["S"]) for row in rows(250)]


# What aiowmi shows instead of what is there (wire.md 7.9): zero and "" for NULL, a NULL boolean or uint16 as all ones,
# nothing of a UTF-16 string but the first in a heap, None or "" for a class default. An embedded object kills it.
NUMBERS = frozenset({"U8", "S8", "U16", "S16", "U32", "S32", "U64", "S64", "Letter", "Yes", "No"})
UNREADABLE = frozenset({"Wide", "Preset"})
ASKED = ", ".join(("Id, Text, Nothing, When, Bytes, Large, Empty", *sorted(NUMBERS | UNREADABLE)))


def agrees(name: str, shown: Any, value: Any) -> bool:
    if name in UNREADABLE:
        return True
    if value is None or value == 0:
        return shown in (None, "", 0, 65535, True, [])
    if isinstance(value, tuple):
        return list(shown) == list(value)
    return bool(shown == value)


@pytest.mark.parametrize("skip_optimize", [True, False], ids=["plain", "optimized"])
async def test_values_equal_the_embedded_service(
    served: Served, address: tuple[str, int], skip_optimize: bool
) -> None:
    async def embedded() -> dict[int, Any]:
        found = await perform(await served.services(), CreateInstanceEnum("Item"))
        return {one.get_("Id"): one for one in found.objects}  # type: ignore[union-attr]

    expected = served.run(embedded)
    found = await ask(address, f"SELECT {ASKED} FROM Item", skip_optimize=skip_optimize)
    assert len(found) == len(expected) == 2
    for shown in found:
        mine = expected[shown["Id"] or 0]
        names = set(ASKED.split(", ")) - {"When"}
        assert names <= set(shown)
        assert (shown["When"] or None) == mine.get_("When")
        wrong = {
            name: (shown[name], mine.raw_(name))
            for name in names
            if not agrees(name, shown[name], mine.raw_(name))
        }
        assert wrong == {}


@pytest.mark.slow
async def test_wrong_password_namespace_class(address: tuple[str, int]) -> None:
    with pytest.raises(exceptions.RpcSecPkgError):
        await ask(address, "SELECT * FROM Row", password="wrong")
    with pytest.raises(exceptions.WbemExInvalidNamespace):
        await ask(address, "SELECT * FROM Row", namespace="root/nowhere")
    for skip in (True, False):
        with pytest.raises(exceptions.WbemExInvalidClass):
            await ask(address, "SELECT * FROM Nothing", skip_optimize=skip)


async def test_an_account_that_may_not_enter(served: Served, address: tuple[str, int]) -> None:
    """Rights are those of the namespace's descriptor (calls.md A36)."""
    found = await ask(address, "SELECT N FROM Row WHERE N = 7", user="bob")
    assert [row["N"] for row in found] == [7]
    access, space = served.host.namespaces.access, served.host.namespaces.named(NAMESPACE)
    before = access.own(NAMESPACE)
    access.store(space, sddl.parse(f"O:BAG:BAD:(D;;WP;;;{served.accounts.named('bob').sid})"))
    try:
        with pytest.raises(exceptions.WbemExAccessDenied):
            await ask(address, "SELECT N FROM Row", user="bob")
    finally:
        access.store(space, before)
