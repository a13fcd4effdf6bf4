"""The refund example as processes in a folder of its own: gateway, payment provider, agent; and its reviewers."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Self

from e2e_kit import wire
from e2e_kit.gateways import GatewayProcess
from e2e_kit.tool_servers import ToolServer
from e2e_kit.waiting import until

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "refunds"
DECLARED = "read_only: [list_refunds]"
END_S = 60.0


class Provider(ToolServer):
    """The payment provider; what arrived at it and what it paid is read from its files."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder / "provider"
        self.folder.mkdir(parents=True)
        environ = {
            "REFUNDS_LEDGER": str(self.folder / "ledger.db"),
            "REFUNDS_SEEN": str(self.folder / "seen.jsonl"),
        }
        super().__init__(
            sys.executable, EXAMPLE / "payments_server.py", "--port", "{port}", *options, environ=environ
        )

    def arrived(self, order_id: str) -> list[dict[str, Any]]:
        """Every refund of an order that was asked for, paid or not."""
        seen = self.folder / "seen.jsonl"
        # The last line may be half written at this moment.
        lines = seen.read_text().split("\n")[:-1] if seen.exists() else []
        return [
            one
            for one in map(json.loads, lines)
            if one["tool"] == "refund" and one["arguments"]["order_id"] == order_id
        ]

    def paid(self, order_id: str = "") -> list[dict[str, Any]]:
        """Rows of the ledger."""
        with closing(sqlite3.connect(self.folder / "ledger.db", timeout=10)) as ledger:
            ledger.row_factory = sqlite3.Row
            rows = [dict(row) for row in ledger.execute("SELECT * FROM refund ORDER BY id")]
        return [row for row in rows if order_id in {"", row["order_id"]}]


class ExampleGateway(GatewayProcess):
    """The gateway with the example's own configuration and policy, from a copy of the example that was set up."""

    def __init__(self, folder: Path, provider: Provider, *, idempotent: bool = False) -> None:
        """``idempotent``: the operator declares ``payments/refund`` to be that."""
        shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("data", "__pycache__"))
        policy = {path.name: path.read_text() for path in (EXAMPLE / "policies").iterdir()}
        super().__init__(folder, policy=policy, environ={"PAYMENTS_PORT": str(provider.port)})
        done = subprocess.run(
            [sys.executable, folder / "setup.py"], capture_output=True, text=True, timeout=60, check=True
        )
        found = dict(re.findall(r"(Lea|Ana)'s token: +(tgr_[0-9a-f]{64})\n", done.stdout))
        self.lea_token, self.ana_token = found["Lea"], found["Ana"]
        self.agent_token = (folder / "data" / "agent-token").read_text().strip()
        self.config = folder / "data" / "toolgate.yaml"
        self.data = folder / "data" / "gateway"
        text = self.config.read_text()
        assert DECLARED in text
        if idempotent:
            text = text.replace(DECLARED, f"{DECLARED}\n    idempotent: [refund]")
        ports = [url.removeprefix("http://") for url in (self.url, self.people_url)]
        self.config.write_text(f'{text}\nlisten: {{agents: "{ports[0]}", people: "{ports[1]}"}}\n')


class Reviewer:
    """A person at the JSON API."""

    def __init__(self, gateway: GatewayProcess, token: str) -> None:
        self._base = f"{gateway.people_url}/api/v1"
        self._headers = {"Authorization": f"Bearer {token}"}

    def get(self, path: str) -> wire.Reply:
        """One GET."""
        return wire.request(self._base + path, headers=self._headers)

    def post(self, path: str, body: dict[str, Any]) -> wire.Reply:
        """One POST."""
        headers = {**self._headers, "Content-Type": "application/json"}
        return wire.request(self._base + path, "POST", json.dumps(body).encode(), headers)

    def queue(self) -> list[dict[str, Any]]:
        """What waits for a decision."""
        reply = self.get("/holds")
        assert reply.status == 200, reply.body
        found: list[dict[str, Any]] = reply.json["holds"]
        return found

    def waiting(self) -> dict[str, Any]:
        """The one hold that waits, once there is one."""
        (found,) = until(self.queue, "nothing is held")
        return dict(found)

    def sheet(self, hold: str) -> dict[str, Any]:
        """Everything about it."""
        reply = self.get(f"/holds/{hold}")
        assert reply.status == 200, reply.body
        found: dict[str, Any] = reply.json
        return found

    def status(self, hold: str) -> str:
        """Where it stands."""
        return str(self.sheet(hold)["hold"]["status"])

    def reaches(self, hold: str, status: str, *, within_s: float = 30) -> None:
        """Wait until it stands there."""
        until(
            lambda: self.status(hold) == status,
            lambda: f"{hold} is {self.status(hold)}, not {status}: {self.sheet(hold)['events']}",
            within_s=within_s,
        )

    def decide(self, hold: str, verdict: str, reason: str = "") -> wire.Reply:
        """Say a word about exactly what is shown now."""
        word = {"verdict": verdict, "seen": self.sheet(hold)["seen"], "reason": reason}
        return self.post(f"/holds/{hold}/decision", word)

    def resolve(self, hold: str, outcome: str, evidence: str) -> wire.Reply:
        """Say what came of it."""
        return self.post(f"/holds/{hold}/resolve", {"outcome": outcome, "evidence": evidence})


class RefundAgent:
    """The example's agent as a process. A context manager that never leaves it running."""

    def __init__(self, gateway: ExampleGateway, *options: str) -> None:
        """Start it; ``options`` as on its command line."""
        self._log = gateway.folder / f"agent-{len(list(gateway.folder.glob('agent-*.log')))}.log"
        with self._log.open("wb") as out:
            self._process = subprocess.Popen(
                [sys.executable, str(gateway.folder / "agent.py"), "--url", f"{gateway.url}/mcp", *options],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(5)

    @property
    def story(self) -> str:
        """What it has printed so far."""
        return self._log.read_text("utf-8", "replace")

    def says(self, pattern: str, *, within_s: float = 30) -> None:
        """Wait until it has printed something like this."""
        found: Callable[[], Any] = lambda: re.search(pattern, self.story)  # noqa: E731
        until(found, lambda: f"no {pattern!r} in\n{self.story}", within_s=within_s)

    def ends(self, *, within_s: float = END_S) -> int:
        """Wait for its end; the exit code."""
        until(
            lambda: self._process.poll() is not None,
            lambda: f"still running:\n{self.story}",
            within_s=within_s,
        )
        return int(self._process.returncode)
