"""Long and hostile evaluations: each ends by its deadline, costs the others next to nothing and leaves nothing behind."""

from __future__ import annotations

import asyncio
import copy
import multiprocessing
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from policies.engines import workers
from policies.engines.embedded import LOOP_CHARACTERS_MAX, EmbeddedEngine
from policies.engines.release import TRIAL_REQUEST
from policies.errors import PolicyUnavailable
from policies.ports import PolicyEngine

LONG_S = 30.0

# Work that grows with the square of an argument: short for 1, several seconds for 3000.
SLOW = """package toolgate.rules.slow

allow if input.arguments.n

deny contains "never" if {
	some x in numbers.range(1, input.arguments.n)
	some y in numbers.range(1, input.arguments.n)
	x + y < 0
}
"""
HOSTILE = {"n": 3000}
LONGER_THAN_THE_LOOP_ALLOWS = {"n": 200}
SHORT = {"n": 1}


def request(arguments: Any = None, **changes: Any) -> dict[str, Any]:
    document = copy.deepcopy(dict(TRIAL_REQUEST))
    document["arguments"] = {} if arguments is None else arguments
    document["tool"]["id"] = "orders/get"
    document["subject"]["roles"] = ["support"]
    return document | changes


def policy(folder: Path, *texts: str, data: str = '{"limits": {"max": 100}}') -> Path:
    folder.mkdir(exist_ok=True)
    for number, text in enumerate(texts):
        (folder / f"rules_{number}.rego").write_text(text)
    (folder / "data.json").write_text(data)
    return folder


@asynccontextmanager
async def loaded(source: Path, **settings: Any) -> AsyncIterator[EmbeddedEngine]:
    engine = EmbeddedEngine(**{"workers": 0, "compiler": "regopy"} | settings)
    try:
        await engine.load(source)
        yield engine
    finally:
        await engine.aclose()


async def code_of(engine: PolicyEngine, evaluation: dict[str, Any], *, deadline_s: float = LONG_S) -> str:
    """The error code of an evaluation that gives no verdict."""
    with pytest.raises(PolicyUnavailable) as caught:
        await engine.evaluate(evaluation, deadline_s=deadline_s)
    assert caught.value.reason
    assert "\n" not in caught.value.reason
    return caught.value.code


def worker_pids() -> list[int]:
    return [
        child.pid
        for child in multiprocessing.active_children()
        if child.pid and child.name == "policy-worker"
    ]


@pytest.mark.abuse(58)
async def test_an_evaluation_past_its_deadline_is_stopped_and_the_worker_replaced(tmp_path: Path) -> None:
    async with loaded(policy(tmp_path / "p", SLOW), workers=1) as engine:
        (before,) = worker_pids()
        assert await code_of(engine, request(HOSTILE), deadline_s=0.1) == "policy_timeout"
        verdict = await engine.evaluate(request(LONGER_THAN_THE_LOOP_ALLOWS), deadline_s=LONG_S)
        assert verdict.allow
        assert worker_pids() != [before]
        assert engine.health().problem == ""


@pytest.mark.abuse(58)
async def test_a_hostile_evaluation_does_not_delay_the_others(tmp_path: Path) -> None:
    order: list[str] = []

    async def evaluated(engine: EmbeddedEngine, name: str, arguments: Any, deadline_s: float) -> None:
        try:
            await engine.evaluate(request(arguments), deadline_s=deadline_s)
            order.append(name)
        except PolicyUnavailable as fault:
            order.append(fault.code)

    async with loaded(policy(tmp_path / "p", SLOW), workers=2) as engine, asyncio.TaskGroup() as group:
        group.create_task(evaluated(engine, "", HOSTILE, 2.0))
        for number in range(100):
            group.create_task(evaluated(engine, f"short {number}", SHORT, LONG_S))
        group.create_task(evaluated(engine, "long", LONGER_THAN_THE_LOOP_ALLOWS, LONG_S))
    assert order[-1] == "policy_timeout"
    assert set(order[:-1]) == {"long", *(f"short {number}" for number in range(100))}


@pytest.mark.abuse(58)
async def test_evaluations_wait_for_a_worker_no_longer_than_their_deadline(tmp_path: Path) -> None:
    async with loaded(policy(tmp_path / "p", SLOW), workers=1) as engine:
        codes = await asyncio.gather(
            code_of(engine, request(HOSTILE), deadline_s=0.3),
            code_of(engine, request(HOSTILE), deadline_s=0.1),
        )
    assert codes == ["policy_timeout", "policy_timeout"]


