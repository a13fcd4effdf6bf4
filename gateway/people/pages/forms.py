"""What the forms of the pages send. Each carries the token of the login whose page it stands on."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from gateway.people.definition_models import Digest, Name, Upstream
from gateway.people.models import (
    EVIDENCE_CHARACTERS_MAX,
    REASON_CHARACTERS_MAX,
    Asked,
    Seen,
    Words,
)


def _lines(value: Any) -> Any:
    """Browsers send the line breaks of a text area as CR LF."""
    return value.replace("\r\n", "\n").strip() if isinstance(value, str) else value


Note = Annotated[Words, BeforeValidator(_lines), Field(max_length=REASON_CHARACTERS_MAX)]
Evidence = Annotated[Words, BeforeValidator(_lines), Field(min_length=1, max_length=EVIDENCE_CHARACTERS_MAX)]


class PageForm(Asked):
    """The base of every form."""

    token: str = Field(max_length=128, description="of the page that the form stands on")


class DecideForm(PageForm):
    """A person's word about a held call."""

    verdict: Literal["approve", "deny"]
    seen: Seen
    named: str = Field("", max_length=64, description="a reason by its name; the text wins over it")
    reason: Note = ""
    typed: str = Field("", max_length=256, description="the object of a call of high risk")
    noticed: str = Field("", max_length=8, description="`yes`: what hides in the arguments was read")


class UndoForm(PageForm):
    """Take a word back that has not taken effect."""


class ClaimForm(PageForm):
    """Say that one is looking at it."""


class AskForm(PageForm):
    """Ask somebody else to look at it."""

    whom: str = Field(min_length=1, max_length=256)
    note: Note = ""


class EditForm(PageForm):
    """Other arguments, as JSON text."""

    seen: Seen
    arguments: str = Field(max_length=1 << 20)
    reason: Note = ""


class ResolveForm(PageForm):
    """What became of a call whose outcome was lost."""

    outcome: Literal["succeeded", "failed", "held"]
    evidence: Evidence


class PinForm(PageForm):
    """Vouch for the form that was shown."""

    upstream: Upstream
    name: Name
    kind: str = Field(max_length=32)
    digest: Digest
    reason: Note = ""


class UnpinForm(PageForm):
    """Take a pin back."""

    upstream: Upstream
    name: Name
    kind: str = Field(max_length=32)
    reason: Note = ""


class TrustForm(PageForm):
    """Pin everything new and clean that was shown."""

    upstream: Upstream
    seen: Seen
