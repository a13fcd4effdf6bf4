"""The embedded engine keeps the contract of ``PolicyEngine``: it answers, or says why not, and never guesses."""

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

from policies.bundle import load_bundle
from policies.engines import workers
from policies.engines.decision import decision_of
from policies.engines.embedded import EmbeddedEngine
from policies.engines.ir.program import Program
from policies.engines.release import TRIAL_REQUEST
from policies.errors import PolicyRejected, PolicyUnavailable, PolicyUndefined
from policies.model import Denial, Duty, HoldRule, Risk
from policies.ports import PolicyEngine

BOTH = [pytest.param("opa", marks=pytest.mark.needs("opa")), pytest.param("regopy")]
LONG_S = 30.0

REFUNDS = """package toolgate.rules.refunds

allow if {
	input.tool.id == "orders/get"
	"support" in input.subject.roles
}

deny contains {
	"code": "foreign_currency",
	"message": "refunds only in EUR",
	"would_pass": "currency EUR",
} if {
	input.arguments.currency != "EUR"
}

hold contains {
	"code": "over_limit", "by": ["lead", "legal"], "quorum": 2, "ttl": "90s",
	"why": "above the limit", "risk": "high", "show": ["/amount"], "on_approval": "grant",
} if {
	input.arguments.amount > data.limits.max
}

on_result contains {"code": "mask_mail", "do": "redact", "kind": "email"} if input.tool.id == "orders/get"

deny contains "frozen" if time.weekday(time.now_ns()) == "Sunday"
"""

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


def at(unix: int) -> dict[str, Any]:
    document = request()
    document["context"]["time"]["unix"] = unix
    return document


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


@pytest.mark.parametrize("compiler", BOTH)
async def test_a_verdict_carries_everything_the_rules_said(tmp_path: Path, compiler: str) -> None:
    async with loaded(policy(tmp_path / "p", REFUNDS), compiler=compiler) as engine:
        verdict = await engine.evaluate(request({"currency": "USD", "amount": 100.5}), deadline_s=LONG_S)
    rule = "toolgate.rules.refunds"
    assert verdict.allow
    assert verdict.allowed_by == (rule,)
    assert verdict.denials == (
        Denial(code="foreign_currency", message="refunds only in EUR", would_pass="currency EUR", rule=rule),
    )
    assert verdict.holds == (
        HoldRule(
            code="over_limit", by=("lead", "legal"), quorum=2, ttl_s=90, risk=Risk.HIGH, why="above the limit",
            show=("/amount",), on_approval="grant", rule=rule,
        ),
    )  # fmt: skip
    assert verdict.duties == (Duty(code="mask_mail", do="redact", kind="email", rule=rule),)
    assert verdict.revision == load_bundle(tmp_path / "p").revision


@pytest.mark.parametrize("compiler", BOTH)
async def test_what_was_loaded_is_named_for_the_record(tmp_path: Path, compiler: str) -> None:
    nested = 'package toolgate.rules["eu-west"].mail\n\ndeny contains "x" if input.never\n'
    engine = EmbeddedEngine(workers=0, compiler=compiler)  # type: ignore[arg-type]
    done = await engine.load(policy(tmp_path / "p", REFUNDS, nested))
    await engine.aclose()
    assert done.revision == load_bundle(tmp_path / "p").revision
    assert done.compiler.startswith(f"{compiler} ")
    assert len(done.plan_digest) == 64
    assert done.packages == ('toolgate.rules["eu-west"].mail', "toolgate.rules.refunds")
    assert done.files == ("rules_0.rego", "rules_1.rego")


@pytest.mark.parametrize("compiler", BOTH)
async def test_several_packages_speak_for_themselves(tmp_path: Path, compiler: str) -> None:
    one = 'package toolgate.rules.one\n\nallow if true\nhold contains "x" if true\n'
    two = 'package toolgate.rules.two.deep\n\ndefault allow := false\ndeny contains "x" if true\n'
    three = "package toolgate.rules.three\n\nallow := input.arguments.ok\n"
    async with loaded(policy(tmp_path / "p", one, two, three), compiler=compiler) as engine:
        verdict = await engine.evaluate(request({"ok": True}), deadline_s=LONG_S)
        other = await engine.evaluate(request({"ok": False}), deadline_s=LONG_S)
        assert await code_of(engine, request({"ok": "true"})) == "policy_answer_malformed"
    assert verdict.allowed_by == ("toolgate.rules.one", "toolgate.rules.three")
    assert other.allowed_by == ("toolgate.rules.one",)
    assert [denial.rule for denial in verdict.denials] == ["toolgate.rules.two.deep"]
    assert [hold.rule for hold in verdict.holds] == ["toolgate.rules.one"]


