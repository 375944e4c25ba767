"""MOF files as a whole: read with what they include, and stored in a host."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NamedTuple

from openwmi import mof
from openwmi.model.errors import error
from openwmi.model.status import WBEMMOF_E_INVALID_FILE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from openwmi.contract.services import Services
    from openwmi.host import Host
    from openwmi.mof import Compiled

    Opener = Callable[[str], Awaitable[Services]]

STANDARD_INPUT = "-"
# A text with everything it includes; a file larger than that is more likely something else.
MAX_BYTES = 256 * 1024 * 1024
MAX_FILES = 10_000


class Source(NamedTuple):
    """A MOF file that has been read. text: what stands in it; name: how errors call it."""

    name: str
    text: str
    included: Included


class Included:
    """Reads the files that one MOF file includes, each from beside the one that names it (C-22)."""

    __slots__ = ("_bytes", "_files")

    def __init__(self) -> None:
        self._bytes = 0
        self._files = 0

    def __call__(self, name: str, within: str) -> tuple[str, bytes]:
        """The file that `#pragma include(name)` means in the file `within`; OSError or ValueError when it cannot be."""
        path = os.path.join(os.path.dirname(within), name.replace("\\", os.sep))
        with open(path, "rb") as opened:
            content = opened.read(MAX_BYTES - self._bytes + 1)
        self._bytes += len(content)
        self._files += 1
        if self._bytes > MAX_BYTES or self._files > MAX_FILES:
            raise ValueError(f"more than {MAX_FILES} files, or {MAX_BYTES >> 20} MiB, are included")
        return path, content


def read(file: str) -> Source:
    """A MOF file, or standard input for `-`. Raises MofError when it cannot be read."""
    try:
        if file == STANDARD_INPUT:
            content = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with open(file, "rb") as opened:
                content = opened.read(MAX_BYTES + 1)
    except (OSError, ValueError) as reason:  # the latter for a name that no file can have
        said = getattr(reason, "strerror", None) or str(reason)
        raise error(WBEMMOF_E_INVALID_FILE, f"{file}: {said}") from reason
    if len(content) > MAX_BYTES:
        raise error(WBEMMOF_E_INVALID_FILE, f"{file}: larger than {MAX_BYTES >> 20} MiB")
    return Source("<stdin>" if file == STANDARD_INPUT else file, mof.decode(content), Included())


async def compiled(
    source: Source, services: Services, opened: Opener, *, class_flags: int, instance_flags: int
) -> Compiled:
    """Put what one file declares, object by object (C-24). opened: gives the services of another namespace. Raises
    MofError."""
    done: Compiled = await mof.compile(
        source.text,
        services,
        file=source.name,
        include=source.included,
        class_flags=class_flags,
        instance_flags=instance_flags,
        open=opened,
    )
    return done


def store(host: Host, source: Source, namespace: str, *, class_flags: int, instance_flags: int) -> Compiled:
    """The same in a namespace of a host; WbemError for one that is not there. An interrupt ends the run after the
    object in hand."""

    async def work() -> Compiled:
        services = await host.services(namespace)
        flags = {"class_flags": class_flags, "instance_flags": instance_flags}
        return await compiled(source, services, host.services, **flags)

    return host.portal.run(work)
