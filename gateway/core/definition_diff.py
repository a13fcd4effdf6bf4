"""What differs between two forms of a definition: by member for its structure, by word for its texts. Pure.

It knows schemas: the order of ``required`` and ``enum`` says nothing, prompts' arguments have names, and a
place is told as people would (``parameter amount, description``).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

CHANGES_MAX = 200
VALUE_CHARACTERS_MAX = 4_000
TEXT_CHARACTERS_MAX = 20_000
"""Of a text that is compared word by word; what is beyond is compared as one."""
PAIRS_MAX = 250_000
"""Words of one text times words of the other, after what they begin and end with in common."""

What = Literal["added", "removed", "changed"]
Op = Literal["same", "added", "removed"]

_SETS = frozenset({"required", "enum", "type"})
_MISSING = object()


class Word(NamedTuple):
    """A part of a text, with the blanks behind it."""

    op: Op
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that differs."""

    pointer: str
    """RFC 6901, in the form that has it."""
    place: str
    """The same in words."""
    what: What
    before: str
    """Text, or JSON; empty if it was added."""
    after: str
    words: tuple[Word, ...] = ()
    """Of texts: what stayed, went and came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diff:
    """Everything that differs, in the order of places."""

    changes: tuple[Change, ...]
    left_out: int = 0
    """Changes over the bound."""


def definition_diff(before: Mapping[str, Any], after: Mapping[str, Any]) -> Diff:
    """What became of ``before``."""
    changes: list[Change] = []
    left_out = 0
    for change in _changes((), dict(before), dict(after)):
        if len(changes) < CHANGES_MAX:
            changes.append(change)
        else:
            left_out += 1
    return Diff(changes=tuple(changes), left_out=left_out)


def word_diff(before: str, after: str) -> tuple[Word, ...]:
    """What stayed, went and came, word by word; joined without the one or the other it is either text."""
    old, new = _words(before), _words(after)
    first = 0
    while first < min(len(old), len(new)) and old[first] == new[first]:
        first += 1
    last = 0
    while last < min(len(old), len(new)) - first and old[-1 - last] == new[-1 - last]:
        last += 1
    middle = _middle(old[first : len(old) - last], new[first : len(new) - last])
    kept = [Word("same", "".join(old[:first])), *middle, Word("same", "".join(old[len(old) - last :]))]
    return tuple(_joined(kept))


def _changes(path: tuple[str | int, ...], before: Any, after: Any) -> Iterator[Change]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted(before.keys() | after.keys()):
            yield from _changes((*path, name), before.get(name, _MISSING), after.get(name, _MISSING))
    elif isinstance(before, list) and isinstance(after, list):
        yield from _list_changes(path, before, after)
    elif before is _MISSING:
        yield _change(path, "added", "", _text(after))
    elif after is _MISSING:
        yield _change(path, "removed", _text(before), "")
    elif not _equal(before, after):
        texts = isinstance(before, str) and isinstance(after, str)
        words = word_diff(before, after) if texts else ()
        yield _change(path, "changed", _text(before), _text(after), words)


def _list_changes(path: tuple[str | int, ...], before: list[Any], after: list[Any]) -> Iterator[Change]:
    if path and path[-1] in _SETS and all(map(_is_scalar, (*before, *after))):
        old, new = {_text(one): one for one in before}, {_text(one): one for one in after}
        yield from (_change(path, "removed", one, "") for one in old if one not in new)
        yield from (_change(path, "added", "", one) for one in new if one not in old)
        return
    names_before, names_after = _by_name(before), _by_name(after)
    if names_before is not None and names_after is not None:
        for name in dict.fromkeys((*names_before, *names_after)):
            old_one, new_one = names_before.get(name, _MISSING), names_after.get(name, _MISSING)
            yield from _changes((*path, name), old_one, new_one)
        return
    for index in range(max(len(before), len(after))):
        yield from _changes(
            (*path, index),
            before[index] if index < len(before) else _MISSING,
            after[index] if index < len(after) else _MISSING,
        )


def _by_name(values: list[Any]) -> dict[str, Any] | None:
    """A list of named objects, as prompts' arguments are; None if it is none."""
    names = [one.get("name") if isinstance(one, dict) else None for one in values]
    if not all(isinstance(name, str) for name in names) or len(set(names)) != len(names):
        return None
    return {str(name): one for name, one in zip(names, values, strict=True)}


