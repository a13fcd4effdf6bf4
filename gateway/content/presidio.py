"""Recognisers of presidio-analyzer for numbers that states and insurers give to people.

Only those that check a digit, each behind a pattern and words of ours, and asked about single candidates:
none of its models, its engine or its own searches through texts. The package is imported when forms are asked
for, and takes a second; nothing here is needed when it is not installed.
"""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gateway.content.presidio_recognizers import NO_PERSON, OWN, RECOGNIZERS
from scanners.detectors.forms import Form, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from gateway.content.presidio_recognizers import Recognizer
    from scanners.detectors.surroundings import Candidate

PACKAGE: Final = "presidio_analyzer.predefined_recognizers"


class PresidioMissing(ImportError):
    """presidio-analyzer is not installed, or not in a version that has recognisers where we look for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecognizerState:
    """Whether a recogniser is in use, and if not, why."""

    name: str
    kind: str
    """Empty if it has none here."""
    live: bool
    reason: str


def predefined() -> Any:
    """The module with Presidio's recognisers.

    Raises:
        PresidioMissing: it cannot be imported.
    """
    try:
        return importlib.import_module(PACKAGE)
    except ImportError as error:
        raise PresidioMissing("presidio-analyzer is not installed") from error


def recognizer_forms(
    names: Collection[str] | None = None, *, load: Callable[[], Any] = predefined
) -> tuple[Form, ...]:
    """Forms for `PersonalDetector`, of every recogniser that is live.

    Args:
        names: ids of the recognisers wanted; None: all of ``RECOGNIZERS``.
        load: where recognisers come from.

    Raises:
        PresidioMissing: the package is not there.
        ValueError: an id that is not known, or of a recogniser that is not live.
    """
    known = {row.id: row for row in RECOGNIZERS}
    if names is not None and (unknown := sorted(set(names) - known.keys())):
        raise ValueError(f"no recognisers: {', '.join(unknown)}")
    module = load()
    forms = []
    for row in RECOGNIZERS:
        if names is not None and row.id not in names:
            continue
        reason = _why_not(row, module)
        if not reason:
            forms.append(_form(row, module))
        elif names is not None:
            raise ValueError(f"recogniser {row.id}: {reason}")
    return tuple(forms)


def live_recognizers(*, load: Callable[[], Any] = predefined) -> tuple[RecognizerState, ...]:
    """Every recogniser that we or the installed package have, by name."""
    try:
        module = load()
    except PresidioMissing as missing:
        return tuple(
            RecognizerState(name=row.name, kind=row.kind, live=False, reason=str(missing))
            for row in RECOGNIZERS
        )
    rows = {row.name: row for row in RECOGNIZERS}
    found = {name for name in dir(module) if name.endswith("Recognizer")}
    return tuple(_state(name, rows.get(name), module) for name in sorted(found | rows.keys()))


def _state(name: str, row: Recognizer | None, module: Any) -> RecognizerState:
    if row is not None:
        reason = _why_not(row, module)
        return RecognizerState(name=name, kind=row.kind, live=not reason, reason=reason or "checks a digit")
    if name in OWN:
        reason = "our own form is used"
    elif name in NO_PERSON:
        reason = "numbers of companies, not of people"
    else:
        reason = "checks no digit, or needs a model or a service"
    return RecognizerState(name=name, kind="", live=False, reason=reason)


def _why_not(row: Recognizer, module: Any) -> str:
    if not hasattr(module, row.name):
        return "not in this version of presidio-analyzer"
    recognizer = getattr(module, row.name)()
    if not _accepted(recognizer, row, row.example):
        return "does not accept its example"
    if _accepted(recognizer, row, row.counter_example):
        return "accepts a wrong digit"
    return ""


def _accepted(recognizer: Any, row: Recognizer, text: str) -> list[tuple[int, int]]:
    found = recognizer.analyze(text, recognizer.supported_entities, None) or []
    return [(one.start, one.end) for one in found if one.score >= row.score_min]


def _form(row: Recognizer, module: Any) -> Form:
    recognizer = getattr(module, row.name)()
    # A word of any other script may have letters of its own behind it.
    words = re.compile(rf"(?<![a-z0-9])(?:{row.words})(?![a-z0-9])") if row.words else None

    def judge(candidate: Candidate) -> Iterator[Value]:
        if not candidate.stands_alone:
            return
        if words and not (words.search(candidate.name) or words.search(candidate.before)):
            return
        for start, end in sorted(_accepted(recognizer, row, candidate.text))[:1]:
            begin = candidate.start + start
            spelling = re.sub(rb"[^0-9A-Z]", b"", candidate.raw[start:end].upper())
            yield Value(begin, candidate.start + end, spelling)

    # Names of members join words with an underscore or a capital.
    joined = row.words.replace(" ", "[ _-]?")
    trigger = f"(?:^|[^A-Za-z0-9])(?i:{joined})(?:$|[^a-z0-9])" if row.words else ""
    return Form(row.kind, row.id, row.pattern.encode(), judge, trigger=trigger.encode(), near=bool(trigger))
