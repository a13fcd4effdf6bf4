"""From a policy folder to something that can be evaluated, and one evaluation of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from policies.answer import read_answer
from policies.archive import archive_bundle
from policies.bundle import BANNED_BUILTINS, in_order, load_bundle
from policies.combine import EFFECT, ENTRYPOINT, GENERATED, HOLDS, generated_modules
from policies.engines.certainty import denies_whatever
from policies.engines.compiler import CompilerChoice, compile_modules
from policies.engines.decision import decision_of
from policies.engines.ir.errors import PlanRejected
from policies.engines.ir.program import Prepared, Program
from policies.errors import PolicyRejected, PolicyUnavailable
from policies.library import library_modules
from policies.model import Loaded, Problem
from policies.places import RuleIndex
from policies.syntax import reference

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from policies.bundle import Bundle
    from policies.model import Verdict

TRIAL_STEPS_MAX = 2_000_000
# A request like no real one: it must get an answer, whatever the answer is.
TRIAL_REQUEST: Mapping[str, Any] = {
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
        "id": "toolgate/trial",
        "server": "toolgate",
        "name": "trial",
        "annotations": {},
        "labels": [],
        "definition_digest": "",
    },
    "tool": {"id": "toolgate/trial", "server": "toolgate", "name": "trial"},
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
    index: RuleIndex
    """Of this bundle's text, whatever lies on the disk by now."""

    @property
    def key(self) -> str:
        """Names exactly this plan over exactly this data."""
        return f"{self.loaded.revision}.{self.loaded.plan_digest}"

    def evaluate(self, evaluation: Mapping[str, Any], *, steps_max: int) -> Verdict:
        """The verdict, computed here and now. Raises ``PolicyUnavailable``."""
        answer = decision_of(self.program, self.prepared, evaluation, steps_max=steps_max)
        return read_answer(answer, revision=self.loaded.revision)

    def rules_out(self, evaluation: Mapping[str, Any], *, unknown: tuple[str, ...], steps_max: int) -> bool:
        """Whether it is certain that this is denied, whatever the unknown members are."""
        return denies_whatever(self.program, self.prepared, evaluation, unknown=unknown, steps_max=steps_max)


def build_release(source: Path, *, compiler: CompilerChoice, archive: Path | None = None) -> Release:
    """Read, compile, verify and try a policy; archive it when all is well.

    Blocks on files and a compiler process. Raises ``PolicyRejected`` with every problem found.
    """
    bundle = load_bundle(source)
    modules = {**bundle.modules, **library_modules(), **generated_modules(bundle.rule_packages)}
    compiled = compile_modules(modules, entrypoints=(ENTRYPOINT, EFFECT), compiler=compiler)
    program, prepared = _ready(compiled.plan, dict(bundle.data))
    release = Release(
        bundle=bundle,
        loaded=Loaded(
            revision=bundle.revision,
            compiler=compiled.compiler,
            plan_digest=compiled.digest,
            packages=tuple(reference(path) for path in bundle.rule_packages),
            files=tuple(bundle.modules),
            may_hold=not program.always_empty(HOLDS),
        ),
        plan=compiled.plan,
        program=program,
        prepared=prepared,
        index=RuleIndex(bundle),
    )
    _try_out(release)
    if archive:
        archive_bundle(bundle, archive)
    return release


def _ready(plan: Mapping[str, Any], data: Mapping[str, Any]) -> tuple[Program, Prepared]:
    try:
        program = Program.from_plan(plan, banned=BANNED_BUILTINS)
        return program, program.prepare(data)
    except PlanRejected as rejected:
        raise PolicyRejected(in_order(_plan_problems(rejected))) from rejected
    except Exception as defect:
        # The edge between a plan from outside and code made of it: a defect there must not end a reload.
        message = f"the evaluator cannot take this policy: {type(defect).__name__}: {defect}"
        raise PolicyRejected((Problem(code="evaluator_failed", message=message),)) from defect


def _try_out(release: Release) -> None:
    """One evaluation before anyone depends on it: finds what no static check sees."""
    try:
        release.evaluate(TRIAL_REQUEST, steps_max=TRIAL_STEPS_MAX)
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
    "unsafe_variable": (
        "every name needs a value: is it misspelt, or meant as input.<name>? regopy also loses names"
        " of an every inside a not or every in its body: use a function there, or opa"
    ),
    "recursion": "a rule may not depend on itself, even through others",
    "banned_builtin": "a decision depends only on the policy, its data and the request",
    "unknown_builtin": "misspelt, or a function that policies may not use",
    "unknown_function": "misspelt, or a function that policies may not use",
}
