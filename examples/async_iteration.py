"""A query as one would write it in Python today: `async for` instead of a sink.

What asynchronous_call.py does step by step happens here by itself: connecting, waiting without blocking, cancelling
when the loop is left early, cleaning up at the end of the `async with`.

    python examples/async_iteration.py [--namespace root/cimv2] [--query "SELECT ..."]
"""

from __future__ import annotations

import argparse
import asyncio

import openwmi

QUERY = "SELECT Name, ProcessId FROM Win32_Process"


async def every_row(wmi: openwmi.Connection, query: str) -> None:
    """Rows come while the query still runs; other tasks of the program go on meanwhile."""
    count = 0
    async for row in wmi.query(query):
        print("  ", ", ".join(f"{name}={value}" for name, value in row.items_()))
        count += 1
    print(f"{count} objects")


async def first_row(wmi: openwmi.Connection, query: str) -> None:
    """Leaving the loop cancels the call at its source: nothing goes on in the background."""
    async for row in wmi.query(query):
        print("first:", row.relpath_ or row.classname_)
        break


async def wrong_query(wmi: openwmi.Connection) -> None:
    """Errors are exceptions, one class for each code, with the symbol and the number."""
    try:
        await wmi.query("SELECT * FROM No_Such_Class").fetch_all()
    except openwmi.WbemError as error:
        print(f"as expected: {error.symbol} 0x{error.code:08X}")


async def main(namespace: str, query: str) -> None:
    async with openwmi.connect(namespace) as wmi:
        await every_row(wmi, query)
        await first_row(wmi, query)
        await wrong_query(wmi)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Run a query with the asynchronous API.")
    parser.add_argument("--namespace", default=r"root\cimv2")
    parser.add_argument("--query", default=QUERY)
    options = parser.parse_args()
    asyncio.run(main(options.namespace, options.query))
