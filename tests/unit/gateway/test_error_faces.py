"""Every error has a face: a JSON-RPC number, a status in both eras, a row in the table people read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway import errors
from gateway.downstream.errors import (
    INTERNAL_ERROR,
    JSONRPC_CODE,
    LEGACY_STATUS,
    MODERN_STATUS,
    WireRefusal,
    error_object,
    extra_headers,
    http_status,
)
from gateway.errors import GatewayError, UpstreamError

TABLE = Path(errors.__file__).parent / "downstream" / "README.md"
ROW = re.compile(r"^\| `([a-z_]+)` \| (-?\d+) \| (\S+) \| (\S+) \|", re.MULTILINE)


def below(kind):
    return [found for one in kind.__subclasses__() for found in (one, *below(one))]


def stands_for_itself(kind):
    """A class without a code of its own is a kind of another error, and has that one's face."""
    return kind.__module__.startswith("gateway.") and "code" in vars(kind)


EVERY = sorted(filter(stands_for_itself, set(below(GatewayError))), key=lambda one: one.code)


def example(kind):
    if kind is WireRefusal:
        return WireRefusal(400, "why")
    if issubclass(kind, UpstreamError):
        return kind("why", sent=True)
    return kind("why")


def test_there_are_errors_to_look_at():
    assert len(EVERY) > 20


def test_a_code_belongs_to_one_error():
    assert len({one.code for one in EVERY}) == len(EVERY)
    assert all(one.code in {each.code for each in EVERY} for one in below(GatewayError))


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_every_error_has_a_json_rpc_face(kind):
    assert kind.code in JSONRPC_CODE
    shown = error_object(example(kind))
    assert shown["code"] == JSONRPC_CODE[kind.code]
    assert shown["data"]["code"] == kind.code


def test_no_face_is_left_without_an_error():
    assert JSONRPC_CODE.keys() == {one.code for one in EVERY}


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_every_error_says_in_its_docstring_what_is_true(kind):
    assert kind.__doc__


def test_the_table_people_read_is_complete_and_true():
    rows = {
        code: (int(number), modern, legacy)
        for code, number, modern, legacy in ROW.findall(TABLE.read_text("utf-8"))
    }
    expected = {}
    for kind in EVERY:
        statuses = [str(http_status(example(kind), modern=era)) for era in (True, False)]
        if kind is WireRefusal:
            statuses = ["4xx", "4xx"]
        expected[kind.code] = (JSONRPC_CODE[kind.code], *statuses)
    assert rows == expected


def test_what_next_is_part_of_the_message():
    assert error_object(errors.UnknownTool("no x", next_step="list"))["message"] == "no x. Next: list"
    assert error_object(errors.UnknownTool("no x"))["message"] == "no x"


def test_a_legacy_client_is_never_told_404_about_a_method():
    """Before 2026-07-28 a 404 means that the session is gone, and clients would start anew."""
    error = errors.UnknownMethod("no x/y")
    assert http_status(error, modern=True) == 404
    assert http_status(error, modern=False) == 200


def test_statuses_are_those_of_numbers_in_use():
    numbers = set(JSONRPC_CODE.values())
    for table in (MODERN_STATUS, LEGACY_STATUS):
        assert table.keys() - numbers <= {-32021}  # a capability is asked for in a later chapter
        assert INTERNAL_ERROR not in table


def test_errors_bring_their_headers():
    assert extra_headers(errors.Unauthenticated("no"))[0][0] == b"www-authenticate"
    for kind in (errors.Overloaded, errors.AgentOverLimit, errors.Draining):
        assert extra_headers(kind("no")) == ((b"retry-after", b"1"),)
    assert extra_headers(errors.UnknownTool("no")) == ()
