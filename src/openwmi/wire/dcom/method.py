"""A method of a remote interface: its number, its parameters both ways, its stubs.

Plain methods (the resolver's) are called by presentation context alone; object methods carry ORPCTHIS and ORPCTHAT and
go by the IPID in the request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, TypeVar

from openwmi.wire.dcom.orpc import (
    NO_THAT,
    OrpcThat,
    OrpcThis,
    read_that,
    read_this,
    write_that,
    write_this,
)
from openwmi.wire.errors import BAD_STUB_DATA, PeerMisbehaved
from openwmi.wire.ndr import NdrReader, NdrWriter, Parameters

if TYPE_CHECKING:
    from collections.abc import Callable

    from openwmi.wire.buffers import Buffer

In = TypeVar("In")
Out = TypeVar("Out")
H = TypeVar("H")

_CLAUSE: Final = "[MS-DCOM] 2.2.13"


def _headed(read: Callable[[NdrReader], H], reader: NdrReader) -> H:
    """ORPCTHIS or ORPCTHAT; a broken one is bad stub data like any broken parameter."""
    try:
        return read(reader)
    except PeerMisbehaved as error:
        error.status = BAD_STUB_DATA
        raise


class _Method(Generic[In, Out]):
    """Name, number and parameters."""

    __slots__ = ("name", "opnum", "request", "response")

    def __init__(self, name: str, opnum: int, request: Parameters[In], response: Parameters[Out]) -> None:
        self.name = name
        self.opnum = opnum
        self.request = request
        self.response = response

    def __repr__(self) -> str:
        return f"<{self.name} opnum {self.opnum}>"


class Method(_Method[In, Out]):
    """A method without an object."""

    __slots__ = ()

    def call(self, inputs: In) -> bytes:
        """The stub of a request."""
        return self.request.encode(inputs)

    def called(self, stub: Buffer) -> In:
        return self.request.decode(stub)

    def answer(self, outputs: Out) -> bytes:
        """The stub of a response."""
        return self.response.encode(outputs)

    def answered(self, stub: Buffer) -> Out:
        return self.response.decode(stub)


class ObjectMethod(_Method[In, Out]):
    """A method of an object. In the response the HRESULT is the last parameter: clients read it from the end."""

    __slots__ = ()

    def call(self, inputs: In, this: OrpcThis) -> bytes:
        writer = NdrWriter()
        write_this(writer, this)
        self.request.write(writer, inputs)
        return bytes(writer)

    def called(self, stub: Buffer) -> tuple[OrpcThis, In]:
        reader = NdrReader(stub, _CLAUSE)
        return _headed(read_this, reader), self.request.read(reader)

    def answer(self, outputs: Out, that: OrpcThat = NO_THAT) -> bytes:
        writer = NdrWriter()
        write_that(writer, that)
        self.response.write(writer, outputs)
        return bytes(writer)

    def answered(self, stub: Buffer) -> tuple[OrpcThat, Out]:
        reader = NdrReader(stub, _CLAUSE)
        return _headed(read_that, reader), self.response.read(reader)
