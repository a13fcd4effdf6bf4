"""Regular expressions that a backtracking engine may never finish, told by their shape.

We match in linear time; whoever gets the schema after us may not. A repetition without end is costly when
what is repeated can be cut into repetitions in many ways: ``(a+)+``, ``(a|a)*``, ``(.*x?)+``. With something
that must stand between two rounds, as in ``(-[a-z]+)*``, there is one way only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

ROUNDS_MAX: Final = 10_000
"""Of counted repetitions inside each other."""
UNENDING_IN_COUNTED_MAX: Final = 10
"""Rounds of a group with a repetition without end in it; each multiplies the ways to match."""

TEXT_CHARACTERS_MAX: Final = 100
"""Of an alternative, as far as it is compared with others."""
ALTERNATIVES_COMPARED_MAX: Final = 50

_ATOM: Final = re.compile(
    r"(?P<open>\((?:\?(?::|=|!|<=|<!|P?<\w+>|[a-z-]+:))?)|(?P<close>\))|(?P<bar>\|)"
    r"|(?P<edge>[\^$]|\\[bBAzZ])|(?P<atom>\[\^?\]?(?:\\.|[^\]\\])*\]|\\.|[^\\])",
    re.DOTALL,
)
_QUANTIFIER: Final = re.compile(
    r"(?:(?P<sign>[*+?])|\{(?P<least>\d{1,6})(?P<comma>,(?P<most>\d{1,6})?)?\})[?+]?"
)


@dataclass(slots=True)
class _Branch:
    required: bool = False
    """Something in it must stand there in every round, once."""
    unending: bool = False
    rounds: int = 1
    text: str = ""
    """Its atoms, without how often."""


@dataclass(slots=True)
class _Group:
    branches: list[_Branch] = field(default_factory=lambda: [_Branch()])

    @property
    def ambiguous(self) -> bool:
        """Whether one text can be cut into rounds of it in many ways."""
        if any(branch.unending and not branch.required for branch in self.branches):
            return True
        texts = {branch.text for branch in self.branches}
        return len(texts) < len(self.branches) or any(
            one != other and one and other == one * (len(other) // len(one))
            for one in islice(texts, ALTERNATIVES_COMPARED_MAX)
            for other in islice(texts, ALTERNATIVES_COMPARED_MAX)
        )


def is_costly(pattern: str) -> bool:
    """Whether the pattern has one of the costly shapes. Takes time linear in its length."""
    groups = [_Group()]
    place = 0
    while match := _ATOM.match(pattern, place):
        place = match.end()
        inner: _Group | None = None
        if match["open"]:
            groups.append(_Group())
            continue
        if match["bar"]:
            groups[-1].branches.append(_Branch())
            continue
        if match["edge"]:
            continue
        if match["close"]:
            if len(groups) == 1:
                return False  # Not a pattern; whoever compiles it will say so.
            inner = groups.pop()
        quantifier = _QUANTIFIER.match(pattern, place)
        if quantifier:
            place = quantifier.end()
        least, most = _bounds(quantifier)
        if _add(groups[-1].branches[-1], match["atom"] or "()", inner, least, most):
            return True
    return False


def _add(branch: _Branch, atom: str, inner: _Group | None, least: int, most: int | None) -> bool:
    """Put one repeated atom or group into the branch; whether that is costly."""
    unending_inside = inner is not None and any(one.unending for one in inner.branches)
    rounds_inside = max((one.rounds for one in inner.branches), default=1) if inner else 1
    if inner is not None and (most is None or most > 1):
        if most is None and inner.ambiguous:
            return True
        if unending_inside and max(least, most or 0) > UNENDING_IN_COUNTED_MAX:
            return True
    rounds = rounds_inside * max(1, most or least)
    if inner is not None and rounds > ROUNDS_MAX and rounds_inside > 1:
        return True
    if len(branch.text) < TEXT_CHARACTERS_MAX:
        branch.text += f"({'|'.join(one.text for one in inner.branches)})" if inner else atom
    plain = inner is None and most == 1
    must = inner is not None and all(one.required for one in inner.branches)
    branch.required |= least > 0 and (plain or must)
    branch.unending |= most is None or unending_inside
    branch.rounds = max(branch.rounds, rounds)
    return False


def _bounds(match: re.Match[str] | None) -> tuple[int, int | None]:
    if match is None:
        return 1, 1
    if match["sign"]:
        return {"*": (0, None), "+": (1, None), "?": (0, 1)}[match["sign"]]
    least = int(match["least"])
    if not match["comma"]:
        return least, least
    return least, int(match["most"]) if match["most"] else None
