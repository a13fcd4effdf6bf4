"""The embedded engine keeps the contract of ``PolicyEngine``: it answers, or says why not, and never guesses."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from policies.bundle import load_bundle
from policies.engines.decision import decision_of
from policies.engines.embedded import EmbeddedEngine
from policies.engines.ir.program import Program
from policies.engines.release import TRIAL_REQUEST
from policies.errors import PolicyRejected, PolicyUnavailable, PolicyUndefined
from policies.model import Denial, Duty, HoldRule, Restore, Risk
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

on_call contains {"code": "shop_may_have_addresses", "do": "restore", "kind": "email"} if input.tool.id == "orders/get"

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
    assert verdict.restores == (Restore(code="shop_may_have_addresses", kind="email", rule=rule),)
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


RESTORES = """package toolgate.rules.{name}

{allow}

on_call contains input.arguments.restore

on_call contains {{"code": "{name}", "do": "restore", "kind": "phone"}} if input.arguments.phone
"""


@pytest.mark.abuse(53, 54)
@pytest.mark.parametrize("compiler", BOTH)
async def test_a_restore_that_is_not_understood_is_no_answer(tmp_path: Path, compiler: str) -> None:
    text = RESTORES.format(name="a", allow="allow if true")
    good = {"code": "crm", "do": "restore", "kind": "email"}
    async with loaded(policy(tmp_path / "p", text), compiler=compiler) as engine:
        verdict = await engine.evaluate(request({"restore": good}), deadline_s=LONG_S)
        assert [restore.kind for restore in verdict.restores] == ["email"]
        for bad in (
            good | {"do": "redact"},
            {"code": "crm", "do": "restore"},
            good | {"ttl": "1h"},
            "crm",
            None,
        ):
            assert await code_of(engine, request({"restore": bad})) == "policy_answer_malformed"


@pytest.mark.parametrize("compiler", BOTH)
async def test_every_package_may_restore_and_none_of_them_decides_by_it(
    tmp_path: Path, compiler: str
) -> None:
    texts = (
        RESTORES.format(name="a", allow=""),
        RESTORES.format(name="b", allow="allow if input.arguments.ok"),
    )
    async with loaded(policy(tmp_path / "p", *texts), compiler=compiler) as engine:
        for ok in (True, False):
            silent = await engine.evaluate(request({"ok": ok}), deadline_s=LONG_S)
            said = await engine.evaluate(request({"ok": ok, "phone": True}), deadline_s=LONG_S)
            assert silent.restores == ()
            assert said.restores == tuple(
                Restore(code=name, kind="phone", rule=f"toolgate.rules.{name}") for name in ("a", "b")
            )
            assert said.allow is ok
            assert replace(said, restores=()) == silent


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
        ('package toolgate.rules.a\n\non_call contains {"code": "x", "do": "restore"}', "trial_failed"),
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


async def test_loads_at_the_same_time_wait_for_each_other(tmp_path: Path) -> None:
    one, two = policy(tmp_path / "one", REFUNDS), policy(tmp_path / "two", SLOW)
    engine = EmbeddedEngine(workers=0, compiler="regopy")
    first, second = await asyncio.gather(engine.load(one), engine.load(two))
    assert first.revision != second.revision
    assert engine.health().revision == second.revision
    await engine.aclose()
