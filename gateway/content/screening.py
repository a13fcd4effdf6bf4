"""The look at every text that passes: what an agent sends, and everything that reaches it.

Small values are looked at on the spot, large ones in a process with a deadline. What cannot be looked at
to its end does not pass.
"""

from __future__ import annotations

import json
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import msgspec

from gateway.bridge.inputs import without_words
from gateway.content.blocks import ASKED_URL
from gateway.content.fencing import fenced_texts
from gateway.content.look import Answer, Job, Look, nothing_in
from gateway.content.worker import FAULT, INCOMPLETE
from gateway.core.content import ANSWERS, NOTHING
from gateway.core.decision import refusal
from gateway.core.obligations import AS_USUAL
from gateway.core.schema import ArgumentSchema
from gateway.errors import GatewayError, ScanUnfinished
from gateway.ports import Reply, Screened, ScreenedAsk
from scanners.errors import ScanIncomplete
from scanners.finding import CREDENTIAL

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable, Mapping

    from gateway.bridge.inputs import InputAsk
    from gateway.content.resource_links import LinkRules
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


_PARAMS: Final = dict[str, msgspec.Raw]
NO_ANSWERS: Final[Mapping[str, bytes]] = MappingProxyType({})


class Screening:
    """Looks, and says what passes."""

    def __init__(
        self,
        pipeline: Pipeline,
        workers: ScanWorkers,
        settings: ContentSettings,
        *,
        links_of: Callable[[str], LinkRules],
        new_nonce: Callable[[], str],
        now_ms: Callable[[], int],
    ) -> None:
        """Take the built engines.

        Args:
            pipeline: for what is looked at on the spot.
            workers: for the rest.
            settings: bounds, and what stays although it is found.
            links_of: where the results of an upstream may lead.
            new_nonce: what nobody can foresee.
            now_ms: Unix time.
        """
        self._allowances = settings.allowances
        self._links_of = links_of
        self._now_ms = now_ms
        self._fence = settings.fence
        self._new_nonce = new_nonce
        self._pipeline = pipeline
        self._workers = workers
        # A model takes its time: whatever it reads is read elsewhere.
        self._inline_bytes_max = 0 if settings.names_model else settings.inline_bytes_max

    async def arguments(
        self, call: Call, answers: Mapping[str, bytes] = NO_ANSWERS, *, whose: Hashable
    ) -> Observations:
        """What stands in the arguments of a call, and in answers that go with it; they are not changed.

        Raises:
            ScanUnfinished: nobody can say.
        """
        found = await self._observed(call.arguments_json, "the arguments", call, whose)
        if not answers:
            return found
        # As one value: what is split over several answers is found.
        raw = msgspec.json.encode({key: msgspec.Raw(value) for key, value in answers.items()})
        return found.joined((await self._observed(raw, "the answers", call, whose)).at(ANSWERS))

    async def _observed(self, raw: bytes, what: str, call: Call, whose: Hashable) -> Observations:
        try:
            _, found, problem, _ = await self._looked_at(
                Job(raw=raw, allowances=self._allowed(call), all_of_it=True), whose=whose
            )
        except ScanIncomplete as error:
            raise ScanUnfinished(f"{what} could not be looked at to their end: {error}") from error
        if problem:
            raise ScanUnfinished(f"{what} could not be looked at to their end")
        return found

    async def reply(
        self,
        call: Call,
        definition: Definition | None,
        reply: Reply,
        treatment: Treatment = AS_USUAL,
        tokenise: Tokenise | None = None,
        *,
        whose: Hashable,
    ) -> Screened:
        """An answer as it passes on: cleaned, or another one that says why it is kept back.

        Args:
            call: what was called.
            definition: of a tool, whose output schema must still hold.
            reply: as it came.
            treatment: what policy asks for.
            tokenise: gives placeholders for texts, by text, from their kinds; without it they become markers.
            whose: on whose behalf; a flood of large values of one makes nobody else wait.
        """
        raw = reply.error if reply.result is None else reply.result
        assert raw is not None
        job = Job(
            raw=raw,
            treatment=treatment,
            allowances=self._allowed(call),
            links=self._links_of(call.upstream),
            apart=_sealed_later(call, reply),
            nonce=self._nonce_for(treatment),
        )
        try:
            new, found, problem, _ = await self._looked_at(job, whose=whose, tokenise=tokenise)
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

    async def notice(self, notice: Notice, before: tuple[str, ...] = (), *, whose: Hashable) -> Notice | None:
        """Progress or a log message as it passes on; None if it does not.

        Args:
            notice: as it came.
            before: what those before it said, as `words_of` gives it: what is spread over several is found.
            whose: on whose behalf.
        """
        raw = msgspec.json.encode(dict(notice.params))
        try:
            new, _, problem, _ = await self._looked_at(Job(raw=raw), whose=whose)
            if problem:
                return None
            shown = notice if new is None else replace(notice, params=msgspec.json.decode(new, type=_PARAMS))
            words = words_of(shown)
            if not before or not words:
                return shown
            spread = msgspec.json.encode([*before, words])
            new, _, problem, _ = await self._looked_at(Job(raw=spread), whose=whose)
        except ScanIncomplete:
            return None
        if problem:
            return None
        if new is None:
            return shown
        # What went before is with the agent already; this piece does not follow.
        last = msgspec.json.encode(msgspec.json.decode(new)[-1])
        return replace(shown, params={**shown.params, _member(shown): msgspec.Raw(last)})

    async def ask(
        self,
        call: Call,
        ask: InputAsk,
        treatment: Treatment = AS_USUAL,
        tokenise: Tokenise | None = None,
        *,
        whose: Hashable,
    ) -> ScreenedAsk:
        """A question of an upstream as it may be shown; the arguments are those of ``reply``."""
        job = Job(
            raw=ask.raw,
            treatment=treatment,
            allowances=self._allowed(call),
            links=self._links_of(call.upstream),
            apart=ASKED_URL if _sends_a_person(ask) else frozenset(),
            nonce=self._nonce_for(treatment),
        )
        try:
            new, found, problem, _ = await self._looked_at(job, whose=whose, tokenise=tokenise)
        except ScanIncomplete as error:
            return unshown(ask, NOTHING, "scan_unfinished", str(error))
        if problem in {INCOMPLETE, FAULT}:
            return unshown(ask, found, "scan_unfinished", "the look at it did not come to its end")
        if job.apart:
            try:
                address = await self._observed(
                    msgspec.json.encode(ask.params["url"]), "the address", call, whose
                )
            except ScanUnfinished as error:
                return unshown(ask, found, error.code, error.reason)
            found = found.joined(address)
            if address.counts.get(CREDENTIAL):
                return unshown(ask, found, "unfit_url", "a credential of the gateway stands in its address")
        shown = ask if new is None else replace(ask, raw=new, params=json.loads(new))
        refused = refusal("content_blocked", f"policy keeps back {problem}") if problem else None
        return ScreenedAsk(ask=shown, observations=found, refused=refused)

    def _nonce_for(self, treatment: Treatment) -> str:
        return self._new_nonce() if treatment.redact or treatment.tokenise else ""

    def _allowed(self, call: Call) -> tuple[Allowance, ...]:
        if not self._allowances:
            return ()
        now_ms = self._now_ms()
        return tuple(one for one in self._allowances if one.covers_tool(call.target, now_ms=now_ms))

    async def _looked_at(self, job: Job, *, whose: Hashable, tokenise: Tokenise | None = None) -> Answer:
        if len(job.raw) > self._inline_bytes_max:
            return await self._looked_at_elsewhere(job, whose, tokenise)
        if nothing_in(self._pipeline, job):
            return Answer(None, NOTHING)
        try:
            look = Look(self._pipeline, job)
            wanted = look.to_be_tokenised() if tokenise is not None else {}
        except ScanIncomplete:
            raise
        except Exception:  # noqa: BLE001 - as in a worker: what a server says must not end a request without a word
            return Answer(None, NOTHING, FAULT)
        placeholders = await tokenise(wanted) if wanted and tokenise is not None else {}
        return look.answer(placeholders)

    async def _looked_at_elsewhere(self, job: Job, whose: Hashable, tokenise: Tokenise | None) -> Answer:
        if tokenise is None:
            return await self._workers.answer(replace(job, placeholders={}), whose=whose)
        first = await self._workers.answer(job, whose=whose)
        if not first.wanted:
            return first
        # Placeholders are ours to give, so it is looked at once more with them.
        placeholders = await tokenise(first.wanted)
        return await self._workers.answer(replace(job, placeholders=placeholders), whose=whose)


