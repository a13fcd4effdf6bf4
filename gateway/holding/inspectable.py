"""Whether a person can be expected to look at arguments at all. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from durable.holds.hold import Arguments


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspectable:
    """What is beyond these bounds nobody can approve."""

    bytes_max: int
    values_max: int

    def too_large(self, arguments: Arguments) -> str:
        """Why they are too large, in one sentence; empty if they are not."""
        if arguments.size_bytes <= self.bytes_max:
            return ""
        return (
            f"the arguments have {arguments.size_bytes:,} bytes, more than the {self.bytes_max:,} that a "
            "person can be expected to look at"
        )

    def too_many(self, value: Any) -> str:
        """Why there are too many values in them; empty if there are not."""
        count = _values_in(value)
        if count <= self.values_max:
            return ""
        return (
            f"the arguments hold {count:,} values, more than the {self.values_max:,} that a person can be "
            "expected to look at"
        )


def _values_in(value: Any) -> int:
    """Everything that a page or a terminal gives a line of its own."""
    count, waiting = 0, [value]
    while waiting:
        one = waiting.pop()
        inside = one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
        if inside:
            waiting += inside
        else:
            count += 1
    return count
