"""Each kind of statement as Python: a method named after it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from policies.engines.ir.blocks import BlockWriter
from policies.engines.ir.numbers import parse_number
from policies.engines.ir.plan import Local
from policies.engines.ir.writer import Scope, killed_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policies.engines.ir.plan import Block, Operand


class FunctionWriter(BlockWriter):
    """Writes one Python function from one function or entrypoint of a plan."""

    # -- values -------------------------------------------------------------------------------------

    def _assign_var(self, *, source: Operand, target: Local) -> None:
        value = self.read(source)
        defined = not isinstance(source, Local) or source.number in self.known
        self.put(f"{self.assign(target, defined=defined)} = {value}")

    def _assign_int(self, *, value: int, target: Local) -> None:
        self.put(f"{self.assign(target)} = {value}")

    _make_number_int = _assign_int

    def _make_number_ref(self, *, index: str, target: Local) -> None:
        number = parse_number(index)
        literal = repr(number) if type(number) is int else self.names.constant("n", number)
        self.put(f"{self.assign(target)} = {literal}")

    def _assign_var_once(self, *, source: Operand, target: Local) -> None:
        self.require(source)
        name = self.read(target)
        if target.number in self.known:
            self.put(f"if {self.differ(name, source)}: conflict()")
        else:
            self.put(f"if {name} is U: {self.assign(target)} = {self.read(source)}")
            self.put(f"elif {self.differ(name, source)}: conflict()")

    def _reset_local(self, *, target: Local) -> None:
        self.put(f"{self.assign(target, defined=False)} = U")
        self.unset.add(target.number)

    def _make_null(self, *, target: Local) -> None:
        self.put(f"{self.assign(target)} = None")

    def _make_array(self, *, target: Local) -> None:
        self.put(f"{self.assign(target)} = []")

    def _make_object(self, *, target: Local) -> None:
        self.put(f"{self.assign(target)} = {{}}")

    def _make_set(self, *, target: Local) -> None:
        self.put(f"{self.assign(target)} = RegoSet()")

    # An undefined operand makes these three undefined: rego-cpp's plans count on it, OPA's never have one.

    def _array_append(self, *, array: Local, value: Operand) -> None:
        self.require(value)
        self.put(f"{self.read(array)}.append({self.read(value)})")

    def _set_add(self, *, set: Local, value: Operand) -> None:  # noqa: A002
        self.require(value)
        member = self.read(value)
        key = (
            member
            if isinstance(value, str)
            else f"{member} if type({member}) is str else key_of({member}, run)"
        )
        self.put(f"{self.read(set)}.members[{key}] = {member}")

    def _object_insert(self, *, key: Operand, value: Operand, object: Local) -> None:  # noqa: A002
        self.require(key, value)
        self.put(f"{self.read(object)}[{self.object_key(key)}] = {self.read(value)}")

    def _object_insert_once(self, *, key: Operand, value: Operand, object: Local) -> None:  # noqa: A002
        self.require(key, value)
        self.put(f"insert_once({self.read(object)}, {self.object_key(key)}, {self.read(value)}, run)")

    def object_key(self, key: Operand) -> str:
        """The Python expression for an operand used as the key of an object."""
        name = self.read(key)
        return name if isinstance(key, str) else f"{name} if type({name}) is str else object_key({name}, run)"

    def _object_merge(self, *, a: Local, b: Local, target: Local) -> None:
        self.require(a, b)
        self.put(f"{self.assign(target)} = merge({self.read(a)}, {self.read(b)}, run)")

    def _len(self, *, source: Operand, target: Local) -> None:
        self.put(f"{self.assign(target)} = length({self.read(source)})")
        self.leave_if(f"l{target.number} is U")

    def _dot(self, *, source: Operand, key: Operand, target: Local) -> None:
        holder, name = self.read(source), self.read(key)
        if self.names.traced:
            self.put(f"T.read({holder}, {name})")
        general = f"lookup({holder}, {name}, run)"
        fast = f"{holder}.get({name}, U) if type({holder}) is dict else {general}"
        if not isinstance(key, str):
            self.require(key)
        self.put(f"{self.assign(target)} = {fast if isinstance(key, str) else general}")
        self.leave_if(f"l{target.number} is U")

    # -- conditions ---------------------------------------------------------------------------------

    def differ(self, a: str, b: Operand) -> str:
        """The Python condition under which the value of an expression is not that of a defined operand."""
        name = self.read(b)
        if isinstance(b, bool):
            return f"{a} is not {name}"
        if isinstance(b, str):
            return f"{a} != {name}"
        return f"{a} is not {name} and not equal({a}, {name}, run)"

    def _equal(self, *, a: Operand, b: Operand) -> None:
        if isinstance(a, str | bool):
            a, b = b, a
        if isinstance(b, Local):
            self.require(a, b)
        self.leave_if(self.differ(self.read(a), b))

    def _not_equal(self, *, a: Operand, b: Operand) -> None:
        if isinstance(a, str | bool):
            a, b = b, a
        self.require(a, b)
        self.leave_if(f"not ({self.differ(self.read(a), b)})")

    def _is_array(self, *, source: Operand) -> None:
        self.leave_if(f"type({self.read(source)}) is not list")

    def _is_object(self, *, source: Operand) -> None:
        self.leave_if(f"type({self.read(source)}) is not dict")

    def _is_set(self, *, source: Operand) -> None:
        self.leave_if(f"type({self.read(source)}) is not RegoSet")

    def _is_defined(self, *, source: Local) -> None:
        self.require(source)

    def _is_undefined(self, *, source: Local) -> None:
        if source.number in self.known:
            self.leave()
        else:
            self.leave_if(f"{self.read(source)} is not U")

    # -- control ------------------------------------------------------------------------------------

    def _nop(self) -> None:
        pass

    def _block(self, *, blocks: tuple[Block, ...]) -> None:
        for block in blocks:
            self.escape(self.nested(block))

    def _break(self, *, index: int) -> None:
        if index == 0:
            self.leave()
            return
        self.put(f"{self.name('brk')} = {index}")
        self.scope.left = self.scope.escaped = True
        self.put(self.scope.escape)

    def _not(self, *, block: Block) -> None:
        success = self.label("ok")
        self.put(f"{success} = False")
        self.escape(self.nested(block, success=success))
        self.leave_if(success)

    def _scan(self, *, source: Local, key: Local, value: Local, block: Block) -> None:
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

    def _with(self, *, local: Local, path: tuple[str, ...], value: Operand, block: Block) -> None:
        if path:
            self.require(value)
        document, memo, success = self.label("doc"), self.label("memo"), self.label("ok")
        name = self.assign(local, defined=bool(path))
        self.put(f"{document} = {name}; {memo} = run.memo; run.memo = {{}}; {success} = False")
        self.put(f"{name} = patched({name}, {path!r}, {self.read(value)}, run)")
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

    def _return_local(self, *, source: Local) -> None:
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

    def _result_set_add(self, *, value: Local) -> None:
        self.require(value)
        self.put(f"results.append({self.read(value)})")

    # -- calls --------------------------------------------------------------------------------------

    def _call(self, *, func: str, args: tuple[Operand, ...], result: Local) -> None:
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

    def _call_dynamic(self, *, path: tuple[Operand, ...], args: tuple[Operand, ...], result: Local) -> None:
        self.require(*path)
        names = "".join(f"{self.read(part)}, " for part in path)
        operands = "".join(f", {self.read(arg)}" for arg in args)
        target = self.assign(result)
        self.put(f"{target} = call_dynamic(({names}), run{operands})")
        self.leave_if(f"{target} is U")
