"""json.patch: RFC 6902 on a copy, extended to sets, whose members are their own keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import re2

from policies.engines.ir.builtins.json_documents import parse_path
from policies.engines.ir.builtins.operands import array
from policies.engines.ir.builtins.registry import builtin
from policies.engines.ir.errors import BuiltinError
from policies.engines.ir.numbers import as_integer
from policies.engines.ir.values import (
    NUMBER_TYPES,
    UNDEFINED,
    RegoSet,
    Value,
    equal,
    key_of,
    object_key,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from policies.engines.ir.evaluation import Evaluation

_INDEX: Final = re2.compile(r"0|[1-9]\d{0,8}")


@builtin("json.patch", evaluation=True)
def patch(run: Evaluation, document: Value, operations: Value) -> Value:
    """The document after all operations, or an error if any of them fails."""
    for operation in array(operations, 2):
        if type(operation) is not dict:
            raise BuiltinError("must be an array of JSON-Patch objects")
        document = _Patch(run, operation).apply(document)
    return document


class _Patch:
    def __init__(self, run: Evaluation, operation: Value) -> None:
        self.run = run
        self.operation = operation

    def member(self, name: str) -> Value:
        """A member of the operation that must be there."""
        if name not in self.operation:
            raise BuiltinError(f"missing required attribute {name!r}")
        return self.operation[name]

    def apply(self, document: Value) -> Value:
        """The document after this operation."""
        path, kind = parse_path(self.member("path")), self.member("op")
        match kind:
            case "add":
                return self.add(document, path, self.member("value"))
            case "remove":
                return self.remove(document, path)
            case "replace":
                value = self.member("value")
                return self.add(self.remove(document, path), path, value) if path else value
            case "move":
                source = parse_path(self.member("from"))
                value = self.get(document, source)
                return self.add(self.remove(document, source), path, value)
            case "copy":
                return self.add(document, path, self.get(document, parse_path(self.member("from"))))
            case "test":
                if not equal(self.get(document, path), self.member("value"), self.run):
                    raise BuiltinError("test: the value is another one")
                return document
        raise BuiltinError(f"unrecognized op: {kind!r}")

    def get(self, value: Value, path: list[Value]) -> Value:
        """What the path leads to."""
        for step in path:
            value = self.child(value, step)
        return value

    def child(self, value: Value, step: Value) -> Value:
        """The member that one step leads to."""
        kind, found = type(value), UNDEFINED
        if kind is dict:
            found = value.get(object_key(step, self.run), UNDEFINED)
        elif kind is list:
            found = value[self.index(step, len(value) - 1)]
        elif kind is RegoSet:
            found = value.members.get(key_of(step, self.run), UNDEFINED)
        if found is UNDEFINED:
            raise BuiltinError(f"path {step!r} does not exist")
        return found

    def index(self, step: Value, last: int) -> int:
        """A step as the position in an array."""
        if type(step) is str and _INDEX.fullmatch(step):
            at: int | None = int(step)
        else:
            at = as_integer(step) if type(step) in NUMBER_TYPES else None
        if at is None or not 0 <= at <= last:
            raise BuiltinError(f"{step!r} is no index of an array of {last + 1} members")
        return at

    def add(self, document: Value, path: list[Value], value: Value) -> Value:
        """With a value put in at the path."""

        def put(holder: Value, step: Value) -> Value:
            if type(holder) is dict:
                return {**holder, object_key(step, self.run): value}
            if type(holder) is list:
                at = len(holder) if step == "-" else self.index(step, len(holder))
                return [*holder[:at], value, *holder[at:]]
            if type(holder) is RegoSet and equal(step, value, self.run):
                return RegoSet({**holder.members, key_of(value, self.run): value})
            raise BuiltinError("cannot add here")

        return self.change(document, path, put) if path else value

    def remove(self, document: Value, path: list[Value]) -> Value:
        """Without what is at the path."""

        def cut(holder: Value, step: Value) -> Value:
            self.child(holder, step)
            if type(holder) is dict:
                gone = object_key(step, self.run)
                return {key: member for key, member in holder.items() if key != gone}
            if type(holder) is list:
                at = self.index(step, len(holder) - 1)
                return [*holder[:at], *holder[at + 1 :]]
            lost = key_of(step, self.run)
            return RegoSet({key: member for key, member in holder.members.items() if key != lost})

        if not path:
            raise BuiltinError("cannot remove the document")
        return self.change(document, path, cut)

    def change(self, value: Value, path: list[Value], edit: Callable[[Value, Value], Value]) -> Value:
        """The document with the container at the end of the path edited, everything on the way copied."""
        step, rest = path[0], path[1:]
        if type(value) in {dict, list, RegoSet}:
            self.run.charge(1 + len(value))
        if not rest:
            return edit(value, step)
        changed = self.change(self.child(value, step), rest, edit)
        if type(value) is dict:
            return {**value, object_key(step, self.run): changed}
        if type(value) is list:
            at = self.index(step, len(value) - 1)
            return [*value[:at], changed, *value[at + 1 :]]
        others = {key: member for key, member in value.members.items() if key != key_of(step, self.run)}
        return RegoSet({**others, key_of(changed, self.run): changed})
