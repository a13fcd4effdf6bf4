"""The gateway as a process of its own, in a folder of its own."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

from e2e_kit import wire
from e2e_kit.ports import free_port
from e2e_kit.waiting import until

TOOLGATE = str(Path(sys.executable).parent / "toolgate")
START_S = 60.0
STOP_S = 20.0
ANA = "tg_e2e_ana"
BEN = "tg_e2e_ben"

ALLOW_ALL = "package toolgate.rules.all\n\nimport rego.v1\n\nallow if true\n"


def agent(name: str, token: str, *, tenant: str = "acme", roles: tuple[str, ...] = ()) -> dict[str, Any]:
    """One entry of ``agents:``; the subject is called as the agent."""
    hashed = "sha256:" + hashlib.sha256(token.encode()).hexdigest()
    subject = {"id": f"{name}@example.com", "tenant": tenant, "roles": list(roles)}
    return {"name": name, "token": hashed, "subject": subject}


def toolgate(
    *words: str | Path, environ: dict[str, str] | None = None, cwd: Path | None = None, timeout_s: float = 60
):
    """Run one verb to its end."""
    return subprocess.run(
        [TOOLGATE, *map(str, words)],
        env={**os.environ, **(environ or {})},
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
        stdin=subprocess.DEVNULL,
    )


class GatewayProcess:
    """``toolgate serve`` with a configuration written for it. A context manager that never leaves it running."""

    def __init__(
        self,
        folder: Path,
        *,
        upstreams: dict[str, dict[str, Any]] | None = None,
        policy: dict[str, str] | None = None,
        policy_settings: dict[str, Any] | None = None,
        environ: dict[str, str] | None = None,
        **settings: Any,
    ) -> None:
        """Write ``toolgate.yaml`` and the policy into the folder; JSON is YAML.

        Args:
            folder: made if it does not exist; also holds log files and data.
            upstreams: as in the file.
            policy: file name -> Rego; by default everything is allowed.
            policy_settings: the file's ``policy``; by default just the folder.
            environ: added to this process's environment.
            settings: further members of the file; they win.
        """
        self.folder = folder
        self.environ = environ or {}
        self.policy = folder / "policies"
        self.policy.mkdir(parents=True, exist_ok=True)
        for name, text in (policy or {"all.rego": ALLOW_ALL}).items():
            (self.policy / name).write_text(text)
        self._agents_port, self._people_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self._agents_port}"
        self.people_url = f"http://127.0.0.1:{self._people_port}"
        self.config = folder / "toolgate.yaml"
        whole = {
            "upstreams": upstreams or {},
            "agents": [agent("ana", ANA, roles=("support",)), agent("ben", BEN, tenant="other")],
            "policy": policy_settings or {"path": "./policies"},
            "pin_on_first_use": True,
            "listen": {
                "agents": self.url.removeprefix("http://"),
                "people": self.people_url.removeprefix("http://"),
            },
            **settings,
        }
        self.config.write_text(
            json.dumps({name: value for name, value in whole.items() if value is not None}, indent=1)
        )
        self.data = folder / ".toolgate"
        self.process: subprocess.Popen[bytes] | None = None
        self.spawned_at_s = 0.0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.stop()

    def start(self, *, ready: bool = True, config: Path | None = None, cwd: Path | None = None) -> Self:
        """Spawn; with ``ready`` also wait until /readyz says so and every upstream was tried once."""
        self.spawned_at_s = time.monotonic()
        with (self.folder / "stdout.log").open("wb") as out, (self.folder / "stderr.log").open("ab") as err:
            self.process = subprocess.Popen(
                [TOOLGATE, "serve", "--config", str(config or self.config)],
                env={**os.environ, **self.environ},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=cwd,
            )
        if ready:
            until(
                self.is_ready,
                lambda: f"the gateway is not ready:\n{self.stdout}\n{self.stderr}",
                within_s=START_S,
            )
        return self

    def is_ready(self) -> bool:
        """Whether /readyz answers 200; fails at once if the process has ended."""
        assert self.process is not None
        assert self.process.poll() is None, (
            f"the gateway ended with {self.process.returncode}:\n{self.stderr}"
        )
        try:
            return wire.request(f"{self.people_url}/readyz").status == 200
        except OSError:
            return False

    def offers(self, *names: str, token: str = ANA, within_s: float = 30) -> None:
        """Wait until the aggregate route lists these tools."""
        until(
            lambda: set(names) <= set(self.tools(token=token)),
            lambda: f"offered {self.tools(token=token)}, not {names}; {self.stderr[-3000:]}",
            within_s=within_s,
        )

    def tools(self, route: str = "/mcp", *, token: str = ANA) -> list[str]:
        """Names a modern ``tools/list`` gives."""
        return [
            tool["name"]
            for tool in wire.modern(self.url + route, "tools/list", token=token).json["result"]["tools"]
        ]

    def call(
        self, name: str, arguments: dict[str, Any] | None = None, *, token: str = ANA, **rest: Any
    ) -> wire.Reply:
        """One modern call on the aggregate route."""
        return wire.call(f"{self.url}/mcp", name, arguments, token=token, **rest)

    def stop(self, number: int = signal.SIGTERM, *, within_s: float = STOP_S) -> int:
        """Signal and wait; returns the exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.wait(within_s=within_s)

    def wait(self, *, within_s: float = STOP_S) -> int:
        """Wait for the end; a process that does not end is killed and fails the test."""
        assert self.process is not None
        try:
            return self.process.wait(within_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)
            raise AssertionError(
                f"the gateway did not end within {within_s:g} s:\n{self.stderr[-3000:]}"
            ) from None

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(5)

    @property
    def stdout(self) -> str:
        """What it said to the operator."""
        return (self.folder / "stdout.log").read_text("utf-8", "replace")

    @property
    def stderr(self) -> str:
        """Its log, all starts."""
        return (self.folder / "stderr.log").read_text("utf-8", "replace")

    def entries(self, kind: str = "") -> list[dict[str, Any]]:
        """The audit log's entries so far, oldest first, each as one flat mapping."""
        from durable.audit import reading

        found = [
            {"kind": entry.kind, "seq": entry.seq, "tenant": entry.tenant, **entry.members}
            for entry in reading.tail(self.data)
        ]
        return [entry for entry in found if not kind or entry["kind"] == kind]

    def entry(self, kind: str, within_s: float = 10, **members: Any) -> dict[str, Any]:
        """Wait for an entry with these members."""

        def find() -> dict[str, Any] | None:
            fitting = (one for one in self.entries(kind) if all(one.get(n) == v for n, v in members.items()))
            return next(fitting, None)

        found = until(find, lambda: f"no {kind} with {members} among {self.entries(kind)}", within_s=within_s)
        assert found is not None
        return found
