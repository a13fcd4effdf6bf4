"""One definition in, what is wrong with it out. Pure: nothing is fetched, decided or changed."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from scanners.definitions.characters import folded, hidden_in, suspicious
from scanners.definitions.encoded import encoded_texts
from scanners.definitions.finding import DefinitionFinding, excerpt
from scanners.definitions.names import NAMED_KINDS, OtherNames, parameter_words
from scanners.definitions.rules import QUARANTINE_WEIGHT
from scanners.definitions.schemas import outlined
from scanners.document import Document, document_of
from scanners.errors import ScanIncomplete
from scanners.pattern_set import SEPARATOR

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from scanners.definitions.finding import Severity
    from scanners.definitions.rules import DefinitionRules, Hit
    from scanners.definitions.schemas import Outline
    from scanners.token_formats import TokenRules

INSTRUCTIONS: Final = "instructions"
"""The kind of what a server says about how to use it."""

SECRETS_MAX: Final = 10
FINDINGS_MAX: Final = 100
"""Of one definition; whoever has so many has made the point."""

_HIDDEN_REASONS: Final = {
    "hidden-text.control": "control characters, which can move a terminal's cursor or hide what follows",
    "hidden-text.tags": "tag characters, which nobody sees and models read as letters",
    "hidden-text.variation-selector": "variation selectors where nothing varies; they can carry a text",
    "hidden-text.direction": "characters that change the order in which others are shown",
    "hidden-text.invisible": "characters that show nothing",
    "hidden-text.styled-letters": "words in symbols that only look like letters",
}


class DefinitionScanner:
    """Looks at definitions as a model would read them."""

    def __init__(self, rules: DefinitionRules, secrets: TokenRules) -> None:
        """Take what to look for."""
        self._rules = rules
        self._secrets = secrets
        # All definitions of one listing are looked at beside the same names.
        self._other_names = lru_cache(maxsize=4)(OtherNames)

    def scan(
        self, kind: str, name: str, members: Mapping[str, Any], *, others: Collection[str]
    ) -> tuple[DefinitionFinding, ...]:
        """Everything that is to be said about one definition; empty: nothing was found.

        Args:
            kind: ``tool``, ``prompt``, ``resource``, ``resource_template`` or ``instructions``.
            name: as in the list; of the last three kinds a URI, a template, or the server's id.
            members: the whole wire object, unknown members included.
            others: names of tools that other servers have, without those that this server has as well.
        """
        names = self._other_names(others if isinstance(others, frozenset) else frozenset(others))
        members = dict(members)
        outline = outlined(members)
        found = [
            DefinitionFinding(
                rule=place.rule,
                reason=place.reason,
                pointer=place.pointer,
                excerpt=excerpt(place.text),
                severity="quarantine",
            )
            for place in outline.places
        ]
        if kind in NAMED_KINDS and (problem := names.problem_of(name)):
            severity: Severity = "quarantine" if problem.serious else "note"
            found.append(
                DefinitionFinding(
                    rule=problem.rule,
                    reason=problem.reason,
                    pointer="/name",
                    excerpt=excerpt(name),
                    severity=severity,
                )
            )
        if outline.complete:
            found += self._in_texts(document_of(members), name, names, outline)
        return tuple(found[:FINDINGS_MAX])

    def scan_text(self, text: str, *, others: Collection[str] = ()) -> tuple[DefinitionFinding, ...]:
        """The same of a server's instructions; pointers are into ``{"instructions": text}``."""
        return self.scan(INSTRUCTIONS, "", {INSTRUCTIONS: text}, others=others)

    def _in_texts(
        self, document: Document, name: str, names: OtherNames, outline: Outline
    ) -> Iterator[DefinitionFinding]:
        separators = document.raw.count(SEPARATOR)
        plain = document.raw.isascii()
        if (
            not plain
            or separators >= len(document.leaves)
            or suspicious(document.raw.replace(SEPARATOR, b""))
        ):
            yield from _hidden(document)
        read = document if plain else _folded(document)
        try:
            yield from self._by_rule(read, outline)
            yield from self._encoded(document)
            yield from self._secrets_in(document)
        except ScanIncomplete:
            yield DefinitionFinding(
                rule="schema.too-large",
                reason="it could not be read to its end",
                pointer="",
                excerpt="",
                severity="quarantine",
            )
        for reference in names.references(read.raw, name):
            reason = f"it speaks of {reference.name}, which is another server's"
            if reference.directing:
                reason = f"it says how or when to use {reference.name}, which is another server's"
            severity: Severity = "quarantine" if reference.directing else "note"
            yield _at(read, reference.start, reference.end, "name.other-server", reason, severity)

    def _by_rule(self, document: Document, outline: Outline) -> Iterator[DefinitionFinding]:
        lower = document.raw.lower() if document.raw.isascii() else _lower(document)
        hits = list(self._rules.in_text(lower))
        named = [parameter_words(name) for name, _ in outline.parameters]
        raw = SEPARATOR.join(name.encode() for name in named)
        parameters = list(self._rules.in_parameters(raw)) if named else []
        weight = sum(hit.rule.weight for hit in (*hits, *parameters))
        severity: Severity = "quarantine" if weight >= QUARANTINE_WEIGHT else "note"
        for hit in hits:
            yield _at(document, hit.start, hit.end, hit.rule.id, hit.rule.reason, severity)
        for hit in parameters:
            parameter, pointer = outline.parameters[raw.count(SEPARATOR, 0, hit.start + 1)]
            yield _of_parameter(hit, parameter, pointer, severity)

    def _encoded(self, document: Document) -> Iterator[DefinitionFinding]:
        """What runs of base64 and hexadecimal digits say; the first order is enough."""
        ordered = False
        for one in encoded_texts(document.raw):
            hit = next(self._rules.in_text(one.text.lower()), None)
            if hit is not None and not ordered:
                ordered = True
                reason = f"an encoded text; decoded, {hit.rule.reason}"
                place = _at(document, one.start, one.end, "injection.encoded", reason, "quarantine")
                said = excerpt(one.text.decode("utf-8", "replace"), hit.start, hit.end)
                yield replace(place, excerpt=said)
            for span in self._secrets.spans(one.text, spans_max=1):
                reason = f"it holds an encoded secret ({span.rule}), which everybody who lists it gets"
                place = _at(document, one.start, one.end, "secret.token", reason, "quarantine")
                yield replace(place, excerpt=f"[{span.kind}]")

    def _secrets_in(self, document: Document) -> Iterator[DefinitionFinding]:
        for span in self._secrets.spans(document.raw, spans_max=SECRETS_MAX):
            if not _is_placeholder(span.secret):
                reason = f"it holds a secret ({span.rule}), which everybody who lists it gets"
                place = _at(document, span.start, span.end, "secret.token", reason, "quarantine")
                yield replace(place, excerpt=f"[{span.kind}]")


