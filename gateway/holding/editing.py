"""Arguments that a reviewer puts in place of the agent's: as strictly read, judged and kept as those were."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from durable.holds.deciding import Edit
from gateway.core.call import call_digest, canonical_call
from gateway.core.decision import Effect, decide
from gateway.core.evaluation import evaluation_request
from gateway.core.principal import Caller
from gateway.core.record import Payload, Record
from gateway.core.requirement import requirement_of
from gateway.errors import (
    DefinitionKeptBack,
    InvalidArguments,
    InvalidParams,
    PolicyUnanswered,
    ScanUnfinished,
    UnknownPrompt,
    UnknownTool,
)
from gateway.holding.filing import stored_arguments, workflow_of
from gateway.passage.passage import NAMED
from policies.errors import PolicyUnavailable

if TYPE_CHECKING:
    import datetime
    from collections.abc import Callable

    from durable.holds.hold import Hold, Person
    from gateway.core.call import Call
    from gateway.core.definition import Definition
    from gateway.ports import AuditTrail, Policy, Principals, Redaction, Screen


class Editing:
    """Judges an edit before it is written."""

    def __init__(
        self,
        *,
        principals: Principals,
        definition_of: Callable[[Call], Definition | None],
        policy: Policy,
        screen: Screen,
        policy_deadline_s: float,
        audit: AuditTrail,
        redaction: Redaction,
        clock_us: Callable[[], int],
        zone: datetime.tzinfo,
    ) -> None:
        """Take what judges."""
        self._principals = principals
        self._definition_of = definition_of
        self._policy = policy
        self._screen = screen
        self._policy_deadline_s = policy_deadline_s
        self._audit = audit
        self._redaction = redaction
        self._clock_us = clock_us
        self._zone = zone

    async def judged(self, hold: Hold, arguments: dict[str, Any], person: Person) -> Edit:
        """The edit as it may be put in place; its arguments are sealed and in the log.

        Raises:
            InvalidParams: they do not fit the tool, or policy denies the call with them.
            PolicyUnanswered: no verdict.
            AuditUnwritable: they could not be kept.
        """
        if hold.method not in NAMED:
            # What they are about stands in their arguments, and policy would go on judging the old one.
            raise InvalidParams(
                f"the arguments of {hold.method} cannot be changed; deny it and let the agent ask again"
            )
        requester = hold.requester
        principal = self._principals.current(
            hold.tenant, requester.subject_type, requester.subject_id, requester.agent
        )
        if principal is None:
            raise InvalidParams("the agent that asked is no longer let in; nothing can run for it")
        caller = Caller(principal=principal, workflow=workflow_of(hold), client=hold.client)
        call = canonical_call(hold.method, hold.upstream, hold.name, arguments)
        definition = self._offered(call)
        if definition.digest != hold.definition_digest:
            raise InvalidParams(
                "the tool's definition changed since it was held; deny it and let the agent ask again"
            )
        try:
            definition.arguments.check(call.arguments, call.target)
        except InvalidArguments as error:
            raise InvalidArguments(f"the edited arguments do not fit: {error.reason}") from error
        try:
            noticed, labels = await self._screen.arguments(call, caller), await self._screen.labels(caller)
        except ScanUnfinished as error:
            raise InvalidParams(error.reason) from error
        evaluation = evaluation_request(
            call,
            definition,
            caller,
            now_us=self._clock_us(),
            zone=self._zone,
            findings=noticed.findings,
            labels=labels,
        )
        try:
            verdict = await self._policy.evaluate(evaluation, deadline_s=self._policy_deadline_s)
        except PolicyUnavailable as error:
            raise PolicyUnanswered(f"policy gave no usable answer ({error.code})") from error
        decision = decide(verdict)
        if decision.effect is Effect.DENY:
            reason = decision.reasons[0]
            raise InvalidParams(f"policy denies the edited call: {reason.code} {reason.message}".rstrip())
        requirement = requirement_of(verdict.holds) if decision.effect is Effect.HOLD else hold.requirement
        return Edit(
            arguments=stored_arguments(call.arguments_json, await self._kept(hold, call, person)),
            view=self._redaction.view(call.arguments),
            call_digest=call_digest(call, principal, definition.digest),
            revision=verdict.revision,
            requirement=requirement,
        )

    def _offered(self, call: Call) -> Definition:
        try:
            definition = self._definition_of(call)
        except DefinitionKeptBack as error:
            raise InvalidParams(error.reason, next_step="have its definition looked at first") from error
        except (UnknownTool, UnknownPrompt) as error:
            raise InvalidParams(f"it is not offered any more: {error.reason}") from error
        if definition is None:
            raise InvalidParams("it is not offered any more")
        return definition

    async def _kept(self, hold: Hold, call: Call, person: Person) -> dict[str, Any]:
        """Seal the edited arguments, under the subject whose call it is."""
        members = {
            "hold": hold.id,
            "call": hold.call_id,
            "tool": hold.target,
            "subject": hold.requester.subject_id,
            "by": person.id,
        }
        payload = Payload(
            name="arguments", subject=hold.requester.subject_id, body=call.arguments_json, durable=True
        )
        record = Record(kind="edit", tenant=hold.tenant, members=members, payloads=(payload,))
        recorded = (await self._audit.append(record))[0]
        return dict(recorded.payloads["arguments"])
