"""The client with Kerberos against our server and a real MIT KDC: password, cache, keytab; callbacks with a key."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.support import Recorder
from tests.kerberos_kit import Kdc, kdc
from tests.remote.client.kit import Buffer
from tests.remote.server.serving import NAMESPACE, Served

from openwmi.contract import operations as ops
from openwmi.model.errors import WbemError
from openwmi.model.status import SEC_E_LOGON_DENIED
from openwmi.remote.client import Credentials, Settings, connect
from openwmi.wire.kerberos import Initiator
from openwmi.wire.spnego import SpnegoInitiator

__all__ = ["kdc"]
pytestmark = pytest.mark.slow
QUERY = ops.ExecQuery("SELECT * FROM Row")


@pytest.fixture(scope="module")
def served(kdc: Kdc, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("accounts")
    shutil.copy(kdc.keytab, folder / "krb5.keytab")
    made = Served(folder, principals=(kdc.principal,), names=("localhost",))
    yield made
    made.close()


@pytest.fixture(scope="module")
def port(served: Served) -> int:
    return served.listen()[1]


def credentials(kdc: Kdc, how: str, **options: Any) -> Credentials:
    if how == "password":
        return Credentials(kdc.principal, kdc.password, **options)
    if how == "ccache":
        return Credentials(ccache=kdc.ccache(), **options)
    return Credentials(kdc.principal, keytab=str(kdc.client_keytab), **options)


@pytest.mark.parametrize("how", ["password", "ccache", "keytab"])
@pytest.mark.parametrize("auth", ["kerberos", "negotiate"])
@pytest.mark.parametrize("level", ["privacy", "integrity"])
async def test_log_on_and_query(kdc: Kdc, port: int, how: str, auth: Any, level: Any) -> None:
    who = credentials(kdc, how, auth=auth, level=level)
    services = await connect("localhost", NAMESPACE, who, port=port)
    context = services.machine.channel._rpc.securities[1].context
    assert isinstance(context, SpnegoInitiator if auth == "negotiate" else Initiator)
    sink = Buffer()
    assert (await (await services.start(QUERY, sink))).ok
    assert len(sink.objects) == 250
    choice = await services.delivery()
    if how != "keytab":
        assert choice.mode == "poll"
        assert "Kerberos" in choice.why
    await services.close()


async def test_a_keytab_with_a_key_of_this_machine_lets_the_server_call_back(
    kdc: Kdc, port: int, tmp_path: Path
) -> None:
    """wire.md 6.4: after Kerberos the server comes as the service that the client has authenticated."""
    both = tmp_path / "both.keytab"
    both.write_bytes(Path(kdc.client_keytab).read_bytes() + Path(kdc.keytab).read_bytes()[2:])
    who = Credentials(kdc.principal, keytab=str(both), auth="kerberos")
    services = await connect("localhost", NAMESPACE, who, port=port, settings=Settings(delivery="sink"))
    sink = Recorder()
    assert (await (await services.start(QUERY, sink))).ok
    assert len(sink.objects) == 250
    assert (await services.delivery()).mode == "sink"
    await services.close()


async def test_without_such_a_key_the_results_are_polled_for(kdc: Kdc, port: int) -> None:
    settings = Settings(callback_wait=0.2)
    services = await connect("localhost", NAMESPACE, credentials(kdc, "keytab"), port=port, settings=settings)
    sink = Recorder()
    assert (await (await services.start(QUERY, sink))).ok
    assert sink.kinds == ["objects", "completed", "released"]
    assert (await services.delivery()).mode == "poll"
    await services.close()


async def test_what_the_kdc_refuses_is_said(kdc: Kdc, port: int) -> None:
    wrong = Credentials(kdc.principal, "guess", auth="kerberos")
    with pytest.raises(WbemError) as caught:
        await connect("localhost", NAMESPACE, wrong, port=port)
    assert caught.value.code == SEC_E_LOGON_DENIED
    assert caught.value.host == "localhost"
    assert "guess" not in str(caught.value)
    await asyncio.sleep(0)