def words_of(notice: Notice) -> str:
    """What a notice says, if it is one text."""
    raw = notice.params.get(_member(notice))
    said = msgspec.json.decode(raw) if raw is not None else None
    return said if isinstance(said, str) else ""


def _member(notice: Notice) -> str:
    return "message" if notice.method == "notifications/progress" else "data"


def _sends_a_person(ask: InputAsk) -> bool:
    """Whether its address is one that a person is sent to; in any other question it is a text like others."""
    return (
        ask.method == "elicitation/create"
        and ask.params.get("mode") == "url"
        and isinstance(ask.params.get("url"), str)
    )


def _sealed_later(call: Call, reply: Reply) -> frozenset[Place]:
    """Members that agents get in a sealed form of ours: what a server made for itself to read."""
    if reply.kind == "input_required":
        return frozenset({(None, "requestState")})
    if reply.kind == "task" or (call.method.startswith("tasks/") and call.method != "tasks/result"):
        return frozenset({(None, "taskId"), ((None, "task"), "taskId")})
    return frozenset()


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


def unshown(ask: InputAsk, found: Observations, code: str, reason: str) -> ScreenedAsk:
    """A question that may not be shown, without its texts: nobody knows what is in them."""
    return ScreenedAsk(ask=without_words(ask), observations=found, refused=refusal(code, reason))


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
