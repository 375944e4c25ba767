"""Who logs on with what: forms of users, secrets that nobody sees, which protocol is taken."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest

from openwmi.faces.com.locator import _credentials
from openwmi.model.errors import InvalidParameter, WbemError
from openwmi.model.status import SEC_E_NO_CREDENTIALS
from openwmi.remote.client import Credentials
from openwmi.remote.client import credentials as room
from openwmi.wire.ntlm import Initiator, nt_hash
from openwmi.wire.rpc import AuthLevel

HASH = nt_hash("Sesame").hex()


@pytest.mark.req("calls:A22")
@pytest.mark.parametrize(
    ("user", "account"),
    [
        ("ops", ("", "ops")),
        (r"CORP\ops", ("CORP", "ops")),
        ("ops@corp.example", ("", "ops@corp.example")),
        (r".\ops", (".", "ops")),
    ],
)
def test_forms_of_users(user: str, account: tuple[str, str]) -> None:
    assert Credentials(user, "x").account == account


@pytest.mark.req("calls:A22")
def test_an_empty_password_is_one_and_none_is_none() -> None:
    assert Credentials("ops", "").secret == nt_hash("")
    assert Credentials("ops").secret is None
    with pytest.raises(WbemError) as lacking:
        Credentials("ops").security("192.0.2.7")
    assert lacking.value.code == SEC_E_NO_CREDENTIALS
    assert "a password or an NT hash of ops is missing" in str(lacking.value)


def test_a_hash_in_either_form_and_nothing_else() -> None:
    for text in (HASH, HASH.upper(), "0" * 32 + ":" + HASH):
        assert Credentials("ops", nt_hash=text).secret == nt_hash("Sesame")
    for text in ("", "00", "x" * 32, HASH + "00"):
        with pytest.raises(InvalidParameter):
            Credentials("ops", nt_hash=text)


def test_nothing_shows_a_secret() -> None:
    found = Credentials(r"CORP\ops", "Sesame", level="integrity")
    assert repr(found) == r"Credentials('CORP\\ops', auth='negotiate', level=INTEGRITY)"
    context = found.security("192.0.2.7").initiate("host/192.0.2.7")
    assert "Sesame" not in repr(context)
    assert found == Credentials(r"CORP\ops", "Sesame", level="integrity")
    assert found != Credentials(r"CORP\ops", "sesame", level="integrity")
    assert hash(found) == hash(Credentials(r"CORP\ops", "other", level="integrity"))


@pytest.mark.parametrize(
    ("options", "host", "kerberos"),
    [
        ({"user": "ops", "password": "x"}, "server", False),
        ({"user": "ops@CORP", "password": "x"}, "server", True),
        ({"user": "ops@CORP", "password": "x"}, "192.0.2.7", False),
        ({"user": "ops@CORP", "password": "x", "auth": "ntlm"}, "server", False),
        ({"user": "ops", "password": "x", "auth": "kerberos"}, "server", True),
        ({"keytab": "/etc/krb5.keytab", "user": "ops"}, "192.0.2.7", True),
        ({"ccache": "FILE:/tmp/cache"}, "server", True),
        ({}, "server", True),
    ],
)
def test_which_protocol_is_taken(
    options: dict[str, Any], host: str, kerberos: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "find_spec", lambda name: importlib.util.find_spec("json"))
    security = Credentials(**options).security(host)
    assert security.level == AuthLevel.PRIVACY
    assert (security.initiate.__name__ == "_negotiated") is kerberos
    if not kerberos:
        assert isinstance(security.initiate("host/server"), Initiator)


def test_without_the_library_only_ntlm_is_negotiated_about(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "find_spec", lambda name: None)
    assert Credentials("ops@CORP", "x").security("server").initiate.__name__ == "_ntlm"
    with pytest.raises(WbemError) as lacking:
        Credentials().security("server")
    assert lacking.value.code == SEC_E_NO_CREDENTIALS


@pytest.mark.req("calls:A24")
@pytest.mark.parametrize(
    ("authority", "auth", "user"),
    [
        (None, "negotiate", "ops"),
        ("", "negotiate", "ops"),
        ("Kerberos:host/server", "kerberos", "ops"),
        ("NTLMDOMAIN:CORP", "ntlm", r"CORP\ops"),
    ],
)
def test_the_authority_forces_a_protocol(authority: str | None, auth: str, user: str) -> None:
    found = _credentials("ops", "x", authority)
    assert (found.auth, found.user) == (auth, user)
