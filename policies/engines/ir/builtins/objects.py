"""Builtins under ``object.``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from policies.engines.ir.builtins.operands import array, object_, wrong, wrong_member
from policies.engines.ir.builtins.registry import builtin, by_members
from policies.engines.ir.runtime import lookup
from policies.engines.ir.values import (
    UNDEFINED,
    RegoSet,
    Value,
    equal,
    key_of,
    key_value,
    object_key,
)

if TYPE_CHECKING:
    from policies.engines.ir.evaluation import Evaluation


@builtin("object.get", evaluation=True)
def get(run: Evaluation, value: Value, key: Value, default: Value) -> Value:
    """The member under a key, or at the path that an array of keys is; else the default."""
    found: Value = object_(value, 1)
    if type(key) is not list:
        found = lookup(found, key, run)
    else:
        run.charge(len(key))
        for step in key:
            found = lookup(found, step, run)
            if found is UNDEFINED:
                break
    return default if found is UNDEFINED else found


@builtin("object.keys", evaluation=True, cost=by_members)
def keys(run: Evaluation, value: Value) -> Value:
    """The set of keys."""
    return RegoSet.of(map(key_value, object_(value, 1)), run)


@builtin("object.remove", evaluation=True, cost=by_members)
def remove(run: Evaluation, value: Value, names: Value) -> Value:
    """Without the members under these keys."""
    members, cut = object_(value, 1), _named(names, run)
    return {key: member for key, member in members.items() if key not in cut}


@builtin("object.filter", evaluation=True, cost=by_members)
def filter_(run: Evaluation, value: Value, names: Value) -> Value:
    """Only the members under these keys."""
    members, kept = object_(value, 1), _named(names, run)
    return {key: member for key, member in members.items() if key in kept}


def _named(names: Value, run: Evaluation) -> set[Any]:
    kind = type(names)
    if kind is dict:
        return set(names)
    if kind is not list and kind is not RegoSet:
        raise wrong(2, names, "object", "set", "array")
    return {object_key(name, run) for name in names}


@builtin("object.union", evaluation=True)
def union(run: Evaluation, a: Value, b: Value) -> Value:
    """Both objects as one, recursively; where they meet in something else, the second wins."""
    return _overlaid(run, object_(a, 1), object_(b, 2))


@builtin("object.union_n", evaluation=True)
def union_n(run: Evaluation, objects: Value) -> Value:
    """The union of all, the last winning."""
    result: Value = {}
    for member in array(objects, 1):
        if type(member) is not dict:
            raise wrong_member(1, objects, member, "object")
        result = _overlaid(run, result, member)
    return result


def _overlaid(run: Evaluation, a: Value, b: Value) -> Value:
    if type(a) is not dict or type(b) is not dict:
        return b
    run.charge(1 + len(a) + len(b))
    merged = dict(a)
    for key, member in b.items():
        merged[key] = _overlaid(run, a[key], member) if key in a else member
    return merged


@builtin("object.subset", evaluation=True)
def subset(run: Evaluation, super_: Value, sub: Value) -> Value:
    """Whether the first holds everything the second does; arrays: as a run of members."""
    kinds = (type(super_), type(sub))
    if kinds == (list, RegoSet):
        run.charge(len(super_))
        # OPA: an empty array holds nothing, not even the empty set.
        return bool(super_) and sub.members.keys() <= {key_of(member, run) for member in super_}
    if kinds in {(dict, dict), (list, list), (RegoSet, RegoSet)}:
        return _holds(run, super_, sub)
    raise wrong(1, super_, "object", "set", "array")


def _holds(run: Evaluation, whole: Value, part: Value) -> bool:
    kind = type(part)
    run.charge(1)
    if type(whole) is kind is dict:
        run.charge(len(part))
        return all(key in whole and _holds(run, whole[key], member) for key, member in part.items())
    if type(whole) is kind is RegoSet:
        run.charge(len(part))
        return bool(part.members.keys() <= whole.members.keys())
    if type(whole) is kind is list:
        return any(_begins(run, whole, at, part) for at in range(len(whole) - len(part) + 1))
    return equal(whole, part, run)


def _begins(run: Evaluation, whole: list[Value], at: int, part: list[Value]) -> bool:
    for i, member in enumerate(part):
        run.charge(1)
        if not equal(whole[at + i], member, run):
            return False
    return True
