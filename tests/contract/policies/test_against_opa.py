"""Fuzzed requests through the embedded evaluator and through a real OPA: the decisions must not differ.

``families/<name>/`` are policy folders, ``families/<name>.json`` says which values their inputs are
made of. One ``opa eval`` answers all requests of a family. A nightly run sets TOOLGATE_FUZZ_COUNT.
"""

from __future__ import annotations

import collections
import json
import math
import os
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest

from policies.answer import read_answer
from policies.combine import generated_modules
from policies.engines.compiler import compile_modules
from policies.engines.decision import decision_of
from policies.engines.ir.program import Program
from policies.engines.release import TRIAL_REQUEST, build_release
from policies.errors import PolicyAnswerMalformed
from policies.library import library_modules

FAMILIES_FOLDER = Path(__file__).parent / "families"
FAMILIES = sorted(path.name for path in FAMILIES_FOLDER.iterdir() if path.is_dir())
COUNT = int(os.environ.get("TOOLGATE_FUZZ_COUNT", "20000"))
SEED = int(os.environ.get("TOOLGATE_FUZZ_SEED", "0")) or random.SystemRandom().randrange(1, 2**31)
STEPS_MAX = 2_000_000
OPA_DEADLINE_S = 30 + COUNT / 500

TEXTS = frozenset({"message", "why"})
"""Keys of members that are for people alone."""
NO_TEXTS: frozenset[str] = frozenset()

ODD: list[Any] = [
    None, True, False, 0, -1, 1, 1.0, 1.5, -0.0, 0.1, 1e21, 2**53 + 1, 10**30, "", "1", "a", "é", "e\u0301",
    "\U0001f600", "\u0000", "A\nB", [], {}, [1], ["a", "a"], {"a": 1}, {"": None}, [[]], [None],
]  # fmt: skip


def drawn(pool: Any, dice: random.Random) -> Any:
    """One value: of a list one element, of ``some_of`` a subset in order, of ``list_of`` a list with repeats."""
    if isinstance(pool, list):
        return dice.choice(pool)
    if "some_of" in pool:
        return [value for value in pool["some_of"] if dice.random() < 0.5]
    return [dice.choice(pool["list_of"]) for _ in range(dice.choice([0, 1, 1, 2, 2, 3, 4]))]


def mutated(value: Any, dice: random.Random) -> Any:
    """Something nobody expects in the place of a value, or inside it."""
    if isinstance(value, list) and value and dice.random() < 0.5:
        return [*value, dice.choice(ODD)]
    if isinstance(value, dict) and value and dice.random() < 0.5:
        return {**value, dice.choice(list(value)): dice.choice(ODD)}
    return dice.choice(ODD)


def fuzzed(pools: dict[str, Any], dice: random.Random) -> dict[str, Any]:
    """The trial request with values of the family; calm ones mostly pass, wild ones may be odd or left out."""
    document: dict[str, Any] = json.loads(json.dumps(TRIAL_REQUEST))
    calm = dice.random() < 0.5
    strangeness = dice.choice([0.0, 0.0, 0.1] if calm else [0.0, 0.05, 0.3])
    for path, pool in pools["calm" if calm else "wild"].items():
        *folders, name = path.split(".")
        place = document
        for folder in folders:
            place = place[folder]
        value = drawn(pool, dice)
        if dice.random() >= strangeness:
            place[name] = value
        elif dice.random() < 0.7:
            place[name] = mutated(value, dice)
    return document