def _hidden(document: Document) -> Iterator[DefinitionFinding]:
    seen: set[str] = set()
    for leaf in document.leaves:
        for found in hidden_in(leaf.text):
            if found.rule not in seen:
                seen.add(found.rule)
                yield DefinitionFinding(
                    rule=found.rule,
                    reason=f"{found.times} {_HIDDEN_REASONS[found.rule]}",
                    pointer=leaf.pointer,
                    excerpt=excerpt(leaf.text, found.offset),
                    severity="quarantine",
                )


def _folded(document: Document) -> Document:
    return Document([leaf._replace(text=folded(leaf.text)) for leaf in document.leaves])


def _lower(document: Document) -> bytes:
    """Lower case, byte for byte as long: what changes its length in lower case stays."""
    text = document.raw.decode("utf-8", "surrogatepass")
    whole = text.lower().encode("utf-8", "surrogatepass")
    if len(whole) == len(document.raw):
        return whole
    return b"".join(map(_lower_of_same_length, text))


def _lower_of_same_length(char: str) -> bytes:
    given = char.encode("utf-8", "surrogatepass")
    small = char.lower().encode("utf-8", "surrogatepass")
    return small if len(small) == len(given) else given


def _at(
    document: Document, start: int, end: int, rule: str, reason: str, severity: Severity
) -> DefinitionFinding:
    index = document.index_at(start)
    leaf = document.leaves[index]
    begin = document.starts[index]
    before = document.raw[begin:start].decode("utf-8", "replace")
    inside = document.raw[start : min(end, document.end_of(index))].decode("utf-8", "replace")
    return DefinitionFinding(
        rule=rule,
        reason=reason,
        pointer=leaf.pointer,
        excerpt=excerpt(before + inside, len(before)),
        severity=severity,
    )


def _of_parameter(hit: Hit, name: str, pointer: str, severity: Severity) -> DefinitionFinding:
    return DefinitionFinding(
        rule=hit.rule.id, reason=hit.rule.reason, pointer=pointer, excerpt=excerpt(name), severity=severity
    )


_PLACEHOLDER_WORDS: Final = (
    b"xxxx",
    b"****",
    b"....",
    b"example",
    b"your",
    b"placeholder",
    b"changeme",
    b"<",
    b"{",
    b"1234",
)
_PLACEHOLDERS: Final = frozenset(
    {b"password", b"pass", b"pwd", b"passwd", b"secret", b"pw", b"token", b"p", b"..."}
)


def _is_placeholder(secret: bytes) -> bool:
    """Documentation says what a secret looks like without being one."""
    low = secret.lower()
    return low in _PLACEHOLDERS or any(word in low for word in _PLACEHOLDER_WORDS)
