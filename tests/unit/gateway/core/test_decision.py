"""From verdict to decision: deny over hold over allow, and one place that can say ALLOW."""

from __future__ import annotations

import ast
import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.core.decision import Effect, decide, refusal
from gateway.core.obligations import why_not
from policies.model import Denial, Duty
from tests.fakes import hold_rule, verdict

SOURCES = Path(__file__).resolve().parents[4] / "gateway"

DENIALS = ((), (Denial(code="no", message="no", would_pass="yes", rule="toolgate.rules.a"),))
HOLDS = ((), (hold_rule(),))
NOBODY_CAN = Duty(code="mask", do="redact", kind="horoscope", rule="toolgate.rules.b")
DUTIES = ((), (NOBODY_CAN,))
CASES = tuple(itertools.product(DENIALS, HOLDS, DUTIES, (False, True)))


@pytest.mark.abuse(54)
@pytest.mark.parametrize(("denials", "holds", "duties", "allow"), CASES)
def test_deny_overrides_hold_overrides_allow(denials, holds, duties, allow):
    decision = decide(verdict(allow=allow, denials=denials, holds=holds, duties=duties))
    if denials or duties:
        expected = Effect.DENY
    elif holds:
        expected = Effect.HOLD
    else:
        expected = Effect.ALLOW if allow else Effect.DENY
    assert decision.effect is expected
    assert decision.codes
    assert decision.revision == "r1"


def test_nothing_said_is_a_denial_that_says_what_would_pass():
    decision = decide(verdict())
    assert decision.codes == ("not_allowed",)
    assert decision.reasons[0].would_pass


def test_an_obligation_that_cannot_be_carried_out_denies():
    refused = decide(verdict(allow=True, duties=DUTIES[1]))
    assert refused.codes == ("unsupported_obligation",)
    assert "horoscope" in refused.reasons[0].message
    able = replace(NOBODY_CAN, kind="email")
    assert decide(verdict(allow=True, duties=(able,))).effect is Effect.ALLOW, "control"


@pytest.mark.parametrize(
    ("do", "kind", "able"),
    [
        ("redact", "personal", True),
        ("tokenise", "email", True),
        ("tokenise", "secret", False),
        ("strip", "", True),
        ("block", "", True),
        ("block", "injection", True),
        ("label", "from-the-web", True),
        ("label", "a\nb", False),
        ("label", "l" * 65, False),
    ],
)
def test_what_can_be_done_to_a_result_is_a_table(do, kind, able):
    assert (why_not(Duty(code="d", do=do, kind=kind, rule="toolgate.rules.b")) == "") is able
    known = Duty(code="d", do=do, kind=kind, rule="toolgate.rules.b", properties={"colour": "red"})
    assert "colour" in why_not(known), "a property that nobody knows is a duty that nobody can do"


def test_every_denial_keeps_its_rule_and_what_would_pass():
    denials = (DENIALS[1][0], Denial(code="also", message="", would_pass="", rule="toolgate.rules.c"))
    decision = decide(verdict(denials=denials))
    assert [(one.code, one.rule, one.would_pass) for one in decision.reasons] == [
        ("no", "toolgate.rules.a", "yes"),
        ("also", "toolgate.rules.c", ""),
    ]


def test_a_refusal_of_the_gateways_own_is_a_denial():
    assert refusal("policy_timeout", "late").effect is Effect.DENY


def test_only_decide_can_make_a_decision_that_allows():
    """Elsewhere ``Effect.ALLOW`` is only compared with, or spelled out for a record."""
    makers = set()
    uses = 0
    for path in sorted(SOURCES.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Call)
                and getattr(node.func, "id", getattr(node.func, "attr", "")) == "Decision"
            ):
                makers.add((path.name, enclosing(node, parents)))
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Effect":
                makers.add((path.name, "Effect() from a value"))
            if is_allow(node):
                uses += 1
                parent = parents[node]
                if path.name == "record.py" and isinstance(parent, ast.IfExp):
                    parent = parents[parent]  # (Effect.ALLOW if forwarded else ...).value
                if not isinstance(parent, ast.Compare) and not (
                    isinstance(parent, ast.Attribute) and parent.attr == "value"
                ):
                    makers.add((path.name, enclosing(node, parents)))
    assert uses >= 3, "the search must find something"
    assert makers == {("decision.py", "decide"), ("decision.py", "refusal")}


def is_allow(node):
    return (
        isinstance(node, ast.Attribute) and node.attr == "ALLOW" and getattr(node.value, "id", "") == "Effect"
    )


def enclosing(node, parents):
    while not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        node = parents[node]
    return node.name
