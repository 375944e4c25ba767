"""Where results and narration go: results on standard output, everything else on standard error."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO

# What a terminal would act upon instead of showing it: control characters, and marks that reorder text.
_ACTING = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if code not in (0x0A, 0x09)}
_ACTING |= {code: f"\\u{code:04x}" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}


class OutputGone(Exception):
    """The reader of standard output has left (`... | head`): nothing more is wanted, and that is no error."""


class OutputFailed(Exception):
    """Standard output cannot take what is written to it, such as on a full disk."""


class Console:
    """The two streams of one command line.

    terminal: standard output is a terminal; width: its columns; verbosity: how many -v were given.
    """

    __slots__ = ("_colour", "_err", "_out", "_passing", "quiet", "terminal", "verbosity", "width")

    def __init__(self, *, colour: str = "auto", verbosity: int = 0, quiet: bool = False) -> None:
        self._out = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 (lives as long as we)
        self._err = sys.stderr
        self.terminal = self._out.isatty()
        self.verbosity = verbosity
        self.quiet = quiet
        self.width = _columns(self._out) if self.terminal else 0
        self._colour = colour
        self._passing = False  # a status line stands on the terminal
        _encode(self._out, self.terminal)
        _encode(self._err, terminal=True)

    def write(self, text: str) -> None:
        """Write a piece of the results as it is; a terminal is shown what it would act upon."""
        self.draw(text.translate(_ACTING) if self.terminal else text)

    def draw(self, text: str) -> None:
        """Write text of our own making, marks included. Raises OutputGone or OutputFailed, as `write` and `flush`."""
        if self._passing:
            self.status("")
        try:
            self._out.write(text)
        except OSError as error:
            raise self._ended(error) from None

    def flush(self) -> None:
        """Let the reader have what was written so far."""
        try:
            self._out.flush()
        except OSError as error:
            raise self._ended(error) from None

    def note(self, text: str) -> None:
        """Say something beside the results, unless --quiet."""
        if not self.quiet:
            self.complain(text + "\n")

    def alarm(self, text: str) -> None:
        """An error: `error: ` in front of its text."""
        mark = "error:"
        if self._err is not None and self._coloured(self._err):
            mark = f"\x1b[1;31m{mark}\x1b[0m"
        self._narrate(f"{mark} {text.translate(_ACTING)}")

    def complain(self, text: str) -> None:
        """Write to standard error, whatever was asked."""
        self._narrate(text.translate(_ACTING))

    def status(self, text: str) -> None:
        """A line on a terminal that the next one, or anything else written, replaces; "" takes it away."""
        self._passing = True
        self._narrate(text.translate(_ACTING))
        self._passing = bool(text)

    @property
    def narrates(self) -> bool:
        """Whether standard error is a terminal, where a changing line makes sense."""
        return not self.quiet and self._err is not None and self._err.isatty()

    @property
    def converses(self) -> bool:
        """Whether somebody sits there who can read a question and answer it."""
        streams = (sys.stdin, self._err)
        return all(stream is not None and stream.isatty() for stream in streams)

    def ask(self, question: str) -> bool:
        """Put a question to which only `y` or `yes` is yes."""
        self.complain(f"{question} [y/N] ")
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    def bold(self, text: str) -> str:
        """Text that stands out in the results, where colour is wanted."""
        return f"\x1b[1m{text}\x1b[0m" if self._coloured(self._out) else text

    def _narrate(self, text: str) -> None:
        """A reader of standard error that left is no reason to fail."""
        if self._err is None:
            return
        if self._passing:
            self._passing = False
            text = f"\r\x1b[K{text}"
        try:
            self._err.write(text)
            self._err.flush()
        except OSError:
            silence(self._err)

    def _coloured(self, stream: TextIO) -> bool:
        if self._colour == "auto":
            return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        return self._colour == "always"

    def _ended(self, error: OSError) -> Exception:
        silence(self._out)
        if isinstance(error, BrokenPipeError):
            return OutputGone()
        return OutputFailed(error.strerror or str(error))


def _columns(stream: TextIO) -> int:
    try:
        return int(os.environ.get("COLUMNS", "")) or 80
    except ValueError:
        pass
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except OSError:
        return 80


def silence(stream: TextIO) -> None:
    """Point a stream whose reader has left at nothing, so that closing it at exit does not complain again."""
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError):
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


def _encode(stream: TextIO | None, terminal: bool) -> None:
    """UTF-8 for programs, the terminal's own encoding for people; what cannot be encoded is shown as an escape.

    A lone surrogate becomes `\\udcff`, which is also how JSON writes it.
    """
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace", **({} if terminal else {"encoding": "utf-8", "newline": ""}))
