"""Instructions to the model in what a tool returned, by the ideas they are built from, in several languages.

A rule is an idea: some notions that stand close together, as "disregard", "earlier" and "instructions" do. A
notion is a pattern for each language. So a sentence is found however its words are ordered, and a language is
added without a rule being touched. A find is a label: it proves nothing, and its absence proves less.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NamedTuple, Self

import re2
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from scanners.errors import RulesRejected
from scanners.markers import KIND_PATTERN
from scanners.pattern_set import SEPARATOR, PatternSet, pattern_options
from scanners.rule_packs import read_pack
from scanners.spans import Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from scanners.document import Document

ANY: Final = "any"
"""The language of notions that are written alike in all of them."""

WITHIN_BYTES_DEFAULT: Final = 100

Word = Annotated[str, StringConstraints(pattern=f"^{KIND_PATTERN}$")]
Example = Annotated[str, StringConstraints(min_length=1)]


class InjectionRule(BaseModel):
    """One idea. The meaning of the members is written at the head of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Word
    kind: Word
    near: tuple[Word, ...] = ()
    ordered: bool = False
    within_bytes: int = Field(default=WITHIN_BYTES_DEFAULT, gt=0, le=1000)
    pattern: Example | None = None
    trigger: Example | None = None
    reason: Example
    matches: tuple[Example, ...] = Field(min_length=1)
    differs: tuple[Example, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _has_one_form(self) -> Self:
        if bool(self.near) == bool(self.pattern):
            raise ValueError("a rule has either near or pattern")
        if self.trigger and self.near:
            raise ValueError("the first notion of near is its trigger")
        return self


class InjectionRules(BaseModel):
    """A pack of rules, and the words of each language."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1]
    rule: tuple[InjectionRule, ...] = Field(min_length=1)
    words: dict[str, dict[Word, Example]]

    @model_validator(mode="after")
    def _every_notion_has_words(self) -> Self:
        known = {notion for words in self.words.values() for notion in words}
        for rule in self.rule:
            if missing := set(rule.near) - known:
                raise ValueError(f"rule {rule.id}: no language has words for {', '.join(sorted(missing))}")
        if len({rule.id for rule in self.rule}) < len(self.rule):
            raise ValueError("two rules have one id")
        return self


class _Stretch(NamedTuple):
    start: int
    end: int


class _Idea(NamedTuple):
    """A rule in one language."""

    rule: InjectionRule
    order: int
    notions: tuple[int, ...]
    """Numbers of patterns. Only around the first one are the others looked for."""
    within: int


class InjectionDetector:
    """Finds what reads like an instruction to the model."""

    family = "injection"

    def __init__(self, rules: InjectionRules) -> None:
        """Compile them.

        Raises:
            RulesRejected: a pattern cannot be used.
        """
        self.rules = rules
        self.kinds = frozenset(rule.kind for rule in rules.rule)
        self._ideas: list[_Idea] = []
        patterns: dict[bytes, int] = {}
        for order, rule in enumerate(rules.rule, 1):
            for words in _languages(rules, rule):
                numbers = tuple(patterns.setdefault(_in_bytes(word), len(patterns)) for word in words)
                wide = 2 if any("\u0370" <= char <= "\u07ff" for char in "".join(words)) else 1
                self._ideas.append(_Idea(rule, order, numbers, rule.within_bytes * wide))
        try:
            self._exact = [re2.compile(pattern, pattern_options()) for pattern in patterns]
        except re2.error as error:
            raise RulesRejected(f"injection rules: {error}") from error
        every = list(patterns)
        triggers = tuple(
            dict.fromkeys(
                _in_bytes(idea.rule.trigger) if idea.rule.trigger else every[idea.notions[0]]
                for idea in self._ideas
            )
        )
        numbered = {trigger: number for number, trigger in enumerate(triggers)}
        self._set = PatternSet(triggers)
        self.trigger_groups: tuple[tuple[bytes, ...], ...] = (triggers,)
        self._triggered = [
            numbered[_in_bytes(idea.rule.trigger) if idea.rule.trigger else every[idea.notions[0]]]
            for idea in self._ideas
        ]

    def spans(self, document: Document, *, spans_max: int) -> list[Span]:
        """Every stretch in which the notions of a rule stand together; at most ``spans_max``."""
        return list(islice(self._found(document.raw), spans_max))

    def _found(self, raw: bytes) -> Iterator[Span]:
        occurring = frozenset(self._set.occurring(raw))
        anchors = _Anchors(raw)
        for idea, trigger in zip(self._ideas, self._triggered, strict=True):
            if trigger not in occurring:
                continue
            for start, end in self._stretches(idea, anchors):
                yield Span(
                    start=start,
                    end=end,
                    kind=idea.rule.kind,
                    rule=idea.rule.id,
                    secret=raw[start:end],
                    order=idea.order,
                )

    def _stretches(self, idea: _Idea, anchors: _Anchors) -> Iterator[_Stretch]:
        first, *others = idea.notions
        raw = anchors.raw
        patterns = [self._exact[number] for number in others]
        if len(raw) > _LONG_BYTES and not all(map(anchors.has, others, patterns)):
            return
        places = anchors.places(first, self._exact[first])
        if not others:
            yield from map(_Stretch._make, places)
            return
        for region, inside in anchors.regions(first, idea.within):
            if region.end - region.start > _LONG_BYTES and not all(
                one.search(raw, *region) for one in patterns
            ):
                continue
            found = [(start, end, 0) for start, end in inside]
            for number, pattern in enumerate(patterns, 1):
                here = [(*match.span(), number) for match in pattern.finditer(raw, *region)]
                if not here:
                    break
                found += here
            else:
                together = _in_order if idea.rule.ordered else _together
                yield from together(sorted(found), len(idea.notions), idea.within)


_LONG_BYTES: Final = 4_000
"""Of a longer text it is worth asking first whether a notion occurs at all."""


class _Anchors:
    """Where the first notions of ideas stand in one document; ideas that share one share the work."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self._occurring: dict[int, bool] = {}
        self._places: dict[int, list[tuple[int, int]]] = {}
        self._regions: dict[tuple[int, int], list[tuple[_Stretch, list[tuple[int, int]]]]] = {}

    def has(self, number: int, pattern: Any) -> bool:
        if number not in self._occurring:
            self._occurring[number] = pattern.search(self.raw) is not None
        return self._occurring[number]

    def places(self, number: int, pattern: Any) -> list[tuple[int, int]]:
        if number not in self._places:
            self._places[number] = [match.span() for match in pattern.finditer(self.raw)]
        return self._places[number]

    def regions(self, number: int, within: int) -> list[tuple[_Stretch, list[tuple[int, int]]]]:
        key = (number, within)
        if key not in self._regions:
            self._regions[key] = list(_regions(self._places[number], within, self.raw))
        return self._regions[key]


def _regions(
    anchors: Sequence[tuple[int, int]], within: int, raw: bytes
) -> Iterator[tuple[_Stretch, list[tuple[int, int]]]]:
    """Where the other notions can stand: around the anchors, each in its own text, none twice."""
    apart = SEPARATOR in raw
    first, last = 0, -1
    inside: list[tuple[int, int]] = []
    for anchor in anchors:
        begin, stop = anchor
        start, end = max(0, stop - within), max(stop, min(len(raw), begin + within))
        if apart:
            start = max(start, raw.rfind(SEPARATOR, start, begin) + 1)
            end = min(end, raw.find(SEPARATOR, stop, end) % (len(raw) + 1))
        if start > last and inside:
            yield _Stretch(first, last), inside
            inside = []
        if not inside:
            first = start
        last = max(last, end)
        inside.append(anchor)
    if inside:
        yield _Stretch(first, last), inside


def _together(places: Sequence[tuple[int, int, int]], count: int, within: int) -> Iterator[_Stretch]:
    """Stretches of at most so many bytes with every notion in them, none overlapping another."""
    latest: dict[int, tuple[int, int]] = {}
    done = -1
    for start, end, notion in places:
        latest[notion] = (start, end)
        if len(latest) < count:
            continue
        begin = min(one for one, _ in latest.values())
        stop = max(one for _, one in latest.values())
        if stop - begin <= within and begin > done:
            yield _Stretch(begin, stop)
            done = stop
            latest.clear()


def _in_order(places: Sequence[tuple[int, int, int]], count: int, within: int) -> Iterator[_Stretch]:
    """The same, each notion behind the one before it in the rule."""
    chains: list[tuple[int, int] | None] = [None] * count
    for start, end, notion in places:
        if notion == 0:
            chains[0] = (start, end)
            continue
        before = chains[notion - 1]
        if before is None or start < before[1] or end - before[0] > within:
            continue
        chains[notion] = (before[0], end)
        if notion == count - 1:
            yield _Stretch(before[0], end)
            chains = [None] * count


def read_injection_rules(text: str) -> InjectionRules:
    """The rules in a TOML text.

    Raises:
        RulesRejected: it is not TOML, has members that no pack has, or two rules of one id.
    """
    return read_pack(text, InjectionRules)


def _languages(rules: InjectionRules, rule: InjectionRule) -> Iterator[tuple[str, ...]]:
    if rule.pattern:
        yield (rule.pattern,)
        return
    shared: Mapping[str, str] = rules.words.get(ANY, {})
    for language, words in rules.words.items():
        every = {**shared, **words}
        if language != ANY and all(notion in every for notion in rule.near):
            yield tuple(_filled(every[notion], every) for notion in rule.near)


def _filled(pattern: str, words: Mapping[str, str]) -> str:
    for notion, word in words.items():
        pattern = pattern.replace(f"<{notion}>", f"(?:{word})")
    return pattern


_EDGE: Final = rb"(?:\b|_)"
"""Names are words too: what stands behind an underscore begins there."""
_SPACE: Final = b"(?:[\\s>*_\"'`]|\\xc2\\xa0)+"


def _in_bytes(pattern: str) -> bytes:
    """The pattern as one over bytes of UTF-8: each other letter in both cases, a space for what parts words.

    In a class of characters neither ranges nor negation go with letters outside ASCII.
    """
    made: list[bytes] = []
    index = 0
    while index < len(pattern):
        char = pattern[index]
        if char == "\\":
            escape = pattern[index : index + 2]
            made.append(_EDGE if escape == r"\b" else escape.encode())
            index += 2
            continue
        if char == "[":
            end = pattern.index("]", index)
            inner = pattern[index + 1 : end]
            ascii_only = "".join(one for one in inner if one.isascii())
            others = [_both_cases(one) for one in inner if not one.isascii()]
            made.append(
                b"(?:" + b"|".join([*([f"[{ascii_only}]".encode()] if ascii_only else []), *others]) + b")"
            )
            index = end + 1
            continue
        made.append(_SPACE if char == " " else char.encode() if char.isascii() else _both_cases(char))
        index += 1
    return b"(?i:" + b"".join(made) + b")"


def _both_cases(char: str) -> bytes:
    cases = sorted({char, char.lower(), char.upper()})
    return b"(?:" + b"|".join(b"".join(b"\\x%02x" % byte for byte in case.encode()) for case in cases) + b")"
