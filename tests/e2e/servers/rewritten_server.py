"""A tool server over stdio whose definitions are whatever a file says at the moment they are listed.

    python rewritten_server.py DEFINITIONS.json CALLS.log

Plain JSON lines, MCP 2025-11-25. Every call is a line in CALLS.log. The tool ``announce`` says that the
lists changed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

DEFINITIONS, CALLS = map(Path, sys.argv[1:])


def say(message):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def answer(method, params):
    now = json.loads(DEFINITIONS.read_text())
    if method == "initialize":
        capabilities = {"tools": {"listChanged": True}, "resources": {}, "prompts": {}}
        return {
            "protocolVersion": "2025-11-25",
            "capabilities": capabilities,
            "serverInfo": {"name": "rewritten", "version": "1"},
            "instructions": now.get("instructions", ""),
        }
    if method == "tools/list":
        return {"tools": now["tools"]}
    if method == "resources/list":
        return {"resources": now.get("resources", [])}
    if method == "prompts/list":
        return {"prompts": now.get("prompts", [])}
    if method == "resources/templates/list":
        return {"resourceTemplates": []}
    if method in {"tools/call", "resources/read", "prompts/get"}:
        name = params.get("name") or params.get("uri")
        with CALLS.open("a") as log:
            log.write(f"{name}\n")
        if method == "resources/read":
            return {"contents": [{"uri": params["uri"], "text": "read"}]}
        return {"content": [{"type": "text", "text": f"ran {name}"}]}
    return {} if method == "ping" else None


for line in sys.stdin:
    asked = json.loads(line)
    if "id" not in asked:
        continue
    found = answer(asked["method"], asked.get("params", {}))
    if found is None:
        say({"id": asked["id"], "error": {"code": -32601, "message": "no such method"}})
        continue
    say({"id": asked["id"], "result": found})
    if asked["method"] == "tools/call" and asked["params"]["name"] == "announce":
        say({"method": "notifications/tools/list_changed"})
        say({"method": "notifications/resources/list_changed"})
