"""What goes over the people port about definitions. See ``models.py`` for what all of it has in common."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from durable.pins.state import State
from gateway.core.definition import Kind, Words
from gateway.people.models import Answer, Asked, Reason, Seen, Time
from gateway.people.sheet_models import Redaction

PAGE_DEFINITIONS_MAX = 1_000
PAGE_DEFINITIONS_DEFAULT = 200
OFFSET_MAX = 1_000_000

EVERY_STATE = tuple(State)
_KINDS = frozenset({*map(str, Kind), *map(str, Words)})


def _kind(text: str) -> str:
    if text not in _KINDS:
        raise ValueError(f"one of {', '.join(sorted(_KINDS))}")
    return text


Upstream = Annotated[str, Field(min_length=1, max_length=64)]
Name = Annotated[str, Field(min_length=1, max_length=2_048, description="of a resource its URI")]
KindName = Annotated[
    str, AfterValidator(_kind), Field(json_schema_extra={"enum": sorted(_KINDS)}, max_length=32)
]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="`listed_digest` of what was looked at")]


class DefinitionsQuery(Asked):
    """Which page of the definitions."""

    upstream: str | None = Field(None, max_length=64)
    state: str | None = Field(
        None, pattern=r"^[a-z]+(,[a-z]+)*$", max_length=100, description="one or more, by comma; none: all"
    )
    limit: int = Field(PAGE_DEFINITIONS_DEFAULT, ge=1, le=PAGE_DEFINITIONS_MAX)
    offset: int = Field(0, ge=0, le=OFFSET_MAX)


class DefinitionQuery(Asked):
    """Which definition; upstream and name are needed."""

    # Left out they are missed only after it is known who asks: strangers learn nothing of what is wanted.
    upstream: Upstream | None = None
    name: Name | None = None
    kind: KindName | None = None
    """Needed where several kinds have one of this name."""


class TrustQuery(Asked):
    """Which upstream; it is needed."""

    upstream: Upstream | None = None


class PinRequest(Asked):
    """Vouch for one form of a definition."""

    upstream: Upstream
    name: Name
    kind: KindName | None = None
    digest: Digest
    reason: Reason = ""


class UnpinRequest(Asked):
    """Take a pin back."""

    upstream: Upstream
    name: Name
    kind: KindName | None = None
    reason: Reason = ""


class TrustRequest(Asked):
    """Pin everything new and clean of an upstream that the summary told of."""

    upstream: Upstream
    seen: Seen


class DefinitionRow(Answer):
    """A definition as it stands in lists: what its upstream lists, and what somebody vouched for."""

    upstream: str
    kind: str
    name: str
    state: State
    """It is offered to agents only while it is `pinned`."""
    digest: str
    """Of the form that was pinned last; empty: none ever was."""
    listed_digest: str
    """Of the form that is listed now."""
    pinned_by: str
    """Who pinned it or took the pin back; `gateway`: on first use."""
    pinned: Time | None
    first_use: bool
    """Nobody has looked at it: the gateway pinned what it saw first."""
    reason: str
    why: str
    """Why it is not offered, and what to do; empty if it is pinned."""
    rules: list[str]
    """Of scanners, that found something in the listed form."""
    updated: Time


class DefinitionPage(Answer):
    """A page of definitions, by upstream, kind and name."""

    definitions: list[DefinitionRow]
    next: int | None
    """`offset` of the next page; null: there is none."""


class FindingModel(Answer):
    """What a scanner saw."""

    rule: str
    reason: str
    pointer: str
    excerpt: str
    """Bounded, everything in it visible."""
    severity: str
    """`quarantine` keeps it from agents until a person has looked; `note` does not."""


class WordModel(Answer):
    """A part of a text."""

    op: Literal["same", "added", "removed"]
    text: str


class ChangeModel(Answer):
    """One thing that differs between the pinned and the listed form."""

    pointer: str
    place: str
    """The same in words."""
    what: Literal["added", "removed", "changed"]
    before: str
    after: str
    words: list[WordModel]
    """Of texts: what stayed, went and came."""


class DefinitionSheetModel(Answer):
    """Everything a person is shown of one definition; secrets in it are replaced by markers."""

    definition: DefinitionRow
    listed: dict[str, Any]
    pinned: dict[str, Any] | None
    findings: list[FindingModel]
    changes: list[ChangeModel]
    changes_left_out: int
    redactions: list[Redaction]
    served: bool
    """It is offered to agents at this moment."""


class TrustModel(Answer):
    """What one word for a whole upstream would pin, and what it would not."""

    upstream: str
    clean: list[DefinitionRow]
    """New and without findings: these would be pinned."""
    counts: dict[str, int]
    """All definitions of the upstream, by state."""
    seen: str
    """What the word has to carry."""


class PinAnswer(Answer):
    """How it stands now."""

    definition: DefinitionRow
