"""What goes over the people port as JSON. The OpenAPI document is made from these models and nothing else.

Requests refuse members they do not know and convert nothing. Answers may grow members. Times are RFC 3339 in
UTC; null where there is none.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from durable.holds.status import Status

REASON_CHARACTERS_MAX = 2_000
EVIDENCE_CHARACTERS_MAX = 4_000
PERSON_CHARACTERS_MAX = 256
PAGE_HOLDS_MAX = 200
PAGE_HOLDS_DEFAULT = 50

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def _printable(text: str) -> str:
    if _CONTROL.search(text):
        # It is shown in terminals, in chats and to the agent.
        raise ValueError("must not contain control characters other than tab and line feed")
    return text


Words = Annotated[str, AfterValidator(_printable)]
Reason = Annotated[Words, Field(max_length=REASON_CHARACTERS_MAX)]
Seen = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="`seen` of what the reviewer was shown")]
Risk = Literal["low", "medium", "high"]
Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


class Asked(BaseModel):
    """The base of every request body and query."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)


class Answer(BaseModel):
    """The base of every answer."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class Empty(Asked):
    """A request that says nothing but that it is one."""


class DecisionRequest(Asked):
    """One person's word about a held call."""

    verdict: Literal["approve", "deny"]
    seen: Seen
    reason: Reason = ""


class AskRequest(Asked):
    """Have a colleague look at a held call."""

    whom: Annotated[Words, Field(min_length=1, max_length=PERSON_CHARACTERS_MAX)]
    """One of the sheet's `colleagues`."""
    note: Reason = ""
    """What they should know; recorded, and told to whoever is told of held calls."""


class EditRequest(Asked):
    """Other arguments in place of the agent's; another round of approvals begins."""

    arguments: dict[str, Any]
    seen: Seen
    reason: Reason = ""


class ResolveRequest(Asked):
    """What became of a call whose outcome was lost; `held` asks for it to be run again."""

    outcome: Literal["succeeded", "failed", "held"]
    evidence: Annotated[Words, Field(min_length=1, max_length=EVIDENCE_CHARACTERS_MAX)]


class CallResolveRequest(Asked):
    """What became of an ordinary call of which the log has no outcome."""

    outcome: Literal["succeeded", "failed"]
    evidence: Annotated[Words, Field(min_length=1, max_length=EVIDENCE_CHARACTERS_MAX)]


class RevokeRequest(Asked):
    """Take an unused approval back."""

    reason: Reason = ""


class EraseRequest(Asked):
    """Destroy what opens a subject's stored values."""

    subject: Annotated[Words, Field(min_length=1, max_length=256)]
    reason: Reason = ""


class HoldsQuery(Asked):
    """Which page of the queue."""

    status: str = Field(
        Status.HELD.value,
        pattern=r"^[a-z_]+(,[a-z_]+)*$",
        max_length=200,
        description="one or more, by comma",
    )
    limit: int = Field(PAGE_HOLDS_DEFAULT, ge=1, le=PAGE_HOLDS_MAX)
    after: str | None = Field(None, max_length=200, description="`next` of the page before")


class GrantsQuery(Asked):
    """How many grants."""

    limit: int = Field(PAGE_HOLDS_DEFAULT, ge=1, le=PAGE_HOLDS_MAX)


class LoginQuery(Asked):
    """What a login link carries."""

    code: str | None = Field(
        None, max_length=200, description="single use; looking at the page does not use it up"
    )


class LoginForm(Asked):
    """What the button of the login page sends."""

    code: str = Field(max_length=200)


class Requester(Answer):
    """Whose call it is."""

    subject_type: str
    subject: str
    agent: str


class Why(Answer):
    """One rule that holds the call."""

    code: str
    why: str
    rule: str


class OutcomeModel(Answer):
    """What came of the call; the answer itself is not shown here."""

    kind: Literal["result", "error", "unknown", "none"]
    code: str
    is_error: bool


class HoldRow(Answer):
    """A held call as it stands in lists. Values of arguments are redacted and bounded (`view`)."""

    id: str
    status: Status
    round: int
    """Of approvals."""
    version: int
    """Grows by one with everything that happens to it."""
    risk: Risk
    target: str
    """`upstream/tool`."""
    upstream: str
    tool: str
    method: str
    requester: Requester
    client: str
    """What the agent's software calls itself; unverified."""
    session: str
    workflow: dict[str, Any]
    view: dict[str, Any]
    sentence: str
    """Facts only, by the gateway."""
    created: Time
    updated: Time
    expires: Time
    expires_in_s: int
    """0 once it is over."""
    approved_until: Time | None
    """Until when an approval can be used."""
    reasons: list[Why]
    by: list[list[str]]
    """Of each group somebody has to agree."""
    quorum: int
    approvals: int | None
    """Different people who said yes in this round; null where it was not counted."""
    show: list[str]
    """JSON Pointers of the arguments to look at first."""
    self_confirm: bool
    on_approval: Literal["execute", "grant"]
    claimed_by: str
    """Who is looking at it now; empty: nobody."""
    claimed_until: Time | None
    group: str
    """Nearly identical calls of one session have the same."""
    group_size: int
    callers_waiting: int
    edited: bool
    kept_back: str
    """Why it would not run now although people may decide it, with what to do; empty if it would."""
    outcome: OutcomeModel | None
    reason: str
    """Why it stands where it stands."""
    reason_by: str
    seen: str
    """What a decision about exactly this has to carry."""
    single_user: bool
    """There is only one reviewer, who stands for every role."""


class HoldPage(Answer):
    """A page of the queue, risk first, then time left."""

    holds: list[HoldRow]
    next: str | None
    """`after` of the next page; null: there is none."""


class Waiting(Answer):
    """How much there is to decide."""

    waiting: int
    """Calls that wait for a person, in the whole tenant."""


class GrantPage(Answer):
    """Approvals that wait for their caller to use them."""

    grants: list[HoldRow]


class DecisionAnswer(Answer):
    """What became of a decision."""

    hold: HoldRow
    counted: bool
    """False where the same person had said the same before: nothing changed."""


class Me(Answer):
    """Who the request speaks for."""

    id: str
    tenant: str
    names: list[str]
    sole: bool
    """The one person of a single-user installation."""
    how: str
    """`token` or `session`."""


class LoginLink(Answer):
    """Good once, for a short while, for the person who asked for it."""

    url: str
    expires_in_s: int


class CallResolved(Answer):
    """What the log says about a call from now on."""

    call: str
    outcome: Literal["succeeded", "failed"]


class Erased(Answer):
    """The subject's stored values can no longer be opened."""

    subject: str


class ErrorDetail(Answer):
    """Why a request was refused."""

    code: str
    """Stable; see gateway/people/README.md."""
    message: str
    next: str
    """What to do about it; may be empty."""
    status: str | None = None
    """Where the hold stands, if that is the reason."""
    by: str | None = None
    """Who or what moved it there."""
    candidates: list[str] | None = None
    """Some of the ids that begin like that."""


class ErrorAnswer(Answer):
    """Every answer that is not a success."""

    error: ErrorDetail
