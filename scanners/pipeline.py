"""What stands in the texts of one value: hidden text, secrets, personal data, injected instructions, links.

A few passes of triggers over all texts say which detectors have anything to look at; most values end there.
What is done about a find is decided by whoever asked: here it is only found, and replaced as told.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Protocol

from scanners.document import Document, document_of, rewritten
from scanners.finding import CREDENTIAL, CROWDED
from scanners.hidden_text import hides, only_lays_out, stripped
from scanners.markers import KEY_BYTES_MIN, keyed_digest
from scanners.pattern_set import PatternSet
from scanners.spans import Span, in_characters, united

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from scanners.credentials import Credentials
    from scanners.document import Leaf, Place

SPANS_MAX: Final = 10_000
"""Finds of one family in one value. Each costs time; what lies behind them was not looked for."""

TOGETHER_BYTES_MAX: Final = 3_072
"""In texts up to this long all triggers are searched for at once: every search gives other threads of the
process a turn, which costs more than the search. In longer ones random text would make it slow."""

HIDDEN = "hidden-text"
SECRET = "secret"
_UNUSUAL_ESCAPE = re.compile(rb"\\[^\"\\/nrt]")


class Detector(Protocol):
    """Finds one family of things."""

    family: str
    kinds: frozenset[str]
    trigger_groups: tuple[tuple[bytes, ...], ...]
    """Patterns of which one occurs wherever it can find something; with none it is always asked.

    Each group is searched for by itself: in one search for all, every combination of half-read patterns
    would be a state of its own, and random text would run through all of them.
    """

    def spans(self, document: Document, *, spans_max: int) -> list[Span]:
        """What it finds; byte spans of ``document.raw``, at most ``spans_max``."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One find, in one text."""

    family: str
    kind: str
    rule: str
    digest: str
    """Four hexadecimal digits of a keyed digest: the same thing has the same."""
    leaf: int
    """Number of the text in the document."""
    start: int
    """First character in the text, after hidden text was taken out."""
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """What was found in one value."""

    value: Any
    leaves: Sequence[Leaf]
    """As they came."""
    texts: Sequence[str]
    """Of the leaves, without hidden text."""
    found: tuple[Found, ...] = ()
    """In the order of the document; none overlaps another of the same family."""
    hidden: Mapping[str, int] = field(default_factory=dict)
    """Hidden characters and sequences that were taken out, by what they are."""
    laid_out: frozenset[int] = frozenset()
    """Numbers of texts from which only layout was taken out, to look at them: they pass on as they came."""
    crowded: frozenset[str] = frozenset()
    """Families of which there is more than was looked for: nobody may rely on having seen all of it."""

    def text_of(self, one: Found) -> str:
        """What was found, itself. Never to be logged."""
        return self.texts[one.leaf][one.start : one.end]

    def pointer_of(self, one: Found) -> str:
        """JSON Pointer of the string, or of the member in whose name it stands."""
        return self.leaves[one.leaf].pointer

    def rewritten(self, instead: Callable[[Found], str | None]) -> Any:
        """The value without hidden text, and with other texts in place of finds.

        Args:
            instead: what stands in place of a find; None leaves it. Where finds overlap the first one, and
                of those the longest, is replaced.

        Returns:
            The very object that was analysed where nothing changes.
        """
        changes: dict[int, list[tuple[int, int, str]]] = {}
        for one in self.found:
            text = instead(one)
            if text is not None:
                changes.setdefault(one.leaf, []).append((one.start, one.end, text))
        texts: dict[Place, str] = {}
        names: dict[Place, str] = {}
        for number, (leaf, text) in enumerate(zip(self.leaves, self.texts, strict=True)):
            if number not in changes and number in self.laid_out:
                continue
            new = _replaced(text, changes[number]) if number in changes else text
            if new != leaf.text:
                (names if leaf.in_name else texts)[leaf.place] = new
        return rewritten(self.value, texts, names) if texts or names else self.value


