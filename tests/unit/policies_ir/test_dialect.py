"""rego-cpp's plans, brought to OPA's dialect."""

from __future__ import annotations

import copy
import json

import pytest

from policies.engines.ir.dialect import normalise_regopy
from policies.engines.ir.program import Program


@pytest.mark.parametrize(
    ("theirs", "plain"),
    [
        ("plain", "plain"), ('q\\"uote', 'q"uote'), ("back\\\\slash", "back\\slash"), ("u\\u00e9", "ué"), ('"quoted"', "quoted"),
        ('\\"both\\"', '"both"'), ("bare\nbreak", "bare\nbreak"), ("", ""), ('""', ""), ("bad\\escape", "bad\\escape"), ('"', '"'),
    ],
)  # fmt: skip
def test_strings_lose_their_escapes(theirs, plain):
    normal = normalise_regopy({"static": {"strings": [{"value": theirs}]}})
    assert normal["static"]["strings"][0] == {"value": plain}


def test_rows_and_columns_count_from_one_and_the_plan_given_is_left_alone(text, stmt):
    plan = text.plan([stmt("MakeNull", target=2), stmt("ResultSetAdd", value=2)])
    before = copy.deepcopy(plan)
    first, second = normalise_regopy(plan)["plans"]["plans"][0]["blocks"][0]["stmts"]
    assert (first["stmt"]["row"], second["stmt"]["row"], first["stmt"]["col"]) == (2, 3, 4)
    assert plan == before


def test_paths_of_dynamic_calls_lead_to_functions(text, stmt):
    text.function("r", [0, 1], [stmt("ReturnLocal", source=0)], path=["g0", "p"])
    plan = normalise_regopy(
        text.plan(
            [stmt("CallDynamic", path=["data", "p"], args=[0, 1], result=2), stmt("ResultSetAdd", value=2)]
        )
    )
    program = Program.from_plan(plan)
    assert program.evaluate("main", {"a": 1}, program.prepare({}), now_ns=0) == [{"a": 1}]


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"static": None},
        {"static": {"strings": [1, {"value": 2}]}},
        {"type": "CallDynamicStmt", "stmt": {"path": [1]}},
    ],
)
def test_what_is_no_plan_is_left_for_the_verifier(odd):
    assert json.dumps(normalise_regopy(odd))
