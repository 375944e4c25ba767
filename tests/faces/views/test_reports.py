"""Reports that wait to be heard."""

from __future__ import annotations

from openwmi.contract.outcome import Progress
from openwmi.faces.views.reports import MOST, Reports


def test_each_is_told_once_and_of_many_the_newest() -> None:
    reports = Reports()
    assert not reports
    assert reports.heard() == []
    for n in range(3 * MOST):
        reports.add(Progress(n, 1000))
    assert len(reports) == MOST
    assert [one.current for one in reports.heard()] == list(range(2 * MOST, 3 * MOST))
    assert not reports
    reports.add(Progress(1, 2))
    assert reports.heard() == [Progress(1, 2)]
