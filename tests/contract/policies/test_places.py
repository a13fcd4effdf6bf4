"""An engine says where the rules stand that it holds calls by: those in force, wherever the files are by now."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from policies.engines.embedded import EmbeddedEngine
from policies.engines.release import TRIAL_REQUEST
from policies.errors import PolicyRejected
from policies.library import REGO_FOLDER, STARTER_FOLDER
from policies.model import Place, Places
from policies.syntax import statements, tokens

BOTH = [pytest.param("opa", marks=pytest.mark.needs("opa")), pytest.param("regopy")]
ROOT = Path(__file__).resolve().parents[3]
LONG_S = 30.0
OURS = sorted(
    path
    for folder in ("policies/rego", "examples", "tests/contract/policies/families")
    for path in (ROOT / folder).rglob("*.rego")
)

# Every one of these holds every call, each with a code that only it says; the row is where it begins.
HOLDS = """package toolgate.rules.team

allow if true

# Alone.
hold contains "alone"

hold contains "in_a_row" if input.tool

hold contains {"code": "object", "by": "lead"} if {
	not input.never
	# "}" is no end
	input.tool
}

hold contains
{
	"by": "lead", # {
	"code": `raw`,
} if
	input.tool.id
	!= ""

hold contains told if { told := {"code": "in_body"} }

