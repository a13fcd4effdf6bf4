"""The Rego that ships with toolgate: the library every policy may import, and the starter policy."""

from __future__ import annotations

import functools
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from policies.combine import GENERATED

if TYPE_CHECKING:
    from collections.abc import Mapping

REGO_FOLDER = Path(__file__).parent / "rego"
STARTER_FOLDER = REGO_FOLDER / "starter"
"""A policy folder like any author's: read-only tools are allowed, everything else is held."""


@functools.cache
def library_modules() -> Mapping[str, str]:
    """File name -> text of ``toolgate.lib``, without its tests. Blocks on files the first time."""
    files = sorted(path for path in REGO_FOLDER.glob("*.rego") if not path.name.endswith("_test.rego"))
    return MappingProxyType({f"{GENERATED}{path.name}": path.read_text(encoding="utf-8") for path in files})
