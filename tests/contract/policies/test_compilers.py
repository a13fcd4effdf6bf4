"""Both compilers turn the same text into plans, and the same mistakes into problems at the author's place."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import pytest

from policies.combine import ENTRYPOINT, generated_modules
from policies.engines import compile_regopy
from policies.engines.compiler import CompiledPlan, CompilerChoice, compile_modules
from policies.engines.ir.program import UNDEFINED, Program
from policies.errors import PolicyRejected
from policies.model import Problem
from policies.syntax import package_of, tokens

BOTH = [pytest.param("opa", marks=pytest.mark.needs("opa")), pytest.param("regopy")]
RULES = 'package toolgate.rules.refunds\n\nallow if input.tool.id == "orders/get"\n'


def compiled(modules: dict[str, str], compiler: CompilerChoice, *, deadline_s: float = 60.0) -> CompiledPlan:
    clauses = [package_of(tokens(text.partition("\n")[0])).path for text in modules.values()]
    every = {**modules, **generated_modules(sorted(set(clauses)))}
    return compile_modules(every, entrypoints=[ENTRYPOINT], compiler=compiler, deadline_s=deadline_s)


def problems(
    modules: dict[str, str], compiler: CompilerChoice, *, deadline_s: float = 60.0
) -> tuple[Problem, ...]:
    with pytest.raises(PolicyRejected) as caught:
        compiled(modules, compiler, deadline_s=deadline_s)
    return caught.value.problems


@pytest.mark.parametrize("compiler", BOTH)
def test_a_plan_names_the_authors_files_whatever_they_are_called(compiler: CompilerChoice) -> None:
    modules = {
        "sub/refunds.rego": RULES,
        "ä ö: (1).rego": 'package toolgate.rules["eu-west"]\ndeny contains "x" if input.y\n',
        "tg_00001.rego": "package toolgate.rules.odd\nallow if input.z\n",
    }
    done = compiled(modules, compiler)
    named = {file["value"] for file in done.plan["static"]["files"]}
    assert set(modules) <= named
    assert all(name in modules or name.startswith("<toolgate>/") for name in named)
    assert done.compiler.split(" ")[0] == compiler
    assert done.compiler.split(" ")[1][0].isdigit()


@pytest.mark.parametrize("compiler", BOTH)
def test_the_same_text_gives_the_same_digest_and_another_text_another(compiler: CompilerChoice) -> None:
    first = compiled({"a.rego": RULES}, compiler)
    assert compiled({"a.rego": RULES}, compiler).digest == first.digest
    assert compiled({"a.rego": RULES.replace("get", "put")}, compiler).digest != first.digest


def rows_of(plan: object, file: int) -> set[int]:
    """Every row that any statement of the plan gives for a file."""
    found: set[int] = set()
    pending = [plan]
    while pending:
        here = pending.pop()
        if isinstance(here, dict):
            if here.get("file") == file and here.get("row"):
                found.add(here["row"])
            pending += here.values()
        elif isinstance(here, list):
            pending += here
    return found


@pytest.mark.parametrize("compiler", BOTH)
def test_rows_of_a_plan_count_from_one_in_the_authors_file(compiler: CompilerChoice) -> None:
    text = "package toolgate.rules.a\n\n\nallow if {\n\tinput.x == 1\n\n\tinput.y == 2\n}\n"
    plan = compiled({"a.rego": text}, compiler).plan
    file = [entry["value"] for entry in plan["static"]["files"]].index("a.rego")
    rows = rows_of(plan["funcs"], file)
    assert {5, 7} <= rows
    assert rows <= {4, 5, 6, 7, 8}


@pytest.mark.parametrize("compiler", BOTH)
@pytest.mark.parametrize(
    ("text", "code", "row"),
    [
        ("allow if {\n  input.x ==\n}", "syntax", (3, 4, 5)),
        ("allow if {", "syntax", (3, 4)),
        ("allow if { foo bar }", "syntax", (3,)),
        ("allow { input.x }", "syntax", (3,)),
        ("\ndeny[x] { x := 1 }", "syntax", (4,)),
        ('allow if true\ndeny := "x"', "rule_kind", (4,)),
        ('allow if true\n\ndeny["x"] if input.y', "rule_kind", (5,)),
        ("hold(x) if x == 1", "rule_kind", (3,)),
        ('on_result["x"] := 1 if input.y', "rule_kind", (3,)),
        ('on_call := ["lea"]', "rule_kind", (3,)),
        ("allow if true\n\non_call if input.y", "rule_kind", (5,)),
        ("allow contains 1 if input.y", "rule_kind", (3,)),
        ("allow(x) if x == 1", "rule_kind", (3,)),
        ("x := é", "syntax", (3,)),
    ],
)
def test_a_mistake_is_a_problem_at_its_place(
    compiler: CompilerChoice, text: str, code: str, row: tuple[int, ...]
) -> None:
    found = problems(
        {"good.rego": RULES, "sub/bad.rego": f"package toolgate.rules.bad\n\n{text}\n"}, compiler
    )
    assert {problem.file for problem in found} == {"sub/bad.rego"}
    assert {problem.code for problem in found} == {code}
    assert found[0].row in row
    assert all(problem.hint for problem in found)


@pytest.mark.parametrize("compiler", BOTH)
def test_mistakes_in_several_files_are_all_reported(compiler: CompilerChoice) -> None:
    bad = "package toolgate.rules.{}\n\nallow if {{ foo bar }}\n"
    found = problems({"a.rego": bad.format("a"), "b.rego": RULES, "c.rego": bad.format("c")}, compiler)
    assert [problem.file for problem in found] == ["a.rego", "c.rego"]


@pytest.mark.parametrize("compiler", BOTH)
def test_no_message_shows_a_temporary_name(compiler: CompilerChoice) -> None:
    text = "package toolgate.rules.a\ndefault allow := true\ndefault allow := false\n"
    (problem,) = problems({"a.rego": text}, compiler)
    assert problem.file == "a.rego"
    assert "tg_0" not in str(problem)
    assert "tmp" not in str(problem)


@pytest.mark.parametrize("compiler", BOTH)
def test_a_compiler_past_its_deadline_is_stopped(compiler: CompilerChoice) -> None:
    (problem,) = problems({"a.rego": RULES}, compiler, deadline_s=0.001)
    assert problem.code == "compiler_timeout"


def test_regopy_that_crashes_is_a_problem() -> None:
    found = problems({"a.rego": RULES + "x := " + "[" * 100_000 + "]" * 100_000}, "regopy", deadline_s=30)
    assert {problem.code for problem in found} <= {"compiler_crashed", "compiler_memory", "compiler_timeout"}


def test_regopy_that_takes_too_much_memory_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compile_regopy, "MEMORY_BYTES_MAX", 1024)
    (problem,) = problems({"a.rego": RULES}, "regopy")
    assert problem.code == "compiler_memory"


def stand_in_opa(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """A program called opa, first on PATH."""
    program = folder / "opa"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


@pytest.mark.parametrize("script", ["exit 3", "echo nonsense; exit 0", "kill -9 $$", "echo '{}'; exit 0"])
def test_an_opa_that_misbehaves_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    stand_in_opa(tmp_path, monkeypatch, script)
    (problem,) = problems({"a.rego": RULES}, "opa")
    assert problem.code == "compiler_crashed"


def test_opa_sees_nothing_of_our_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOLGATE_SECRET", "s3cret")
    stand_in_opa(tmp_path, monkeypatch, f"env > {tmp_path}/seen; exit 3")
    problems({"a.rego": RULES}, "opa")
    assert "GOMEMLIMIT" in (tmp_path / "seen").read_text()
    assert "s3cret" not in (tmp_path / "seen").read_text()


def test_without_opa_auto_takes_regopy_and_opa_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert compiled({"a.rego": RULES}, "auto").compiler.startswith("regopy ")
    (problem,) = problems({"a.rego": RULES}, "opa")
    assert problem.code == "compiler_missing"


@pytest.mark.needs("opa")
def test_with_opa_auto_takes_opa() -> None:
    assert shutil.which("opa")
    assert compiled({"a.rego": RULES}, "auto").compiler.startswith("opa ")


WITH_CASES = [
    ("r", 'r with input as {"x": [1]}', True),
    ("r", 'r with input as {"x": 1}', False),
    ("r", "r with input.x as [1]", True),
    ("r", 'r with input["x"] as [1]', True),
    ("r", 'r with input as {"x": input.never}', False),
    ("r", "not r with input as {}", True),
    ("r", 'not r with input as {"x": [7]}', False),
    ("whole", 'whole == {"y": 2} with input as {"y": 2}', True),
    ("whole", "whole", False),
    ("renamed", 'renamed with input as {"y": {"z": 3}}', True),
    ("r", "r with data.ones as [1]", False),
]


@pytest.mark.parametrize("compiler", BOTH)
def test_with_means_the_same_in_both_plans(compiler: CompilerChoice) -> None:
    """Tests need it, and what keeps ``with input as`` from crashing regopy must not show."""
    rules = "package t\n\nimport input.y as why\n\nr if count(input.x) == 1\n\nwhole := input\n\nrenamed if why.z == 3\n"
    text = rules + "".join(f"\nt{at} if {{\n\t{body}\n}}\n" for at, (_, body, _) in enumerate(WITH_CASES))
    entrypoints = [f"t/t{at}" for at in range(len(WITH_CASES))]
    program = Program.from_plan(
        compile_modules({"t.rego": text}, entrypoints=entrypoints, compiler=compiler).plan
    )
    for at, (_, body, wanted) in enumerate(WITH_CASES):
        found = bool(program.evaluate(f"t/t{at}", UNDEFINED, program.prepare({}), now_ns=0))
        assert found is wanted, body
