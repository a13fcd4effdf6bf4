"""Finds that somebody has looked at and allowed to stay: where, which rule, why, and until when.

For false positives. An allowance is narrow (one rule, at one place of one tool's answers or arguments) and
ends by itself. The gateway's own credentials are never allowed anywhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import re2

from scanners.finding import RESERVED_KINDS
from scanners.pattern_set import pattern_options

if TYPE_CHECKING:
    from collections.abc import Iterable

ANY_STEP: Final = "*"
"""In a pointer: one step, whatever its name or number."""

ANY_STEPS: Final = "**"
"""In a pointer: any number of steps, also none."""

RULES_NEVER: Final = frozenset({"known", "bound", "marker"})
"""Rules of finds that nobody can allow: they are no guesses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """One kind of find that stays, at one place.

    Raises:
        ValueError: it says nothing why, would allow every rule, or something that nobody can allow.
    """

    tool: str
    """``upstream/name``, as policy knows it; ``*`` stands for any characters, as in ``github/list_*``."""
    pointer: str
    """JSON Pointer (RFC 6901) with ``*`` for one step and ``**`` for any number, as in ``/items/*/id``."""
    rule: str
    """The rule that found it. One rule, and no pattern: what another rule finds there is something else."""
    reason: str
    """Why this is none, for whoever reads it in a year."""
    until_ms: int
    """Unix time from which it is void."""
    _tools: Any = field(init=False, repr=False, compare=False)
    _places: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.reason.strip():
            raise ValueError("an allowance says why")
        if not self.tool.strip(ANY_STEP):
            raise ValueError("an allowance is for a tool, not for all of them")
        if not re.fullmatch(r"[a-z][a-z0-9-]{1,63}", self.rule):
            raise ValueError(f"not the id of a rule: {self.rule!r}")
        if self.rule in RULES_NEVER or self.rule in RESERVED_KINDS:
            raise ValueError(f"nobody can allow what {self.rule} finds")
        if self.pointer and not self.pointer.startswith("/"):
            raise ValueError(f"not a JSON Pointer: {self.pointer!r}")
        tools = b".*".join(re.escape(_raw(part)) for part in self.tool.split(ANY_STEP))
        object.__setattr__(self, "_tools", _compiled(tools))
        object.__setattr__(self, "_places", _compiled(_places(self.pointer)))

    def __reduce__(self) -> tuple[Any, ...]:
        """By its members: compiled patterns go to no other process."""
        members = (self.tool, self.pointer, self.rule, self.reason, self.until_ms)
        return _made, members

    def covers_tool(self, tool: str, *, now_ms: int) -> bool:
        """Whether it is still good, and for this tool."""
        return now_ms < self.until_ms and self._tools.fullmatch(_raw(tool)) is not None

    def covers_find(self, *, pointer: str, rule: str) -> bool:
        """Whether it is for this find of its tool."""
        return rule == self.rule and self._places.fullmatch(_raw(pointer)) is not None


def expired(allowances: Iterable[Allowance], *, now_ms: int) -> tuple[Allowance, ...]:
    """Those that are void by now, so that somebody takes them out or looks again."""
    return tuple(one for one in allowances if one.until_ms <= now_ms)


def _made(tool: str, pointer: str, rule: str, reason: str, until_ms: int) -> Allowance:
    return Allowance(tool=tool, pointer=pointer, rule=rule, reason=reason, until_ms=until_ms)


def _places(pointer: str) -> bytes:
    steps = {ANY_STEPS: rb"(?:/[^/]*)*", ANY_STEP: rb"/[^/]*"}
    return b"".join(steps.get(step, b"/" + re.escape(_raw(step))) for step in pointer.split("/")[1:])


def _compiled(pattern: bytes) -> Any:
    # Names of tools and members come from servers: linear time, whatever they are.
    options = pattern_options()
    options.dot_nl = True
    return re2.compile(pattern, options)


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
