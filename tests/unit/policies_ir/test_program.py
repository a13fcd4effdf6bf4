"""Evaluation: every way in and out of blocks, what is remembered, and what never becomes an answer."""

from __future__ import annotations

import math
import threading
from decimal import Decimal

import pytest

from policies.engines.ir.errors import BudgetExceeded, EvaluationConflict, EvaluationFailed
from policies.engines.ir.program import UNDEFINED, Limits, Program


def collected(stmt, body):
    """Statements that append to local 2, whose array is the result."""
    return [stmt("MakeArray", capacity=0, target=2), *body, stmt("ResultSetAdd", value=2)]


def test_an_undefined_input_gives_an_empty_result_set(text, stmt, run):
    plan = text.plan([stmt("Dot", source=0, key="a", target=2), stmt("ResultSetAdd", value=2)])
    assert run(plan) == []
    assert run(plan, None) == []
    assert run(plan, {"a": None}) == [None]


def test_a_scan_sees_objects_and_sets_in_order_and_nothing_in_other_values(text, stmt, run):
    body = [stmt("ArrayAppend", array=2, value=4), stmt("ArrayAppend", array=2, value=5)]
    plan = text.plan(
        collected(stmt, [stmt("Block", blocks=[[stmt("Scan", source=0, key=4, value=5, block=body)]])])
    )
    assert run(plan, {"b": 1, "a": 2}) == [["a", 2, "b", 1]]
    assert run(plan, ["x"]) == [[0, "x"]]
    assert run(plan, "text") == [[]]


@pytest.mark.parametrize(("index", "wanted"), [(0, [[1, 2, "in", "out"]]), (1, [[1, "out"]]), (2, [])])
def test_a_break_leaves_as_many_blocks_as_it_says(text, stmt, run, index, wanted):
    # A scan's body is a block too: leaving it goes on with the next member, leaving one more ends the scan.
    append = stmt("ArrayAppend", array=2, value=5)
    scan = stmt("Scan", source=0, key=4, value=5, block=[append, stmt("Break", index=index), append])
    inner = [scan, stmt("ArrayAppend", array=2, value="in")]
    plan = text.plan(
        collected(stmt, [stmt("Block", blocks=[inner]), stmt("ArrayAppend", array=2, value="out")])
    )
    assert run(plan, [1, 2]) == wanted


def test_a_break_out_of_three_blocks_skips_what_follows_in_each(text, stmt, run):
    scan = stmt("Scan", source=0, key=4, value=5, block=[stmt("Block", blocks=[[stmt("Break", index=3)]])])
    middle = stmt("Block", blocks=[[scan, stmt("ArrayAppend", array=2, value="middle")]])
    outer = stmt("Block", blocks=[[middle, stmt("ArrayAppend", array=2, value="outer")]])
    after = stmt("ArrayAppend", array=2, value="after")
    assert run(text.plan(collected(stmt, [outer, after])), [1]) == [["after"]]
    assert run(text.plan(collected(stmt, [outer, after])), []) == [["middle", "outer", "after"]]


def test_negation_holds_when_its_block_is_left(text, stmt, run):
    negation = stmt("Not", block=[stmt("Dot", source=0, key="a", target=4), stmt("NotEqual", a=4, b=False)])
    plan = text.plan([negation, stmt("MakeNull", target=2), stmt("ResultSetAdd", value=2)])
    assert run(plan, {}) == [None]
    assert run(plan, {"a": False}) == [None]
    assert run(plan, {"a": 1}) == []


@pytest.mark.parametrize("depth", [1, 10, 17, 18, 25, 60])
def test_loops_nest_deeper_than_python_allows(text, stmt, run, depth):
    body = [stmt("ArrayAppend", array=2, value="end")]
    for level in range(depth):
        body = [stmt("Scan", source=0, key=10 + 2 * level, value=11 + 2 * level, block=body)]
    plan = text.plan(collected(stmt, [stmt("Block", blocks=[body])]))
    assert run(plan, ["one"]) == [["end"]]


@pytest.mark.parametrize("depth", [3, 25])
def test_a_function_returns_from_the_depth_of_its_loops(text, stmt, run, depth):
    body = [stmt("Equal", a=11, b="x"), stmt("ReturnLocal", source=10)]
    for level in range(depth):
        body = [stmt("Scan", source=0, key=10 + 2 * level, value=11 + 2 * level, block=body)]
    text.function("f", [0, 1], body, [stmt("MakeNull", target=5), stmt("ReturnLocal", source=5)])
    plan = text.plan([stmt("Call", func="f", args=[0, 1], result=2), stmt("ResultSetAdd", value=2)])
    assert run(plan, ["a", "x"]) == [1]
    assert run(plan, ["a"]) == [None]


