"""The exceptions: a class per code, and what they carry."""

from __future__ import annotations

import ast
import copy
import inspect
import pickle
import subprocess
import sys

import pytest

from openwmi.model import errors
from openwmi.model.errors import (
    BadDateTime,
    Cancelled,
    MofError,
    QuerySyntaxError,
    WbemError,
    WmiError,
    class_name,
    error,
)
from openwmi.model.status import (
    E_ACCESSDENIED,
    RPC_S_SERVER_UNAVAILABLE,
    STATUS,
    WBEM_E_CALL_CANCELLED,
    WBEM_E_INVALID_QUERY,
    WBEM_E_NOT_FOUND,
    WBEM_E_QUOTA_VIOLATION,
    WBEM_E_UNPARSABLE_QUERY,
    WBEMMOF_E_EXPECTED_SEMI,
)

OWN = [row.symbol for row in STATUS.values() if row.symbol.startswith(("WBEM_E_", "WBEMESS_E_"))]


@pytest.mark.req("calls:G15")
@pytest.mark.parametrize("symbol", OWN)
def test_each_code_has_its_class(symbol: str) -> None:
    code = next(row.code for row in STATUS.values() if row.symbol == symbol)
    made = error(code)
    assert type(made) is getattr(errors, class_name(symbol))
    assert isinstance(made, WbemError)
    assert isinstance(made, WmiError)
    assert (made.code, made.symbol, made.message) == (code, symbol, STATUS[code].text)
    assert type(WbemError(code)) is type(made)


def test_the_type_checker_sees_every_class() -> None:
    tree = ast.parse(inspect.getsource(errors))
    blocks = [node for node in tree.body if isinstance(node, ast.If)]
    declared = {node.name for block in blocks for node in block.body if isinstance(node, ast.ClassDef)}
    assert declared == {class_name(symbol) for symbol in OWN}


def test_an_error_says_what_failed_with_name_and_number() -> None:
    made = error(
        WBEM_E_NOT_FOUND, "there is no disk Z:", operation="GetObject", path='Win32_LogicalDisk="Z:"'
    )
    assert str(made) == "there is no disk Z:  WBEM_E_NOT_FOUND 0x80041002"
    assert (made.operation, made.path, made.parameter, made.extended) == (
        "GetObject",
        'Win32_LogicalDisk="Z:"',
        None,
        None,
    )
    assert made.hint == STATUS[WBEM_E_NOT_FOUND].hint
    assert str(error(0x8123ABCD, "odd")) == "odd  0x8123ABCD"


def test_a_subclass_may_be_made_with_its_message_alone() -> None:
    made = errors.NotFound("there is no such disk", namespace="root\\cimv2")
    assert (made.code, made.message, made.namespace) == (
        WBEM_E_NOT_FOUND,
        "there is no such disk",
        "root\\cimv2",
    )
    assert errors.NotFound().message == STATUS[WBEM_E_NOT_FOUND].text
    with pytest.raises(AttributeError):
        errors.NoSuchError  # noqa: B018


def test_signed_codes_are_taken() -> None:
    assert type(error(-2147217406)) is errors.NotFound
    assert error(-2147217406).code == WBEM_E_NOT_FOUND


@pytest.mark.req("calls:G14")
def test_foreign_codes_have_no_class_of_their_own() -> None:
    assert type(error(RPC_S_SERVER_UNAVAILABLE)) is WbemError
    assert type(error(E_ACCESSDENIED)) is errors.AccessDenied, "whoever refused, the caller is denied access"
    assert error(E_ACCESSDENIED).code == E_ACCESSDENIED


def test_query_errors_point_into_the_text() -> None:
    made = QuerySyntaxError("a class is expected", text="SELECT * FROM", span=(13, 13), hint="name a class")
    assert isinstance(made, errors.InvalidQuery)
    assert (made.code, made.text, made.span, made.hint) == (
        WBEM_E_INVALID_QUERY,
        "SELECT * FROM",
        (13, 13),
        "name a class",
    )
    assert QuerySyntaxError("x", code=WBEM_E_UNPARSABLE_QUERY).symbol == "WBEM_E_UNPARSABLE_QUERY"


def test_mof_errors_have_a_place() -> None:
    made = MofError(
        WBEMMOF_E_EXPECTED_SEMI, "expected ';'", file="a.mof", line=3, column=7, text="}", source="}"
    )
    assert str(made) == "a.mof:3:7: expected ';'  WBEMMOF_E_EXPECTED_SEMI 0x80044002"
    assert type(error(WBEMMOF_E_EXPECTED_SEMI)) is MofError
    assert MofError(WBEM_E_QUOTA_VIOLATION, "too long", file="a.mof").symbol == "WBEM_E_QUOTA_VIOLATION"


def test_cancelled_is_a_cancelled_call() -> None:
    assert isinstance(Cancelled(), errors.CallCancelled)
    assert Cancelled().code == WBEM_E_CALL_CANCELLED
    assert not isinstance(error(WBEM_E_CALL_CANCELLED), Cancelled)


@pytest.mark.parametrize(
    "made",
    [
        error(WBEM_E_NOT_FOUND, "gone", path="C=1"),
        QuerySyntaxError("bad", text="SELECT", span=(0, 6)),
        MofError(WBEMMOF_E_EXPECTED_SEMI, "semi", file="f", line=1, column=2),
        BadDateTime("no date"),
    ],
    ids=lambda made: type(made).__name__,
)
def test_errors_survive_pickling_and_copying(made: WbemError) -> None:
    for other in (pickle.loads(pickle.dumps(made)), copy.copy(made)):
        assert type(other) is type(made)
        assert vars(other) == vars(made)
        assert str(other) == str(made)


@pytest.mark.slow
def test_no_class_is_made_before_it_is_needed() -> None:
    program = (
        "import openwmi.model.errors as e; "
        "print(sum(isinstance(v, type) and issubclass(v, Exception) for v in vars(e).values()))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 12
