"""Making a semisynchronous call, the way that Microsoft's pages recommend: no sink, results are fetched.

    python examples/semisynchronous_call.py [--namespace root/cimv2] [--query "SELECT * FROM Win32_Process"]

Prints the rows of the query as they come, then one object fetched through IWbemCallResult.
"""

from __future__ import annotations

import argparse
import sys

from openwmi import com


def check(hr: int, what: str) -> None:
    """End the program when a call has failed; the error object of the thread says why."""
    if hr & 0x80000000:
        found, details = com.GetErrorInfo(0)
        text = details.GetDescription()[1] if found == com.S_OK else ""
        sys.exit(f"{what} failed with 0x{hr:08X}: {text}")


def line(subject: com.IWbemClassObject) -> str:
    """An object as one line: every property that has a value."""
    parts = []
    subject.BeginEnumeration(com.WBEM_FLAG_NONSYSTEM_ONLY)
    hr, name, value, _, _ = subject.Next(0)
    while hr == com.WBEM_S_NO_ERROR:
        if value is not None:
            parts.append(f"{name}={value}")
        hr, name, value, _, _ = subject.Next(0)
    return "  ".join(parts)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--namespace", default="root/cimv2")
    parser.add_argument("--query", default="SELECT Name, ProcessId FROM Win32_Process")
    options = parser.parse_args()

    # Step 1: initialise COM and the security of the process.
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

    # Step 2: log on to the target namespace.
    hr, locator = com.CoCreateInstance(
        com.CLSID_WbemLocator, None, com.CLSCTX_INPROC_SERVER, com.IID_IWbemLocator
    )
    check(hr, "CoCreateInstance(WbemLocator)")
    hr, services = locator.ConnectServer(options.namespace, None, None, None, 0, None, None)
    check(hr, f"ConnectServer({options.namespace})")

    # Step 3: set the security of the proxy. Every further proxy starts with the process's own and needs the same.
    secure = (
        com.RPC_C_AUTHN_WINNT, com.RPC_C_AUTHZ_NONE, None,
        com.RPC_C_AUTHN_LEVEL_PKT_PRIVACY, com.RPC_C_IMP_LEVEL_IMPERSONATE, None, com.EOAC_NONE,
    )  # fmt: skip
    check(com.CoSetProxyBlanket(services, *secure), "CoSetProxyBlanket")

    # Step 4: make the call with WBEM_FLAG_RETURN_IMMEDIATELY: it comes back before the work is done.
    # WBEM_FLAG_FORWARD_ONLY lets WMI forget each object that was fetched.
    flags = com.WBEM_FLAG_RETURN_IMMEDIATELY | com.WBEM_FLAG_FORWARD_ONLY
    hr, enumerator = services.ExecQuery("WQL", options.query, flags, None)
    check(hr, "ExecQuery")
    check(com.CoSetProxyBlanket(enumerator, *secure), "CoSetProxyBlanket")

    # Step 5: fetch the results, never waiting longer than 100 ms, so that other work can go on in between.
    rows = waits = 0
    path = None
    hr = com.WBEM_S_NO_ERROR
    while hr in (com.WBEM_S_NO_ERROR, com.WBEM_S_TIMEDOUT):
        hr, objects, returned = enumerator.Next(100, 10)
        check(hr, "Next")
        for subject in objects:
            print(line(subject))
            path = subject.Get("__RELPATH", 0)[1] or subject.Get("__CLASS", 0)[1]
            subject.Release()
        rows += returned
        waits += hr == com.WBEM_S_TIMEDOUT
    enumerator.Release()
    print(f"{rows} objects, {waits} times without enough of them within 100 ms")

    # Step 6: the same for a single object: poll the call result until the operation is through.
    if path is not None:
        hr, _, pending = services.GetObject(
            path, com.WBEM_FLAG_RETURN_IMMEDIATELY, None, out=("ppObject", "ppCallResult")
        )
        check(hr, "GetObject")
        hr, status = pending.GetCallStatus(100)
        while hr == com.WBEM_S_TIMEDOUT:
            hr, status = pending.GetCallStatus(100)
        check(hr, "GetCallStatus")
        print(
            f"the operation ended with 0x{status & 0xFFFFFFFF:08X}"
        )  # its own status, not that of the method
        hr, subject = pending.GetResultObject(com.WBEM_NO_WAIT)
        check(hr, f"GetObject({path})")
        print(subject.GetObjectText(0)[1])
        subject.Release()
        pending.Release()

    # Step 7: clean up.
    services.Release()
    locator.Release()
    com.CoUninitialize()
    return 0


if __name__ == "__main__":
    sys.exit(main())
