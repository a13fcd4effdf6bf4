"""Well-known forms of secrets, as rules in `rules/tokens.toml`: what each looks like, and why."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import re2
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from scanners.errors import RulesRejected
from scanners.finding import RESERVED_KINDS
from scanners.markers import KIND_PATTERN
from scanners.pattern_set import PatternSet, pattern_options
from scanners.rule_packs import read_pack
from scanners.spans import Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LEFT_OUT: Final = "·"
"""Stands in examples where a search for leaked secrets must not see one."""

Word = Annotated[str, StringConstraints(pattern=f"^{KIND_PATTERN}$")]
Pattern = Annotated[str, StringConstraints(pattern=r"^[\x20-\x7e]+$")]
Example = Annotated[str, StringConstraints(min_length=1)]


class TokenRule(BaseModel):
    """One well-known form. The meaning of the members is written at the head of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Word
    kind: Word
    pattern: Pattern
    trigger: Pattern | None = None
    reason: Example
    matches: tuple[Example, ...] = Field(min_length=1)
    differs: tuple[Example, ...] = Field(min_length=1)

    @property
    def examples(self) -> tuple[str, ...]:
        """Texts with exactly one such secret."""
        return tuple(example.replace(LEFT_OUT, "") for example in self.matches)

    @property
    def counter_examples(self) -> tuple[str, ...]:
        """Texts that look like it and are not."""
        return tuple(example.replace(LEFT_OUT, "") for example in self.differs)


class _RuleFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1]
    rule: tuple[TokenRule, ...] = Field(min_length=1)


class TokenRules:
    """Finds what the rules describe."""

    def __init__(self, rules: Sequence[TokenRule]) -> None:
        """Compile the rules.

        Raises:
            RulesRejected: naming the rule that cannot be used.
        """
        self.rules = tuple(rules)
        self._exact = [_compiled(rule) for rule in self.rules]
        self._set = PatternSet([(rule.trigger or rule.pattern).encode() for rule in self.rules])

    @property
    def kinds(self) -> frozenset[str]:
        """Every kind that a finding of these rules can have."""
        return frozenset(rule.kind for rule in self.rules)

    def spans(self, raw: bytes, *, spans_max: int) -> list[Span]:
        """Everything that a rule describes; at most ``spans_max``, in no order."""
        found = (span for number in self._set.occurring(raw) for span in self._of_rule(number, raw))
        return list(islice(found, spans_max))

    def _of_rule(self, number: int, raw: bytes) -> Iterator[Span]:
        rule, exact = self.rules[number], self._exact[number]
        for match in exact.finditer(raw):
            start, end = match.span(exact.groups)
            if start < 0:  # the group stands in another branch of the pattern
                start, end = match.span()
            yield Span(
                start=start, end=end, kind=rule.kind, rule=rule.id, secret=raw[start:end], order=1 + number
            )


def read_rules(text: str) -> TokenRules:
    """The rules in a TOML text.

    Raises:
        RulesRejected: the text is not TOML, has members that no rule has, or a pattern that cannot be used.
    """
    read = read_pack(text, _RuleFile)
    for rule in read.rule:
        if rule.kind in RESERVED_KINDS:
            raise RulesRejected(f"rule {rule.id}: the kind {rule.kind} is not for rules")
    return TokenRules(read.rule)


def _compiled(rule: TokenRule) -> Any:
    try:
        exact = re2.compile(rule.pattern.encode(), pattern_options())
    except re2.error as error:
        raise RulesRejected(f"rule {rule.id}: {error}") from error
    if exact.groups > 1:
        raise RulesRejected(f"rule {rule.id}: one group at most says what the secret is")
    if exact.search(b""):
        raise RulesRejected(f"rule {rule.id}: matches an empty text")
    return exact
