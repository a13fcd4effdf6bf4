"""Names that are taken for others, and texts that speak of other servers' tools."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

import re2

from scanners.definitions.characters import folded, skeleton
from scanners.pattern_set import pattern_options

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

NAME: Final = re.compile(r"[A-Za-z0-9_.\-]{1,128}")
"""MCP, tool names."""
NAMED_KINDS: Final = frozenset({"tool", "prompt"})
"""Kinds whose names a model picks by how they look; the names of others are URIs."""

_INSIDE: Final = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789_-:")
_PARTED: Final = bytes(code if code in _INSIDE else 0x20 for code in range(256))
"""Whatever is no part of a name parts two of them; a colon does not: ``iam:ListUsers`` is a permission."""
_PARTED_BUT_FOR_DOTS: Final = bytes(code if code in _INSIDE or code == 0x2E else 0x20 for code in range(256))
_DIRECTING: Final = re2.compile(
    rb"\b(?:must|always|never|before|after|instead|when|whenever|if|overrides?|first|do not|don't|replace|"
    rb"redirect|every|all calls|prior to|rather than|in place of|should)\b",
    pattern_options(),
)


class NameProblem(NamedTuple):
    """What is wrong with a name."""

    rule: str
    reason: str
    serious: bool


class Reference(NamedTuple):
    """A text speaks of a tool that another server has."""

    name: str
    start: int
    end: int
    directing: bool
    """The same text says when or how to use something."""


class OtherNames:
    """The names of other servers' tools, prepared for looking them up."""

    def __init__(self, names: Collection[str]) -> None:
        looks = {name: _look_of(name) for name in names}
        self._skeletons = {look.skeleton: name for name, look in looks.items()}
        self._plain = {look.plain: name for name, look in looks.items()}
        self._references = {look.plain.encode(): name for name, look in looks.items() if look.unmistakable}
        self._dotted = any(b"." in word for word in self._references)

    def problem_of(self, name: str) -> NameProblem | None:
        """What is wrong with a name of a tool or prompt beside these."""
        if not NAME.fullmatch(name):
            reason = "the name has characters outside A-Z a-z 0-9 _ . - or is over 128 long"
            # A space is against the protocol, but everybody sees it.
            plain = name.isascii() and name.isprintable() and 0 < len(name) <= 128
            return NameProblem("name.characters", reason, serious=not plain)
        if name.lower() in self._plain:
            return NameProblem(
                "name.same", f"another server has {self._plain[name.lower()]}, too", serious=False
            )
        taken = self._skeletons.get(skeleton(name))
        if taken is None:
            return None
        return NameProblem("name.look-alike", f"it can be taken for {taken} of another server", serious=True)

    def references(self, raw: bytes, own: str) -> Iterator[Reference]:
        """Each name of theirs that occurs in a text, once; ``own`` is the name of the definition."""
        if not self._references:
            return
        lower = raw.lower()
        words = {word.strip(b"-:") for word in lower.translate(_PARTED).split()}
        if self._dotted:
            words |= {word.strip(b".") for word in lower.translate(_PARTED_BUT_FOR_DOTS).split()}
        found = {word: word for word in words & self._references.keys()}
        if b"__" in lower or b"mcp_" in lower:
            found |= {word: tail for word in words if (tail := self._behind_a_prefix(word))}
        seen = {own.lower().encode()}
        for word, name in sorted(found.items(), key=lambda pair: lower.find(pair[0])):
            if name not in seen:
                seen.add(name)
                start = lower.find(word)
                yield Reference(
                    self._references[name], start, start + len(word), directing=_directs(lower, start)
                )

    def _behind_a_prefix(self, word: bytes) -> bytes | None:
        """``server__tool`` and ``mcp_server_tool`` are how gateways and clients say it."""
        if word.startswith(b"mcp_"):
            parts = word.split(b"_")
            tails = [b"_".join(parts[number:]) for number in range(1, len(parts))]
            return next((tail for tail in tails if tail in self._references), None)
        tail = word.rpartition(b"__")[2]
        return tail if tail != word and tail in self._references else None


class _Look(NamedTuple):
    plain: str
    skeleton: str
    unmistakable: bool
    """Nobody writes it by accident: it is of several words, and not one word of a language."""


@lru_cache(maxsize=8_192)
def _look_of(name: str) -> _Look:
    parted = "_" in name or "-" in name or any(char.isupper() for char in name[1:])
    return _Look(name.lower(), skeleton(name), len(name) >= 6 and parted and name.isascii())


def _directs(raw: bytes, start: int) -> bool:
    begin = raw.rfind(b"\x1e", 0, start) + 1
    end = raw.find(b"\x1e", start)
    return _DIRECTING.search(raw[begin : len(raw) if end < 0 else end]) is not None


def parameter_words(name: str) -> str:
    """The name with its words parted by ``_``, in lower case: ``chatHistory`` is ``chat_history``."""
    parted = "".join(
        f"_{char}" if char.isupper() and place and name[place - 1].islower() else char
        for place, char in enumerate(folded(name)[:128])
    )
    return re.sub(r"[^a-z0-9]+", "_", parted.lower()).strip("_")
