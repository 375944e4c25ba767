"""From a class identifier to an object, which is nearly always the one that logs clients on: IRemoteSCMActivator and
IActivation ([MS-DCOM] 3.1.2.5.2.3, wire.md 5.4 and 5.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from openwmi.model.errors import WbemError
from openwmi.model.status import E_NOINTERFACE, E_NOTIMPL
from openwmi.remote.inbound import Incoming, interface
from openwmi.remote.server.apartment import Apartment
from openwmi.remote.server.login import Login
from openwmi.wire.dcom import activation as a
from openwmi.wire.dcom import guids
from openwmi.wire.dcom.properties import InstantiationInfo, PropsOutInfo, ScmReply, ScmReplyInfo
from openwmi.wire.wmi.guids import CLSID_UnsecuredApartment, CLSID_WbemLevel1Login

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from openwmi.remote.server.server import Server

_CLASSES: Final[dict[UUID, type[Login | Apartment]]] = {
    CLSID_WbemLevel1Login: Login,
    CLSID_UnsecuredApartment: Apartment,
}


def _activated(
    server: Server, class_: type[Login | Apartment], incoming: Incoming, iids: Sequence[UUID]
) -> tuple[list[bytes | None], list[int]]:
    """A new object: the references to those of its interfaces that it has, and what came of each."""
    made = class_(server)
    references: list[bytes | None] = []
    results: list[int] = []
    for iid in iids:
        if iid not in made.interfaces and iid != guids.IID_IUnknown:
            references.append(None)
            results.append(E_NOINTERFACE)
            continue
        try:
            references.append(server.exporter.answer(made, iid, incoming))
            results.append(0)
        except WbemError as refusal:
            references.append(None)
            results.append(refusal.code)
    return references, results


def _create_instance(server: Server, incoming: Incoming, asked: a.CreateInstance) -> a.ActivationAnswer:
    wanted = a.find(a.properties_in(asked.properties), InstantiationInfo)
    iids = tuple(wanted.iids or ())
    class_ = _CLASSES.get(wanted.class_id)
    if class_ is None:
        return a.ActivationAnswer(None, a.REGDB_E_CLASSNOTREG)
    references, results = _activated(server, class_, incoming, iids)
    if not any(references):
        return a.ActivationAnswer(None, next(iter(results), E_NOINTERFACE))
    exporter = server.exporter
    bindings = exporter.addresses.exporter(incoming.association.local)
    reply = ScmReply(exporter.oxid, bindings, exporter.rem_unknown, exporter.authn_hint)
    properties = (PropsOutInfo(iids, results, references), ScmReplyInfo(reply))
    return a.ActivationAnswer(a.activation_out(properties))


def _get_class_object(server: Server, incoming: Incoming, asked: a.ClassObject) -> a.ActivationAnswer:
    """Nobody makes our objects through a class factory."""
    wanted = a.find(a.properties_in(asked.properties), InstantiationInfo)
    known = wanted.class_id in _CLASSES
    return a.ActivationAnswer(None, E_NOTIMPL if known else a.REGDB_E_CLASSNOTREG)


def _remote_activation(server: Server, incoming: Incoming, asked: a.Activation) -> a.ActivatedAnswer:
    iids = tuple(asked.iids or ())
    exporter = server.exporter
    class_ = _CLASSES.get(asked.class_id)
    references: list[bytes | None] = [None] * len(iids)
    result, results = a.REGDB_E_CLASSNOTREG, [a.REGDB_E_CLASSNOTREG] * len(iids)
    if class_ is not None:
        references, results = _activated(server, class_, incoming, iids)
        result = 0 if any(references) else next(iter(results), E_NOINTERFACE)
    return a.ActivatedAnswer(
        exporter.oxid,
        exporter.addresses.exporter(incoming.association.local),
        exporter.rem_unknown,
        exporter.authn_hint,
        result,
        references,
        results,
    )


ACTIVATORS: Final = {
    guids.IRemoteSCMActivator.uuid: interface(
        (a.REMOTE_GET_CLASS_OBJECT, _get_class_object), (a.REMOTE_CREATE_INSTANCE, _create_instance)
    ),
    guids.IActivation.uuid: interface((a.REMOTE_ACTIVATION, _remote_activation)),
}
