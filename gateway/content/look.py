"""One look at one value: the same on the spot and in a process of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from gateway.content.blocks import MARKS, Blocks, blocks_of, differences
from gateway.content.exact_json import read_exact, write_exact
from gateway.content.treating import to_be_tokenised, treated, without_allowed
from gateway.core.obligations import AS_USUAL, Treatment
from scanners.errors import ScanIncomplete
from scanners.pipeline import SPANS_MAX, Analysis

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.content.resource_links import LinkRules
    from gateway.core.content import Observations
    from scanners.allowances import Allowance
    from scanners.document import Place
    from scanners.pipeline import Pipeline


PROTOCOL_NAMES: Final = frozenset({
    "_meta", "blob", "content", "contents", "data", "elicitations", "inputRequests", "inputResponses",
    "isError", "messages", "method", "mimeType", "mode", "params", "requestState", "resource", "result",
    "resultType", "role", "status", "structuredContent", "task", "taskId", "text", "type", "uri", "url",
})  # fmt: skip
"""Names of members that clients act upon."""
PROTOCOL_WORDS: Final = frozenset({
    "audio", "cancelled", "complete", "completed", "failed", "form", "image", "input_required", "resource",
    "resource_link", "task", "tool_result", "tool_use", "url", "working",
})  # fmt: skip
"""Texts that do, under such names."""


class Answer(NamedTuple):
    """What came of a look."""

    new: bytes | None
    """JSON that passes on; None where it is as it came."""
    found: Observations
    problem: str = ""
    """Why it is kept back; empty if it passes."""
    wanted: Mapping[str, str] | None = None
    """Instead of all this: texts that need placeholders first, with their kinds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is looked at, and what is to be done about what is found. It can be sent to another process."""

    raw: bytes
    """JSON, as it came."""
    treatment: Treatment = AS_USUAL
    allowances: tuple[Allowance, ...] = ()
    """Those that are good for its tool, now."""
    links: LinkRules | None = None
    """Where its upstream may lead; None: it has no blocks, only texts."""
    all_of_it: bool = False
    """Whether whoever asked must know of every find, whatever is done about it: policy, of arguments."""
    placeholders: Mapping[str, str] | None = None
    """By text, what stands for it; a text without one becomes a marker. None: tell which are wanted."""
    apart: frozenset[Place] = frozenset()
    """Members that are not for reading, besides those of blocks."""
    nonce: str = ""
    """What nobody can foresee; see ``treated``."""


def nothing_in(pipeline: Pipeline, job: Job) -> bool:
    """Whether it is certain, without reading the JSON, that it passes as it is.

    Raises:
        ScanIncomplete: the engine gave up.
    """
    return not _has_blocks(job) and pipeline.nothing_in(job.raw)


def _has_blocks(job: Job) -> bool:
    return job.links is not None and (any(mark in job.raw for mark in MARKS) or bool(differences(job.raw)))


def _structure_that_came(found: Analysis) -> str:
    """A word of the protocol that stands there once hidden text is gone: nobody has judged it as that."""
    for number, (leaf, text) in enumerate(zip(found.leaves, found.texts, strict=True)):
        if text == leaf.text or number in found.laid_out:
            continue
        if text in (PROTOCOL_NAMES if leaf.in_name else PROTOCOL_WORDS):
            return text
    return ""


class Look:
    """What was found in one value. What is done about it may need placeholders first, which take time."""

    def __init__(self, pipeline: Pipeline, job: Job) -> None:
        """Look.

        Raises:
            ScanIncomplete: it could not be read to its end, or more was found than is worth passing on.
        """
        self._treatment, self._nonce = job.treatment, job.nonce
        value = read_exact(job.raw)
        blocks = (
            Blocks(value=value)
            if job.links is None
            else blocks_of(value, job.links, job.allowances, holds_own=pipeline.holds_own)
        )
        apart = blocks.apart | job.apart
        self._blocks = blocks
        self._differences = differences(job.raw) if job.links is not None else ()
        self._as_it_came = value
        # Without blocks it is known by now that there is something in it.
        if not blocks.opened and _has_blocks(job) and pipeline.nothing_in(job.raw):
            found = Analysis(value=blocks.value, leaves=(), texts=())
        else:
            found = pipeline.analysed(blocks.value, apart=apart.__contains__)
        if came := _structure_that_came(found):
            raise ScanIncomplete(f"without hidden text it has {came!r}, which it had not before")
        if job.all_of_it and found.crowded:
            raise ScanIncomplete(f"more than {SPANS_MAX} finds of the family {min(found.crowded)}")
        self._analysis, self._allowed = without_allowed(found, job.allowances)

    def to_be_tokenised(self) -> dict[str, str]:
        """Texts that need a placeholder, with their kinds."""
        return to_be_tokenised(self._analysis, self._treatment)

    def answer(self, placeholders: Mapping[str, str]) -> Answer:
        """What passes on. A text without a placeholder becomes a marker."""
        blocks = self._blocks
        done = treated(
            self._analysis,
            self._treatment,
            placeholders,
            finds=(*blocks.finds, *self._differences),
            allowed={**blocks.allowed, **self._allowed},
            nonce=self._nonce,
        )
        # Where only texts in base64 were opened, and nothing was in them, it is as it came, too.
        same = done.value is self._as_it_came or (done.value is blocks.value and not blocks.left_out)
        new = None if same else write_exact(blocks.closed(done.value))
        return Answer(new, done.observations, done.blocked)
