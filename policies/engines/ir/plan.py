"""The shape of an OPA plan, read once and strictly.

A plan is a list of entry points and functions; each is a list of blocks, each a list of statements over
numbered locals (0 is the input document, 1 the data document). One table says what every statement kind
holds; reading, verifying and generating all follow it.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from policies.engines.ir.errors import PlanProblem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

INPUT: Final = 0
DATA: Final = 1
LOCALS_MAX: Final = 1_000_000


class Field(enum.Enum):
    """What a member of a statement is."""

    READS = "a local that is read"
    WRITES = "a local that is assigned"
    CHANGES = "a local whose collection is added to"
    OPERAND = "a local, a string or a boolean"
    OPERANDS = "a list of operands, or null"
    NUMBER = "an integer literal"
    DEPTH = "how many enclosing blocks to leave"
    STRING = "an index into the strings"
    STRINGS = "a list of indexes into the strings, or null"
    NAME = "the name of a function"
    BLOCK = "a block"
    BLOCKS = "a list of blocks, or null"


# Every statement kind of the intermediate representation and its members, places excepted.
STATEMENTS: Final[Mapping[str, Mapping[str, Field]]] = MappingProxyType(
    {
        "ArrayAppendStmt": {"array": Field.CHANGES, "value": Field.OPERAND},
        "AssignIntStmt": {"value": Field.NUMBER, "target": Field.WRITES},
        "AssignVarOnceStmt": {"source": Field.OPERAND, "target": Field.WRITES},
        "AssignVarStmt": {"source": Field.OPERAND, "target": Field.WRITES},
        "BlockStmt": {"blocks": Field.BLOCKS},
        "BreakStmt": {"index": Field.DEPTH},
        "CallDynamicStmt": {"path": Field.OPERANDS, "args": Field.OPERANDS, "result": Field.WRITES},
        "CallStmt": {"func": Field.NAME, "args": Field.OPERANDS, "result": Field.WRITES},
        "DotStmt": {"source": Field.OPERAND, "key": Field.OPERAND, "target": Field.WRITES},
        "EqualStmt": {"a": Field.OPERAND, "b": Field.OPERAND},
        "IsArrayStmt": {"source": Field.OPERAND},
        "IsDefinedStmt": {"source": Field.READS},
        "IsObjectStmt": {"source": Field.OPERAND},
        "IsSetStmt": {"source": Field.OPERAND},
        "IsUndefinedStmt": {"source": Field.READS},
        "LenStmt": {"source": Field.OPERAND, "target": Field.WRITES},
        "MakeArrayStmt": {"target": Field.WRITES},
        "MakeNullStmt": {"target": Field.WRITES},
        "MakeNumberIntStmt": {"value": Field.NUMBER, "target": Field.WRITES},
        "MakeNumberRefStmt": {"index": Field.STRING, "target": Field.WRITES},
        "MakeObjectStmt": {"target": Field.WRITES},
        "MakeSetStmt": {"target": Field.WRITES},
        "NopStmt": {},
        "NotEqualStmt": {"a": Field.OPERAND, "b": Field.OPERAND},
        "NotStmt": {"block": Field.BLOCK},
        "ObjectInsertOnceStmt": {"key": Field.OPERAND, "value": Field.OPERAND, "object": Field.CHANGES},
        "ObjectInsertStmt": {"key": Field.OPERAND, "value": Field.OPERAND, "object": Field.CHANGES},
        "ObjectMergeStmt": {"a": Field.READS, "b": Field.READS, "target": Field.WRITES},
        "ResetLocalStmt": {"target": Field.WRITES},
        "ResultSetAddStmt": {"value": Field.READS},
        "ReturnLocalStmt": {"source": Field.READS},
        "ScanStmt": {
            "source": Field.READS,
            "key": Field.WRITES,
            "value": Field.WRITES,
            "block": Field.BLOCK,
        },
        "SetAddStmt": {"value": Field.OPERAND, "set": Field.CHANGES},
        "WithStmt": {
            "local": Field.CHANGES,
            "path": Field.STRINGS,
            "value": Field.OPERAND,
            "block": Field.BLOCK,
        },
    }
)


@dataclass(frozen=True, slots=True)
class Local:
    """A numbered variable of the function it stands in."""

    number: int


Operand: TypeAlias = Local | str | bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where in the author's files something comes from."""

    file: str = ""
    row: int = 0
    column: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement. ``members`` holds what :data:`STATEMENTS` lists: indexes resolved, blocks as tuples."""

    kind: str
    members: Mapping[str, Any]
    place: Place

    def blocks(self) -> tuple[Block, ...]:
        """The blocks inside this statement."""
        if "block" in self.members:
            return (self.members["block"],)
        return self.members.get("blocks", ())  # type: ignore[no-any-return]

    def operands(self) -> Iterator[Operand]:
        """Everything this statement reads."""
        for name, field in STATEMENTS[self.kind].items():
            member = self.members[name]
            if field is Field.OPERANDS:
                yield from member
            elif field in {Field.OPERAND, Field.READS, Field.CHANGES}:
                yield member

    def written(self) -> Iterator[Local]:
        """The locals this statement assigns."""
        for name, field in STATEMENTS[self.kind].items():
            if field is Field.WRITES:
                yield self.members[name]


Block: TypeAlias = tuple[Statement, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A rule (two parameters: input and data) or a function (more)."""

    name: str
    parameters: tuple[Local, ...]
    blocks: tuple[Block, ...]
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrypoint:
    """A named query whose result set is the answer of an evaluation."""

    name: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A whole plan. Indexes are in range and members have the right shape; nothing else is known yet."""

    entrypoints: tuple[Entrypoint, ...]
    functions: tuple[Function, ...]
    builtins: Mapping[str, int]
    """Number of operands by name, as the plan declares them."""

    files: tuple[str, ...]


class Malformed(Exception):
    """A part of the plan does not have the shape it must have. Never leaves this package."""


class _Reader:
    def __init__(self, plan: Mapping[str, Any]) -> None:
        static = _object(plan.get("static"), "static")
        self.strings = [_text(x, "a string") for x in _list(static.get("strings"), "strings")]
        self.files = [_text(x, "a file") for x in _list(static.get("files"), "files")]
        self.builtins = dict(_builtin(x) for x in _list(static.get("builtin_funcs"), "builtin_funcs"))

    def string(self, index: Any) -> str:
        if type(index) is not int or not 0 <= index < len(self.strings):
            raise Malformed(f"{index!r} is not an index into {len(self.strings)} strings")
        return self.strings[index]

    def operand(self, value: Any) -> Operand:
        if type(value) is int:
            return _local(value)
        operand = _object(value, "an operand")
        kind, content = operand.get("type"), operand.get("value")
        if kind == "local":
            return _local(content)
        if kind == "string_index":
            return self.string(content)
        if kind == "bool" and type(content) is bool:
            return content
        raise Malformed(f"{kind!r} with {content!r} is not an operand")

    def place(self, value: Mapping[str, Any]) -> Place:
        index, row, column = value.get("file", 0), value.get("row", 0), value.get("col", 0)
        if not (type(index) is int and type(row) is int and type(column) is int):
            raise Malformed("a place must be three integers")
        file = self.files[index] if 0 <= index < len(self.files) else ""
        return Place(file=file, row=row, column=column)

    def block(self, value: Any) -> Block:
        return tuple(self.statement(x) for x in _list(_object(value, "a block").get("stmts"), "stmts"))

    def statement(self, value: Any) -> Statement:
        kind: Any = _object(value, "a statement").get("type")
        fields = STATEMENTS.get(kind) if isinstance(kind, str) else None
        if fields is None:
            raise Malformed(f"{kind!r} is not a kind of statement")
        content = _object(value.get("stmt"), kind)
        try:
            place = self.place(content)
            members = {name: self.member(field, _member(content, name)) for name, field in fields.items()}
        except Malformed as exc:
            raise Malformed(f"{kind}: {exc}") from exc
        return Statement(kind=kind, members=members, place=place)

    def member(self, field: Field, value: Any) -> Any:
        match field:
            case Field.OPERAND:
                return self.operand(value)
            case Field.READS | Field.WRITES | Field.CHANGES:
                return _local(value)
            case Field.NUMBER:
                return _number(value)
            case Field.DEPTH:
                return _number(value, least=0)
            case Field.STRING:
                return self.string(value)
            case Field.NAME:
                return _string(value, "a function name")
            case Field.BLOCK:
                return self.block(value)
            case Field.BLOCKS:
                return tuple(self.block(x) for x in _list(value, "blocks"))
            case Field.OPERANDS:
                return tuple(self.operand(x) for x in _list(value, "operands"))
            case Field.STRINGS:
                return tuple(self.string(x) for x in _list(value, "path"))

    def function(self, value: Any) -> Function:
        content = _object(value, "a function")
        return Function(
            name=_string(content.get("name"), "a function name"),
            parameters=tuple(_local(x) for x in _list(content.get("params"), "params")),
            blocks=tuple(self.block(x) for x in _list(content.get("blocks"), "blocks")),
            path=tuple(_string(x, "a path member") for x in _list(content.get("path"), "path")),
        )

    def entrypoint(self, value: Any) -> Entrypoint:
        content = _object(value, "an entrypoint")
        return Entrypoint(
            name=_string(content.get("name"), "an entrypoint name"),
            blocks=tuple(self.block(x) for x in _list(content.get("blocks"), "blocks")),
        )


def read_plan(plan: Mapping[str, Any]) -> Plan:
    """The plan as types. Raises Malformed, with a text that says where, when it is not one."""
    reader = _Reader(plan)
    functions = _list(_object(plan.get("funcs") or {}, "funcs").get("funcs"), "funcs")
    entrypoints = _list(_object(plan.get("plans"), "plans").get("plans"), "plans")
    return Plan(
        functions=tuple(reader.function(x) for x in functions),
        entrypoints=tuple(reader.entrypoint(x) for x in entrypoints),
        builtins=MappingProxyType(reader.builtins),
        files=tuple(reader.files),
    )


def malformed(exc: Exception) -> PlanProblem:
    """The problem that a plan without the right shape is."""
    return PlanProblem(code="malformed_plan", message=str(exc) or type(exc).__name__)


def _member(content: Mapping[str, Any], name: str) -> Any:
    # OPA writes this one member of MakeNumberRefStmt with a capital, rego-cpp without.
    if name == "index" and name not in content:
        name = "Index"
    if name not in content:
        raise Malformed(f"member {name!r} is missing")
    return content[name]


def _object(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise Malformed(f"{what} must be an object")
    return value


def _list(value: Any, what: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise Malformed(f"{what} must be a list")
    return value


def _string(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise Malformed(f"{what} must be a string")
    return value


def _text(value: Any, what: str) -> str:
    return _string(_object(value, what).get("value"), what)


def _number(value: Any, *, least: int | None = None) -> int:
    if type(value) is not int or (least is not None and value < least):
        raise Malformed(f"{value!r} is not a usable integer")
    return value


def _local(value: Any) -> Local:
    if type(value) is not int or not 0 <= value < LOCALS_MAX:
        raise Malformed(f"{value!r} is not a local")
    return Local(value)


def _builtin(value: Any) -> tuple[str, int]:
    content = _object(value, "a builtin")
    declaration = _object(content.get("decl") or {}, "a builtin's declaration")
    return _string(content.get("name"), "a builtin's name"), len(_list(declaration.get("args"), "args"))
