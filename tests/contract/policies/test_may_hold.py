"""Whether a policy could hold anything: false only where no request whatever is answered with a hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from policies.engines.embedded import EmbeddedEngine
from policies.engines.release import TRIAL_REQUEST, build_release
from policies.library import STARTER_FOLDER

BOTH = [pytest.param("opa", marks=pytest.mark.needs("opa")), pytest.param("regopy")]
FAMILIES = sorted(path for path in (Path(__file__).parent / "families").iterdir() if path.is_dir())
ALLOWS = "package toolgate.rules.team\n\nallow if input.tool\n"

NEVER = {
    "no hold rule": {},
    "the word alone": {
        "more.rego": 'package toolgate.rules.team\n\n# hold contains "x"\ndeny contains "hold" if input.hold\n'
    },
    "another package's set of that name": {
        "more.rego": 'package team.limits\n\nhold contains "x" if input.tool\n'
    },
    "a rule that is switched off": {
        "more.rego": 'package toolgate.rules.team\n\nhold contains "x" if false\n'
    },
    "several packages": {
        "more.rego": "package toolgate.rules.other\n\nallow if input.tool\n",
        "root.rego": "package toolgate.rules\n\nallow if input.tool\n",
    },
    "values put back": {
        "more.rego": 'package toolgate.rules.team\n\non_call contains {"code": "x", "do": "restore", "kind": "email"}\n'
    },
    "data of that name": {"data.json": json.dumps({"team": {"hold": ["x"]}})},
}
COULD = {
    "a rule": {"more.rego": 'package toolgate.rules.team\n\nhold contains "x" if input.tool\n'},
    "a rule in brackets": {"more.rego": 'package toolgate.rules.team\n\nhold contains "x" if { input.tool }\n'},
    "a rule without a body": {"more.rego": 'package toolgate.rules.team\n\nhold contains "x"\n'},
    "members of data": {
        "more.rego": "package toolgate.rules.team\n\nhold contains code if some code in data.codes\n",
        "data.json": json.dumps({"codes": ["x"]}),
    },
    "another set's members": {
        "more.rego": 'package team.limits\n\nover contains "x" if input.tool\n',
        "rule.rego": "package toolgate.rules.team\n\nhold contains code if some code in data.team.limits.over\n",
    },
    "in another package": {"more.rego": 'package toolgate.rules.other\n\nhold contains "x" if input.tool\n'},
    "in the package of all": {"more.rego": 'package toolgate.rules\n\nhold contains "x" if input.tool\n'},
    "written from above": {"more.rego": 'package toolgate.rules\n\nteam.hold contains "x" if input.tool\n'},
    "named in brackets": {"more.rego": 'package toolgate.rules["team"]\n\nhold contains "x" if input.tool\n'},
}  # fmt: skip


def release_of(folder: Path, files: dict[str, str], compiler: Any) -> Any:
    for name, text in {"allows.rego": ALLOWS, **files}.items():
        (folder / name).write_text(text)
    return build_release(folder, compiler=compiler)


@pytest.mark.parametrize("compiler", BOTH)
@pytest.mark.parametrize("case", NEVER)
def test_what_cannot_hold_is_known(tmp_path: Path, case: str, compiler: Any) -> None:
    release = release_of(tmp_path, NEVER[case], compiler)
    assert not release.loaded.may_hold
    assert release.evaluate(TRIAL_REQUEST, steps_max=100_000).holds == ()


@pytest.mark.parametrize("compiler", BOTH)
@pytest.mark.parametrize("case", COULD)
def test_what_could_hold_is_never_overlooked(tmp_path: Path, case: str, compiler: Any) -> None:
    release = release_of(tmp_path, COULD[case], compiler)
    # What it says here shows that the case is a real one.
    assert [hold.code for hold in release.evaluate(TRIAL_REQUEST, steps_max=100_000).holds] == ["x"]
    assert release.loaded.may_hold


@pytest.mark.parametrize("compiler", BOTH)
@pytest.mark.parametrize("family", FAMILIES, ids=lambda path: path.name)
def test_a_whole_policy_may_hold_where_one_of_its_files_says_so(family: Path, compiler: Any) -> None:
    says = any("hold contains" in path.read_text() for path in family.glob("*.rego"))
    assert build_release(family, compiler=compiler).loaded.may_hold is says


def test_the_starter_policy_may_hold() -> None:
    assert build_release(STARTER_FOLDER, compiler="regopy").loaded.may_hold


async def test_the_engines_health_says_it_of_what_is_in_force(tmp_path: Path) -> None:
    engine = EmbeddedEngine(workers=0, compiler="regopy")
    try:
        assert engine.health().may_hold, "what is loaded next may hold"
        (tmp_path / "allows.rego").write_text(ALLOWS)
        assert not (await engine.load(tmp_path)).may_hold
        assert not engine.health().may_hold
        assert (await engine.load(STARTER_FOLDER)).may_hold
        assert engine.health().may_hold
    finally:
        await engine.aclose()