@pytest.mark.parametrize("compiler", BOTH)
async def test_policy_knows_no_time_but_the_requests(tmp_path: Path, compiler: str) -> None:
    async with loaded(policy(tmp_path / "p", REFUNDS), compiler=compiler) as engine:
        sunday = await engine.evaluate(at(1767484800), deadline_s=LONG_S)
        monday = await engine.evaluate(at(1767571200), deadline_s=LONG_S)
    assert [denial.code for denial in sunday.denials] == ["frozen"]
    assert monday.denials == ()


async def test_the_request_is_not_changed(tmp_path: Path) -> None:
    document = request({"currency": "EUR", "list": [1, {"a": None}]})
    before = copy.deepcopy(document)
    async with loaded(policy(tmp_path / "p", REFUNDS)) as engine:
        await engine.evaluate(document, deadline_s=LONG_S)
    assert document == before


@pytest.mark.abuse(61)
@pytest.mark.parametrize("compiler", BOTH)
async def test_a_tool_or_method_without_a_rule_is_not_allowed(tmp_path: Path, compiler: str) -> None:
    async with loaded(policy(tmp_path / "p", REFUNDS), compiler=compiler) as engine:
        known = await engine.evaluate(request(), deadline_s=LONG_S)
        assert known.allow
        for unknown in (
            request(tool={"id": "orders/get2", "server": "orders", "name": "get2"}),
            request(tool={"id": "ORDERS/GET", "server": "ORDERS", "name": "GET"}),
            request(tool=None),
            {key: value for key, value in request().items() if key != "tool"}
            | {"action": {"name": "sampling/x"}},
        ):
            verdict = await engine.evaluate(unknown, deadline_s=LONG_S)
            assert not verdict.allow


# One test for each way of not answering; SHORT and ordinary requests are the controls.


async def test_before_a_load_and_after_the_end_nothing_is_answered(tmp_path: Path) -> None:
    engine = EmbeddedEngine(workers=0, compiler="regopy")
    assert await code_of(engine, request()) == "policy_not_loaded"
    assert not engine.health().loaded
    await engine.load(policy(tmp_path / "p", REFUNDS))
    await engine.evaluate(request(), deadline_s=LONG_S)
    assert engine.health().loaded
    await engine.aclose()
    assert await code_of(engine, request()) == "policy_not_loaded"
    with pytest.raises(PolicyUnavailable):
        await engine.load(tmp_path / "p")


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


@pytest.mark.abuse(54)
@pytest.mark.parametrize("compiler", BOTH)
async def test_two_values_for_one_rule_are_a_conflict(tmp_path: Path, compiler: str) -> None:
    text = "package toolgate.rules.a\n\nallow if limit == 1\nlimit := 1 if true\nlimit := 2 if input.arguments.x\n"
    async with loaded(policy(tmp_path / "p", text), compiler=compiler) as engine:
        assert (await engine.evaluate(request(), deadline_s=LONG_S)).allow
        assert await code_of(engine, request({"x": 1})) == "policy_conflict"


@pytest.mark.abuse(54)
def test_an_undefined_decision_is_no_answer() -> None:
    def program(value: str) -> Program:
        main = [{"type": "MakeObjectStmt", "stmt": {"target": 2, "file": 0, "row": 0, "col": 0}}]
        result = {"type": "ResultSetAddStmt", "stmt": {"value": 2, "file": 0, "row": 0, "col": 0}}
        insert = {
            "type": "ObjectInsertStmt",
            "stmt": {"key": {"type": "string_index", "value": 0}, "value": {"type": "bool", "value": True},
                     "object": 2, "file": 0, "row": 0, "col": 0},
        }  # fmt: skip
        blocks = [{"stmts": [*main, insert, result] if value == "defined" else main}]
        plans = [{"name": "toolgate/main/decision", "blocks": blocks}]
        static = {"strings": [{"value": "result"}], "builtin_funcs": [], "files": [{"value": "a.rego"}]}
        return Program.from_plan({"static": static, "plans": {"plans": plans}, "funcs": {"funcs": []}})

    defined = program("defined")
    assert decision_of(defined, defined.prepare({}), request(), steps_max=100) is True
    undefined = program("undefined")
    with pytest.raises(PolicyUndefined) as caught:
        decision_of(undefined, undefined.prepare({}), request(), steps_max=100)
    assert caught.value.code == "policy_undefined"


