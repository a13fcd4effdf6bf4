"""What generated code calls for the parts of a statement that are not worth writing out."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, NoReturn

from policies.engines.ir.errors import BuiltinError, EvaluationConflict, EvaluationFailed
from policies.engines.ir.numbers import as_integer
from policies.engines.ir.values import (
    NUMBER_TYPES,
    UNDEFINED,
    ObjectKey,
    RegoSet,
    Value,
    equal,
    key_of,
    key_value,
    object_key,
    order_of,
    sort,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from policies.engines.ir.budget import Budget
    from policies.engines.ir.evaluation import Evaluation

MISSING: Final = object()
"""Not remembered yet; unlike UNDEFINED, which may be remembered."""

_FIRST: Final = itemgetter(0)


def lookup(source: Value, key: Value, budget: Budget) -> Value:
    """``source[key]``, or UNDEFINED."""
    kind = type(source)
    if kind is dict:
        return source.get(key if type(key) is str else object_key(key, budget), UNDEFINED)
    if kind is list:
        index = key if type(key) is int else as_integer(key) if type(key) in NUMBER_TYPES else None
        return source[index] if index is not None and 0 <= index < len(source) else UNDEFINED
    if kind is RegoSet:
        return source.members.get(key if type(key) is str else key_of(key, budget), UNDEFINED)
    return UNDEFINED


def scan(source: Value, budget: Budget) -> Iterable[tuple[Value, Value]] | None:
    """Keys (as they are stored) and values of a collection in Rego's order; None for anything else."""
    kind = type(source)
    if kind is list:
        return enumerate(source)
    if kind is dict:
        budget.charge(len(source) // 4)
        return _ordered_items(source, budget) if len(source) > 1 else source.items()
    if kind is RegoSet:
        budget.charge(len(source) // 4)
        members = _ordered_members(source, budget) if len(source) > 1 else source
        return [(member, member) for member in members]
    return None


def _ordered_items(source: dict[Any, Value], budget: Budget) -> Iterable[tuple[Value, Value]]:
    try:
        return sorted(source.items(), key=_FIRST)
    except TypeError:  # A key that is not a string does not compare.
        return sorted(source.items(), key=lambda item: order_of(key_value(item[0]), budget))


def _ordered_members(source: RegoSet, budget: Budget) -> Iterable[Value]:
    kinds = set(map(type, source))
    return sorted(source) if kinds in ({str}, {int}) else sort(source, budget)


def length(source: Value) -> Value:
    """The number of members of a collection or characters of a string."""
    return len(source) if type(source) in {list, dict, RegoSet, str} else UNDEFINED


def merge(a: Value, b: Value, budget: Budget) -> Value:
    """Both objects as one, recursively; where they meet in something else, ``a`` wins."""
    if type(a) is not dict or type(b) is not dict:
        return a
    budget.charge(len(a) + len(b))
    merged = dict(a)
    for key, value in b.items():
        merged[key] = merge(a[key], value, budget) if key in a else value
    return merged


def patched(document: Value, path: tuple[str, ...], value: Value, budget: Budget) -> Value:
    """The document with the value at the path, everything on the way there copied or made."""
    if not path:
        return value
    copy = {}
    if type(document) is dict:
        budget.charge(len(document) // 8)
        copy = dict(document)
    copy[path[0]] = patched(copy.get(path[0], UNDEFINED), path[1:], value, budget)
    return copy


def insert_once(
    target: dict[str | ObjectKey, Value], key: str | ObjectKey, value: Value, budget: Budget
) -> None:
    """Add a member; a second one under the same key must be equal."""
    present = target.setdefault(key, value)
    if present is not value and not equal(present, value, budget):
        raise EvaluationConflict("object keys must be unique")


def conflict() -> NoReturn:
    """A complete rule or a function got a second value."""
    raise EvaluationConflict("complete rules must not produce multiple outputs")


def refused(name: str, refusal: BuiltinError, run: Evaluation) -> None:
    """A builtin refused its operands: undefined, unless the caller asked for errors."""
    if run.trace is not None:
        run.trace.note(f"{name}: {refusal}")
    if run.strict:
        raise EvaluationFailed(f"{name}: {refusal}") from refusal


def dynamic_calls(
    functions: Mapping[tuple[str, ...], tuple[int, Callable[..., Value]]],
) -> Callable[..., Value]:
    """A function that calls the rule at a path known only at run time, and looks up the rest of it."""

    def call_dynamic(path: tuple[Value, ...], run: Evaluation, *operands: Value) -> Value:
        for end in range(len(path), 0, -1):
            prefix = path[:end]
            found = functions.get(prefix) if all(type(part) is str for part in prefix) else None
            if found is not None:
                number, function = found
                value = run.memo.get(number, MISSING)
                value = function(run, *operands) if value is MISSING else value
                for key in path[end:]:
                    value = lookup(value, key, run)
                return value
        return UNDEFINED

    return call_dynamic


NAMES: Final[Mapping[str, Any]] = {
    "BuiltinError": BuiltinError,
    "MISSING": MISSING,
    "ObjectKey": ObjectKey,
    "RegoSet": RegoSet,
    "U": UNDEFINED,
    "conflict": conflict,
    "dict": dict,
    "equal": equal,
    "insert_once": insert_once,
    "key_of": key_of,
    "length": length,
    "list": list,
    "lookup": lookup,
    "merge": merge,
    "object_key": object_key,
    "patched": patched,
    "refused": refused,
    "scan": scan,
    "str": str,
    "type": type,
}
"""Everything generated code sees besides its own constants; Python's builtins are not there."""
