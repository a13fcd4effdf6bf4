"""A plan that is wrong is refused with every reason; beside each, the same plan without the fault loads."""

from __future__ import annotations

import copy

import pytest

from policies.engines.ir.builtins import REGISTRY
from policies.engines.ir.errors import PlanRejected
from policies.engines.ir.program import BANNED_BUILTINS, Program


def codes(plan):
    """The problem codes of a plan; none when it loads."""
    try:
        Program.from_plan(plan)
    except PlanRejected as exc:
        return [problem.code for problem in exc.problems]
    return []


@pytest.fixture
def answer(stmt):
    return [stmt("MakeNull", target=2), stmt("ResultSetAdd", value=2)]


def test_a_plan_that_is_in_order_loads(text, answer):
    program = Program.from_plan(text.plan(answer))
    assert program.entrypoints == ("main",)
    assert program.builtins == frozenset()


def test_a_variable_that_nothing_assigns_is_refused_at_its_row(text, stmt, answer):
    with pytest.raises(PlanRejected) as caught:
        Program.from_plan(text.plan([stmt("IsUndefined", source=9), *answer]))
    (problem,) = caught.value.problems
    assert (problem.code, problem.file, problem.row, problem.column) == ("unsafe_variable", "a.rego", 1, 3)
    assert str(problem).startswith("a.rego:1:3: unsafe_variable: ")
    assigned = type(text)().plan([stmt("ResetLocal", target=9), stmt("IsUndefined", source=9), *answer])
    assert codes(assigned) == []


def test_a_variable_of_another_function_does_not_count(text, stmt, answer):
    text.function("f", [0, 1], [stmt("MakeNull", target=9), stmt("ReturnLocal", source=9)])
    assert codes(text.plan([stmt("IsUndefined", source=9), *answer])) == ["unsafe_variable"]


@pytest.mark.parametrize("name", sorted(BANNED_BUILTINS))
def test_a_banned_builtin_is_refused_at_its_row(text, stmt, answer, name):
    text.builtins = {name: 0}
    with pytest.raises(PlanRejected) as caught:
        Program.from_plan(text.plan([stmt("Nop"), stmt("Call", func=name, args=[], result=3), *answer]))
    (problem,) = caught.value.problems
    assert (problem.code, problem.row) == ("banned_builtin", 2)


def test_a_banned_builtin_that_is_only_declared_is_refused(text, answer):
    text.builtins = {"http.send": 1}
    assert codes(text.plan(answer)) == ["banned_builtin"]
    text.builtins = {"count": 1}
    assert codes(text.plan(answer)) == []


def test_no_banned_builtin_exists_here():
    assert not BANNED_BUILTINS & REGISTRY.keys()


def test_a_builtin_or_function_that_is_not_known_is_refused(text, stmt, answer):
    text.builtins = {"graphql.parse": 0}
    calls = [stmt("Call", func=name, args=[], result=3) for name in ("graphql.parse", "data.nothing")]
    assert codes(text.plan([*calls, *answer])) == ["unknown_builtin", "unknown_function"]
    known = type(text)(builtins={"time.now_ns": 0})
    assert codes(known.plan([stmt("Call", func="time.now_ns", args=[], result=3), *answer])) == []


def test_a_call_with_the_wrong_number_of_operands_is_refused(text, stmt, answer):
    text.builtins = {"count": 1}
    text.function("f", [0, 1, 2], [stmt("ReturnLocal", source=2)])
    wrong = [
        stmt("Call", func="count", args=["a", "b"], result=3),
        stmt("Call", func="f", args=[0, 1], result=3),
    ]
    dynamic = stmt("CallDynamic", path=["g0"], args=[0], result=3)
    assert codes(text.plan([*wrong, dynamic, *answer])) == ["arity"] * 3
    right = [
        stmt("Call", func="count", args=["a"], result=3),
        stmt("Call", func="f", args=[0, 1, "x"], result=3),
    ]
    assert codes(text.plan([*right, *answer])) == []


def test_recursion_is_refused_however_long_its_way(text, stmt, answer):
    for name, callee in (("a", "b"), ("b", "c"), ("c", "a")):
        text.function(
            name, [0, 1], [stmt("Call", func=callee, args=[0, 1], result=3), stmt("ReturnLocal", source=3)]
        )
    with pytest.raises(PlanRejected) as caught:
        Program.from_plan(text.plan(answer))
    (problem,) = caught.value.problems
    assert (problem.code, problem.message) == ("recursion", "a -> b -> c -> a")