@pytest.mark.parametrize("depth", [2, 30])
def test_a_break_leaves_the_depth_of_its_loops(text, stmt, run, depth):
    body = [stmt("Break", index=depth)]
    for level in range(depth):
        body = [
            stmt("Scan", source=0, key=10 + 2 * level, value=11 + 2 * level, block=body),
            stmt("ArrayAppend", array=2, value="x"),
        ]
    plan = text.plan(collected(stmt, [stmt("Block", blocks=[body])]))
    assert run(plan, [1]) == [[]]


def test_with_changes_what_rules_see_and_only_inside(text, stmt, run):
    text.function("r", [0, 1], [stmt("Dot", source=0, key="a", target=3), stmt("ReturnLocal", source=3)])
    ask = [stmt("Call", func="r", args=[0, 1], result=5), stmt("ArrayAppend", array=2, value=5)]
    plan = text.plan(collected(stmt, [
        *ask, stmt("With", local=0, path=["a"], value="mock", block=ask), *ask,
        stmt("With", local=0, path=["b", "c"], value="x", block=[*ask, stmt("Dot", source=0, key="b", target=6), stmt("ArrayAppend", array=2, value=6)]),
    ]))  # fmt: skip
    document = {"a": "real"}
    assert run(plan, document) == [["real", "mock", "real", "real", {"c": "x"}]]
    assert document == {"a": "real"}


def test_a_return_from_inside_with_restores_what_was_remembered(text, stmt, run):
    text.function("r", [0, 1], [stmt("Dot", source=0, key="a", target=3), stmt("ReturnLocal", source=3)])
    inside = [stmt("Call", func="r", args=[0, 1], result=4), stmt("ReturnLocal", source=4)]
    text.function("s", [0, 1], [stmt("With", local=0, path=["a"], value="mock", block=inside)])
    calls = [stmt("Call", func=name, args=[0, 1], result=5 + i) for i, name in enumerate("rsr")]
    plan = text.plan(
        collected(stmt, [*calls, *[stmt("ArrayAppend", array=2, value=5 + i) for i in range(3)]])
    )
    assert run(plan, {"a": "real"}) == [["real", "mock", "real"]]


def test_a_rule_is_worked_out_once_and_a_function_each_time(text, stmt, run):
    text.function(
        "r",
        [0, 1],
        [
            stmt("Scan", source=0, key=3, value=4, block=[stmt("Nop")]),
            stmt("MakeNull", target=5),
            stmt("ReturnLocal", source=5),
        ],
    )
    calls = [stmt("Call", func="r", args=[0, 1], result=6) for _ in range(50)]
    plan = text.plan([*calls, stmt("ResultSetAdd", value=6)])
    assert run(plan, list(range(1000)), steps_max=1100) == [None]


def test_a_second_value_is_a_conflict_and_the_same_value_is_none(text, stmt, run):
    def once(*values):
        body = [stmt("AssignVarOnce", source=value, target=3) for value in values]
        return type(text)().plan([stmt("ResetLocal", target=3), *body, stmt("ResultSetAdd", value=3)])

    assert run(once("a", "a")) == ["a"]
    with pytest.raises(EvaluationConflict) as caught:
        run(once("a", "b"))
    assert (caught.value.file, caught.value.row) == ("a.rego", 3)


def test_a_second_member_under_one_key_is_a_conflict_unless_equal(text, stmt, run):
    def inserted(value):
        inserts = [stmt("ObjectInsertOnce", key="k", value=v, object=2) for v in ("a", value)]
        return type(text)().plan([stmt("MakeObject", target=2), *inserts, stmt("ResultSetAdd", value=2)])

    assert run(inserted("a")) == [{"k": "a"}]
    with pytest.raises(EvaluationConflict):
        run(inserted("b"))


def test_a_dynamic_call_finds_the_rule_and_looks_up_the_rest_of_the_path(text, stmt, run):
    text.function("r", [0, 1], [stmt("ReturnLocal", source=0)], path=["g0", "p", "r"])
    plan = text.plan(
        [
            stmt("CallDynamic", path=["g0", "p", "r", "a"], args=[0, 1], result=2),
            stmt("ResultSetAdd", value=2),
        ]
    )
    assert run(plan, {"a": 1}) == [1]
    assert run(plan, {"b": 1}) == []
    other = text.plan(
        [
            stmt("Dot", source=0, key="k", target=3),
            stmt("CallDynamic", path=["g0", "p", 3], args=[0, 1], result=2),
            stmt("ResultSetAdd", value=2),
        ]
    )
    assert run(other, {"k": "r"}) == [{"k": "r"}]
    assert run(other, {"k": ["r"]}) == []