hold contains {"code": code} if some code in ["one_of_two", "other"]
"""
ROWS = {"alone": 5, "in_a_row": 8, "object": 10, "raw": 16, "in_body": 24, "one_of_two": 26, "other": 26}


def request(**changes: Any) -> dict[str, Any]:
    return json.loads(json.dumps(TRIAL_REQUEST)) | changes


def engine_of(compiler: Any = "regopy") -> EmbeddedEngine:
    return EmbeddedEngine(workers=0, compiler=compiler)


def write(folder: Path, text: str, name: str = "team.rego") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize("compiler", BOTH)
async def test_the_rule_behind_every_hold_is_found_by_what_the_hold_says(
    tmp_path: Path, compiler: str
) -> None:
    engine = engine_of(compiler)
    try:
        await engine.load(write(tmp_path, HOLDS))
        verdict = await engine.evaluate(request(), deadline_s=LONG_S)
        found = {hold.code: engine.places(hold.rule, hold.code) for hold in verdict.holds}
    finally:
        await engine.aclose()
    assert {code: [(one.file, one.row, one.certain) for one in where.found] for code, where in found.items()} == {
        code: [("team.rego", row, True)] for code, row in ROWS.items()
    }  # fmt: skip
    assert not any(where.left_out for where in found.values())
    whole = HOLDS.split("\n")
    for where in found.values():
        lines = where.found[0].text.split("\n")
        assert lines == whole[where.found[0].row - 1 :][: len(lines)]


@pytest.mark.parametrize("compiler", BOTH)
async def test_a_code_that_is_worked_out_leads_to_the_rules_that_do_so(tmp_path: Path, compiler: str) -> None:
    rules = (
        'hold contains {"code": sprintf("n%d", [1])} if input.tool\n\nhold contains "plain" if input.tool\n'
    )
    engine = engine_of(compiler)
    try:
        await engine.load(write(tmp_path, f"package toolgate.rules.team\n\n{rules}"))
        verdict = await engine.evaluate(request(), deadline_s=LONG_S)
        found = {hold.code: engine.places(hold.rule, hold.code).found for hold in verdict.holds}
    finally:
        await engine.aclose()
    told = {code: [(one.row, one.certain) for one in where] for code, where in found.items()}
    assert told == {"n1": [(3, False)], "plain": [(5, True)]}


# The policy in force.


def rule(code: str, *, above: int) -> str:
    lines = "\n" * above
    return f'package toolgate.rules.team\n{lines}hold contains "{code}" if input.tool\n\nallow if true\n'


def at(code: str, row: int) -> Places:
    place = Place(file="team.rego", row=row, text=f'hold contains "{code}" if input.tool', certain=True)
    return Places(found=(place,))


async def test_places_are_those_of_the_policy_in_force_and_not_of_the_files(tmp_path: Path) -> None:
    engine, team = engine_of(), "toolgate.rules.team"
    assert engine.places(team, "x") == Places(), "nothing is in force yet"
    try:
        before = await engine.load(write(tmp_path, rule("x", above=1)))
        assert engine.places(team, "x") == at("x", 3)
        write(tmp_path, rule("x", above=4))
        assert engine.places(team, "x") == at("x", 3), "what was saved is not loaded yet"
        write(tmp_path, "package toolgate.rules.team\n\nallow if {\n", name="broken.rego")
        with pytest.raises(PolicyRejected):
            await engine.load(tmp_path)
        assert engine.places(team, "x") == at("x", 3), "the last good policy stays in force"
        shutil.rmtree(tmp_path)
        assert engine.places(team, "x") == at("x", 3)
        assert engine.health().revision == before.revision
        await engine.load(write(tmp_path, rule("x", above=4)))
        assert engine.places(team, "x") == at("x", 6)
        await engine.load(write(tmp_path, rule("y", above=1)))
        assert engine.places(team, "x") == Places(), "the rule is not in the policy any more"
        assert engine.places(team, "y") == at("y", 3)
    finally:
        await engine.aclose()
    assert engine.places(team, "y") == Places()


async def test_checking_a_policy_moves_no_place(tmp_path: Path) -> None:
    engine, team = engine_of(), "toolgate.rules.team"
    try:
        await engine.load(write(tmp_path / "one", rule("x", above=1)))
        assert await engine.check(write(tmp_path / "two", rule("x", above=9))) == ()
        assert engine.places(team, "x") == at("x", 3)
    finally:
        await engine.aclose()


@pytest.mark.parametrize("compiler", BOTH)
async def test_the_starter_policy_and_what_stands_beside_it_lead_to_their_rules(
    tmp_path: Path, compiler: str
) -> None:
    shutil.copytree(STARTER_FOLDER, tmp_path / "p")
    for option in ("workspace", "outgoing"):
        shutil.copytree(REGO_FOLDER / option, tmp_path / "p" / option)
    engine = engine_of(compiler)
    try:
        await engine.load(tmp_path / "p")
        (hold,) = (await engine.evaluate(request(), deadline_s=LONG_S)).holds
        (place,) = engine.places(hold.rule, hold.code).found
        (other,) = engine.places("toolgate.rules.outgoing", "private_and_untrusted_leave").found
    finally:
        await engine.aclose()
    assert (place.file, place.row, place.certain) == ("starter.rego", 18, True)
    assert place.text.startswith('hold contains {\n\t"code": "not_read_only",\n')
    assert (other.file, other.row, other.certain) == ("outgoing/outgoing.rego", 16, True)


# What reads the rules for us reads them as OPA does.


def parsed_by_opa(path: Path) -> list[tuple[int, str]]:
    """First row and text of every rule."""
    words = ["opa", "parse", "--format", "json", "--json-include", "locations,-comments", str(path)]
    found = json.loads(subprocess.run(words, capture_output=True, check=True, timeout=30).stdout)
    where = [one["location"] for one in found["rules"]]
    return [(one["row"], base64.b64decode(one["text"]).decode()) for one in where]


@pytest.mark.needs("opa")
@pytest.mark.parametrize(
    "path",
    OURS,
    ids=lambda path: path.name if path.parent.name == "rego" else path.parent.name + "/" + path.name,
)
def test_rules_begin_and_end_where_opa_says(path: Path) -> None:
    text = path.read_text()
    lines = text.split("\n")
    ours = []
    for one in statements(tokens(text)):
        if one[0].text not in {"package", "import"}:
            whole = "\n".join(lines[one[0].row - 1 : one[-1].row + one[-1].text.count("\n")])
            ours.append((one[0].row, whole))
    theirs = parsed_by_opa(path)
    assert [row for row, _ in ours] == [row for row, _ in theirs]
    for (_, mine), (_, told) in zip(ours, theirs, strict=True):
        assert mine.startswith(told)
        # Of defaults and of functions without a body OPA's text ends early, but in the same row.
        assert "\n" not in mine.removeprefix(told)
