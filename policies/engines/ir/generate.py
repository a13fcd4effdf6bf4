"""From a verified plan to Python source.

Every function of the plan becomes one Python function whose locals are Python locals, so nothing is
dispatched at run time. A block is a ``while True`` that ends in ``break``: a statement that is undefined
leaves it by ``break``. The body of a scan needs no such loop, it is left by ``continue``. Blocks that
cannot be left early have no loop at all.

The source refers to its surroundings by short names (``U`` is undefined, ``run`` the evaluation);
constants are written into the text with ``repr``, which is also what makes them harmless.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from policies.engines.ir.names import Names
from policies.engines.ir.statements import FunctionWriter

if TYPE_CHECKING:
    from policies.engines.ir.plan import Function, Place, Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Python source text, where each of its lines comes from, and the objects it refers to."""

    text: str
    places: tuple[Place, ...]
    constants: dict[str, Any]


def generate(plan: Plan, builtins: dict[str, Any], *, traced: bool) -> Source:
    """Python source for the whole plan: ``f0``, ``f1`` ... for functions, ``e0`` ... for entrypoints."""
    names = Names(
        functions={function.name: number for number, function in enumerate(plan.functions)},
        rules=frozenset(f.name for f in plan.functions if is_rule(f)),
        builtins=builtins,
        traced=traced,
    )
    lines: list[tuple[str, Place]] = []
    for number, function in enumerate(plan.functions):
        writer = FunctionWriter(names, memo=number if is_rule(function) else None, name=function.name)
        lines += writer.write(f"f{number}", function.parameters, function.blocks, result="U")
    for number, entrypoint in enumerate(plan.entrypoints):
        writer = FunctionWriter(names, memo=None, name=entrypoint.name)
        lines += writer.write(f"e{number}", (), entrypoint.blocks, result="results")
    return Source(
        text="\n".join(line for line, _ in lines),
        places=tuple(place for _, place in lines),
        constants=names.constants,
    )


def is_rule(function: Function) -> bool:
    """Whether the function takes nothing but the input and data documents."""
    return [local.number for local in function.parameters] == [0, 1]
