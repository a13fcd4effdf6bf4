"""Just enough of Rego's lexical grammar to read a module without being fooled by comments or strings.

The compilers judge a module's grammar. This file answers the questions that have to be asked
before compiling, alike for every compiler: which package is it, and does it use words that no rule may use.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_TOKEN = re.compile(
    r"""
    (?P<space>[ \t\r\n]+ | \#[^\n]*)
  | (?P<template>\$["`])
  | (?P<string>"(?:[^"\\\n]|\\.)*")
  | (?P<raw>`[^`]*`)
  | (?P<number>[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)
  | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
  | (?P<mark>:=|==|!=|<=|>=|[][(){}.,:;=<>+*/%&|-])
    """,
    re.VERBOSE | re.DOTALL,
)
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_TEMPLATE_TEXT = {'"': re.compile(r'(?:[^"\\\n{]|\\.)*'), "`": re.compile(r"(?:[^`\\{]|\\.)*", re.DOTALL)}
# Sources: OPA's reserved words; a plain name among them must be written as ["name"] in a reference.
_RESERVED = frozenset(
    {
        "as",
        "contains",
        "data",
        "default",
        "else",
        "every",
        "false",
        "if",
        "in",
        "import",
        "input",
        "not",
        "null",
    }
    | {"package", "some", "true", "with"}
)


_DEPTH = {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}
# Words after which a value or a body follows; all other names end something.
_EXPECTING = frozenset({"if", "in", "contains", "some", "every", "not", "as", "with", "default"})
# Words that go on with what stands before them; any other name after something complete begins a statement.
_GOING_ON = frozenset({"if", "in", "contains", "as", "with", "else"})


class UnreadableRego(ValueError):
    """The text is not a sequence of Rego tokens, or does not begin with a package; says where."""

    def __init__(self, message: str, row: int, column: int) -> None:
        """Keep the place, counted from 1."""
        super().__init__(message)
        self.row = row
        self.column = column


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One token; comments and white space are not tokens."""

    kind: str
    """``name``, ``string``, ``raw``, ``number``, ``template`` (its opening), ``template_end`` or ``mark``."""
    text: str
    row: int
    column: int
    """Counted from 1 in characters, as OPA does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A module's package clause."""

    path: tuple[str, ...]
    row: int
    column: int


def tokens(text: str) -> tuple[Token, ...]:
    """All tokens of a module. Raises ``UnreadableRego`` at the first character that begins none."""
    return tuple(_scan(_Place(text)))


def package_of(module: Sequence[Token]) -> Package:
    """The package clause, which every module begins with. Raises ``UnreadableRego``."""
    if not module or module[0].text != "package":
        row, column = (module[0].row, module[0].column) if module else (1, 1)
        raise UnreadableRego("a module begins with its package", row, column)
    first = module[0]
    rest = module[1:]
    path: list[str] = []
    while rest and rest[0].row == first.row:
        if not path and rest[0].kind == "name":
            path.append(rest[0].text)
            rest = rest[1:]
        elif path and rest[0].text == "." and len(rest) > 1 and rest[1].kind == "name":
            path.append(rest[1].text)
            rest = rest[2:]
        elif path and rest[0].text == "[" and _is_quoted_part(rest[:3]):
            path.append(unquoted(rest[1]))
            rest = rest[3:]
        else:
            break
    # A name that goes on where we stop reading would be another package, whose rules nobody asks.
    if not path or (rest and rest[0].text in {".", "["}):
        raise UnreadableRego("a package needs a plain name", first.row, first.column)
    return Package(path=tuple(path), row=first.row, column=first.column)


def reference(path: Sequence[str]) -> str:
    """A path as Rego writes it: ``toolgate.rules["eu-west"]``."""
    return path[0] + "".join(
        f".{part}"
        if _PLAIN_NAME.fullmatch(part) and part not in _RESERVED
        else f"[{json.dumps(part, ensure_ascii=False)}]"
        for part in path[1:]
    )


def unquoted(token: Token) -> str:
    """What a ``string`` or ``raw`` says. Raises ``UnreadableRego``."""
    if token.kind == "raw":
        return token.text[1:-1]
    try:
        return str(json.loads(token.text))
    except ValueError:
        raise UnreadableRego("a string has an unknown escape", token.row, token.column) from None


def dotted_names(module: Sequence[Token]) -> Iterator[tuple[str, Token]]:
    """Every maximal run ``a.b.c`` with its first token: calls of builtins, references, plain names."""
    at = 0
    while at < len(module):
        first = module[at]
        at += 1
        if first.kind != "name":
            continue
        name = first.text
        while at + 1 < len(module) and module[at].text == "." and module[at + 1].kind == "name":
            name += "." + module[at + 1].text
            at += 2
        yield name, first


def statement_starts(module: Sequence[Token]) -> Iterator[Token]:
    """Names that begin a row outside all brackets: rule heads, and few other things. For messages only."""
    depth = 0
    row = 0
    for token in module:
        if token.row != row and depth == 0 and token.kind == "name":
            yield token
        row = token.row
        depth += _DEPTH.get(token.text, 0) if token.kind == "mark" else 0


def statements(module: Sequence[Token]) -> Iterator[Sequence[Token]]:
    """The package, the imports and the rules of a module that compiles, each with all of its tokens.

    Rows say nothing about where a rule ends: OPA takes several in one row, and one in any number of rows.
    """
    start = depth = 0
    for at, token in enumerate(module):
        if depth == 0 and at > start and _begins(module, at) and _is_ended(module, at):
            yield module[start:at]
            start = at
        if token.kind == "mark":
            depth += _DEPTH.get(token.text, 0)
        else:
            depth += (token.kind == "template") - (token.kind == "template_end")
    if module:
        yield module[start:]


def version_0_places(module: Sequence[Token]) -> list[Token]:
    """Openings of rule bodies without ``if``, as Rego version 0 wrote them.

    A ``{`` outside brackets that follows something complete can only be a body. In version 1 a
    body follows ``if``, or the domain of ``every``.
    """
    found = []
    depth = 0
    in_every = False
    for at, token in enumerate(module):
        if token.kind == "mark":
            if token.text == "{" and depth == 0 and at and _is_complete(module[at - 1]):
                if not in_every:
                    found.append(token)
                in_every = False
            depth += _DEPTH.get(token.text, 0)
        elif token.kind == "name" and token.text == "every" and depth == 0:
            in_every = True
    return found


class _Place:
    """Where the scan is; ``upto`` is the end of the text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.row = 1
        self.line_start = 0

    def token(self, kind: str, end: int) -> Token:
        """The text from here to ``end`` as a token, and step over it."""
        text = self.text[self.at : end]
        token = Token(kind=kind, text=text, row=self.row, column=self.at - self.line_start + 1)
        breaks = text.count("\n")
        if breaks:
            self.row += breaks
            self.line_start = self.at + text.rindex("\n") + 1
        self.at = end
        return token


def _scan(place: _Place, *, until: str = "") -> Iterator[Token]:
    depth = 0
    while place.at < len(place.text):
        match = _TOKEN.match(place.text, place.at)
        if not match or not match.lastgroup:
            stray = place.token("mark", place.at + 1)
            raise UnreadableRego(f"unexpected {stray.text!r}", stray.row, stray.column)
        token = place.token(match.lastgroup, match.end())
        if token.kind == "space":
            continue
        depth += (token.text == "{") - (token.text == "}") if token.kind == "mark" else 0
        if until and depth < 0:
            return
        yield token
        if token.kind == "template":
            yield from _template(place, token)
    if until:
        raise UnreadableRego("an expression in a template string is not closed", place.row, 1)


def _template(place: _Place, opening: Token) -> Iterator[Token]:
    """The tokens of the ``{expressions}`` inside ``$"..."``; its text is no token."""
    quote = opening.text[-1]
    while True:
        match = _TEMPLATE_TEXT[quote].match(place.text, place.at)
        end = match.end() if match else place.at
        place.token("text", end)
        following = place.text[end : end + 1]
        if following not in {quote, "{"} or not following:
            raise UnreadableRego("a template string is not closed", opening.row, opening.column)
        closing = place.token("template_end", end + 1)
        if following == quote:
            yield closing
            return
        yield from _scan(place, until="}")


def _begins(module: Sequence[Token], at: int) -> bool:
    """Whether a statement could begin here: names do, and keywords where they are the first part of one."""
    following = module[at + 1].text if at + 1 < len(module) else ""
    return module[at].kind == "name" and (module[at].text not in _GOING_ON or following == ".")


def _is_ended(module: Sequence[Token], at: int) -> bool:
    """Whether what stands before this token could be the end of a statement."""
    before = module[at - 1]
    if before.kind == "name" and at > 1 and module[at - 2].text == ".":
        # A part of a reference is no keyword, whatever it is called.
        return True
    return before.text == ";" or (_is_complete(before) and before.text not in {"package", "import"})


def _is_quoted_part(part: Sequence[Token]) -> bool:
    return len(part) == 3 and part[1].kind in {"string", "raw"} and part[2].text == "]"


def _is_complete(token: Token) -> bool:
    if token.kind == "name":
        return token.text not in _EXPECTING
    return token.kind in {"string", "raw", "number", "template_end"} or token.text in {")", "]", "}"}
