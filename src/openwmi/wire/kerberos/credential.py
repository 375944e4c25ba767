"""Who logs on with Kerberos and by what: password, cache or keytab; and the keys that a service is known by.

Everything goes through the library's credential stores, so that nothing is read from or written to the environment.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Any, Final
from weakref import finalize

from openwmi.wire.errors import LocalProtocolError
from openwmi.wire.kerberos.gss import library, no_ticket, principal

if TYPE_CHECKING:
    from collections.abc import Callable

# A ticket that ends sooner is replaced before a handshake begins with it.
_FRESH_SECONDS: Final = 60
_LARGEST_KEYTAB: Final = 16 << 20


class Credential:
    """A user's way to tickets; used for any number of handshakes, which share its tickets. Prints without secrets."""

    __slots__ = ("_acquire", "_held", "user")

    def __init__(self, user: str | None, acquire: Callable[[], Any]) -> None:
        self.user = user
        self._acquire = acquire
        self._held: Any = None

    def __repr__(self) -> str:
        return f"Credential({self.user!r})"

    @classmethod
    def password(cls, user: str, password: str) -> Credential:
        """user: `name@REALM`, or a name of the default realm."""

        def acquire() -> Any:
            raw, secret = library().raw, password.encode()
            return raw.acquire_cred_with_password(principal(user), secret, mechs=_kerberos()).creds

        return cls(user, acquire)

    @classmethod
    def ccache(cls, cache: str | None = None, user: str | None = None) -> Credential:
        """Tickets from a cache (`FILE:/tmp/krb5cc_0`; a bare path is a file), None for the user's own."""
        return cls(user, lambda: _stored(user, {} if cache is None else {"ccache": cache}))

    @classmethod
    def keytab(cls, user: str, path: str) -> Credential:
        """Long-term keys from a file. Tickets stay in this process's memory, one cache for a user and a file."""

        def acquire() -> Any:
            _must_exist(path)
            return _by_keys(user, path, path)

        return cls(user, acquire)

    def acquired(self) -> Any:
        """The library's credential, renewed when it is about to end. May ask the KDC; raises NoTicket."""
        gssapi = library()
        try:
            if self._held is None or self._held.lifetime < _FRESH_SECONDS:
                self._held = gssapi.Credentials(self._acquire())
        except gssapi.exceptions.ExpiredCredentialsError:
            self._held = gssapi.Credentials(self._acquire())
        except gssapi.exceptions.GSSError as error:
            raise no_ticket(error, self.user or "the user's ticket cache") from None
        return self._held


class ServiceKeys:
    """The keytab that a server is known by, as it is now; used for every handshake.

    service: accept tickets for this principal alone (`host/name@REALM`); else for any that the keytab has a key of.
    The library opens a keytab for each ticket. So it gets a copy in memory, where that can be had: whoever accepts
    tickets does it on an event loop, and the file may be on a file system that hangs by then.
    """

    __slots__ = ("__weakref__", "_at", "_held", "_keytab")

    def __init__(self, keytab: str, service: str | None = None) -> None:
        gssapi = library()
        _must_exist(keytab)
        self._keytab = keytab
        self._at = self._copied() or keytab
        # A replayed AP-REQ gains nothing here: the third leg proves that the client can read our answer. So no cache
        # of replays is kept, which would be a file written and synced at every handshake.
        store = {"keytab": self._at, "rcache": "none:"}
        name = principal(service) if service is not None else None
        try:
            self._held = gssapi.Credentials(name=name, usage="accept", store=store, mechs=_kerberos())
        except gssapi.exceptions.GSSError as error:
            raise no_ticket(error, f"keytab {keytab}") from None

    def _copied(self) -> str | None:
        """The name of a copy that lasts as long as this object, and that no other process can open by."""
        if not hasattr(os, "memfd_create"):
            return None
        with open(self._keytab, "rb") as file:
            content = file.read(_LARGEST_KEYTAB)
        descriptor = os.memfd_create("openwmi-keytab")
        finalize(self, os.close, descriptor)
        with open(descriptor, "wb", closefd=False) as copy:
            copy.write(content)
        name = f"/proc/self/fd/{descriptor}"
        return name if os.access(name, os.R_OK) else None

    def credential(self, service: str) -> Credential:
        """What proves to somebody else that we are one of the services that these keys are of."""
        return Credential(service, lambda: _by_keys(service, self._keytab, self._at))

    @property
    def held(self) -> Any:
        """The library's credential."""
        return self._held


def _kerberos() -> list[Any]:
    return [library().MechType.kerberos]


def _by_keys(user: str, keytab: str, at: str) -> Any:
    """By the keys of a file, which may be read at another place; the cache in memory is that of the file."""
    name = hashlib.sha256(f"{user}\0{keytab}".encode()).hexdigest()[:32]
    return _stored(user, {"client_keytab": at, "ccache": f"MEMORY:openwmi-{name}"})


def _stored(user: str | None, store: dict[str, str]) -> Any:
    name = None if user is None else principal(user)
    return (
        library()
        .raw.acquire_cred_from(
            {key.encode(): value.encode() for key, value in store.items()} or None,
            name,
            mechs=_kerberos(),
            usage="initiate",
        )
        .creds
    )


def _must_exist(path: str) -> None:
    """The library would take a missing file for one without the right keys."""
    if not os.access(path, os.R_OK):
        raise LocalProtocolError(f"keytab {path}: no such file, or not readable")
