"""`openwmi decode`: RPC, DCOM and WMI objects of a packet capture, a hex dump or a file of bytes, made readable."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, BinaryIO, Final

from openwmi.cli import exits
from openwmi.cli.options import Argument, Misuse, Option

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from openwmi.cli.console import Console
    from openwmi.cli.options import Options
    from openwmi.wire.decoding import Keys
    from openwmi.wire.decoding.association import Record
    from openwmi.wire.decoding.kerberos.keytab import ServiceKey

    _Format = Callable[[Iterator[Record]], Iterator[str]]

EXAMPLES = """
openwmi decode capture.pcapng
openwmi decode capture.pcap --password-file password.txt
openwmi decode object.hex
tcpdump -i any -U -w - port 135 | openwmi decode - -o jsonl
"""

LOCAL = True
ARGUMENTS = (
    Argument("file", "FILE", "a capture (pcap, pcapng), a hex dump, or bytes; - for standard input"),
)
OPTIONS = (
    Option(
        "password-file",
        "open what was sealed after NTLM log-ons with the password on the file's first line",
        value="FILE",
        repeated=True,
    ),
    Option("nt-hash-file", "the same with an NT hash, 32 hexadecimal digits", value="FILE", repeated=True),
    Option(
        "keytab",
        "open what was sealed after Kerberos log-ons with the service's keys",
        value="FILE",
        repeated=True,
    ),
    Option("output", "text, json or jsonl", short="o", value="FORMAT"),
)
LARGEST: Final = 64 << 20
_MAGIC: Final = 4  # bytes that tell a capture
_HASH_BYTES: Final = 16


def run(options: Options, console: Console) -> int:
    """Print one record after the other; exit code 6 when something among them could not be read."""
    from openwmi.wire.errors import PeerMisbehaved

    show = _FORMATS.get(options.output or "text")
    if show is None:
        raise Misuse(f"there is no format {options.output} here: there are {', '.join(_FORMATS)}")
    tally, keys = _Tally(), _keys(options, console)
    try:
        for text in show(tally.counted(_records(options.file, keys))):
            console.write(text)
            if options.file == "-":
                console.flush()
    except PeerMisbehaved as error:
        raise Misuse(f"{options.file}: {error}") from None
    for note in tally.notes():
        console.note(note)
    return exits.PARTIAL if tally.broken else exits.OK


class _Tally:
    """What there was, for the notes at the end."""

    def __init__(self) -> None:
        self.pdus = self.sealed = self.broken = self.missing = 0

    def counted(self, records: Iterator[Record]) -> Iterator[Record]:
        for record in records:
            self.pdus += "pdu" in record
            self.broken += "error" in record
            self.sealed += str(record.get("protection", "")).startswith("sealed")
            self.missing += int(str(record.get("missing", 0)))
            yield record

    def notes(self) -> Iterator[str]:
        if self.pdus:
            yield f"{self.pdus} PDUs"
        if self.sealed:
            yield f"{self.sealed} of them are sealed: --password-file opens those of NTLM log-ons, --keytab Kerberos"
        if self.missing:
            yield f"{self.missing} bytes are missing from the capture"
        if self.broken:
            yield f"{self.broken} records could not be read whole: look for `error` among them"


def _records(path: str, keys: Keys) -> Iterator[Record]:
    """The records of a file; those of a capture as it is read, so that a running one can be watched."""
    from openwmi.wire.decoding import decode, decode_capture
    from openwmi.wire.decoding.capture import is_capture

    with _opened(path) as file:
        head = file.read(_MAGIC)
        if is_capture(head):
            yield from decode_capture(_Behind(head, file).read, keys)
        else:
            yield from decode(head + _rest(path, file), keys)


class _Behind:
    """A file whose first bytes were read already."""

    def __init__(self, head: bytes, file: BinaryIO) -> None:
        self._head = head
        self._file = file

    def read(self, size: int) -> bytes:
        found, self._head = self._head[:size], self._head[size:]
        return found + self._file.read(size - len(found)) if len(found) < size else found


def _opened(path: str) -> BinaryIO:
    try:
        return open(sys.stdin.fileno(), "rb", closefd=False) if path == "-" else open(path, "rb")
    except OSError as reason:
        raise Misuse(f"{path}: {reason.strerror}") from None


def _read(path: str) -> bytes:
    with _opened(path) as file:
        return _rest(path, file)


def _rest(path: str, file: BinaryIO) -> bytes:
    """All of a file that is no capture, within a bound."""
    try:
        data = file.read(LARGEST + 1)
    except OSError as reason:
        raise Misuse(f"{path}: {reason.strerror}") from None
    if len(data) > LARGEST:
        raise Misuse(f"{path}: more than {LARGEST >> 20} MiB, and no capture")
    return data


def _keys(options: Options, console: Console) -> Keys:
    from openwmi.cli.passwords import from_file
    from openwmi.wire.decoding import Keys
    from openwmi.wire.ntlm import nt_hash
    from openwmi.wire.ntlm.rc4 import rc4

    hashes = [nt_hash(from_file(path, console)) for path in options.password_file]
    hashes += [_hash(from_file(path, console), path) for path in options.nt_hash_file]
    services = [key for path in options.keytab for key in _service_keys(path)]
    if hashes or services:
        rc4(bytes(16))  # a package that ciphers lack is told of before anything is printed
    return Keys(hashes, services)


def _service_keys(path: str) -> list[ServiceKey]:
    from openwmi.wire.decoding import read_keytab
    from openwmi.wire.errors import PeerMisbehaved

    try:
        return read_keytab(_read(path))
    except PeerMisbehaved as error:
        raise Misuse(f"{path}: {error}") from None


def _hash(text: str, path: str) -> bytes:
    try:
        hashed = bytes.fromhex(text)
    except ValueError:
        hashed = b""
    if len(hashed) != _HASH_BYTES:
        raise Misuse(f"{path}: an NT hash has {2 * _HASH_BYTES} hexadecimal digits")
    return hashed


# Formats: from records to pieces of text.


def _text(records: Iterator[Record]) -> Iterator[str]:
    from openwmi.wire.decoding.text import lines

    for record in records:
        yield "".join(f"{line}\n" for line in lines(record))


def _jsonl(records: Iterator[Record]) -> Iterator[str]:
    import json

    for record in records:
        yield json.dumps(record, ensure_ascii=False) + "\n"


def _json(records: Iterator[Record]) -> Iterator[str]:
    import json

    between = "[\n"
    for record in records:
        yield between + json.dumps(record, ensure_ascii=False)
        between = ",\n"
    yield "[]\n" if between == "[\n" else "\n]\n"


_FORMATS: Final[dict[str, _Format]] = {
    "text": _text,
    "json": _json,
    "jsonl": _jsonl,
}
