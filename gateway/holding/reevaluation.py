"""What is true of an approved call at the moment it is about to run. Gathers; the store judges."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from durable.holds.executing import Now
from durable.holds.hold import Person
from gateway.core.call import call_digest, canonical_call
from gateway.core.canonical import sha256_hex
from gateway.core.decision import Effect, decide
from gateway.core.evaluation import evaluation_request
from gateway.core.principal import Caller
from gateway.core.requirement import requirement_of, stricter
from gateway.errors import (
    ApprovalsUnavailable,
    DefinitionKeptBack,
    InvalidParams,
    PayloadGone,
    ScanUnfinished,
    UnknownPrompt,
    UnknownResource,
    UnknownTool,
)
from gateway.holding.filing import workflow_of
from gateway.passage.passage import NAMED

if TYPE_CHECKING:
    import datetime
    from collections.abc import Callable, Mapping, Sequence

    from durable.holds.hold import Hold, Vote
    from durable.pins.pin import PinKey
    from gateway.core.call import Call
    from gateway.core.definition import Definition
    from gateway.ports import Payloads, Policy, Principals, Reviewers, Screen
    from policies.model import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A held call brought up to date."""

    now: Now
    call: Call | None
    """None where what is stored cannot be read or understood; then ``now.denied`` says so."""
    caller: Caller | None
    definition: Definition | None
    verdict: Verdict | None


class NotNow(Exception):
    """It cannot run at the moment, or nobody can know whether it may; ask again later."""


