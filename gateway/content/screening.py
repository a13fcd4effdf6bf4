"""The look at every text that passes: what an agent sends, and everything that reaches it.

Small values are looked at on the spot, large ones in a process with a deadline. What cannot be looked at
to its end does not pass.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from gateway.content.exact_json import read_exact, write_exact
from gateway.content.fencing import fenced_texts
from gateway.content.treating import (
    ASKED_URL,
    apart_of,
    observations_of,
    to_be_tokenised,
    treated,
    without_allowed,
)
from gateway.content.worker import FAULT, INCOMPLETE
from gateway.core.content import NOTHING
from gateway.core.obligations import AS_USUAL
from gateway.core.schema import ArgumentSchema
from gateway.errors import GatewayError, ScanUnfinished
from gateway.ports import Reply, Screened
from scanners.errors import ScanIncomplete

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from gateway.bridge.inputs import InputAsk
    from gateway.content.settings import ContentSettings
    from gateway.content.workers import ScanWorkers
    from gateway.core.call import Call
    from gateway.core.content import Observations
    from gateway.core.definition import Definition
    from gateway.core.obligations import Treatment
    from gateway.ports import Notice
    from scanners.allowances import Allowance
    from scanners.document import Place
    from scanners.pipeline import Pipeline

    Tokenise = Callable[[Mapping[str, str]], Awaitable[Mapping[str, str]]]
    """Placeholders by text, from the kind of each; a text that gets none becomes a marker."""


class Screening:
    """Looks, and says what passes."""

    def __init__(
        self,
        pipeline: Pipeline,
        workers: ScanWorkers,
        settings: ContentSettings,
        *,
        new_nonce: Callable[[], str],
        now_ms: Callable[[], int],
    ) -> None:
        """Take the built engines.

        Args:
            pipeline: for what is looked at on the spot.
            workers: for the rest.
            settings: bounds, and what stays although it is found.
            new_nonce: what nobody can foresee.
            now_ms: Unix time.
        """
        self._allowances = settings.allowances
        self._now_ms = now_ms
        self._fence = settings.fence
        self._new_nonce = new_nonce
        self._pipeline = pipeline
        self._workers = workers
        self._inline_bytes_max = settings.inline_bytes_max

    async def arguments(self, call: Call) -> Observations:
        """What stands in the arguments of a call; they are not changed.

        Raises:
            ScanUnfinished: nobody can say.
        """
        raw = call.arguments_json
        allowances = self._allowed(call)
        try:
            if len(raw) > self._inline_bytes_max:
                _, found, problem = await self._workers.answer(raw, AS_USUAL, allowances)
                if problem in {INCOMPLETE, FAULT}:
                    raise ScanUnfinished("the arguments could not be looked at to their end")
                return found or NOTHING
            if self._pipeline.nothing_in(raw):
                return NOTHING
            return observations_of(*without_allowed(self._pipeline.analysed(call.arguments), allowances))
        except ScanIncomplete as error:
            raise ScanUnfinished(f"the arguments could not be looked at to their end: {error}") from error

    async def reply(
        self,
        call: Call,
        definition: Definition | None,
        reply: Reply,
        treatment: Treatment = AS_USUAL,
        tokenise: Tokenise | None = None,
    ) -> Screened:
        """An answer as it passes on: cleaned, or another one that says why it is kept back.

        Args:
            call: what was called.
            definition: of a tool, whose output schema must still hold.
            reply: as it came.
            treatment: what policy asks for.
            tokenise: gives placeholders for texts, by text, from their kinds; without it they become markers.
        """
        raw = reply.error if reply.result is None else reply.result
        assert raw is not None
        try:
            new, found, problem = await self._looked_at(raw, treatment, tokenise, self._allowed(call))
        except ScanIncomplete as error:
            return kept_back(call, reply, NOTHING, "scan_unfinished", str(error))
        if problem in {INCOMPLETE, FAULT}:
            return kept_back(call, reply, found, "scan_unfinished", "the look at it did not come to its end")
        if problem:
            return kept_back(call, reply, found, "content_blocked", f"policy keeps back {problem}")
        if self._fence and reply.result is not None and call.method == "tools/call":
            new = fenced_texts(new or raw, upstream=call.upstream, new_nonce=self._new_nonce)
        if new is None:
            return Screened(reply=reply, observations=found)
        if reply.result is None:
            return Screened(reply=replace(reply, error=new), observations=found)
        broken = _breaks_schema(definition, raw, new)
        if broken:
            return kept_back(call, reply, found, "redaction_breaks_schema", broken)
        return Screened(reply=replace(reply, result=new), observations=found)

    async def notice(self, notice: Notice) -> Notice | None:
        """Progress or a log message as it passes on; None if it does not."""
        raw = msgspec.json.encode(dict(notice.params))
        try:
            new, _, problem = await self._looked_at(raw)
        except ScanIncomplete:
            return None
        if problem:
            return None
        if new is None:
            return notice
        return replace(notice, params=msgspec.json.decode(new, type=dict[str, msgspec.Raw]))

    async def ask(self, ask: InputAsk) -> InputAsk:
        """A question of an upstream as it may be shown.

        Raises:
            ScanUnfinished: nobody can say what is in it.
        """
        try:
            new, _, problem = await self._looked_at(ask.raw, apart=ASKED_URL)
        except ScanIncomplete as error:
            raise ScanUnfinished(f"the question could not be looked at to its end: {error}") from error
        if problem:
            raise ScanUnfinished("the question could not be looked at to its end")
        return ask if new is None else replace(ask, raw=new, params=json.loads(new))

    def _allowed(self, call: Call) -> tuple[Allowance, ...]:
        if not self._allowances:
            return ()
        now_ms = self._now_ms()
        return tuple(one for one in self._allowances if one.covers_tool(call.target, now_ms=now_ms))

    async def _looked_at(
        self,
        raw: bytes,
        treatment: Treatment = AS_USUAL,
        tokenise: Tokenise | None = None,
        allowances: tuple[Allowance, ...] = (),
        apart: frozenset[Place] = frozenset(),
    ) -> tuple[bytes | None, Observations, str]:
        if len(raw) > self._inline_bytes_max:
            new, found, problem = await self._workers.answer(raw, treatment, allowances)
            return new, found or NOTHING, problem
        if self._pipeline.nothing_in(raw):
            return None, NOTHING, ""
        value = read_exact(raw)
        analysis, allowed = without_allowed(
            self._pipeline.analysed(value, apart=(apart or apart_of(value)).__contains__), allowances
        )
        wanted = to_be_tokenised(analysis, treatment) if tokenise is not None else {}
        placeholders = await tokenise(wanted) if wanted and tokenise is not None else {}
        done = treated(analysis, treatment, placeholders, allowed)
        new = None if done.value is value else write_exact(done.value)
        return new, done.observations, done.blocked


def _breaks_schema(definition: Definition | None, raw: bytes, new: bytes) -> str:
    """Why a changed ``structuredContent`` may not pass: clients refuse what breaks a tool's schema."""
    schema = definition.members.get("outputSchema") if definition is not None else None
    if not isinstance(schema, dict):
        return ""
    content = json.loads(new).get("structuredContent")
    if not isinstance(content, dict) or content == json.loads(raw).get("structuredContent"):
        return ""
    try:
        ArgumentSchema(schema).check(content, "the result")
    except GatewayError as error:
        return f"without what was taken out it no longer fits the tool's output schema ({error.code})"
    return ""


def kept_back(call: Call, reply: Reply, found: Observations, code: str, reason: str) -> Screened:
    """It ran; only its answer does not pass."""
    ran = "EXECUTED" if reply.result is not None else "NOT KNOWN TO BE EXECUTED"
    text = (
        f"{ran}, and the answer is kept back ({code}): {reason}. Do not repeat the call to get it, and do "
        "not try to reach it another way."
    )
    if call.method != "tools/call" or reply.result is None:
        error: dict[str, Any] = {"code": -32003, "message": text, "data": {"code": code}}
        withheld = Reply(error=msgspec.json.encode(error), modern=reply.modern)
    else:
        result: dict[str, Any] = {"content": [{"type": "text", "text": text}], "isError": True}
        if reply.modern:
            result["resultType"] = "complete"
        withheld = Reply(result=msgspec.json.encode(result), is_error=True, modern=reply.modern)
    return Screened(reply=withheld, observations=found, kept_back=code)
