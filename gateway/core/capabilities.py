"""What an upstream may ask of the agent's side: the client's own capabilities, cut down to the grants.

A capability nobody granted is not forwarded, so a server that keeps to the protocol never asks; one that
asks anyway is refused by the same table.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Mapping

Grant = Literal["sampling", "elicitation", "roots"]
ALL_GRANTS: frozenset[str] = frozenset(get_args(Grant))

TASKS_EXTENSION = "io.modelcontextprotocol/tasks"

# Which capability a request of an upstream needs.
NEEDED = MappingProxyType(
    {"sampling/createMessage": "sampling", "elicitation/create": "elicitation", "roots/list": "roots"}
)

# Of each capability, the members that mean something; what we do not know is not promised to anybody.
_MEMBERS = MappingProxyType({"sampling": ("context", "tools"), "elicitation": ("form", "url"), "roots": ()})


def forwarded_capabilities(client: Mapping[str, Any], grants: frozenset[str]) -> dict[str, Any]:
    """The client capabilities that an upstream is told of. Empty for most callers and upstreams."""
    if not client:
        return {}
    told: dict[str, Any] = {}
    for name, members in _MEMBERS.items():
        claimed = client.get(name)
        if name in grants and isinstance(claimed, dict):
            told[name] = {member: {} for member in members if member in claimed}
    extensions = client.get("extensions")
    if isinstance(extensions, dict) and isinstance(extensions.get(TASKS_EXTENSION), dict):
        told["extensions"] = {TASKS_EXTENSION: {}}
    return told


def speaks_tasks(capabilities: Mapping[str, Any]) -> bool:
    """Whether the client declared the tasks extension."""
    extensions = capabilities.get("extensions")
    return isinstance(extensions, dict) and isinstance(extensions.get(TASKS_EXTENSION), dict)


def lacking(method: str, params: Mapping[str, Any], capabilities: Mapping[str, Any]) -> str:
    """What a client would need, and has not declared, to be asked this; empty if it can be asked.

    ``elicitation: {}`` means forms only (MCP 2025-06-18, and still so later).
    """
    needed = NEEDED[method]
    declared = capabilities.get(needed)
    if not isinstance(declared, dict):
        return needed
    if needed == "elicitation":
        mode = params.get("mode", "form")
        if not isinstance(mode, str) or (mode != "form" and mode not in declared):
            return f"elicitation.{mode}"[:64]
        if mode == "form" and declared and "form" not in declared and "url" in declared:
            return "elicitation.form"
    if needed == "sampling":
        for member, sub in (("tools", "tools"), ("toolChoice", "tools")):
            if member in params and sub not in declared:
                return f"sampling.{sub}"
    return ""
