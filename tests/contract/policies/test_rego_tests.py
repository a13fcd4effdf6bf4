"""The shipped Rego: every ``test_`` rule of every ``*_test.rego`` holds, compiled by either compiler."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from policies.combine import generated_modules
from policies.engines.compiler import compile_modules
from policies.engines.embedded import EmbeddedEngine
from policies.engines.ir.program import UNDEFINED, Program
from policies.engines.release import TRIAL_REQUEST, build_release
from policies.library import REGO_FOLDER, STARTER_FOLDER, library_modules
from policies.syntax import package_of, statement_starts, tokens

BOTH = [pytest.param("opa", marks=pytest.mark.needs("opa")), pytest.param("regopy")]
EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
TEST_FILES = sorted([*REGO_FOLDER.rglob("*_test.rego"), *EXAMPLES.glob("*/policies/*_test.rego")])
STEPS_MAX = 2_000_000


def rules_of(test_file: Path) -> list[str]:
    """The entrypoints of a test file."""
    module = tokens(test_file.read_text())
    package = "/".join(package_of(module).path)
    return [f"{package}/{head.text}" for head in statement_starts(module) if head.text.startswith("test_")]


def outcomes(texts: dict[str, str], entrypoints: list[str], compiler: Any) -> dict[str, Any]:
    """Entrypoint -> true, or whatever else came out."""
    compiled = compile_modules({**library_modules(), **texts}, entrypoints=entrypoints, compiler=compiler)
    program = Program.from_plan(compiled.plan)
    data = program.prepare({})
    found = {}
    for entrypoint in entrypoints:
        results = program.evaluate(entrypoint, UNDEFINED, data, now_ns=0)
        found[entrypoint] = results[0]["result"] if results else None
    return found


@pytest.mark.abuse(60)
@pytest.mark.parametrize("compiler", BOTH)
@pytest.mark.parametrize("test_file", TEST_FILES, ids=lambda path: path.name)
def test_every_test_rule_of_the_shipped_rego_holds(test_file: Path, compiler: str) -> None:
    beside = {path.name: path.read_text() for path in test_file.parent.glob("*.rego")}
    texts = {name: text for name, text in beside.items() if name == test_file.name or "_test" not in name}
    texts = {name: text for name, text in texts.items() if f"<toolgate>/{name}" not in library_modules()}
    entrypoints = rules_of(test_file)
    assert len(entrypoints) >= 4
    assert outcomes(texts, entrypoints, compiler) == dict.fromkeys(entrypoints, True)


@pytest.mark.parametrize("compiler", BOTH)
def test_a_test_rule_that_does_not_hold_would_be_seen(compiler: str) -> None:
    text = 'package x_test\n\nimport data.toolgate.lib\n\ntest_a if lib.same("a", "b")\ntest_b if lib.same("a", "A")\n'
    found = outcomes({"x_test.rego": text}, ["x_test/test_a", "x_test/test_b"], compiler)
    assert found == {"x_test/test_a": None, "x_test/test_b": True}


@pytest.mark.parametrize("name", ["lib"])
def test_every_function_of_the_library_is_tested(name: str) -> None:
    module = tokens((REGO_FOLDER / f"{name}.rego").read_text())
    functions = {head.text for head in statement_starts(module)} - {"package", "import"}
    tested = (REGO_FOLDER / f"{name}_test.rego").read_text()
    missing = {
        function for function in functions if not function.startswith("_") and f"lib.{function}" not in tested
    }
    assert missing <= {"plain_path"}, "plain_path is tested through within"


@pytest.mark.abuse(61)
@pytest.mark.parametrize("compiler", BOTH)
def test_the_starter_policy_allows_the_read_only_list_and_holds_the_rest(compiler: Any) -> None:
    release = build_release(STARTER_FOLDER, compiler=compiler)
    assert release.loaded.packages == ("toolgate.rules.starter",)
    for labels, claims, allowed in (
        (["read_only"], {}, True),
        (["read_only", "pii"], {}, True),
        ([], {"readOnlyHint": True}, False),
        (["Read_Only"], {}, False),
    ):
        resource = TRIAL_REQUEST["resource"] | {"labels": labels, "annotations": claims}
        verdict = release.evaluate({**TRIAL_REQUEST, "resource": resource}, steps_max=STEPS_MAX)
        assert verdict.denials == ()
        assert verdict.allow is allowed
        assert [(hold.code, hold.by, hold.quorum) for hold in verdict.holds] == (
            [] if allowed else [("not_read_only", ("reviewer",), 1)]
        )


@pytest.mark.abuse(61)
async def test_the_starter_policy_holds_a_method_it_has_never_heard_of() -> None:
    engine = EmbeddedEngine(workers=0, compiler="regopy")
    await engine.load(STARTER_FOLDER)
    request = {key: value for key, value in TRIAL_REQUEST.items() if key not in {"tool", "resource"}}
    verdict = await engine.evaluate(request | {"action": {"name": "new/method"}}, deadline_s=30.0)
    await engine.aclose()
    assert not verdict.allow
    assert [hold.code for hold in verdict.holds] == ["not_read_only"]


def test_the_generated_rego_is_understood_by_our_own_reader() -> None:
    generated = generated_modules([("toolgate", "rules", "a"), ("toolgate", "rules", 'q"\\', "eu-west")])
    packages = [package_of(tokens(text)).path for text in generated.values()]
    assert packages == [
        ("toolgate", "rules", "a"),
        ("toolgate", "rules", 'q"\\', "eu-west"),
        ("toolgate", "main"),
    ]
