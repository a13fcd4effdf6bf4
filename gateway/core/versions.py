"""MCP revisions and the eras they belong to (modelcontextprotocol.io/specification)."""

from __future__ import annotations

MODERN = "2026-07-28"
MODERN_VERSIONS = (MODERN,)
LEGACY_LATEST = "2025-11-25"
LEGACY_VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")

META_VERSION = "io.modelcontextprotocol/protocolVersion"
META_CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
META_CLIENT = "io.modelcontextprotocol/clientInfo"
META_LOG_LEVEL = "io.modelcontextprotocol/logLevel"
META_SERVER = "io.modelcontextprotocol/serverInfo"
META_SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"


def negotiated_legacy(asked: str) -> str:
    """The revision that answers an ``initialize``.

    2025-03-26 is the one revision that requires batches, which are not carried; its clients are
    offered the next one, as the revision's own negotiation rule allows.
    """
    if asked == "2025-03-26":
        return "2025-06-18"
    return asked if asked in LEGACY_VERSIONS else LEGACY_LATEST
