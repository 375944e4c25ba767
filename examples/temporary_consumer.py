"""A temporary event consumer: the same sink as for an asynchronous call, and events come until it is cancelled.

    python examples/temporary_consumer.py [--count 3] [--for 60] [--namespace root/cimv2] [--query "SELECT * FROM ..."]

Prints every process that starts on this machine, until so many events have come or so many seconds have passed, or
until Ctrl-C; then cancels, which the sink hears as WBEM_E_CALL_CANCELLED: a subscription never ends with a success.
"""

from __future__ import annotations

import argparse
import sys
import threading
from typing import Any

from openwmi import com

QUERY = "SELECT * FROM __InstanceCreationEvent WITHIN 1 WHERE TargetInstance ISA 'Win32_Process'"


# Step 1: implement the sink. It gets each event in Indicate, on a thread of WMI's, which it should not hold for longer
# than 100 ms, and from which it must not call WMI: it only writes down, and lets the main thread cancel.
class EventSink(com.IWbemObjectSink):
    def __init__(self, count: int | None) -> None:
        self.left = count
        self.final = 0
        self.enough = threading.Event()
        self.ended = threading.Event()

    def Indicate(self, objects: list[com.IWbemClassObject]) -> int:
        for event in objects[: self.left]:
            print(description(event), flush=True)
        if self.left is not None:
            self.left = max(0, self.left - len(objects))
            if not self.left:
                self.enough.set()
        return com.WBEM_S_NO_ERROR

    def SetStatus(
        self, lFlags: int, hResult: int, strParam: str | None, pObjParam: com.IWbemClassObject | None
    ) -> int:
        if lFlags == com.WBEM_STATUS_COMPLETE:
            self.final = hResult
            self.ended.set()
            self.enough.set()
        return com.WBEM_S_NO_ERROR


def description(event: com.IWbemClassObject) -> str:
    """An event in a line: its class, and its own properties or those of the object it is about."""
    name = value(event, "__CLASS")
    target = value(event, "TargetInstance")
    if target is None:
        return f"{name}: {properties(event)}"
    if value(target, "__CLASS") == "Win32_Process":
        return f"{name}: {value(target, 'Name')} (process {value(target, 'ProcessId')})"
    return f"{name}: {value(target, '__RELPATH')} {properties(target)}"


def value(subject: com.IWbemClassObject, name: str) -> Any:
    hr, found, _, _ = subject.Get(name, 0)
    return found if hr == com.WBEM_S_NO_ERROR else None


def properties(subject: com.IWbemClassObject) -> str:
    hr, names = subject.GetNames(None, com.WBEM_FLAG_NONSYSTEM_ONLY, None)
    found = ((name, value(subject, name)) for name in names or ())
    return ", ".join(f"{name}={known}" for name, known in found if known is not None)


def check(hr: int, what: str) -> None:
    """End the program when a call has failed."""
    if hr & 0x80000000:
        sys.exit(f"{what} failed with 0x{hr:08X}: {message(hr)}")


def message(code: int) -> str:
    """What an HRESULT means."""
    hr, texts = com.CoCreateInstance(
        com.CLSID_WbemStatusCodeText, None, com.CLSCTX_INPROC_SERVER, com.IID_IWbemStatusCodeText
    )
    hr, text = texts.GetErrorCodeText(code, 0, com.WBEMSTATUS_FORMAT_NO_NEWLINE)
    texts.Release()
    return text or ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, help="end after so many events")
    parser.add_argument("--for", dest="seconds", type=float, help="end after so many seconds")
    parser.add_argument("--namespace", default="root/cimv2")
    parser.add_argument("--query", default=QUERY)
    options = parser.parse_args()

    # Step 2: initialise COM and its security, and log on to the namespace.
    check(com.CoInitializeEx(None, com.COINIT_MULTITHREADED), "CoInitializeEx")
    hr = com.CoInitializeSecurity(
        None,
        -1,
        None,
        None,
        com.RPC_C_AUTHN_LEVEL_DEFAULT,
        com.RPC_C_IMP_LEVEL_IMPERSONATE,
        None,
        com.EOAC_NONE,
        None,
    )
    check(hr, "CoInitializeSecurity")
    hr, locator = com.CoCreateInstance(
        com.CLSID_WbemLocator, None, com.CLSCTX_INPROC_SERVER, com.IID_IWbemLocator
    )
    check(hr, "CoCreateInstance(WbemLocator)")
    hr, services = locator.ConnectServer(options.namespace, None, None, None, 0, None, None)
    check(hr, f"ConnectServer({options.namespace})")

    # Step 3: set the security of the sink: WMI sees a stub in an unsecured apartment instead of the sink itself.
    hr, apartment = com.CoCreateInstance(
        com.CLSID_UnsecuredApartment, None, com.CLSCTX_LOCAL_SERVER, com.IID_IWbemUnsecuredApartment
    )
    check(hr, "CoCreateInstance(UnsecuredApartment)")
    sink = EventSink(options.count)
    hr, stub = apartment.CreateSinkStub(sink, com.WBEM_FLAG_UNSECAPP_CHECK_ACCESS, None)
    check(hr, "CreateSinkStub")

    # Step 4: subscribe. The call returns at once; a query that is wrong is heard by the sink.
    hr = services.ExecNotificationQueryAsync("WQL", options.query, 0, None, stub)
    check(hr, "ExecNotificationQueryAsync")

    # Step 5: other work goes on here, while events come.
    if not sink.ended.is_set():
        print(f"waiting for events: {options.query}", file=sys.stderr, flush=True)
    try:
        sink.enough.wait(options.seconds)
    except KeyboardInterrupt:
        pass

    # Step 6: cancel, through the pointer that was subscribed. The sink hears so, once, and is released.
    failed = sink.ended.is_set()
    if not failed:
        check(services.CancelAsyncCall(stub), "CancelAsyncCall")
        sink.ended.wait()
    print(f"SetStatus(COMPLETE, 0x{sink.final:08X}) {message(sink.final)}")

    # Step 7: clean up.
    for pointer in (stub, sink, apartment, services, locator):
        pointer.Release()
    com.CoUninitialize()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
