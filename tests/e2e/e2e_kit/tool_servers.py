"""Tool servers as processes, and how the gateway's configuration names them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from e2e_kit.ports import free_port
from e2e_kit.waiting import until

E2E = Path(__file__).resolve().parent.parent
SERVERS = E2E / "servers"
FIXTURE = SERVERS / "fixture_server.py"
ODD = SERVERS / "odd_server.py"
START_S = 40.0


def answers(port: int) -> bool:
    """Whether anything accepts connections there."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


class ToolServer:
    """A server with an HTTP port, ended with the block; may be killed and started again on the same port."""

    def __init__(
        self, *command: object, environ: dict[str, str] | None = None, cwd: Path | None = None
    ) -> None:
        """The command's ``{port}`` is replaced by a free port."""
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/mcp"
        self._command = [str(word).replace("{port}", str(self.port)) for word in command]
        self._environ = {**os.environ, **(environ or {})}
        self._environ = {
            name: value.replace("{port}", str(self.port)) for name, value in self._environ.items()
        }
        self._cwd = cwd
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self, *, wait: bool = True) -> Self:
        """Spawn; with ``wait`` until its port answers."""
        self.process = subprocess.Popen(
            self._command,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self._cwd,
        )
        return self.ready() if wait else self

    def ready(self) -> Self:
        """Wait until the port answers."""
        until(lambda: answers(self.port), f"{self._command} does not answer", within_s=START_S)
        return self

    def kill(self) -> None:
        """End it at once."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(5)


class RunLog:
    """What the fixture server really ran, read from the file it writes."""

    def __init__(self, path: Path) -> None:
        path.touch()
        self.path = path

    @property
    def environ(self) -> dict[str, str]:
        """What to give to the server."""
        return {"FIXTURE_LOG": str(self.path)}

    def lines(self) -> list[dict[str, Any]]:
        """All runs so far."""
        return [json.loads(line) for line in self.path.read_text().splitlines()]

    def count(self, ran: str, tag: str = "") -> int:
        """How often that happened."""
        return sum(1 for line in self.lines() if line["ran"] == ran and (not tag or line["tag"] == tag))

    def wait(self, ran: str, tag: str = "", *, within_s: float = 15) -> None:
        """Until it happened once."""
        until(
            lambda: self.count(ran, tag),
            lambda: f"{ran} {tag} not among {self.lines()[-5:]}",
            within_s=within_s,
        )


def fixture_http(era: str, log: RunLog) -> ToolServer:
    """The fixture server over HTTP."""
    return ToolServer(sys.executable, FIXTURE, "http", era, "{port}", environ=log.environ)


def fixture_stdio(era: str, log: RunLog) -> dict[str, Any]:
    """The configuration of the fixture server as the gateway's child."""
    return {"command": [sys.executable, str(FIXTURE), "stdio", era], "env": log.environ}
