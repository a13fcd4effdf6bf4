"""One function of a plan as Python: a method per statement kind, named after it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from policies.engines.ir.numbers import parse_number
from policies.engines.ir.plan import Local
from policies.engines.ir.writer import LOOPS_MAX, NOWHERE, Lines, Scope, killed_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policies.engines.ir.generate import Names
    from policies.engines.ir.plan import Block, Operand, Place, Statement

# Stands where a nested function declares the locals it shares, which are known only at the end.
_SHARED = "  nonlocal"


class FunctionWriter(Lines):
    """Writes one Python function. ``memo`` is the number under which its result is remembered, if it is."""

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
        """Give a first value to every local that needs one, and to all of them when nested functions share them."""
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

    # -- blocks ---------------------------------------------------------------------------------------------------

    def statements(self, block: Block, *, success: str | None = None) -> None:
        """The statements of a block, in the current scope."""
        for statement in block:
            self.statement(statement)
        if success is not None:
            self.put(f"{success} = True")

    def nested(self, block: Block, *, success: str | None = None) -> Scope:
        """A block inside the current one. A plain run of lines if nothing leaves it early, else a loop run once."""
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

    def statement(self, statement: Statement) -> None:
        """One statement; in a nested Python function if CPython would refuse to nest loops deeper."""
        if self.names.traced:
            self._row(statement.place)
        self.place = statement.place
        if statement.blocks() and self.loops >= LOOPS_MAX:
            self._hoist(statement)
        else:
            getattr(self, statement.kind)(**statement.members)
        self.place = statement.place

    def _hoist(self, statement: Statement) -> None:
        """Write the statement as a function without parameters that shares all locals. It returns how it ended."""
        self.hoists += 1
        number = self.hoists
        saved = self.lines, self.depth, self.loops, self.scope, self.hoisting
        self.lines, self.depth, self.loops, self.hoisting = [], 1, 0, True
        self.scope = Scope("return 1", "return 1")
        self.put(f"def h{number}():")
        with self.indented():
            self.lines.append((_SHARED, NOWHERE))
            getattr(self, statement.kind)(**statement.members)
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

    # -- trace ----------------------------------------------------------------------------------------------------

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

    # -- values ---------------------------------------------------------------------------------------------------

    def AssignVarStmt(self, *, source: Operand, target: Local) -> None:  # noqa: N802
        value = self.read(source)
        defined = not isinstance(source, Local) or source.number in self.known
        self.put(f"{self.assign(target, defined=defined)} = {value}")

    def AssignIntStmt(self, *, value: int, target: Local) -> None:  # noqa: N802
        self.put(f"{self.assign(target)} = {value}")

    MakeNumberIntStmt = AssignIntStmt

    def MakeNumberRefStmt(self, *, index: str, target: Local) -> None:  # noqa: N802
        number = parse_number(index)
        literal = repr(number) if type(number) is int else self.names.constant("n", number)
        self.put(f"{self.assign(target)} = {literal}")

    def AssignVarOnceStmt(self, *, source: Operand, target: Local) -> None:  # noqa: N802
        self.require(source)
        name = self.read(target)
        if target.number in self.known:
            self.put(f"if {self.differ(name, source)}: conflict()")
        else:
            self.put(f"if {name} is U: {self.assign(target)} = {self.read(source)}")
            self.put(f"elif {self.differ(name, source)}: conflict()")

    def ResetLocalStmt(self, *, target: Local) -> None:  # noqa: N802
        self.put(f"{self.assign(target, defined=False)} = U")
        self.unset.add(target.number)

    def MakeNullStmt(self, *, target: Local) -> None:  # noqa: N802
        self.put(f"{self.assign(target)} = None")

    def MakeArrayStmt(self, *, target: Local) -> None:  # noqa: N802
        self.put(f"{self.assign(target)} = []")

    def MakeObjectStmt(self, *, target: Local) -> None:  # noqa: N802
        self.put(f"{self.assign(target)} = {{}}")

    def MakeSetStmt(self, *, target: Local) -> None:  # noqa: N802
        self.put(f"{self.assign(target)} = RegoSet()")

    # An undefined operand makes these three undefined: rego-cpp's plans count on it, OPA's never have one.

    def ArrayAppendStmt(self, *, array: Local, value: Operand) -> None:  # noqa: N802
        self.require(value)
        self.put(f"{self.read(array)}.append({self.read(value)})")

    def SetAddStmt(self, *, set: Local, value: Operand) -> None:  # noqa: A002, N802
        self.require(value)
        member = self.read(value)
        key = member if isinstance(value, str) else f"{member} if type({member}) is str else key_of({member}, run)"
        self.put(f"{self.read(set)}.members[{key}] = {member}")

    def ObjectInsertStmt(self, *, key: Operand, value: Operand, object: Local) -> None:  # noqa: A002, N802
        self.require(key, value)
        self.put(f"{self.read(object)}[{self.object_key(key)}] = {self.read(value)}")

    def ObjectInsertOnceStmt(self, *, key: Operand, value: Operand, object: Local) -> None:  # noqa: A002, N802
        self.require(key, value)
        self.put(f"insert_once({self.read(object)}, {self.object_key(key)}, {self.read(value)}, run)")

    def object_key(self, key: Operand) -> str:
        """The Python expression for an operand used as the key of an object."""
        name = self.read(key)
        return name if isinstance(key, str) else f"{name} if type({name}) is str else object_key({name}, run)"

    def ObjectMergeStmt(self, *, a: Local, b: Local, target: Local) -> None:  # noqa: N802
        self.require(a, b)
        self.put(f"{self.assign(target)} = merge({self.read(a)}, {self.read(b)}, run)")

    def LenStmt(self, *, source: Operand, target: Local) -> None:  # noqa: N802
        self.put(f"{self.assign(target)} = length({self.read(source)})")
        self.leave_if(f"l{target.number} is U")

    def DotStmt(self, *, source: Operand, key: Operand, target: Local) -> None:  # noqa: N802
        holder, name = self.read(source), self.read(key)
        if self.names.traced:
            self.put(f"T.read({holder}, {name})")
        general = f"lookup({holder}, {name}, run)"
        fast = f"{holder}.get({name}, U) if type({holder}) is dict else {general}"
        if not isinstance(key, str):
            self.require(key)
        self.put(f"{self.assign(target)} = {fast if isinstance(key, str) else general}")
        self.leave_if(f"l{target.number} is U")

    # -- conditions -----------------------------------------------------------------------------------------------

    def differ(self, a: str, b: Operand) -> str:
        """The Python condition under which the value of an expression is not that of a defined operand."""
        name = self.read(b)
        if isinstance(b, bool):
            return f"{a} is not {name}"
        if isinstance(b, str):
            return f"{a} != {name}"
        return f"{a} is not {name} and not equal({a}, {name}, run)"

    def EqualStmt(self, *, a: Operand, b: Operand) -> None:  # noqa: N802
        if isinstance(a, str | bool):
            a, b = b, a
        if isinstance(b, Local):
            self.require(a, b)
        self.leave_if(self.differ(self.read(a), b))

    def NotEqualStmt(self, *, a: Operand, b: Operand) -> None:  # noqa: N802
        if isinstance(a, str | bool):
            a, b = b, a
        self.require(a, b)
        self.leave_if(f"not ({self.differ(self.read(a), b)})")

    def IsArrayStmt(self, *, source: Operand) -> None:  # noqa: N802
        self.leave_if(f"type({self.read(source)}) is not list")

    def IsObjectStmt(self, *, source: Operand) -> None:  # noqa: N802
        self.leave_if(f"type({self.read(source)}) is not dict")

    def IsSetStmt(self, *, source: Operand) -> None:  # noqa: N802
        self.leave_if(f"type({self.read(source)}) is not RegoSet")

    def IsDefinedStmt(self, *, source: Local) -> None:  # noqa: N802
        self.require(source)

    def IsUndefinedStmt(self, *, source: Local) -> None:  # noqa: N802
        if source.number in self.known:
            self.leave()
        else:
            self.leave_if(f"{self.read(source)} is not U")

    # -- control --------------------------------------------------------------------------------------------------

    def NopStmt(self) -> None:  # noqa: N802
        pass

    def BlockStmt(self, *, blocks: tuple[Block, ...]) -> None:  # noqa: N802
        for block in blocks:
            self.escape(self.nested(block))

    def BreakStmt(self, *, index: int) -> None:  # noqa: N802
        if index == 0:
            self.leave()
            return
        self.put(f"{self.name('brk')} = {index}")
        self.scope.left = self.scope.escaped = True
        self.put(self.scope.escape)

    def NotStmt(self, *, block: Block) -> None:  # noqa: N802
        success = self.label("ok")
        self.put(f"{success} = False")
        self.escape(self.nested(block, success=success))
        self.leave_if(success)

    def ScanStmt(self, *, source: Local, key: Local, value: Local, block: Block) -> None:  # noqa: N802
        pairs = self.label("it")
        if self.names.traced:
            self.put(f"T.scan({self.read(source)})")
        self.put(f"{pairs} = scan({self.read(source)}, run)")
        self.leave_if(f"{pairs} is None")
        self.known -= killed_in(block)
        saved, known, killed = self.scope, set(self.known), self.killed
        self.put(f"for {self.assign(key)}, {self.assign(value)} in {pairs}:")
        self.scope, self.killed = Scope("continue", "break"), set()
        self.loops += 1
        with self.indented():
            self.put("run.left -= 1")
            self.put("if run.left < 0: run.exhausted()")
            self.put(f"if type(l{key.number}) is ObjectKey: l{key.number} = l{key.number}.value")
            self.statements(block)
        self.loops -= 1
        inner, self.scope = self.scope, saved
        self.known, self.killed = known - self.killed, killed | self.killed
        self.escape(inner)

    def WithStmt(self, *, local: Local, path: tuple[str, ...], value: Operand, block: Block) -> None:  # noqa: N802
        if path:
            self.require(value)
        document, memo, success = self.label("doc"), self.label("memo"), self.label("ok")
        name = self.assign(local, defined=bool(path))
        self.put(f"{document} = {name}; {memo} = run.memo; run.memo = {{}}; {success} = False")
        self.put(f"{name} = patched({name}, {path!r}, {self.read(value)})")
        with self._memo_replaced(memo):
            inner = self.nested(block, success=success)
        self.put(f"{name} = {document}; run.memo = {memo}")
        self.assign(local, defined=False)
        self.unset.add(local.number)
        self.escape(inner)
        self.leave_if(f"not {success}")

    @contextmanager
    def _memo_replaced(self, memo: str) -> Iterator[None]:
        saved = self.outer_memo
        self.outer_memo = saved or memo
        yield
        self.outer_memo = saved

    def ReturnLocalStmt(self, *, source: Local) -> None:  # noqa: N802
        value = self.read(source)
        if self.outer_memo:
            self.put(f"run.memo = {self.outer_memo}")
        if self.memo is not None:
            self.put(f"run.memo[{self.memo}] = {value}")
        if self.names.traced:
            self.put(f"T.result({self.function!r}, {value})")
        if self.hoisting:
            self.put(f"{self.name('ret')} = {value}")
            self.put("return 2")
        else:
            self.put(f"return {value}")

    def ResultSetAddStmt(self, *, value: Local) -> None:  # noqa: N802
        self.require(value)
        self.put(f"results.append({self.read(value)})")

    # -- calls ----------------------------------------------------------------------------------------------------

    def CallStmt(self, *, func: str, args: tuple[Operand, ...], result: Local) -> None:  # noqa: N802
        if func not in self.names.functions:
            self._builtin(func, args, result)
            return
        # Input and data, the first two, may be undefined; an operand may not.
        self.require(*args[2:])
        operands, number = [self.read(arg) for arg in args], self.names.functions[func]
        call = f"f{number}(run, {', '.join(operands)})"
        target = self.assign(result)
        if func in self.names.rules:
            self.put(f"{target} = run.memo.get({number}, MISSING)")
            self.put(f"if {target} is MISSING: {target} = {call}")
        else:
            self.put(f"{target} = {call}")
        self.leave_if(f"{target} is U")

    def _builtin(self, func: str, args: tuple[Operand, ...], result: Local) -> None:
        self.require(*args)
        entry = self.names.builtins[func]
        operands = [self.read(arg) for arg in args]
        target = self.assign(result)
        if entry.cost is None:
            self.put("run.left -= 1")
        else:
            self.put(f"run.charge({self._named('c', func, entry.cost)}({', '.join(operands)}))")
        arguments = ["run", *operands] if entry.takes_evaluation else operands
        self.put(f"try: {target} = {self._named('b', func, entry.function)}({', '.join(arguments)})")
        self.put("except BuiltinError as refusal:")
        with self.indented():
            self.put(f"refused({func!r}, refusal, run)")
            self.leave()
        if self.names.traced:
            self.put(f"T.call({func!r}, [{', '.join(operands)}], {target})")
        if entry.partial:
            self.leave_if(f"{target} is U")

    def _named(self, prefix: str, func: str, value: Any) -> str:
        name = prefix + "_" + func.replace(".", "_")
        self.names.constants[name] = value
        return name

    def CallDynamicStmt(self, *, path: tuple[Operand, ...], args: tuple[Operand, ...], result: Local) -> None:  # noqa: N802
        self.require(*path)
        names = "".join(f"{self.read(part)}, " for part in path)
        operands = "".join(f", {self.read(arg)}" for arg in args)
        target = self.assign(result)
        self.put(f"{target} = call_dynamic(({names}), run{operands})")
        self.leave_if(f"{target} is U")

