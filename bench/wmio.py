"""Objects as bytes: a Win32_Process as Windows sends it, decoded and encoded beside aiowmi and impacket."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
from pathlib import Path
from typing import Any

from bench.harness import Budget, Line, Note, Work, detail, in_turn, ratio
from openwmi.model.batches import Rows
from openwmi.model.cimtypes import ARRAY, CimType
from openwmi.model.classes import Class
from openwmi.wmio import Decoder, decode, encode
from openwmi.wmio.arrays import ArrayDecoder, ArrayEncoder

DUMP = Path(__file__).parents[2] / "shared" / "data" / "wmio" / "wmio_win32_process.dump"
NULLS = ("InstallDate", "Status", "TerminationDate", "ExecutionState")  # 41 of 45 have a value
PAGES, PAGE = 20, 100
MANY, FEW, FEWEST = PAGES * PAGE, 100, 3
# What a decoder of the wire sees in front of an object array: ORPCTHAT, count, size, referent, size.
STUB = bytes(8) + b"\1\0\0\0" + bytes(12)

Row = tuple[Any, ...]


def row_of(class_: Class, number: int) -> Row:
    """The values of a process, plausible in length and size."""
    texts = {
        "commandline": f'"C:\\Program Files\\Common Files\\Service {number}\\agent.exe" --config agent.json',
        "executablepath": f"C:\\Program Files\\Common Files\\Service {number}\\agent.exe",
        "oscreationclassname": "Win32_OperatingSystem",
        "creationclassname": "Win32_Process",
        "cscreationclassname": "Win32_ComputerSystem",
        "osname": "Microsoft Windows Server 2019 Standard|C:\\Windows|\\Device\\Harddisk0\\Partition2",
    }
    plain = {CimType.UINT16: 7, CimType.UINT32: 4_000 + number, CimType.UINT64: 10_000_000_000 + number}
    row: list[Any] = []
    for key, one in class_.properties.items():
        if one.name in NULLS:
            row.append(None)
        elif one.type == CimType.DATETIME:
            row.append("20240102030405.678901+060")
        else:
            row.append(plain.get(CimType(one.type & ~ARRAY), texts.get(key, f"{number}")))
    return tuple(row)


def pages_of(class_: Class) -> list[Rows]:
    return [
        Rows(class_.layout, [row_of(class_, page * PAGE + number) for number in range(PAGE)])
        for page in range(PAGES)
    ]


def peers() -> dict[str, Any]:
    """The peers that are installed."""
    return {
        name: importlib.import_module(name)
        for name in ("aiowmi.ndr.next_response", "aiowmi.ndr.smart_response", "impacket.dcerpc.v5.dcom.wmi")
        if importlib.util.find_spec(name.partition(".")[0])
    }


def measure() -> list[Line]:
    if not DUMP.is_file():
        return [Note("no real class to measure with: the shared data is not here")]
    found = peers()
    if len(found) < 3:
        return [Note("aiowmi and impacket are the peers; one of them is not installed")]
    class_ = decode(bytes.fromhex(DUMP.read_text()))
    assert isinstance(class_, Class)
    lines = _class_known(class_, found)
    lines += _class_along(class_, found)
    return lines + _encoding(class_, found)


def _class_known(class_: Class, found: dict[str, Any]) -> list[Line]:
    """The smart enumerator's way: the class came before."""
    sender = ArrayEncoder(lambda: os.urandom(16))
    layout = class_.layout
    first = sender.encode(Rows(layout, [row_of(class_, 0)]))
    singles = [sender.encode(Rows(layout, [row_of(class_, number)])) for number in range(FEW)]
    pages = [sender.encode(page) for page in pages_of(class_)]
    receiver = ArrayDecoder()
    receiver.decode(first)
    SmartResponse = found["aiowmi.ndr.smart_response"].SmartResponse
    classes: dict[str, Any] = {}
    stubs = [STUB + packet for packet in singles]
    SmartResponse(STUB + first, classes)

    def aiowmi() -> None:
        for stub in stubs:
            SmartResponse(stub, classes).get_properties()

    def whole() -> None:
        for page in pages:
            for one in receiver.decode(page):
                one.values_  # type: ignore[union-attr] # noqa: B018

    def lazily() -> None:
        for page in pages:
            for one in receiver.decode(page):
                one.Name, one.ProcessId, one.WorkingSetSize  # type: ignore[union-attr] # noqa: B018

    contenders: dict[str, Work] = {
        "aiowmi": aiowmi,
        "all 45 values": whole,
        "3 properties": lazily,
        "unread": lambda: [receiver.decode(page) for page in pages],
    }
    times = in_turn(contenders)
    per = {name: FEW if name == "aiowmi" else MANY for name in contenders}
    each = {name: [one / per[name] for one in taken] for name, taken in times.items()}
    return [
        Budget(
            "class known, all 45 values, over aiowmi",
            ratio(each, "aiowmi", "all 45 values"),
            15,
            at_least=True,
            detail=detail(each, *contenders),
        ),
        Budget("3 properties lazily, over aiowmi", ratio(each, "aiowmi", "3 properties"), 60, at_least=True),
    ]


