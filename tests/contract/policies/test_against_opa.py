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
from policies.engines.decision import decision_of
from policies.engines.release import TRIAL_REQUEST, build_release
from policies.errors import PolicyAnswerMalformed
from policies.library import library_modules

FAMILIES_FOLDER = Path(__file__).parent / "families"
FAMILIES = sorted(path.name for path in FAMILIES_FOLDER.iterdir() if path.is_dir())
COUNT = int(os.environ.get("TOOLGATE_FUZZ_COUNT", "20000"))
SEED = int(os.environ.get("TOOLGATE_FUZZ_SEED", "0")) or random.SystemRandom().randrange(1, 2**31)
STEPS_MAX = 2_000_000
OPA_DEADLINE_S = 30 + COUNT / 500

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
    """A request: the trial request with values of the family, a tenth of them odd or left out."""
    document = json.loads(json.dumps(TRIAL_REQUEST))
    strangeness = dice.choice([0.0, 0.0, 0.05, 0.3])
    for path, pool in pools.items():
        *folders, name = path.split(".")
        place = document
        for folder in folders:
            place = place[folder]
        value = drawn(pool, dice)
        if dice.random() >= strangeness:
            place[name] = value
        elif dice.random() < 0.7:
            place[name] = mutated(value, dice)
    return document  # type: ignore[no-any-return]


def opa_decisions(family: str, requests: list[dict[str, Any]], folder: Path) -> list[Any]:
    """What a real OPA decides about each request; None where it is undefined."""
    release_modules = {path.name: path.read_text() for path in (FAMILIES_FOLDER / family).glob("*.rego")}
    modules = {**release_modules, **library_modules(), **generated_modules([("toolgate", "rules", family)])}
    for number, text in enumerate(modules.values()):
        (folder / f"module_{number}.rego").write_text(text)
    (folder / "data.json").write_text((FAMILIES_FOLDER / family / "data.json").read_text())
    # In a file as data, because OPA would refuse to read as input what no document may be (a list).
    (folder / "fuzz").mkdir()
    (folder / "fuzz" / "data.json").write_text(json.dumps({"requests": requests}))
    query = (
        "[answer | some request in data.fuzz.requests;"
        " answer := object.get({d | d := data.toolgate.main.decision with input as request}, [], null)]"
    )
    query = "[answers | some request in data.fuzz.requests; answers := [d | d := data.toolgate.main.decision with input as request]]"
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


def exact(value: Any) -> str:
    """A decision as text in which numbers are equal when Rego says so, and nothing else is."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{exact(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(exact(item) for item in value) + "]"
    if isinstance(value, float) and math.isfinite(value) and value.is_integer():
        return str(int(value))
    return json.dumps(value)


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
    release = build_release(FAMILIES_FOLDER / family, compiler=compiler)
    differences = []
    requests, decisions = share[family]
    for request, theirs in zip(requests, decisions, strict=True):
        ours = decision_of(release.program, release.prepared, request, steps_max=STEPS_MAX)
        if exact(ours) != exact(theirs):
            differences.append((request, ours, theirs))
    if differences:
        request, ours, theirs = differences[0]
        pytest.fail(
            f"{len(differences)} of {len(requests)} differ; TOOLGATE_FUZZ_SEED={SEED}\n"
            f"request: {json.dumps(request)}\nours:   {json.dumps(ours)}\ntheirs: {json.dumps(theirs)}"
        )
