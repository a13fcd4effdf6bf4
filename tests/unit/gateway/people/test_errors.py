"""Every refusal has a status, and a row in the table people read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from durable import errors as durable_errors
from durable.errors import DurableError, StoreUnavailable
from durable.holds import refusals
from durable.holds.refusals import AmbiguousHold, Refused, UnknownHold, WrongStatus
from gateway.errors import AuditUnwritable, GatewayError, UpstreamError
from gateway.people import errors
from gateway.people.errors import STATUS, PeopleRefusal, face, fault

TABLE = Path(errors.__file__).parent / "README.md"
ROW = re.compile(r"^\| `([a-z_]+)` \| (\d+) \| \S.* \|$", re.MULTILINE)


def below(kind):
    return {found for one in kind.__subclasses__() for found in (one, *below(one))}


def example(kind):
    if issubclass(kind, AmbiguousHold) or kind.__name__ == "AmbiguousCall":
        return kind("why", candidates=("a", "b"))
    if issubclass(kind, WrongStatus):
        return kind("why", status="denied", by="max@example.com")
    if issubclass(kind, UpstreamError):
        return kind("why", sent=False)
    if kind.__name__ in {"AuditLocked", "StoreLocked"}:
        return kind("why", pid=1)
    return kind("why")


def ours(base):
    made_here = ("gateway.errors", "durable.")
    return sorted(
        (one for one in below(base) if one.__module__.startswith(made_here)), key=lambda one: one.__name__
    )


def test_the_table_people_read_is_complete_and_true():
    rows = {code: int(status) for code, status in ROW.findall(TABLE.read_text("utf-8"))}
    assert rows == dict(STATUS)


def test_there_are_errors_to_look_at():
    assert len(ours(DurableError)) > 20
    assert len(ours(GatewayError)) > 20
    assert {refusals.__name__, durable_errors.__name__} <= {one.__module__ for one in ours(DurableError)}


@pytest.mark.parametrize("kind", ours(DurableError) + ours(GatewayError), ids=lambda kind: kind.__name__)
def test_every_error_has_a_status_and_keeps_its_code(kind):
    status, body, _ = face(example(kind))
    assert 400 <= status < 600
    assert body.error.code == kind.code
    assert body.error.message


@pytest.mark.parametrize(
    "kind", sorted(below(Refused), key=lambda one: one.__name__), ids=lambda kind: kind.__name__
)
def test_a_refused_transaction_is_never_our_fault(kind):
    assert 400 <= face(example(kind))[0] < 500


@pytest.mark.parametrize("kind", sorted(below(StoreUnavailable), key=lambda one: one.__name__))
def test_a_store_that_does_not_answer_is_said_to_come_back(kind):
    status, _, headers = face(example(kind))
    assert (status, headers["retry-after"]) == (503, "1")


def test_an_unwritable_log_is_said_to_come_back():
    assert face(AuditUnwritable("full"))[0] == 503


def test_who_was_first_is_told():
    error = face(WrongStatus("it is denied", status="denied", by="max@example.com"))[1].error
    assert (error.status, error.by) == ("denied", "max@example.com")
    assert face(WrongStatus("it has expired", status="expired"))[1].error.by is None


@pytest.mark.abuse(95)
def test_what_is_unknown_is_unknown_in_the_same_words_whoever_found_out():
    told = {face(UnknownHold(why, next_step=step))[1] for why in ("a", "b") for step in ("", "c")}
    assert len(told) == 1


def test_a_fault_says_nothing():
    status, body, _ = fault()
    assert (status, body.error.code) == (500, "internal_failure")


def test_a_refusal_of_this_port_has_the_status_of_its_row():
    assert face(PeopleRefusal("wrong_origin", "no", headers={"a": "b"}))[0::2] == (403, {"a": "b"})
    with pytest.raises(KeyError):
        PeopleRefusal("no_such_code", "no")
