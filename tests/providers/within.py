"""Programs for which the /run of another file tree is that of the machine."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

_ENTER = 'mount --bind "$1/run" /run; shift; exec "$@"'


def started_within(root: Path, command: Sequence[str], **environment: str) -> subprocess.Popen[str]:
    """Start a program in a name space of mounts of its own."""
    return subprocess.Popen(
        ["unshare", "--mount", "--propagation", "private", "sh", "-ec", _ENTER, "sh", str(root), *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
