"""Recorded answers of real tool servers are, looked at, what they are with the look switched off."""

from __future__ import annotations

import hashlib
import json
import tempfile
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import pytest_asyncio
import yaml

from durable.stores.memory import MemoryStore
from gateway.assembly.content import ContentPlane, content_plane, resource_links
from gateway.catalogue.snapshot import CatalogueStore
from gateway.content.settings import ContentSettings
from gateway.core.call import Call, canonical_call
from gateway.core.obligations import AS_USUAL, INJECTION, PERSONAL, SECRET
from gateway.core.principal import Subject
from gateway.core.seal import Seal
from gateway.ports import Reply
from tests.fakes import ANA, NOON_US, caller

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from gateway.core.content import Observations
    from gateway.core.principal import Caller

pytestmark = pytest.mark.asyncio(loop_scope="module")

CORPUS = Path(__file__).parents[2] / "corpus" / "ordinary_sessions"
RESULTS = sorted((CORPUS / "results").glob("*.jsonl"))
SAME_MIN = 0.99
BYTES_MAX = 1_000_000
NOW_MS = NOON_US // 1_000
# What stands in the recordings for what differs from run to run, as it could have been.
PLACEHOLDERS = {
    "{workspace}": "/home/me/project",
    "{room}": "/home/me",
    "{site}": "http://127.0.0.1:8080",
    "{parts}": "/opt/servers",
    "{time}": "2026-10-20T14:05:00+02:00",
    "{date}": "Tue Oct 20 2026 12:05:00 GMT+0000 (Coordinated Universal Time)",
    "{clock}": "2:05:00 PM",
}
TRACES = tuple(
    str(place).encode()
    for place in (Path(__file__).parents[3], Path.home(), tempfile.gettempdir())
    if len(str(place)) > 1
)
"""Of the machine that recorded."""
IMAGE = b'"type":"image"'
LEFT_ALONE = frozenset({PERSONAL, INJECTION})
"""Families that are only observed while no policy asks for more."""
INLINE_BYTES_MAX = ContentSettings().inline_bytes_max


@dataclass(frozen=True)
class Recorded:
    """One call, and what came of it."""

    session: str
    call: Call
    reply: Reply

    @property
    def caller(self) -> Caller:
        """Nobody else's: what one session says must not count for another."""
        return caller(replace(ANA, subject=Subject(id=f"{self.session}@example.com")))


def with_places(raw: bytes) -> bytes:
    for placeholder, place in PLACEHOLDERS.items():
        raw = raw.replace(placeholder.encode(), place.encode())
    return raw


def read(path: Path) -> list[Recorded]:
    decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
    found = []
    for line in path.read_bytes().splitlines():
        members = {name: bytes(member) for name, member in decoder.decode(with_places(line)).items()}
        session, server, tool, arguments = (
            json.loads(members[name]) for name in ("session", "server", "tool", "arguments")
        )
        reply = Reply(result=members.get("result"), error=members.get("error"))
        found.append(Recorded(session, canonical_call("tools/call", server, tool, arguments), reply))
    return found


BY_PLAN = {path.stem: read(path) for path in RESULTS}
RECORDED = [one for recorded in BY_PLAN.values() for one in recorded]


@asynccontextmanager
async def plane(**settings: Any) -> AsyncIterator[ContentPlane]:
    """What the gateway looks with, as it puts it together."""
    store = await MemoryStore.open(clock_ms=lambda: NOW_MS)
    made = content_plane(
        ContentSettings(**settings),
        ["Bearer " + "k3y-of-the-gateway"],
        [],
        links=resource_links({}, CatalogueStore()),
        key=bytes(range(32)),
        store=store,
        seal=Seal(bytes(range(64))),
        monotonic_s=lambda: NOW_MS / 1_000,
        now_ms=lambda: NOW_MS,
    )
    try:
        yield made
    finally:
        await made.aclose()
        await store.aclose()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def looking() -> AsyncIterator[ContentPlane]:
    async with plane() as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def blind() -> AsyncIterator[ContentPlane]:
    async with plane(scan=False) as made:
        yield made


async def passed(through: ContentPlane, one: Recorded) -> tuple[bytes, list[str]]:
    """What an agent gets, and why it may be another answer: rules, or the code by which it is kept back."""
    screened = await through.screen.reply(one.call, one.caller, None, one.reply, AS_USUAL)
    raw = screened.reply.result if screened.reply.error is None else screened.reply.error
    assert raw is not None
    why = rules_of(screened.observations, but=LEFT_ALONE)
    return raw, [*why, screened.kept_back] if screened.kept_back else why


def rules_of(observed: Observations, *, but: frozenset[str] = frozenset()) -> list[str]:
    return sorted({found.rule for found in observed.findings if found.family not in but})


def value_of(raw: bytes) -> Any:
    """The JSON value; numbers are equal where they are spelled alike."""
    return json.loads(raw, parse_int=str, parse_float=str)


