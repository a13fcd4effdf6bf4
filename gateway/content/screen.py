"""What the flows ask of content: the look at texts, the labels of sessions, and placeholders, as one port."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

from gateway.content.labels import labels_of
from gateway.content.screening import NO_ANSWERS, kept_back, unshown, words_of
from gateway.content.sessions import session_of
from gateway.core.content import NOTHING
from gateway.errors import ApprovalsUnavailable
from gateway.ports import Screened, ScreenedAsk

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Mapping

    from gateway.bridge.inputs import InputAsk
    from gateway.content.screening import Screening, Tokenise
    from gateway.content.sessions import Sessions
    from gateway.content.vault import Vault
    from gateway.core.call import Call
    from gateway.core.content import Observations
    from gateway.core.definition import Definition
    from gateway.core.obligations import Treatment
    from gateway.core.principal import Caller
    from gateway.ports import Notice, NoticeSink, Reply


NOTICES_TOGETHER: Final = 8
"""Notices of one call that are looked at as one text, and"""
NOTICE_CHARACTERS: Final = 1_000
"""how much of each, from its end."""

SCAN_OFF: Final = ("scan_off", "policy wants it looked at, and content.scan is false")


class ContentScreen:
    """Satisfies the ``Screen`` port."""

    def __init__(self, screening: Screening, sessions: Sessions, vault: Vault) -> None:
        """Take the parts."""
        self._screening = screening
        self._sessions = sessions
        self._vault = vault

    async def arguments(
        self, call: Call, caller: Caller, answers: Mapping[str, bytes] = NO_ANSWERS
    ) -> Observations:
        """See the port."""
        return await self._screening.arguments(call, answers, whose=caller.principal.key)

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
        tokenise, whose = self._tokenise(caller), caller.principal.key
        try:
            screened = await self._screening.reply(call, definition, reply, treatment, tokenise, whose=whose)
            await self._label(caller, screened.observations, treatment)
        except ApprovalsUnavailable as error:
            # What an answer means for the calls after it must be known before the agent has it.
            return kept_back(call, reply, NOTHING, error.code, error.reason)
        return screened

    async def question(self, call: Call, caller: Caller, ask: InputAsk, treatment: Treatment) -> ScreenedAsk:
        """See the port."""
        tokenise, whose = self._tokenise(caller), caller.principal.key
        try:
            screened = await self._screening.ask(call, ask, treatment, tokenise, whose=whose)
            await self._label(caller, screened.observations, treatment)
        except ApprovalsUnavailable as error:
            return unshown(ask, NOTHING, error.code, error.reason)
        return screened

    def _tokenise(self, caller: Caller) -> Tokenise:
        session = session_of(caller.principal, caller.workflow)

        async def tokenise(kinds: Mapping[str, str]) -> Mapping[str, str]:
            return await self._vault.tokenised(session, kinds)

        return tokenise

    async def _label(self, caller: Caller, found: Observations, treatment: Treatment) -> None:
        await self._sessions.add(caller.principal, caller.workflow, labels_of(found.seen) | treatment.labels)

    def notices(self, sink: NoticeSink | None, *, whose: Hashable) -> NoticeSink | None:
        """See the port."""
        if sink is None:
            return None

        before: deque[str] = deque(maxlen=NOTICES_TOGETHER)

        async def on_notice(notice: Notice) -> None:
            shown = await self._screening.notice(notice, tuple(before), whose=whose)
            before.append(words_of(notice)[-NOTICE_CHARACTERS:])
            if shown is not None:
                await sink(shown)

        return on_notice


class Unscreened:
    """Satisfies the port where the operator has switched the look at texts off: all passes as it is."""

    def __init__(self, sessions: Sessions) -> None:
        """Labels that policy sets are kept all the same."""
        self._sessions = sessions

    async def arguments(
        self, call: Call, caller: Caller, answers: Mapping[str, bytes] = NO_ANSWERS
    ) -> Observations:
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
        """As it is; but what policy wants done cannot be done, other than labels."""
        if _wants_a_look(treatment):
            return kept_back(call, reply, NOTHING, *SCAN_OFF)
        try:
            await self._sessions.add(caller.principal, caller.workflow, treatment.labels)
        except ApprovalsUnavailable as error:
            return kept_back(call, reply, NOTHING, error.code, error.reason)
        return Screened(reply=reply, observations=NOTHING)

    async def question(self, call: Call, caller: Caller, ask: InputAsk, treatment: Treatment) -> ScreenedAsk:
        """As it is, like an answer."""
        if _wants_a_look(treatment):
            return unshown(ask, NOTHING, *SCAN_OFF)
        try:
            await self._sessions.add(caller.principal, caller.workflow, treatment.labels)
        except ApprovalsUnavailable as error:
            return unshown(ask, NOTHING, error.code, error.reason)
        return ScreenedAsk(ask=ask, observations=NOTHING)

    def notices(self, sink: NoticeSink | None, *, whose: Hashable) -> NoticeSink | None:
        """As they are."""
        return sink


def _wants_a_look(treatment: Treatment) -> bool:
    return bool(treatment.redact or treatment.tokenise or treatment.strip or treatment.block)
