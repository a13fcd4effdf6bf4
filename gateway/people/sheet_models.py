"""What goes over the people port about one held call. See ``models.py`` for what all of it has in common."""

from __future__ import annotations

from typing import Any, Literal

from durable.holds.status import Status
from gateway.people.models import Answer, HoldRow, Time


class Redaction(Answer):
    """Where a secret was replaced by a marker."""

    pointer: str
    kind: str


class VoteModel(Answer):
    """One person's word in one round."""

    person: str
    verdict: Literal["approve", "deny"]
    round: int
    at: Time
    names: list[str]
    """What they could call themselves then."""
    single_user: bool
    how: str
    reason: str


class EventModel(Answer):
    """One thing that happened."""

    seq: int
    at: Time
    kind: str
    actor: str
    round: int
    fence: int
    details: dict[str, Any]


class AskModel(Answer):
    """One reviewer asked another to look at it."""

    by: str
    whom: str
    note: str
    at: Time


class StatementModel(Answer):
    """Written by the agent, checked by nobody: its own words, secrets replaced by markers."""

    recommendation: str
    """Free text; not a verdict."""
    reasons: str
    risks: str


class SimilarModel(Answer):
    """A past decision about the same tool."""

    id: str
    status: Status
    updated: Time
    by: str
    reason: str
    subject: str
    same: bool
    """The very same call: same caller, arguments and definition."""


class Described(Answer):
    """What the server's schema says of an argument."""

    pointer: str
    text: str
    """The server's words."""


class PlaceModel(Answer):
    """Where a rule stands in the policy that is in force."""

    rule: str
    code: str
    file: str
    row: int
    """Counted from 1: of the first line of `text`."""
    text: str
    """Secrets replaced by markers; says so itself where it is cut."""
    certain: bool
    """It names the code. False: the code is worked out, and this rule is one of those that could say it."""


class UnusualModel(Answer):
    """One fact in which a call differs from what ran before; by the gateway."""

    code: str
    text: str
    pointer: str
    """JSON Pointer of the argument it is about; empty: the call."""


class StepModel(Answer):
    """One earlier call of the same session."""

    call: str
    at: Time
    method: str
    target: str
    effect: str
    status: str
    found: dict[str, int]
    """What was found in arguments and answer, by kind."""


class TrailModel(Answer):
    """What the log and the session say about the way to a held call."""

    labels: list[str]
    """Of the session, now."""
    steps: list[StepModel]
    """The latest before the call, oldest first."""
    found: dict[str, int]
    """What was found in the call's own arguments, by kind."""
    found_by: list[str]
    """The scanners' rules that found it."""
    problem: str
    """Why the log could not be asked; empty if it could."""


class HoldSheetModel(Answer):
    """Everything a reviewer is shown of one held call."""

    hold: HoldRow
    seen: str
    """The same as `hold.seen`."""
    arguments: Any
    """Secrets replaced by markers."""
    arguments_text: str
    """The same as the exact text that an approval is about, but for the markers."""
    redactions: list[Redaction]
    original_text: str
    """What the agent sent, where a reviewer edited it; else empty."""
    votes: list[VoteModel]
    events: list[EventModel]
    escalated: bool
    escalate_to: list[str]
    similar: list[SimilarModel]
    group: list[HoldRow]
    """Nearly identical calls that wait, this one among them."""
    callers_waiting: int
    sentence: str
    definition_title: str
    uninspectable: str
    """Why nobody can approve it; empty if one can."""
    may_decide: str
    """Why this person may not; empty if they may."""
    colleagues: list[str]
    """Ids of the others who may decide it now."""
    asked: list[AskModel]
    """Who was asked to look at it, in this round."""
    statement: StatementModel | None
    """What the agent says of it; null where it says nothing."""
    described: list[Described]
    places: list[PlaceModel]
    """Where the rules that hold it stand, as far as they are in force."""
    places_left_out: int
    """How many more rules could be meant."""
    policy_moved: bool
    """The policy in force is not the revision that held it: the rules may have read differently then."""
    unusual: list[UnusualModel]
    """In what it differs from what ran before."""
    compared: int
    """With how many earlier calls of the tool."""
    trail: TrailModel