def test_calls_that_meet_again_are_no_recursion(text, stmt, answer):
    for name, callees in (("a", "bc"), ("b", "d"), ("c", "d"), ("d", "")):
        calls = [stmt("Call", func=callee, args=[0, 1], result=3) for callee in callees]
        text.function(name, [0, 1], [*calls, stmt("MakeNull", target=4), stmt("ReturnLocal", source=4)])
    assert codes(text.plan(answer)) == []


@pytest.mark.parametrize(
    ("name", "operands", "right"),
    [("regex.match", ["(", "a"], ["()", "a"]), ("regex.replace", ["a", r"\1", "b"], ["a", r"\d", "b"])],
)
def test_a_constant_pattern_that_does_not_compile_is_refused(text, stmt, answer, name, operands, right):
    text.builtins = {name: len(operands)}
    assert codes(text.plan([stmt("Call", func=name, args=operands, result=3), *answer])) == [
        "malformed_pattern"
    ]
    through_local = [stmt("AssignVar", source=operands[0], target=4)]
    if name == "regex.match":
        call = stmt("Call", func=name, args=[4, "a"], result=3)
        assert codes(text.plan([*through_local, call, *answer])) == ["malformed_pattern"]
    assert codes(text.plan([stmt("Call", func=name, args=right, result=3), *answer])) == []


def test_a_number_constant_that_is_none_is_refused(text, stmt, answer):
    wrong = [stmt("MakeNumberRef", index=number, target=3) for number in ("x", "1e999999999", "NaN")]
    assert codes(text.plan([*wrong, *answer])) == ["malformed_number"] * 3
    assert codes(text.plan([stmt("MakeNumberRef", index="1.50", target=3), *answer])) == []


@pytest.mark.parametrize(
    ("kind", "members"),
    [("Break", {"index": 1}), ("ReturnLocal", {"source": 0})],
)
def test_a_way_out_that_leads_nowhere_is_refused(text, stmt, answer, kind, members):
    assert codes(text.plan([stmt(kind, **members), *answer])) == ["malformed_plan"]


def test_blocks_nested_without_end_are_refused(text, stmt, answer):
    def nested(depth):
        block = [stmt("Nop")]
        for _ in range(depth):
            block = [stmt("Block", blocks=[block])]
        return type(text)().plan([*block, *answer])

    assert codes(nested(100)) == []
    assert "malformed_plan" in codes(nested(200))


def test_a_plan_without_an_entrypoint_is_refused(text):
    plan = text.plan([])
    plan["plans"]["plans"] = []
    assert codes(plan) == ["malformed_plan"]


def places(node, path=()):
    """Every place inside a JSON value."""
    yield path
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, member in items:
        yield from places(member, (*path, key))


@pytest.mark.parametrize(
    "odd", [None, -1, 10**9, 1.5, "x", [], {}, True, {"type": "local", "value": "x"}], ids=repr
)
def test_a_plan_damaged_anywhere_is_refused_or_loads_but_never_crashes(text, stmt, answer, odd):
    text.builtins = {"count": 1}
    text.function(
        "f",
        [0, 1],
        [stmt("Scan", source=0, key=3, value=4, block=[stmt("ReturnLocal", source=4)])],
        path=["g0", "f"],
    )
    body = [
        stmt("Call", func="f", args=[0, 1], result=3), stmt("With", local=0, path=["a"], value=3, block=answer),
        stmt("CallDynamic", path=["g0", 3], args=[0, 1], result=4), stmt("MakeNumberRef", index="1", target=5),
        stmt("Block", blocks=[[stmt("Break", index=0)]]), stmt("Dot", source=0, key="a", target=6),
    ]  # fmt: skip
    plan = text.plan(body, answer)
    assert codes(plan) == []
    for path in list(places(plan)):
        if not path:
            continue
        damaged = copy.deepcopy(plan)
        holder = damaged
        for step in path[:-1]:
            holder = holder[step]
        holder[path[-1]] = odd
        assert isinstance(codes(damaged), list)
