"""Where passwords come from: a file, an open descriptor, or two lines typed at a terminal. Never an argument.

No error repeats a part of one.
"""

from __future__ import annotations

import os
import stat
import sys
from typing import TYPE_CHECKING, BinaryIO, Final

from openwmi.cli.options import Misuse, Option

if TYPE_CHECKING:
    from openwmi.cli.console import Console
    from openwmi.cli.options import Options

_LONGEST: Final = 256
_STREAMS: Final = (1, 2)


def _descriptor(text: str) -> int:
    number = int(text)
    if number < 0 or number in _STREAMS:
        raise ValueError(text)
    return number


OPTIONS: Final = (
    Option("password-file", "read the password from the first line of a file", value="FILE"),
    Option("password-fd", "read it from an open file descriptor", value="N", convert=_descriptor),
)


def new_password(options: Options, console: Console, name: str) -> str | None:
    """The password that the options lead to, asked for on a terminal if they do not; None where nobody can be asked."""
    if options.password_file is not None and options.password_fd is not None:
        raise Misuse("give one of --password-file and --password-fd")
    if options.password_file is not None:
        return from_file(options.password_file, console)
    if options.password_fd is not None:
        return _from_descriptor(options.password_fd)
    if console.converses:
        return _typed(name)
    return None


def from_file(path: str, console: Console) -> str:
    """The first line of a file that should be nobody else's."""
    with _opened(path) as file:
        found = os.fstat(file.fileno())
        shared = found.st_mode & (stat.S_IRWXG | stat.S_IRWXO)
        if stat.S_ISREG(found.st_mode) and shared and os.name == "posix":
            console.complain(f"warning: others can read {path}: chmod 600 it, and take another password\n")
        return _read(file, path)


def first_line(path: str) -> str:
    """The first line of a file; `-` is standard input."""
    with _opened(path) as file:
        return _read(file, path)


def _opened(path: str) -> BinaryIO:
    try:
        return open(sys.stdin.fileno(), "rb", closefd=False) if path == "-" else open(path, "rb")
    except (OSError, ValueError) as reason:
        raise Misuse(f"{path}: {getattr(reason, 'strerror', None) or 'it cannot be read'}") from None


def _from_descriptor(number: int) -> str:
    try:
        copy = os.dup(number)
    except OSError as reason:
        raise Misuse(f"descriptor {number}: {reason.strerror}") from None
    with open(copy, "rb") as file:
        return _read(file, f"descriptor {number}")


def _read(file: BinaryIO, where: str) -> str:
    try:
        line = file.readline(4 * _LONGEST + 2)
    except OSError as reason:
        raise Misuse(f"{where}: {reason.strerror}") from None
    try:
        return checked(line.rstrip(b"\r\n").decode())
    except UnicodeDecodeError:
        raise Misuse(f"{where}: a password is UTF-8 text") from None


def _typed(name: str) -> str:
    from getpass import getpass

    password = checked(getpass(f"New password of {name}: "))
    if getpass("The same again: ") != password:
        raise Misuse("the two passwords differ: nothing is changed")
    return password


def checked(password: str) -> str:
    """A password that an account may have; Misuse, without repeating it, for any other."""
    if not 0 < len(password) <= _LONGEST:
        raise Misuse(f"a password has 1 to {_LONGEST} characters")
    return password
