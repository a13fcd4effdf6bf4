"""The shipped rules as a scanner, and short ways to ask it."""

from __future__ import annotations

from pathlib import Path

import scanners
from scanners.definitions.rules import read_definition_rules
from scanners.definitions.scanner import DefinitionScanner
from tests.unit.scanners.samples import RULES as TOKENS

HOME = Path(scanners.__file__).parent
RULES = read_definition_rules((HOME / "rules" / "definitions.toml").read_text("utf-8"))
SCANNER = DefinitionScanner(RULES, TOKENS)


def tool(description="Adds two numbers.", *, name="add_numbers", schema=None, **members):
    """A definition as a server lists it."""
    return {
        "name": name,
        "description": description,
        "inputSchema": schema or {"type": "object"},
        **members,
    }


def found(members, *, others=(), kind="tool"):
    """Everything found in a definition, by rule."""
    name = members.get("name", members.get("uri", ""))
    return {one.rule: one for one in SCANNER.scan(kind, name, members, others=frozenset(others))}


def quarantined(members, **where):
    """The rules for which nobody should be offered it."""
    return {rule for rule, one in found(members, **where).items() if one.severity == "quarantine"}
