"""What compilers complain about, turned into problems at the author's file, in plain words."""

from __future__ import annotations

import contextlib
import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from policies.bundle import RULES
from policies.combine import GENERATED
from policies.model import Problem
from policies.syntax import UnreadableRego, package_of, statement_starts, tokens

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from policies.syntax import Token

_NEUTRAL = re.compile(r"(?:[\w./-]*/)?\b(tg_\d{5}\.rego)\b")
_SET_KINDS = frozenset({"deny", "hold", "on_result", "on_call"})

_KIND_HINT = (
    "deny, hold, on_result and on_call are sets: deny contains {...} if {...}; allow is: allow if {...}"
)

# (pattern in the message, our code or "" to keep the compiler's, hint). The first match counts.
_ADVICE = (
    (
        r"conflicting rules(:| data\.toolgate\.rules\S*\.(allow|deny|hold|on_result|on_call)) ",
        "rule_kind",
        _KIND_HINT,
    ),
    (
        r"rule data\.toolgate\.rules\S*\.(allow|deny|hold|on_result|on_call) conflicts with",
        "rule_kind",
        _KIND_HINT,
    ),
    (r"rule body for (set|object) rule", "rule_kind", _KIND_HINT),
    (r"conflicting rules", "rule_kind", "one name is either one value, a set or a function"),
    (r"[Mm]ultiple default", "rule_kind", "give one default in all files of a package"),
    (r"undefined function", "unknown_function", "misspelt, or a function that policies may not use"),
    (r"is unsafe", "", "every name needs a value: is it misspelt, or meant as input.<name>?"),
    (r"Invalid rule head", "", "with regopy, braces are needed around every: allow if { every ... }"),
    (r"^regopy ended with", "", "regopy may crash on what opa compiles, e.g. in below with: install opa"),
    (r"is recursive", "", "a rule may not depend on itself, even through others"),
    (r"`if` keyword|`contains` keyword", "", "write: allow if {...}  and  deny contains {...} if {...}"),
    (r"undefined ref", "", "no such rule or value in that package"),
    (
        r"[Uu]nexpected|[Ii]nvalid|[Ii]llegal|unclosed|expected",
        "",
        "look here and before for an open bracket or quote",
    ),
)
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
        if pattern[2] == _KIND_HINT:
            file, row, column = _misused_kind(modules) or (file, row, column)
        if file.startswith(GENERATED):
            file, row, column = "", 0, 0
        yield Problem(
            code=pattern[1] or _CODES.get(code, code),
            message=message,
            file=file,
            row=row,
            column=column,
            hint=pattern[2],
        )


def misused_kinds(module: Sequence[Token]) -> Iterator[Token]:
    """Heads in a rule module that make ``allow`` a set or function, or one of the sets something else."""
    if package_of(module).path[:2] != RULES:
        return
    following = dict(itertools.pairwise(module))
    for head in statement_starts(module):
        after = following[head].text if head in following else ""
        if (head.text in _SET_KINDS and after != "contains") or (
            head.text == "allow" and after in {"contains", "[", "("}
        ):
            yield head


def _misused_kind(modules: Mapping[str, str]) -> tuple[str, int, int] | None:
    for name, text in modules.items():
        with contextlib.suppress(UnreadableRego):
            for head in misused_kinds(tokens(text)):
                return name, head.row, head.column
    return None
