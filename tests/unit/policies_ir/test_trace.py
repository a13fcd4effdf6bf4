"""What a trace says, and that nothing else changes by taking one."""

from __future__ import annotations

import pytest

from policies.engines.ir.program import UNDEFINED
from policies.engines.ir.trace import EVENTS_MAX, RuleResult, Trace


@pytest.fixture
def plan(text, stmt):
    """allow := count(input.tool.id) == 3, and print what it is."""
    text.builtins = {"count": 1, "internal.print": 1}
    text.function(
        "data.p.allow", [0, 1],
        [
            stmt("Dot", source=0, key="tool", target=3),
            stmt("Dot", source=3, key="a/b", target=4),
            stmt("Call", func="count", args=[4], result=5),
            stmt("MakeNumberInt", value=3, target=6),
            stmt("Equal", a=5, b=6),
            stmt("MakeArray", capacity=1, target=7), stmt("ArrayAppend", array=7, value=4),
            stmt("Call", func="internal.print", args=[7], result=8),
            stmt("ReturnLocal", source=8),
        ],
    )  # fmt: skip
    return text.plan(
        [stmt("Call", func="data.p.allow", args=[0, 1], result=2), stmt("ResultSetAdd", value=2)]
    )


def test_a_trace_says_what_was_reached_read_called_and_answered(plan, run):
    trace = Trace()
    assert run(plan, {"tool": {"a/b": "abc"}, "other": 1}, trace=trace) == run(plan, {"tool": {"a/b": "abc"}})
    assert set(trace.rows["a.rego"]) == set(range(1, 12))
    assert trace.reads == {"/tool", "/tool/a~1b"}
    assert trace.results == [RuleResult(name="data.p.allow", value=True)]
    assert [(call.name, call.operands, call.result, call.row) for call in trace.calls][:1] == [
        ("count", ("abc",), 3, 3)
    ]
    assert trace.notes == ["abc"]
    assert not trace.stops


def test_a_trace_says_where_a_rule_stopped(plan, run):
    trace = Trace()
    assert run(plan, {"tool": {"a/b": "abcd"}}, trace=trace) == []
    assert trace.stops == {("a.rego", 5, 3): 1, ("a.rego", 10, 3): 1}
    assert set(trace.rows["a.rego"]) == {1, 2, 3, 4, 5, 10}
    assert trace.results == [RuleResult(name="data.p.allow", value=UNDEFINED)]


def test_what_is_missing_was_read_too(plan, run):
    trace = Trace()
    assert run(plan, {"other": 1}, trace=trace) == []
    assert trace.reads == {"/tool"}


def test_scanning_reads_the_whole_collection(text, stmt, run):
    plan = text.plan([
        stmt("Dot", source=0, key="xs", target=2), stmt("Scan", source=2, key=3, value=4, block=[stmt("Dot", source=4, key="id", target=5)]),
        stmt("ResultSetAdd", value=2),
    ])  # fmt: skip
    trace = Trace()
    run(plan, {"xs": [{"id": 1}, {"id": 2}]}, trace=trace)
    assert trace.reads == {"/xs", "/xs/0/id", "/xs/1/id"}


def test_a_refusal_of_a_builtin_is_noted(text, stmt, run):
    text.builtins = {"to_number": 1}
    plan = text.plan([stmt("Call", func="to_number", args=["x"], result=2), stmt("ResultSetAdd", value=2)])
    trace = Trace()
    assert run(plan, trace=trace) == []
    assert trace.notes == ["to_number: 'x' is not a number"]


def test_a_trace_is_bounded(text, stmt, run):
    text.function("f", [0, 1, 2], [stmt("ReturnLocal", source=2)])
    plan = text.plan(
        [stmt("Scan", source=0, key=3, value=4, block=[stmt("Call", func="f", args=[0, 1, 4], result=5)])]
    )
    trace = Trace()
    run(plan, list(range(EVENTS_MAX + 5)), trace=trace)
    assert len(trace.results) == EVENTS_MAX
    assert trace.dropped == 5


def test_printing_without_a_trace_goes_nowhere(plan, run, capsys):
    assert run(plan, {"tool": {"a/b": "abc"}}) == [True]
    assert capsys.readouterr() == ("", "")