@pytest.mark.abuse(58)
@pytest.mark.parametrize(
    "rule",
    [
        'deny contains "x" if count({p | some x in input.arguments.list; walk(input.arguments, [p, x])}) < 0',
        'deny contains "x" if count({[a, b] | some a in input.arguments.list; some b in input.arguments.list}) < 0',
        'deny contains "x" if { some t in input.arguments.list; regex.match(`(a|aa)+$`, concat("", [input.arguments.text, t])) }',
        'deny contains "x" if count(numbers.range(1, input.arguments.big)) == 0',
        'deny contains "x" if count(sprintf(input.arguments.wide, [1])) == 0',
        'deny contains "x" if bits.lsh(1, input.arguments.shift) == 0',
    ],
)
async def test_a_costly_rule_over_a_megabyte_ends_as_a_refusal(tmp_path: Path, rule: str) -> None:
    text = f"package toolgate.rules.costly\n\nallow if true\n\n{rule}\n"
    arguments = {"list": [f"{number:06d}" for number in range(80_000)], "text": "a" * 400_000}
    arguments |= {"big": 10**12, "wide": "%1000000000d", "shift": 10**9}
    async with loaded(policy(tmp_path / "p", text), workers=1) as engine:
        assert (await engine.evaluate(request({"list": [], "text": ""}), deadline_s=LONG_S)).allow
        assert await code_of(engine, request(arguments), deadline_s=0.25) in {
            "policy_timeout",
            "policy_budget",
        }


@pytest.mark.abuse(58)
async def test_a_large_request_is_never_evaluated_in_the_event_loop(tmp_path: Path) -> None:
    text = 'package toolgate.rules.a\n\nallow if startswith(input.arguments.text, "x")\n'
    async with loaded(policy(tmp_path / "p", text), workers=1) as engine:
        for arguments in (
            {"text": "x" * 20_000},
            {"text": "x", "list": [0] * 5_000},
            {"text": "x", "o": {"k": ["y" * 20_000]}},
        ):
            # The worker alone is stopped, so only what needs it cannot be answered.
            (pid,) = worker_pids()
            os.kill(pid, signal.SIGSTOP)
            assert await code_of(engine, request(arguments), deadline_s=0.1) == "policy_timeout"
            assert (await engine.evaluate(request(arguments), deadline_s=LONG_S)).allow
            (pid,) = worker_pids()
            os.kill(pid, signal.SIGSTOP)
            assert (
                await engine.evaluate(request({"text": "x" * 1000, "list": [0] * 1000}), deadline_s=LONG_S)
            ).allow
            os.kill(pid, signal.SIGCONT)


async def test_a_worker_answers_everything_that_the_event_loop_would(tmp_path: Path) -> None:
    text = """package toolgate.rules.a

allow if input.arguments.text

deny contains "x" if input.arguments.deny

hold contains "y" if input.tool

on_result contains {"code": "mask", "do": "redact", "kind": "email"} if input.tool

on_call contains {"code": "crm", "do": "restore", "kind": "email"} if input.tool
"""
    large = "x" * (LOOP_CHARACTERS_MAX + 1)
    async with loaded(policy(tmp_path / "p", text), workers=1) as engine:
        for deny in (True, False):
            (pid,) = worker_pids()
            here = await engine.evaluate(request({"text": "x", "deny": deny}), deadline_s=LONG_S)
            there = await engine.evaluate(request({"text": large, "deny": deny}), deadline_s=LONG_S)
            assert there == here
            assert [restore.kind for restore in there.restores] == ["email"]
            assert (len(there.denials), len(there.holds), len(there.duties)) == (int(deny), 1, 1)
        # The control: it was the worker that answered the large one.
        os.kill(pid, signal.SIGSTOP)
        assert await code_of(engine, request({"text": large}), deadline_s=0.1) == "policy_timeout"


async def test_without_workers_a_large_request_is_evaluated_in_the_event_loop(tmp_path: Path) -> None:
    text = 'package toolgate.rules.a\n\nallow if startswith(input.arguments.text, "x")\n'
    async with loaded(policy(tmp_path / "p", text), workers=0) as engine:
        assert (await engine.evaluate(request({"text": "x" * 100_000}), deadline_s=LONG_S)).allow


