"""What is written down about a call: the intent before it, the outcome after it. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.core.call import call_digest
from gateway.core.content import NOTHING
from gateway.core.decision import Effect
from gateway.core.definition import UNLISTED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.core.call import Call
    from gateway.core.content import Observations
    from gateway.core.decision import Decision
    from gateway.core.definition import Definition
    from gateway.core.principal import Caller, Workflow


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """A value that must not enter the log itself: sealed beside it, committed to in the entry."""

    name: str
    subject: str
    body: bytes
    durable: bool = False
    """It will be needed again: kept whole, and durable before the entry that names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """Where a record went."""

    seq: int
    payloads: Mapping[str, Any]
    """The commitments under which its values are found, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """Which held call an entry is about: the hold, and the number of the attempt to run it (0: none)."""

    hold: str
    fence: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One entry to write."""

    kind: str
    tenant: str
    members: Mapping[str, Any]
    payloads: tuple[Payload, ...] = ()


def intent_record(
    call_id: str,
    call: Call,
    caller: Caller,
    definition: Definition | None,
    decision: Decision,
    *,
    forwarded: bool,
    mode: str,
    responses: bytes | None = None,
    attempt: Attempt | None = None,
    found: Observations = NOTHING,
) -> Record:
    """What is about to be done and why; written before it is done.

    ``responses`` are what the agent answered to questions of the upstream. ``attempt`` says which held call
    it is about, ``found`` what stands in the arguments and responses. ``effect`` says what is done.
    In shadow mode a call is forwarded whatever policy says; then
    ``would`` says what enforcing would have done.
    """
    principal = caller.principal
    members: dict[str, Any] = {
        "call": call_id,
        "method": call.method,
        **_target(call, definition),
        "subject": principal.subject.id,
        "agent": principal.agent,
        "effect": (Effect.ALLOW if forwarded else decision.effect).value,
        "mode": mode,
        "code": decision.codes[0] if decision.codes else "",
        "reasons": [{"code": reason.code, "rule": reason.rule} for reason in decision.reasons],
        "revision": decision.revision,
        "era": caller.era,
        "protocol": caller.protocol_version,
        "client": caller.client,
        "session": caller.session_id,
    }
    if forwarded and decision.effect is not Effect.ALLOW:
        members["would"] = decision.effect.value
    if definition is not None:
        members["definition"] = definition.digest
        members["digest"] = call_digest(call, principal, definition.digest)
    members |= _workflow(caller.workflow) | _attempt(attempt) | found.record()
    # What is held will be run, or looked at, from where it lies.
    held = attempt is not None and not attempt.fence
    payloads = [
        Payload(name="arguments", subject=principal.subject.id, body=call.arguments_json, durable=held)
    ]
    if responses is not None:
        payloads.append(Payload(name="input_responses", subject=principal.subject.id, body=responses))
    return Record(kind="intent", tenant=principal.tenant, members=members, payloads=tuple(payloads))


def input_record(
    call_id: str,
    call: Call,
    ask: Call,
    caller: Caller,
    decision: Decision,
    *,
    forwarded: bool,
    found: Observations = NOTHING,
) -> Record:
    """What an upstream asks of the agent's side in the middle of a call, and whether it is let through.

    ``found`` is what stood in the question before it was cleaned; ``ask`` is the question after that.
    """
    about = {"call": call_id, "method": ask.method, "upstream": ask.upstream, "during": call.method}
    payload = Payload(name="request", subject=caller.principal.subject.id, body=ask.arguments_json)
    return _judged_record("input_request", about, caller, decision, payload, forwarded=forwarded, found=found)


def answer_record(
    call_id: str,
    call: Call,
    caller: Caller,
    decision: Decision,
    answers: bytes,
    *,
    forwarded: bool,
    found: Observations,
) -> Record:
    """What an agent answers while its call runs, and whether it goes on to the upstream that asked.

    ``found`` is what stands in the call's arguments and in the answers.
    """
    about = {"call": call_id, "upstream": call.upstream, "during": call.method}
    payload = Payload(name="input_responses", subject=caller.principal.subject.id, body=answers)
    return _judged_record("input_answer", about, caller, decision, payload, forwarded=forwarded, found=found)


