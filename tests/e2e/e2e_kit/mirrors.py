"""The mirror as an upstream: what it offers and says is set here, what it heard is read here."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
from e2e_kit.tool_servers import SERVERS, ToolServer

KINDS = tuple((transport, era) for transport in ("http", "stdio") for era in ("modern", "legacy"))
IDS = tuple(f"{transport}-{era}" for transport, era in KINDS)
SERVER = SERVERS / "mirror_server.py"
SOON_S = 15.0

_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def members(text: bytes | str) -> dict[str, bytes]:
    """The members of an object, each byte for byte."""
    return {name: bytes(value) for name, value in _members(text).items()}


async def soon(
    what: Callable[[], Any], sentence: str | Callable[[], str], *, within_s: float = SOON_S
) -> Any:
    """The first truthy value of ``what``; as ``waiting.until``, but others go on meanwhile."""
    end_s = time.monotonic() + within_s
    while not (value := what()):
        if time.monotonic() > end_s:
            raise AssertionError(
                f"not within {within_s:g} s: {sentence if isinstance(sentence, str) else sentence()}"
            )
        await asyncio.sleep(0.01)
    return value


@dataclass(frozen=True, slots=True)
class Heard:
    """One message that came to the mirror."""

    raw: str
    method: str
    """Empty for a response."""
    session: str
    headers: Mapping[str, str]

    @property
    def message(self) -> dict[str, Any]:
        """As a value."""
        message: dict[str, Any] = json.loads(self.raw)
        return message

    @property
    def params(self) -> dict[str, bytes]:
        """Its params, each byte for byte."""
        return members(members(self.raw)["params"])

    @property
    def meta(self) -> dict[str, Any]:
        """``params._meta``."""
        meta: dict[str, Any] = self.message.get("params", {}).get("_meta", {})
        return meta


class Mirror:
    """One mirror server, over one transport in one era."""

    def __init__(self, folder: Path, transport: str, era: str) -> None:
        """Make its folder; it offers nothing yet."""
        self.id = f"{transport}-{era}"
        self.transport, self.era = transport, era
        self._folder = folder / self.id
        for name in ("say", "at", "go"):
            (self._folder / name).mkdir(parents=True)
        self._read_bytes = 0
        self._records: list[dict[str, Any]] = []
        self._server = ToolServer(sys.executable, SERVER, "http", era, self._folder, "{port}")
        self._offer: dict[str, Any] = {"instructions": "", "page": 0, "unsubscribable": []}
        self.offer(capabilities={"tools": {}}, tools=[tool("echo")])

    def start(self) -> None:
        """Spawn it, unless it will be the gateway's child."""
        if self.transport == "http":
            self._server.start()

    def kill(self) -> None:
        """End it."""
        self._server.kill()

    def settings(self, **more: Any) -> dict[str, Any]:
        """Its entry under ``upstreams``."""
        if self.transport == "http":
            return {"url": self._server.url, **more}
        return {"command": [sys.executable, str(SERVER), "stdio", self.era, str(self._folder)], **more}

    def offer(self, **lists: Any) -> None:
        """Change what it offers: capabilities, instructions, page, unsubscribable, and lists of definitions.

        A definition is a text, or a value to be written as one. A list that is None does not exist.
        """
        for name, value in lists.items():
            texts = value is not None and name in {"tools", "prompts", "resources", "resourceTemplates"}
            self._offer[name] = [_text(one) for one in value] if texts else value
        self._write("offer.json", self._offer)

    def say(self, key: str, *steps: dict[str, Any]) -> None:
        """Set the steps of an answer: of a tool, prompt or URI by its name, else ``method name``."""
        self._write(f"say/{quote(key, safe='')}.json", steps)

    def _write(self, name: str, value: Any) -> None:
        # Replaced in one step: the server may be reading.
        draft = self._folder / "draft"
        draft.write_text(json.dumps(value))
        draft.rename(self._folder / name)

    def let_go(self, gate: str) -> None:
        """Let a waiting step go on."""
        (self._folder / "go" / gate).touch()

    def is_at(self, gate: str) -> bool:
        """Whether a step waits there, or did."""
        return (self._folder / "at" / gate).exists()

    async def at(self, gate: str) -> None:
        """Until a step waits there."""
        await soon(lambda: self.is_at(gate), f"{self.id} is not at {gate}")

    def records(self) -> list[dict[str, Any]]:
        """Everything it noted so far."""
        with (self._folder / "heard.jsonl").open("rb") as file:
            file.seek(self._read_bytes)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._read_bytes += len(line)
                self._records.append(json.loads(line))
        return self._records

    def heard(self, method: str = "", *, since: int = 0) -> list[Heard]:
        """Messages, oldest first; ``since``: a number of records to pass over."""
        return [
            _heard(one) for one in self.records()[since:] if "raw" in one and method in {"", one["method"]}
        ]

    def last(self, method: str) -> Heard:
        """The newest of that method."""
        return _heard(
            next(one for one in reversed(self.records()) if "raw" in one and one["method"] == method)
        )

    async def hears(
        self, method: str, fits: Callable[[Heard], bool] = lambda _: True, *, since: int = 0
    ) -> Heard:
        """Wait for a message."""
        found: Heard = await soon(
            lambda: next((one for one in self.heard(method, since=since) if fits(one)), None),
            lambda: (
                f"{self.id} heard no such {method}, but {[one.raw[:160] for one in self.heard(since=since)][-6:]}"
            ),
        )
        return found

    async def cancelled(self, number: Any) -> None:
        """Until the call with that id was withdrawn in the mirror."""
        await soon(
            lambda: any(one.get("cancelled") == number for one in self.records()),
            f"call {number} was not withdrawn in {self.id}",
        )


def _heard(record: dict[str, Any]) -> Heard:
    return Heard(record["raw"], record["method"], record["session"], record["headers"])


def _text(definition: Any) -> str:
    return definition if isinstance(definition, str) else json.dumps(definition)


def tool(name: str, **more: Any) -> dict[str, Any]:
    """A tool that takes any arguments."""
    return {"name": name, "inputSchema": {"type": "object"}, **more}


@contextlib.contextmanager
def mirrors(folder: Path, *, only: Callable[[str], bool] = lambda _: True) -> Iterator[dict[str, Mirror]]:
    """A mirror of each kind, by id; those over HTTP run until the block ends. Children start with the gateway."""
    made = {
        f"{transport}-{era}": Mirror(folder, transport, era)
        for transport, era in KINDS
        if only(f"{transport}-{era}")
    }
    try:
        for one in made.values():
            one.start()
        yield made
    finally:
        for one in made.values():
            one.kill()
