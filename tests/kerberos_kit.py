"""A real MIT KDC on a loopback port, in a folder of its own: realm, users, keytabs, caches.

    from tests.kerberos_kit import kdc

The fixture lasts for the session and sets KRB5_CONFIG, which child processes inherit. Without krb5-kdc or gssapi the
tests that want it are skipped.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

REALM = "OPENWMI.TEST"
_SBIN = os.pathsep.join(filter(None, (os.environ.get("PATH"), "/usr/sbin", "/usr/lib/mit/sbin")))
_CONFIGURATION = """
[libdefaults]
    default_realm = {realm}
    dns_lookup_kdc = false
    dns_lookup_realm = false
    dns_canonicalize_hostname = false
    rdns = false
    kdc_timeout = 2000
    max_retries = 1
    udp_preference_limit = 1
    default_ccache_name = FILE:{folder}/default-cache
    default_keytab_name = FILE:{folder}/no-keytab
[realms]
    {realm} = {{
        kdc = 127.0.0.1:{port}
        acl_file = {folder}/kadm5.acl
        database_name = {folder}/principal
        key_stash_file = {folder}/stash
        kdc_listen = 127.0.0.1:{port}
        kdc_tcp_listen = 127.0.0.1:{port}
        supported_enctypes = aes256-cts-hmac-sha1-96:normal aes128-cts-hmac-sha1-96:normal
        max_life = 1h
    }}
[logging]
    kdc = STDERR
    default = FILE:{folder}/log
"""


def service_hosts() -> tuple[str, ...]:
    """The names under which tests reach this machine."""
    full = socket.gethostname()
    names = ("localhost", "127.0.0.1", "::1", full.partition(".")[0], full, f"server.{REALM.lower()}")
    return tuple(dict.fromkeys(names))


class Kdc:
    """A key distribution centre that runs until `stop`."""

    realm = REALM
    user = "ada"
    users = ("ada", "bob", "carol", "dave")
    password = "Sesame open"
    services = ("HOST", "host", "RPCSS")

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.configuration = folder / "krb5.conf"
        self.keytab = str(folder / "services.keytab")
        self.client_keytab = str(folder / "ada.keytab")
        self.principal = f"{self.user}@{self.realm}"
        self._caches = 0
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.configuration.write_text(_CONFIGURATION.format(realm=REALM, folder=folder, port=self.port))
        self._environment = {
            **os.environ,
            "PATH": _SBIN,
            "KRB5_CONFIG": str(self.configuration),
            "KRB5_KDC_PROFILE": str(self.configuration),
        }
        self._fill()
        self._process = self._started()

    def _run(self, *command: str, text: str = "") -> None:
        done = subprocess.run(
            command, input=text, text=True, capture_output=True, env=self._environment, timeout=60
        )
        assert done.returncode == 0, done.stderr

    def _fill(self) -> None:
        self._run("kdb5_util", "create", "-s", "-r", REALM, "-P", "master of nothing")
        names = [f"{service}/{host}" for service in self.services for host in service_hosts()]
        orders = [f'addprinc -pw "{self.password}" {user}' for user in self.users]
        orders += [f"addprinc -randkey {name}" for name in names]
        orders += [f"ktadd -k {self.keytab} {name}" for name in names]
        orders.append(f"ktadd -k {self.client_keytab} -norandkey {' '.join(self.users)}")
        self._run("kadmin.local", "-r", REALM, text="\n".join(orders) + "\n")

    def _started(self) -> subprocess.Popen[str]:
        """The process, once it says that it serves."""
        command = ["krb5kdc", "-n", "-r", REALM, "-P", str(self.folder / "pid")]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=self._environment)
        assert process.stderr is not None
        for line in process.stderr:
            if "commencing operation" in line:
                # It logs every request, and would stand still as soon as the pipe is full.
                self._reading = threading.Thread(target=process.stderr.read, daemon=True)
                self._reading.start()
                return process
        raise AssertionError(f"krb5kdc ended with {process.wait()}")

    def ccache(self, user: str = user, *services: str) -> str:
        """The path of a fresh cache with a ticket of this user's, and with tickets for services (`host/localhost`)."""
        self._caches += 1
        path = str(self.folder / f"cache{self._caches}")
        self._run("kinit", "-c", path, f"{user}@{REALM}", text=self.password + "\n")
        if services:
            self._run("kvno", "-c", path, *services)
        return path

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)
        self._reading.join(10)
        assert self._process.stderr is not None
        self._process.stderr.close()


def sides(kdc: Kdc, auth_type: int) -> tuple[Callable[[], Any], Callable[[int, int], Any]]:
    """Both ends of log-ons to host/localhost, raw or negotiated: makes a client's context; accepts as a server does."""
    from openwmi.wire import kerberos, spnego
    from openwmi.wire.rpc import AuthType

    credential = kerberos.Credential.password(kdc.principal, kdc.password)
    keys = kerberos.ServiceKeys(kdc.keytab)

    def context() -> Any:
        raw = kerberos.Initiator(credential, "host/localhost")
        return raw if auth_type == AuthType.KERBEROS else spnego.initiating(kerberos=raw)

    def accept(kind: int, level: int) -> Any:
        made = kerberos.Acceptor(keys, str)
        return made if kind == AuthType.KERBEROS else spnego.accepting(kerberos=lambda: made)

    return context, accept


@pytest.fixture(scope="session")
def kdc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kdc]:
    """The KDC, with KRB5_CONFIG set to its realm."""
    for program in ("krb5kdc", "kdb5_util", "kadmin.local", "kinit"):
        if shutil.which(program, path=_SBIN) is None:
            pytest.skip(f"{program} is not installed (Debian: krb5-kdc krb5-admin-server krb5-user)")
    if importlib.util.find_spec("gssapi") is None:
        pytest.skip("gssapi is not installed: pip install 'openwmi[kerberos]' (Debian: libkrb5-dev)")
    made = Kdc(tmp_path_factory.mktemp("kdc"))
    before = os.environ.get("KRB5_CONFIG")
    os.environ["KRB5_CONFIG"] = str(made.configuration)
    try:
        yield made
    finally:
        if before is None:
            del os.environ["KRB5_CONFIG"]
        else:
            os.environ["KRB5_CONFIG"] = before
        made.stop()
