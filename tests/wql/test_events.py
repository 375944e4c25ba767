"""What an event query must fulfil before anybody evaluates it (model.md D6; calls.md B86, B87)."""

from __future__ import annotations

import pytest
from tests.wql.catalog import catalog

from openwmi import wql
from openwmi.model.classes import Class
from openwmi.model.errors import WbemError

SCHEMA = catalog()
CREATED = "SELECT * FROM __InstanceCreationEvent"


def nobody(_: Class, __: Class | None) -> bool:
    return False


def everybody(_: Class, __: Class | None) -> bool:
    return True


@pytest.mark.req("D-10", "D-100", "D-101", "D-102", "E-32", "E-33", "calls:B86", "calls:B87")
@pytest.mark.parametrize(
    ("text", "symbol"),
    [
        ("SELECT * FROM Nothing", "WBEM_E_NOT_FOUND"),
        ("SELECT * FROM T", "WBEM_E_NOT_EVENT_CLASS"),
        ("SELECT * FROM Extrinsic", "WBEM_E_INVALID_CLASS"),
        (f"{CREATED} WHERE TargetInstance ISA 'T'", "WBEMESS_E_REGISTRATION_TOO_PRECISE"),
        (f"{CREATED} WHERE TargetInstance.__CLASS = 'T'", "WBEMESS_E_REGISTRATION_TOO_PRECISE"),
        (f"{CREATED} WHERE TargetInstance ISA 'Device'", "WBEMESS_E_REGISTRATION_TOO_PRECISE"),
        (
            f"{CREATED} WHERE TargetInstance ISA 'Stored' OR TargetInstance ISA 'T'",
            "WBEMESS_E_REGISTRATION_TOO_PRECISE",
        ),
        (f"{CREATED} WHERE NOT TargetInstance ISA 'Stored'", "WBEMESS_E_REGISTRATION_TOO_PRECISE"),
        (CREATED, "WBEMESS_E_REGISTRATION_TOO_PRECISE"),
        (f"{CREATED} WITHIN 5 WHERE TargetInstance ISA 'Nothing'", "WBEM_E_NOT_FOUND"),
        (f"{CREATED} WITHIN 0 WHERE TargetInstance ISA 'T'", "WBEM_E_INVALID_QUERY"),
        (f"{CREATED} WITHIN -1 WHERE TargetInstance ISA 'T'", "WBEM_E_INVALID_QUERY"),
        ("SELECT * FROM __TimerEvent GROUP BY TimerId", "WBEM_E_MISSING_GROUP_WITHIN"),
        ("SELECT * FROM __TimerEvent GROUP WITHIN 5 BY", "WBEM_E_MISSING_AGGREGATION_LIST"),
        ("SELECT * FROM __TimerEvent GROUP WITHIN 5 BY *", "WBEM_E_MISSING_AGGREGATION_LIST"),
        (
            "SELECT * FROM __TimerEvent GROUP WITHIN 5 BY SECURITY_DESCRIPTOR",
            "WBEM_E_MISSING_AGGREGATION_LIST",
        ),
        ("SELECT * FROM __TimerEvent GROUP WITHIN 5 BY Nothing", "WBEM_E_INVALID_QUERY"),
        ("SELECT * FROM __TimerEvent GROUP WITHIN 0", "WBEM_E_INVALID_QUERY"),
        (f"{CREATED} WITHIN 5 GROUP WITHIN 5 BY TargetInstance", "WBEM_E_AGGREGATING_BY_OBJECT"),
        ("SELECT * FROM __TimerEvent GROUP WITHIN 5 BY TimerId.x", "WBEM_E_PROPERTY_NOT_AN_OBJECT"),
        ("SELECT * FROM __TimerEvent HAVING NumberOfEvents > 1", "WBEM_E_INVALID_QUERY"),
        ("SELECT * FROM __TimerEvent GROUP WITHIN 5 HAVING NumFirings > 1", "WBEM_E_INVALID_QUERY"),
        ("SELECT * FROM __TimerEvent GROUP WITHIN 5 HAVING NumberOfEvents > 1.5", "WBEM_E_INVALID_QUERY"),
        ("SELECT * FROM __TimerEvent WHERE TimerId.x = 1", "WBEM_E_PROPERTY_NOT_AN_OBJECT"),
        ("SELECT TimerId.x FROM __TimerEvent", "WBEM_E_PROPERTY_NOT_AN_OBJECT"),
        ("SELECT * FROM __TimerEvent WHERE Nothing = 1", "WBEM_E_INVALID_QUERY"),
        ("SELECT * FROM __TimerEvent WHERE TimerId ISA 'x'", "WBEM_E_INVALID_OPERATOR"),
        (f"{CREATED} WITHIN 5 WHERE TargetInstance = 5", "WBEM_E_INVALID_QUERY"),
    ],
)
def test_what_is_refused(text: str, symbol: str) -> None:
    with pytest.raises(WbemError) as caught:
        wql.event_checks(wql.parse_event(text), SCHEMA)
    failure = caught.value
    assert failure.symbol == symbol
    assert failure.text == text
    assert failure.span is not None
    assert wql.caret(text, failure.span).splitlines()[1].strip().startswith("^")


