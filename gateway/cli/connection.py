"""From the terminal to the running gateway's agents port, with the local agent's token."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yarl

from gateway.background import Background
from gateway.config.loading import load_configuration
from gateway.core.versions import META_CAPABILITIES, META_CLIENT, META_VERSION, MODERN
from gateway.data import TOKEN_FILE
from gateway.egress import Destination, Egress, EgressSettings
from gateway.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from gateway.egress import HttpAnswer

CALL_DEADLINE_S = 600.0
ANSWER_BYTES_MAX = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Where the gateway listens and who we are there."""

    url: str
    token: str

    def destination(self, path: str) -> Destination:
        """The gateway as an HTTP destination."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return Destination(
            party="the gateway",
            next_step="start it with: toolgate serve",
            url=yarl.URL(self.url + path),
            headers=headers,
        )

    async def call(
        self, upstream: str, tool: str, arguments: dict[str, Any], *, on_wait: Callable[[], None]
    ) -> dict[str, Any]:
        """One ``tools/call`` with all its rounds of waiting; returns the JSON-RPC response.

        ``on_wait`` is called before each further round: a person has to decide.

        Raises:
            UpstreamError: the gateway cannot be reached or does not answer as one.
        """
        params: dict[str, Any] = {"name": tool, "arguments": arguments}
        while True:
            answer = await self._round(upstream, tool, params)
            result = answer.get("result", {})
            if result.get("resultType") != "input_required" or "inputRequests" in result:
                return answer
            on_wait()
            params["requestState"] = result["requestState"]

    async def _round(self, upstream: str, tool: str, params: dict[str, Any]) -> dict[str, Any]:
        envelope = {
            META_VERSION: MODERN,
            META_CLIENT: {"name": "toolgate-cli", "version": "1"},
            META_CAPABILITIES: {},
        }
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {**params, "_meta": envelope}}
        body = json.dumps(message).encode()
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "MCP-Protocol-Version": MODERN,
            "Mcp-Method": "tools/call",
            "Mcp-Name": tool,
        }
        async for answer in self.exchange(
            f"/s/{upstream}/mcp", "POST", headers, body, deadline_s=CALL_DEADLINE_S
        ):
            content = await answer.read()
            if answer.status == 404 and b'"wire_refused"' in content:
                raise ConfigurationError(f"no upstream {upstream!r} is configured in the running gateway")
            if answer.media_type != "application/json":
                raise ConfigurationError(f"{self.url} answered {answer.status}, but not as toolgate does")
            found: dict[str, Any] = json.loads(content)
            return found
        raise AssertionError("an exchange has one answer")

    async def exchange(
        self, path: str, method: str, headers: dict[str, str], body: bytes, *, deadline_s: float | None
    ) -> AsyncIterator[HttpAnswer]:
        """One request in a client of its own; yields its answer."""
        async with (
            Background(on_failure=lambda _name, _error: None) as background,
            Egress(EgressSettings(), clock=time.monotonic, start_task=background.start) as egress,
            egress.exchange(
                self.destination(path),
                method,
                headers=headers,
                deadline_s=deadline_s,
                body=body,
                body_bytes_max=ANSWER_BYTES_MAX,
            ) as answer,
        ):
            yield answer


def connection_from(config_path: Path, token: str | None) -> Connection:
    """The gateway that the configuration describes, and the given or the local agent's token.

    Raises:
        ConfigurationError: no token can be found.
    """
    configuration = load_configuration(config_path)
    settings = configuration.settings
    url = f"http://{settings.listen.agents}"
    if token:
        return Connection(url=url, token=token)
    path = configuration.data / TOKEN_FILE
    if settings.anonymous == "allow":
        return Connection(url=url, token="")
    if settings.agents:
        raise ConfigurationError(
            "the agents in the file are known by their tokens' hashes only",
            next_step="pass the token with --token or TOOLGATE_TOKEN",
        )
    if not path.exists():
        raise ConfigurationError(
            f"no token at {path} yet", next_step=f"toolgate serve --config {config_path}"
        )
    return Connection(url=url, token=path.read_text().strip())
