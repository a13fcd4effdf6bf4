"""``walk``, and builtins under ``graph.``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policies.engines.ir.builtins.operands import object_, wrong
from policies.engines.ir.builtins.registry import builtin
from policies.engines.ir.runtime import lookup
from policies.engines.ir.values import UNDEFINED, RegoSet, Value, key_of, sort, sorted_items

if TYPE_CHECKING:
    from collections.abc import Hashable

    from policies.engines.ir.evaluation import Evaluation


@builtin("walk", evaluation=True)
def walk(run: Evaluation, document: Value) -> Value:
    """Every value inside a document with the path that leads to it, as an array of pairs; parents first."""
    found: list[Value] = []
    pending: list[tuple[list[Value], Value]] = [([], document)]
    while pending:
        path, value = pending.pop()
        run.charge(1 + len(path))
        found.append([path, value])
        kind = type(value)
        if kind is list:
            run.charge(len(value) * (1 + len(path) // 4))
            pending += [([*path, i], member) for i, member in reversed(list(enumerate(value)))]
        elif kind is dict:
            run.charge(len(value) * (1 + len(path) // 4))
            pending += [([*path, key], member) for key, member in reversed(sorted_items(value, run))]
        elif kind is RegoSet:
            run.charge(len(value) * (1 + len(path) // 4))
            pending += [([*path, member], member) for member in reversed(sort(value, run))]
    return found


def _edges(node: Value) -> list[Value]:
    return list(node) if type(node) in {list, RegoSet} else []


def _starts(initial: Value) -> list[Value]:
    if type(initial) not in {list, RegoSet}:
        raise wrong(2, initial, "{array, set}")
    return list(initial)


@builtin("graph.reachable", evaluation=True)
def reachable(run: Evaluation, graph: Value, initial: Value) -> Value:
    """The nodes of a graph (node: neighbours) that can be reached."""
    object_(graph, 1)
    reached, queue = RegoSet(), _starts(initial)
    while queue:
        node = queue.pop()
        key = key_of(node, run)
        edges = lookup(graph, node, run)
        run.charge(1)
        if edges is not UNDEFINED and key not in reached.members:
            run.charge(len(_edges(edges)))
            queue += _edges(edges)
            reached.members[key] = node
    return reached


@builtin("graph.reachable_paths", evaluation=True)
def reachable_paths(run: Evaluation, graph: Value, initial: Value) -> Value:
    """All longest paths from the initial nodes, each cut where it would meet itself."""
    object_(graph, 1)
    found: list[Value] = []
    for root in _starts(initial):
        edges = lookup(graph, root, run)
        if edges is UNDEFINED:
            continue
        if not _edges(edges):
            found.append([root])
        pending = [(node, [root], frozenset([key_of(root, run)])) for node in _edges(edges)]
        while pending:
            _extend(run, graph, pending, found)
    return RegoSet.of(found, run)


def _extend(
    run: Evaluation,
    graph: Value,
    pending: list[tuple[Value, list[Value], frozenset[Hashable]]],
    found: list[Value],
) -> None:
    node, path, seen = pending.pop()
    edges = lookup(graph, node, run)
    run.charge(1 + len(path))
    if edges is UNDEFINED:
        found.append(path)
        return
    path, seen, neighbours = [*path, node], seen | {key_of(node, run)}, _edges(edges)
    run.charge(len(neighbours) * (1 + len(path) // 4))
    open_ones = [neighbour for neighbour in neighbours if key_of(neighbour, run) not in seen]
    if len(open_ones) < len(neighbours) or not neighbours:
        found.append(path)
    pending += [(neighbour, path, seen) for neighbour in open_ones]
