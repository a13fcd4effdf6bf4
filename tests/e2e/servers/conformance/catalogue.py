"""The tables of tools and prompts; the files that define them fill them by being imported."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from conformance.exchange import Exchange
from mcp_types import ContentBlock, Prompt, PromptArgument, PromptMessage, Tool

NO_ARGUMENTS: dict[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}

RunTool = Callable[[Exchange], Awaitable[str | list[ContentBlock]]]
RunPrompt = Callable[[Exchange], Awaitable[list[PromptMessage]]]


@dataclass(frozen=True)
class FixtureTool:
    """A tool and what it does."""

    name: str
    about: str
    run: RunTool
    schema: Mapping[str, Any] = field(default_factory=lambda: NO_ARGUMENTS)

    @property
    def definition(self) -> Tool:
        """As ``tools/list`` shows it."""
        return Tool(name=self.name, description=self.about, input_schema=dict(self.schema))


@dataclass(frozen=True)
class FixturePrompt:
    """A prompt and what it says."""

    name: str
    about: str
    run: RunPrompt
    arguments: tuple[str, ...] = ()

    @property
    def definition(self) -> Prompt:
        """As ``prompts/list`` shows it; every argument is required."""
        arguments = [
            PromptArgument(name=name, description=f"the {name}", required=True) for name in self.arguments
        ]
        return Prompt(name=self.name, description=self.about, arguments=arguments)


TOOLS: dict[str, FixtureTool] = {}
PROMPTS: dict[str, FixturePrompt] = {}


def tool(name: str, about: str, schema: Mapping[str, Any] = NO_ARGUMENTS) -> Callable[[RunTool], RunTool]:
    """Enter the function below into the table."""

    def enter(run: RunTool) -> RunTool:
        TOOLS[name] = FixtureTool(name, about, run, schema)
        return run

    return enter


def prompt(name: str, about: str, *arguments: str) -> Callable[[RunPrompt], RunPrompt]:
    """Enter the function below into the table."""

    def enter(run: RunPrompt) -> RunPrompt:
        PROMPTS[name] = FixturePrompt(name, about, run, arguments)
        return run

    return enter


def takes(**properties: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of an object that needs all these members."""
    return {"type": "object", "properties": properties, "required": list(properties)}