class Reevaluation:
    """Reads the stored call, looks up who and what it is about, and asks policy again."""

    def __init__(
        self,
        *,
        payloads: Payloads,
        principals: Principals,
        reviewers: Reviewers,
        definition_of: Callable[[Call], Definition | None],
        pin_of: Callable[[Definition], PinKey | None],
        reachable: Callable[[str], bool],
        policy: Policy,
        screen: Screen,
        policy_deadline_s: float,
        clock_us: Callable[[], int],
        zone: datetime.tzinfo,
    ) -> None:
        """Take what is asked.

        Args:
            payloads: the stored arguments.
            principals: who may call now.
            reviewers: who may decide now.
            definition_of: what is offered now; raises as ``SubjectMatter.of``.
            pin_of: which pin has to be in force for that; None: it cannot have one.
            reachable: whether an upstream has answered since the start, so that "not offered" is a fact.
            policy: the decision point.
            screen: labels of the session, and what is found in the arguments.
            policy_deadline_s: for one evaluation.
            clock_us: microseconds since the Unix epoch.
            zone: of hours and weekdays in policy.
        """
        self._payloads = payloads
        self._principals = principals
        self._reviewers = reviewers
        self._definition_of = definition_of
        self._pin_of = pin_of
        self._reachable = reachable
        self._policy = policy
        self._screen = screen
        self._policy_deadline_s = policy_deadline_s
        self._clock_us = clock_us
        self._zone = zone

    async def of(self, hold: Hold, votes: Sequence[Vote]) -> Standing:
        """How it stands.

        Raises:
            NotNow: its upstream has not answered yet, or its definition is kept back.
            PolicyUnavailable: no verdict.
        """
        requester = hold.requester
        principal = self._principals.current(
            hold.tenant, requester.subject_type, requester.subject_id, requester.agent
        )
        try:
            body = await self._payloads.read(hold.tenant, requester.subject_id, hold.arguments.payload)
        except PayloadGone as error:
            return self._refused(hold, error.reason)
        except ApprovalsUnavailable as error:
            raise NotNow(error.reason) from error
        if principal is None:
            return self._refused(hold, "the agent that asked is no longer let in", body=body)
        caller = Caller(
            principal=principal, workflow=workflow_of(hold), session_id=hold.session, client=hold.client
        )
        call = canonical_call(hold.method, hold.upstream, hold.name, json.loads(body))
        try:
            definition = self._definition_of(call)
            if definition is None:
                return self._refused(hold, "it is not offered any more", body=body)
            if call.method in NAMED:
                definition.arguments.check(call.arguments, call.target)
        except DefinitionKeptBack as error:
            # Nobody knows yet in which form it comes back. In its old form it is what was approved, in
            # another one people decide again; until then the approval runs out in its own time.
            raise NotNow(error.reason) from error
        except (UnknownTool, UnknownPrompt, UnknownResource) as error:
            if not self._reachable(hold.upstream):
                raise NotNow(error.reason) from error
            return self._refused(hold, f"it is not offered any more: {error.reason}", body=body)
        except InvalidParams as error:
            return self._refused(hold, f"its arguments do not fit any more: {error.reason}", body=body)
        try:
            noticed, labels = await self._screen.arguments(call, caller), await self._screen.labels(caller)
        except (ScanUnfinished, ApprovalsUnavailable) as error:
            raise NotNow(error.reason) from error
        verdict = await self._policy.evaluate(
            evaluation_request(
                call,
                definition,
                caller,
                now_us=self._clock_us(),
                zone=self._zone,
                approval=approval_context(hold, votes),
                findings=noticed.findings,
                labels=labels,
            ),
            deadline_s=self._policy_deadline_s,
        )
        return self._standing(hold, body, call, caller, definition, verdict)

    def _standing(
        self,
        hold: Hold,
        body: bytes,
        call: Call,
        caller: Caller,
        definition: Definition,
        verdict: Verdict,
    ) -> Standing:
        decision = decide(verdict)
        asked = requirement_of(verdict.holds) if decision.effect is Effect.HOLD else None
        if asked is not None and hold.original is not None:
            asked = replace(asked, on_approval="execute")
        denied = ""
        if decision.effect is Effect.DENY:
            reason = decision.reasons[0]
            denied = f"policy denies it by now: {reason.code}" + (
                f": {reason.message}" if reason.message else ""
            )
        now = Now(
            arguments_digest=sha256_hex(body),
            call_digest=call_digest(call, caller.principal, definition.digest),
            definition_digest=definition.digest,
            revision=verdict.revision,
            denied=denied,
            requirement=asked,
            stricter="" if asked is None else stricter(asked, hold.requirement),
            people=self.people(hold),
            pin=self._pin_of(definition),
        )
        return Standing(now=now, call=call, caller=caller, definition=definition, verdict=verdict)

    def people(self, hold: Hold) -> Mapping[str, Person]:
        """Who may still have said yes: the reviewers of today, and the requester where the rules say so."""
        people = {person.id: person for person in self._reviewers.people(hold.tenant)}
        if hold.requirement.self_confirm:
            own = Person(id=hold.requester.subject_id, tenant=hold.tenant, names=frozenset())
            people.setdefault(own.id, own)
        return people

    def _refused(self, hold: Hold, reason: str, *, body: bytes | None = None) -> Standing:
        now = Now(
            # Without the bytes nothing can be said about them; the denial ends it all the same.
            arguments_digest=hold.arguments.digest if body is None else sha256_hex(body),
            call_digest=hold.call_digest,
            definition_digest=hold.definition_digest,
            revision=hold.revision,
            denied=reason,
            requirement=None,
            stricter="",
            people={},
        )
        return Standing(now=now, call=None, caller=None, definition=None, verdict=None)


def approval_context(hold: Hold, votes: Sequence[Vote]) -> dict[str, Any]:
    """``context.approval``: what people said, for rules that want to look at it."""
    approving = [vote for vote in votes if vote.verdict == "approve" and vote.round == hold.round]
    return {
        "id": hold.id,
        "round": hold.round,
        "approvers": sorted(vote.person for vote in approving),
        "approved_at": max((vote.at_ms for vote in approving), default=0) // 1000,
        "edited": hold.original is not None,
        "self": any(
            vote.sole or vote.person.casefold() == hold.requester.subject_id.casefold() for vote in approving
        ),
    }
