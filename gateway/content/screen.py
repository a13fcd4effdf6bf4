"""What the flows ask of content: the look at texts, the labels of sessions, and placeholders, as one port."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.content.labels import labels_of
from gateway.content.screening import kept_back
from gateway.content.sessions import session_of
from gateway.core.content import NOTHING
from gateway.errors import ApprovalsUnavailable, ScanUnfinished
from gateway.inputs.parked import declined
from gateway.ports import Screened

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from gateway.bridge.inputs import InputAnswer, InputAsk
    from gateway.content.screening import Screening
    from gateway.content.sessions import Sessions
    from gateway.content.vault import Vault
    from gateway.core.call import Call
    from gateway.core.content import Observations
    from gateway.core.definition import Definition
    from gateway.core.obligations import Treatment
    from gateway.core.principal import Caller
    from gateway.ports import AskSink, Notice, NoticeSink, Reply


class ContentScreen:
    """Satisfies the ``Screen`` port."""

    def __init__(self, screening: Screening, sessions: Sessions, vault: Vault) -> None:
        """Take the parts."""
        self._screening = screening
        self._sessions = sessions
        self._vault = vault

    async def arguments(self, call: Call) -> Observations:
        """See the port."""
        return await self._screening.arguments(call)

    async def labels(self, caller: Caller) -> frozenset[str]:
        """See the port."""
        return await self._sessions.labels(caller.principal, caller.workflow)

    async def restored(self, call: Call, caller: Caller, kinds: Collection[str]) -> dict[str, Any]:
        """See the port."""
        session = session_of(caller.principal, caller.workflow)
        found: dict[str, Any] = await self._vault.restored(session, call.arguments, kinds)
        return found

    async def keep(self, call: Call, caller: Caller, *, until_ms: int) -> None:
        """See the port."""
        session = session_of(caller.principal, caller.workflow)
        await self._vault.keep(session, call.arguments, until_ms=until_ms)

    async def reply(
        self, call: Call, caller: Caller, definition: Definition | None, reply: Reply, treatment: Treatment
    ) -> Screened:
        """See the port."""

        async def tokenise(kinds: Mapping[str, str]) -> Mapping[str, str]:
            return await self._vault.tokenised(session_of(caller.principal, caller.workflow), kinds)

        try:
            screened = await self._screening.reply(call, definition, reply, treatment, tokenise)
            labels = labels_of(screened.observations.seen) | treatment.labels
            await self._sessions.add(caller.principal, caller.workflow, labels)
        except ApprovalsUnavailable as error:
            # What an answer means for the calls after it must be known before the agent has it.
            return kept_back(call, reply, NOTHING, error.code, error.reason)
        return screened

    def notices(self, sink: NoticeSink | None) -> NoticeSink | None:
        """See the port."""
        if sink is None:
            return None

        async def on_notice(notice: Notice) -> None:
            shown = await self._screening.notice(notice)
            if shown is not None:
                await sink(shown)

        return on_notice

    def asks(self, sink: AskSink | None) -> AskSink | None:
        """See the port."""
        if sink is None:
            return None

        async def on_ask(ask: InputAsk) -> InputAnswer:
            try:
                shown = await self._screening.ask(ask)
            except ScanUnfinished as error:
                return declined(error.reason)
            return await sink(shown)

        return on_ask


class Unscreened:
    """Satisfies the port where the operator has switched the look at texts off: all passes as it is."""

    def __init__(self, sessions: Sessions) -> None:
        """Labels that policy sets are kept all the same."""
        self._sessions = sessions

    async def arguments(self, call: Call) -> Observations:
        """Nothing is found where nobody looks."""
        return NOTHING

    async def labels(self, caller: Caller) -> frozenset[str]:
        """See the port."""
        return await self._sessions.labels(caller.principal, caller.workflow)

    async def restored(self, call: Call, caller: Caller, kinds: Collection[str]) -> dict[str, Any]:
        """There are no placeholders."""
        return call.arguments

    async def keep(self, call: Call, caller: Caller, *, until_ms: int) -> None:
        """There are no placeholders."""

    async def reply(
        self, call: Call, caller: Caller, definition: Definition | None, reply: Reply, treatment: Treatment
    ) -> Screened:
        """As it is; but what policy wants done cannot be done."""
        if treatment.redact or treatment.tokenise or treatment.block:
            return kept_back(
                call, reply, NOTHING, "scan_off", "policy wants it looked at, and content.scan is false"
            )
        return Screened(reply=reply, observations=NOTHING)

    def notices(self, sink: NoticeSink | None) -> NoticeSink | None:
        """As they are."""
        return sink

    def asks(self, sink: AskSink | None) -> AskSink | None:
        """As they are."""
        return sink