class Pipeline:
    """Analyses values. Built once; used from any thread."""

    def __init__(self, credentials: Credentials, detectors: Sequence[Detector], digest_key: bytes) -> None:
        """Take what to look for, and the secret key of the digests."""
        if len(digest_key) < KEY_BYTES_MIN:
            raise ValueError(f"a digest key has at least {KEY_BYTES_MIN} bytes")
        self._credentials = credentials
        self._detectors = tuple(detectors)
        self._key = digest_key
        self._always = frozenset(
            number for number, detector in enumerate(self._detectors) if not detector.trigger_groups
        )
        self._triggers = tuple(
            (number, PatternSet(group))
            for number, detector in enumerate(self._detectors)
            for group in detector.trigger_groups
        )
        self._together = PatternSet(
            [pattern for one in self._detectors for group in one.trigger_groups for pattern in group]
        )

    @property
    def kinds(self) -> Mapping[str, str]:
        """Family of each kind that can be found."""
        found = {kind: detector.family for detector in self._detectors for kind in detector.kinds}
        return {**found, CREDENTIAL: SECRET}

    def holds_own(self, data: bytes) -> bool:
        """Whether one of the gateway's own credentials stands in bytes that are no text.

        Raises:
            ScanIncomplete: the engine gave up.
        """
        return bool(self._credentials.spans(data, spans_max=1))

    def nothing_in(self, raw_json: bytes) -> bool:
        """Whether it is certain, without reading the JSON, that nothing is in it. False means: look.

        Raises:
            ScanIncomplete: the engine gave up.
        """
        if self._always or not raw_json.isascii() or _UNUSUAL_ESCAPE.search(raw_json):
            return False
        if b"\\" in raw_json:
            # Without \u the escapes stand for one character each: every string stands here as it is read.
            raw_json = raw_json.replace(b"\\\\", b"\x00")
            for escape, character in ((b'\\"', b'"'), (b"\\n", b"\n"), (b"\\t", b"\t"), (b"\\r", b"\r")):
                raw_json = raw_json.replace(escape, character)
            raw_json = raw_json.replace(b"\\/", b"/").replace(b"\x00", b"\\")
            if raw_json.count(b"\r") != raw_json.count(b"\r\n"):
                # What stands before a return of its own is written over where a terminal shows it.
                return False
        if len(raw_json) <= TOGETHER_BYTES_MAX:
            if self._together.occurring(raw_json):
                return False
        elif any(triggers.occurring(raw_json) for _, triggers in self._triggers):
            return False
        return not self._credentials.spans(raw_json, spans_max=1)

    def analysed(self, value: Any, *, apart: Callable[[Place], bool] = lambda _: False) -> Analysis:
        """Everything that is found in a value.

        Args:
            value: any JSON value.
            apart: which texts are not for reading, such as images and sealed states: left as they are.

        Raises:
            TypeError: it holds something that JSON does not have.
            ScanIncomplete: it could not be read to its end.
        """
        document = document_of(value, numbers=True)
        leaves = [leaf for leaf in document.leaves if not apart(leaf.place)]
        if len(leaves) != len(document.leaves):
            document = Document(leaves)
        hidden: dict[str, int] = {}
        laid_out: set[int] = set()
        if hides(document.raw, separators=max(0, len(leaves) - 1)):
            document = Document(
                [_visible(leaf, number, hidden, laid_out) for number, leaf in enumerate(leaves)]
            )
        found, crowded = self._found(document)
        texts = [leaf.text for leaf in document.leaves]
        return Analysis(
            value=value,
            leaves=leaves,
            texts=texts,
            found=found,
            hidden=hidden,
            laid_out=frozenset(laid_out),
            crowded=crowded,
        )

    def _found(self, document: Document) -> tuple[tuple[Found, ...], frozenset[str]]:
        spans = {SECRET: self._credentials.spans(document.raw, spans_max=SPANS_MAX + 1)}
        asked = set(self._always)
        for number, triggers in self._triggers:
            if number not in asked and triggers.occurring(document.raw):
                asked.add(number)
        for number in sorted(asked):
            detector = self._detectors[number]
            spans.setdefault(detector.family, []).extend(detector.spans(document, spans_max=SPANS_MAX + 1))
        by_leaf: dict[int, list[Found]] = {}
        for family, some in spans.items():
            for span in united(some[:SPANS_MAX]):
                self._place(document, family, span, by_leaf)
        found: list[Found] = []
        for number, some_found in by_leaf.items():
            begin, end = document.starts[number], document.end_of(number)
            found += _in_characters(some_found, document.raw[begin:end])
        crowded = frozenset(family for family, some in spans.items() if len(some) > SPANS_MAX)
        return tuple(sorted(found, key=lambda one: (one.leaf, one.start, -one.end))), crowded

    def _place(self, document: Document, family: str, span: Span, by_leaf: dict[int, list[Found]]) -> None:
        """Add the find to the texts it touches, in bytes of each; usually that is one."""
        digest = keyed_digest(self._key, span.kind, span.secret)
        for number in range(
            document.index_at(span.start), document.index_at(max(span.start, span.end - 1)) + 1
        ):
            begin, end = document.starts[number], document.end_of(number)
            start, stop = max(span.start, begin) - begin, min(span.end, end) - begin
            if start >= stop or (document.leaves[number].is_number and _is_guess(family, span)):
                continue
            by_leaf.setdefault(number, []).append(
                Found(
                    family=family,
                    kind=span.kind,
                    rule=span.rule,
                    digest=digest,
                    leaf=number,
                    start=start,
                    end=stop,
                )
            )


def _in_characters(found: list[Found], raw: bytes) -> list[Found]:
    """Finds in one text, given in bytes of it, as they lie in its characters."""
    if raw.isascii():
        return found
    spans = [Span(start=one.start, end=one.end, kind="", rule="", secret=b"", order=0) for one in found]
    placed = in_characters(spans, raw)
    return [replace(one, start=at.start, end=at.end) for one, at in zip(found, placed, strict=True)]


def _is_guess(family: str, span: Span) -> bool:
    """Whether a number is called a secret for its surroundings: a count must not become a text for that."""
    return family == SECRET and span.kind != CREDENTIAL


def _visible(leaf: Leaf, number: int, hidden: dict[str, int], laid_out: set[int]) -> Leaf:
    if leaf.text.isascii() and leaf.text.isprintable():
        return leaf
    text, counts = stripped(leaf.text)
    if counts and only_lays_out(leaf.text):
        laid_out.add(number)
        return leaf._replace(text=text)
    for what, count in counts.items():
        hidden[what] = hidden.get(what, 0) + count
    return leaf._replace(text=text) if text != leaf.text else leaf


def _replaced(text: str, changes: list[tuple[int, int, str]]) -> str:
    pieces: list[str] = []
    read = 0
    for start, end, new in changes:
        if start < read:
            # It begins inside another one, and ends behind it: its rest goes as well.
            read = max(read, end)
            continue
        pieces += (text[read:start], new)
        read = end
    pieces.append(text[read:])
    return "".join(pieces)


__all__ = ["CROWDED", "Analysis", "Detector", "Found", "Pipeline"]
