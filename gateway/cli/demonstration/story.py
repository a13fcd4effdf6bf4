"""What the demo tells, line by line; each line knows what it expects."""

from __future__ import annotations

import asyncio
import json
import textwrap
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from rich.console import Console
from rich.text import Text

from gateway.cli.demonstration.agent import Agent, Said, connected
from gateway.cli.demonstration.reviewer import Reviewer
from gateway.cli.demonstration.stage import TOKEN

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gateway.cli.demonstration.stage import Scene

T = TypeVar("T")

NOTE_WORDS = "Read one note: shipping or returns."
CHANGED_WORDS = " Say the customer's name, too."

SETTLE_S = 8.0
"""How long a reload or a restarted upstream may take before the line counts as failed."""

ASKED_COLUMNS = 38
VERDICT_COLUMNS = 16
VERDICT_STYLE = {
    "ALLOWED": "green",
    "DENIED": "red",
    "HELD": "yellow",
    "APPROVED": "green",
    "INVALID": "magenta",
    "FAILED": "magenta",
    "POLICY": "cyan",
    "LOG": "cyan",
    "OFFERED": "cyan",
    "DRIFTED": "red",
    "PINNED": "green",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One row of the table."""

    asked: str
    verdict: str
    shown: str
    as_expected: bool


class Story:
    """Runs the steps and prints each as it happens."""

    def __init__(self, console: Console, pause_s: float) -> None:
        """Print to ``console``, with a pause after each line."""
        self._console = console
        self._pause_s = pause_s
        self.lines: list[Line] = []

    async def line(self, asked: str, verdict: str, shown: str, *, expected: bool) -> None:
        """Print and keep one row."""
        self.lines.append(Line(asked=asked, verdict=verdict, shown=shown, as_expected=expected))
        words = " ".join(shown.split()) + ("" if expected else "   <- NOT AS EXPECTED")
        left = ASKED_COLUMNS + VERDICT_COLUMNS
        for number, part in enumerate(textwrap.wrap(words, max(24, self._console.width - left - 1)) or [""]):
            row = Text()
            row.append(f"{asked if number == 0 else '':<{ASKED_COLUMNS}}")
            row.append(
                f"{verdict if number == 0 else '':<{VERDICT_COLUMNS}}", style=VERDICT_STYLE.get(verdict, "")
            )
            row.append(part, style="" if expected else "bold red")
            self._console.print(row, soft_wrap=True)
        await asyncio.sleep(self._pause_s)

    async def allowed(self, asked: str, said: Said, contains: str) -> None:
        """The call ran and its answer holds a certain text."""
        verdict = "ALLOWED" if said.ok else "DENIED"
        await self.line(asked, verdict, said.text, expected=said.ok and contains in said.text)

    async def refused(self, asked: str, said: Said, verdict: str, code: str, contains: str) -> None:
        """The call did not run, for the stated reason."""
        as_stated = not said.ok and said.code == code and contains in said.text
        await self.line(asked, verdict if as_stated else "?", said.text, expected=as_stated)


async def tell(scene: Scene, *, pause_s: float) -> list[Line]:
    """The whole story; returns its lines."""
    console = Console(highlight=False)
    story = Story(console, pause_s)
    console.print(
        f"[bold]toolgate[/bold] {scene.url}   policy {scene.policy.name}   agent support-agent\n",
        soft_wrap=True,
    )
    async with connected(f"{scene.url}/mcp", TOKEN) as agent:
        await _discover(story, agent)
        await _decisions(story, agent)
        await _approvals(story, agent, scene)
        await _failures(story, agent, scene)
        await _reload(story, agent, scene)
    async with connected(f"{scene.url}/s/notes/mcp", TOKEN, mode="legacy") as older:
        said = await older.call("read_note", name="shipping")
        await story.allowed("older client, own route: read_note", said, "16:00")
    await _log(story, scene)
    console.print()
    return story.lines


async def _discover(story: Story, agent: Agent) -> None:
    names = await _until(agent.tools, lambda found: len(found) >= 4)
    expected = {"orders__get_order", "orders__refund_order", "notes__read_note"} <= set(names)
    await story.line("the agent lists its tools", "OFFERED", ", ".join(names), expected=expected)


async def _decisions(story: Story, agent: Agent) -> None:
    get, refund = "orders__get_order", "orders__refund_order"
    await story.allowed("get_order A-1001", await agent.call(get, order_id="A-1001"), "Ines")
    await story.allowed("refund 40 EUR", await agent.call(refund, order_id="A-1001", amount=40), "R-1")
    said = await agent.call(refund, order_id="A-1001", amount=40, currency="USD")
    await story.refused(
        "refund 40 USD", said, "DENIED", "denied", "What would pass: the same refund with currency EUR"
    )
    said = await agent.call("orders__delete_order", order_id="A-1001")
    await story.refused("delete_order A-1001", said, "DENIED", "denied", "not_allowed")
    said = await agent.call(get, order_id=["A-1001"])
    await story.refused("get_order with a list as id", said, "INVALID", "invalid_arguments", "/order_id")
    said = await agent.call("orders__drop_tables")
    await story.refused("a tool nobody offers", said, "INVALID", "-32602", "offered")


async def _approvals(story: Story, agent: Agent, scene: Scene) -> None:
    """A call waits for a person, and ends as the person says."""
    lea = Reviewer(scene.people_url, scene.reviewer_token)
    waiting = agent.begin("orders__refund_order", order_id="A-1002", amount=900)
    hold = await _until(lea.first, bool)
    await story.line("refund 900 EUR", "HELD", str(hold.get("sentence")), expected="900" in str(hold))
    await lea.decide(hold, "approve")
    said = await waiting
    await story.line("lea approves it", "APPROVED", said.text, expected=said.ok and "R-2" in said.text)
    waiting = agent.begin("orders__refund_order", order_id="A-1002", amount=950)
    await lea.decide(await _until(lea.first, bool), "deny", "this order was refunded already")
    said = await waiting
    denied = not said.ok and "refunded already" in said.text
    await story.line("refund 950 EUR, lea denies it", "DENIED", said.text, expected=denied)


async def _failures(story: Story, agent: Agent, scene: Scene) -> None:
    """A server crashes, and comes back with other words than those that were pinned."""
    program = scene.notes_server.read_text("utf-8")
    scene.notes_server.write_text(program.replace(NOTE_WORDS, NOTE_WORDS + CHANGED_WORDS), "utf-8")
    said = await agent.call("notes__print_notes")
    await story.refused("print_notes (its server crashes)", said, "FAILED", "upstream_gone", "may have run")

    lea = Reviewer(scene.people_url, scene.reviewer_token)

    async def looked() -> dict[str, Any]:
        return await lea.definition("notes", "read_note")

    sheet = await _until(looked, lambda found: found["definition"]["state"] == "drifted")
    words = [word for change in sheet["changes"] for word in change["words"]]
    shown = "".join(word["text"] for word in words if word["op"] != "removed")
    await story.line("it is back, read_note has changed", "DRIFTED", shown, expected=CHANGED_WORDS in shown)
    said = await agent.call("notes__read_note", name="returns")
    await story.refused(
        "read_note, before anybody looked", said, "DENIED", "definition_drifted", "changed its definition"
    )
    await lea.pin(sheet)
    pinned = (await looked())["definition"]
    await story.line(
        "lea has seen the difference", "PINNED", f"by {pinned['pinned_by']}", expected=not pinned["why"]
    )
    said = await agent.call("notes__read_note", name="returns")
    await story.allowed("read_note, as it is pinned now", said, "Thirty days")


async def _reload(story: Story, agent: Agent, scene: Scene) -> None:
    policy = scene.policy
    good = policy.read_text("utf-8")

    async def refund() -> Said:
        return await agent.call("orders__refund_order", order_id="A-1003", amount=800)

    policy.write_text(good.replace("refund_limit := 100", "refund_limit := 1000"), "utf-8")
    await _until(lambda: _loaded(scene), lambda found: found >= 1)
    said = await refund()
    await story.allowed("limit set to 1000: refund 800 EUR", said, "R-3")
    policy.write_text(good.replace("refund_limit := 100", "refund_limit = := 100"), "utf-8")
    shown = await _until(lambda: _rejection(scene), bool)
    await story.line("a typing error is saved", "POLICY", shown, expected="support.rego:6" in shown)
    said = await agent.call("orders__get_order", order_id="A-1001")
    await story.allowed("the last good policy still decides", said, "Ines")
    policy.write_text(good, "utf-8")
    loads = await _until(lambda: _loaded(scene), lambda found: found >= 2)
    await story.line("mended", "POLICY", f"{loads} loads since the start", expected=loads >= 2)


async def _loaded(scene: Scene) -> int:
    from durable.audit import reading

    return sum(1 for entry in reading.tail(scene.folder / ".toolgate") if entry.kind == "policy_loaded")


async def _rejection(scene: Scene) -> str:
    from durable.audit import reading

    found = [entry for entry in reading.tail(scene.folder / ".toolgate") if entry.kind == "policy_rejected"]
    return str(found[-1].members["problems"][0]) if found else ""


async def _log(story: Story, scene: Scene) -> None:
    from durable.audit import reading

    data = scene.folder / ".toolgate"

    async def missing() -> int:
        return len(reading.unresolved(data))

    open_calls = await _until(missing, lambda count: count == 0)
    entries = list(reading.tail(data))
    kinds = {kind: sum(1 for entry in entries if entry.kind == kind) for kind in ("intent", "outcome")}
    shown = (
        f"{len(entries)} entries, {kinds['intent']} intents, {kinds['outcome']} outcomes, {open_calls} open"
    )
    expected = kinds["intent"] == kinds["outcome"] > 10 and open_calls == 0
    await story.line("every call is in the log", "LOG", shown, expected=expected)
    ready = await asyncio.to_thread(_get, f"{scene.people_url}/readyz")
    await story.line("readiness", "LOG", ready, expected=json.loads(ready)["status"] == "ready")


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310  our own loopback address
        text: str = answer.read().decode()
        return text


async def _until(ask: Callable[[], Awaitable[T]], settled: Callable[[T], bool]) -> T:
    """Ask again until the answer is settled or time is up; returns the last answer."""
    loop = asyncio.get_running_loop()
    end_s = loop.time() + SETTLE_S
    while True:
        answer = await ask()
        if settled(answer) or loop.time() > end_s:
            return answer
        await asyncio.sleep(0.1)
