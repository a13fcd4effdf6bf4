"""semver.*: versions by the rules of semver.org."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import re2

from policies.engines.ir.builtins.operands import string
from policies.engines.ir.builtins.registry import builtin, by_text_from
from policies.engines.ir.errors import OperandError

if TYPE_CHECKING:
    from policies.engines.ir.values import Value

_COST = by_text_from(40)

_NUMBER: Final = r"(0|[1-9]\d{0,30})"
# Digits alone have no leading zero; anything with a letter or a hyphen may.
_BEFORE: Final = r"(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)"
_VERSION: Final = re2.compile(
    rf"v?{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-({_BEFORE}(?:\.{_BEFORE})*))?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
)


@builtin("semver.is_valid", cost=_COST)
def is_valid(text: Value) -> Value:
    """Whether this is a version."""
    return type(text) is str and text.isascii() and _VERSION.fullmatch(text) is not None


@builtin("semver.compare", cost=_COST)
def compare(a: Value, b: Value) -> Value:
    """-1, 0 or 1 as the first is lower, equal or higher."""
    x, y = _order(string(a, 1), 1), _order(string(b, 2), 2)
    return (x > y) - (x < y)


def _order(text: str, position: int) -> tuple[object, ...]:
    """A tuple that sorts as the version does; what is built makes no difference."""
    found = _VERSION.fullmatch(text) if text.isascii() else None
    if found is None:
        raise OperandError(position, f"string {text} is not a valid SemVer")
    major, minor, fix, before = found.groups()
    # A release is above all that come before it; digits are below other identifiers, compared as numbers.
    parts = tuple(
        (0, int(part), "") if part.isdigit() and len(part) < 1000 else (1, 0, part)
        for part in before.split(".")
    ) if before else ()  # fmt: skip
    return (int(major), int(minor), int(fix), not before, parts)
