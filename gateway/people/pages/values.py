"""The arguments of a held call as a page shows them: every value by its path, none left out. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from markupsafe import Markup

from gateway.core.visible_text import is_plain
from gateway.people.pages import foreign
from gateway.people.pages.heeding import TELLING
from gateway.people.sheet.addresses import addresses_in
from gateway.people.sheet.looking import (
    AROUND_CHARACTERS,
    COUNTED_CHARACTERS,
    SIMPLE_NAME,
    about_marker,
    ends,
)
from gateway.people.sheet.values import Unreadable, changes, difference, in_order, leaves_of, pointer_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.people.sheet.addresses import Address
    from gateway.people.sheet.looking import Arguments
    from gateway.people.sheet.values import Leaf, Path
    from gateway.people.sheet_models import HoldSheetModel

ADDRESSES_MAX = 20
DIFFERING_CHARACTERS_MAX = 1_000


_NOTHING = Markup()
_Said = TypeVar("_Said")


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueView:
    """One value."""

    path: Markup
    kind: str
    text: Markup
    """All of it, or its beginning."""
    left_out: int = 0
    """Characters between beginning and end that are folded away."""
    tail: Markup = _NOTHING
    whole: Markup = _NOTHING
    """All of it, to be unfolded; empty where ``text`` is."""
    digest: str = ""
    """SHA-256 of all of it, where some is folded away."""
    characters: int = 0
    """0 where they need not be counted."""
    first: bool = False
    """A rule wants it looked at first."""
    described: str = ""
    """What the server's schema says of it; foreign."""
    markers: tuple[str, ...] = ()
    """What is hidden in it, in our words."""
    addresses: tuple[Address, ...] = ()
    addresses_left_out: int = 0
    unusual: tuple[tuple[str, bool], ...] = ()
    """In what it differs from what ran before, and whether that deserves a look before all else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeView:
    """What a reviewer changed at one place."""

    path: Markup
    before: Markup | None
    after: Markup | None
    around: str = ""
    """Which characters of long strings these are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArgumentsView:
    """All of them."""

    values: tuple[ValueView, ...]
    missing: tuple[str, ...]
    """JSON Pointers that a rule wants looked at, and that are not there."""


def arguments_view(sheet: HoldSheetModel, arguments: Arguments) -> ArgumentsView:
    """Those that the rules want seen first, then all others."""
    first, rest, missing = in_order(arguments.leaves, sheet.hold.show)
    told = _Told(sheet)
    return ArgumentsView(
        values=(*(told.of(leaf, first=True) for leaf in first), *(told.of(leaf) for leaf in rest)),
        missing=missing,
    )


def changes_view(sheet: HoldSheetModel, arguments: Arguments) -> tuple[ChangeView, ...] | None:
    """What a reviewer changed in what the agent had sent; None: it cannot be compared."""
    try:
        before = leaves_of(sheet.original_text)
    except Unreadable:
        return None
    return tuple(
        view for change in changes(before, arguments.leaves)
        for view in _changed(change.path, change.before, change.after)
    )  # fmt: skip


def path_shown(path: Path) -> Markup:
    """Where a value stands. Positions in lists are bare numbers; names that are not simple are quoted."""
    parts = [
        str(part) if isinstance(part, int) else part if SIMPLE_NAME.fullmatch(part) else foreign.quoted(part)
        for part in path
    ]
    return Markup("").join(Markup("/{}<wbr>").format(part) for part in parts) or Markup("(the whole)")


class _Told:
    """What is said beside the values, by place."""

    def __init__(self, sheet: HoldSheetModel) -> None:
        self._described = {one.pointer: one.text for one in sheet.described}
        self._markers = _by_place((one.pointer, about_marker(one.kind)) for one in sheet.redactions)
        self._unusual = _by_place(
            (one.pointer, (one.text, one.code in TELLING)) for one in sheet.unusual if one.pointer
        )

    def of(self, leaf: Leaf, *, first: bool = False) -> ValueView:
        pointer = pointer_of(leaf.path)
        drawn = ValueView(
            path=path_shown(leaf.path),
            kind=leaf.kind,
            text=foreign.shown(leaf.text),
            first=first,
            described=self._described.get(pointer, ""),
            markers=self._markers.get(pointer, ()),
            unusual=self._unusual.get(pointer, ()),
        )
        return _of_string(leaf.text, drawn) if leaf.kind == "string" else drawn


def _of_string(text: str, drawn: ValueView) -> ValueView:
    found = addresses_in(text)
    drawn = replace(
        drawn,
        text=foreign.quoted(text),
        characters=len(text) if len(text) > COUNTED_CHARACTERS or not is_plain(text) else 0,
        addresses=found[:ADDRESSES_MAX],
        addresses_left_out=max(0, len(found) - ADDRESSES_MAX),
    )
    head, tail = ends(text)
    if head == len(text):
        return drawn
    return replace(
        drawn,
        text=foreign.quoted(text[:head], tail=False),
        tail=foreign.quoted(text[tail:], head=False),
        left_out=tail - head,
        whole=drawn.text,
        digest=hashlib.sha256(text.encode("utf-8", "replace")).hexdigest(),
    )


def _changed(path: Path, before: Leaf | None, after: Leaf | None) -> Iterable[ChangeView]:
    if before is not None and after is not None and _long(before, after):
        yield _middle(path, before.text, after.text)
        return
    yield ChangeView(path=path_shown(path), before=_drawn(before), after=_drawn(after))


def _drawn(leaf: Leaf | None) -> Markup | None:
    if leaf is None:
        return None
    return foreign.quoted(leaf.text) if leaf.kind == "string" else foreign.shown(leaf.text)


def _long(*leaves: Leaf) -> bool:
    return all(leaf.kind == "string" for leaf in leaves) and any(
        ends(leaf.text)[0] < len(leaf.text) for leaf in leaves
    )


def _middle(path: Path, before: str, after: str) -> ChangeView:
    """Two long strings around the place where they differ: their ends may well be the same."""
    head, tail = difference(before, after)
    start = max(0, head - AROUND_CHARACTERS)
    parts, told = [], []
    for text in (before, after):
        end = min(len(text), len(text) - tail + AROUND_CHARACTERS, start + DIFFERING_CHARACTERS_MAX)
        parts.append(foreign.quoted(text[start:end]))
        told.append(f"{start + 1:,} to {end:,} of {len(text):,}")
    return ChangeView(
        path=path_shown(path), before=parts[0], after=parts[1], around=f"characters {told[0]}, now {told[1]}"
    )


def _by_place(pairs: Iterable[tuple[str, _Said]]) -> dict[str, tuple[_Said, ...]]:
    found: dict[str, tuple[_Said, ...]] = {}
    for pointer, said in pairs:
        found[pointer] = (*found.get(pointer, ()), said)
    return found
