"""Writing a log file as somebody else: a process that becomes that user, writes, and ends.

What travels is one JSON document on standard input, and one on standard output: null, or the code and the text of what
went wrong. Everything is imported before the process changes its user, who may not be able to read this program.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Final

from openwmi.becoming import become
from openwmi.consumers.logfile import append
from openwmi.model.errors import WbemError, error
from openwmi.model.status import WBEM_E_ACCESS_DENIED, WBEM_E_FAILED, WBEM_E_TIMED_OUT

if TYPE_CHECKING:
    from openwmi.consumers.acting import User

SECONDS: Final = 30.0
# Where this program's packages are.
ROOT: Final = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_START: Final = "import sys; sys.path[:0] = [sys.argv[1]]; from openwmi.consumers.helper import main; main()"


def append_as(user: User, path: str, lines: list[str], *, limit: int, wide: bool) -> None:
    """logfile.append, with the rights of a user of this machine."""
    task = {"user": user, "path": path, "lines": lines, "limit": limit, "wide": wide}
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _START, ROOT],
            input=json.dumps(task).encode(),
            capture_output=True,
            timeout=SECONDS,
            env={},
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise error(WBEM_E_TIMED_OUT, f"{path} could not be written within {SECONDS:g} seconds") from None
    try:
        answer: Any = json.loads(done.stdout)
    except ValueError:
        answer = [WBEM_E_FAILED, f"{path} could not be written as {user.name}"]
    if answer is not None:
        raise error(answer[0], answer[1], parameter="Filename")


def main() -> None:
    task = json.load(sys.stdin)
    _, uid, gid, groups, _ = task["user"]
    answer = None
    try:
        become(uid, gid, groups)
        os.umask(0o077)
        append(task["path"], task["lines"], limit=task["limit"], wide=task["wide"])
    except WbemError as failure:
        answer = [failure.code, failure.message]
    except OSError as failure:
        answer = [WBEM_E_ACCESS_DENIED, f"the service cannot act as that user: {failure}"]
    json.dump(answer, sys.stdout)
