"""In what a held call differs from those of its tool that ran before, as facts with numbers. Pure.

Facts only: nothing here weighs them, and none changes a risk. Every value is a redacted one, and as foreign
as the arguments are; whoever shows a sentence makes it visible.
"""

from __future__ import annotations

import statistics
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from gateway.desk import Unusual
from gateway.holding.destinations import LOOKS_ALIKE, Known, number_in
from gateway.holding.earlier import LEAVES_MAX, MARKER, Earlier, Leaf, Member, earlier_of, parts_in, told_by
from gateway.holding.facts import short_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from durable.holds.finding import Precedents
    from durable.holds.hold import Hold
    from gateway.holding.destinations import Destination
    from gateway.holding.earlier import Place

EARLIER_MIN: Final = 3
"""With fewer earlier calls nothing is said of what is usual, only of what was never there."""
LARGER_TIMES: Final = 3
"""A number is told of that is more than so many times the largest earlier one..."""
MEDIAN_TIMES: Final = 10
"""...or larger than all, and more than so many times their median."""
LONGER_TIMES: Final = 5
LONG_CHARACTERS: Final = 200
"""A text is told of that is longer than this, and than so many times the longest earlier one."""
NAMES_MAX: Final = 32
"""An object that had more different names is a table: a new name in it is nothing new."""
LOOKED_MAX: Final = 100
"""New destinations that are held against the known ones."""
PER_CODE_MAX: Final = 4
"""Facts of one kind that are told one by one."""

ORDER: Final = (
    "near_value",
    "definition_changed",
    "first_host",
    "larger_number",
    "denied_before",
    "first_value",
    "first_call",
    "first_for_agent",
    "new_argument",
    "much_longer",
    "partly_compared",
)
"""Every code, the most telling first."""


def unusual_in(
    hold: Hold, value: Any, precedents: Precedents, *, definition_change: str
) -> tuple[tuple[Unusual, ...], int]:
    """The facts, and with how many earlier calls it was compared.

    Args:
        hold: the call.
        value: its arguments as they are shown: secrets replaced by markers.
        precedents: what became of earlier calls.
        definition_change: a sentence about its definition; empty if that is in use as it was.
    """
    parts = list(parts_in(value))
    shown = {part.place for part in parts if isinstance(part, Leaf) and _is_shown(hold, part.pointer)}
    earlier = earlier_of((one.view for one in precedents.ran), shown=shown)
    found = [*_about_the_call(hold, precedents, definition_change)]
    found += _Comparison(earlier, shown).of(parts)
    if sum(isinstance(part, Leaf) for part in parts) >= LEAVES_MAX:
        text = f"Only its first {LEAVES_MAX:,} values were compared with earlier ones."
        found.append(Unusual(code="partly_compared", text=text))
    return tuple(_bounded(found)), earlier.calls


def _about_the_call(hold: Hold, precedents: Precedents, definition_change: str) -> Iterator[Unusual]:
    if definition_change:
        yield Unusual(code="definition_changed", text=definition_change)
    for what, denied in (
        ("This very call", precedents.same_denied),
        (f"Calls of this tool by {hold.requester.agent}", precedents.agent_denied),
    ):
        if denied is not None:
            times = "once" if denied.times == 1 else f"{denied.times} times"
            verb = "were" if what.startswith("Calls") else "was"
            text = f"{what} {verb} denied {times} in the last 30 days, most recently by {denied.by}."
            yield Unusual(code="denied_before", text=text)
            break
    ran = len(precedents.ran)
    if not ran:
        yield Unusual(code="first_call", text="No held call of this tool has run here before.")
    elif all(one.agent != hold.requester.agent for one in precedents.ran):
        which = "The one earlier call was not" if ran == 1 else f"None of the {ran} earlier calls was"
        text = f"{which} made by {hold.requester.agent}."
        yield Unusual(code="first_for_agent", text=text)


