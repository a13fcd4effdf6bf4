"""The evaluation request: the policy input document, version 1, with OpenID AuthZEN names.

Time and counters arrive as arguments, so a decision is a pure function of policy revision and
this document. Nothing an agent wrote, other than its arguments, reaches ``context``.
"""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

from gateway.core.methods import METHODS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gateway.core.call import Call
    from gateway.core.content import ContentFinding
    from gateway.core.definition import Definition
    from gateway.core.principal import Caller

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def evaluation_request(
    call: Call,
    definition: Definition | None,
    caller: Caller,
    *,
    now_us: int,
    zone: datetime.tzinfo,
    approval: Mapping[str, Any] | None = None,
    findings: Iterable[ContentFinding] = (),
    labels: Iterable[str] = (),
) -> dict[str, Any]:
    """The document that policy sees as ``input``.

    Args:
        call: the canonical call.
        definition: the definition that the agent was served for it; None where there is none: what
            an upstream asks, a task.
        caller: who asks, and from which workflow.
        now_us: microseconds since the Unix epoch.
        zone: the operator's time zone, for hours and weekdays.
        approval: what people said, when a held call is evaluated again before it runs.
        findings: what scanners observed in the arguments, and in answers that come with them.
        labels: of the caller's session, by what it was given earlier.
    """
    principal = caller.principal
    subject = principal.subject
    document: dict[str, Any] = {
        "version": 1,
        "subject": {
            "type": subject.type,
            "id": subject.id,
            "tenant": principal.tenant,
            "roles": list(subject.roles),
            "groups": list(subject.groups),
            "scopes": list(subject.scopes),
            "claims": dict(subject.claims),
        },
        "action": {"name": METHODS[call.method].action},
        "resource": _resource(call, definition),
        "arguments": call.arguments,
        "context": {
            "agent": principal.agent,
            "workflow": _workflow(caller),
            "session": {"id": caller.session_id, "labels": sorted(labels)},
            "time": _time(now_us, zone),
            "network": {"ip": caller.ip},
            "findings": _findings(findings),
        },
    }
    if approval is not None:
        document["context"]["approval"] = dict(approval)
    if call.method == "tools/call":
        # Only here: a rule about a tool must not fire for a prompt of the same name.
        document["tool"] = {"id": call.target, "server": call.upstream, "name": call.name}
    return document


def _resource(call: Call, definition: Definition | None) -> dict[str, Any]:
    kind = METHODS[call.method].resource
    resource: dict[str, Any] = {
        "type": kind or (definition.kind.value if definition is not None else ""),
        "id": call.target,
        "server": call.upstream,
        "name": call.name,
        "annotations": {},
        "labels": [],
        "definition_digest": "",
    }
    if definition is not None:
        resource |= {
            "annotations": definition.annotations,
            "labels": list(definition.labels),
            "definition_digest": definition.digest,
        }
    return resource


def _workflow(caller: Caller) -> dict[str, Any]:
    workflow = caller.workflow
    return {
        "id": workflow.id,
        "step": workflow.step,
        "attempt": workflow.attempt,
        "model": workflow.model,
        "verified": workflow.verified,
    }


def _findings(findings: Iterable[ContentFinding]) -> list[dict[str, str]]:
    # Each once, and without its place: names of members are the agent's words.
    found = dict.fromkeys((one.family, one.kind, one.rule, one.where) for one in findings)
    return [
        {"family": family, "kind": kind, "rule": rule, "where": where} for family, kind, rule, where in found
    ]


def _time(now_us: int, zone: datetime.tzinfo) -> dict[str, Any]:
    local = datetime.datetime.fromtimestamp(now_us / 1_000_000, tz=zone)
    return {
        "rfc3339": local.isoformat(timespec="seconds"),
        "unix": now_us // 1_000_000,
        "weekday": WEEKDAYS[local.weekday()],
        "hour": local.hour,
        "zone": str(zone),
    }