@pytest.mark.abuse(53, 54)
@pytest.mark.parametrize("compiler", BOTH)
async def test_an_answer_that_is_no_verdict_is_no_answer(tmp_path: Path, compiler: str) -> None:
    text = "package toolgate.rules.a\n\nallow if true\nhold contains input.arguments.hold if true\n"
    async with loaded(policy(tmp_path / "p", text), compiler=compiler) as engine:
        good = await engine.evaluate(request({"hold": {"code": "x", "ttl": "1h"}}), deadline_s=LONG_S)
        assert good.holds[0].ttl_s == 3600
        for bad in ({"code": "x", "ttl": "soon"}, {"code": "x", "until": "1h"}, True, 7, ["x"], None):
            assert await code_of(engine, request({"hold": bad})) == "policy_answer_malformed"


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"version": 2},
        {"context": {}},
        {"context": {"time": {"unix": "1767571200"}}},
        {"context": {"time": {"unix": True}}},
        {"context": {"time": {"unix": float("nan")}}},
        {"context": {"time": {"unix": float("inf")}}},
    ],
)
async def test_a_request_without_version_or_time_is_refused(tmp_path: Path, broken: dict[str, Any]) -> None:
    async with loaded(policy(tmp_path / "p", REFUNDS)) as engine:
        await engine.evaluate(request(), deadline_s=LONG_S)
        document = request() | broken if broken else {}
        assert await code_of(engine, document) == "policy_crashed"


# Loading: all or nothing.


@pytest.mark.abuse(57)
@pytest.mark.parametrize("compiler", BOTH)
@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("package toolgate.rules.a\n\nallow if {", "syntax"),
        ("", "syntax"),
        ("package elsewhere\n\nallow if true", "no_rules"),
        ("package toolgate.rules.a\n\nallow if typo == 1", "unsafe_variable"),
        ("package toolgate.rules.a\n\nallow if not typo", "unsafe_variable"),
        ("package toolgate.rules.a\n\nallow if a\na if b\nb if a", "recursion"),
        ("package toolgate.rules.a\n\nallow if nosuch.function(1)", "unknown_function"),
        ("package toolgate.rules.a\n\nallow if http.send({}).x", "banned_builtin"),
        ("package toolgate.rules.a\n\nallow if limit == 1\nlimit := 1 if input.version\nlimit := 2 if input.version", "trial_failed"),
        ('package toolgate.rules.a\n\nallow := "yes"', "trial_failed"),
        ('package toolgate.rules.a\n\nhold contains {"code": "x", "ttl": "soon"} if true', "trial_failed"),
    ],
)  # fmt: skip
async def test_a_broken_reload_keeps_the_last_good_policy(
    tmp_path: Path, compiler: str, text: str, code: str
) -> None:
    async with loaded(policy(tmp_path / "p", REFUNDS), compiler=compiler) as engine:
        revision = engine.health().revision
        broken = policy(tmp_path / "broken", text)
        with pytest.raises(PolicyRejected) as caught:
            await engine.load(broken)
        found = caught.value.problems
        assert {problem.code for problem in found} == {code}
        if code not in {"no_rules", "trial_failed"}:
            assert all(
                problem.file == "rules_0.rego" and problem.row > 0 and problem.hint for problem in found
            )
        assert await engine.check(broken) == found
        health = engine.health()
        assert (health.loaded, health.revision) == (True, revision)
        assert code in health.problem
        assert (await engine.evaluate(request(), deadline_s=LONG_S)).revision == revision
        assert await engine.check(tmp_path / "p") == ()
        await engine.load(tmp_path / "p")
        assert engine.health().problem == ""


@pytest.mark.abuse(57)
async def test_without_a_good_policy_nothing_is_allowed(tmp_path: Path) -> None:
    engine = EmbeddedEngine(workers=0, compiler="regopy")
    for source in (tmp_path / "nowhere", policy(tmp_path / "p", "package toolgate.rules.a\n\nallow if {")):
        with pytest.raises(PolicyRejected):
            await engine.load(source)
        assert not engine.health().loaded
        assert engine.health().problem
        assert await code_of(engine, request()) == "policy_not_loaded"
    await engine.load(policy(tmp_path / "p", REFUNDS))
    assert (await engine.evaluate(request(), deadline_s=LONG_S)).allow
    await engine.aclose()


async def test_a_policy_that_cannot_be_archived_does_not_come_into_force(tmp_path: Path) -> None:
    source = policy(tmp_path / "p", REFUNDS)
    async with loaded(source, archive=tmp_path / "archive") as engine:
        revision = engine.health().revision
        assert load_bundle(tmp_path / "archive" / f"{revision}.tar.gz").revision == revision
        for kept in (tmp_path / "archive").iterdir():
            kept.unlink()
        (tmp_path / "archive").rmdir()
        (tmp_path / "archive").write_text("in the way")
        with pytest.raises(PolicyRejected):
            await engine.load(policy(tmp_path / "p", REFUNDS + "#"))
        assert engine.health().revision == revision


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


async def test_loads_at_the_same_time_wait_for_each_other(tmp_path: Path) -> None:
    one, two = policy(tmp_path / "one", REFUNDS), policy(tmp_path / "two", SLOW)
    engine = EmbeddedEngine(workers=0, compiler="regopy")
    first, second = await asyncio.gather(engine.load(one), engine.load(two))
    assert first.revision != second.revision
    assert engine.health().revision == second.revision
    await engine.aclose()


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
