"""What travels between the event loop and the writer's thread."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from durable.audit.entry import INTENT, NOT_SENT, RECOVERED, Draft
from durable.errors import AuditCorrupt

if TYPE_CHECKING:
    import asyncio

    from durable.audit.entry import Appended, Prepared
    from durable.audit.tree import CompactRange
    from durable.errors import AuditUnavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """A subject whose data key is to be destroyed; ``key`` is its id in hexadecimal, empty if it has none."""

    tenant: str
    subject: str
    key: str


@dataclass(slots=True, kw_only=True, eq=False)
class Handover:
    """The entries of one append, or one enqueued entry: written or refused as a whole."""

    entries: tuple[Prepared, ...]
    waiter: asyncio.Future[tuple[Appended, ...] | AuditUnavailable] | None = None
    """None: nobody waits, and the entry is kept through an outage."""
    handed_s: float = 0.0
    """Loop time."""
    counted: bool = False
    """Whether the loop counts it among the queued."""
    given_up: bool = False
    """The waiter was told that it took too long. Only the loop sets it."""
    refused: str = ""
    """The error code with which the writer reported it as refused. Only the writer sets it."""
    erasure: Erasure | None = None
    """What to destroy once the entries are durable."""
    line_bytes: int = field(init=False)
    payload_bytes: int = field(init=False)

    def __post_init__(self) -> None:
        self.line_bytes = sum([prepared.line_bytes for prepared in self.entries])
        self.payload_bytes = sum([prepared.payload_bytes for prepared in self.entries])


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The writer's state at the moment of a report."""

    tree: CompactRange
    segment_bytes: int
    failure: AuditUnavailable | None
    since_us: int
    last_sync_ms: float
    unresolved_intents: int
    clock_behind_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """These are durable. Without any: only the standing changed."""

    handovers: tuple[Handover, ...]
    places: tuple[tuple[Appended, ...], ...]
    """One per handover; empty where nobody waits for it."""
    standing: Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """These were not acknowledged and will not be; entries that nobody waits for are not among them."""

    handovers: tuple[Handover, ...]
    error: AuditUnavailable
    standing: Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What became of the group under way when the disk failed."""

    stored: tuple[Handover, ...]
    """Nobody waited for these, and they are there."""
    to_write: tuple[Handover, ...]
    """Nobody waited for these, and they are not there."""
    denied: tuple[Draft, ...]
    """``not_sent`` for each refused intent that was on its way to the disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """The group under way: what the disk holds of it is unknown until its sync returned."""

    before: CompactRange
    """The tree of everything acknowledged before it."""
    handovers: tuple[Handover, ...] = ()
    leaves: tuple[bytes, ...] = ()
    """Of its lines, in order; empty as long as none was on its way to the disk."""

    def settle(self, tree: CompactRange) -> Settlement:
        """Decide, now that recovery found this tree. Raises AuditCorrupt if it holds anything else."""
        found = tree.size - self.before.size
        expected = self.before.copy()
        for leaf in self.leaves[: max(0, found)]:
            expected.add(leaf)
        if expected != tree:
            raise AuditCorrupt(f"the log has {tree.size} entries, and not all of them are what was written")
        stored, to_write, denied = [], [], []
        position = 0
        for handover in self.handovers:
            if handover.refused:
                denied += self._denied(handover, found - position)
            elif position < found:
                stored.append(handover)
            elif handover.entries[0].draft.kind != RECOVERED:
                to_write.append(handover)
            position += len(handover.entries)
        return Settlement(stored=tuple(stored), to_write=tuple(to_write), denied=tuple(denied))

    def _denied(self, handover: Handover, found: int) -> list[Draft]:
        """``found``: how many of the handover's entries are there; may be negative."""
        if not self.leaves:
            return []
        return [
            not_sent(prepared.draft, code=handover.refused, stored=offset < found)
            for offset, prepared in enumerate(handover.entries)
            if prepared.draft.kind == INTENT
        ]


def not_sent(intent: Draft, *, code: str, stored: bool) -> Draft:
    """Says of an intent that was refused, and may be in the log, that its call was not made."""
    names = ("call", "subject", "tool", "target")
    kept = {name: intent.members[name] for name in names if name in intent.members}
    return Draft(NOT_SENT, {**kept, "code": code, "intent_stored": stored}, intent.tenant)
