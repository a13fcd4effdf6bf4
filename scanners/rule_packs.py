"""Packs of rules: a TOML text to a model of rules with ids of their own. Whoever calls has read the file."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from scanners.errors import RulesRejected

if TYPE_CHECKING:
    from pydantic import BaseModel

Pack = TypeVar("Pack", bound="BaseModel")


def read_pack(text: str, model: type[Pack]) -> Pack:
    """The pack in a TOML text; ``model`` has the rules as ``rule``, each with an ``id``.

    Raises:
        RulesRejected: it is not TOML, has members that no pack has, or two rules of one id.
    """
    try:
        pack = model.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise RulesRejected(f"not TOML: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise RulesRejected(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    seen: set[str] = set()
    for rule in pack.rule:  # type: ignore[attr-defined]
        if rule.id in seen:
            raise RulesRejected(f"rule {rule.id}: there are two of that id")
        seen.add(rule.id)
    return pack