def opa_decisions(family: str, requests: list[dict[str, Any]], folder: Path) -> list[Any]:
    """What a real OPA decides about each request; None where it is undefined."""
    release_modules = {path.name: path.read_text() for path in (FAMILIES_FOLDER / family).glob("*.rego")}
    modules = {**release_modules, **library_modules(), **generated_modules([("toolgate", "rules", family)])}
    for number, text in enumerate(modules.values()):
        (folder / f"module_{number}.rego").write_text(text)
    (folder / "data.json").write_text((FAMILIES_FOLDER / family / "data.json").read_text())
    (folder / "fuzz").mkdir()
    (folder / "fuzz" / "data.json").write_text(json.dumps({"requests": requests}))
    # An undefined decision must show as an empty list instead of vanishing from the result.
    decision = "[d | d := data.toolgate.main.decision with input as request]"
    query = f"[answers | some request in data.fuzz.requests; answers := {decision}]"
    done = subprocess.run(
        ["opa", "eval", "--format", "raw", "--bundle", str(folder), query],
        capture_output=True,
        timeout=OPA_DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout.decode()[-2000:] + done.stderr.decode()[-2000:]
    answers = json.loads(done.stdout)
    return [answer[0] if answer else None for answer in answers]


def effect(decision: Any) -> str:
    """What the verdict comes to: deny over hold over allow, as the gateway combines it."""
    try:
        verdict = read_answer(decision, revision="")
    except PolicyAnswerMalformed:
        return "no verdict"
    if verdict.denials:
        return "denied"
    if verdict.holds:
        return "held"
    return "allowed" if verdict.allow else "not allowed"


def exact(value: Any, *, without: frozenset[str] = frozenset()) -> str:
    """A decision as text in which numbers are equal when Rego says so, and nothing else is.

    Members of sets come in Rego's order, which the texts of members decide too; so they are sorted again.
    """
    if isinstance(value, dict):
        kept = sorted(set(value) - without)
        return "{" + ",".join(f"{json.dumps(key)}:{exact(value[key], without=without)}" for key in kept) + "}"
    if isinstance(value, list):
        return "[" + ",".join(sorted(exact(item, without=without) for item in value)) + "]"
    if isinstance(value, float) and math.isfinite(value) and value.is_integer():
        return str(int(value))
    return json.dumps(value)


def has_plain_numbers(value: Any) -> bool:
    """Whether all its numbers have one usual spelling: 1 rather than 1.0, 0.5, but no exponents."""
    if isinstance(value, dict):
        return all(map(has_plain_numbers, value.values()))
    if isinstance(value, list):
        return all(map(has_plain_numbers, value))
    if isinstance(value, float):
        return not value.is_integer() and 1e-4 < abs(value) < 1e6
    return not isinstance(value, int) or abs(value) < 2**40


@pytest.fixture(scope="module")
def share(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[list[dict[str, Any]], list[Any]]]:
    """Family -> its requests and OPA's decisions, computed once for both compilers."""
    found = {}
    for family in FAMILIES:
        dice = random.Random(f"{SEED}/{family}")
        pools = json.loads((FAMILIES_FOLDER / f"{family}.json").read_text())
        requests = [fuzzed(pools, dice) for _ in range(math.ceil(COUNT / len(FAMILIES)))]
        found[family] = (requests, opa_decisions(family, requests, tmp_path_factory.mktemp(family)))
    return found


Share = dict[str, tuple[list[dict[str, Any]], list[Any]]]


@pytest.mark.needs("opa")
def test_the_requests_reach_every_effect(share: Share) -> None:
    effects = collections.Counter(
        effect(decision) for _, decisions in share.values() for decision in decisions
    )
    total = effects.total()
    assert total >= COUNT
    assert effects["allowed"] >= 0.3 * total, f"seed {SEED}: {effects}"
    assert effects["held"] >= 0.2 * total, f"seed {SEED}: {effects}"
    assert effects["denied"] >= 0.1 * total, f"seed {SEED}: {effects}"


@pytest.mark.needs("opa")
@pytest.mark.parametrize("compiler", ["opa", "regopy"])
@pytest.mark.parametrize("family", FAMILIES)
def test_no_decision_differs_from_opa(share: Share, family: str, compiler: Any) -> None:
    """Everything that decides is compared; texts for people too, unless their numbers have several spellings."""
    release = build_release(FAMILIES_FOLDER / family, compiler=compiler)
    requests, decisions = share[family]
    differences = []
    for request, theirs in zip(requests, decisions, strict=True):
        ours = decision_of(release.program, release.prepared, request, steps_max=STEPS_MAX)
        without = NO_TEXTS if has_plain_numbers(request) else TEXTS
        if exact(ours, without=without) != exact(theirs, without=without):
            differences.append(
                f"{json.dumps(request)}\nours:   {json.dumps(ours)}\ntheirs: {json.dumps(theirs)}"
            )
    if differences:
        pytest.fail(
            f"{len(differences)} of {len(requests)} differ; TOOLGATE_FUZZ_SEED={SEED}\n{differences[0]}"
        )


@pytest.mark.needs("opa")
def test_a_difference_would_be_seen(share: Share) -> None:
    """The control: a policy that differs in one comparison is told from the one OPA was given."""
    requests, decisions = share["money"]
    release = build_release(FAMILIES_FOLDER / "money", compiler="regopy")
    limited = dict(release.bundle.data) | {"limit": 101}
    changed = release.program.prepare(limited)
    found = [decision_of(release.program, changed, request, steps_max=STEPS_MAX) for request in requests]
    assert any(
        exact(a, without=TEXTS) != exact(b, without=TEXTS) for a, b in zip(found, decisions, strict=True)
    )


@pytest.mark.needs("opa")
def test_to_number_reads_what_opa_reads(tmp_path: Path) -> None:
    """Go's underscores, hexadecimal floats and range of 64-bit floats."""
    texts = ["12", "1_000", "1e400", "-1e400", "1e309", "0X1p4", "0x1.8p1", "1e1_0"]
    texts += ["1__0", "_1", "1_", "0x1", "0x_1p0", "1_.5", "0x1p5000", "1e-400", " 1", ""]
    (tmp_path / "t.rego").write_text(
        "package t\n\nr contains text if {\n\tsome text in input\n\tto_number(text) > 0\n}\n"
    )
    (tmp_path / "texts").write_text(json.dumps(texts))
    command = [
        "opa",
        "eval",
        "-f",
        "raw",
        "-d",
        str(tmp_path / "t.rego"),
        "-i",
        str(tmp_path / "texts"),
        "data.t.r",
    ]
    theirs = json.loads(subprocess.run(command, capture_output=True, timeout=30, check=True).stdout)
    assert "12" in theirs
    compiled = compile_modules(
        {"t.rego": (tmp_path / "t.rego").read_text()}, entrypoints=["t/r"], compiler="regopy"
    )
    program = Program.from_plan(compiled.plan)
    assert program.evaluate("t/r", texts, program.prepare({}), now_ns=0)[0]["result"] == theirs