def _class_along(class_: Class, found: dict[str, Any]) -> list[Line]:
    """Next's way: the class part comes with every object."""
    units = [encode(class_.spawn(_named(class_, number))) for number in range(FEW)]
    wmi = found["impacket.dcerpc.v5.dcom.wmi"]
    decoder = Decoder()
    decoder.decode(units[0])

    def impacket() -> None:
        for unit in units[:FEWEST]:
            wmi.ENCODING_UNIT(unit)["ObjectBlock"].parseObject()

    def ours() -> None:
        for unit in units:
            decoder.decode(unit).values_  # type: ignore[union-attr] # noqa: B018

    times = in_turn({"impacket": impacket, "ours": ours}, rounds=5)
    each = {
        "impacket": [one / FEWEST for one in times["impacket"]],
        "ours": [one / FEW for one in times["ours"]],
    }
    return [
        Budget(
            "with the class part, all 45 values, over impacket",
            ratio(each, "impacket", "ours"),
            1_500,
            at_least=True,
            detail=detail(each, "impacket", "ours"),
        )
    ]


def _named(class_: Class, number: int) -> dict[str, Any]:
    return dict(zip(class_.layout.names, row_of(class_, number), strict=True))


def _encoding(class_: Class, found: dict[str, Any]) -> list[Line]:
    wmi = found["impacket.dcerpc.v5.dcom.wmi"]
    unit = encode(class_.spawn(_named(class_, 1)))
    theirs = packable(impacket_object(wmi, unit))
    pages = pages_of(class_)
    sender = ArrayEncoder(lambda: os.urandom(16))

    def impacket() -> None:
        with contextlib.redirect_stdout(io.StringIO()):  # it prints every property
            for _ in range(FEWEST):
                theirs.marshalMe()

    times = in_turn({"impacket": impacket, "ours": lambda: [sender.encode(page) for page in pages]})
    each = {
        "impacket": [one / FEWEST for one in times["impacket"]],
        "ours": [one / MANY for one in times["ours"]],
    }
    return [
        Budget(
            "encode, over impacket's marshalMe",
            ratio(each, "impacket", "ours"),
            700,
            at_least=True,
            detail=detail(each, "impacket", "ours"),
        )
    ]


def impacket_object(wmi: Any, unit: bytes) -> Any:
    """impacket's IWbemClassObject over an encoding unit, as it would come out of a result."""
    from impacket.dcerpc.v5 import dcomrt

    reference = dcomrt.OBJREF_CUSTOM()
    reference["iid"] = wmi.IID_IWbemClassObject
    reference["clsid"] = wmi.CLSID_WbemClassObject
    reference["cbExtension"] = 0
    reference["ObjectReferenceSize"] = len(unit)
    reference["pObjectData"] = unit
    interface = dcomrt.INTERFACE(None, reference.getData(), bytes(16), target="none")
    return wmi.IWbemClassObject(interface)


def packable(one: Any) -> Any:
    """The same object with '' where impacket cannot pack NULL text."""
    for name, shown in one.getProperties().items():
        if shown["value"] is None and shown["stype"] in ("string", "datetime"):
            setattr(one, name, "")
    return one
