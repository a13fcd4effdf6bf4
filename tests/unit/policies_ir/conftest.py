"""Plans written by hand, and builtins called by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from policies.engines.ir.builtins import REGISTRY
from policies.engines.ir.evaluation import Evaluation
from policies.engines.ir.program import UNDEFINED, Limits, Program
from policies.engines.ir.values import RegoSet

NOW_NS = 1_700_000_000_123_456_789


@dataclass
class PlanText:
    """Builds plan JSON from short statements: ``("Dot", source=0, key="a", target=2)`` with strings put in the table.

    An integer is a local where a local may stand, a string a string constant, a boolean itself.
    """

    strings: list[str] = field(default_factory=list)
    functions: list[dict[str, Any]] = field(default_factory=list)
    builtins: dict[str, int] = field(default_factory=dict)
    row: int = 0

    def string(self, text: str) -> int:
        if text not in self.strings:
            self.strings.append(text)
        return self.strings.index(text)

    def operand(self, value: Any) -> Any:
        if isinstance(value, bool):
            return {"type": "bool", "value": value}
        if isinstance(value, int):
            return {"type": "local", "value": value}
        return {"type": "string_index", "value": self.string(value)}

    def statement(self, kind: str, members: dict[str, Any]) -> dict[str, Any]:
        self.row += 1
        content: dict[str, Any] = {"file": 0, "row": self.row, "col": 3}
        operands = {"Equal": "ab", "NotEqual": "ab", "Dot": ("source", "key"), "Len": ("source",)}.get(
            kind, ()
        )
        if kind in {"AssignVar", "AssignVarOnce", "IsArray", "IsObject", "IsSet"}:
            operands = ("source",)
        if kind in {"ArrayAppend", "SetAdd", "ObjectInsert", "ObjectInsertOnce", "With"}:
            operands = ("key", "value")
        for name, value in members.items():
            if name in operands:
                content[name] = self.operand(value)
            elif name == "block":
                content[name] = self.block(value)
            elif name == "blocks":
                content[name] = [self.block(one) for one in value]
            elif name == "args" or (name == "path" and kind == "CallDynamic"):
                content[name] = [self.operand(one) for one in value]
            elif name == "path":
                content[name] = [self.string(one) for one in value]
            elif name == "index" and kind == "MakeNumberRef":
                content[name] = self.string(value)
            else:
                content[name] = value
        return {"type": kind + "Stmt", "stmt": content}

    def block(self, statements: list[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
        return {"stmts": [self.statement(kind, members) for kind, members in statements]}

    def function(
        self, name: str, params: list[int], *blocks: list[Any], path: list[str] | None = None
    ) -> None:
        made = [self.block(block) for block in blocks]
        self.functions.append({"name": name, "params": params, "return": 0, "blocks": made, "path": path})

    def plan(self, *blocks: list[Any]) -> dict[str, Any]:
        made = [self.block(block) for block in blocks]
        declared = [{"name": n, "decl": {"args": [{}] * count}} for n, count in self.builtins.items()]
        return {
            "static": {
                "strings": [{"value": text} for text in self.strings],
                "builtin_funcs": declared,
                "files": [{"value": "a.rego"}],
            },
            "plans": {"plans": [{"name": "main", "blocks": made}]},
            "funcs": {"funcs": self.functions},
        }


def s(kind: str, **members: Any) -> tuple[str, dict[str, Any]]:
    return kind, members


@pytest.fixture
def text() -> PlanText:
    return PlanText()


@pytest.fixture
def stmt() -> Callable[..., Any]:
    return s


@pytest.fixture
def run() -> Callable[..., list[Any]]:
    """Load a plan and evaluate its one entrypoint."""

    def evaluate(
        plan: dict[str, Any], document: Any = UNDEFINED, data: Any = None, **options: Any
    ) -> list[Any]:
        program = Program.from_plan(plan)
        steps = options.pop("steps_max", 2_000_000)
        return program.evaluate(
            "main",
            document,
            program.prepare(data or {}),
            now_ns=NOW_NS,
            limits=Limits(steps_max=steps),
            **options,
        )

    return evaluate


@pytest.fixture
def evaluation() -> Evaluation:
    return Evaluation(steps_max=1_000_000, now_ns=NOW_NS, strict=False, trace=None)


@pytest.fixture
def call(evaluation: Evaluation) -> Callable[..., Any]:
    """Call a builtin as generated code does: charge, then run."""

    def builtin(name: str, *operands: Any) -> Any:
        entry = REGISTRY[name]
        assert len(operands) == entry.arity, f"{name} takes {entry.arity}"
        evaluation.charge(entry.cost(*operands) if entry.cost else 1)
        return entry.function(*([evaluation] if entry.takes_evaluation else []), *operands)

    return builtin


@pytest.fixture
def rego_set(evaluation: Evaluation) -> Callable[..., RegoSet]:
    return lambda *members: RegoSet.of(members, evaluation)
