"""A reviewer at the JSON API of a gateway process."""

from __future__ import annotations

import asyncio
import hashlib
import json
import urllib.error
import urllib.request
from typing import Any

from e2e_kit.gateways import GatewayProcess
from e2e_kit.waiting import until

LEA = "tgr_" + "1" * 64
MAX = "tgr_" + "2" * 64
OTHER = "tgr_" + "3" * 64


def reviewer(name: str, token: str, *roles: str, tenant: str = "acme") -> dict[str, Any]:
    """One entry of ``reviewers:``."""
    hashed = "sha256:" + hashlib.sha256(token.encode()).hexdigest()
    return {"id": f"{name}@example.com", "token": hashed, "roles": list(roles), "tenant": tenant}


REVIEWERS = [
    reviewer("lea", LEA, "lead"),
    reviewer("max", MAX, "lead", "operator"),
    reviewer("eve", OTHER, "lead", tenant="other"),
]


class People:
    """One person, by their token."""

    def __init__(self, gateway: GatewayProcess, token: str = LEA) -> None:
        self._url = gateway.people_url + "/api/v1"
        self._token = token

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Status and body of one exchange."""
        request = urllib.request.Request(
            self._url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null")

    def holds(self, status: str = "held") -> list[dict[str, Any]]:
        """The queue."""
        code, page = self.ask("GET", f"/holds?status={status}")
        assert code == 200, page
        found: list[dict[str, Any]] = page["holds"]
        return found

    def show(self, hold: str) -> dict[str, Any]:
        """Everything about one."""
        code, sheet = self.ask("GET", f"/holds/{hold}")
        assert code == 200, sheet
        found: dict[str, Any] = sheet
        return found

    def waits(self, **view: Any) -> dict[str, Any]:
        """The hold whose arguments hold these, once there is one."""

        def find() -> dict[str, Any] | None:
            return next((one for one in self.holds() if view.items() <= one["view"].items()), None)

        found: dict[str, Any] = until(find, f"no hold with {view}", within_s=20)
        return found

    def becomes(self, hold: str, *statuses: str, within_s: float = 20) -> dict[str, Any]:
        """The hold, once it has one of these statuses."""

        def find() -> dict[str, Any] | None:
            found: dict[str, Any] = self.show(hold)["hold"]
            return found if found["status"] in statuses else None

        ended: dict[str, Any] = until(
            find, lambda: f"{self.show(hold)['hold']['status']}, not {statuses}", within_s=within_s
        )
        return ended

    def decide(self, hold: dict[str, Any], verdict: str, reason: str = "") -> tuple[int, Any]:
        """Say so about what was shown."""
        word = {"verdict": verdict, "seen": hold["seen"], "reason": reason}
        return self.ask("POST", f"/holds/{hold['id']}/decision", word)

    def approve(self, hold: dict[str, Any]) -> dict[str, Any]:
        """Say yes, and be taken at one's word."""
        code, decided = self.decide(hold, "approve")
        assert code == 200, decided
        found: dict[str, Any] = decided["hold"]
        return found

    def vouch(self) -> None:
        """Pin every definition that is not offered, whatever was found in it. Needs an operator."""
        code, page = self.ask("GET", "/definitions?state=new,quarantined,drifted,unpinned&limit=1000")
        assert code == 200, page
        for one in page["definitions"]:
            wish = {name: one[name] for name in ("upstream", "name", "kind")}
            code, pinned = self.ask("POST", "/definitions/pin", wish | {"digest": one["listed_digest"]})
            assert code == 200, pinned

    async def when_waiting(self, verdict: str, reason: str = "", **view: Any) -> dict[str, Any]:
        """Decide as soon as it waits, while others go on."""

        def run() -> dict[str, Any]:
            hold = self.waits(**view)
            code, decided = self.decide(hold, verdict, reason)
            assert code == 200, decided
            return hold

        return await asyncio.to_thread(run)