@pytest.mark.req("D-100", "D-101", "D-102", "D-105", "calls:B86")
@pytest.mark.parametrize(
    ("text", "raised"),
    [
        ("SELECT * FROM Extrinsic", everybody),
        ("SELECT * FROM Extrinsic WITHIN 5 WHERE Sender = 'me' AND Payload.x = 1", everybody),
        (f"{CREATED} WHERE TargetInstance ISA 'T'", everybody),
        (f"{CREATED} WHERE TargetInstance ISA 'Stored' AND TargetInstance.Note LIKE 'x%'", nobody),
        (f"{CREATED} WITHIN 5", nobody),
        (
            f"{CREATED} WITHIN 5 WHERE TargetInstance ISA 'T' AND TargetInstance.U32 > 5 OR TIME_CREATED > 5",
            nobody,
        ),
        (f"{CREATED} WITHIN 1 WHERE TargetInstance ISA 'T' GROUP WITHIN 5 HAVING NumberOfEvents > 2", nobody),
        (f"{CREATED} WITHIN 1 GROUP WITHIN 5 BY TargetInstance.Id, TIME_CREATED", nobody),
        (
            "SELECT TargetInstance.Id FROM __InstanceModificationEvent WITHIN 1 WHERE PreviousInstance ISA 'T'",
            nobody,
        ),
        ("SELECT * FROM __TimerEvent WHERE TimerId = 'x'", nobody),
        (
            f"{CREATED} WITHIN 5 WHERE TargetInstance.Status = 'Nothing' OR TargetInstance.Status = 'Nothing'",
            nobody,
        ),
    ],
)
def test_what_may_be_registered(text: str, raised: object) -> None:
    assert wql.event_checks(wql.parse_event(text), SCHEMA, raised=raised)  # type: ignore[arg-type]


@pytest.mark.req("D-101", "E-31", "calls:B87")
def test_what_is_known_of_a_query_that_may_be_registered() -> None:
    text = (
        "SELECT TargetInstance.Id, TIME_CREATED FROM __InstanceCreationEvent WITHIN 0.001"
        " WHERE (TargetInstance ISA 'Modem' OR TargetInstance.__CLASS = 'Keyboard') AND TargetInstance.Speed > 5"
        " GROUP WITHIN 99999999 BY TargetInstance.Id"
    )
    query = wql.event_checks(wql.parse_event(text), SCHEMA)
    assert query.class_.name == "__InstanceCreationEvent"
    assert [target.name for target in query.targets] == ["Modem", "Keyboard"]
    assert query.within == 0.1
    assert query.group_within == 4294967.295
    assert query.selection is not None
    assert query.selection.names == ("TargetInstance", "TIME_CREATED")
    assert query.selection.parts == {"targetinstance": (("id",),)}
    assert query.where is not None


@pytest.mark.req("D-100")
def test_the_hints_help() -> None:
    for text, hint in (
        ("SELECT * FROM T", "ask for __InstanceCreationEvent WITHIN 5 WHERE TargetInstance ISA 'T'"),
        ("SELECT * FROM __InstanceCreationEven", "did you mean __InstanceCreationEvent?"),
        (f"{CREATED} WHERE TargetInstance ISA 'T'", "write FROM __InstanceCreationEvent WITHIN 5 WHERE ..."),
    ):
        with pytest.raises(WbemError) as caught:
            wql.event_checks(wql.parse_event(text), SCHEMA)
        assert caught.value.hint == hint
