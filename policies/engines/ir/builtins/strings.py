"""Strings. Positions and lengths count characters (code points), as in OPA."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import re2

from policies.engines.ir.builtins.operands import integer, number, object_, string, strings, wrong
from policies.engines.ir.builtins.registry import builtin, by_text
from policies.engines.ir.errors import BuiltinError, OperandError
from policies.engines.ir.numbers import as_integer
from policies.engines.ir.values import RegoSet, Value, sorted_items

if TYPE_CHECKING:
    from collections.abc import Callable

    from policies.engines.ir.evaluation import Evaluation

# Go's unicode.IsSpace; Python's str.strip() would also take U+001C..U+001F.
_SPACE: Final = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)


def _by_character(*operands: Value) -> int:
    return 1 + sum(len(x) // (256 if x.isascii() else 4) for x in operands if type(x) is str)


@builtin("startswith", cost=by_text)
def startswith(text: Value, prefix: Value) -> Value:
    """Whether the text begins so."""
    return string(text, 1).startswith(string(prefix, 2))


@builtin("endswith", cost=by_text)
def endswith(text: Value, suffix: Value) -> Value:
    """Whether the text ends so."""
    return string(text, 1).endswith(string(suffix, 2))


@builtin("contains", cost=by_text)
def contains(text: Value, part: Value) -> Value:
    """Whether the part is somewhere in the text."""
    return string(part, 2) in string(text, 1)


@builtin("lower", cost=_by_character)
def lower(text: Value) -> Value:
    """Every character in lower case by itself, as Go does it: no special final sigma, one character each."""
    value = string(text, 1)
    if value.isascii():
        return value.lower()
    return "".join(["i" if c == "İ" else c.lower() for c in value])


@builtin("upper", cost=_by_character)
def upper(text: Value) -> Value:
    """Every character in upper case by itself, as Go does it: ``ß`` stays."""
    value = string(text, 1)
    return value.upper() if value.isascii() else "".join(map(_upper, value))


def _upper(character: str) -> str:
    full = character.upper()
    if len(full) == 1:
        return full
    title = character.title()
    return title if len(title) == 1 else character


@builtin("concat", evaluation=True)
def concat(run: Evaluation, delimiter: Value, parts: Value) -> Value:
    """The strings of an array, or of a set in order, joined."""
    glue, pieces = string(delimiter, 1), strings(parts, 2, run)
    size = sum(map(len, pieces)) + len(glue) * len(pieces)
    run.charge(1 + len(pieces) // 4 + size // 16)
    return glue.join(pieces)


@builtin("split", evaluation=True)
def split(run: Evaluation, text: Value, delimiter: Value) -> Value:
    """The pieces between delimiters; all characters when the delimiter is empty."""
    value, cut = string(text, 1), string(delimiter, 2)
    run.charge(1 + (len(value) if not cut else len(value) // 64 + value.count(cut)))
    return value.split(cut) if cut else list(value)


@builtin("strings.split_n", evaluation=True)
def split_n(run: Evaluation, text: Value, delimiter: Value, limit: Value) -> Value:
    """The first ``limit`` pieces, or the last when it is negative."""
    pieces, n = split(run, text, delimiter), integer(limit, 3)
    return pieces[:n] if n >= 0 else pieces[n:]


@builtin("replace", evaluation=True)
def replace(run: Evaluation, text: Value, old: Value, new: Value) -> Value:
    """Every occurrence replaced."""
    value, before, after = string(text, 1), string(old, 2), string(new, 3)
    run.charge(1 + len(value) // 64)
    run.charge(value.count(before) * len(after) // 16)
    return value.replace(before, after)


@builtin("strings.replace_n", evaluation=True)
def replace_n(run: Evaluation, patterns: Value, text: Value) -> Value:
    """All keys of an object replaced by their values in one pass; of several that fit, the first in order."""
    pairs = {}
    for key, value in sorted_items(object_(patterns, 1), run):
        if type(key) is not str or type(value) is not str:
            raise OperandError(1, "non-string key or value found in pattern object")
        pairs[key] = value
    subject = string(text, 2)
    if not pairs:
        return subject
    run.charge(1 + len(subject) * (1 + len(pairs) // 64) // 64)
    out, end = [], 0
    for match in re2.compile("|".join(map(re2.escape, pairs))).finditer(subject):
        after = pairs[match.group()]
        run.charge(8 + len(after) // 16)
        out += [subject[end : match.start()], after]
        end = match.end()
    return "".join([*out, subject[end:]])


@builtin("trim", cost=by_text)
def trim(text: Value, characters: Value) -> Value:
    """Without these characters at both ends."""
    value, cut = string(text, 1), string(characters, 2)
    return value.strip(cut) if cut else value


@builtin("trim_left", cost=by_text)
def trim_left(text: Value, characters: Value) -> Value:
    """Without these characters at the start."""
    value, cut = string(text, 1), string(characters, 2)
    return value.lstrip(cut) if cut else value


@builtin("trim_right", cost=by_text)
def trim_right(text: Value, characters: Value) -> Value:
    """Without these characters at the end."""
    value, cut = string(text, 1), string(characters, 2)
    return value.rstrip(cut) if cut else value


@builtin("trim_prefix", cost=by_text)
def trim_prefix(text: Value, prefix: Value) -> Value:
    """Without this prefix."""
    return string(text, 1).removeprefix(string(prefix, 2))


@builtin("trim_suffix", cost=by_text)
def trim_suffix(text: Value, suffix: Value) -> Value:
    """Without this suffix."""
    return string(text, 1).removesuffix(string(suffix, 2))


@builtin("trim_space", cost=by_text)
def trim_space(text: Value) -> Value:
    """Without white space at both ends."""
    return string(text, 1).strip(_SPACE)


@builtin("indexof", cost=by_text)
def indexof(text: Value, part: Value) -> Value:
    """Position of the first occurrence, or -1."""
    value = string(text, 1)
    return value.find(_searched(part))


@builtin("indexof_n", evaluation=True)
def indexof_n(run: Evaluation, text: Value, part: Value) -> Value:
    """Positions of all occurrences, overlapping ones included."""
    value, wanted = string(text, 1), _searched(part)
    run.charge(1 + len(value) // 64)
    found = []
    at = value.find(wanted)
    while at >= 0:
        run.charge(1 + len(wanted) // 64)
        found.append(at)
        at = value.find(wanted, at + 1)
    return found


def _searched(part: Value) -> str:
    if not string(part, 2):
        raise BuiltinError("empty search character")
    return part  # type: ignore[no-any-return]


@builtin("substring", cost=by_text)
def substring(text: Value, offset: Value, length: Value) -> Value:
    """From the offset, at most ``length`` characters; to the end when that is negative."""
    value, start, size = string(text, 1), integer(offset, 2), integer(length, 3)
    if start < 0:
        raise BuiltinError("negative offset")
    return value[start:] if size < 0 else value[start : start + size]


@builtin("strings.reverse", cost=by_text)
def reverse(text: Value) -> Value:
    """Last character first."""
    return string(text, 1)[::-1]


@builtin("strings.count", cost=by_text)
def count(text: Value, part: Value) -> Value:
    """How often the part occurs, without overlaps."""
    return string(text, 1).count(string(part, 2))


@builtin("strings.any_prefix_match", evaluation=True)
def any_prefix_match(run: Evaluation, texts: Value, prefixes: Value) -> Value:
    """Whether any of the texts begins with any of the prefixes."""
    return _any_affix(run, texts, prefixes, str.startswith)


@builtin("strings.any_suffix_match", evaluation=True)
def any_suffix_match(run: Evaluation, texts: Value, suffixes: Value) -> Value:
    """Whether any of the texts ends with any of the suffixes."""
    return _any_affix(run, texts, suffixes, str.endswith)


def _any_affix(run: Evaluation, texts: Value, affixes: Value, test: Callable[..., bool]) -> bool:
    candidates, wanted = _one_or_many(run, texts, 1), tuple(_one_or_many(run, affixes, 2))
    run.charge(1 + len(candidates) * (1 + len(wanted) // 16))
    return any(test(text, wanted) for text in candidates)


def _one_or_many(run: Evaluation, value: Value, position: int) -> list[str]:
    if type(value) is str:
        return [value]
    if type(value) not in {list, RegoSet}:
        raise wrong(position, value, "string", "set", "array")
    run.charge(len(value))
    return strings(value, position, run)


_RADIX: Final = {2: "b", 8: "o", 10: "d", 16: "x"}


@builtin("format_int")
def format_int(value: Value, base: Value) -> Value:
    """The integer part of a number as text in base 2, 8, 10 or 16."""
    whole, radix = int(number(value, 1)), _RADIX.get(as_integer(number(base, 2)) or 0)
    if radix is None:
        raise OperandError(2, "must be one of {2, 8, 10, 16}")
    return format(whole, radix)
