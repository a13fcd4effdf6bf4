"""What ``not`` means in plans of rego-cpp, after ours moved the operands out: the same as to a real OPA."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from policies.engines.compiler import compile_modules
from policies.engines.ir.program import Program
from policies.errors import PolicyRejected

NEGATED = [
    "input.a == 1", "1 == input.a", "input.a == input.b", "input.a != 1", "input.a < 1", "f(input.a)", "f(g(input.a))",
    "f(g(g(input.a)))", "data.x[input.a]", "obj[input.a]", "obj[g(input.a)]", "input.a + 1 == 2", 'input.a in ["x"]',
    '"x" in input.a', "count(input.a) == 1", "[input.a] == [1]", "f([input.a])", 'f({"k": input.a})', "f({input.a})",
    "count([x | some x in input.a]) == 1", "f([x | some x in input.a; x > input.b])", "input.a.b[input.c].d",
    "input.a.b[input.c].d == 1", "input.a.b.c", "input.a", "rule", "data.t.rule", "data.t.rule == input.b",
    'startswith(input.a, "x")', 'sprintf("%v", [input.a]) == "x"', "f(data.t.missing)", 'e(input.a) == "p"',
    "e(input.a) == input.b", "input.a.b == e(input.c)", "f2(input.a, input.b)", "any_one", '{"a": input.a}.a == 1',
    "(input.a & {1}) == {1}", "v == input.a[v]", "f(v)", "v", "input.a[v]", "input[e(input.a)].b == 1",
    '$"x{input.a}" == "x1"',
]  # fmt: skip
HELPERS = """package t

rule if input.b == 1

missing if input.never

any_one if input.a[_] == 1

obj := {"z": 1}

f(x) if x in data.ones

f2(x, y) if x == y

g(x) := x

e(x) := "p" if x in data.ones else := "q"
"""
DATA: dict[str, Any] = {"ones": [1, [1], {"k": 1}], "x": {"x": True, "1": False}}
INPUTS: list[dict[str, Any]] = [
    {}, {"a": 1}, {"a": 2, "b": 2}, {"a": [1, 2], "b": 1}, {"a": "x"}, {"a": {"b": {"k": {"d": 1}, "c": 1}}, "c": "k"},
    {"b": 1}, {"a": False, "b": True}, {"a": None}, {"a": {"b": "q"}, "c": 1}, {"a": "z", "q": {"b": 1}},
]  # fmt: skip


@pytest.mark.needs("opa")
def test_every_negation_means_what_it_means_to_opa(tmp_path: Path) -> None:
    rules = [f"n{at} if {{\n\tv := 1\n\tnot {expression}\n}}\n" for at, expression in enumerate(NEGATED)]
    text = HELPERS + "\n" + "\n".join(rules)
    (tmp_path / "t.rego").write_text(text)
    (tmp_path / "data.json").write_text(json.dumps(DATA | {"inputs": INPUTS}))
    query = "[answer | some request in data.inputs; answer := data.t with input as request]"
    command = ["opa", "eval", "--format", "raw", "--bundle", str(tmp_path), query]
    theirs = json.loads(subprocess.run(command, capture_output=True, timeout=30, check=True).stdout)
    entrypoints = [f"t/n{at}" for at in range(len(NEGATED))]
    for compiler in ("opa", "regopy"):
        compiled = compile_modules({"t.rego": text}, entrypoints=entrypoints, compiler=compiler)  # type: ignore[arg-type]
        program = Program.from_plan(compiled.plan)
        data = program.prepare(DATA)
        for at, expression in enumerate(NEGATED):
            for request, answer in zip(INPUTS, theirs, strict=True):
                ours = bool(program.evaluate(f"t/n{at}", request, data, now_ns=0))
                assert ours == answer.get(f"n{at}", False), f"{compiler}: not {expression} with {request}"


def negation_of_a_missing_value(compiler: Any) -> bool:
    text = "package t\n\nn if not f(input.a)\n\nf(x) if x == 1\n"
    program = Program.from_plan(
        compile_modules({"t.rego": text}, entrypoints=["t/n"], compiler=compiler).plan
    )
    assert program.evaluate("t/n", {"a": 2}, program.prepare({}), now_ns=0)
    assert not program.evaluate("t/n", {"a": 1}, program.prepare({}), now_ns=0)
    return bool(program.evaluate("t/n", {}, program.prepare({}), now_ns=0))


def test_a_missing_operand_does_not_make_a_negation_true() -> None:
    assert not negation_of_a_missing_value("regopy")


@pytest.mark.parametrize(
    "compiler", [pytest.param("opa", marks=pytest.mark.needs("opa")), pytest.param("regopy")]
)
@pytest.mark.parametrize("expression", ["input.a[_]", "input.a[_] == 1", "input.a[i] == i"])
def test_a_negation_over_names_without_values_is_refused(compiler: Any, expression: str) -> None:
    text = f"package t\n\nn if {{\n\tnot {expression}\n}}\n"
    with pytest.raises(PolicyRejected) as caught:
        compile_modules({"a/t.rego": text}, entrypoints=["t/n"], compiler=compiler)
    (problem,) = caught.value.problems[:1]
    assert (problem.code, problem.file, problem.row) == ("unsafe_variable", "a/t.rego", 4)


def test_rego_cpps_mistake_with_nested_every_is_refused_rather_than_evaluated() -> None:
    """It loses the name ``tag`` in the inner body; the verifier sees a variable without a value."""
    text = (
        "package t\n\nn if {\n\tevery item in input.items {\n\t\tsome tag in item.tags\n"
        "\t\tevery other in input.items {\n\t\t\ttag in other.tags\n\t\t}\n\t}\n}\n"
    )
    compiled = compile_modules({"t.rego": text}, entrypoints=["t/n"], compiler="regopy")
    with pytest.raises(Exception, match="unsafe_variable"):
        Program.from_plan(compiled.plan)
