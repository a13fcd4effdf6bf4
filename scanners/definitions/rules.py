"""Rules about what definitions say, as in `rules/definitions.toml`: what each looks for, and why.

The patterns are RE2, read over lower-case text in which hidden characters are gone. To keep them readable:

========== ==========================================================================================
written    stands for
========== ==========================================================================================
a space    any white space and what marks text up between words
``…``      anything up to the end of the sentence
``⋯``      anything up to the end of the string
``'``      an apostrophe of any kind, or none
``{name}`` the pattern of that name in the file's table ``words``
========== ==========================================================================================
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NamedTuple

import re2
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from scanners.errors import RulesRejected
from scanners.pattern_set import PatternSet, pattern_options
from scanners.rule_packs import read_pack

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

QUARANTINE_WEIGHT: Final = 2
"""From here on the rules that a definition meets keep it from being offered."""

_SHORT: Final = {
    " ": r"(?:[\s*_`\"'>|#-]+)",
    "…": r"(?:[^.!?\n\x1e]|[.!?][^\s\x1e]|\n[^\n\x1e])*?",
    "⋯": r"[^\x1e]*?",
    "'": r"(?:'|’|`|\\')?",
}
_SHORTHAND: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|[ …⋯']")
"""An escape or a class stays as it is."""
_WORD: Final = re.compile(r"\{([a-z][a-z-]*)\}")

Id = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z-]*\.[a-z][a-z-]*$")]
Text = Annotated[str, StringConstraints(min_length=1)]


class DefinitionRule(BaseModel):
    """One thing that definitions should not say. The members are explained at the head of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Id
    weight: Literal[1, 2]
    where: Literal["text", "parameter"] = "text"
    triggers: tuple[Text, ...] = Field(min_length=1)
    patterns: tuple[Text, ...] = Field(min_length=1)
    reason: Text
    matches: tuple[Text, ...] = Field(min_length=1)
    differs: tuple[Text, ...] = Field(min_length=1)


class Hit(NamedTuple):
    """Where a rule was met first."""

    rule: DefinitionRule
    start: int
    end: int


class _RuleFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1]
    words: dict[str, Text] = {}
    rule: tuple[DefinitionRule, ...] = Field(min_length=1)


class DefinitionRules:
    """Finds what the rules describe."""

    def __init__(self, rules: Sequence[DefinitionRule], words: Mapping[str, str]) -> None:
        """Compile them.

        Raises:
            RulesRejected: naming the rule that cannot be used.
        """
        self.rules = tuple(rules)
        self._of_text = _Compiled([rule for rule in rules if rule.where == "text"], words)
        self._of_parameters = _Compiled([rule for rule in rules if rule.where == "parameter"], words)

    def in_text(self, raw: bytes) -> Iterator[Hit]:
        """Rules that texts meet, each once; ``raw`` is lower-case UTF-8, strings joined by ``SEPARATOR``."""
        return self._of_text.hits(raw)

    def in_parameters(self, raw: bytes) -> Iterator[Hit]:
        """Rules that names of parameters meet; words of a name are parted by ``_``."""
        return self._of_parameters.hits(raw)


class _Compiled:
    def __init__(self, rules: Sequence[DefinitionRule], words: Mapping[str, str]) -> None:
        self._rules = tuple(rules)
        self._exact = [_exact(rule, words) for rule in rules]
        self._set = PatternSet([_joined(rule.triggers, words) for rule in rules])

    def hits(self, raw: bytes) -> Iterator[Hit]:
        for number in self._set.occurring(raw):
            match = self._exact[number].search(raw)
            if match is not None:
                yield Hit(self._rules[number], *match.span())


def read_definition_rules(text: str) -> DefinitionRules:
    """The rules in a TOML text.

    Raises:
        RulesRejected: the text is not TOML, has members that no rule has, or a pattern that cannot be used.
    """
    read = read_pack(text, _RuleFile)
    return DefinitionRules(read.rule, read.words)


def _exact(rule: DefinitionRule, words: Mapping[str, str]) -> Any:
    try:
        exact = re2.compile(_joined(rule.patterns, words), pattern_options())
    except re2.error as error:
        raise RulesRejected(f"rule {rule.id}: {error}") from error
    if exact.search(b""):
        raise RulesRejected(f"rule {rule.id}: matches an empty text")
    return exact


def _joined(patterns: Sequence[str], words: Mapping[str, str]) -> bytes:
    """One RE2 pattern for all of them.

    Raises:
        RulesRejected: a word that the file does not have.
    """
    try:
        spelled = [_WORD.sub(lambda match: f"(?:{words[match[1]]})", one) for one in patterns]
    except KeyError as error:
        raise RulesRejected(f"no word {error} in the table `words`") from error
    written = (_SHORTHAND.sub(lambda match: _SHORT.get(match[0], match[0]), one) for one in spelled)
    return "|".join(f"(?:{one})" for one in written).encode()
