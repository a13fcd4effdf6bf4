"""Links that load, run or hide by themselves, as finds of a document; `scanners.links` makes them inert."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scanners.links import KINDS, TRIGGERS, link_finds
from scanners.spans import Span

if TYPE_CHECKING:
    from scanners.document import Document


class LinkDetector:
    """Finds what `scanners.links.neutral` makes inert; the text of each find is what it is to be given."""

    family = "link"
    kinds = KINDS
    trigger_groups: tuple[tuple[bytes, ...], ...] = (TRIGGERS,)

    def spans(self, document: Document, *, spans_max: int) -> list[Span]:
        """What loads, runs or hides by itself; at most ``spans_max``."""
        return [
            Span(
                start=find.start,
                end=find.end,
                kind=find.kind,
                rule=find.rule,
                secret=document.raw[find.start : find.end],
                order=1,
            )
            for find in link_finds(document.raw, finds_max=spans_max)[:spans_max]
        ]
