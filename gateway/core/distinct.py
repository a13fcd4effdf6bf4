"""Definitions whose names nobody can mix up. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core.definition import Definition, Kind, RefusedDefinition
from gateway.core.naming import look_alikes

if TYPE_CHECKING:
    from gateway.core.varying import Varying


def distinct(found: list[Definition]) -> tuple[list[Definition], list[RefusedDefinition]]:
    """What may be offered of one list; which one an agent gets must not depend on the order of the list."""
    forms: dict[str, set[tuple[str, Varying]]] = {}
    names: dict[str, set[str]] = {}
    for one in found:
        forms.setdefault(one.name, set()).add((one.digest, one.varying))
        for key in _alike_keys(one):
            names.setdefault(key, set()).add(one.name)
    kept: dict[str, Definition] = {}
    without: dict[str, RefusedDefinition] = {}
    for one in found:
        alike = set[str]().union(*(names[key] for key in _alike_keys(one))) - {one.name}
        if len(forms[one.name]) > 1:
            reason = "listed more than once, with different definitions"
            without[one.name] = refused(one, "definition_duplicate", reason)
        elif alike:
            without[one.name] = refused(one, "definition_look_alike", f"can be taken for {min(alike)}")
        else:
            kept[one.name] = one
    return list(kept.values()), list(without.values())


def refused(one: Definition, code: str, reason: str, *, pinned: str = "") -> RefusedDefinition:
    """It is listed and is not offered; ``pinned`` is the digest of the form that was, if there is one."""
    return RefusedDefinition(
        upstream=one.upstream,
        name=one.name,
        code=code,
        reason=reason,
        kind=one.kind,
        listed=one,
        pinned=pinned,
    )


def _alike_keys(one: Definition) -> tuple[str, ...]:
    # URIs are opaque and case-sensitive; people and models pick tools and prompts by how they look.
    return look_alikes(one.name) if one.kind in {Kind.TOOL, Kind.PROMPT} else (one.name,)
