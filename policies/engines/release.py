"""From a policy folder to something that can be evaluated, and one evaluation of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from policies.answer import read_answer
from policies.archive import archive_bundle
from policies.bundle import BANNED_BUILTINS, in_order, load_bundle
from policies.combine import ENTRYPOINT, GENERATED, generated_modules
from policies.engines.compiler import CompilerChoice, compile_modules
from policies.engines.ir.errors import BudgetExceeded, EvaluationConflict, EvaluationFailed, PlanRejected
from policies.engines.ir.program import Limits, Prepared, Program
from policies.errors import (
    PolicyBudgetExceeded,
    PolicyConflict,
    PolicyCrashed,
    PolicyRejected,
    PolicyUnavailable,
    PolicyUndefined,
)
from policies.library import library_modules
from policies.model import Loaded, Problem
from policies.syntax import reference

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from policies.bundle import Bundle
    from policies.model import Verdict

SMOKE_STEPS_MAX = 2_000_000
# A request like no real one: it must get an answer, whatever the answer is.
SMOKE_REQUEST: Mapping[str, Any] = {
    "version": 1,
    "subject": {
        "type": "user",
        "id": "nobody",
        "tenant": "",
        "roles": [],
        "groups": [],
        "scopes": [],
        "claims": {},
    },
    "action": {"name": "tools/call"},
    "resource": {
        "type": "tool",
        "id": "toolgate/smoke",
        "server": "toolgate",
        "name": "smoke",
        "annotations": {},
        "labels": [],
        "definition_digest": "",
    },
    "tool": {"id": "toolgate/smoke", "server": "toolgate", "name": "smoke"},
    "arguments": {},
    "context": {
        "agent": "toolgate",
        "workflow": {"id": "", "step": "", "attempt": 0, "model": "", "verified": False},
        "session": {"id": "", "calls": 0, "labels": []},
        "time": {
            "rfc3339": "2026-01-01T00:00:00+00:00",
            "unix": 1767225600,
            "weekday": "Thursday",
            "hour": 0,
            "zone": "UTC",
        },
        "network": {"ip": ""},
        "findings": [],
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A policy ready to be evaluated. Immutable: evaluations begun on an old one end on it."""

    bundle: Bundle
    loaded: Loaded
    plan: Mapping[str, Any]
    program: Program
    prepared: Prepared

    @property
    def key(self) -> str:
        """Names exactly this plan over exactly this data."""
        return f"{self.loaded.revision}.{self.loaded.plan_digest}"

    def evaluate(self, evaluation: Mapping[str, Any], *, steps_max: int) -> Verdict:
        """The verdict, computed here and now. Raises ``PolicyUnavailable``."""
        answer = decision_of(self.program, self.prepared, evaluation, steps_max=steps_max)
        return read_answer(answer, revision=self.loaded.revision)


def build_release(source: Path, *, compiler: CompilerChoice, archive: Path | None = None) -> Release:
    """Read, compile, verify and try a policy; archive it when all is well.

    Blocks on files and a compiler process. Raises ``PolicyRejected`` with every problem found.
    """
    bundle = load_bundle(source)
    modules = {**bundle.modules, **library_modules(), **generated_modules(bundle.rule_packages)}
    compiled = compile_modules(modules, entrypoints=(ENTRYPOINT,), compiler=compiler)
    try:
        program = Program.from_plan(compiled.plan, banned=BANNED_BUILTINS)
    except PlanRejected as rejected:
        raise PolicyRejected(in_order(_plan_problems(rejected))) from rejected
    release = Release(
        bundle=bundle,
        loaded=Loaded(
            revision=bundle.revision,
            compiler=compiled.compiler,
            plan_digest=compiled.digest,
            packages=tuple(reference(path) for path in bundle.rule_packages),
            files=tuple(bundle.modules),
        ),
        plan=compiled.plan,
        program=program,
        prepared=program.prepare(dict(bundle.data)),
    )
    _try_out(release)
    if archive:
        archive_bundle(bundle, archive)
    return release


def decision_of(
    program: Program, prepared: Prepared, evaluation: Mapping[str, Any], *, steps_max: int
) -> Any:
    """What ``toolgate/main/decision`` answers, as JSON. Raises ``PolicyUnavailable``."""
    now_ns = _now_ns(evaluation)
    try:
        results = program.evaluate(
            ENTRYPOINT, evaluation, prepared, now_ns=now_ns, limits=Limits(steps_max=steps_max)
        )
    except BudgetExceeded as exceeded:
        raise PolicyBudgetExceeded(str(exceeded)) from exceeded
    except EvaluationConflict as conflict:
        raise PolicyConflict(str(conflict)) from conflict
    except EvaluationFailed as failed:
        raise PolicyCrashed(str(failed)) from failed
    except Exception as defect:
        # The true edge of generated code: whatever it does, the call it was asked about is not allowed.
        raise PolicyCrashed(f"the evaluator failed: {type(defect).__name__}: {defect}") from defect
    if not results:
        raise PolicyUndefined("the policy is undefined for this request")
    return results[0]["result"]


def _now_ns(evaluation: Mapping[str, Any]) -> int:
    """The time the request says it is; policy knows no other."""
    try:
        unix = evaluation["context"]["time"]["unix"]
        if evaluation["version"] == 1 and type(unix) in {int, float}:
            return int(unix * 1_000_000_000)
    except (KeyError, TypeError, OverflowError, ValueError):
        pass
    raise PolicyCrashed("the evaluation request is not a version 1 document with context.time.unix")


def _try_out(release: Release) -> None:
    """One evaluation before anyone depends on it: finds what no static check sees."""
    try:
        release.evaluate(SMOKE_REQUEST, steps_max=SMOKE_STEPS_MAX)
    except PolicyUnavailable as fault:
        hint = "every request must get an answer, also one about an unknown tool"
        message = f"a trial request failed with {fault.code}: {fault.reason}"
        raise PolicyRejected((Problem(code="trial_failed", message=message, hint=hint),)) from fault


def _plan_problems(rejected: PlanRejected) -> list[Problem]:
    return [
        Problem(
            code=problem.code,
            message=problem.message,
            file="" if problem.file.startswith(GENERATED) else problem.file,
            row=problem.row,
            column=problem.column,
            hint=_HINTS.get(problem.code, ""),
        )
        for problem in rejected.problems
    ]


_HINTS = {
    "unsafe_variable": "every name needs a value: is it misspelt, or meant as input.<name>?",
    "recursion": "a rule may not depend on itself, even through others",
    "banned_builtin": "a decision depends only on the policy, its data and the request",
    "unknown_builtin": "misspelt, or a function that policies may not use",
    "unknown_function": "misspelt, or a function that policies may not use",
}
