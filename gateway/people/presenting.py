"""From holds to what goes over the port: the only place that knows both."""

from __future__ import annotations

import dataclasses
import datetime
from typing import TYPE_CHECKING, Any

from durable.holds.hold import RISK_NAMES
from gateway.people.models import HoldRow, OutcomeModel, Requester, Why
from gateway.people.reviewing_models import (
    DeciderModel,
    OpenCalls,
    ReviewingCounts,
    ReviewingDay,
    ReviewingModel,
)
from gateway.people.sheet_models import (
    AskModel,
    Described,
    EventModel,
    HoldSheetModel,
    PlaceModel,
    Redaction,
    SimilarModel,
    StatementModel,
    StepModel,
    TrailModel,
    UnusualModel,
    VoteModel,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from durable.holds.finding import Similar
    from durable.holds.hold import Event, Hold, Outcome, Person, Vote
    from durable.holds.reviewing import Counts, Open, Reviewing
    from gateway.desk import Desk, HoldSheet, RulePlace, Trail, Unusual

_COMMITMENT = "_payload"
"""Members of events that say where sealed values lie: nothing for people."""


def time_text(time_ms: int) -> str:
    """RFC 3339, in UTC, to the millisecond."""
    whole_s, ms = divmod(time_ms, 1_000)
    second = datetime.datetime.fromtimestamp(whole_s, datetime.UTC)
    return f"{second:%Y-%m-%dT%H:%M:%S}.{ms:03d}Z"


class Presenter:
    """Holds as one person is shown them."""

    def __init__(self, desk: Desk, *, now_ms: Callable[[], int]) -> None:
        """The desk knows who waits and what a call would do; ``now_ms`` is the wall clock."""
        self._desk = desk
        self._now_ms = now_ms

    def row(self, hold: Hold, person: Person, *, votes: Iterable[Vote] | None = None) -> HoldRow:
        """A hold as it stands in lists; ``votes`` of any round, where they are known."""
        requirement, now_ms = hold.requirement, self._now_ms()
        claimed = bool(hold.claimed_by) and now_ms < hold.claimed_until_ms
        return HoldRow(
            id=hold.id,
            status=hold.status,
            round=hold.round,
            version=hold.version,
            risk=RISK_NAMES[requirement.risk],
            target=hold.target,
            upstream=hold.upstream,
            tool=hold.name,
            method=hold.method,
            requester=Requester(
                subject_type=hold.requester.subject_type,
                subject=hold.requester.subject_id,
                agent=hold.requester.agent,
            ),
            client=hold.client,
            session=hold.session,
            workflow=dict(hold.workflow),
            view=dict(hold.view),
            sentence=self._desk.sentence(hold),
            created=time_text(hold.created_ms),
            updated=time_text(hold.updated_ms),
            expires=time_text(hold.expires_ms),
            expires_in_s=max(0, hold.expires_ms - now_ms) // 1_000,
            approved_until=_time_or_none(hold.approved_until_ms),
            reasons=[Why(code=one.code, why=one.why, rule=one.rule) for one in requirement.reasons],
            by=[list(group) for group in requirement.groups],
            quorum=requirement.quorum,
            approvals=hold.approvals if votes is None else _approvals(hold, votes),
            show=list(requirement.show),
            self_confirm=requirement.self_confirm,
            on_approval=requirement.on_approval,
            claimed_by=hold.claimed_by if claimed else "",
            claimed_until=time_text(hold.claimed_until_ms) if claimed else None,
            group=hold.group_key,
            group_size=hold.group_size,
            callers_waiting=self._desk.callers_waiting(hold.id),
            edited=hold.original is not None,
            kept_back=self._desk.kept_back(hold),
            outcome=_outcome(hold.outcome),
            reason=hold.reason,
            reason_by=hold.reason_by,
            seen=hold.seen,
            single_user=person.sole,
        )

    def sheet(self, sheet: HoldSheet, person: Person) -> HoldSheetModel:
        """Everything about one hold."""
        story, hold = sheet.story, sheet.story.hold
        return HoldSheetModel(
            hold=self.row(hold, person, votes=story.votes),
            seen=hold.seen,
            arguments=sheet.arguments,
            arguments_text=sheet.arguments_text,
            redactions=[Redaction(pointer=pointer, kind=kind) for pointer, kind in sheet.redactions],
            original_text=sheet.original_text,
            votes=[_vote(vote) for vote in story.votes],
            events=[_event(event) for event in story.events],
            escalated=story.escalated,
            escalate_to=list(hold.requirement.escalate_to),
            similar=[_similar(one) for one in sheet.similar],
            group=[self.row(one, person) for one in sheet.group],
            callers_waiting=sheet.callers_waiting,
            sentence=sheet.sentence,
            definition_title=sheet.definition_title,
            uninspectable=sheet.uninspectable,
            may_decide=sheet.may_decide,
            colleagues=list(sheet.colleagues),
            asked=[_ask(one) for one in story.events if (one.kind, one.round) == ("asked", hold.round)],
            statement=_statement(hold.statement),
            described=[Described(pointer=pointer, text=text) for pointer, text in sheet.described],
            places=[_place(one) for one in sheet.places],
            places_left_out=sheet.places_left_out,
            policy_moved=sheet.policy_moved,
            unusual=[
                UnusualModel(code=one.code, text=one.text, pointer=one.pointer) for one in sheet.unusual
            ],
            compared=sheet.compared,
            trail=_trail(sheet.trail),
        )

    def reviewing(self, found: Reviewing) -> ReviewingModel:
        """How reviewing goes."""
        return ReviewingModel(
            days=[
                ReviewingDay(date=day.date, start=time_text(day.start_ms), **_counts(day.counts))
                for day in found.days
            ],
            total=ReviewingCounts(**_counts(found.total)),
            approval_rate=found.total.approval_rate,
            timed=found.timed,
            median_ms=found.median_ms,
            p90_ms=found.p90_ms,
            deciders=[DeciderModel(person=one.person, yes=one.yes, no=one.no) for one in found.deciders],
            open=_open(found.open, self._now_ms()),
        )


def _counts(counts: Counts) -> dict[str, int]:
    return dataclasses.asdict(counts)


def _open(now: Open, now_ms: int) -> OpenCalls:
    by_risk = {RISK_NAMES[risk]: count for risk, count in now.by_risk}
    return OpenCalls(
        **by_risk,
        oldest=now.oldest,
        oldest_since=_time_or_none(now.oldest_ms),
        oldest_waits_s=max(0, now_ms - now.oldest_ms) // 1_000 if now.oldest else 0,
    )


def _ask(event: Event) -> AskModel:
    return AskModel(
        by=event.actor,
        whom=event.details["whom"],
        note=event.details["note"],
        at=time_text(event.at_ms),
    )


def _statement(said: Mapping[str, str]) -> StatementModel | None:
    if not said:
        return None
    return StatementModel(
        recommendation=said.get("recommendation", ""),
        reasons=said.get("reasons", ""),
        risks=said.get("risks", ""),
    )


def _time_or_none(time_ms: int) -> str | None:
    return time_text(time_ms) if time_ms else None


def _approvals(hold: Hold, votes: Iterable[Vote]) -> int:
    return len(
        {vote.person.casefold() for vote in votes if vote.round == hold.round and vote.verdict == "approve"}
    )


def _outcome(outcome: Outcome | None) -> OutcomeModel | None:
    if outcome is None:
        return None
    return OutcomeModel(kind=outcome.kind, code=outcome.code, is_error=outcome.is_error)


def _vote(vote: Vote) -> VoteModel:
    return VoteModel(
        person=vote.person,
        verdict=vote.verdict,
        round=vote.round,
        at=time_text(vote.at_ms),
        names=sorted(vote.names),
        single_user=vote.sole,
        how=vote.how,
        reason=vote.reason,
    )


def _event(event: Event) -> EventModel:
    return EventModel(
        seq=event.seq,
        at=time_text(event.at_ms),
        kind=event.kind,
        actor=event.actor,
        round=event.round,
        fence=event.fence,
        details=_shown(event.details),
    )


def _shown(details: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in details.items() if not name.endswith(_COMMITMENT)}


def _place(one: RulePlace) -> PlaceModel:
    return PlaceModel(
        rule=one.rule, code=one.code, file=one.file, row=one.row, text=one.text, certain=one.certain
    )


def _unusual(one: Unusual) -> UnusualModel:
    return UnusualModel(code=one.code, text=one.text, pointer=one.pointer)


def _trail(trail: Trail) -> TrailModel:
    return TrailModel(
        labels=list(trail.labels),
        steps=[
            StepModel(
                call=step.call,
                at=time_text(step.at_ms),
                method=step.method,
                target=step.target,
                effect=step.effect,
                status=step.status,
                found=dict(step.found),
            )
            for step in trail.steps
        ],
        found=dict(trail.found),
        found_by=list(trail.found_by),
        problem=trail.problem,
    )


def _similar(one: Similar) -> SimilarModel:
    return SimilarModel(
        id=one.id,
        status=one.status,
        updated=time_text(one.updated_ms),
        by=one.by,
        reason=one.reason,
        subject=one.subject,
        same=one.same,
    )
