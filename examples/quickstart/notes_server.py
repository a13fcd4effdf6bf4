"""A notebook as an MCP server over stdio, with one tool that crashes on purpose."""

from __future__ import annotations

import os

from mcp.server.mcpserver import MCPServer

NOTES = {"shipping": "Parcels leave at 16:00.", "returns": "Thirty days, unopened."}

server = MCPServer("notes", version="1.0", log_level="ERROR")


@server.tool()
def read_note(name: str) -> str:
    """Read one note: shipping or returns."""
    if name not in NOTES:
        raise ValueError(f"no note called {name!r}; there are {', '.join(NOTES)}")
    return NOTES[name]


@server.tool()
def write_note(name: str, text: str) -> str:
    """Write one note."""
    NOTES[name] = text
    return "written"


@server.tool()
def print_notes() -> str:
    """Print all notes. The printer driver is broken: this ends the whole server."""
    os._exit(1)


if __name__ == "__main__":
    server.run("stdio")
