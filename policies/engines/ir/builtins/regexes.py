"""regex.* in Go's syntax and semantics, on RE2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import re2

from policies.engines.ir.builtins.operands import integer, string
from policies.engines.ir.builtins.patterns import PATTERNS, compile_pattern, search_steps
from policies.engines.ir.builtins.registry import builtin, by_text
from policies.engines.ir.errors import BuiltinError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policies.engines.ir.evaluation import Evaluation
    from policies.engines.ir.values import Value

_MATCH_STEPS: Final = 16
"""One match found costs about 3 microseconds, whatever its length."""


@builtin("regex.match", "re_match", evaluation=True)
def match(run: Evaluation, pattern: Value, text: Value) -> Value:
    """Whether the pattern is found anywhere in the text."""
    compiled, subject = PATTERNS.get(string(pattern, 1), run), _subject(text, 2)
    run.charge(search_steps(compiled, subject))
    return compiled.search(subject) is not None


@builtin("regex.is_valid", cost=by_text)
def is_valid(pattern: Value) -> Value:
    """Whether this is a pattern."""
    if type(pattern) is not str:
        return False
    try:
        compile_pattern(pattern)
    except BuiltinError:
        return False
    return True


@builtin("regex.find_n", evaluation=True)
def find_n(run: Evaluation, pattern: Value, text: Value, limit: Value) -> Value:
    """The first ``limit`` matches; all when it is negative."""
    return [found.group() for found in _matches(run, pattern, _subject(text, 2), integer(limit, 3))]


@builtin("regex.find_all_string_submatch_n", evaluation=True)
def find_all_string_submatch_n(run: Evaluation, pattern: Value, text: Value, limit: Value) -> Value:
    """As ``regex.find_n``, each match with its groups; a group that took no part is empty."""
    return [
        [found.group(), *(group or "" for group in found.groups())]
        for found in _matches(run, pattern, _subject(text, 2), integer(limit, 3))
    ]


@builtin("regex.split", evaluation=True)
def split(run: Evaluation, pattern: Value, text: Value) -> Value:
    """The pieces between matches."""
    subject = _subject(text, 2)
    if pattern and not subject:
        PATTERNS.get(string(pattern, 1), run)
        return [""]
    pieces, begin, end = [], 0, 0
    for found in _matches(run, pattern, subject, -1):
        end = found.start()
        if found.end() != 0:
            pieces.append(subject[begin:end])
        begin = found.end()
    if end != len(subject):
        pieces.append(subject[begin:])
    return pieces


# Go's template: $1, ${1}, $name, ${name}; a name runs as far as it can; $$ is a dollar sign.
_REFERENCE: Final = re2.compile(r"\$(?:(\$)|(\w+)|\{(\w+)\})")


@builtin("regex.replace", evaluation=True)
def replace(run: Evaluation, text: Value, pattern: Value, template: Value) -> Value:
    """Every match replaced by a template that may name groups; unknown groups are empty."""
    subject = _subject(text, 1)
    compiled, parts = PATTERNS.get(string(pattern, 2), run), _template(_subject(template, 3))
    out, end = [], 0
    for found in _matches(run, pattern, subject, -1):
        out.append(subject[end : found.start()])
        for literal, group in parts:
            run.charge(len(literal) // 16)
            out.append(literal)
            if group:
                piece = _group(compiled, found, group)
                run.charge(4 + len(piece) // 16)
                out.append(piece)
        end = found.end()
    return "".join([*out, subject[end:]])


def _template(text: str) -> list[tuple[str, str]]:
    """Literals, each with the group that follows it or an empty name."""
    parts, end = [], 0
    for found in _REFERENCE.finditer(text):
        dollar, bare, braced = found.groups()
        parts.append((text[end : found.start()] + (dollar or ""), bare or braced or ""))
        end = found.end()
    return [*parts, (text[end:], "")]


def _group(compiled: Any, found: Any, name: str) -> str:
    if name.isdecimal():
        number = int(name) if len(name) < 4 else compiled.groups + 1
    else:
        number = compiled.groupindex.get(name, compiled.groups + 1)
    return (found.group(number) or "") if number <= compiled.groups else ""


def _matches(run: Evaluation, pattern: Value, subject: str, limit: int) -> Iterator[Any]:
    """Matches from left to right. As in Go, an empty match right after another match does not count."""
    compiled = PATTERNS.get(string(pattern, 1), run)
    run.charge(search_steps(compiled, subject))
    last_end = -1
    for found in compiled.finditer(subject) if limit else ():
        run.charge(_MATCH_STEPS + search_steps(compiled, "") + (found.end() - found.start()) // 16)
        if found.end() > found.start() or found.start() != last_end:
            last_end = found.end()
            limit -= 1
            yield found
            if limit == 0:
                return


def _subject(text: Value, position: int) -> str:
    value = string(text, position)
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as exc:
            raise BuiltinError("not valid Unicode") from exc
    return value


@builtin("regex.template_match", evaluation=True)
def template_match(run: Evaluation, template: Value, text: Value, start: Value, end: Value) -> Value:
    """Whether the whole text fits a template whose delimited parts are patterns."""
    source, subject = string(template, 1), _subject(text, 2)
    opening, closing = string(start, 3), string(end, 4)
    if len(opening) != 1 or len(closing) != 1:
        raise BuiltinError("a delimiter has to be exactly one character long")
    run.charge(len(source))
    compiled = PATTERNS.get(_delimited(source, opening, closing), run)
    run.charge(search_steps(compiled, subject))
    return compiled.search(subject) is not None


def _delimited(source: str, opening: str, closing: str) -> str:
    parts, level, begin, end = ["^"], 0, 0, 0
    for at, character in enumerate(source):
        if character == opening:
            level += 1
            if level == 1:
                begin = at
        elif character == closing:
            level -= 1
            if level < 0:
                break
            if level == 0:
                parts += [re2.escape(source[end:begin]), "(", source[begin + 1 : at], ")"]
                end = at + 1
    if level:
        raise BuiltinError(f"unbalanced braces in {source!r}")
    return "".join([*parts, re2.escape(source[end:]), "$"])
