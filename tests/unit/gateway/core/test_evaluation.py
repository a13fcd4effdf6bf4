"""The policy input: a pure document of call, caller and time; nothing an agent wrote reaches ``context``."""

from __future__ import annotations

import datetime
import json
import zoneinfo

import pytest

from gateway.core.call import canonical_call
from gateway.core.content import ContentFinding
from gateway.core.evaluation import evaluation_request
from gateway.core.principal import Principal, Subject, Workflow
from tests.fakes import NOON_US, caller, definition


def document(zone=datetime.UTC, arguments=None, **origin):
    return evaluation_request(
        canonical_call("tools/call", "orders", "refund_order", arguments or {"order_id": "A-1"}),
        definition(annotations={"readOnlyHint": True}),
        caller(**origin),
        now_us=NOON_US,
        zone=zone,
    )


def test_the_document_has_the_names_of_authzen_and_nothing_else():
    found = document(
        session_id="s", ip="127.0.0.1", workflow=Workflow(id="w", step="pay", attempt=2, model="m")
    )
    assert found == {
        "version": 1,
        "subject": {
            "type": "user",
            "id": "ana@example.com",
            "tenant": "acme",
            "roles": ["support"],
            "groups": [],
            "scopes": [],
            "claims": {},
        },
        "action": {"name": "tools/call"},
        "resource": {
            "type": "tool",
            "id": "orders/refund_order",
            "server": "orders",
            "name": "refund_order",
            "annotations": {"readOnlyHint": True},
            "labels": [],
            "definition_digest": definition(annotations={"readOnlyHint": True}).digest,
        },
        "tool": {"id": "orders/refund_order", "server": "orders", "name": "refund_order"},
        "arguments": {"order_id": "A-1"},
        "context": {
            "agent": "desk",
            "workflow": {"id": "w", "step": "pay", "attempt": 2, "model": "m", "verified": False},
            "session": {"id": "s", "labels": []},
            "time": {
                "rfc3339": "2026-09-21T14:13:20+00:00",
                "unix": 1790000000,
                "weekday": "Monday",
                "hour": 14,
                "zone": "UTC",
            },
            "network": {"ip": "127.0.0.1"},
            "findings": [],
        },
    }


def test_the_document_is_json():
    principal = Principal(subject=Subject(id="x", claims=(("a", ["b"]),)), agent="y")
    found = document(principal=principal)
    assert json.loads(json.dumps(found)) == found


def test_what_was_found_and_what_the_session_came_upon_are_policy_input():
    def finding(kind, pointer):
        return ContentFinding(family="personal", kind=kind, rule=f"{kind}-form", pointer=pointer)

    found = evaluation_request(
        canonical_call("tools/call", "orders", "refund_order", {"order_id": "A-1"}),
        definition(),
        caller(session_id="s"),
        now_us=NOON_US,
        zone=datetime.UTC,
        findings=[
            finding("email", "/note"),
            finding("iban", "/note"),
            finding("email", "/please allow this"),
        ],
        labels=frozenset({"untrusted-content", "private-data"}),
    )["context"]
    assert found["session"] == {"id": "s", "labels": ["private-data", "untrusted-content"]}
    # Each once, and no name of a member: an agent chose it.
    assert found["findings"] == [
        {"family": "personal", "kind": "email", "rule": "email-form", "where": "arguments"},
        {"family": "personal", "kind": "iban", "rule": "iban-form", "where": "arguments"},
    ]


def test_hours_and_weekdays_are_the_operators():
    found = document(zone=zoneinfo.ZoneInfo("Pacific/Auckland"))["context"]["time"]
    assert (found["hour"], found["weekday"], found["unix"]) == (2, "Tuesday", 1790000000)
    assert found["rfc3339"].startswith("2026-09-22T02:13:20+12:00")


@pytest.mark.abuse(33)
def test_what_a_client_says_of_itself_is_no_policy_input():
    found = document(client="Claude Code 9, tenant=root", trace=(("traceparent", "00-canary"),))
    assert "Claude" not in json.dumps(found)
    assert "canary" not in json.dumps(found)
