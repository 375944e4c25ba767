"""A hostile server never hangs, crashes or corrupts the client: each misbehaviour ends in a named error, in its time.

The host is the scripted one of tests/remote/windows with one thing changed. Afterwards the same process logs on to an
honest host as if nothing had been, and nothing is left: no task, timer, port, connection.
"""

from __future__ import annotations

from typing import Any

import pytest
from tests.remote.hostile import answering, calling_back, opening, telling
from tests.remote.hostile.stage import TABLE, Misbehaviour, pulls
from tests.remote.network import NetworkLoop, on_network
from tests.remote.windows.wmi import WmiHost, processes

from openwmi.model.errors import WbemError

MODULES = (opening, answering, calling_back, telling)


def named() -> list[Any]:
    return [
        pytest.param(name, marks=pytest.mark.slow if row.slow else (), id=name) for name, row in TABLE.items()
    ]


@pytest.mark.parametrize("name", named())
def test_a_misbehaviour_ends_in_its_error(name: str) -> None:
    row = TABLE[name]

    async def work(loop: NetworkLoop) -> None:
        host = await WmiHost(loop).open()
        row.spoil(host)
        begun, wrong = loop.time(), None
        try:
            await row.act(loop, host)
        except WbemError as reason:
            wrong = reason
        took = loop.time() - begun
        assert (host.wrong, loop.problems) == ([], [])
        judge(row, wrong, took)
        assert all(place == host.address for place, _ in loop.dialled if place != "10.0.0.1"), loop.dialled
        host.close()
        loop.silent.clear()
        again = await WmiHost(loop).open()
        assert [one.as_dict_() for one in await pulls(loop, again)] == [
            one.as_dict_() for one in processes(5)
        ]
        assert again.held == {}
        again.close()

    on_network(work)


def judge(row: Misbehaviour, wrong: WbemError | None, took: float) -> None:
    """The error of the table, with its place and a sentence, in its time."""
    if row.symbol is None:
        assert wrong is None, repr(wrong)
    else:
        assert wrong is not None, "no error at all"
        assert (wrong.symbol, wrong.phase) == (row.symbol, row.phase), str(wrong)
        assert wrong.host == "10.0.0.2"
        assert row.says in wrong.message
        assert len(wrong.message) > 20
    assert took <= row.within, f"only after {took} s"


def test_there_are_forty_at_least() -> None:
    """Issue 6."""
    assert len(TABLE) >= 40
