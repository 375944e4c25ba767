"""Keytabs: the keys of the services that this process is, read beside the event loop."""

from __future__ import annotations

import logging
import os
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, Final

from openwmi.threads import Threads
from openwmi.wire.errors import ProtocolError

if TYPE_CHECKING:
    from openwmi.wire import kerberos

_LOG: Final = logging.getLogger("openwmi.logon")
# How long a loop stands still for a keytab, in seconds; a local file takes less than a thousandth of that.
READ_PATIENCE: Final = 0.5


class Keys:
    """The keys of our Kerberos services, read again whenever their file has changed.

    Reading happens on a thread: a file system may hang. Whoever asks waits `patience` seconds for it, once; after that
    the keys that were read last are the answer until the thread comes back.
    """

    def __init__(self, *, patience: float = READ_PATIENCE) -> None:
        self._patience = patience
        self._threads = Threads(1, name="openwmi-keytab")
        self._reading: Future[kerberos.ServiceKeys | None] | None = None
        self._last: tuple[str, kerberos.ServiceKeys | None] | None = None
        self._seen: object = None
        self._keys: kerberos.ServiceKeys | None = None

    def of(self, keytab: str) -> kerberos.ServiceKeys | None:
        """The keys; None, and a line in the log, while there are none or Kerberos is not installed."""
        if self._reading is None or self._reading.done():
            reading = self._reading = self._begun(keytab)
            if not wait((reading,), self._patience).not_done:
                self._last = (keytab, reading.result())
                return self._last[1]
            _LOG.error("keytab %s does not let itself be read: its file system hangs", keytab)
        return self._last[1] if self._last is not None and self._last[0] == keytab else None

    def _begun(self, keytab: str) -> Future[kerberos.ServiceKeys | None]:
        future: Future[kerberos.ServiceKeys | None] = Future()

        def job() -> None:
            try:
                future.set_result(self._read(keytab))
            except Exception as reason:  # noqa: BLE001 - whoever asks for the keys raises it
                future.set_exception(reason)

        self._threads.submit(job)
        return future

    def _read(self, keytab: str) -> kerberos.ServiceKeys | None:
        """On the thread."""
        try:
            stat = os.stat(keytab)
        except OSError:
            return None
        seen = (keytab, stat.st_mtime_ns, stat.st_size, stat.st_ino)
        if seen != self._seen:
            self._seen, self._keys = seen, None
            from openwmi.wire import kerberos

            try:
                self._keys = kerberos.ServiceKeys(keytab)
            except (ProtocolError, ModuleNotFoundError) as reason:
                _LOG.error("no log-on with Kerberos: %s", reason)
        return self._keys
