"""Client libraries before a gateway that holds calls: what each is like, and one agent of each as its model sees it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pytest
from e2e_kit.agents import DRIVERS, Agent, Called, ClientProcess
from e2e_kit.gateways import ANA, GatewayProcess
from e2e_kit.people import People

from durable.holds.status import Status

WAIT = "toolgate__approval_wait"
DONE = "transferred"
"""Only a call that ran says this."""
OPENAI_FAILED = "An error occurred while running the tool. Please try again."
TASKS_PYTHON = "TOOLGATE_TASKS_PYTHON"
END_S = 150.0
PAGE = 200


@dataclass(frozen=True, slots=True)
class Library:
    """What was seen of one library, with nothing set that it does not need."""

    states: str
    """The name it gives itself."""
    era: str
    patience_s: float
    """How long it lets one request go unanswered."""
    part: str = ""
    """The system part it needs; see tests/conftest.py."""
    shows_errors: bool = True
    """Whether a tool's error is marked as one to whoever reads the answer."""
    tasks: bool = False
    """It takes a task for an answer, and tells nobody of it before the task has ended."""


LIBRARIES = {
    "openai-agents": Library("mcp", "modern", 5, "agent-libraries", shows_errors=False),
    "pydantic-ai": Library("fastmcp", "modern", 300, "agent-libraries"),
    "langchain": Library("mcp", "legacy", 300, "agent-libraries"),
    "sdk2-modern": Library("mcp", "modern", 300),
    "sdk2-legacy": Library("mcp", "legacy", 300),
    "sdk1": Library("mcp", "legacy", 300, "old-mcp"),
    "typescript-v2": Library("e2e-typescript", "modern", 60, "node"),
    "typescript-v1": Library("e2e-typescript", "legacy", 60, "node"),
    "fastmcp": Library("mcp", "modern", 300),
    "fastmcp-legacy": Library("mcp", "legacy", 300),
    "fastmcp-tasks": Library("mcp", "modern", 300, "tasks", tasks=True),
    "pydantic-ai-tasks": Library("mcp", "modern", 300, "tasks", tasks=True),
}
_TASK_DRIVERS = {"fastmcp-tasks": "fastmcp_client.py", "pydantic-ai-tasks": "pydantic_ai_client.py"}


def parameters(fits: Callable[[Library], bool] = lambda _: True) -> list[Any]:
    """Kinds of client as test parameters, marked with the part they need."""
    return [
        pytest.param(kind, marks=_marks(library.part)) for kind, library in LIBRARIES.items() if fits(library)
    ]


def _marks(part: str) -> list[pytest.MarkDecorator]:
    if part == "tasks":
        reason = f"set {TASKS_PYTHON} to a Python with fastmcp-tasks, as .ci/run makes it"
        return [pytest.mark.skipif(not _is_here(part), reason=reason)]
    return [pytest.mark.needs(part)] if part else []


def _is_here(part: str) -> bool:
    match part:
        case "node":
            return shutil.which("node") is not None
        case "old-mcp":
            return "TOOLGATE_MCP1_PYTHON" in os.environ
        case "agent-libraries":
            return {"TOOLGATE_LANGCHAIN_PYTHON", "TOOLGATE_AGENTS_PYTHON"} <= os.environ.keys()
        case "tasks":
            return TASKS_PYTHON in os.environ
    return True


def present() -> list[str]:
    """The kinds that this machine has."""
    return [kind for kind, library in LIBRARIES.items() if _is_here(library.part)]


def start_with_tasks(kind: str, folder: Path) -> ClientProcess:
    """The process of a client that speaks the tasks extension; the others are e2e_kit.agents'."""
    command = [os.environ[TASKS_PYTHON], str(DRIVERS / _TASK_DRIVERS[kind]), "tasks"]
    return ClientProcess(command, folder / f"{kind}.log")


@dataclass(frozen=True, slots=True)
class Told:
    """What one call came to, for whoever asked for it."""

    text: str
    """What a model reads of an answer."""
    is_error: bool
    """Marked as the error of a tool."""
    failed: str
    """The library's own error instead."""

    @property
    def done(self) -> bool:
        """It reads as if the call ran."""
        return DONE in self.text or DONE in self.failed

    @property
    def waits(self) -> bool:
        """It says first of all that nothing happened."""
        # Pydantic AI shows its model the structured content instead of the text.
        return self.text.removeprefix('{"toolgate":{"message":"').startswith("NOT EXECUTED")

    @property
    def denied(self) -> bool:
        """It says that a person said no."""
        return self.text.removeprefix('{"toolgate":{"message":"').startswith("DENIED by ")


def _told(called: Called) -> Told:
    if called.error:
        return Told("", is_error=False, failed=called.error["message"])
    blocks = [one["text"] for one in called.result["content"]]
    failed = blocks[0] if blocks == [OPENAI_FAILED] else ""
    timed_out = called.is_error and blocks[0].endswith("timed out")
    return Told(blocks[0], called.is_error, failed or (blocks[0] if timed_out else ""))


class Caller:
    """One agent; a context manager."""

    def __init__(self, kind: str, client: ClientProcess, gateway: GatewayProcess, **order: Any) -> None:
        """``order``: ``plain`` or ``patience_s``, see drivers/orders.py."""
        self.library = LIBRARIES[kind]
        self._plain = {name: value for name, value in order.items() if name == "plain"}
        self._agent = Agent(client, url=f"{gateway.url}/mcp", token=ANA, listen=False, **order)

    def __enter__(self) -> Self:
        self._agent.__enter__()
        # The TypeScript clients check a result against the schema of a tool that they have listed.
        self._agent.tools()
        return self

    def __exit__(self, *_: object) -> None:
        self._agent.__exit__()

    @property
    def version(self) -> str:
        """The protocol revision; empty where the library keeps it to itself."""
        return self._agent.version

    def start(self, name: str, arguments: dict[str, Any]) -> Future[Called]:
        """Begin a call."""
        return self._agent.start(name, arguments, **self._plain)

    def ask(self, name: str, arguments: dict[str, Any]) -> Told:
        """A call, awaited."""
        return told(self.start(name, arguments))


def told(calling: Future[Called]) -> Told:
    """What a call that was begun came to; an error that the library raises is one, too."""
    try:
        return _told(calling.result(END_S))
    except AssertionError as error:
        lines = str(error).strip().splitlines()
        raised = [line for line in lines if not line.startswith((" ", "Traceback"))]
        return Told("", is_error=False, failed=raised[-1] if raised else lines[-1])


def hold_in(told: Told) -> str:
    """The id of the hold that an answer names."""
    return told.text.partition("Hold ")[2].partition(".")[0]


def ran(mirror: Any, **arguments: Any) -> int:
    """How often the upstream was called with these."""
    return sum(
        arguments.items() <= json.loads(one.params["arguments"]).items() for one in mirror.heard("tools/call")
    )


def filed(people: People, **view: Any) -> list[dict[str, Any]]:
    """Every hold whose arguments hold these, over or not."""
    code, page = people.ask("GET", f"/holds?status={','.join(Status)}&limit={PAGE}")
    assert code == 200, page
    return [one for one in page["holds"] if view.items() <= one["view"].items()]
