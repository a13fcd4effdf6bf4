"""Which parameters of a tool are mirrored as ``Mcp-Param-*`` headers (MCP 2026-07-28, custom headers)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from gateway.errors import InvalidParams

if TYPE_CHECKING:
    from collections.abc import Mapping


def read_param_headers(definition: Mapping[str, Any]) -> Mapping[tuple[str, ...], str]:
    """Property path -> header token.

    Raises:
        InvalidParams: an annotation the specification forbids; clients drop such a tool, so do we.
    """
    schema = definition.get("inputSchema")
    if "x-mcp-header" not in json.dumps(schema):
        return {}
    # Imported here because it loads the SDK's types, and few tools have the annotation.
    from mcp.shared.inbound import find_invalid_x_mcp_header, x_mcp_header_map

    problem = find_invalid_x_mcp_header(schema)
    if problem is not None:
        raise InvalidParams(f"x-mcp-header: {problem}")
    return x_mcp_header_map(schema)
