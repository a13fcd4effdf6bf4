"""One function of a plan as Python: its frame, its blocks inside blocks, and the ways out of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policies.engines.ir.writer import LOOPS_MAX, NOWHERE, Lines, Scope

if TYPE_CHECKING:
    from collections.abc import Callable

    from policies.engines.ir.names import Names
    from policies.engines.ir.plan import Block, Local, Place, Statement

# Stands where a nested function declares the locals it shares, which are known only at the end.
_SHARED = "  nonlocal"


class BlockWriter(Lines):
    """Writes one Python function. ``memo`` is the number under which its result is remembered, if it is.

    How each kind of statement is written is up to a subclass: a method named after the kind.
    """

    def __init__(self, names: Names, *, memo: int | None, name: str) -> None:
        super().__init__()
        self.names = names
        self.memo = memo
        self.function = name
        self.hoisted: list[tuple[str, Place]] = []
        self.hoists = 0
        self.hoisting = False
        self.outer_memo: str | None = None
        """The variable that holds the evaluation's memo while a ``with`` has replaced it."""
        self.labels = 0

    def write(
        self, name: str, parameters: tuple[Local, ...], blocks: tuple[Block, ...], *, result: str
    ) -> list[tuple[str, Place]]:
        """The whole function: its head, its locals, its blocks in turn."""
        arguments = [f"l{p.number}" for p in parameters] or ["l0", "l1"]
        self.known.update(p.number for p in parameters[2:])
        for block in blocks:
            self.nested(block)
        self._row_end()
        if self.memo is not None:
            self.put(f"run.memo[{self.memo}] = U")
        if self.names.traced and result == "U":
            self.put(f"T.result({self.function!r}, U)")
        self.put(f"return {result}")
        body, self.lines, self.place = self.lines, [], NOWHERE
        self.depth = 0
        self.put(f"def {name}(run, {', '.join(arguments)}):")
        self.depth = 1
        self.put("run.left -= 1")
        self.put("if run.left < 0: run.exhausted()")
        if self.names.traced:
            self.put("T = run.trace")
        if result == "results":
            self.put("results = []")
        self._start(arguments)
        return self.lines + self.hoisted + body

    def _start(self, arguments: list[str]) -> None:
        """Give a first value to every local that needs one; to all when nested functions share them."""
        unset = {f"l{number}" for number in self.unset}
        wanted = (self.assigned | unset if self.hoists else unset) - set(arguments)
        if wanted:
            self.put(" = ".join([*sorted(wanted), "U"]))
        if "brk" in self.assigned:
            self.put("brk = 0")
        shared = ", ".join(sorted(self.assigned))
        self.hoisted = [
            (f"  nonlocal {shared}" if line == _SHARED else line, place) for line, place in self.hoisted
        ]

    # -- blocks -------------------------------------------------------------------------------------

    def statements(self, block: Block, *, success: str | None = None) -> None:
        """The statements of a block, in the current scope."""
        for statement in block:
            self.statement(statement)
        if success is not None:
            self.put(f"{success} = True")

    def nested(self, block: Block, *, success: str | None = None) -> Scope:
        """A block inside the current one: a loop run once, or plain lines if nothing leaves it early."""
        saved, known, killed, start = self.scope, set(self.known), self.killed, len(self.lines)
        self.scope, self.killed = Scope("break", "break"), set()
        self.loops += 1
        with self.indented():
            self.statements(block, success=success)
        self.loops -= 1
        if self.scope.left:
            self.lines.insert(start, (" " * self.depth + "while True:", self.place))
            with self.indented():
                self.put("break")
        else:
            self.lines[start:] = [(line[1:], place) for line, place in self.lines[start:]]
        inner, self.scope = self.scope, saved
        self.known, self.killed = known - self.killed, killed | self.killed
        return inner

    def escape(self, inner: Scope) -> None:
        """After a construct whose inside may leave enclosing blocks: go on leaving."""
        if not inner.escaped:
            return
        self.name("brk")
        self.put("if brk:")
        with self.indented():
            self.put("brk -= 1")
            if self.scope.escape != self.scope.leave:
                self.put(f"if brk: {self.scope.escape}")
            self.leave()
        self.scope.escaped = True

    def _method(self, kind: str) -> Callable[..., None]:
        """What writes this kind of statement: for ``IsArrayStmt``, ``_is_array``."""
        words = "".join("_" + c.lower() if c.isupper() else c for c in kind.removesuffix("Stmt"))
        return getattr(self, words)  # type: ignore[no-any-return]

    def statement(self, statement: Statement) -> None:
        """One statement; in a nested Python function if CPython would refuse to nest loops deeper."""
        if self.names.traced:
            self._row(statement.place)
        self.place = statement.place
        if statement.blocks() and self.loops >= LOOPS_MAX:
            self._hoist(statement)
        else:
            self._method(statement.kind)(**statement.members)
        self.place = statement.place

    def _hoist(self, statement: Statement) -> None:
        """Write the statement as a function that shares all locals and returns how it ended."""
        self.hoists += 1
        number = self.hoists
        saved = self.lines, self.depth, self.loops, self.scope, self.hoisting
        self.lines, self.depth, self.loops, self.hoisting = [], 1, 0, True
        self.scope = Scope("return 1", "return 1")
        self.put(f"def h{number}():")
        with self.indented():
            self.lines.append((_SHARED, NOWHERE))
            self._method(statement.kind)(**statement.members)
            self.put("return 0")
        inner = self.scope
        self.hoisted += self.lines
        self.lines, self.depth, self.loops, self.scope, self.hoisting = saved
        end = self.name("end")
        self.name("ret")
        self.put(f"{end} = h{number}()")
        self.put(f"if {end} == 2: return {'2' if self.hoisting else 'ret'}")
        self.put(f"if {end}:")
        with self.indented():
            if inner.escaped and self.scope.escape != self.scope.leave:
                self.name("brk")
                self.put(f"if brk: {self.scope.escape}")
            self.leave()
        self.scope.escaped |= inner.escaped

    def label(self, prefix: str) -> str:
        """A fresh variable."""
        self.labels += 1
        return self.name(f"{prefix}{self.labels}")

    # -- trace --------------------------------------------------------------------------------------

    def _row(self, place: Place) -> None:
        if place.row and (place.file, place.row) != (self.place.file, self.place.row):
            self.put(f"T.row({place.file!r}, {place.row})")

    def _row_end(self) -> None:
        self.place = NOWHERE

    def leave(self) -> None:
        """Leave the current block; a trace hears where."""
        if self.names.traced:
            self.put(f"T.stop({self.place.file!r}, {self.place.row}, {self.place.column})")
        super().leave()
