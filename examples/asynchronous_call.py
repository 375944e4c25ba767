"""Making an asynchronous call: the seven steps of Microsoft's page, on this machine's WMI or on another's.

    python examples/asynchronous_call.py [--namespace root/cimv2] [--query "SELECT Name, ProcessId FROM Win32_Process"]
    python examples/asynchronous_call.py --host 'server[1135]' --user NAME --password-file F

Prints what the sinks of two calls heard, in order: one call that runs to its end, one that is cancelled.
"""

from __future__ import annotations

import argparse
import sys
import threading

from openwmi import com


# Step 1: implement the IWbemObjectSink interface. All applications that make asynchronous calls must.
class QuerySink(com.IWbemObjectSink):
    """Writes down what it hears. It is created with a reference count of 1, so its life is the program's affair."""

    def __init__(self, slow: bool = False) -> None:
        self.heard: list[str] = []
        self.objects = 0
        self.reports = 0
        self.slow = slow
        self.stub: com.IWbemObjectSink | None = None
        self.called = threading.Event()
        self.done = threading.Event()

    def Indicate(self, objects: list[com.IWbemClassObject]) -> int:
        self.objects += len(objects)
        self.heard.append(f"Indicate({len(objects)}): {', '.join(map(label, objects[:3]))} ...")
        self.linger()
        return com.WBEM_S_NO_ERROR

    def SetStatus(
        self, lFlags: int, hResult: int, strParam: str | None, pObjParam: com.IWbemClassObject | None
    ) -> int:
        if lFlags == com.WBEM_STATUS_PROGRESS:  # tested first: a report's hResult is no error code
            self.reports += 1
            self.heard.append(
                f"SetStatus(PROGRESS): {hResult & 0xFFFF} of {hResult >> 16} {strParam or ''}".rstrip()
            )
            self.linger()
            return com.WBEM_S_NO_ERROR
        self.heard.append(f"SetStatus(COMPLETE, 0x{hResult:08X}) {message(hResult)}")
        if pObjParam is not None:
            self.heard.append(f"  {pObjParam.Get('Description', 0)[1]}")
        if self.stub is not None:
            self.stub.Release()  # no later than WMI releases the sink behind it
            self.stub = None
        self.done.set()
        return com.WBEM_S_NO_ERROR

    def linger(self) -> None:
        """Let the main thread know; a slow sink takes its time, so that there is something to cancel."""
        self.called.set()
        if self.slow:
            self.done.wait(0.2)


def label(subject: com.IWbemClassObject) -> str:
    """An object in a few words: its first property that has a value."""
    subject.BeginEnumeration(com.WBEM_FLAG_NONSYSTEM_ONLY)
    hr, name, value, _, _ = subject.Next(0)
    while hr == com.WBEM_S_NO_ERROR and value is None:
        hr, name, value, _, _ = subject.Next(0)
    return f"{name}={value}" if hr == com.WBEM_S_NO_ERROR else "no value"


def message(code: int) -> str:
    """What an HRESULT means."""
    hr, texts = com.CoCreateInstance(
        com.CLSID_WbemStatusCodeText, None, com.CLSCTX_INPROC_SERVER, com.IID_IWbemStatusCodeText
    )
    hr, text = texts.GetErrorCodeText(code, 0, com.WBEMSTATUS_FORMAT_NO_NEWLINE)
    texts.Release()
    return text or ""


def check(hr: int, what: str) -> None:
    """End the program when a call has failed."""
    if hr & 0x80000000:
        sys.exit(f"{what} failed with 0x{hr:08X}: {message(hr)}")


def first_line(file: str | None) -> str | None:
    """The first line of a file, which is where a password belongs: a command line can be read by everybody."""
    if file is None:
        return None
    with open(file, encoding="utf-8") as opened:
        return opened.readline().rstrip("\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--namespace", default="root/cimv2")
    parser.add_argument("--query", default="SELECT Name, ProcessId FROM Win32_Process")
    parser.add_argument(
        "--host", help="another machine, HOST or HOST[PORT]: it calls the sinks over the network"
    )
    parser.add_argument("--user", help="who to log on there as")
    parser.add_argument("--password-file", help="the password is its first line")
    options = parser.parse_args()
    resource = options.namespace if options.host is None else f"\\\\{options.host}\\{options.namespace}"

    # Step 2: log on to the target namespace. CoInitializeSecurity comes first: without it WMI would release the sink
    # without completing the asynchronous call.
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
    password = first_line(options.password_file)
    hr, services = locator.ConnectServer(resource, options.user, password, None, 0, None, None)
    check(hr, f"ConnectServer({resource})")

    # Step 3: set the security of the sink. WMI sees a stub in an unsecured apartment instead of the sink itself.
    hr, apartment = com.CoCreateInstance(
        com.CLSID_UnsecuredApartment, None, com.CLSCTX_LOCAL_SERVER, com.IID_IWbemUnsecuredApartment
    )
    check(hr, "CoCreateInstance(UnsecuredApartment)")
    sink = QuerySink()
    hr, sink.stub = apartment.CreateSinkStub(sink, com.WBEM_FLAG_UNSECAPP_CHECK_ACCESS, None)
    check(hr, "CreateSinkStub")

    # Step 4: make the asynchronous call. It returns at once; WMI reports back by calling the sink.
    language = com.SysAllocString("WQL")
    query = com.SysAllocString(options.query)
    hr = services.ExecQueryAsync(language, query, com.WBEM_FLAG_SEND_STATUS, None, sink.stub)
    check(hr, "ExecQueryAsync")

    # Step 5: look for updates while other work goes on. With WBEM_FLAG_SEND_STATUS WMI reports progress, too.
    seen = 0
    while not sink.done.wait(0.05):
        if sink.reports > seen:
            seen = sink.reports
            print(f"meanwhile: {sink.heard[-1]}")
    print("the first call heard:", *sink.heard, sep="\n  ")

    # Step 6: cancel a call before WMI has finished it, through the same pointer that was passed to the call.
    second = QuerySink(slow=True)
    hr, stub = apartment.CreateSinkStub(second, com.WBEM_FLAG_UNSECAPP_CHECK_ACCESS, None)
    check(hr, "CreateSinkStub")
    check(services.ExecQueryAsync(language, query, com.WBEM_FLAG_SEND_STATUS, None, stub), "ExecQueryAsync")
    while not (second.called.wait(0.05) or second.done.is_set()):
        pass
    hr = services.CancelAsyncCall(stub)
    second.done.wait()
    stub.Release()  # kept until no cancellation could be necessary any more
    print(f"CancelAsyncCall returned 0x{hr:08X}; the second call heard:", *second.heard, sep="\n  ")

    # Step 7: when finished, clean up the pointers and shut the application down.
    com.SysFreeString(query)
    com.SysFreeString(language)
    for pointer in (second, sink, apartment, services, locator):
        pointer.Release()
    com.CoUninitialize()
    return 0


if __name__ == "__main__":
    sys.exit(main())
