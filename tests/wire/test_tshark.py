"""What tshark reads of a whole session at every level, sealed calls included: an oracle that shares no code with us."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.kerberos_kit import Kdc, kdc, sides
from tests.tshark import Judgement, judged
from tests.wire.pcapfile import conversation, ethernet, pcap
from tests.wire.peers import NAMES, NOW, PASSWORD, accounts
from tests.wire.session import THIS, Carried, played, steps

from openwmi.wire import spnego
from openwmi.wire.dcom import guids
from openwmi.wire.ntlm import Acceptor, Credential, Initiator
from openwmi.wire.rpc import AuthLevel, AuthType

__all__ = ["kdc"]
pytestmark = pytest.mark.slow
KEY = ("-o", f"ntlmssp.nt_password:{PASSWORD}")
# tshark stumbles over a sealed stub of no bytes at all. ServerAlive2 is the one call that has none, and goes unsealed.
CALLS = steps()[1:]


def initiator() -> Initiator:
    """With a session key: tshark takes one of zeros for none."""
    return Initiator(Credential("ada", password=PASSWORD), bytes(range(1, 25)), filetime=NOW)


def acceptor() -> Acceptor:
    return Acceptor(accounts, NAMES, b"fedcba98", filetime=NOW)


def accept(auth_type: int, level: int) -> Any:
    return acceptor() if auth_type == AuthType.NTLM else spnego.accepting(ntlm=acceptor)


def written(carried: Carried, folder: Path) -> Path:
    path = folder / "session.pcap"
    path.write_bytes(pcap([ethernet(one) for one in conversation(carried.chunks)]))
    return path


def stubs() -> tuple[int, list[str]]:
    """How many stubs there are; and in order those of interfaces that tshark does not know, and shows as bytes."""
    every = [
        (step.interface, stub.hex())
        for step in CALLS
        for stub in (
            step.method.call(step.inputs, THIS),
            None if isinstance(step.outputs, int) else step.method.answer(step.outputs),
        )
        if stub is not None
    ]
    known = (guids.IRemoteSCMActivator, guids.IRemUnknown2)
    return len(every), [stub for interface, stub in every if interface not in known]


def check_opened(told: Judgement) -> None:
    """Every sealed stub was opened; what is shown of them is what was said. Pad bytes stand behind a stub."""
    count, shown = stubs()
    assert told.sealed == count
    assert all(read.startswith(stub) for read, stub in zip(told.opened, shown, strict=True))
    assert {"ISystemActivator", "IRemUnknown2"} <= set(told.protocols)


@pytest.mark.parametrize("level", [None, AuthLevel.CONNECT, AuthLevel.INTEGRITY])
def test_a_session_in_the_clear(level: int | None, tmp_path: Path) -> None:
    carried = played(None if level is None else initiator, accept, level or 0)
    told = judged(written(carried, tmp_path), *KEY)
    assert not told.wrong
    assert {"ISystemActivator", "IRemUnknown2", "IOXIDResolver"} <= set(told.protocols)


def test_a_sealed_session_opens_with_the_password(tmp_path: Path) -> None:
    told = judged(written(played(initiator, accept, calls=CALLS), tmp_path), *KEY)
    assert not told.wrong
    check_opened(told)


def test_a_negotiated_session(tmp_path: Path) -> None:
    """Signed only: tshark moves its cipher on for the MICs of SPNEGO, and does not take it back ([MS-SPNG] 3.3.5.1)."""
    context = lambda: spnego.initiating(ntlm=initiator())
    told = judged(written(played(context, accept, AuthLevel.INTEGRITY, calls=CALLS), tmp_path), *KEY)
    assert not told.wrong
    assert {"ISystemActivator", "IRemUnknown2"} <= set(told.protocols)


@pytest.mark.parametrize("level", [AuthLevel.INTEGRITY, AuthLevel.PRIVACY])
@pytest.mark.parametrize("auth_type", [AuthType.KERBEROS, AuthType.SPNEGO])
def test_kerberos(level: int, auth_type: int, kdc: Kdc, tmp_path: Path) -> None:
    context, accepted = sides(kdc, auth_type)
    carried = played(context, accepted, level, calls=CALLS)
    told = judged(
        written(carried, tmp_path), "-o", "kerberos.decrypt:TRUE", "-o", f"kerberos.file:{kdc.keytab}"
    )
    assert not told.wrong
    if level == AuthLevel.PRIVACY:
        check_opened(told)
