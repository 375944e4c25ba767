"""Tests that are coroutines run on a loop of their own, and leave no task behind."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    asyncio.run(_alone(pyfuncitem.obj, {name: pyfuncitem.funcargs[name] for name in names}))
    return True


async def _alone(test: Any, arguments: dict[str, Any]) -> None:
    await test(**arguments)
    for _ in range(20):
        left = asyncio.all_tasks() - {asyncio.current_task()}
        if not left:
            return
        await asyncio.sleep(0)
    raise AssertionError(f"tasks left behind: {left}")