@pytest.mark.parametrize(
    "kind", ["SetAdd", "ArrayAppend", "ObjectInsert", "ObjectInsertOnce", "NotEqual", "Equal"]
)
def test_an_undefined_operand_makes_the_statement_undefined(text, stmt, run, kind):
    make, members = {
        "SetAdd": ("MakeSet", {"set": 2, "value": 3}), "ArrayAppend": ("MakeArray", {"array": 2, "value": 3}),
        "ObjectInsert": ("MakeObject", {"object": 2, "key": "k", "value": 3}),
        "ObjectInsertOnce": ("MakeObject", {"object": 2, "key": "k", "value": 3}),
        "NotEqual": ("MakeNull", {"a": 3, "b": "other"}), "Equal": ("MakeNull", {"a": 3, "b": 3}),
    }[kind]  # fmt: skip

    def plan(reset):
        before = [stmt("ResetLocal", target=3)] if reset else [stmt("AssignVar", source="x", target=3)]
        return type(text)().plan(
            [stmt(make, target=2), *before, stmt(kind, **members), stmt("ResultSetAdd", value=2)]
        )

    assert run(plan(reset=True)) == []
    assert len(run(plan(reset=False))) == 1


def test_a_builtin_error_is_undefined_unless_errors_are_asked_for(text, stmt, run):
    text.builtins = {"to_number": 1}
    plan = text.plan([stmt("Call", func="to_number", args=["x"], result=2), stmt("ResultSetAdd", value=2)])
    assert run(plan) == []
    with pytest.raises(EvaluationFailed, match="to_number"):
        run(plan, strict_builtin_errors=True)


def test_the_time_is_an_argument(text, stmt, run):
    text.builtins = {"time.now_ns": 0}
    plan = text.plan([stmt("Call", func="time.now_ns", args=[], result=2), stmt("ResultSetAdd", value=2)])
    assert run(plan) == [1_700_000_000_123_456_789]


@pytest.mark.parametrize(
    "document",
    [{"a": math.nan}, {"a": object()}, {"a": math.inf}, {"a": (1, 2)}],
    ids=["not a number", "an object", "infinite", "a tuple"],
)
def test_an_input_that_is_not_json_is_a_failure_where_it_is_looked_at(text, stmt, run, document):
    plan = text.plan(
        [
            stmt("Dot", source=0, key="a", target=2),
            stmt("MakeSet", target=3),
            stmt("SetAdd", set=3, value=2),
            stmt("ResultSetAdd", value=3),
        ]
    )
    with pytest.raises(EvaluationFailed):
        run(plan, document)
    assert run(plan, {"a": 1.5}) == [[1.5]]


def test_deep_input_is_a_failure_and_not_a_crash(text, stmt, run):
    deep = []
    for _ in range(100_000):
        deep = [deep]
    plan = text.plan(
        [stmt("MakeSet", target=2), stmt("SetAdd", set=2, value=0), stmt("ResultSetAdd", value=2)]
    )
    with pytest.raises(EvaluationFailed):
        run(plan, deep)


def test_data_is_converted_once_and_later_changes_to_it_are_not_seen(text, stmt):
    program = Program.from_plan(text.plan([stmt("ResultSetAdd", value=1)]))
    data = {"limit": 0.1}
    prepared = program.prepare(data)
    data["limit"] = 5
    assert program.evaluate("main", UNDEFINED, prepared, now_ns=0) == [{"limit": 0.1}]
    assert prepared.document["limit"] == Decimal("0.1")
    with pytest.raises(EvaluationFailed):
        program.prepare({"a": {1, 2}})


def test_an_entrypoint_that_is_not_there_is_a_failure(text, stmt):
    program = Program.from_plan(text.plan([stmt("ResultSetAdd", value=0)]))
    with pytest.raises(EvaluationFailed, match="no entrypoint"):
        program.evaluate("other", {}, program.prepare({}), now_ns=0)


def test_strings_of_the_policy_are_only_ever_strings(text, stmt, run):
    hostile = ["'); import os; ('", "\\", "'", '"', "\n", "{x}", "\u2028", "\x00", "é\ud800", "__builtins__"]
    plan = text.plan(collected(stmt, [stmt("ArrayAppend", array=2, value=one) for one in hostile]))
    assert run(plan) == [hostile]


def test_many_threads_may_evaluate_one_program(text, stmt):
    text.function("r", [0, 1], [stmt("Dot", source=0, key="id", target=3), stmt("ReturnLocal", source=3)])
    plan = text.plan([stmt("Call", func="r", args=[0, 1], result=2), stmt("ResultSetAdd", value=2)])
    program = Program.from_plan(plan)
    data, wrong = program.prepare({}), []

    def work(number):
        answers = [program.evaluate("main", {"id": [number, i]}, data, now_ns=0) for i in range(300)]
        wrong.extend(i for i, answer in enumerate(answers) if answer != [[number, i]])

    threads = [threading.Thread(target=work, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_an_exhausted_budget_leaves_nothing_behind(text, stmt):
    program = Program.from_plan(
        text.plan(
            [stmt("Scan", source=0, key=3, value=4, block=[stmt("Nop")]), stmt("ResultSetAdd", value=0)]
        )
    )
    data = program.prepare({})
    with pytest.raises(BudgetExceeded):
        program.evaluate("main", list(range(100)), data, now_ns=0, limits=Limits(steps_max=50))
    assert program.evaluate("main", [1], data, now_ns=0, limits=Limits(steps_max=50)) == [[1]]
