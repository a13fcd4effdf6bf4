"""OPA's compliance cases: unpacked, evaluated, compared, and held against the tables of exceptions."""

from __future__ import annotations

import json
import math
import os
import tarfile
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from policies.engines.ir.budget import Budget
from policies.engines.ir.errors import EvaluationFailed, PlanRejected
from policies.engines.ir.program import UNDEFINED, Program
from policies.engines.ir.trace import Trace
from policies.engines.ir.values import RegoSet, object_key

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
ARCHIVE = Path(os.environ.get("TOOLGATE_OPA_CASES", ROOT.parent / "shared" / "data" / "opa-v1-cases.tar.xz"))
NOW_NS = 1_700_000_000_000_000_000
CASES = 2067


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One compliance case; ``name`` is the folder it stands in and its note."""

    name: str
    content: dict[str, Any]

    @property
    def wants_error(self) -> bool:
        return bool(self.content.get("want_error_code") or self.content.get("want_error"))

    @property
    def wanted(self) -> list[dict[str, Any]]:
        return self.content["want_plan_result"] or []

    @property
    def input(self) -> Any:
        if "input_term" in self.content:
            return rego_term(self.content["input_term"])
        return self.content.get("input", UNDEFINED)


@pytest.fixture(scope="session")
def opa_cases(tmp_path_factory: pytest.TempPathFactory) -> list[Case]:
    folder = tmp_path_factory.mktemp("opa-cases")
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    found = [
        Case(name=f"{file.parent.name}: {content['note']}", content=content)
        for file in sorted(folder.rglob("*.json"))
        for content in json.loads(file.read_bytes())["cases"]
    ]
    assert len(found) == CASES
    return found


# -- running ------------------------------------------------------------------------------------------------------


def fault(
    case: Case, plan: dict[str, Any], unwrap: Callable[[Any], Any], *, trace: Trace | None = None
) -> str:
    """What is wrong with this case under this plan; empty when it does what it must."""
    try:
        # The cases use builtins that policies may not; here each must be known or be an exception.
        program = Program.from_plan(plan, banned=frozenset())
    except PlanRejected as exc:
        return f"rejected: {exc}"[:200]
    try:
        found = program.evaluate(
            program.entrypoints[0],
            case.input,
            program.prepare(case.content.get("data") or {}),
            now_ns=NOW_NS,
            trace=trace,
            strict_builtin_errors=bool(case.content.get("strict_error")),
        )
    except EvaluationFailed as exc:
        return "" if case.wants_error else f"{exc.code}: {exc}"[:200]
    if case.wants_error:
        return f"no error, but {found}"[:200]
    results = [unwrap(result) for result in found]
    ordered = not case.content.get("sort_bindings")
    if len(results) == len(case.wanted) and all(
        any(same(result, wanted, ordered=ordered) for wanted in case.wanted) for result in results
    ):
        return ""
    return f"{json.dumps(results)[:200]} instead of {json.dumps(case.wanted)[:200]}"


def same(a: Any, b: Any, *, ordered: bool) -> bool:
    """JSON equality: numbers by value, to the precision of a float; arrays in any order where the case says so."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, int | float) and isinstance(b, int | float):
        return a == b or math.isclose(a, b, rel_tol=1e-12)
    if type(a) is not type(b):
        return False
    if isinstance(a, list):
        if not ordered:
            a, b = (sorted(x, key=lambda v: json.dumps(v, sort_keys=True)) for x in (a, b))
        return len(a) == len(b) and all(same(x, y, ordered=ordered) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k], ordered=ordered) for k in a)
    return bool(a == b)


# -- exceptions ---------------------------------------------------------------------------------------------------


def exceptions(table: str) -> dict[str, str]:
    """Names of cases that cannot pass, with the reason, from a table whose groups are ``reason`` and ``cases``."""
    found: dict[str, str] = {}
    for group in tomllib.loads((HERE / table).read_text())["exception"]:
        for name in group["cases"]:
            assert name not in found, f"{name} is listed twice"
            found[name] = group["reason"]
    return found


def assert_ratchet(faults: dict[str, str], names: set[str], table: str) -> None:
    """Every fault is an exception, every exception still is a fault, and nothing is excepted that is not there."""
    excepted = exceptions(table)
    new = {name: text for name, text in faults.items() if name not in excepted}
    assert not new, f"{len(new)} cases fail:\n" + "\n".join(
        f"{n} -> {t}" for n, t in sorted(new.items())[:50]
    )
    passing = sorted(excepted.keys() - faults.keys())
    assert not passing, f"these pass; take them out of {table}: {passing}"
    assert excepted.keys() <= names


@pytest.fixture(scope="session")
def ratchet() -> Callable[..., None]:
    return assert_ratchet


@pytest.fixture(scope="session")
def find_fault() -> Callable[..., str]:
    return fault


# -- inputs written as Rego terms ---------------------------------------------------------------------------------

_BUDGET = Budget(1_000_000)


def rego_term(text: str) -> Any:
    """The value of a Rego term without variables: JSON, sets, and commas at the end."""
    value, end = _term(text, _skip(text, 0))
    assert _skip(text, end) == len(text)
    return value


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def _members(text: str, at: int, close: str) -> Iterator[tuple[Any, Any, int]]:
    """Members up to the closing bracket as (value, value after a colon or UNDEFINED, where it ends)."""
    at = _skip(text, at)
    while text[at] != close:
        first, at = _term(text, at)
        at, second = _skip(text, at), UNDEFINED
        if text[at] == ":":
            second, at = _term(text, _skip(text, at + 1))
            at = _skip(text, at)
        at = _skip(text, at + 1) if text[at] == "," else at
        yield first, second, at


def _term(text: str, at: int) -> tuple[Any, int]:
    if text.startswith("set()", at):
        return RegoSet(), at + len("set()")
    if text[at] not in "[{":
        return json.JSONDecoder().raw_decode(text, at)
    close = "]" if text[at] == "[" else "}"
    found = list(_members(text, at + 1, close))
    end = (found[-1][2] if found else _skip(text, at + 1)) + 1
    if close == "]":
        return [first for first, _, _ in found], end
    if found and found[0][1] is UNDEFINED:
        return RegoSet.of([first for first, _, _ in found], _BUDGET), end
    return {object_key(first, _BUDGET): second for first, second, _ in found}, end