class _Comparison:
    """With what the earlier calls had, which may be nothing."""

    def __init__(self, earlier: Earlier, shown: set[Place]) -> None:
        self._earlier = earlier
        self._shown = shown
        self._looked = 0
        self._known: dict[Place, Known] = {}
        self._known_hosts: Known | None = None
        self._unsure: dict[Place, list[tuple[str, str]]] = {}
        """Pointer and value of what may have been in that part of a list that is not kept."""

    def of(self, parts: Sequence[Leaf | Member]) -> Iterator[Unusual]:
        """A fact for each thing that is new or out of the ordinary."""
        if not self._earlier.calls:
            return
        for part in parts:
            if isinstance(part, Member):
                yield from self._member(part)
            else:
                yield from self._destinations(part)
                yield from self._size(part)
        for found in self._unsure.values():
            (pointer, value), others = found[0], len(found) - 1
            more = f" and {others} more there were" if others else " was"
            text = f"{value}{more} not in {_any_of(self._earlier.calls)}, as far as those are kept."
            yield Unusual(code="first_value", pointer=pointer, text=text)

    def _member(self, member: Member) -> Iterator[Unusual]:
        earlier, place = self._earlier, member.place
        # Of an object that is new itself its name is told, not those of its members.
        names = earlier.members.get(place)
        if names is None or member.name in names or earlier.calls < EARLIER_MIN:
            return
        if place in earlier.partial or len(names) > NAMES_MAX:
            return
        text = f"None of the {earlier.calls} earlier calls had an argument {short_value(member.name)} there."
        yield Unusual(code="new_argument", pointer=member.pointer, text=text)

    def _destinations(self, leaf: Leaf) -> Iterator[Unusual]:
        for one in told_by(leaf, shown=leaf.place in self._shown):
            if not self._earlier.knows(leaf.place, one.text):
                yield from self._new(leaf, one)

    def _new(self, leaf: Leaf, one: Destination) -> Iterator[Unusual]:
        earlier, pointer, value = self._earlier, leaf.pointer, short_value(one.raw)
        before = earlier.texts.get(leaf.place, Counter())
        written = earlier.written.get(leaf.place, {})
        other, how = self._near(leaf.place, one)
        if other:
            times = before[next(text for text, raw in written.items() if raw == other)]
            text = f"{value} {how} {short_value(other)}, which {_some_of(times, earlier.calls)} had there."
            yield Unusual(code="near_value", pointer=pointer, text=text)
            return
        if one.host and one.host not in earlier.hosts and earlier.hosts:
            yield from self._new_host(leaf, one)
            return
        if self._is_partial(leaf.place):
            self._unsure.setdefault(leaf.place, []).append((pointer, value))
            return
        different = "1 other value" if len(before) == 1 else f"{len(before)} different values"
        had = f", which had {different} there" if before else ", and they had nothing there"
        text = f"{value} was not in {_any_of(earlier.calls)}{had}."
        yield Unusual(code="first_value", pointer=pointer, text=text)

    def _near(self, place: Place, one: Destination) -> tuple[str, str]:
        self._looked += 1
        if MARKER in one.raw or self._looked > LOOKED_MAX:
            return "", ""
        if place not in self._known:
            self._known[place] = Known(self._earlier.written.get(place, {}).values())
        other, how = self._known[place].near(one.raw)
        # One file follows another as one number does; of a link the host is looked at by itself.
        return ("", "") if one.kind in {"path", "link", "shown"} and how != LOOKS_ALIKE else (other, how)

    def _new_host(self, leaf: Leaf, one: Destination) -> Iterator[Unusual]:
        earlier, pointer, host = self._earlier, leaf.pointer, short_value(one.host)
        if self._known_hosts is None:
            self._known_hosts = Known(earlier.hosts)
        other, how = self._known_hosts.near(one.host) if self._looked <= LOOKED_MAX else ("", "")
        if other:
            times = _some_of(earlier.hosts[other], earlier.calls)
            text = f"The host {host} {how} {short_value(other)}, which {times} had."
            yield Unusual(code="near_value", pointer=pointer, text=text)
            return
        count = len(earlier.hosts)
        hosts = "1 other host" if count == 1 else f"{count} other hosts"
        # Of one or two calls nobody can say which hosts are usual.
        code = "first_host" if earlier.calls >= EARLIER_MIN else "first_value"
        text = f"The host {host} was not in {_any_of(earlier.calls)}, which had {hosts}."
        yield Unusual(code=code, pointer=pointer, text=text)

    def _is_partial(self, place: Place) -> bool:
        return any(place[:depth] in self._earlier.partial for depth in range(len(place) + 1))

    def _size(self, leaf: Leaf) -> Iterator[Unusual]:
        if self._earlier.calls < EARLIER_MIN:
            return
        numbers = self._earlier.numbers.get(leaf.place, [])
        number = number_in(leaf.name, leaf.value)
        if number is not None and len(numbers) >= EARLIER_MIN:
            yield from _larger(leaf, number, numbers)
        longest = self._earlier.longest.get(leaf.place, 0)
        if not isinstance(leaf.value, str) or not longest:
            return
        size = len(leaf.value)
        if size > max(LONG_CHARACTERS, LONGER_TIMES * longest):
            text = (
                f"It has {size:,} characters; the longest in {_any_of(self._earlier.calls)} had {longest:,}."
            )
            yield Unusual(code="much_longer", pointer=leaf.pointer, text=text)


def _larger(leaf: Leaf, number: float, numbers: list[float]) -> Iterator[Unusual]:
    size, sizes = abs(number), [abs(one) for one in numbers]
    largest, median = max(sizes), statistics.median(sizes)
    if size <= largest:
        return
    among = f"of {len(numbers)} earlier ones there"
    if size > LARGER_TIMES * largest:
        times = f"{size / largest:,.1f} times the largest {among}, {largest:,g}" if largest else ""
        text = f"{number:,g} is {times or f'more than any {among}, which were all 0'}."
    elif size > MEDIAN_TIMES * median:
        times = f"{size / median:,.1f} times their median, {median:,g}" if median else "their median is 0"
        text = f"{number:,g} is more than any {among}; {times}."
    else:
        return
    yield Unusual(code="larger_number", pointer=leaf.pointer, text=text)


def _is_shown(hold: Hold, pointer: str) -> bool:
    return any(pointer == above or pointer.startswith(above + "/") for above in hold.requirement.show)


def _any_of(calls: int) -> str:
    return "the one earlier call" if calls == 1 else f"any of the {calls} earlier calls"


def _some_of(times: int, calls: int) -> str:
    return "the one earlier call" if calls == 1 else f"{times} of the {calls} earlier calls"


def _bounded(found: list[Unusual]) -> Iterator[Unusual]:
    """In their order, and of each kind so many that they are still read."""
    for code in ORDER:
        alike = [one for one in found if one.code == code]
        yield from alike[:PER_CODE_MAX]
        more = len(alike) - PER_CODE_MAX
        if more > 0:
            values = "1 more value is" if more == 1 else f"{more} more values are"
            yield Unusual(code=code, text=f"{values} like that.")
