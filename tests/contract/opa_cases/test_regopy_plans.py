"""The same cases, compiled by regopy: its plans, brought to OPA's dialect, give what OPA wants."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from policies.engines.ir.dialect import normalise_regopy

pytestmark = pytest.mark.needs("opa-cases")
COMPILER = Path(__file__).with_name("compile_cases.py")
COMPILE_S_MAX = 60


@pytest.fixture(scope="module")
def regopy_plans(opa_cases):
    """Plans by the number of the case. A case that crashes the compiler has none, and the rest goes on after it."""
    plans, start = {}, 0
    while start < len(opa_cases):
        lines = []
        for number in range(start, len(opa_cases)):
            content = opa_cases[number].content
            wanted = {name: content.get(name) for name in ("query", "data")}
            lines.append(json.dumps([number, {**wanted, "modules": content.get("modules") or []}]))
        ran = subprocess.run(
            [sys.executable, COMPILER],
            input="\n".join(lines),
            capture_output=True,
            text=True,
            timeout=COMPILE_S_MAX,
            check=False,
        )
        answers = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("[")]
        plans |= {answer[0]: answer[1] for answer in answers if len(answer) == 2}
        start = max((answer[0] for answer in answers), default=start) + 1
    return plans


def unwrapped(wanted):
    """A query's result has the bindings inside; variables that nobody asked for are left out."""
    asked = {name for result in wanted for name in result}

    def unwrap(result):
        return {name: value for name, value in result["result"].get("bindings", {}).items() if name in asked}

    return unwrap


def test_every_case_that_compiles_gives_the_wanted_result_or_is_a_known_exception(
    opa_cases, regopy_plans, find_fault, ratchet
):
    assert len([plan for plan in regopy_plans.values() if plan]) >= 2060
    faults = {}
    for number, case in enumerate(opa_cases):
        plan = regopy_plans.get(number)
        if plan is None:
            faults[case.name] = "regopy makes no plan of it"
            continue
        fault = find_fault(case, normalise_regopy(plan), unwrapped(case.wanted))
        if fault:
            faults[case.name] = fault
    ratchet(faults, {case.name for case in opa_cases}, "exceptions_regopy.toml")
