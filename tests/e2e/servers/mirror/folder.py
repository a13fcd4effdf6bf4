"""What the mirror says and what it heard: a folder, written and read by a test while the server runs.

``offer.json`` what it offers, definitions as texts; ``say/<key>.json`` the steps of one answer (``dialogue.py``);
``heard.jsonl`` every message that came; ``at/<name>`` appears when a step waits, ``go/<name>`` lets it go on.
"""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

GATE_S = 60.0
POLL_S = 0.005


class Folder:
    """One server's."""

    def __init__(self, path: Path) -> None:
        self._path = path
        # Appended to by every child of one upstream at once: one write is one line.
        self._heard = os.open(path / "heard.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def offer(self) -> dict[str, Any]:
        """What is offered now."""
        offer: dict[str, Any] = json.loads((self._path / "offer.json").read_bytes())
        return offer

    def script(self, key: str) -> list[dict[str, Any]]:
        """The steps of an answer; none if the test wrote none."""
        try:
            steps: list[dict[str, Any]] = json.loads(
                (self._path / "say" / f"{quote(key, safe='')}.json").read_bytes()
            )
        except FileNotFoundError:
            return []
        return steps

    def note(self, **members: Any) -> None:
        """Write down something that was heard."""
        os.write(self._heard, json.dumps({"pid": os.getpid(), **members}).encode() + b"\n")

    async def gate(self, name: str) -> None:
        """Say that this place was reached, and wait until the test lets it go on."""
        (self._path / "at" / name).touch()
        async with asyncio.timeout(GATE_S):
            while not (self._path / "go" / name).exists():
                await asyncio.sleep(POLL_S)
