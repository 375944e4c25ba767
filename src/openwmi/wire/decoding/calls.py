"""Calls that go by: fragments put together, parameters read, and what objects they speak of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from openwmi.model.errors import WmiError
from openwmi.wire.dcom import guids, objref, remunknown
from openwmi.wire.dcom.activation import ActivatedAnswer
from openwmi.wire.dcom.exporter import ResolveOxid2Answer, ResolveOxidAnswer
from openwmi.wire.dcom.method import ObjectMethod
from openwmi.wire.dcom.properties import ScmReply
from openwmi.wire.decoding.extensions import extension
from openwmi.wire.decoding.interfaces import INTERFACES, AnyMethod, Interface
from openwmi.wire.decoding.objects import described
from openwmi.wire.decoding.values import Printer, message_of, octets
from openwmi.wire.errors import RemoteProtocolError
from openwmi.wire.rpc.constants import LAST
from openwmi.wire.rpc.reassembly import Assembly
from openwmi.wire.wmi.enumerators import SmartNextAnswer
from openwmi.wmio.arrays import ArrayDecoder

if TYPE_CHECKING:
    from uuid import UUID

    from openwmi.wire.rpc.syntax import SyntaxId

_LARGEST_CALL: Final = 16 << 20
_MOST_OBJECTS: Final = 65_536
_MOST_ENUMERATORS: Final = 256

# What tells of objects.
Exporter = ScmReply | ResolveOxidAnswer | ResolveOxid2Answer | ActivatedAnswer
Fact = objref.Standard | objref.Handler | objref.Extended | Exporter


class Objects:
    """What references said: which interface an IPID is of; and what each smart enumerator has sent so far."""

    def __init__(self) -> None:
        self._interfaces: dict[UUID, UUID] = {}
        self._arrays: dict[tuple[UUID | None, UUID | None], ArrayDecoder] = {}

    def learn(self, ipid: UUID, iid: UUID) -> None:
        if len(self._interfaces) >= _MOST_OBJECTS and ipid not in self._interfaces:
            del self._interfaces[next(iter(self._interfaces))]
        self._interfaces[ipid] = iid

    def learn_from(self, fact: Fact) -> None:
        """A reference names the interface of its IPID; whoever names an exporter, the IPID of its IRemUnknown."""
        if isinstance(fact, objref.Standard | objref.Handler | objref.Extended):
            self.learn(fact.std.ipid, fact.iid)
        else:
            self.learn(fact.rem_unknown, guids.IID_IRemUnknown2)

    def interface_of(self, ipid: UUID | None, presentation: SyntaxId | None) -> UUID | None:
        """The interface that a call is for: by its object where that is known, since some clients say nothing else."""
        if ipid is not None and ipid in self._interfaces:
            return self._interfaces[ipid]
        return presentation.uuid if presentation is not None else None

    def array(self, enumerator: UUID | None, proxy: UUID | None) -> ArrayDecoder:
        key = (enumerator, proxy)
        if key not in self._arrays:
            if len(self._arrays) >= _MOST_ENUMERATORS:
                del self._arrays[next(iter(self._arrays))]
            self._arrays[key] = ArrayDecoder()
        return self._arrays[key]


class _Stub:
    """One direction of a call as it comes together."""

    __slots__ = ("_assembly", "_unreadable")

    def __init__(self) -> None:
        self._assembly = Assembly(_LARGEST_CALL)
        self._unreadable = False

    def lost(self) -> None:
        self._unreadable = True

    def add(self, stub: bytes | None, flags: int) -> bytes | None:
        """The whole stub with the last fragment; None before it, and where a part of it could not be read."""
        if stub is None:
            self._unreadable = True
        if self._unreadable:
            return None
        return self._assembly.add(flags, stub or b"")


class Call:
    """A call from its request on. opnum: None when the request was not seen; encoding: where it is not NDR20, which is
    the only one whose parameters are read."""

    def __init__(
        self,
        objects: Objects,
        interface: UUID | None,
        opnum: int | None,
        ipid: UUID | None,
        *,
        encoding: str | None = None,
    ) -> None:
        self._objects = objects
        self._interface = interface
        self._known: Interface | None = INTERFACES.get(interface) if interface is not None else None
        self._opnum = opnum
        self._ipid = ipid
        self._encoding = encoding
        self._inputs: Any = None
        self._stubs = {True: _Stub(), False: _Stub()}
        self._printer = Printer(objects.learn_from)

    def names(self) -> dict[str, Any]:
        """The interface and the method, as far as they are known."""
        document: dict[str, Any] = {}
        if self._interface is not None:
            document["interface"] = self._known.name if self._known is not None else str(self._interface)
        if self._opnum is not None:
            document["opnum"] = self._opnum
            if self._known is not None:
                document["method"] = self._known.method_name(self._opnum)
        if self._encoding is not None:
            document["encoding"] = self._encoding
        return document

    def lost(self, *, up: bool) -> None:
        self._stubs[up].lost()

    def add(self, stub: bytes | None, flags: int, *, up: bool) -> dict[str, Any] | None:
        """A fragment of the request (up) or of the response: the parameters with the last one."""
        try:
            whole = self._stubs[up].add(stub, flags)
        except RemoteProtocolError as error:
            return {"error": str(error)}
        if not flags & LAST or whole is None:
            return None
        method = self._known.methods.get(self._opnum) if self._known and self._opnum is not None else None
        if method is None or self._encoding is not None:
            return {"stub": octets(whole)} if whole else None
        try:
            return self._called(method, whole) if up else self._answered(method, whole)
        except WmiError as error:
            return {"error": message_of(error), "stub": octets(whole)}

    def _called(self, method: AnyMethod, stub: bytes) -> dict[str, Any]:
        if isinstance(method, ObjectMethod):
            this, inputs = method.called(stub)
            document: dict[str, Any] = {"causality": str(this.cid)}
            if this.extensions:
                document["extensions"] = [extension(one, self._printer, asks=True) for one in this.extensions]
        else:
            inputs, document = method.called(stub), {}
        self._inputs = inputs
        return {**document, "in": self._printer.value(inputs)}

    def _answered(self, method: AnyMethod, stub: bytes) -> dict[str, Any]:
        document: dict[str, Any] = {}
        if isinstance(method, ObjectMethod):
            that, outputs = method.answered(stub)
            if that.extensions:
                document["extensions"] = [
                    extension(one, self._printer, asks=False) for one in that.extensions
                ]
        else:
            outputs = method.answered(stub)
        self._learn(outputs)
        shown = self._printer.value(outputs)
        if isinstance(outputs, SmartNextAnswer):
            shown["packet"] = self._packet(outputs.packet)
        return {**document, "out": shown}

    def _packet(self, packet: bytes | None) -> Any:
        """A page of a smart enumerator, whose classes came with earlier ones."""
        if not packet:
            return None
        array = self._objects.array(self._ipid, getattr(self._inputs, "proxy", None))
        try:
            return [described(one) for one in array.decode(packet)]
        except WmiError as error:
            return {"error": message_of(error), "bytes": octets(packet)}

    def _learn(self, outputs: Any) -> None:
        """References that are no OBJREFs."""
        if isinstance(outputs, remunknown.QueryInterfaceAnswer):
            asked = getattr(self._inputs, "iids", ())
            for iid, found in zip(asked, outputs.results or (), strict=False):
                if found.result == 0:
                    self._objects.learn(found.std.ipid, iid)
        elif isinstance(outputs, Exporter):
            self._objects.learn_from(outputs)
