"""Where the rules of a policy stand that say a code: for people who want to read the rule behind an answer.

A rule is known to say a code only where the code is written in it. One that works its code out (``sprintf``,
a member of data) could say any, and is found for every code that no rule of its package names.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from policies.model import Place, Places
from policies.syntax import UnreadableRego, reference, statements, tokens, unquoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from policies.bundle import Bundle
    from policies.syntax import Token

Kind = Literal["hold", "deny"]

RULES_MAX = 5_000
"""Rules of one policy whose places are kept; further ones are only counted."""
FOUND_MAX = 10
"""Places of one code."""
TEXT_LINES_MAX = 60
TEXT_BYTES_MAX = 4_096
COMMENT_LINES_MAX = 12
"""Of the comment above a rule, which must not take the room of the rule."""
STRINGS_MAX = 200
"""Different strings of a rule that works its code out; with more it could say anything."""

_KINDS: tuple[Kind, ...] = ("hold", "deny")
_DEPTH = {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    file: str
    row: int
    text: str
    code: str | None
    """The only one that it can say, as it stands in its head; None: it is worked out."""
    strings: frozenset[str] = frozenset()
    """What stands in quotes in a rule that works its code out."""

    def names(self, code: str) -> bool:
        return code == self.code if self.code is not None else code in self.strings


class RuleIndex:
    """The ``hold`` and ``deny`` rules of one bundle, by the package that they speak for."""

    def __init__(self, bundle: Bundle) -> None:
        """Read every module once, which takes about as long as reading the bundle did."""
        self._rules: defaultdict[tuple[str, Kind], list[_Rule]] = defaultdict(list)
        self._beyond: defaultdict[tuple[str, Kind], int] = defaultdict(int)
        kept = 0
        for file in sorted(bundle.modules):
            for package, kind, rule in _rules_of(file, bundle.modules[file], bundle.packages[file]):
                if kept < RULES_MAX:
                    self._rules[package, kind].append(rule)
                    kept += 1
                else:
                    self._beyond[package, kind] += 1

    def find(self, package: str, code: str, *, kind: Kind = "hold") -> Places:
        """Where the rules stand that say this code for this package (as ``HoldRule.rule`` has it)."""
        rules = self._rules.get((package, kind), [])
        naming = [rule for rule in rules if rule.names(code)]
        found = naming or [rule for rule in rules if rule.code is None]
        return Places(
            found=tuple(
                Place(file=rule.file, row=rule.row, text=rule.text, certain=bool(naming))
                for rule in found[:FOUND_MAX]
            ),
            left_out=len(found[FOUND_MAX:]) + self._beyond.get((package, kind), 0),
        )


def _rules_of(file: str, text: str, package: tuple[str, ...]) -> Iterator[tuple[str, Kind, _Rule]]:
    """Every such rule of a module: the package that it speaks for, its kind, the rule."""
    if not any(kind in text for kind in _KINDS):
        return
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    ended = 0
    for statement in statements(tokens(text)):
        last = statement[-1].row + statement[-1].text.count("\n")
        if head := _head(statement):
            path, kind, member = head
            code = _code(member)
            row, written = _written(lines, statement[0], last, after=ended)
            strings = _strings(statement) if code is None else frozenset[str]()
            rule = _Rule(file=file, row=row, text=written, code=code, strings=strings)
            yield reference((*package, *path)), kind, rule
        ended = last


def _head(statement: Sequence[Token]) -> tuple[tuple[str, ...], Kind, Sequence[Token]] | None:
    """(path below the package, kind, tokens from the member on) of a rule that adds to such a set.

    ``team.hold contains "x"`` in ``toolgate.rules`` speaks for ``toolgate.rules.team``.
    """
    path: list[str] = []
    for at, token in enumerate(statement):
        if token.text == "contains":
            kind = next((kind for kind in _KINDS if path and kind == path[-1]), None)
            return (tuple(path[:-1]), kind, statement[at + 1 :]) if kind else None
        part = token.text if token.kind == "name" else _said(token)
        if part is not None:
            path.append(part)
        elif token.text not in {".", "[", "]"}:
            break
    return None


def _code(member: Sequence[Token]) -> str | None:
    """The code, where it stands in the head: alone, or in an object that is written out."""
    if not member:
        return None
    if member[0].text != "{":
        return _said(member[0]) if _is_over(member, 1) else None
    depth, code = 0, None
    for at, token in enumerate(member):
        depth += _DEPTH.get(token.text, 0) if token.kind == "mark" else 0
        if depth == 0:
            return code if _is_over(member, at + 1) else None
        if depth == 1 and _said(token) == "code" and [one.text for one in member[at + 1 : at + 2]] == [":"]:
            alone = [one.text for one in member[at + 3 : at + 4]] in ([","], ["}"])
            code = _said(member[at + 2]) if alone else None
    return None


def _is_over(member: Sequence[Token], at: int) -> bool:
    return at >= len(member) or member[at].text in {"if", ";"}


def _strings(statement: Sequence[Token]) -> frozenset[str]:
    """What stands in quotes in a rule; nothing where that is too much."""
    found: set[str] = set()
    for token in statement:
        said = _said(token)
        if said is not None:
            found.add(said)
        if len(found) > STRINGS_MAX:
            return frozenset()
    return frozenset(found)


def _said(token: Token) -> str | None:
    """What stands in quotes; None where nothing does, or nobody knows how to read it."""
    if token.kind not in {"string", "raw"}:
        return None
    try:
        return unquoted(token)
    except UnreadableRego:
        return None


def _written(lines: Sequence[str], begins: Token, last: int, *, after: int) -> tuple[int, str]:
    """First row and text of the rule that ends in row ``last``, with the comment above it, within the bounds.

    ``after``: where the statement before it ends. What looks like a comment there may be inside a string.
    """
    first = comment = begins.row
    while comment - 1 > after and lines[comment - 2].lstrip().startswith("#"):
        comment -= 1
    row = max(comment, first - COMMENT_LINES_MAX)
    kept = [line[: TEXT_BYTES_MAX + 1] for line in lines[row - 1 : last][:TEXT_LINES_MAX]]
    if row > comment:
        kept[0] = f"… cut here: the comment begins in row {comment}"
    elif after == first:
        kept[0] = lines[first - 1][begins.column - 1 :][: TEXT_BYTES_MAX + 1]
    whole = "\n".join(kept).encode()
    text = whole[:TEXT_BYTES_MAX].decode("utf-8", "ignore")
    if len(whole) > TEXT_BYTES_MAX or last - row >= TEXT_LINES_MAX:
        at = row + text.count("\n")
        text += f"\n… cut here, in row {at}: the rule goes on to row {last}"
    return row, text
