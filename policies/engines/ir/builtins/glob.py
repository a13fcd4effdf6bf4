"""glob.* as github.com/gobwas/glob reads patterns, translated to RE2."""

from __future__ import annotations

from typing import TYPE_CHECKING

import re2

from policies.engines.ir.builtins.operands import array, string, wrong, wrong_member
from policies.engines.ir.builtins.patterns import PATTERNS, search_steps
from policies.engines.ir.builtins.registry import builtin, by_text
from policies.engines.ir.errors import BuiltinError

if TYPE_CHECKING:
    from policies.engines.ir.evaluation import Evaluation
    from policies.engines.ir.values import Value


@builtin("glob.match", evaluation=True)
def match(run: Evaluation, pattern: Value, delimiters: Value, text: Value) -> Value:
    """Whether the whole text fits.

    ``*`` and ``?`` stop at a delimiter (the default is ``.``; null means none), ``**`` does not.
    """
    source = string(pattern, 1)
    if delimiters is not None and type(delimiters) is not list:
        raise wrong(2, delimiters, "array", "null")
    stops = "" if delimiters is None else _delimiters(delimiters)
    subject = string(text, 3)
    run.charge(8 + len(source))
    compiled = PATTERNS.get(translate(source, stops), run)
    run.charge(search_steps(compiled, subject))
    return compiled.fullmatch(subject) is not None


@builtin("glob.quote_meta", cost=by_text)
def quote_meta(text: Value) -> Value:
    """The text as a pattern that fits only itself."""
    return "".join("\\" + c if c in "*?\\[]{}" else c for c in string(text, 1))


def _delimiters(value: Value) -> str:
    for member in array(value, 2):
        if type(member) is not str:
            raise wrong_member(2, value, member, "string")
        if len(member) != 1:
            raise wrong_member(2, value, member, "rune")
    return "".join(value) or "."


def translate(pattern: str, delimiters: str) -> str:
    """The RE2 pattern for a glob. Raises BuiltinError for what is none."""
    one = f"[^{re2.escape(delimiters)}]" if delimiters else "."
    out, at, depth = ["(?s:"], 0, 0
    while at < len(pattern):
        character = pattern[at]
        at += 1
        if character == "*" and pattern.startswith("*", at):
            at += 1
            out.append(".*")
        elif character == "*":
            out.append(one + "*")
        elif character == "?":
            out.append(one)
        elif character == "[":
            piece, at = _character_class(pattern, at)
            out.append(piece)
        elif character == "{":
            depth += 1
            out.append("(?:")
        elif character == "}" and depth:
            depth -= 1
            out.append(")")
        elif character == "," and depth:
            out.append("|")
        elif character == "\\":
            if at == len(pattern):
                raise BuiltinError("glob: trailing backslash")
            out.append(re2.escape(pattern[at]))
            at += 1
        else:
            out.append(re2.escape(character))
    if depth:
        raise BuiltinError("glob: unclosed {")
    return "".join([*out, ")"])


def _character_class(pattern: str, at: int) -> tuple[str, int]:
    """``[abc]``, ``[!abc]``, ``[a-z]`` or ``[!a-z]``, starting after the bracket; and where it ends."""
    negated = "^" if pattern.startswith("!", at) else ""
    at += len(negated)
    if pattern[at + 1 : at + 2] == "-":
        low, high, close = pattern[at], pattern[at + 2 : at + 3], pattern[at + 3 : at + 4]
        if close != "]" or high < low:
            raise BuiltinError("glob: not a range of characters")
        return f"[{negated}{re2.escape(low)}-{re2.escape(high)}]", at + 4
    characters = []
    while at < len(pattern) and pattern[at] != "]":
        at += pattern[at] == "\\"
        characters.append(re2.escape(pattern[at : at + 1]))
        at += 1
    if at >= len(pattern) or not characters:
        raise BuiltinError("glob: not a set of characters")
    return f"[{negated}{''.join(characters)}]", at + 1
