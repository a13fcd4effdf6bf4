"""Whether a rule is certainly an empty set, whatever input and data are: shown by the plan's text alone.

Only what an empty partial set is compiled to is understood. Every other statement that could be reached means
"not certain", so a compiler that writes differently can make an answer weaker and never wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policies.engines.ir.plan import Block, Local, Plan, Statement

CALLS_DEEP_MAX: Final = 20
_NEUTRAL: Final = frozenset({"IsDefinedStmt", "NopStmt", "NotEqualStmt", "ResetLocalStmt"})


def always_empty(plan: Plan, path: Sequence[str]) -> bool:
    """Whether the rule at this path (``("toolgate", "main", "hold")``) is a set that nothing can get into.

    ``plan`` has been verified. False for a rule that is not there.
    """
    reading = _Reading(plan)
    found = [function for function in plan.functions if function.path[1:] == tuple(path)]
    return bool(found) and all(reading.rule(function.name, depth=0) for function in found)


class _Reading:
    """One plan; what was found out about a rule is kept."""

    def __init__(self, plan: Plan) -> None:
        self._functions = {function.name: function for function in plan.functions}
        self._known: dict[str, bool] = {}

    def rule(self, name: str, *, depth: int) -> bool:
        """Whether all that the rule can return is an empty set. A builtin is no rule."""
        if name not in self._known:
            function = self._functions.get(name)
            empty: set[Local] = set()
            self._known[name] = (
                function is not None
                and depth <= CALLS_DEEP_MAX
                and all(self._block(block, empty, depth) for block in function.blocks)
            )
        return self._known[name]

    def _block(self, block: Block, empty: set[Local], depth: int) -> bool:
        for statement in block:
            if _ends_block(statement):
                return True
            if not self._statement(statement, empty, depth):
                return False
        return True

    def _statement(self, statement: Statement, empty: set[Local], depth: int) -> bool:
        """Whether there are only empty sets after it. ``empty``: the locals that are known to hold one."""
        members = statement.members
        match statement.kind:
            case "MakeSetStmt":
                empty.add(members["target"])
                return True
            case "CallStmt":
                empty.add(members["result"])
                return self.rule(members["func"], depth=depth + 1)
            case "ScanStmt" | "ReturnLocalStmt":
                # Of a scan over nothing, the block is not run.
                return members["source"] in empty
            case "BlockStmt":
                return all(self._block(block, empty, depth) for block in statement.blocks())
            case kind:
                return kind in _NEUTRAL


def _ends_block(statement: Statement) -> bool:
    """Nothing after it in its block is run: how compilers write ``if false``."""
    if statement.kind == "BreakStmt":
        return True
    a, b = statement.members.get("a"), statement.members.get("b")
    return statement.kind == "NotEqualStmt" and isinstance(a, bool) and a is b
