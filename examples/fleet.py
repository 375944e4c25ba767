"""One question to many machines at once, from one process and one thread.

    python examples/fleet.py --user NAME --password-file F [--query "SELECT ..."] HOST... < more-hosts

Prints a line of JSON for each machine as soon as it is known: its rows, or what kept it from answering. Hosts are given
as `name` or `name[port]`; `-` reads more of them from standard input, one a line. Ends with 1 when any did not answer.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import openwmi

QUERY = "SELECT CSName, Caption, LastBootUpTime FROM Win32_OperatingSystem"


async def ask(host: str, query: str, **log_on: Any) -> dict[str, Any]:
    """What one machine says. Every failure says how far it got, and has a hint."""
    try:
        async with openwmi.connect(rf"\\{host}\root\cimv2", timeout=10, **log_on) as wmi:
            rows = await wmi.query(query, deadline=60).fetch_all()
            return {"host": host, "rows": [dict(row.items_()) for row in rows]}
    except openwmi.WbemError as error:
        return {"host": host, "error": error.symbol, "phase": error.phase, "message": error.message}


async def ask_all(hosts: list[str], query: str, **log_on: Any) -> int:
    """Ask all of them at once; how many did not answer. Of log-ons only so many are under way at a time anyway."""
    silent = 0

    async def one(host: str) -> None:
        nonlocal silent
        answer = await ask(host, query, **log_on)
        silent += "error" in answer
        print(json.dumps(answer, default=str), flush=True)

    async with asyncio.TaskGroup() as group:
        for host in hosts:
            group.create_task(one(host))
    return silent


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Ask many machines the same question.")
    parser.add_argument("hosts", nargs="+", metavar="HOST")
    parser.add_argument("--user", required=True)
    parser.add_argument("--password-file", required=True, help="the password is its first line")
    parser.add_argument("--query", default=QUERY)
    options = parser.parse_args()
    hosts = [host for host in options.hosts if host != "-"]
    if "-" in options.hosts:
        hosts += sys.stdin.read().split()
    password = Path(options.password_file).read_text(encoding="utf-8").partition("\n")[0]
    answered = ask_all(hosts, options.query, user=options.user, password=password)
    sys.exit(1 if asyncio.run(answered) else 0)