def named(one: Recorded, rules: list[str]) -> str:
    """Which call, and by which rules; never a text."""
    return f"{one.call.target} in {one.session}: {', '.join(rules)}"


def share_of(count: int) -> float:
    return count / len(RECORDED)


def token(number: int) -> str:
    """A token of a form that everybody knows; another one for each number."""
    digits = hashlib.sha256(str(number).encode()).hexdigest()
    return f"ghp_{digits[:36]}" if number % 2 else f"glpat-{digits[:20]}"


def with_token(one: Recorded, planted: str) -> Recorded:
    """The same answer, with one line more behind the first line of its first text."""
    if one.reply.error is not None:
        error = json.loads(one.reply.error)
        error["message"] += f"\n{planted}"
        return replace(one, reply=Reply(error=json.dumps(error).encode()))
    result = json.loads(one.reply.result or b"")
    texts = [block for block in result["content"] if block["type"] == "text"]
    if not texts:
        texts = [{"type": "text", "text": ""}]
        result["content"] += texts
    first, _, rest = texts[0]["text"].partition("\n")
    texts[0]["text"] = f"{first}\nfor now: {planted}\n{rest}"
    return replace(one, reply=Reply(result=json.dumps(result, ensure_ascii=False).encode()))


async def test_the_recorded_set_is_large_and_of_every_kind() -> None:
    assert len(RECORDED) >= 400
    assert len({one.call.upstream for one in RECORDED}) >= 10
    results = [one.reply.result or b"" for one in RECORDED]
    assert sum(IMAGE in result.replace(b": ", b":") for result in results) >= 5
    assert sum(not result.isascii() for result in results) >= 30
    assert any(len(result) > INLINE_BYTES_MAX for result in results), "one that a worker looks at"


async def test_it_says_nothing_of_where_it_was_recorded() -> None:
    raw = b"".join(path.read_bytes() for path in RESULTS)
    assert len(raw) < BYTES_MAX
    assert [trace for trace in TRACES if trace in raw] == []
    assert b"{workspace}/" in raw, "control: they were somewhere"


async def test_it_is_what_the_sessions_did() -> None:
    for plan in CORPUS.glob("plans/*.yaml"):
        if plan.stem == "harm":
            continue
        lines = [json.loads(line) for line in (CORPUS / f"{plan.stem}.jsonl").read_text().splitlines()]
        recorded = BY_PLAN[plan.stem]
        assert [(line["session"], f"{line['server']}/{line['tool']}") for line in lines] == [
            (one.session, one.call.target) for one in recorded
        ]
    planned = yaml.safe_load((CORPUS / "texts" / "plan.yaml").read_text())
    assert [(name, target) for name, session in planned.items() for target, *_ in session["calls"]] == [
        (one.session, one.call.target) for one in BY_PLAN["texts"]
    ]


async def test_of_100_ordinary_results_99_are_the_same_as_without_a_look(
    looking: ContentPlane, blind: ContentPlane
) -> None:
    differing: list[str] = []
    for one in RECORDED:
        unseen, _ = await passed(blind, one)
        seen, rules = await passed(looking, one)
        if value_of(seen) != value_of(unseen):
            differing.append(named(one, rules))
    assert share_of(len(differing)) <= 1 - SAME_MIN, "\n".join(differing)


async def test_the_same_results_with_a_token_in_each_all_differ_and_no_token_is_left(
    looking: ContentPlane, blind: ContentPlane
) -> None:
    left: list[str] = []
    for number, one in enumerate(RECORDED):
        planted = token(number)
        tainted = with_token(one, planted)
        unseen, _ = await passed(blind, tainted)
        seen, rules = await passed(looking, tainted)
        assert planted.encode() in unseen, "control: it was there"
        if planted.encode() in seen or value_of(seen) == value_of(unseen) or "scan_unfinished" in rules:
            left.append(named(one, rules))
    assert left == []


async def test_in_the_arguments_of_99_of_100_ordinary_calls_no_secret_is_seen_and_none_are_changed(
    looking: ContentPlane,
) -> None:
    suspected: list[str] = []
    for one in RECORDED:
        before = one.call.arguments_json, json.dumps(one.call.arguments)
        observed = await looking.screen.arguments(one.call, one.caller)
        assert (one.call.arguments_json, json.dumps(one.call.arguments)) == before
        if SECRET in {found.family for found in observed.findings}:
            suspected.append(named(one, rules_of(observed)))
    assert share_of(len(suspected)) <= 1 - SAME_MIN, "\n".join(suspected)


async def test_a_token_in_the_arguments_is_seen_in_every_call(looking: ContentPlane) -> None:
    for number, one in enumerate(RECORDED):
        arguments = one.call.arguments | {"note": f"with {token(number)}"}
        call = canonical_call("tools/call", one.call.upstream, one.call.name, arguments)
        observed = await looking.screen.arguments(call, one.caller)
        assert SECRET in {found.family for found in observed.findings}, named(one, rules_of(observed))
