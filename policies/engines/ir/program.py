"""A plan that has been verified and compiled, and its evaluation. The only module other packages need."""

from __future__ import annotations

from dataclasses import dataclass
from types import CodeType, MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from policies.engines.ir import runtime
from policies.engines.ir.builtins import REGISTRY
from policies.engines.ir.emptiness import always_empty
from policies.engines.ir.errors import EvaluationFailed, PlanRejected
from policies.engines.ir.evaluation import Evaluation
from policies.engines.ir.generate import generate, is_rule
from policies.engines.ir.plan import Malformed, Plan, malformed, read_plan
from policies.engines.ir.values import UNDEFINED, Undefined, Value, from_json, to_json
from policies.engines.ir.verify import BANNED_BUILTINS, verify

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from policies.engines.ir.plan import Place
    from policies.engines.ir.trace import Trace

__all__ = ["BANNED_BUILTINS", "UNDEFINED", "Limits", "Prepared", "Program"]

Json: TypeAlias = Any

_FILE: Final = "<rego>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one evaluation."""

    steps_max: int = 2_000_000
    """A step is a turn of a loop, a call, or a small piece of a large value: 0.1 to 1 microsecond."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """Base documents in the form evaluations read. Never changed, so any number of them may share it."""

    document: Value


@dataclass(frozen=True, slots=True)
class _Compiled:
    entrypoints: Mapping[str, Callable[..., list[Value]]]
    places: tuple[Place, ...]


class Program:
    """A policy that can be evaluated, from any number of threads at once."""

    __slots__ = ("_plain", "_plan", "_traced", "builtins", "entrypoints")

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._plain = _compile(plan, traced=False)
        self._traced: _Compiled | None = None
        self.entrypoints: tuple[str, ...] = tuple(entrypoint.name for entrypoint in plan.entrypoints)
        self.builtins: frozenset[str] = frozenset(plan.builtins)

    @classmethod
    def from_plan(cls, plan: Mapping[str, Any], *, banned: frozenset[str] = BANNED_BUILTINS) -> Program:
        """Verify a plan, as parsed JSON, and make it ready to run. Raises PlanRejected with every problem."""
        try:
            read = read_plan(plan)
        except (Malformed, RecursionError) as exc:
            raise PlanRejected((malformed(exc),)) from exc
        problems = verify(read, banned=banned)
        if problems:
            raise PlanRejected(problems)
        return cls(read)

    def prepare(self, data: Json) -> Prepared:
        """Convert base documents once. Raises EvaluationFailed for what is not JSON."""
        try:
            return Prepared(from_json(data))
        except (ValueError, RecursionError) as exc:
            raise EvaluationFailed(f"data: {exc}") from exc

    def evaluate(
        self,
        entrypoint: str,
        input: Json | Undefined,  # noqa: A002 - Rego's own name for it
        data: Prepared,
        *,
        now_ns: int,
        limits: Limits = Limits(),
        trace: Trace | None = None,
        strict_builtin_errors: bool = False,
    ) -> list[Json]:
        """The entrypoint's result set as plain JSON; empty when it is undefined.

        ``input`` is read, never changed; UNDEFINED when there is none. ``now_ns`` is what ``time.now_ns``
        says.
        Raises EvaluationConflict, BudgetExceeded or EvaluationFailed; none of them is an answer.
        """
        compiled = self._plain if trace is None else self._with_hooks()
        run = Evaluation(steps_max=limits.steps_max, now_ns=now_ns, strict=strict_builtin_errors, trace=trace)
        try:
            query = compiled.entrypoints[entrypoint]
        except KeyError:
            raise EvaluationFailed(f"there is no entrypoint {entrypoint!r}") from None
        try:
            if trace is not None:
                input = input if input is UNDEFINED else from_json(input)  # noqa: A001 - containers of our own
                trace.begin(input)
            return [to_json(value, run) for value in query(run, input, data.document)]
        except EvaluationFailed as exc:
            raise _placed(exc, compiled.places) from exc.__cause__
        except Exception as exc:
            # The edge: whatever an input or a defect here provokes, the caller must see "no answer".
            failure = EvaluationFailed(f"{type(exc).__name__}: {exc}").with_traceback(exc.__traceback__)
            raise _placed(failure, compiled.places) from exc

    def always_empty(self, path: Sequence[str]) -> bool:
        """Whether it is certain that the rule at this path is an empty set, whatever it is asked about."""
        return always_empty(self._plan, path)

    def _with_hooks(self) -> _Compiled:
        # Two threads may both compile it the first time; the results are the same.
        if self._traced is None:
            self._traced = _compile(self._plan, traced=True)
        return self._traced


def _compile(plan: Plan, *, traced: bool) -> _Compiled:
    source = generate(plan, REGISTRY, traced=traced)
    code: CodeType = compile(source.text, _FILE, "exec", dont_inherit=True)
    namespace: dict[str, Any] = {"__builtins__": {}, **runtime.NAMES, **source.constants}
    exec(code, namespace)  # noqa: S102 - our own text; what came from outside is in it only through repr()
    rules = {
        function.path: (number, namespace[f"f{number}"])
        for number, function in enumerate(plan.functions)
        if is_rule(function)
    }
    namespace["call_dynamic"] = runtime.dynamic_calls(rules)
    entrypoints = {e.name: namespace[f"e{number}"] for number, e in enumerate(plan.entrypoints)}
    return _Compiled(MappingProxyType(entrypoints), source.places)


def _placed(failure: EvaluationFailed, places: tuple[Place, ...]) -> EvaluationFailed:
    """Add the author's file and row, found through the innermost generated line of the traceback."""
    step = failure.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename == _FILE and step.tb_lineno <= len(places):
            place = places[step.tb_lineno - 1]
            if place.row:
                failure.file, failure.row = place.file, place.row
        step = step.tb_next
    return failure
