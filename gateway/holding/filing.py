"""From a request that policy holds to its filing: digests, group, redacted view. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from durable.holds.filing import Filing
from durable.holds.hold import Arguments, Requester
from gateway.core.canonical import canonical_json, sha256_hex
from gateway.core.principal import Workflow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from durable.holds.hold import Hold, Requirement
    from gateway.core.call import Call
    from gateway.core.definition import Definition
    from gateway.core.principal import Caller, Principal

HOLDABLE = frozenset({"tools/call", "prompts/get", "resources/read", "completion/complete"})
"""What can be stored and run later: complete in itself, and over once it is answered."""


def requester_of(principal: Principal) -> Requester:
    """The principal's parts as a hold keeps them."""
    subject = principal.subject
    return Requester(subject_type=subject.type, subject_id=subject.id, agent=principal.agent)


def filing_of(
    *,
    hold_id: str,
    call_id: str,
    call: Call,
    caller: Caller,
    digest: str,
    definition: Definition,
    revision: str,
    requirement: Requirement,
    payload: Mapping[str, Any],
    view: Mapping[str, Any],
    statement: Mapping[str, str],
) -> Filing:
    """Everything about a held call that its row keeps.

    Args:
        hold_id: new and unguessable.
        call_id: of the request, in the audit log.
        call: the canonical call.
        caller: who asks.
        digest: the call digest.
        definition: what the agent was served.
        revision: of the policy that holds it.
        requirement: what it asks for.
        payload: the commitment under which the arguments are found.
        view: the arguments redacted and bounded.
        statement: what the agent says of it, redacted.
    """
    return Filing(
        id=hold_id,
        tenant=caller.principal.tenant,
        requester=requester_of(caller.principal),
        session=caller.session_id,
        workflow=workflow_members(caller.workflow),
        client=caller.client,
        method=call.method,
        upstream=call.upstream,
        name=call.name,
        call_id=call_id,
        call_digest=digest,
        group_key=group_key(call, caller),
        idempotency_key=caller.workflow.idempotency_key,
        arguments=stored_arguments(call.arguments_json, payload),
        view=view,
        definition_digest=definition.digest,
        revision=revision,
        requirement=requirement,
        idempotent="idempotent" in definition.labels,
        send_key=hold_id,
        statement=statement,
    )


def stored_arguments(arguments_json: bytes, payload: Mapping[str, Any]) -> Arguments:
    """Where the canonical bytes lie, and what they must be."""
    return Arguments(digest=sha256_hex(arguments_json), size_bytes=len(arguments_json), payload=payload)


def workflow_members(workflow: Workflow) -> dict[str, Any]:
    """A workflow as a row keeps it; empty where the caller said nothing."""
    stated = {
        "id": workflow.id,
        "step": workflow.step,
        "attempt": workflow.attempt,
        "idempotency_key": workflow.idempotency_key,
        "model": workflow.model,
        "verified": workflow.verified,
    }
    return {name: value for name, value in stated.items() if value}


def workflow_of(hold: Hold) -> Workflow:
    """The inverse of ``workflow_members``."""
    return Workflow(**hold.workflow)


def group_key(call: Call, caller: Caller) -> str:
    """What nearly identical calls of one session have in common.

    The same tool, with the same members in its arguments: an agent that repeats itself with small changes
    is looked at once. The session is the workflow where the caller names one, else the client's session.
    """
    session = caller.workflow.id or caller.session_id
    parts = [*caller.principal.key, session, call.method, call.target, *sorted(_places(call.arguments))]
    return sha256_hex(canonical_json(parts))


def _places(arguments: dict[str, Any]) -> set[str]:
    """The paths of all members, two levels deep; list elements are alike."""
    found: set[str] = set()
    for name, value in arguments.items():
        found.add(name)
        if isinstance(value, dict):
            found.update(f"{name}/{inner}" for inner in value)
    return found
