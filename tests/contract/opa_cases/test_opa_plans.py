"""OPA's 2,067 compliance cases from the plans that OPA itself made of them."""

from __future__ import annotations

import pytest

from policies.engines.ir.trace import Trace

pytestmark = pytest.mark.needs("opa-cases")
TABLE = "exceptions_opa.toml"


def test_every_case_gives_the_wanted_result_or_is_a_known_exception(opa_cases, find_fault, ratchet):
    faults = {}
    for case in opa_cases:
        fault = find_fault(case, case.content["plan"], lambda result: result)
        if fault:
            faults[case.name] = fault
    ratchet(faults, {case.name for case in opa_cases}, TABLE)


def test_a_trace_changes_no_result(opa_cases, find_fault, ratchet):
    faults = {}
    for case in opa_cases:
        # A trace copies the input, which must be JSON then; six cases have sets in it.
        trace = None if "input_term" in case.content else Trace()
        fault = find_fault(case, case.content["plan"], lambda result: result, trace=trace)
        if fault:
            faults[case.name] = fault
    ratchet(faults, {case.name for case in opa_cases}, TABLE)


def test_a_wrong_result_is_noticed(opa_cases, find_fault):
    case = next(case for case in opa_cases if case.name == "aggregates: aggregates/count")
    assert not find_fault(case, case.content["plan"], lambda result: result)
    assert find_fault(case, case.content["plan"], lambda result: {**result, "x": "another"})
