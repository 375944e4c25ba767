"""A provider that guards what it has, for test_acting; loaded by the processes of callers, too."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

from openwmi.contract.provider import Guard

MOF = """
[dynamic, provider("Vault")] class Vault_Secret {
    [key] uint32 Number; string Open; string Closed; uint32 Uid; string Caller; boolean AsCaller;
    [implemented, static] uint32 Change([in] string How, [out] uint32 Uid);
    [implemented, static] uint32 Erase();
    [implemented, static] uint32 Look([out] uint32 Uid);
};
[dynamic, provider("Vault")] class Vault_Hidden { [key] uint32 Number; uint32 Uid; };
[dynamic, provider("Plain")] class Vault_Plain { [key] uint32 Number; uint32 Uid; [implemented, static] uint32 Do(); };
[association, dynamic, provider("Vault")] class Vault_Link {
    [key] Vault_Secret ref Left; [key] Vault_Hidden ref Right;
};
"""
GUARDS = {
    "vault_secret": Guard(
        frozenset(("Closed",)),
        writes=True,
        methods={"change": {"ReturnValue": 2, "Uid": None}, "erase": None},
    ),
    "vault_hidden": Guard(instances=True),
}


class Vault:
    name = "Vault"
    deputy = "tests.service.vault:Vault"
    prepared = False

    @classmethod
    def prepare(cls) -> None:
        cls.prepared = os.geteuid() == 0

    def guard(self, class_name: str) -> Guard | None:
        return GUARDS.get(class_name.lower())

    def instances(self, request: Any) -> Iterator[tuple[Any, ...]]:
        name = request.class_.name.lower()
        if name == "vault_hidden" and not request.as_caller:
            return
        values = self._values(request)
        yield tuple(values.get(column) for column in request.columns)

    def _values(self, request: Any) -> dict[str, Any]:
        caller = request.caller
        user = caller.runs_as
        return {
            "Number": 1,
            "Open": "open",
            "Closed": "closed" if request.as_caller else None,
            "Uid": os.geteuid(),
            "Caller": f"{caller.name} {caller.remote} {caller.address} {user and (user.name, *user.groups)}",
            "AsCaller": request.as_caller,
            "Left": "Vault_Secret.Number=1",
            "Right": "Vault_Hidden.Number=1",
        }

    def put(self, request: Any, instance: Any, flags: int) -> None:
        with open(str(instance.raw_("Open")), "w") as file:
            file.write(f"put by {os.geteuid()}")

    def delete(self, request: Any, keys: Any) -> None:
        raise FileNotFoundError(f"deleted by {os.geteuid()}")

    def method(self, request: Any, method: str, keys: Any, params: Any) -> dict[str, Any]:
        if params.get("How") == "die":
            os._exit(3)
        if params.get("How") == "hang":
            time.sleep(60)
        return {"ReturnValue": 0, **({} if method == "Erase" else {"Uid": os.geteuid()})}


class Plain:
    """One that guards nothing."""

    name = "Plain"

    def instances(self, request: Any) -> Iterator[tuple[Any, ...]]:
        yield tuple({"Number": 1, "Uid": os.geteuid()}[column] for column in request.columns)

    def method(self, request: Any, method: str, keys: Any, params: Any) -> dict[str, Any]:
        return {"ReturnValue": 0}
