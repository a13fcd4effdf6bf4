"""What policy says about one call, and what is wrong with a policy text. Values only.

These are the words that the decision point and its callers share; ``ports.py`` has the protocol.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

OnApproval = Literal["execute", "grant"]
DutyKind = Literal["redact", "tokenise", "strip", "label", "block"]


class Risk(enum.IntEnum):
    """How much harm a held call could do. Ordered, so that rules can only raise it with ``max``."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Denial:
    """One ``deny`` member: why the call may not happen."""

    code: str
    message: str
    would_pass: str = ""
    """What the agent could change so that this rule would not fire; empty when nothing helps."""
    rule: str = ""
    """The package that said so, e.g. ``toolgate.rules.refunds``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldRule:
    """One ``hold`` member: who has to agree before the call happens."""

    code: str
    by: tuple[str, ...]
    """Roles, groups or people; members of any one of them may agree."""
    quorum: int
    """How many different people have to agree."""
    ttl_s: int
    """Seconds until the held call expires, which is a denial."""
    risk: Risk | None
    """None: the gateway derives it from labels and findings."""
    why: str
    show: tuple[str, ...]
    """JSON Pointers of the arguments that a reviewer sees first."""
    on_approval: OnApproval
    rule: str
    self_confirm: bool = False
    """The person whose agent asks may say yes."""
    remind_s: int | None = None
    """How often those who may decide are reminded; None: never."""
    escalate_after_s: int | None = None
    """After this time of waiting ``escalate_to`` may decide as well; None: never."""
    escalate_to: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """One ``on_result`` member: what must be done to the result. Not carried out means denied."""

    code: str
    do: DutyKind
    kind: str
    """What to look for (``email``) or, for ``label``, the label; may be empty for strip and block."""
    rule: str
    properties: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """As the rule gave them. Whoever carries the duty out refuses a property it does not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restore:
    """One ``on_call`` member: of which kind the placeholders in a call's arguments become their values again.

    A permission, not a duty: it says nothing about whether the call happens.
    """

    code: str
    kind: str
    """Of what a placeholder stands for (``email``); never empty."""
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One engine's answer to one evaluation request, before findings and pins have spoken.

    Which of denials, holds and allow wins is not decided here.
    """

    allow: bool
    allowed_by: tuple[str, ...]
    """Packages whose ``allow`` is true; empty exactly when ``allow`` is false."""
    denials: tuple[Denial, ...]
    holds: tuple[HoldRule, ...]
    duties: tuple[Duty, ...]
    revision: str
    """The bundle revision that answered."""
    restores: tuple[Restore, ...] = ()
    """Kinds whose placeholders in the arguments become values again; no matter for the effect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong with a policy, placed in the author's file."""

    code: str
    message: str
    file: str = ""
    """Relative to the policy folder; empty when the problem is not in one file."""
    row: int = 0
    """Counted from 1; 0 when the whole file is meant."""
    column: int = 0
    """Counted from 1; 0 when unknown."""
    hint: str = ""
    """What to do about it, in plain words."""

    def __str__(self) -> str:
        """One line, in the shape editors make clickable."""
        place = ":".join(str(part) for part in (self.file, self.row, self.column) if part)
        return f"{place or 'policy'}: {self.code}: {self.message}" + (f" ({self.hint})" if self.hint else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where one rule stands in the author's files."""

    file: str
    """Relative to the policy folder."""
    row: int
    """Counted from 1: of the first line of ``text``."""
    text: str
    """The rule as it is written, with the comment above it; says so itself where it is cut."""
    certain: bool
    """The rule names the code. False: it is one of those that work their code out, and could say this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where the rules stand that say one code."""

    found: tuple[Place, ...] = ()
    """By file and row."""
    left_out: int = 0
    """How many more rules could say it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What was put in force; goes into the audit log."""

    revision: str
    compiler: str
    """Name and version, e.g. ``opa 1.22.2``."""
    plan_digest: str
    """SHA-256 of the compiled plan: covers the shipped library and the compiler too."""
    packages: tuple[str, ...]
    """The rule packages that decide."""
    files: tuple[str, ...]
    may_hold: bool = True
    """False only where it is certain that no request is ever answered with a hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineHealth:
    """An engine's state for people: pages, readiness, ``doctor``."""

    loaded: bool
    revision: str = ""
    problem: str = ""
    """The last thing that went wrong, one line; empty when the last load and worker start succeeded."""
    may_hold: bool = True
    """Whether a rule could hold a call. True also while nothing is in force: what is loaded next may."""
