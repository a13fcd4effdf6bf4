"""json.filter and json.remove: members of a document chosen by paths."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policies.engines.ir.builtins.operands import object_, wrong
from policies.engines.ir.builtins.registry import builtin
from policies.engines.ir.errors import OperandError
from policies.engines.ir.values import TYPE_NAMES, RegoSet, Value, object_key

if TYPE_CHECKING:
    from policies.engines.ir.evaluation import Evaluation
    from policies.engines.ir.values import ObjectKey

# Paths as a tree: a node is a dict, a leaf (everything below is meant) None.
_Tree = dict["str | ObjectKey", "_Tree | None"]


@builtin("json.filter", evaluation=True)
def filter_(run: Evaluation, document: Value, paths: Value) -> Value:
    """Only what the paths lead to."""
    return _kept(run, object_(document, 1), _tree(paths, run))


@builtin("json.remove", evaluation=True)
def remove(run: Evaluation, document: Value, paths: Value) -> Value:
    """Without what the paths lead to; later members of an array move up."""
    return _rest(run, object_(document, 1), _tree(paths, run))


def parse_path(path: Value) -> list[Value]:
    """The steps of a path: a JSON Pointer with or without its first slash, or an array."""
    if type(path) is list:
        return path
    if type(path) is not str:
        raise OperandError(
            2,
            "must be one of {set, array} containing string paths or array of path segments "
            f"but got {TYPE_NAMES[type(path)]}",
        )
    if not path:
        return []
    return [step.replace("~1", "/").replace("~0", "~") for step in path.lstrip("/").split("/")]


def _tree(paths: Value, run: Evaluation) -> _Tree:
    if type(paths) not in {list, RegoSet}:
        raise wrong(2, paths, "set", "array")
    root: _Tree = {}
    for path in paths:
        steps = parse_path(path)
        run.charge(1 + len(steps))
        node: _Tree | None = root
        for step in steps[:-1]:
            node = node.setdefault(object_key(step, run), {}) if node is not None else None
        if steps and node is not None:
            node[object_key(steps[-1], run)] = None
    return root


def _kept(run: Evaluation, value: Value, tree: _Tree | None) -> Value:
    if tree is None:
        return value
    kind = type(value)
    if kind not in {dict, list, RegoSet}:
        return value
    run.charge(1 + len(value))
    if kind is dict:
        return {key: _kept(run, member, tree[key]) for key, member in value.items() if key in tree}
    if kind is list:
        chosen = [(member, str(i)) for i, member in enumerate(value) if str(i) in tree]
        return [_kept(run, member, tree[name]) for member, name in chosen]
    keyed = [(member, object_key(member, run)) for member in value]
    return RegoSet.of([_kept(run, member, tree[key]) for member, key in keyed if key in tree], run)


def _rest(run: Evaluation, value: Value, tree: _Tree) -> Value:
    kind = type(value)
    if kind not in {dict, list, RegoSet}:
        return value
    run.charge(1 + len(value))
    if kind is dict:
        named = [(key, key, member) for key, member in value.items()]
    elif kind is list:
        named = [(i, str(i), member) for i, member in enumerate(value)]
    else:
        named = [(i, object_key(member, run), member) for i, member in enumerate(value)]
    left = {}
    for place, name, member in named:
        below = tree.get(name, {})
        if below is not None:
            left[place] = _rest(run, member, below) if below else member
    if kind is dict:
        return left
    return list(left.values()) if kind is list else RegoSet.of(left.values(), run)
