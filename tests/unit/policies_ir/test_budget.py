"""Hostile work is refused before it is done: every case here would otherwise take minutes or gigabytes."""

from __future__ import annotations

from decimal import Decimal

import pytest

from policies.engines.ir.builtins import REGISTRY
from policies.engines.ir.errors import BudgetExceeded
from policies.engines.ir.evaluation import Evaluation

STEPS = 100_000
MEGABYTE = 1_000_000
WIDE = [[0] * 300 for _ in range(300)]
DENSE = {str(i): [str(j) for j in range(40)] for i in range(40)}


def spend(name, *operands, steps=STEPS):
    """Call a builtin with a budget; returns the steps it took."""
    run = Evaluation(steps_max=steps, now_ns=0, strict=False, trace=None)
    entry = REGISTRY[name]
    run.charge(entry.cost(*operands) if entry.cost else 1)
    entry.function(*([run] if entry.takes_evaluation else []), *operands)
    return steps - run.left


HOSTILE = [
    ("numbers.range", 1, 10**12), ("numbers.range_step", 1, 10**12, 2), ("sprintf", "%1000000000d", [1]),
    ("sprintf", "%.999999999f", [Decimal("1.5")]), ("sprintf", "%999999d" * 3, [1, 2, 3]),
    ("bits.lsh", 1, 10**9), ("mul", 1 << 13_000, 1 << 13_000), ("mul", Decimal("1e4000"), Decimal("1.5e4000")),
    ("product", [10**4000] * 10), ("product", [3] * 200_000), ("concat", "x" * MEGABYTE, ["a"] * 1000),
    ("replace", "a" * MEGABYTE, "a", "b" * 1000), ("replace", "a" * MEGABYTE, "", "b" * 1000), ("split", "a" * MEGABYTE, ""),
    ("strings.replace_n", {"a": "b" * 1000}, "a" * MEGABYTE), ("indexof_n", "a" * MEGABYTE, "a" * 100),
    ("strings.any_prefix_match", ["a"] * 40_000, ["b"] * 40_000), ("regex.find_n", "a", "a" * MEGABYTE, -1),
    ("regex.replace", "a" * MEGABYTE, "a", "$0" * 100), ("regex.split", "", "a" * MEGABYTE),
    ("regex.match", "(" + "a?" * 500 + ")" + "a" * 500, "a" * MEGABYTE), ("glob.match", "*a" * 40_000, [], "a"),
    ("net.cidr_expand", "::/0"), ("net.cidr_expand", "10.0.0.0/8"), ("net.cidr_contains_matches", ["10.0.0.0/8"] * 1000, ["10.0.0.1"] * 1000),
    ("walk", [[0] * 1000] * 1000), ("graph.reachable_paths", DENSE, ["0"]), ("sort", [WIDE] * 1000),
    ("json.marshal", [WIDE] * 1000), ("json.unmarshal", "[" + "1," * MEGABYTE + "1]"), ("yaml.unmarshal", "- 1\n" * 100_000),
    ("json.marshal_with_options", [0] * 1000, {"indent": " " * MEGABYTE}), ("object.union_n", [{str(i): i for i in range(1000)}] * 1000),
    ("object.subset", [0] * 3000, [0] * 1500 + [1]), ("equal", [WIDE] * 100, [[list(row) for row in WIDE]] * 100),
    ("internal.member_2", "a" * MEGABYTE, ["b" * MEGABYTE] * 1000), ("urlquery.decode_object", "a=b&" * MEGABYTE),
    ("crypto.sha256", "a" * 20 * MEGABYTE), ("sum", [Decimal("1e-4000")] * 1000),
    ("json.patch", [0] * 1000, [{"op": "add", "path": "0", "value": 1}] * 1000), ("json.filter", {"a": 1}, ["a" + "/b" * 100] * 10_000),
    ("array.flatten", [[0] * 1000] * 1000),
]  # fmt: skip


@pytest.mark.parametrize("work", HOSTILE, ids=[f"{i}-{work[0]}" for i, work in enumerate(HOSTILE)])
def test_hostile_work_is_refused(work):
    with pytest.raises(BudgetExceeded):
        spend(*work)


