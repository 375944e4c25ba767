"""Kerberos with a real MIT KDC: impacket's and ours log on, callbacks prove the service (wire.md 4.5)."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.kerberos_kit import REALM, Kdc, kdc
from tests.remote.kit import Caller
from tests.remote.server.serving import NAMESPACE, Served, listen_on_135, rows
from tests.remote.server.session import INTERFACES, CollectingSink, Session, SinkHost

from openwmi.model import status
from openwmi.wire import errors, spnego
from openwmi.wire import kerberos as krb
from openwmi.wire.dcom import exporter as x
from openwmi.wire.rpc import AuthLevel, AuthType

__all__ = ["kdc"]
pytestmark = pytest.mark.slow
SERVER = f"server.{REALM.lower()}"


# What a line in /etc/hosts would do.
HOSTS_FILE = """
import runpy, socket, sys
real = socket.getaddrinfo
socket.getaddrinfo = lambda name, *a, **k: real({host!r} if name == {name!r} else name, *a, **k)
sys.argv[0] = {program!r}
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture(scope="module")
def served(kdc: Kdc, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("accounts")
    shutil.copy(kdc.keytab, folder / "krb5.keytab")
    made = Served(folder, principals=(kdc.principal,), names=("server", SERVER))
    yield made
    made.close()


@pytest.fixture(scope="module")
def address(served: Served) -> tuple[str, int]:
    return served.listen()


def test_impacket_logs_on_with_its_own_kerberos(kdc: Kdc, served: Served, tmp_path: Path) -> None:
    """wmiquery.py -k, unmodified but for where the server's name leads: the SPN is HOST/<name as typed>."""
    host = listen_on_135(served)
    script = tmp_path / "queries.txt"
    script.write_text("SELECT N, S FROM Row WHERE N < 3\n")
    program = Path(sys.executable).with_name("wmiquery.py")
    code = HOSTS_FILE.format(name=SERVER, host=host, program=str(program))
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            code,
            "-k",
            "-no-pass",
            "-dc-ip",
            "127.0.0.1",
            "-file",
            script,
            "-namespace",
            f"//./{NAMESPACE}".replace("\\", "/"),
            f"{REALM}/{kdc.user}@{SERVER}",
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "KRB5CCNAME": kdc.ccache(kdc.user, f"HOST/{SERVER}")},
    )
    assert "| 0 | s0 | \n| 1 | s1 | \n| 2 | s2 | \n" in done.stdout, done.stdout + done.stderr


def initiator(kdc: Kdc, kind: str, user: str) -> Any:
    context = krb.Initiator(krb.Credential.password(f"{user}@{REALM}", kdc.password), f"host/{SERVER}")
    context.prepare()
    return spnego.initiating(kerberos=context) if kind == "negotiate" else context


async def log_on(
    kdc: Kdc, address: tuple[str, int], kind: str, *, level: int = AuthLevel.PRIVACY, user: str = ""
) -> Session:
    context = await asyncio.to_thread(initiator, kdc, kind, user or kdc.user)
    caller = await Caller.connect(address, INTERFACES, context=context, level=level)
    session = Session(caller)
    try:
        session.services = await session.log_in(NAMESPACE)
    except BaseException:
        await caller.close()
        raise
    return session


@pytest.mark.parametrize("level", [AuthLevel.INTEGRITY, AuthLevel.PRIVACY])
@pytest.mark.parametrize("kind", ["kerberos", "negotiate"])
async def test_ours_logs_on(kdc: Kdc, address: tuple[str, int], kind: str, level: int) -> None:
    session = await log_on(kdc, address, kind, level=level)
    got = await session.query("SELECT N, S FROM Row")
    assert [(one.N, one.S) for one in got] == [(row["N"], row["S"]) for row in rows(250)]
    await session.close()


async def test_a_principal_without_an_account_is_refused(kdc: Kdc, address: tuple[str, int]) -> None:
    context = await asyncio.to_thread(initiator, kdc, "kerberos", "bob")
    caller = await Caller.connect(address, INTERFACES, context=context, level=6)
    answer = await caller.call(x.RESOLVE_OXID2, x.ResolveOxid(1, [7]), None, 1)
    assert answer == errors.ACCESS_DENIED
    await caller.close()


class KerberosSinks(SinkHost):
    """A client's machine that has service keys of its own, and knows the server by its principal."""

    def __init__(self, keytab: str) -> None:
        super().__init__()
        self.keys = krb.ServiceKeys(keytab)
        self.callers: list[str] = []

    def _accept(self, auth_type: int, level: int, association: object) -> Any:
        def principals(name: str) -> str | None:
            self.callers.append(name)
            return name if name == f"host/{SERVER}@{REALM}" else None

        if auth_type != AuthType.SPNEGO:
            return None
        return spnego.accepting(kerberos=lambda: krb.Acceptor(self.keys, principals))


async def test_a_callback_proves_the_service_that_the_client_has_authenticated(
    kdc: Kdc, served: Served, address: tuple[str, int]
) -> None:
    host = KerberosSinks(kdc.keytab)
    host.address = await host.listener.listen("127.0.0.1")
    session = await log_on(kdc, address, "kerberos")
    sink = CollectingSink()
    assert await session.query_async("SELECT N FROM Row", host.export(sink)) == 0
    await asyncio.wait_for(sink.gone.wait(), 10)
    assert (len(sink.objects), [one.status for one in sink.statuses]) == (250, [0])
    assert {one.level for one in sink.calls} == {6}
    assert set(host.callers) == {f"host/{SERVER}@{REALM}"}
    await session.close()
    await host.listener.close()
    # Where nobody knows our principal the call is refused, and nothing runs.
    ntlm_only = SinkHost()
    ntlm_only.address = await ntlm_only.listener.listen("127.0.0.1")
    session = await log_on(kdc, address, "negotiate")
    assert status.failed(await session.query_async("SELECT N FROM Row", ntlm_only.export(CollectingSink())))
    await session.close()
    await ntlm_only.listener.close()
