"""MCP's official conformance suite: run against a server or around a client, its checks read as data."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml
from e2e_kit import node

SERVER_RUN_S = 120
CLIENT_S = 45
"""What the suite gives a client; the agent ends itself earlier, since the suite would only end its shell."""
CLIENT_RUN_S = CLIENT_S + 15
REVISIONS = ("2025-11-25", "2026-07-28")
ONE_JSON_ANSWER = "server-sse-content-type"
"""Where the answer was no event stream, the suite says that what it wants of event streams is not applicable."""
OUT_OF_SCOPE = "tasks-"
"""Scenarios of the tasks extension, which a server may or may not have."""

_FOLDER = re.compile(r"(?:server-)?(?P<scenario>.+)-\d{4}-\d\d-\d\dT[\d-]+Z")


@dataclass(frozen=True, slots=True)
class Check:
    """One check of a scenario, and how it came out."""

    scenario: str
    id: str
    nth: int
    """Which one of this id within its scenario: one id can stand for several cases, always in the same order."""
    status: str
    message: str = ""

    @property
    def key(self) -> tuple[str, str, int]:
        """What makes it the same check in another run."""
        return self.scenario, self.id, self.nth

    def __str__(self) -> str:
        return f"{self.status} {self.scenario} / {self.id}[{self.nth}]: {self.message}"


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of the suite found."""

    exit_code: int
    checks: tuple[Check, ...]
    output: str

    @property
    def statuses(self) -> dict[str, dict[str, list[str]]]:
        """Scenario -> check id -> statuses, in the order of their occurrence."""
        found: dict[str, dict[str, list[str]]] = {}
        for check in self.checks:
            found.setdefault(check.scenario, {}).setdefault(check.id, []).append(check.status)
        return found

    def having(self, *statuses: str) -> list[Check]:
        """The checks with one of these statuses."""
        return [check for check in self.checks if check.status in statuses]


def lost(direct: Run, governed: Run) -> list[Check]:
    """What succeeded directly and did not through the gateway, as it came out there.

    A check that is absent is lost: where an earlier step failed, the suite leaves out the later ones. INFO is
    the suite's word for two ways that are both right (one JSON answer, an event stream that stays open).
    """
    there = {check.key: check for check in governed.checks}
    plain = {check.scenario for check in governed.having("INFO") if check.id == ONE_JSON_ANSWER}
    return [
        there.get(check.key, Check(*check.key, "ABSENT"))
        for check in direct.having("SUCCESS")
        if (check.key not in there or there[check.key].status not in {"SUCCESS", "INFO"})
        and not (check.key not in there and check.scenario in plain)
    ]


def scored(revision: str) -> list[str]:
    """The server scenarios that a revision's frozen requirements score."""
    path = node.package("@modelcontextprotocol/conformance") / "requirements" / f"{revision}.yaml"
    listed: list[str] = yaml.safe_load(path.read_text())["server"]
    return listed


def against(url: str, revision: str, folder: Path) -> Run:
    """All server scenarios of a revision's requirements against a URL; those of the tasks extension left out.

    Args:
        url: of an MCP endpoint on loopback that wants no token.
        revision: one of ``REVISIONS``; also the protocol version that is spoken.
        folder: of this run alone; the suite writes its results there.
    """
    run = _suite(["server", "--url", url, "--requirements", revision], folder, SERVER_RUN_S)
    checks = tuple(check for check in run.checks if not check.scenario.startswith(OUT_OF_SCOPE))
    return Run(run.exit_code, checks, run.output)


def around(command: list[str | Path], scenario: str, revision: str, folder: Path) -> Run:
    """One client scenario: the suite is the server, the command the client that gets its URL as last argument."""
    words = ["client", "--command", shlex.join(map(str, command)), "--scenario", scenario]
    return _suite(
        [*words, "--spec-version", revision, "--timeout", str(CLIENT_S * 1000)], folder, CLIENT_RUN_S
    )


def _suite(words: list[str], folder: Path, within_s: float) -> Run:
    script = node.package("@modelcontextprotocol/conformance") / "dist" / "index.js"
    done = subprocess.run(
        [shutil.which("node") or "node", str(script), *words, "-o", str(folder)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=within_s,
        check=False,
    )
    return Run(done.returncode, tuple(_checks(sorted(folder.iterdir()))), done.stdout + done.stderr)


def _checks(folders: Iterable[Path]) -> Iterable[Check]:
    for folder in folders:
        named = _FOLDER.fullmatch(folder.name)
        assert named, f"the suite wrote {folder}, which is not the result of a scenario"
        scenario = named["scenario"]
        if not (folder / "checks.json").exists():
            # The scenario itself fell over; the suite counts that as a failure and writes nothing.
            yield Check(scenario, scenario, 0, "FAILURE", "the scenario did not come to its end")
            continue
        seen: dict[str, int] = {}
        for check in json.loads((folder / "checks.json").read_text()):
            nth = seen.get(check["id"], 0)
            seen[check["id"]] = nth + 1
            message = check.get("errorMessage") or check["description"]
            yield Check(scenario, check["id"], nth, check["status"], f"{check['name']}: {message}")
