"""Asking the agent's own user, where every rule that holds a call lets them confirm it. Pure.

By a form where the client has one, else by the address of the hold, where a person finds out how to decide
it. What a form brings back is the client's word for what its user said; the record says so.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from durable.holds.status import Status
from gateway.bridge.inputs import InputAsk

if TYPE_CHECKING:
    from collections.abc import Mapping

    from durable.holds.hold import Hold
    from gateway.desk import Verdict

METHOD = "elicitation/create"
KEY = "approve"
"""Of the input request of 2026-07-28."""


def question(hold: Hold, capabilities: Mapping[str, Any], *, sentence: str, link: str) -> InputAsk | None:
    """What to put to the user; None where the rules do not let them confirm, or the client cannot ask.

    Args:
        hold: as it is.
        capabilities: of the client.
        sentence: facts about the call.
        link: the page of the hold.
    """
    declared = capabilities.get("elicitation")
    if not hold.requirement.self_confirm or hold.status is not Status.HELD or not isinstance(declared, dict):
        return None
    message = f"toolgate: {sentence} Should it be done?"
    if not declared or "form" in declared:
        params: dict[str, Any] = {"message": message, "requestedSchema": _SCHEMA}
    elif "url" in declared:
        params = {"mode": "url", "elicitationId": hold.id, "url": link, "message": message}
    else:
        return None
    return InputAsk(method=METHOD, params=params, raw=json.dumps(params).encode())


_SCHEMA = {
    "type": "object",
    "properties": {
        KEY: {"type": "boolean", "title": "Do it", "description": "yes: it is done now; no: it is not"}
    },
    "required": [KEY],
}


def verdict_of(answer: Any) -> Verdict | None:
    """What the user said; None if nothing was decided: cancelled, an address to go to, or not of the form."""
    if not isinstance(answer, dict):
        return None
    if answer.get("action") == "decline":
        return "deny"
    content = answer.get("content")
    said = content.get(KEY) if isinstance(content, dict) else None
    if answer.get("action") != "accept" or not isinstance(said, bool):
        return None
    return "approve" if said else "deny"
