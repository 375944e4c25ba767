"""Events of the store: what any process commits to classes, static instances and namespaces (model.md E1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from openwmi.model.classes import derive
from openwmi.service.limits import THIS

if TYPE_CHECKING:
    import asyncio

    from openwmi.model.instances import Instance
    from openwmi.repository.repository import Change
    from openwmi.service.events.exchange import Exchange
    from openwmi.service.namespaces import Namespace

LOOK_SECONDS: Final = 0.1
_VERBS: Final = {"+": "Creation", "~": "Modification", "-": "Deletion"}


class StoredEvents:
    """Turns entries of the change log into events.

    The log is heard in whichever thread finds it; what an event holds is put together there, and the loop only offers
    it. While somebody subscribes, the store is looked at ten times a second for what other processes have committed.
    """

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._namespaces = exchange.service.namespaces
        self._timer: asyncio.TimerHandle | None = None
        self._listening = False

    def watch(self, space: Namespace) -> None:
        """Somebody subscribes to events of a namespace."""
        if not self._listening:
            self._listening = True
            self._namespaces.refresh()
            self._namespaces.repository.listen(self._on_change)
        if self._timer is None:
            self._timer = self._exchange.loop.call_later(LOOK_SECONDS, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._exchange.count:
            self._namespaces.refresh()
            self._timer = self._exchange.loop.call_later(LOOK_SECONDS, self._look)

    def _on_change(self, change: Change) -> None:
        """In any thread."""
        if not self._exchange.count or change.kind == "gap" or change.class_name.lower() == THIS:
            return  # who may do what in a namespace is not for everybody who may subscribe there (I16)
        kind, verb = change.kind[:-1], _VERBS[change.kind[-1]]
        path = change.namespace
        if kind == "namespace":
            path = path.rpartition("\\")[0]
        space = self._namespaces.find(path) if path else None
        name = f"__{kind.capitalize()}{verb}Event"
        if space is None or not self._exchange.listening(path, name):
            return
        build = {"namespace": self._namespace, "class": self._class, "instance": self._instance}[kind]
        values = build(space, change)
        if values is not None:
            event = self._exchange.made(space, name, values)
            self._exchange.loop.call_soon_threadsafe(self._exchange.raise_event, space.path, event)

    def _namespace(self, space: Namespace, change: Change) -> dict[str, Any]:
        class_ = space.schema.class_named("__NAMESPACE")
        return {"TargetNamespace": class_.spawn({"Name": change.namespace.rpartition("\\")[2]})}

    def _class(self, space: Namespace, change: Change) -> dict[str, Any] | None:
        previous = None
        repository = self._namespaces.repository.existing
        if change.before is not None and repository is not None:
            declaration = repository.declared(change.before)
            parent = space.schema.find_class(declaration.superclass) if declaration.superclass else None
            if declaration.superclass and parent is None:
                return None  # the whole line is gone: nothing can be said of the class any more
            previous = derive(declaration, parent, namespace=space.path, server=space.server)
        if change.kind == "class-":
            return {"TargetClass": previous}
        values: dict[str, Any] = {"TargetClass": space.schema.find_class(change.class_name)}
        if change.kind == "class~":
            values["PreviousClass"] = previous
        return values

    def _instance(self, space: Namespace, change: Change) -> dict[str, Any] | None:
        class_ = space.schema.find_class(change.class_name)
        repository = self._namespaces.repository.existing
        if class_ is None or repository is None:
            return None
        previous: Instance | None = None
        if change.before is not None:
            previous = repository.decoded(class_, change.before, space.schema.find_class)
        if change.kind == "instance-":
            return {"TargetInstance": previous}
        values: dict[str, Any] = {"TargetInstance": repository.after(change, class_, space.schema.find_class)}
        if change.kind == "instance~":
            values["PreviousInstance"] = previous
        return values
