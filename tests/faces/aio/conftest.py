"""Tests of the asynchronous face are coroutines; each has a loop of its own and leaves no task on it."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import pytest
from tests.faces.support import SECONDS


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    asyncio.run(_bounded(pyfuncitem.obj, arguments))
    return True


async def _bounded(test: Any, arguments: dict[str, Any]) -> None:
    async with asyncio.timeout(SECONDS):
        await test(**arguments)
        while left := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(left)
