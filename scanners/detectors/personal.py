"""Personal data that a program can recognise: by a check digit, an assigned range, or the name of its member.

Names and addresses of people are not among them: for those a language model is needed, not a pattern.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import TYPE_CHECKING, Final

import re2

from scanners.detectors import addresses, identity, payments, phones
from scanners.detectors.surroundings import Candidate, regions
from scanners.pattern_set import PatternSet, pattern_options
from scanners.spans import Span

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from scanners.detectors.forms import Form
    from scanners.document import Document

FAMILY: Final = "personal"
FORMS: Final[tuple[Form, ...]] = (
    addresses.EMAIL,
    payments.IBAN,
    payments.CARD,
    payments.OLD_WALLET,
    payments.NEW_WALLET,
    payments.ETHEREUM_WALLET,
    identity.SSN_GROUPED,
    identity.SSN_NAMED,
    addresses.IPV6,
    addresses.IPV4,
    phones.INTERNATIONAL,
    phones.BY_FORM,
    phones.BY_WORDS,
)
"""The first one that fits names a stretch."""
KINDS: Final = frozenset(form.kind for form in FORMS)
"""What is found without the recognisers of another engine."""
ORDER: Final = 10_000
"""Behind every rule for secrets: what is both is a secret."""


class PersonalDetector:
    """Finds personal data in documents."""

    family: str = FAMILY

    def __init__(self, *, kinds: Collection[str] = KINDS, recognizers: Sequence[Form] = ()) -> None:
        """Prepare the search.

        Args:
            kinds: which of ``KINDS`` to look for; ``ip-address`` is the one that is often left out.
            recognizers: forms that another engine judges, looked for whatever ``kinds`` says.

        Raises:
            ValueError: a kind that is not known.
        """
        unknown = sorted(set(kinds) - KINDS)
        if unknown:
            raise ValueError(f"no kinds of personal data: {', '.join(unknown)}")
        own = [form for form in FORMS if form.kind in kinds]
        # A right check digit says more than the grouping of a telephone number.
        self._forms = [form for form in own if form.kind != phones.KIND]
        self._forms += [*recognizers, *(form for form in own if form.kind == phones.KIND)]
        self.kinds: frozenset[str] = frozenset(form.kind for form in self._forms)
        triggers = tuple(form.trigger or form.pattern for form in self._forms)
        self.trigger_groups: tuple[tuple[bytes, ...], ...] = (triggers,)
        self._exact = [re2.compile(form.pattern, pattern_options()) for form in self._forms]
        self._words = {
            number: re2.compile(form.trigger, pattern_options())
            for number, form in enumerate(self._forms)
            if form.near
        }
        self._set = PatternSet(triggers)

    def spans(self, document: Document, *, spans_max: int) -> list[Span]:
        """What is found, in order; none overlaps another. Where several forms fit, the one listed first.

        ``secret`` is the value in one spelling, so that a card has one digest with and without spaces.
        """
        found: list[Span] = []
        taken: list[tuple[int, int]] = []
        for number in self._set.occurring(document.raw):
            for span in self._of_form(number, document):
                if not _overlaps(taken, span):
                    insort(taken, (span.start, span.end))
                    found.append(span)
                if len(found) == spans_max:
                    break
        return sorted(found, key=lambda span: span.start)

    def _of_form(self, number: int, document: Document) -> Iterator[Span]:
        form, exact = self._forms[number], self._exact[number]
        whole = (0, len(document.raw))
        words = self._words.get(number)
        places = (
            regions(document, (match.span() for match in words.finditer(document.raw))) if words else [whole]
        )
        for place, region_end in places:
            at = place
            while match := exact.search(document.raw, at, region_end):
                start, end = match.span()
                at = start + form.step_bytes if form.step_bytes else end
                for value in form.judge(Candidate(document=document, start=start, end=end)):
                    at = max(at, value.end)
                    yield Span(
                        start=value.start,
                        end=value.end,
                        kind=form.kind,
                        rule=form.rule,
                        secret=value.spelling,
                        order=ORDER + number,
                    )


def _overlaps(taken: list[tuple[int, int]], span: Span) -> bool:
    behind = bisect_left(taken, (span.end, 0))
    return behind > 0 and taken[behind - 1][1] > span.start
