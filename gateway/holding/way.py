"""The way to a held call, as the audit log has it: what its session did before, and what was found in that.

A session here is what labels belong to: one principal in one workflow that its token signs. What a caller
merely says of its workflow divides nothing, nor does the connection that it came on.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, Protocol

from durable.audit.calls import entries_at
from durable.audit.entry import unix_us
from durable.errors import DurableError
from durable.sessions.session import SessionKey
from gateway.desk import Step, Trail

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    from durable.audit.index import Row
    from durable.audit.reading import Entry
    from durable.holds.hold import Hold

STEPS_MAX: Final = 12
LOOKED_MAX: Final = 200
"""Requests of the subject, by whichever agent, that are looked through for those of the session."""
AT_ONCE: Final = 16
"""Entries that are read before it is seen whether more are needed."""
RULES_MAX: Final = 50


class Index(Protocol):
    """What is asked of ``durable.audit.index.AuditIndex``. Blocking; raises ``IndexUnavailable``."""

    def find(
        self,
        tenant: str,
        *,
        kind: str = "",
        subject: str = "",
        before_seq: int | None = None,
        limit: int = 50,
    ) -> list[Row]:
        """Newest first."""
        ...

    def entries_of_call(self, tenant: str, call: str) -> list[Row]:
        """In order."""
        ...

    def ends_of_calls(self, tenant: str, calls: Collection[str]) -> list[Row]:
        """In order."""
        ...


class LoggedWays:
    """Reads them beside the event loop."""

    def __init__(self, index: Index, data: Path) -> None:
        """The index finds, the segments under ``data`` tell."""
        self._index = index
        self._data = data

    async def of(self, hold: Hold) -> Trail:
        """Without labels, which the log does not have. Trouble with the log is told, never raised."""
        try:
            return await asyncio.to_thread(self._of, hold)
        except DurableError as error:
            return Trail(problem=error.reason)
        except OSError as error:
            return Trail(problem=f"it cannot be read ({error.strerror or type(error).__name__})")

    def _of(self, hold: Hold) -> Trail:
        own = [row for row in self._index.entries_of_call(hold.tenant, hold.call_id) if row.kind == "intent"]
        if not own:
            # The index is always a little behind.
            return Trail(problem="its index does not have this call yet; look again in a moment")
        (intent,) = entries_at(self._data, own[:1])
        steps, problem = self._steps(hold, own[0].seq)
        return Trail(
            steps=steps,
            found=_found(intent.members),
            found_by=tuple(sorted(_texts(intent.members.get("rules")))[:RULES_MAX]),
            problem=problem,
        )

    def _steps(self, hold: Hold, before_seq: int) -> tuple[tuple[Step, ...], str]:
        rows = self._index.find(
            hold.tenant,
            kind="intent",
            subject=hold.requester.subject_id,
            before_seq=before_seq,
            limit=LOOKED_MAX,
        )
        intents: list[Entry] = []
        key, holds = session_of(hold), set[str]()
        for start in range(0, len(rows), AT_ONCE):
            intents += [
                entry
                for entry in entries_at(self._data, rows[start : start + AT_ONCE])
                if is_of_session(entry.members, key) and not _is_repeated(entry.members, holds)
            ]
            if len(intents) >= STEPS_MAX:
                break
        intents = intents[:STEPS_MAX]
        problem = ""
        if len(intents) < STEPS_MAX and len(rows) == LOOKED_MAX:
            problem = f"not beyond the latest {LOOKED_MAX} requests for {hold.requester.subject_id}"
        calls = [str(entry.members.get("call")) for entry in intents]
        ends = entries_at(self._data, self._index.ends_of_calls(hold.tenant, calls)) if calls else []
        return tuple(steps_of(reversed(intents), ends)), problem


def session_of(hold: Hold) -> SessionKey:
    """The session that the held call belongs to."""
    requester, workflow = hold.requester, hold.workflow
    return SessionKey(
        tenant=hold.tenant,
        subject_type=requester.subject_type,
        subject_id=requester.subject_id,
        agent=requester.agent,
        workflow=str(workflow.get("id", "")) if workflow.get("verified") else "",
    )


def is_of_session(members: Mapping[str, Any], key: SessionKey) -> bool:
    """Whether an intent of that tenant is one of the session's."""
    stated = members.get("workflow")
    workflow = stated.get("id", "") if isinstance(stated, dict) and stated.get("verified") else ""
    said = (members.get("subject"), members.get("agent"), workflow)
    return said == (key.subject_id, key.agent, key.workflow)


def steps_of(intents: Iterable[Entry], ends: Iterable[Entry]) -> list[Step]:
    """A step for each intent, with the last that is said about its end."""
    ended: dict[Any, list[Entry]] = {}
    for entry in ends:
        ended.setdefault(entry.members.get("call"), []).append(entry)
    steps = []
    for entry in intents:
        members, found = entry.members, Counter(_found(entry.members))
        after = ended.get(members.get("call"), [])
        for end in after:
            found.update(_found(end.members))
        steps.append(
            Step(
                call=_text(members.get("call")),
                at_ms=unix_us(entry.at) // 1000,
                method=_text(members.get("method")),
                target=_text(members.get("tool")) or _text(members.get("target")),
                effect=_text(members.get("effect")),
                status=_text(after[-1].members.get("status")) or after[-1].kind if after else "",
                found=dict(sorted(found.items())),
            )
        )
    return steps


def _is_repeated(members: Mapping[str, Any], holds: set[str]) -> bool:
    """Whether it is an earlier request that is answered from the same held call: those say one thing."""
    hold = members.get("hold")
    if not isinstance(hold, str) or members.get("fence"):
        return False
    known = hold in holds
    holds.add(hold)
    return known


def _found(members: Mapping[str, Any]) -> dict[str, int]:
    found = members.get("found")
    if not isinstance(found, dict):
        return {}
    return {kind: count for kind, count in found.items() if isinstance(count, int)}


def _texts(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _text(value: Any) -> str:
    """Of a line that would have been too long its long strings were cut."""
    cut = value.get("cut") if isinstance(value, dict) else value
    return cut if isinstance(cut, str) else ""
