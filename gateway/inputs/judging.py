"""What an upstream asks in the middle of a call, and what it is answered there: looked at, decided, recorded.

A question is looked at before policy is asked about it, and labels its session before it is shown, like a
result. Answers that an agent gives while its call stays open are what the call is decided about once more; an
agent that comes again with its answers is decided about like any call (``gateway/enforcement.py``).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from gateway.bridge.inputs import signed, without_words
from gateway.core.call import canonical_call
from gateway.core.capabilities import NEEDED, lacking
from gateway.core.content import NOTHING
from gateway.core.decision import Decision, Effect, decide, refusal
from gateway.core.evaluation import evaluation_request
from gateway.core.obligations import treatment_of
from gateway.core.record import answer_record, input_record
from gateway.errors import ApprovalsUnavailable, InputRefused, ScanUnfinished
from gateway.inputs.fitness import another_question, unfit_elicitation
from gateway.ports import ScreenedAsk
from policies.errors import PolicyUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway.bridge.inputs import InputAsk
    from gateway.core.call import Call
    from gateway.core.content import Observations
    from gateway.core.definition import Definition
    from gateway.core.principal import Caller
    from gateway.inputs.values import RoundSettings, Underway
    from gateway.ports import AuditTrail, Policy, Screen


class Judging:
    """Decides what may be asked and what may be answered."""

    def __init__(
        self,
        *,
        policy: Policy,
        audit: AuditTrail,
        screen: Screen,
        settings: RoundSettings,
        clock_us: Callable[[], int],
    ) -> None:
        """Take ports."""
        self._policy = policy
        self._audit = audit
        self._screen = screen
        self._settings = settings
        self._clock_us = clock_us

    def grants(self, upstream: str) -> frozenset[str]:
        """What an upstream may ask at all."""
        return self._settings.grants.get(upstream, frozenset())

    async def question(self, underway: Underway, ask: InputAsk) -> InputAsk:
        """Decide whether a question may be put to the agent, and record it.

        Returns:
            The question as it is put: cleaned, and a form or address says which server asks.

        Raises:
            InputRefused: not granted, not declared by the client, a form for secrets, with something in it
                that policy keeps back, or denied by policy.
            AuditUnwritable: it could not be recorded, so it is not put.
        """
        call, caller = underway.call, underway.caller
        seen, labels = await self._looked_at(underway, ask)
        refused = self._not_entitled(call.upstream, caller, seen.ask) or seen.refused or _unfit(ask, seen.ask)
        asked = _as_call(underway, seen.ask)
        decision = refused or await self._decided(asked, None, caller, seen.observations, labels)
        allowed = decision.effect is Effect.ALLOW or (refused is None and self._settings.shadow)
        if allowed and decision.duties:
            # What policy wants done about this question alone, besides what it wants done for the call.
            treatment = treatment_of(decision.duties)
            again = await self._screen.question(call, caller, seen.ask, treatment)
            broken = again.refused or _unfit(ask, again.ask)
            seen, asked = replace(seen, ask=again.ask), _as_call(underway, again.ask)
            decision, allowed = broken or decision, broken is None
        await self._audit.append(
            input_record(
                underway.call_id,
                call,
                asked,
                caller,
                decision,
                forwarded=allowed,
                found=seen.observations,
            )
        )
        if not allowed:
            raise InputRefused(
                f"upstream {call.upstream!r} may not ask for {ask.method} here {_because(decision)}"
            )
        return signed(seen.ask, call.upstream)

    async def answers(self, underway: Underway, answers: Mapping[str, bytes]) -> None:
        """Decide whether what an agent answered while its call runs may go on, and record it.

        Policy is asked about the call once more, with what was found in the answers.

        Args:
            underway: the call; what policy asks to be done to its answer is added to it.
            answers: JSON, by anything.

        Raises:
            InputRefused: policy does not let the call go on with them, or nobody can say what is in them.
            AuditUnwritable: it could not be recorded, so they do not go on.
        """
        call, caller = underway.call, underway.caller
        found, refused = NOTHING, None
        try:
            found = await self._screen.arguments(call, caller, answers)
            labels = await self._screen.labels(caller)
        except (ScanUnfinished, ApprovalsUnavailable) as error:
            decision = refused = refusal(error.code, error.reason)
        else:
            decision = await self._decided(call, underway.definition, caller, found, labels)
        allowed = decision.effect is Effect.ALLOW or (refused is None and self._settings.shadow)
        body = msgspec.json.encode({key: msgspec.Raw(value) for key, value in answers.items()})
        await self._audit.append(
            answer_record(underway.call_id, call, caller, decision, body, forwarded=allowed, found=found)
        )
        if not allowed:
            raise InputRefused(
                f"what was answered may not go on to upstream {call.upstream!r} {_because(decision)}"
            )
        underway.treatment = underway.treatment.joined(treatment_of(decision.duties))

    async def _looked_at(self, underway: Underway, ask: InputAsk) -> tuple[ScreenedAsk, frozenset[str]]:
        """The question as it may be shown, and the labels that its session had before it."""
        caller = underway.caller
        try:
            labels = await self._screen.labels(caller)
        except ApprovalsUnavailable as error:
            refused = refusal(error.code, error.reason)
            return ScreenedAsk(ask=without_words(ask), observations=NOTHING, refused=refused), frozenset()
        return await self._screen.question(underway.call, caller, ask, underway.treatment), labels

    def _not_entitled(self, upstream: str, caller: Caller, ask: InputAsk) -> Decision | None:
        """Why it may not ask such a thing of this agent, whatever it says."""
        needed = NEEDED.get(ask.method)
        if needed is None:
            return refusal("unknown_method", "not something a server can ask for")
        if needed not in self.grants(upstream):
            return refusal("input_not_granted", f"upstreams.{upstream}.grants does not name {needed}")
        missing = lacking(ask.method, ask.params, caller.capabilities)
        if missing:
            return refusal("capability_missing", f"the client has not declared {missing}")
        return None

    async def _decided(
        self,
        call: Call,
        definition: Definition | None,
        caller: Caller,
        found: Observations,
        labels: frozenset[str],
    ) -> Decision:
        evaluation = evaluation_request(
            call,
            definition,
            caller,
            now_us=self._clock_us(),
            zone=self._settings.zone,
            findings=found.findings,
            labels=labels,
        )
        try:
            return decide(
                await self._policy.evaluate(evaluation, deadline_s=self._settings.policy_deadline_s)
            )
        except PolicyUnavailable as error:
            return refusal(error.code, f"policy gave no answer: {error}")


def _unfit(ask: InputAsk, shown: InputAsk) -> Decision | None:
    """Why what a server asked must not be shown as it is by now."""
    unfit = unfit_elicitation(shown.params) if shown.method == "elicitation/create" else None
    return unfit or another_question(ask.params, shown.params)


def _as_call(underway: Underway, ask: InputAsk) -> Call:
    """The question as policy and the log see it."""
    return canonical_call(ask.method, underway.call.upstream, underway.caller.principal.agent, ask.params)


def _because(decision: Decision) -> str:
    reason = decision.reasons[0]
    return f"({reason.code})" + (f": {reason.message}" if reason.message else "")
