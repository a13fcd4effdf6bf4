"""How often the starter policy asks a person in ordinary sessions, and that it never lets destruction through."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from policies.engines.release import TRIAL_REQUEST, Release, build_release
from policies.library import REGO_FOLDER, STARTER_FOLDER

CORPUS = Path(__file__).parents[2] / "corpus" / "ordinary_sessions"
SERVERS = yaml.safe_load((CORPUS / "servers.yaml").read_text())
PLANS = sorted((CORPUS / "plans").glob("*.yaml"))
BOTH = [pytest.param("opa", marks=pytest.mark.needs("opa")), pytest.param("regopy")]
HARM = "harm"
HELD_PER_100_MAX = 5
STEPS_MAX = 100_000
WORKSPACE = "/home/me/project"

Call = dict[str, Any]


def recorded(name: str) -> list[Call]:
    return [json.loads(line) for line in (CORPUS / f"{name}.jsonl").read_text().splitlines()]


RECORDED = {plan.stem: recorded(plan.stem) for plan in PLANS}
ORDINARY = [call for name, calls in RECORDED.items() if name != HARM for call in calls]
EVERY = [call for calls in RECORDED.values() for call in calls]


def tool_of(call: Call) -> str:
    return f"{call['server']}/{call['tool']}"


def document(call: Call, *, read_only: bool = True) -> dict[str, Any]:
    """What policy sees of the call, with the operator's list or with an empty one."""
    named = {"id": tool_of(call), "server": call["server"], "name": call["tool"]}
    listed = read_only and call["tool"] in SERVERS[call["server"]]["read_only"]
    facts = {"annotations": call["annotations"], "labels": ["read_only"] if listed else []}
    arguments = json.loads(json.dumps(call["arguments"]).replace("{workspace}", WORKSPACE))
    return {
        **TRIAL_REQUEST,
        "tool": named,
        "resource": TRIAL_REQUEST["resource"] | named | facts,
        "arguments": arguments,
    }


def asks(release: Release, call: Call, **changes: Any) -> bool:
    """Whether a person has to agree; a denial is more than that, and counts."""
    verdict = release.evaluate(document(call, **changes), steps_max=STEPS_MAX)
    return bool(verdict.holds or verdict.denials or not verdict.allow)


@pytest.fixture(scope="module", params=BOTH)
def starter(request: pytest.FixtureRequest) -> Release:
    return build_release(STARTER_FOLDER, compiler=request.param)


@pytest.fixture(scope="module")
def with_workspace(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """The starter policy with its option, for the folder of the sessions."""
    folder = tmp_path_factory.mktemp("policies")
    shutil.copy(STARTER_FOLDER / "starter.rego", folder)
    shutil.copytree(REGO_FOLDER / "workspace", folder / "workspace")
    settings = yaml.safe_load((folder / "workspace" / "data.yaml").read_text())
    assert settings["root"] == WORKSPACE
    return build_release(folder, compiler="regopy")


def test_the_corpus_is_what_the_plans_say_and_large_enough() -> None:
    for plan in PLANS:
        planned = [
            (name, target, arguments, "destructive" in marks)
            for name, session in yaml.safe_load(plan.read_text()).items()
            for target, arguments, *marks in session["calls"]
        ]
        assert planned == [
            (call["session"], tool_of(call), call["arguments"], call["destructive"])
            for call in RECORDED[plan.stem]
        ]
    assert len(ORDINARY) >= 200
    assert {call["server"] for call in ORDINARY} == SERVERS.keys()
    assert sum(call["outcome"] == "ok" for call in ORDINARY) > 0.95 * len(ORDINARY)
    assert all(call["outcome"] == "ok" for call in RECORDED[HARM])


def test_what_destroys_is_marked() -> None:
    for call in EVERY:
        said = call["annotations"].get("destructiveHint") and not call["annotations"].get("readOnlyHint")
        rewrites = call["tool"] == "write_query"
        assert call["destructive"] or not (said or rewrites), call
    assert len({tool_of(call) for call in EVERY if call["destructive"]}) >= 9


def test_the_operators_list_holds_nothing_that_its_server_says_may_write() -> None:
    for call in EVERY:
        if call["tool"] in SERVERS[call["server"]]["read_only"]:
            assert call["annotations"].get("readOnlyHint", True), tool_of(call)
            assert not call["destructive"]


def test_the_starter_policy_asks_rarely_in_ordinary_sessions(starter: Release) -> None:
    held = [tool_of(call) for call in ORDINARY if asks(starter, call)]
    assert sorted(set(held)) == [
        "files/edit_file", "files/write_file", "git/git_add", "git/git_commit", "memory/add_observations",
        "shop/append_insight", "shop/write_query", "web/fetch",
    ]  # fmt: skip
    assert 100 * len(held) <= HELD_PER_100_MAX * len(ORDINARY), f"{len(held)} of {len(ORDINARY)}"


@pytest.mark.abuse(61)
def test_nothing_that_destroys_is_let_through(starter: Release) -> None:
    destructive = [call for call in EVERY if call["destructive"]]
    assert len(destructive) >= 15
    assert [tool_of(call) for call in destructive if not asks(starter, call)] == []
    # The control: of what only reads hardly anything is held.
    assert sum(not asks(starter, call) for call in ORDINARY) > 200


@pytest.mark.abuse(61)
def test_whatever_a_server_claims_everything_is_held_without_the_operators_list(starter: Release) -> None:
    assert sum(bool(call["annotations"].get("readOnlyHint")) for call in ORDINARY) > 150
    assert all(asks(starter, call, read_only=False) for call in ORDINARY)


def test_with_the_workspace_option_only_files_inside_it_are_written_unasked(
    starter: Release, with_workspace: Release
) -> None:
    freed = [call for call in EVERY if asks(starter, call) and not asks(with_workspace, call)]
    assert {tool_of(call) for call in freed} == {"files/edit_file", "files/write_file"}
    assert all(call["arguments"]["path"].startswith("{workspace}/") for call in freed)
    assert not any("/." in call["arguments"]["path"] for call in freed)
    held = [call for call in EVERY if call["destructive"] and asks(with_workspace, call)]
    assert any("/.git/" in call["arguments"].get("path", "") for call in held)
    assert {"git/git_reset", "shop/write_query", "memory/delete_entities", "files/move_file"} <= {
        tool_of(call) for call in held
    }


def test_with_the_workspace_option_files_elsewhere_are_held(with_workspace: Release) -> None:
    written = next(call for call in ORDINARY if call["tool"] == "write_file")
    assert not asks(with_workspace, written)
    for path in ("/etc/passwd", "{workspace}/../other/a", "{workspace}s/a", "{workspace}/.git/config"):
        assert asks(with_workspace, written | {"arguments": {"path": path, "content": "x"}})
