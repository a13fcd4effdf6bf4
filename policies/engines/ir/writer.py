"""Lines of generated Python: indentation, how to leave a block, which locals are known to be defined."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from policies.engines.ir.plan import Local, Place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policies.engines.ir.plan import Block, Operand

LOOPS_MAX: Final = 16
"""CPython refuses more than 20 statically nested loops and ``try`` blocks in one function."""

NOWHERE: Final = Place()


@dataclass(slots=True)
class Scope:
    """The block being written."""

    leave: str
    """The Python statement that leaves this block."""

    escape: str
    """The one that leaves it when ``brk`` says that enclosing blocks must be left too."""

    left: bool = False
    """Whether anything leaves it early."""

    escaped: bool = False
    """Whether anything in it leaves enclosing blocks too."""


class Lines:
    """A list of lines under construction, and what is known about locals at its end."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, Place]] = []
        self.depth = 1
        self.loops = 0
        self.scope = Scope("return U", "return U")
        self.place = NOWHERE
        self.known: set[int] = set()
        """Locals that are defined whenever the code being written runs."""

        self.killed: set[int] = set()
        self.assigned: set[str] = set()
        self.unset: set[int] = set()
        """Locals that may be read before they are assigned, so they must start out undefined."""

    def put(self, line: str) -> None:
        """Write one line."""
        self.lines.append((" " * self.depth + line, self.place))

    @contextmanager
    def indented(self) -> Iterator[None]:
        """Write the lines inside one level deeper."""
        self.depth += 1
        yield
        self.depth -= 1

    def leave(self) -> None:
        """Leave the current block."""
        self.scope.left = True
        self.put(self.scope.leave)

    def leave_if(self, condition: str) -> None:
        """Leave the current block when a Python condition holds."""
        self.put(f"if {condition}:")
        with self.indented():
            self.leave()

    # -- locals -------------------------------------------------------------------------------------

    def read(self, operand: Operand) -> str:
        """The Python expression for an operand."""
        if isinstance(operand, Local):
            if operand.number not in self.known:
                self.unset.add(operand.number)
            return f"l{operand.number}"
        return repr(operand)

    def assign(self, local: Local, *, defined: bool = True) -> str:
        """The name of a local about to be assigned; ``defined`` when what it gets cannot be undefined."""
        if defined:
            self.known.add(local.number)
        else:
            self.known.discard(local.number)
            self.killed.add(local.number)
        return self.name(f"l{local.number}")

    def name(self, name: str) -> str:
        """A Python variable of the function that is assigned somewhere."""
        self.assigned.add(name)
        return name

    def require(self, *operands: Operand) -> None:
        """Leave the block unless all operands are defined; afterwards they are known to be."""
        doubtful = [o for o in operands if isinstance(o, Local) and o.number not in self.known]
        if doubtful:
            self.leave_if(" or ".join(f"{self.read(o)} is U" for o in dict.fromkeys(doubtful)))
            self.known.update(o.number for o in doubtful)


def killed_in(block: Block) -> set[int]:
    """Locals that the block may make undefined."""
    found: set[int] = set()
    for statement in block:
        if statement.kind in {"AssignVarStmt", "ResetLocalStmt"}:
            found.update(local.number for local in statement.written())
        for inner in statement.blocks():
            found |= killed_in(inner)
    return found
