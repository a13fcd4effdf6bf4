"""The demo's reviewer: a person at the JSON API, scripted."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from typing import Any
from urllib.parse import urlencode

TIMEOUT_S = 10


class Reviewer:
    """Looks at the queue and decides."""

    def __init__(self, people_url: str, token: str) -> None:
        """Where the people port is, and who is asking."""
        self._url = people_url + "/api/v1"
        self._token = token

    async def first(self) -> dict[str, Any]:
        """The hold on top of the queue; empty if nothing waits."""
        holds = (await self._ask("GET", "/holds"))["holds"]
        found: dict[str, Any] = holds[0] if holds else {}
        return found

    async def decide(self, hold: dict[str, Any], verdict: str, reason: str = "") -> None:
        """Say so about exactly what was shown."""
        word = {"verdict": verdict, "seen": hold["seen"], "reason": reason}
        await self._ask("POST", f"/holds/{hold['id']}/decision", word)

    async def login_link(self) -> str:
        """Opens the pages in a browser, once, as this reviewer."""
        link: str = (await self._ask("POST", "/login-links", {}))["url"]
        return link

    async def definition(self, upstream: str, name: str) -> dict[str, Any]:
        """Everything about one, with what differs from its pin."""
        return await self._ask("GET", f"/definitions/one?{urlencode({'upstream': upstream, 'name': name})}")

    async def pin(self, sheet: dict[str, Any]) -> None:
        """Vouch for exactly what was shown."""
        row = sheet["definition"]
        body = {"upstream": row["upstream"], "name": row["name"], "digest": row["listed_digest"]}
        await self._ask("POST", "/definitions/pin", body)

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        return await asyncio.to_thread(self._exchange, method, path, body)

    def _exchange(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        request = urllib.request.Request(  # noqa: S310 - our own loopback address
            self._url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
            found: dict[str, Any] = json.loads(answer.read())
            return found
