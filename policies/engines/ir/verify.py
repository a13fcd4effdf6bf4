"""What is checked before a plan is allowed to run.

The compilers let through more than one would like: rego-cpp plans read variables that nothing assigns, so
that ``not typo`` is true. Every problem found here is reported, not only the first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from policies.engines.ir.builtins import REGISTRY
from policies.engines.ir.builtins.glob import translate
from policies.engines.ir.builtins.patterns import compile_pattern
from policies.engines.ir.errors import BudgetExceeded, BuiltinError, PlanProblem
from policies.engines.ir.numbers import parse_number
from policies.engines.ir.plan import DATA, INPUT, Local

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from policies.engines.ir.plan import Block, Place, Plan, Statement

BANNED_BUILTINS: Final = frozenset(
    {
        "http.send",
        "net.lookup_ip_addr",
        "opa.runtime",
        "rand.intn",
        "rego.parse_module",
        "uuid.rfc4122",
    }
)
"""Builtins that talk to the world, see the machine or roll dice: a decision could not be repeated."""

BLOCKS_DEEP_MAX: Final = 150
"""Blocks inside blocks. Deeper than any policy, and far from Python's recursion limit."""

# Which operand of these is a pattern, and what says whether it is one.
_PATTERNS: Final[dict[str, tuple[int, Callable[[str], object]]]] = {
    "regex.match": (0, compile_pattern),
    "re_match": (0, compile_pattern),
    "regex.find_n": (0, compile_pattern),
    "regex.find_all_string_submatch_n": (0, compile_pattern),
    "regex.split": (0, compile_pattern),
    "regex.replace": (1, compile_pattern),
    "glob.match": (0, lambda text: compile_pattern(translate(text, "."))),
}


def verify(plan: Plan, *, banned: frozenset[str]) -> tuple[PlanProblem, ...]:
    """Everything that is wrong with the plan, in the order of its text."""
    checks = _Checks(plan, banned)
    for function in plan.functions:
        checks.body(function.name, {p.number for p in function.parameters}, function.blocks)
    for entrypoint in plan.entrypoints:
        checks.body(entrypoint.name, {INPUT, DATA}, entrypoint.blocks)
    checks.names()
    checks.recursion()
    return tuple(checks.problems)