ORDINARY = [
    ("numbers.range", 1, 1000), ("sprintf", "%10d %v", [1, "a"]), ("bits.lsh", 1, 64), ("mul", 10**20, 10**20), ("product", [2] * 60),
    ("concat", ",", ["a"] * 1000), ("replace", "a" * 1000, "a", "bb"), ("split", "a,b" * 100, ","), ("regex.match", "a+b", "a" * 10_000),
    ("regex.find_n", "a", "a" * 100, -1), ("glob.match", "*.example.com", [], "a.example.com"), ("net.cidr_expand", "10.0.0.0/24"),
    ("walk", {"a": [1, 2, {"b": 3}]}), ("sort", list(range(1000))), ("json.marshal", WIDE[0]), ("json.unmarshal", "[1,2,3]"),
    ("equal", WIDE[0], list(WIDE[0])), ("sum", [Decimal("0.1")] * 100), ("crypto.sha256", "a" * 1000), ("contains", "a" * MEGABYTE, "b"),
]  # fmt: skip


@pytest.mark.parametrize("work", ORDINARY, ids=[work[0] for work in ORDINARY])
def test_ordinary_work_costs_little(work):
    assert spend(*work) < STEPS // 10


@pytest.mark.parametrize(
    "name", ["walk", "sort", "json.marshal", "count", "array.reverse", "cast_set", "sum"]
)
def test_what_is_charged_grows_with_the_collection(name):
    small, large = spend(name, list(range(100))), spend(name, list(range(5000)))
    assert large > small * 10 or name == "count"


@pytest.mark.parametrize(
    ("name", "rest"),
    [("contains", ["b"]), ("regex.match", None), ("lower", []), ("crypto.sha256", []), ("base64.encode", [])],
)
def test_what_is_charged_grows_with_the_text(name, rest):
    def operands(text):
        return ["a+b", text] if rest is None else [text, *rest]

    assert spend(name, *operands("é" * 200_000)) > spend(name, *operands("é" * 2_000)) * 5


def counting_loop(stmt, depth):
    """Scans the same array inside itself."""
    body = [stmt("Nop")]
    for level in range(depth):
        body = [stmt("Scan", source=2, key=10 + 2 * level, value=11 + 2 * level, block=body)]
    return [stmt("Dot", source=0, key="xs", target=2), *body, stmt("ResultSetAdd", value=2)]


@pytest.mark.parametrize("depth", [4, 30])
def test_loops_inside_loops_end(text, stmt, run, depth):
    plan = text.plan(counting_loop(stmt, depth))
    with pytest.raises(BudgetExceeded) as caught:
        run(plan, {"xs": list(range(100))}, steps_max=STEPS)
    assert caught.value.file == "a.rego"
    assert run(plan, {"xs": [0]}, steps_max=STEPS) == [[0]]


def test_a_value_doubled_in_a_loop_ends(text, stmt, run):
    text.builtins = {"array.concat": 2, "numbers.range": 2}
    body = [stmt("Call", func="array.concat", args=[5, 5], result=5)]
    plan = text.plan([
        stmt("MakeNumberInt", value=1, target=3), stmt("MakeNumberInt", value=60, target=4),
        stmt("Call", func="numbers.range", args=[3, 4], result=6), stmt("MakeArray", capacity=0, target=5),
        stmt("ArrayAppend", array=5, value="x"), stmt("Scan", source=6, key=7, value=8, block=body),
        stmt("ResultSetAdd", value=5),
    ])  # fmt: skip
    with pytest.raises(BudgetExceeded):
        run(plan)


def test_a_call_costs_a_step(text, stmt, run):
    text.function("f", [0, 1, 2], [stmt("ReturnLocal", source=2)])
    calls = [stmt("Call", func="f", args=[0, 1, "x"], result=5 + i) for i in range(50)]
    plan = text.plan([*calls, stmt("ResultSetAdd", value=5)])
    with pytest.raises(BudgetExceeded):
        run(plan, steps_max=50)
    assert run(plan, steps_max=52) == ["x"]
