"""What finds fixed words, for tests of what is done about finds; plain values, so that workers can build it."""

from __future__ import annotations

import re

from scanners.credentials import Credentials
from scanners.pipeline import Pipeline
from scanners.spans import Span

WORDS = {
    "hunter2": ("secret", "password"),
    "ana@example.com": ("personal", "email"),
    "4111": ("personal", "card"),
    "ignore previous": ("injection", "instruction-override"),
}


class Words:
    def __init__(self, family):
        self.family = family
        self.words = {word: kind for word, (its, kind) in WORDS.items() if its == family}
        self.kinds = frozenset(self.words.values())
        self.trigger_groups = (tuple(map(str.encode, self.words)),)

    def spans(self, document, *, spans_max):
        return [
            Span(start=one.start(), end=one.end(), kind=kind, rule="words", secret=word.encode(), order=1)
            for word, kind in self.words.items()
            for one in re.finditer(word.encode(), document.raw)
        ]


def built(parts=None):
    return Pipeline(Credentials([]), [Words(one) for one in ("secret", "personal", "injection")], b"k" * 16)
