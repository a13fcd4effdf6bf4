"""What was refused before it became a call: one record each for principals, a count for strangers.

Junk without a valid token is summed up once a second, so that nobody without one can fill the disk.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

from gateway.core.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.core.principal import Principal
    from gateway.ports import AuditTrail

SUMMARY_S = 1.0
DETAIL_CHARACTERS_MAX = 200


class Refusals:
    """Records refusals of the wire and of the envelope."""

    def __init__(self, audit: AuditTrail, *, redacted: Callable[[str], str]) -> None:
        """Take the trail, and what takes secrets out of a sentence: reasons name what was asked for."""
        self._audit = audit
        self._redacted = redacted
        self._strangers: Counter[str] = Counter()

    def record(self, principal: Principal, code: str, reason: str, method: str) -> None:
        """One refusal of an authenticated request."""
        members = {
            "code": code,
            "reason": self._redacted(reason)[:DETAIL_CHARACTERS_MAX],
            "method": self._redacted(method),
            "subject": principal.subject.id,
            "agent": principal.agent,
        }
        self._audit.enqueue(Record(kind="refusal", tenant=principal.tenant, members=members))

    def count(self, code: str) -> None:
        """One refusal of somebody without a valid token."""
        self._strangers[code] += 1

    async def summarise(self) -> None:
        """Write the counts of each second that had any, for ever."""
        while True:
            await asyncio.sleep(SUMMARY_S)
            self.flush()

    def flush(self) -> None:
        """Write the counts so far."""
        if self._strangers:
            counts, self._strangers = dict(self._strangers), Counter()
            self._audit.enqueue(Record(kind="refusal_summary", tenant="", members={"counts": counts}))