def _judged_record(
    kind: str,
    about: Mapping[str, Any],
    caller: Caller,
    decision: Decision,
    payload: Payload,
    *,
    forwarded: bool,
    found: Observations,
) -> Record:
    members: dict[str, Any] = {
        **about,
        "subject": caller.principal.subject.id,
        "agent": caller.principal.agent,
        "effect": (Effect.ALLOW if forwarded else decision.effect).value,
        "code": decision.codes[0] if decision.codes else "",
        "reasons": [{"code": reason.code, "rule": reason.rule} for reason in decision.reasons],
        "revision": decision.revision,
        **found.record(),
    }
    return Record(kind=kind, tenant=caller.principal.tenant, members=members, payloads=(payload,))


def outcome_record(
    call_id: str,
    call: Call,
    caller: Caller,
    definition: Definition | None,
    status: str,
    *,
    code: str = "",
    duration_us: int | None = None,
    body: bytes | None = None,
    is_error: bool = False,
    attempt: Attempt | None = None,
    kept: bool = False,
    modern: bool = False,
    found: Observations = NOTHING,
) -> Record:
    """What became of it.

    Args:
        call_id: joins it to the intent.
        call: the canonical call.
        caller: who asked.
        definition: what the agent was served for it.
        status: ``succeeded`` (it ran, also if the tool reports an error), ``failed`` (the upstream's
            own protocol error), ``refused``, ``held`` (a person decides), ``repeated`` (answered from the
            record of an earlier call), ``not_sent``, ``outcome_unknown``, ``input_required`` (the upstream
            asks for something first; the agent's next request carries on).
        code: why, unless it succeeded.
        duration_us: from the send to the answer.
        body: the answer, sealed.
        is_error: the tool's own ``isError``.
        attempt: which held call it was an attempt of.
        kept: somebody will collect the answer from where it is sealed.
        modern: the answer is in the form of 2026-07-28; said only of an attempt.
        found: what stood in the answer before it was cleaned.
    """
    principal = caller.principal
    members: dict[str, Any] = {"call": call_id, **_target(call, definition), "status": status}
    if duration_us is not None:
        members["duration_us"] = duration_us
    if code:
        members["code"] = code
    if is_error:
        members["is_error"] = True
    members |= _attempt(attempt) | found.record()
    if attempt is not None and modern:
        members["modern"] = True
    subject = principal.subject.id
    payloads = () if body is None else (Payload(name="result", subject=subject, body=body, durable=kept),)
    return Record(kind="outcome", tenant=principal.tenant, members=members, payloads=payloads)


def _target(call: Call, definition: Definition | None) -> dict[str, str]:
    """What a call is about, without anything that only the agent wrote: a URI may hold a secret."""
    if call.method == "tools/call":
        return {"tool": call.target}
    completes_uri = (
        call.method == "completion/complete" and call.arguments["ref"].get("type") == "ref/resource"
    )
    if completes_uri or call.method.startswith("resources/"):
        name = (
            definition.name if definition is not None and UNLISTED not in definition.labels else "(unlisted)"
        )
        return {"target": f"{call.upstream}/{name}"}
    return {"target": call.target}


def _attempt(attempt: Attempt | None) -> dict[str, Any]:
    if attempt is None:
        return {}
    return {"hold": attempt.hold, "fence": attempt.fence} if attempt.fence else {"hold": attempt.hold}


def _workflow(workflow: Workflow) -> dict[str, Any]:
    if not (workflow.id or workflow.step or workflow.idempotency_key or workflow.model or workflow.attempt):
        return {}
    stated = {
        "id": workflow.id,
        "step": workflow.step,
        "attempt": workflow.attempt,
        "idempotency_key": workflow.idempotency_key,
        "model": workflow.model,
        "verified": workflow.verified,
    }
    return {"workflow": stated}
