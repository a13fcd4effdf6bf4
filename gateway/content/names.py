"""Names and addresses of people, by a language model that the operator installs: spaCy's named entities.

Without one they are not looked for. A model takes some milliseconds for each kilobyte and holds up whoever it
runs beside, so with one every value is looked at in a process of its own.
"""

from __future__ import annotations

import importlib
from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from scanners.detectors.personal import FAMILY
from scanners.spans import Span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scanners.document import Document, Leaf

KIND_OF: Final = MappingProxyType(
    {"PERSON": "person", "PER": "person"} | dict.fromkeys(("GPE", "LOC", "FAC", "ADDRESS"), "address")
)
"""Label of an entity -> kind. Models that have others find nothing."""

RULE: Final = "names-model"
ORDER: Final = 15_000
"""Behind every rule with a check digit: those know."""
LEAF_CHARACTERS_MAX: Final = 100_000
"""Of one text that a model reads at once; longer ones are read in pieces of this length."""


class NamesMissing(ValueError):
    """The model that is wanted cannot be loaded."""


def names_detector(model: str, *, load: Callable[[str], Any] | None = None) -> NamesDetector:
    """The detector over a model.

    Args:
        model: name of an installed package, or a folder.
        load: how a model is loaded; spaCy's way.

    Raises:
        NamesMissing: it is not there, not of this version of spaCy, or finds no entities.
    """
    try:
        nlp = (load or importlib.import_module("spacy").load)(model)
    except Exception as error:  # a model is code of others: it may fail in any way
        raise NamesMissing(f"the model {model!r} cannot be loaded: {error}") from error
    finders = {"ner", "entity_ruler"} & set(nlp.pipe_names)
    if not finders:
        raise NamesMissing(f"the model {model!r} finds no entities")
    # Only what finding entities needs: the rest takes most of the time.
    nlp.select_pipes(enable=[name for name in nlp.pipe_names if name in finders | {"tok2vec", "transformer"}])
    return NamesDetector(nlp)


class NamesDetector:
    """Finds what a model calls a person or a place. A guess, each time."""

    family: str = FAMILY
    kinds: frozenset[str] = frozenset(KIND_OF.values())
    trigger_groups: tuple[tuple[bytes, ...], ...] = ()
    """Always asked: a name looks like any other word."""

    def __init__(self, nlp: Any) -> None:
        """Take a loaded model."""
        self._nlp = nlp

    def spans(self, document: Document, *, spans_max: int) -> list[Span]:
        """What it finds, at most ``spans_max``."""
        return list(islice(self._spans(document), spans_max))

    def _spans(self, document: Document) -> Iterator[Span]:
        for number, leaf in enumerate(document.leaves):
            if leaf.is_number or leaf.in_name or not _may_hold_a_name(leaf):
                continue
            for begin in range(0, len(leaf.text), LEAF_CHARACTERS_MAX):
                piece = leaf.text[begin : begin + LEAF_CHARACTERS_MAX]
                for entity in self._nlp(piece).ents:
                    kind = KIND_OF.get(entity.label_)
                    if kind is not None:
                        yield _span(
                            document, number, kind, begin + entity.start_char, begin + entity.end_char
                        )


def _may_hold_a_name(leaf: Leaf) -> bool:
    """Whether any letter of it is not a small one; those of scripts without case are not."""
    return any(char.isalpha() and not char.islower() for char in leaf.text)


def _span(document: Document, number: int, kind: str, begin: int, end: int) -> Span:
    text = document.leaves[number].text
    start = document.starts[number] + len(text[:begin].encode("utf-8", "surrogatepass"))
    secret = text[begin:end].encode("utf-8", "surrogatepass")
    return Span(start=start, end=start + len(secret), kind=kind, rule=RULE, secret=secret, order=ORDER)
