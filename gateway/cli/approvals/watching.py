"""Held calls as they change. When the stream ends it is opened again, and what was missed is told."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from gateway.background import Background
from gateway.cli.approvals.client import ANSWER_BYTES_MAX, DEADLINE_S, TurnedAway, read, said
from gateway.core.visible_text import visible
from gateway.egress import Egress, EgressSettings
from gateway.errors import MalformedMessage, UpstreamError
from gateway.people.models import PAGE_HOLDS_MAX, HoldPage, HoldRow
from gateway.people.sheet.wording import clock, short, span, who
from gateway.upstream.sse import SseParser

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gateway.cli.approvals.client import PeoplePort
    from gateway.egress import HttpAnswer
    from gateway.upstream.sse import Event

EVENT_BYTES_MAX = 1 << 20
IDLE_S = 60.0
"""Longer than any pause between two signs of life: the connection is dead."""
PAUSE_S, PAUSE_MAX_S = 1.0, 30.0
KNOWN_MAX = 1_000
"""Holds whose versions are remembered, to tell after a break what is new."""
OPEN = ("held", "approved", "executing", "outcome_unknown")


class Watch:
    """Follows one person's queue until it is cancelled."""

    def __init__(
        self,
        port: PeoplePort,
        *,
        changed: Callable[[dict[str, Any]], None],
        note: Callable[[str], None],
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """``changed`` gets each row as it was answered; ``note`` a sentence about the connection."""
        self._port = port
        self._changed = changed
        self._note = note
        self._pause = pause
        self._known: dict[str, tuple[int, bool]] = {}
        """Version, and whether it was open, by id."""
        self._began = False

    async def run(self) -> None:
        """Follow, until cancelled.

        Raises:
            TurnedAway: the port refuses this token.
            GatewayError: it could not be reached at the beginning; later this is only noted.
        """
        pause_s = PAUSE_S
        async with (
            Background(on_failure=lambda _name, _error: None) as background,
            Egress(EgressSettings(), clock=time.monotonic, start_task=background.start) as egress,
        ):
            while True:
                try:
                    await self._follow(egress)
                    pause_s = PAUSE_S
                    self._note("the stream ended; it is opened again")
                except (UpstreamError, MalformedMessage) as error:
                    if not self._began:
                        raise
                    self._note(f"{visible(error.reason)}; tried again in {pause_s:g} s")
                except TurnedAway as refusal:
                    if not self._began or refusal.detail.code not in {"draining", "overloaded"}:
                        raise
                    self._note(f"{visible(refusal.detail.message)}; tried again in {pause_s:g} s")
                await self._pause(pause_s)
                pause_s = min(2 * pause_s, PAUSE_MAX_S)

    async def _follow(self, egress: Egress) -> None:
        async with egress.exchange(
            self._port.destination("/events"),
            "GET",
            headers={"Accept": "text/event-stream"},
            deadline_s=None,
            body_bytes_max=None,
        ) as answer:
            if answer.status != 200 or answer.media_type != "text/event-stream":
                said(answer.status, await _bounded(answer))
                return
            reader = SseParser(event_bytes_max=EVENT_BYTES_MAX)
            listed = False
            async for chunk in answer.chunks(idle_s=IDLE_S):
                if not listed:
                    # Whoever lists once the stream is open misses nothing.
                    await self._catch_up(egress)
                    listed = True
                for event in reader.feed(chunk):
                    await self._take(event, egress)

    async def _take(self, event: Event, egress: Egress) -> None:
        if event.name == "reload":
            await self._catch_up(egress)
        elif event.name == "hold":
            self._tell(_parsed(event.data))

    async def _catch_up(self, egress: Egress) -> None:
        """Read what is open; tell what is new or not as it was known. At the beginning nothing is told."""
        rows: list[dict[str, Any]] = []
        query: dict[str, str | int] = {"status": ",".join(OPEN), "limit": PAGE_HOLDS_MAX}
        complete = False
        while not complete and len(rows) < KNOWN_MAX:
            async with egress.exchange(
                self._port.destination(f"/holds?{urlencode(query)}"),
                "GET",
                headers={"Accept": "application/json"},
                deadline_s=DEADLINE_S,
                body_bytes_max=ANSWER_BYTES_MAX,
            ) as answer:
                page = said(answer.status, await answer.read())
            after = read(HoldPage, page).next
            rows += page["holds"]
            complete = after is None
            query["after"] = after or ""
        for row in rows:
            if self._began:
                self._tell(row)
            else:
                self._remember(read(HoldRow, row))
        if not self._began:
            self._note(f"following; {len(rows)}{'' if complete else ' or more'} held calls are open")
        elif complete:
            self._forget({row["id"] for row in rows})
        self._began = True

    def _forget(self, open_now: set[str]) -> None:
        for hold_id in [one for one, (_, is_open) in self._known.items() if is_open and one not in open_now]:
            del self._known[hold_id]
            self._note(f"{short(hold_id)} ended meanwhile; see: toolgate approvals show {short(hold_id)}")

    def _tell(self, value: dict[str, Any]) -> None:
        row = read(HoldRow, value)
        if row.id in self._known and self._known[row.id][0] >= row.version:
            return
        self._remember(row)
        self._changed(value)

    def _remember(self, row: HoldRow) -> None:
        self._known.pop(row.id, None)
        self._known[row.id] = row.version, row.status.value in OPEN
        if len(self._known) > KNOWN_MAX:
            del self._known[next(iter(self._known))]


def line_of(row: HoldRow) -> str:
    """A change in one line."""
    words = [
        clock(row.updated),
        short(row.id),
        f"{row.status.value:<15}",
        f"{row.risk:<6}",
        visible(row.target),
        who(row),
    ]
    if row.status.value == "held":
        words.append(f"{span(row.expires_in_s)} left")
    if row.claimed_by:
        words.append(visible(f"claimed by {row.claimed_by}"))
    if row.reason_by and row.status.value != "held":
        words.append(visible(f"by {row.reason_by}"))
    return "  ".join(words)


def _parsed(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except ValueError as error:
        raise MalformedMessage("the people port sent an event that is not JSON") from error
    if not isinstance(value, dict):
        raise MalformedMessage("the people port sent an event that is no object")
    return value


async def _bounded(answer: HttpAnswer) -> bytes:
    found = b""
    async for chunk in answer.chunks(idle_s=IDLE_S):
        found += chunk
        if len(found) > EVENT_BYTES_MAX:
            break
    return found