class _Checks:
    def __init__(self, plan: Plan, banned: frozenset[str]) -> None:
        self.plan = plan
        self.banned = banned
        self.problems: list[PlanProblem] = []
        self.functions = {function.name: function for function in plan.functions}
        self.calls: dict[str, dict[str, Place]] = {}
        """By caller: whom it calls, and where first."""

    def problem(self, code: str, message: str, place: Place | None = None) -> None:
        """Report one problem."""
        where = {} if place is None else {"file": place.file, "row": place.row, "column": place.column}
        found = PlanProblem(code=code, message=message, **where)  # type: ignore[arg-type]
        if found not in self.problems:
            self.problems.append(found)

    def names(self) -> None:
        """Names that must be there once."""
        entrypoints = [entrypoint.name for entrypoint in self.plan.entrypoints]
        for names in (entrypoints, [function.name for function in self.plan.functions]):
            for name in sorted({name for name in names if names.count(name) > 1}):
                self.problem("malformed_plan", f"{name!r} is defined twice")
        if not entrypoints:
            self.problem("malformed_plan", "there is no entrypoint")
        called = {callee for callees in self.calls.values() for callee in callees}
        # A builtin that is declared but called nowhere has no row; it is refused all the same.
        for name in sorted(self.plan.builtins.keys() - called):
            if name in self.banned:
                self.problem("banned_builtin", f"{name} is not available to policies")

    def body(self, name: str, parameters: set[int], blocks: tuple[Block, ...]) -> None:
        """One function or entrypoint."""
        if len(parameters) < 2:
            self.problem("malformed_plan", f"{name!r} must take input and data")
        self.calls.setdefault(name, {})
        assigned = set(parameters)
        statements = list(_flattened(blocks))
        for statement, depth, constants in statements:
            assigned.update(local.number for local in statement.written())
            self.statement(name, statement, depth, constants)
        for statement, _, _ in statements:
            self.unassigned(statement, assigned)

    def unassigned(self, statement: Statement, assigned: set[int]) -> None:
        """Locals that are read here and assigned nowhere."""
        for operand in statement.operands():
            if isinstance(operand, Local) and operand.number not in assigned:
                self.problem("unsafe_variable", "a variable here is never given a value", statement.place)

    def statement(self, caller: str, statement: Statement, depth: int, constants: dict[int, str]) -> None:
        """What can be said of one statement by itself."""
        kind, members, place = statement.kind, statement.members, statement.place
        if depth > BLOCKS_DEEP_MAX:
            self.problem("malformed_plan", f"blocks nest deeper than {BLOCKS_DEEP_MAX}", place)
        if kind == "BreakStmt" and members["index"] >= depth:
            self.problem("malformed_plan", "BreakStmt leaves more blocks than there are", place)
        if kind == "ReturnLocalStmt" and caller not in self.functions:
            self.problem("malformed_plan", "ReturnLocalStmt outside a function", place)
        if kind == "ResultSetAddStmt" and caller in self.functions:
            self.problem("malformed_plan", "ResultSetAddStmt inside a function", place)
        if kind == "MakeNumberRefStmt":
            self.number(members["index"], place)
        if kind == "CallDynamicStmt" and len(members["args"]) != 2:
            self.problem("arity", "a dynamic call takes input and data", place)
        if kind == "CallStmt":
            self.calls[caller].setdefault(members["func"], place)
            self.call(statement, constants)

    def number(self, text: str, place: Place) -> None:
        """A number constant must be one, of a size that is computed with."""
        try:
            parse_number(text)
        except (ArithmeticError, ValueError, BudgetExceeded):
            self.problem("malformed_number", f"{text[:40]!r} is not a usable number", place)

    def call(self, statement: Statement, constants: dict[int, str]) -> None:
        """The callee must exist, be allowed, and take as many operands as it is given."""
        name, arguments, place = statement.members["func"], statement.members["args"], statement.place
        if name in self.functions:
            wanted = len(self.functions[name].parameters)
        elif name in self.banned:
            self.problem("banned_builtin", f"{name} is not available to policies", place)
            return
        elif name in REGISTRY:
            wanted = REGISTRY[name].arity
        else:
            code = "unknown_builtin" if name in self.plan.builtins else "unknown_function"
            self.problem(code, f"{name} is not known here", place)
            return
        if len(arguments) != wanted:
            self.problem("arity", f"{name} takes {wanted} operands, not {len(arguments)}", place)
            return
        self.pattern(statement, constants)

    def pattern(self, statement: Statement, constants: dict[int, str]) -> None:
        """A pattern that is a constant must compile."""
        name = statement.members["func"]
        position, compiled = _PATTERNS.get(name, (0, None))
        if compiled is None:
            return
        operand = statement.members["args"][position]
        text = constants.get(operand.number) if isinstance(operand, Local) else operand
        if not isinstance(text, str):
            return
        try:
            compiled(text)
        except BuiltinError as exc:
            self.problem("malformed_pattern", f"{name}: {exc}", statement.place)

    def recursion(self) -> None:
        """No function may call itself, directly or through others."""
        done: set[str] = set()
        for start in self.functions:
            path: list[str] = []
            pending: list[tuple[str, bool]] = [(start, True)]
            while pending:
                name, enter = pending.pop()
                if not enter:
                    path.pop()
                    done.add(name)
                elif name in path:
                    cycle = [*path[path.index(name) :], name]
                    self.problem("recursion", " -> ".join(cycle), self.calls[path[-1]][name])
                elif name not in done:
                    path.append(name)
                    pending.append((name, False))
                    pending += [(callee, True) for callee in self.calls[name] if callee in self.functions]


def _flattened(blocks: tuple[Block, ...]) -> Iterator[tuple[Statement, int, dict[int, str]]]:
    """All statements in order, how many blocks each is in, and the strings that locals hold there."""
    constants: dict[int, str] = {}
    pending: list[tuple[Statement, int]] = [(s, 1) for block in reversed(blocks) for s in reversed(block)]
    while pending:
        statement, depth = pending.pop()
        for local in statement.written():
            constants.pop(local.number, None)
        if statement.kind == "AssignVarStmt" and isinstance(statement.members["source"], str):
            constants[statement.members["target"].number] = statement.members["source"]
        yield statement, depth, constants
        inner = [(s, depth + 1) for block in statement.blocks() for s in block]
        pending += reversed(inner)
