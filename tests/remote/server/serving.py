"""A machine that serves: a host in memory with accounts, classes of every type, and a DCOM server on loopback."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest

from openwmi import host, testing
from openwmi.accounts import Accounts
from openwmi.contract.services import Services
from openwmi.mof import compile as compile_mof
from openwmi.remote.server import Server, ServerLimits
from openwmi.wire.ntlm import nt_hash

T = TypeVar("T")
PASSWORD = "Sesame, open: ünïcode"
NAMESPACE = "root\\ServeTests"
SECONDS = 60.0

# Everything a property may be, but for reals, which impacket cannot read (wire.md 7.9).
MOF = """
class Part { string Label; uint32 Size = 3; };
class Item {
    [key] uint32 Id;
    string Text; string Wide; string Nothing; string Preset = "preset";
    boolean Yes; boolean No;
    uint8 U8; sint8 S8; uint16 U16; sint16 S16; uint32 U32; sint32 S32; uint64 U64; sint64 S64;
    char16 Letter;
    datetime When;
    string Texts[]; uint8 Bytes[]; uint64 Large[]; boolean Flags[]; sint32 Empty[];
    Part Inner;
    Part Inners[];
    Item ref Other;
};
class Special : Item { real32 R32; real64 R64; };
instance of Item { Id = 0; };
instance of Item {
    Id = 1; Text = "plain"; Wide = "sch\\x00F6n \\x6F22\\x5B57"; Yes = true; No = false;
    U8 = 200; S8 = -5; U16 = 65000; S16 = -30000; U32 = 4000000000; S32 = -2000000000;
    U64 = 18446744073709551000; S64 = -9000000000000000000; Letter = 65;
    When = "20240229123456.654321+060";
    Texts = {"a", "", "\\x00FC"}; Bytes = {0, 1, 255}; Large = {1, 18446744073709551615}; Flags = {true, false};
    Inner = instance of Part { Label = "in"; Size = 7; };
    Inners = { instance of Part { Label = "one"; }, instance of Part { Label = "two"; Size = 2; } };
    Other = "Item.Id=0";
};
"""
DYNAMIC = """
class Row {
    [key] uint32 N;
    string S;
    uint32 Do([in] string What, [in] uint32 Times, [out] string Done, [out] uint32 Length);
    [static] void Rest();
};
"""
_octets = itertools.count(1)


def rows(count: int) -> list[dict[str, object]]:
    return [{"N": n, "S": f"s{n}"} for n in range(count)]


def method(path: str, params: dict[str, object]) -> dict[str, object]:
    text = str(params.get("What")) * int(str(params.get("Times") or 1))
    return {"ReturnValue": 5, "Done": text, "Length": len(text)}


class Served:
    """ada may everything, bob what an account without --admin may, eve logs on and is then left alone."""

    def __init__(
        self,
        folder: Path,
        *,
        limits: ServerLimits | None = None,
        principals: tuple[str, ...] = (),
        names: tuple[str, ...] = ("myhost", "myhost.example.org"),
        **options: Any,
    ) -> None:
        """options: further ones of Server."""
        self.names = names
        self.options = options
        self.host = host.local(host.MEMORY)
        self.accounts = Accounts(str(folder), names=("myhost",))
        self.accounts.add("ada", nt_hash(PASSWORD), admin=True, principals=principals)
        self.accounts.add("bob", nt_hash(PASSWORD))
        self.host.namespaces.add(NAMESPACE)
        testing.provide(
            NAMESPACE,
            DYNAMIC,
            instances=lambda: iter(rows(250)),
            get=lambda keys: next((row for row in rows(250) if row["N"] == keys["N"]), None),
            methods={"Do": method, "Rest": lambda path, params: {}},
        )
        self.run(self._fill)
        self.server = self.run(self._made, limits)

    async def _fill(self) -> None:
        await compile_mof(MOF, await self.services())

    async def _made(self, limits: ServerLimits | None) -> Server:
        return Server(self.host.log_on, self.accounts, self.names, limits=limits, **self.options)

    async def services(self, namespace: str = NAMESPACE) -> Services:
        """The embedded service of the same host."""
        return await self.host.services(namespace)

    def run(self, function: Callable[..., Coroutine[object, object, T]], *arguments: Any) -> T:
        """Run a coroutine function on the service's loop."""
        return self.host.portal.submit(function, *arguments).result(SECONDS)

    def listen(
        self, address: str = "127.0.0.1", port: int = 0, *, objects: int | None = None
    ) -> tuple[str, int]:
        """objects: the port of the objects, where that is another one."""
        return tuple(self.run(partial(self.server.listen, objects=objects), address, port))

    def close(self) -> None:
        self.run(self.server.close)
        host.end(self.host)


def own_address() -> str:
    """An address of loopback that nobody else uses: port 135 cannot be shared."""
    return f"127.{135 + next(_octets)}.{__import__('os').getpid() % 250 + 1}.1"


def listen_on_135(served: Served, *, objects: int | None = None) -> str:
    """Serve on port 135, which impacket's client insists on; the address."""
    address = own_address()
    try:
        served.listen(address, 135, objects=objects)
    except PermissionError:
        pytest.skip("port 135 is for root, or for whom net.ipv4.ip_unprivileged_port_start lets have it")
    return address


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
