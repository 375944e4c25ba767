"""A program that runs beside a test, and what it prints, line by line."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path

DEADLINE = 60.0


class Running:
    """`openwmi` with a store of its own."""

    def __init__(
        self, home: Path, *arguments: str, stderr: int = subprocess.PIPE, **environment: str
    ) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "openwmi", *arguments],
            stdout=subprocess.PIPE,
            stderr=stderr,
            bufsize=0,
            env={**os.environ, "OPENWMI_HOME": str(home), **environment},
        )
        self._read = {"stdout": b"", "stderr": b""}

    def line(self, stream: str = "stdout") -> str:
        """The next line of a stream; the test fails when none comes."""
        file = getattr(self.process, stream)
        while b"\n" not in self._read[stream]:
            assert select.select([file], [], [], DEADLINE)[0], f"no line on {stream}"
            piece = file.read(65536)
            if not piece:
                break
            self._read[stream] += piece
        line, _, self._read[stream] = self._read[stream].partition(b"\n")
        return line.decode()

    def log(self, says: str) -> str:
        """The next line on standard error that has these words."""
        while says not in (line := self.line("stderr")):
            assert line, f"the log ended without {says!r}"
        return line

    def end(self, number: int) -> tuple[int, str, str]:
        self.process.send_signal(number)
        return self.ended()

    def ended(self) -> tuple[int, str, str]:
        """The exit code, and what was said that nobody has read yet."""
        out, err = self.process.communicate(timeout=DEADLINE)
        out, err = self._read["stdout"] + out, self._read["stderr"] + (err or b"")
        return self.process.returncode, out.decode(), err.decode()

    def gone(self) -> None:
        """Make an end of it, however it stands."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
