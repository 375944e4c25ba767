"""What the process benchmark needs from C: the reads without Python, and a crowd of idle processes."""

from __future__ import annotations

import contextlib
import ctypes
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).with_name("processes.c")
BUILT = Path(__file__).resolve().parent.parent / ".test-state" / "bench"


def compiler() -> str | None:
    return shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


def _build(name: str, *flags: str) -> Path:
    """The compiled form of processes.c; compiled anew when the source is newer. Raises CalledProcessError."""
    target = BUILT / name
    if not target.exists() or target.stat().st_mtime < SOURCE.stat().st_mtime:
        BUILT.mkdir(parents=True, exist_ok=True)
        subprocess.run([str(compiler()), "-O2", *flags, "-o", target, SOURCE], check=True)
    return target


def scanner() -> ctypes._NamedFuncPointer:
    """scan() of processes.c: reads stat and cmdline of every process and answers how many there were."""
    scan = ctypes.CDLL(str(_build("processes.so", "-shared", "-fPIC"))).scan
    scan.restype = ctypes.c_long
    return scan


@contextlib.contextmanager
def crowd(count: int) -> Iterator[int]:
    """`count` more idle processes on the machine while the block runs; gives how many the system allowed."""
    process = subprocess.Popen(
        [_build("crowd"), str(count)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait()
