"""Whom the hold rules of a policy name, as far as the text says it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from policies.syntax import UnreadableRego, tokens

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from policies.syntax import Token

TEST_ENDING = "_test.rego"
BY_DEFAULT = "reviewer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """One ``by`` of a hold rule: members of any of these may agree."""

    file: str
    row: int
    names: tuple[str, ...]


def named_approvers(files: Mapping[str, bytes]) -> tuple[Named, ...]:
    """Every ``"by": "name"`` and ``"by": ["a", "b"]`` that is written out in the modules.

    One that is computed is not found: it may name anybody.
    """
    found: list[Named] = []
    for file, raw in sorted(files.items()):
        if not file.endswith(".rego") or file.endswith(TEST_ENDING):
            continue
        try:
            module = tokens(raw.decode())
        except (UnreadableRego, UnicodeDecodeError):
            continue  # The load says what is wrong with it.
        found += _of_module(file, module)
    return tuple(found)


def _of_module(file: str, module: Sequence[Token]) -> list[Named]:
    found = []
    for at, token in enumerate(module):
        if token.text != '"by"' or at + 2 >= len(module) or module[at + 1].text != ":":
            continue
        value = module[at + 2 :]
        if value[0].text == "[":
            end = next((place for place, one in enumerate(value) if one.text == "]"), 0)
            written = [one.text for one in value[1:end] if one.text != ","]
        else:
            written = [value[0].text]
        if written and all(text.startswith('"') for text in written):
            names = tuple(json.loads(text) for text in written)
            found.append(Named(file=file, row=token.row, names=names))
    return found
