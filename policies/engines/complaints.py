"""What compilers complain about, turned into problems at the author's file, in plain words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from policies.combine import GENERATED
from policies.model import Problem
from policies.syntax import UnreadableRego, package_of, statement_starts, tokens

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_NEUTRAL = re.compile(r"(?:[\w./-]*/)?\b(tg_\d{5}\.rego)\b")
_KINDS = ("allow", "deny", "hold", "on_result")

# (pattern in the message, our code or "" to keep the compiler's, hint). The first match counts.
_ADVICE = (
    (r"conflicting rules|rule body for (?:set|object)", "rule_kind",
     "deny, hold and on_result are sets: deny contains {...} if {...}; allow is: allow if {...}"),
    (r"undefined function", "unknown_function", "misspelt, or a function that policies may not use"),
    (r"multiple default rules|Multiple default", "rule_kind", "give one default in all files of a package"),
    (r"is unsafe", "", "every name needs a value: is it misspelt, or meant as input.<name>?"),
    (r"is recursive", "", "a rule may not depend on itself, even through others"),
    (r"`if` keyword|`contains` keyword|before rule body|not permitted in rego_v1", "",
     "write: allow if {...}  and  deny contains {...} if {...}"),
    (r"undefined ref", "", "no such rule or value in that package"),
    (r"[Uu]nexpected|[Ii]nvalid|unclosed|expected", "", "look here and before for an open bracket or quote"),
)  # fmt: skip
_CODES = {"parse": "syntax", "unsafe_var": "unsafe_variable"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CompilerError:
    """One error in a compiler's own words and file names."""

    code: str
    """As the compiler says it, e.g. ``rego_parse_error``."""
    message: str
    file: str = ""
    row: int = 0
    column: int = 0


class CompilerComplaint(Exception):
    """The compiler did not make a plan; at least one error says why."""

    def __init__(self, errors: Sequence[CompilerError]) -> None:
        """Keep the errors in the compiler's order."""
        super().__init__(errors[0].message)
        self.errors = tuple(errors)


def placed(
    errors: Sequence[CompilerError], names: Mapping[str, str], modules: Mapping[str, str]
) -> Iterator[Problem]:
    """Each error as a problem at the author's file.

    Args:
        errors: in neutral file names.
        names: neutral file name -> the author's.
        modules: the author's file name -> text, for finding the rule that disagrees with a generated one.
    """
    for error in errors:
        message = _NEUTRAL.sub(lambda found: names.get(found[1], found[1]), " ".join(error.message.split()))
        pattern = next((row for row in _ADVICE if re.search(row[0], message)), ("", "", ""))
        code = error.code.removeprefix("rego_").removesuffix("_error")
        file, row, column = names.get(error.file, ""), error.row, error.column
        if file.startswith(GENERATED) or (not file and pattern[1] == "rule_kind"):
            file, row, column = _culprit(message, file, modules)
        yield Problem(
            code=pattern[1] or _CODES.get(code, code),
            message=message,
            file=file,
            row=row,
            column=column,
            hint=pattern[2],
        )


def _culprit(message: str, file: str, modules: Mapping[str, str]) -> tuple[str, int, int]:
    """The author's rule that an error in generated text is about: same package, one of the four names."""
    kinds = [kind for kind in _KINDS if re.search(rf"\b{kind}\b", message)] or _KINDS
    wanted = _package(modules.get(file, ""))
    for name, text in modules.items():
        if name.startswith(GENERATED) or (wanted and _package(text) != wanted):
            continue
        try:
            starts = [token for token in statement_starts(tokens(text)) if token.text in kinds]
        except UnreadableRego:
            continue
        if starts:
            return name, starts[0].row, starts[0].column
    return "", 0, 0


def _package(text: str) -> tuple[str, ...]:
    try:
        return package_of(tokens(text)).path
    except UnreadableRego:
        return ()