def _is_scalar(value: Any) -> bool:
    return not isinstance(value, dict | list)


def _equal(before: Any, after: Any) -> bool:
    # For Python true is 1; for JSON, and for what a schema means by it, it is not.
    if isinstance(before, bool) or isinstance(after, bool):
        return before is after
    return bool(before == after)


def _change(
    path: tuple[str | int, ...], what: What, before: str, after: str, words: tuple[Word, ...] = ()
) -> Change:
    pointer = "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)
    return Change(
        pointer=pointer,
        place=_place(path),
        what=what,
        before=_bounded(before),
        after=_bounded(after),
        words=words,
    )


def _place(path: tuple[str | int, ...]) -> str:
    """As people would say it; members that only hold others are left out."""
    told: list[str] = []
    parts = [str(part) for part in path]
    index = 0
    while index < len(parts):
        part = parts[index]
        following = parts[index + 1] if index + 1 < len(parts) else None
        if part == "properties" and following is not None:
            told.append(f"{'parameter' if parts[0] == 'inputSchema' else 'member'} {following}")
            index += 2
            continue
        if part in {"annotations", "arguments"} and following is not None:
            told.append(f"{part[:-1]} {following}")
            index += 2
            continue
        if isinstance(path[index], int):
            told.append(f"item {int(part) + 1}")
        elif part == "outputSchema":
            told.append("result")
        elif part != "inputSchema" or following is None:
            told.append(part)
        index += 1
    return ", ".join(told) or "all of it"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _bounded(text: str) -> str:
    if len(text) <= VALUE_CHARACTERS_MAX:
        return text
    return f"{text[:VALUE_CHARACTERS_MAX]}… ({len(text) - VALUE_CHARACTERS_MAX} more characters)"


def _words(text: str) -> list[str]:
    """Words, each with the blanks behind it; joined they are the text."""
    words: list[str] = []
    start = 0
    compared = min(len(text), TEXT_CHARACTERS_MAX)
    for index in range(1, compared):
        if text[index - 1].isspace() and not text[index].isspace():
            words.append(text[start:index])
            start = index
    if compared > start:
        words.append(text[start:compared])
    if len(text) > compared:
        words.append(text[compared:])
    return words


def _middle(old: Sequence[str], new: Sequence[str]) -> list[Word]:
    """The shortest way from one to the other, if that is cheap to find; else all of it went and came."""
    if len(old) * len(new) > PAIRS_MAX:
        return [Word("removed", "".join(old)), Word("added", "".join(new))]
    longest = [[0] * (len(new) + 1) for _ in range(len(old) + 1)]
    for i in range(len(old) - 1, -1, -1):
        row, below = longest[i], longest[i + 1]
        for j in range(len(new) - 1, -1, -1):
            row[j] = below[j + 1] + 1 if old[i] == new[j] else max(below[j], row[j + 1])
    found: list[Word] = []
    i = j = 0
    while i < len(old) and j < len(new):
        if old[i] == new[j]:
            found.append(Word("same", old[i]))
            i, j = i + 1, j + 1
        elif longest[i + 1][j] >= longest[i][j + 1]:
            found.append(Word("removed", old[i]))
            i += 1
        else:
            found.append(Word("added", new[j]))
            j += 1
    found += [Word("removed", one) for one in old[i:]]
    return found + [Word("added", one) for one in new[j:]]


def _joined(words: list[Word]) -> Iterator[Word]:
    """Neighbours of one kind together; between two that stay, what went comes before what came."""
    went, came, stays = "", "", ""
    for word in words:
        if word.op == "same":
            if word.text and (went or came):
                if stays:
                    yield Word("same", stays)
                    stays = ""
                yield from _pair(went, came)
                went = came = ""
            stays += word.text
        elif word.op == "removed":
            went += word.text
        else:
            came += word.text
    if went or came:
        if stays:
            yield Word("same", stays)
        yield from _pair(went, came)
    elif stays:
        yield Word("same", stays)


def _pair(went: str, came: str) -> Iterator[Word]:
    if went:
        yield Word("removed", went)
    if came:
        yield Word("added", came)
