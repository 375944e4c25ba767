"""IRemUnknown and IRemUnknown2 of an exporter: references, and further interfaces ([MS-DCOM] 3.1.1.5.6, 3.1.1.5.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from openwmi.model.errors import WbemError
from openwmi.model.status import E_ACCESSDENIED, E_INVALIDARG, E_NOINTERFACE, S_FALSE
from openwmi.remote.inbound.incoming import Incoming, interface
from openwmi.wire.dcom import guids
from openwmi.wire.dcom import remunknown as r
from openwmi.wire.dcom.objref import Standard, StdObjRef

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from openwmi.remote.inbound.exporter import Exporter
    from openwmi.remote.inbound.objects import Pointer

_RPC_E_INVALID_OBJECT: Final = 0x80010114
_MOST: Final = 5  # references that one question may bring along; what Windows asks for
_NOTHING: Final = StdObjRef(0, 0, 0, 0, guids.GUID_NULL)
_OWN: Final = frozenset({guids.IID_IRemUnknown, guids.IID_IRemUnknown2, guids.IID_IUnknown})


class _Found:
    """The interfaces asked for, in order: (HRESULT, reference or None) each."""

    def __init__(self, exporter: Exporter, incoming: Incoming, ipid: UUID, refs: int) -> None:
        self._exporter = exporter
        self._incoming = incoming
        self._refs = max(1, min(refs, _MOST))
        self._own = ipid == exporter.rem_unknown
        self._pointer = _mine(exporter, incoming, ipid)
        self.known = self._own or self._pointer is not None

    def all(self, iids: Sequence[UUID]) -> list[tuple[int, StdObjRef | None]]:
        return [self._one(iid) for iid in iids]

    def _one(self, iid: UUID) -> tuple[int, StdObjRef | None]:
        if self._own:
            return (
                (0, self._exporter.std_of_rem_unknown(self._refs)) if iid in _OWN else (E_NOINTERFACE, None)
            )
        assert self._pointer is not None
        exported, user = self._pointer.entry.object, self._pointer.user
        if iid != guids.IID_IUnknown and iid not in exported.interfaces:
            return E_NOINTERFACE, None
        exporter = self._exporter
        try:
            pointer = exporter.objects.marshalled(
                exported, iid, user, references=self._refs, flags=0, now=exporter.clock()
            )
        except WbemError as refusal:
            return refusal.code, None
        exporter.objects.used(pointer.entry, self._incoming.association)
        return 0, exporter.std(pointer, self._refs)


def _mine(exporter: Exporter, incoming: Incoming, ipid: UUID) -> Pointer | None:
    pointer = exporter.objects.find(ipid)
    return pointer if pointer is not None and exporter.admits(pointer, incoming) else None


def _result(results: Sequence[int]) -> int:
    """S_OK for all, S_FALSE for some, E_NOINTERFACE for none ([MS-DCOM] 3.1.1.5.6.1.1)."""
    if not any(results):
        return 0
    return S_FALSE if 0 in results else E_NOINTERFACE


def _query(exporter: Exporter, incoming: Incoming, asked: r.QueryInterface) -> r.QueryInterfaceAnswer:
    found = _Found(exporter, incoming, asked.ipid, asked.refs)
    if not found.known:
        return r.QueryInterfaceAnswer(None, _RPC_E_INVALID_OBJECT)
    answers = found.all(asked.iids)
    results = [r.QueryInterfaceResult(code, std or _NOTHING) for code, std in answers]
    return r.QueryInterfaceAnswer(results, _result([code for code, _ in answers]))


def _query2(exporter: Exporter, incoming: Incoming, asked: r.QueryInterface2) -> r.QueryInterface2Answer:
    found = _Found(exporter, incoming, asked.ipid, 1)
    if not found.known:
        nothing = len(asked.iids)
        return r.QueryInterface2Answer(
            [_RPC_E_INVALID_OBJECT] * nothing, [None] * nothing, _RPC_E_INVALID_OBJECT
        )
    answers = found.all(asked.iids)
    bindings = exporter.addresses.resolver(incoming.association.local)
    references = [
        None if std is None else Standard(iid, std, bindings).encode()
        for iid, (_, std) in zip(asked.iids, answers, strict=True)
    ]
    codes = [code for code, _ in answers]
    return r.QueryInterface2Answer(codes, references, _result(codes))


def _add_ref(exporter: Exporter, incoming: Incoming, asked: r.References) -> r.AddRefAnswer:
    results = [_added(exporter, incoming, ref) for ref in asked.refs]
    return r.AddRefAnswer(results, next((code for code in results if code), 0))


def _added(exporter: Exporter, incoming: Incoming, ref: r.InterfaceRef) -> int:
    if ref.ipid == exporter.rem_unknown:
        return 0
    pointer = exporter.objects.find(ref.ipid)
    if pointer is None:
        return _RPC_E_INVALID_OBJECT
    if not exporter.admits(pointer, incoming):
        return E_ACCESSDENIED
    exporter.objects.used(pointer.entry, incoming.association)
    return 0 if exporter.objects.add(pointer, ref.public_refs + ref.private_refs) else E_INVALIDARG


def _release(exporter: Exporter, incoming: Incoming, asked: r.References) -> r.ReleaseAnswer:
    """Whatever cannot be released counts as released: clients release twice, and at random (wire.md 5.7)."""
    for ref in asked.refs:
        pointer = _mine(exporter, incoming, ref.ipid)
        if pointer is not None:
            exporter.objects.release(pointer, ref.public_refs + ref.private_refs)
    return r.ReleaseAnswer(0)


REM_UNKNOWN: Final = interface(
    (r.REM_QUERY_INTERFACE, _query),
    (r.REM_ADD_REF, _add_ref),
    (r.REM_RELEASE, _release),
    (r.REM_QUERY_INTERFACE2, _query2),
)
