"""Agents: MCP clients in processes of their own, told what to do line by line (see drivers/orders.py)."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pytest

E2E = Path(__file__).resolve().parent.parent
DRIVERS = E2E / "drivers"
ANSWER_S = 60.0
END_S = 10.0


@dataclass(frozen=True, slots=True)
class Called:
    """What one call came to, as the client library reports it."""

    progress: list[list[Any]]
    result: dict[str, Any] = field(default_factory=dict)
    error: dict[str, Any] = field(default_factory=dict)
    cancelled: bool = False

    @property
    def text(self) -> str:
        """The first text block."""
        text: str = self.result["content"][0]["text"]
        return text

    @property
    def is_error(self) -> bool:
        """A tool error, which the model reads."""
        return bool(self.result.get("isError"))


class ClientProcess:
    """One client library, able to be several agents at once."""

    def __init__(self, command: list[str], log: Path, *, mode: str = "auto") -> None:
        """Start it; ``mode`` is what ``open`` passes on unless told otherwise."""
        self.mode = mode
        self._ids = itertools.count(1)
        self._waiting: dict[int, Future[Any]] = {}
        self._lock = threading.Lock()
        self._log = log
        with log.open("ab") as err:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=err,
                text=True,
                env={**os.environ, "PYTHONPATH": str(DRIVERS), "PYTHONWARNINGS": "ignore"},
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def order(self, do: str, **members: Any) -> Future[Any]:
        """Send one order; its answer comes as a future."""
        future: Future[Any] = Future()
        number = next(self._ids)
        with self._lock:
            self._waiting[number] = future
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps({"id": number, "do": do, **members}) + "\n")
            self._process.stdin.flush()
        return future

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            answer = json.loads(line)
            future = self._waiting.pop(answer["id"])
            if "failed" in answer:
                future.set_exception(AssertionError(answer["failed"]))
            else:
                future.set_result(answer["ok"])
        for future in list(self._waiting.values()):
            future.set_exception(AssertionError(f"the client ended: {self._log.read_text()[-2000:]}"))

    def close(self) -> None:
        """End it by closing its input."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(END_S)
        self._reader.join(END_S)
        self._process.stdout.close()


class Agent:
    """One connection of a client; a context manager."""

    _names = itertools.count(1)

    def __init__(self, client: ClientProcess, **order: Any) -> None:
        """``order``: url and token, or command; see drivers/orders.py."""
        self._client = client
        self._name = f"agent-{next(self._names)}"
        self._order = {"mode": client.mode, "token": "", **order}
        self.version = ""

    def __enter__(self) -> Self:
        opened = self._client.order("open", agent=self._name, **self._order).result(ANSWER_S)
        self.version = opened["version"]
        return self

    def __exit__(self, *_: object) -> None:
        self._client.order("close", agent=self._name).result(ANSWER_S)

    def tools(self) -> dict[str, dict[str, Any]]:
        """The listing, by name."""
        listed = self._client.order("tools", agent=self._name).result(ANSWER_S)
        return {tool["name"]: tool for tool in listed}

    def start(self, name: str, arguments: dict[str, Any] | None = None, **rest: Any) -> Future[Called]:
        """Begin a call; ``key`` makes it cancellable."""
        whole: Future[Called] = Future()
        raw = self._client.order("call", agent=self._name, name=name, arguments=arguments or {}, **rest)

        def done(answered: Future[Any]) -> None:
            error = answered.exception()
            if error is not None:
                whole.set_exception(error)
            else:
                whole.set_result(Called(**answered.result()))

        raw.add_done_callback(done)
        return whole

    def call(self, name: str, arguments: dict[str, Any] | None = None, **rest: Any) -> Called:
        """A call, awaited."""
        return self.start(name, arguments, **rest).result(ANSWER_S)

    def cancel(self, key: str) -> None:
        """Withdraw a call that was started with that key."""
        self._client.order("cancel", key=key).result(ANSWER_S)

    def change(self) -> Future[Any]:
        """The next notice that the list changed."""
        return self._client.order("change", agent=self._name)


# kind -> (system part it needs, mode, protocol era it ends up in)
KINDS = {
    "sdk2-modern": ("", "modern", "modern"),
    "sdk2-legacy": ("", "legacy", "legacy"),
    "fastmcp": ("", "auto", "modern"),
    "fastmcp-legacy": ("", "legacy", "legacy"),
    "sdk1": ("old-mcp", "legacy", "legacy"),
    "typescript-v2": ("node", "auto", "modern"),
    "typescript-v1": ("node", "legacy", "legacy"),
}


# Libraries whose agents hand a tool's answer to a model, and hide the rest: tests/e2e/test_agent_libraries.py.
# kind -> (its driver, the variable that names a Python that has it)
LIBRARIES = {
    "langchain": ("langchain_client.py", "TOOLGATE_LANGCHAIN_PYTHON"),
    "openai-agents": ("openai_agents_client.py", "TOOLGATE_AGENTS_PYTHON"),
    "pydantic-ai": ("pydantic_ai_client.py", "TOOLGATE_AGENTS_PYTHON"),
}


def client_kinds(*, era: str = "") -> list[Any]:
    """Client libraries as test parameters, marked with the system part they need."""
    return [
        pytest.param(kind, marks=[pytest.mark.needs(part)] if part else [])
        for kind, (part, _, ends_in) in KINDS.items()
        if era in {"", ends_in}
    ]


def start_client(kind: str, folder: Path, node_modules: Any) -> ClientProcess:
    """The driver process of a kind; ``node_modules()`` names the folder where npm put the TypeScript clients."""
    log = folder / f"{kind}.log"
    if kind in LIBRARIES:
        driver, python = LIBRARIES[kind]
        return ClientProcess([os.environ[python], str(DRIVERS / driver)], log)
    mode = KINDS[kind][1]
    if kind.startswith("typescript"):
        script = node_modules() / "client.mjs"
        return ClientProcess(["node", str(script), kind.rpartition("-")[2]], log, mode=mode)
    python = os.environ["TOOLGATE_MCP1_PYTHON"] if kind == "sdk1" else sys.executable
    script = DRIVERS / {"sdk1": "sdk1.py"}.get(kind, "fastmcp_client.py" if "fastmcp" in kind else "sdk2.py")
    return ClientProcess([python, str(script)], log, mode=mode)
