"""What an agent says of its call: why it wants it, and what could go wrong. For people, and only for them.

Nothing is decided by it: policy, risk, digest, group and binding of a call are the same whatever stands here.
One member of ``_meta``, and no header: a header is for routing, and is cut and logged on the way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.errors import InvalidParams

if TYPE_CHECKING:
    from collections.abc import Mapping

META_STATEMENT = "dev.toolgate/statement"
MEMBERS = ("recommendation", "reasons", "risks")
MEMBER_CHARACTERS_MAX = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """The agent's own words, as it sent them; nobody has checked them."""

    recommendation: str = ""
    """What it would have a person do; free text, not a verdict."""
    reasons: str = ""
    risks: str = ""

    def members(self) -> dict[str, str]:
        """What was said, by member; empty where nothing was."""
        found = {name: str(getattr(self, name)) for name in MEMBERS}
        return {name: words for name, words in found.items() if words}


NO_STATEMENT = Statement()


def read_statement(meta: Mapping[str, Any]) -> Statement:
    """The statement of one request.

    Raises:
        InvalidParams: not an object of these members, each a text of bounded length.
    """
    said = meta.get(META_STATEMENT)
    if said is None:
        return NO_STATEMENT
    if not isinstance(said, dict):
        raise InvalidParams(f"{META_STATEMENT} must be an object", next_step=f"with {', '.join(MEMBERS)}")
    unknown = said.keys() - set(MEMBERS)
    if unknown:
        raise InvalidParams(
            f"{META_STATEMENT} has an unknown member {min(unknown)[:64]!r}",
            next_step=f"it may have {', '.join(MEMBERS)}",
        )
    for name, words in said.items():
        if not isinstance(words, str) or len(words) > MEMBER_CHARACTERS_MAX:
            raise InvalidParams(
                f"{name} of {META_STATEMENT} must be text of at most {MEMBER_CHARACTERS_MAX:,} characters"
            )
    return Statement(**said)
