"""What else a reviewer is told of a held call: the way to it, what is unusual, what the tool's schema says.

None of it is part of what an approval is about, and none of it keeps anybody from looking or deciding:
trouble with the log is a sentence on the sheet.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from durable.holds.finding import precedents
from durable.holds.status import Status
from gateway.holding.describing import described
from gateway.holding.usual import unusual_in
from gateway.holding.way import session_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from durable.holds.hold import Hold
    from durable.sessions.session import SessionKey
    from durable.stores.base import HoldStore
    from gateway.core.definition import Definition
    from gateway.desk import Trail, Unusual
    from gateway.holding.rule_places import HeldBy
    from gateway.ports import Redaction

MAY_RUN = frozenset({Status.HELD, Status.APPROVED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What was found; see ``HoldSheet``."""

    described: tuple[tuple[str, str], ...]
    unusual: tuple[Unusual, ...]
    compared: int
    trail: Trail
    held_by: HeldBy


class Contexts:
    """Gathers it."""

    def __init__(
        self,
        *,
        store: HoldStore,
        redaction: Redaction,
        definition_of: Callable[[Hold], Definition | None],
        kept_back: Callable[[Hold], str],
        labels_of: Callable[[SessionKey], Awaitable[frozenset[str]]],
        way_to: Callable[[Hold], Awaitable[Trail]],
        held_by: Callable[[Hold], HeldBy],
    ) -> None:
        """Take whom to ask.

        Args:
            store: the rows.
            redaction: makes words of servers and agents fit to be shown.
            definition_of: what is offered now under the name; None: nothing.
            kept_back: why the definition that a call is about is not in use; empty if it is.
            labels_of: of a session, without using it.
            way_to: what the log says of the way to a call; without labels, and it does not raise.
            held_by: the rules that hold it, in the policy in force.
        """
        self._store = store
        self._redaction = redaction
        self._definition_of = definition_of
        self._kept_back = kept_back
        self._labels_of = labels_of
        self._way_to = way_to
        self._held_by = held_by

    async def of(self, hold: Hold, arguments: Any) -> Context:
        """Everything about it; ``arguments`` as they are shown, None where they are not.

        Raises:
            StoreUnavailable: the rows cannot be read.
        """
        before, labels, way = await asyncio.gather(
            self._store.read(precedents, hold), self._labels_of(session_of(hold)), self._way_to(hold)
        )
        definition = self._definition_of(hold)
        # Beside the event loop: some milliseconds, and more for arguments that were made to be many.
        unusual, compared = await asyncio.to_thread(
            unusual_in,
            hold,
            # What nobody can look at nobody can approve, whatever is in it.
            {} if arguments is None else arguments,
            before,
            definition_change=self._definition_change(hold, definition),
        )
        return Context(
            described=self._described(hold, definition, arguments),
            unusual=unusual,
            compared=compared,
            trail=replace(
                way,
                labels=tuple(sorted(labels)),
                # Of a call of nothing that is offered the log has the agent's own word.
                steps=tuple(replace(step, target=self._redaction.text(step.target)) for step in way.steps),
            ),
            held_by=self._rules(hold),
        )

    def _rules(self, hold: Hold) -> HeldBy:
        found = self._held_by(hold)
        shown = (replace(one, text=self._redaction.text(one.text)) for one in found.places)
        return replace(found, places=tuple(shown))

    def _definition_change(self, hold: Hold, definition: Definition | None) -> str:
        if hold.status not in MAY_RUN:
            return ""
        kept_back = self._redaction.text(self._kept_back(hold))
        if kept_back:
            return f"Its definition is not in use now: {kept_back}"
        if definition is not None and definition.digest != hold.definition_digest:
            return (
                "Its definition was changed since the call was held; a yes to the old form does not run it."
            )
        return ""

    def _described(
        self, hold: Hold, definition: Definition | None, arguments: Any
    ) -> tuple[tuple[str, str], ...]:
        # What another form says of an argument was never said of this call.
        if arguments is None or definition is None or definition.digest != hold.definition_digest:
            return ()
        schema = definition.members.get("inputSchema")
        found = described(schema, arguments) if isinstance(schema, dict) else ()
        return tuple((pointer, self._redaction.text(text)) for pointer, text in found)
