"""An agent at the gateway, spoken by hand (MCP 2025-11-25 over HTTP): it can say what no client would."""

from __future__ import annotations

import itertools
import json

from e2e_kit import wire

HOLD = "dev.toolgate/hold"
ANSWER_S = 60.0


class Refused(Exception):
    """The gateway does not take the request at all."""

    def __init__(self, status, error):
        super().__init__(f"{status} {error}")
        self.status = status
        self.error = error


class Agent:
    """One session of one agent. Calls that are held come back after a moment, with the id of the hold."""

    def __init__(self, url, token, *, client=None):
        """``url``: of the route; ``client``: what it says of itself, as ``clientInfo``."""
        self._url = url
        self._ids = itertools.count(1)
        self._headers = {
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            "Authorization": f"Bearer {token}",
        }
        client = {"name": "company-agent", "version": "2.1"} if client is None else client
        hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client}
        self.ask("initialize", hello)
        self._post({"jsonrpc": "2.0", "method": "notifications/initialized"}, {})

    def ask(self, method, params, *, headers=None):
        """The result of one request."""
        message = {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}
        reply = self._post(message, headers or {})
        if session := reply.headers.get("mcp-session-id"):
            self._headers["Mcp-Session-Id"] = session
        try:
            answer = reply.json
        except ValueError:
            raise Refused(reply.status, reply.body[:500]) from None
        if "result" not in answer:
            raise Refused(reply.status, answer.get("error"))
        return answer["result"]

    def call(self, tool, arguments, *, meta=None, headers=None):
        """The result of a tool, which is called ``upstream/name`` here as it is for people."""
        params = {"name": tool.replace("/", "__"), "arguments": arguments}
        if meta:
            params["_meta"] = meta
        return self.ask("tools/call", params, headers=headers)

    def hold(self, tool, arguments, **rest):
        """The id under which the call waits."""
        result = self.call(tool, arguments, **rest)
        assert HOLD in result.get("_meta", {}), result
        return result["_meta"][HOLD]["hold"]

    def hold_read(self, uri):
        """The id under which a ``resources/read`` waits."""
        try:
            found = self.ask("resources/read", {"uri": uri})
        except Refused as refused:
            held = (refused.error.get("data") or {}) if isinstance(refused.error, dict) else {}
            if held.get("code") != "held":
                raise
            return held["hold"]
        raise AssertionError(f"it was not held: {found}")

    def _post(self, message, headers):
        body = json.dumps(message, ensure_ascii=False).encode()
        return wire.request(self._url, "POST", body, self._headers | headers, timeout_s=ANSWER_S)
