"""Names towards agents: ``<upstream>__<tool>`` on the aggregate route, unchanged on an upstream's own.

The separator is forbidden inside upstream ids, so splitting at its first occurrence gives back
exactly the pair that was joined: the mapping is a bijection.
"""

from __future__ import annotations

import re

SEPARATOR = "__"
RESERVED_UPSTREAM = "toolgate"
UPSTREAM_ID = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]|_(?=[A-Za-z0-9-])){0,31}")
"""Letters, digits, hyphens and single inner underscores; so ``__`` cannot occur, and an id cannot
end in the underscore that would shift the split. Dots are left out because model APIs refuse them."""

TOOL_NAME = re.compile(r"[A-Za-z0-9_.\-]{1,128}")
"""MCP 2025-11-25 and later, tool names."""

_SKELETON = str.maketrans("I1O0", "llOO")


def is_upstream_id(text: str) -> bool:
    """Whether the text may name an upstream."""
    return UPSTREAM_ID.fullmatch(text) is not None and text.lower() != RESERVED_UPSTREAM


def is_tool_name(text: str) -> bool:
    """Whether the text may name a tool."""
    return TOOL_NAME.fullmatch(text) is not None


def look_alikes(name: str) -> tuple[str, str]:
    """Two keys of a name; names that share either can be taken for each other.

    The first ignores case; the second is the confusable skeleton of UTS 39 for the characters that
    names may have (I, 1 and l; O and 0; rn and m).
    """
    return name.lower(), name.translate(_SKELETON).replace("rn", "m").lower()


def join_name(upstream: str, tool: str) -> str:
    """The name on the aggregate route."""
    return f"{upstream}{SEPARATOR}{tool}"


def split_name(name: str) -> tuple[str, str] | None:
    """Upstream id and tool name, or None if the name was not made by ``join_name``."""
    upstream, separator, tool = name.partition(SEPARATOR)
    if not separator or not is_upstream_id(upstream) or not is_tool_name(tool):
        return None
    return upstream, tool
