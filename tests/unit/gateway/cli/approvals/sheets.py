"""What the people port answers, as plain JSON, with whatever a test wants to be different."""

from __future__ import annotations

import json
from typing import Any

ID = "3f9a21c4d5e6f708192a"
SEEN = "ab12" * 16


def row(**changes: Any) -> dict[str, Any]:
    """A held refund of 250 EUR, a quarter of an hour old."""
    found = {
        "id": ID,
        "status": "held",
        "round": 1,
        "version": 1,
        "risk": "high",
        "target": "payments/refund",
        "upstream": "payments",
        "tool": "refund",
        "method": "tools/call",
        "requester": {"subject_type": "user", "subject": "ana@example.com", "agent": "desk"},
        "client": "support-bot 1.2",
        "session": "s-17",
        "workflow": {"id": "w-9"},
        "view": {"amount": 250},
        "sentence": "desk, for ana@example.com, wants to call refund on payments with amount 250.",
        "created": "2026-09-21T14:00:00.000Z",
        "updated": "2026-09-21T14:00:00.000Z",
        "expires": "2026-09-21T18:00:00.000Z",
        "expires_in_s": 13_500,
        "approved_until": None,
        "reasons": [{"code": "over_limit", "why": "above 100 EUR", "rule": "toolgate.rules.refunds"}],
        "by": [["refund-lead"]],
        "quorum": 1,
        "approvals": 0,
        "show": ["/amount"],
        "self_confirm": False,
        "on_approval": "execute",
        "claimed_by": "",
        "claimed_until": None,
        "group": "g1",
        "group_size": 1,
        "callers_waiting": 1,
        "edited": False,
        "kept_back": "",
        "outcome": None,
        "reason": "",
        "reason_by": "",
        "seen": SEEN,
        "single_user": False,
    }
    assert changes.keys() <= found.keys()
    return found | changes


def place(**changes: Any) -> dict[str, Any]:
    """Where the rule stands that holds it."""
    found = {
        "rule": "toolgate.rules.refunds",
        "code": "over_limit",
        "file": "refunds.rego",
        "row": 12,
        "text": '# Above it a person agrees.\nhold contains "over_limit" if {\n\tnot small\n}',
        "certain": True,
    }
    assert changes.keys() <= found.keys()
    return found | changes


def canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def sheet(arguments: Any = None, *, hold: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """The sheet of such a call."""
    value = {"amount": 250, "order_id": "A-1001"} if arguments is None else arguments
    held = row() if hold is None else hold
    found = {
        "hold": held,
        "seen": held["seen"],
        "arguments": value,
        "arguments_text": canonical(value),
        "redactions": [],
        "original_text": "",
        "votes": [],
        "events": [
            {
                "seq": 1,
                "at": "2026-09-21T14:00:00.000Z",
                "kind": "held",
                "actor": "gateway",
                "round": 1,
                "fence": 0,
                "details": {"status": "held"},
            }
        ],
        "escalated": False,
        "escalate_to": [],
        "similar": [],
        "group": [held],
        "callers_waiting": held["callers_waiting"],
        "sentence": held["sentence"],
        "definition_title": "Refund an order",
        "uninspectable": "",
        "may_decide": "",
        "colleagues": [],
        "asked": [],
        "statement": None,
        "described": [],
        "places": [place()],
        "places_left_out": 0,
        "policy_moved": False,
        "unusual": [],
        "compared": 0,
        "trail": {"labels": [], "steps": [], "found": {}, "found_by": [], "problem": ""},
    }
    assert changes.keys() <= found.keys()
    return found | changes
