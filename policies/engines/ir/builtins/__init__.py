"""Rego's builtins by topic, each registered by its Rego name. Importing this loads all of them."""

from __future__ import annotations

from policies.engines.ir.builtins import (
    aggregates,
    arithmetic,
    arrays,
    bits,
    cidr,
    comparison,
    crypto,
    encoding,
    glob,
    graphs,
    json_documents,
    json_patch,
    jwt,
    messages,
    objects,
    regexes,
    semver,
    sets,
    sprintf,
    strings,
    timestamps,
    types,
    units,
    uris,
)
from policies.engines.ir.builtins.registry import REGISTRY

__all__ = ["REGISTRY"]

TOPICS = (
    aggregates,
    arithmetic,
    arrays,
    bits,
    cidr,
    comparison,
    crypto,
    encoding,
    glob,
    graphs,
    json_documents,
    json_patch,
    jwt,
    messages,
    objects,
    regexes,
    semver,
    sets,
    sprintf,
    strings,
    timestamps,
    types,
    units,
    uris,
)
