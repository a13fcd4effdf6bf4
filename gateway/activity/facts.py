"""From entries of the log to what people are shown of a call. No I/O; everything foreign is redacted."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from durable.audit.entry import INTENT, NOT_SENT, OUTCOME, unix_us
from durable.audit.intents import RESOLUTION, RESOLVING
from gateway.core.activity import CallRow, CallStory, Found, LogEntry

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from durable.audit.reading import Entry
    from gateway.core.activity import LinkedHold, View
    from gateway.ports import Redaction

FIRST_ENTRIES_MAX = 100
LAST_ENTRIES_MAX = 400
"""Of a story. What happens between them is people looking at a held call again and again."""

_COMMITMENT = "_payload"
"""Members of events that say where sealed values lie: nothing for people."""
_KNOWN_ENDS = frozenset({"", "outcome_unknown"})


def intent_of(entries: Sequence[Entry]) -> Entry:
    """The entry that says what was about to be done; the first one where there is none."""
    return next((entry for entry in entries if entry.kind == INTENT), entries[0])


def call_row(entries: Sequence[Entry], redaction: Redaction) -> CallRow:
    """A call for lists, from its intent and what says how it ended; other entries change nothing."""
    intent, outcome = intent_of(entries), _last(entries, OUTCOME)
    said, ended = intent.members, {} if outcome is None else outcome.members
    shown = _texts(
        redaction,
        target=said.get("tool") or said.get("target"),
        subject=said.get("subject"),
        agent=said.get("agent"),
        client=said.get("client"),
        code=said.get("code") or ended.get("code"),
    )
    duration_us = ended.get("duration_us")
    return CallRow(
        call=_text(said.get("call")),
        seq=intent.seq,
        at_ms=_ms(intent),
        method=_text(said.get("method")),
        effect=_text(said.get("effect")),
        would=_text(said.get("would")),
        status=_status(entries),
        duration_us=duration_us if isinstance(duration_us, int) else None,
        is_error=bool(ended.get("is_error")),
        hold=_text(said.get("hold")),
        found=dict(sorted((Counter(_counts(said, "found")) + Counter(_counts(ended, "found"))).items())),
        **shown,
    )


def call_story(
    entries: Sequence[Entry], *, hold: LinkedHold | None, view: View, redaction: Redaction
) -> CallStory:
    """Everything about a call; ``entries`` are all that the log has, in order."""
    intent, outcome = intent_of(entries), _last(entries, OUTCOME)
    said, _ = redaction.shown(dict(intent.members))
    workflow = said.get("workflow", {})
    left_out = max(0, len(entries) - FIRST_ENTRIES_MAX - LAST_ENTRIES_MAX)
    told = (*entries[:FIRST_ENTRIES_MAX], *entries[FIRST_ENTRIES_MAX + left_out :])
    return CallStory(
        row=call_row(entries, redaction),
        entries=tuple(_log_entry(entry, redaction) for entry in told),
        left_out=left_out,
        reasons=tuple(
            (_text(one.get("code")), _text(one.get("rule")))
            for one in _list(said, "reasons")
            if isinstance(one, dict)
        ),
        revision=_text(said.get("revision")),
        definition=_text(said.get("definition")),
        session=_text(said.get("session")),
        workflow=workflow if isinstance(workflow, dict) else {},
        before=_found(intent.members),
        after=_found({} if outcome is None else outcome.members),
        hold=hold,
        view=view,
    )


def _status(entries: Sequence[Entry]) -> str:
    """What the log says came of it. A person's statement counts where the gateway itself does not know."""
    ends = [(entry.kind, _text(entry.members.get("status"))) for entry in entries if entry.kind in RESOLVING]
    status = next((said for kind, said in reversed(ends) if kind == OUTCOME), "")
    if status in _KNOWN_ENDS:
        status = next((said for kind, said in reversed(ends) if kind == RESOLUTION), status)
    if not status and any(kind == NOT_SENT for kind, _ in ends):
        return NOT_SENT
    return status


def _log_entry(entry: Entry, redaction: Redaction) -> LogEntry:
    members = {name: value for name, value in entry.members.items() if not name.endswith(_COMMITMENT)}
    shown, _ = redaction.shown(members)
    return LogEntry(
        seq=entry.seq,
        at_ms=_ms(entry),
        kind=entry.kind,
        members=shown,
        sealed_bytes={name: int(one.get("bytes", 0)) for name, one in entry.payloads.items()},
    )


def _found(members: Mapping[str, Any]) -> Found:
    return Found(
        counts=_counts(members, "found"),
        rules=tuple(rule for rule in _list(members, "rules") if isinstance(rule, str)),
        allowed=_counts(members, "allowed"),
    )


def _counts(members: Mapping[str, Any], name: str) -> dict[str, int]:
    found = members.get(name)
    if not isinstance(found, dict):
        return {}
    return {kind: count for kind, count in found.items() if isinstance(count, int)}


def _list(members: Mapping[str, Any], name: str) -> list[Any]:
    found = members.get(name)
    return found if isinstance(found, list) else []


def _last(entries: Sequence[Entry], kind: str) -> Entry | None:
    return next((entry for entry in reversed(entries) if entry.kind == kind), None)


def _texts(redaction: Redaction, **members: Any) -> dict[str, str]:
    shown, _ = redaction.shown({name: _text(member) for name, member in members.items()})
    # Where the scan did not finish there is one sentence in place of them all.
    instead = "" if shown.keys() >= members.keys() else next(iter(shown.values()), "")
    return {name: shown.get(name, instead) for name in members}


def _text(member: Any) -> str:
    """A text of an entry; one that was too long for its line is there in part."""
    if isinstance(member, dict):
        member = f"{member.get('cut', '')}…"
    return member if isinstance(member, str) else ""


def _ms(entry: Entry) -> int:
    return unix_us(entry.at) // 1000