async def test_without_workers_long_evaluations_are_refused(tmp_path: Path) -> None:
    async with loaded(policy(tmp_path / "p", SLOW), workers=0) as engine:
        assert (await engine.evaluate(request(SHORT), deadline_s=LONG_S)).allow
        assert await code_of(engine, request(LONGER_THAN_THE_LOOP_ALLOWS)) == "policy_budget"


async def test_workers_that_cannot_start_cost_only_the_long_evaluations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "START_DEADLINE_S", 0.0)
    async with loaded(policy(tmp_path / "p", SLOW), workers=1) as engine:
        assert (await engine.evaluate(request(SHORT), deadline_s=LONG_S)).allow
        assert await code_of(engine, request(LONGER_THAN_THE_LOOP_ALLOWS)) == "policy_budget"
        assert "worker" in engine.health().problem


async def test_a_worker_that_could_not_start_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "RETRY_S", 0.01)
    source = policy(tmp_path / "p", SLOW)
    with monkeypatch.context() as broken:
        broken.setattr(workers, "START_DEADLINE_S", 0.0)
        engine = EmbeddedEngine(workers=1, compiler="regopy")
        await engine.load(source)
        assert engine.health().problem
    await engine.load(source)
    async with asyncio.timeout(LONG_S):
        while engine.health().problem:
            await asyncio.sleep(0.01)
    assert (await engine.evaluate(request(LONGER_THAN_THE_LOOP_ALLOWS), deadline_s=LONG_S)).allow
    await engine.aclose()


async def test_a_worker_that_dies_is_a_refusal_and_is_replaced(tmp_path: Path) -> None:
    async with loaded(policy(tmp_path / "p", SLOW), workers=1) as engine:
        (pid,) = worker_pids()
        hostile = asyncio.ensure_future(code_of(engine, request(HOSTILE)))
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_later(0.2, os.kill, pid, signal.SIGKILL)
        assert await hostile == "policy_crashed"
        assert (await engine.evaluate(request(LONGER_THAN_THE_LOOP_ALLOWS), deadline_s=LONG_S)).allow


async def test_a_worker_that_is_frozen_is_killed_at_the_deadline(tmp_path: Path) -> None:
    async with loaded(policy(tmp_path / "p", SLOW), workers=1) as engine:
        (pid,) = worker_pids()
        os.kill(pid, signal.SIGSTOP)
        large = request(LONGER_THAN_THE_LOOP_ALLOWS | {"text": "x" * 1_000_000})
        assert await code_of(engine, large, deadline_s=0.2) == "policy_timeout"
        assert (await engine.evaluate(large, deadline_s=LONG_S)).allow


async def test_a_caller_that_goes_away_leaves_the_worker_usable(tmp_path: Path) -> None:
    async with loaded(policy(tmp_path / "p", SLOW), workers=1) as engine:
        gone = asyncio.ensure_future(engine.evaluate(request(HOSTILE), deadline_s=0.3))
        await asyncio.sleep(0.05)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        assert (await engine.evaluate(request(LONGER_THAN_THE_LOOP_ALLOWS), deadline_s=LONG_S)).allow


async def test_evaluations_end_on_the_revision_they_began_with(tmp_path: Path) -> None:
    async with loaded(policy(tmp_path / "p", SLOW), workers=1) as engine:
        old = engine.health().revision
        begun = asyncio.ensure_future(engine.evaluate(request({"n": 700}), deadline_s=LONG_S))
        waiting = asyncio.ensure_future(
            engine.evaluate(request(LONGER_THAN_THE_LOOP_ALLOWS), deadline_s=LONG_S)
        )
        await asyncio.sleep(0)
        await engine.load(policy(tmp_path / "p", SLOW.replace("never", "changed")))
        new = engine.health().revision
        after = await engine.evaluate(request(LONGER_THAN_THE_LOOP_ALLOWS), deadline_s=LONG_S)
        assert new != old
        assert {(await begun).revision, (await waiting).revision} == {old}
        assert after.revision == new


async def test_the_end_leaves_no_process_behind(tmp_path: Path) -> None:
    engine = EmbeddedEngine(workers=2, compiler="regopy")
    await engine.load(policy(tmp_path / "p", SLOW))
    assert len(worker_pids()) == 2
    hostile = asyncio.ensure_future(code_of(engine, request(HOSTILE)))
    await asyncio.sleep(0.05)
    await engine.aclose()
    assert await hostile == "policy_crashed"
    assert worker_pids() == []
    await engine.aclose()
