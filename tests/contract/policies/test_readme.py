"""The examples of ``policies/README.md`` load, and do what the page says."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest

from policies import answer
from policies.engines.release import TRIAL_REQUEST, Release, build_release
from policies.library import REGO_FOLDER, STARTER_FOLDER

PAGE = (REGO_FOLDER.parent / "README.md").read_text()
EXAMPLES = re.findall(r"```rego\n(.*?)```", PAGE, re.DOTALL)
BOTH = [pytest.param("opa", marks=pytest.mark.needs("opa")), pytest.param("regopy")]


def document(tool: str, arguments: dict[str, Any], **context: Any) -> dict[str, Any]:
    made = copy.deepcopy(dict(TRIAL_REQUEST))
    server, _, name = tool.partition("/")
    named = {"id": tool, "server": server, "name": name}
    made["tool"] = named
    made["resource"] |= named
    made["arguments"] = arguments
    made["context"] |= context
    return made


@pytest.fixture(scope="module", params=BOTH)
def release(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Release:
    """The starter policy with every example of the page beside it."""
    folder: Path = tmp_path_factory.mktemp("page")
    (folder / "starter.rego").write_text((STARTER_FOLDER / "starter.rego").read_text())
    for at, text in enumerate(EXAMPLES):
        head = "" if "package " in text else "package toolgate.rules.example\n\n"
        (folder / f"example_{at}.rego").write_text(head + text)
    (folder / "data.json").write_text(json.dumps({"limits": {"refund": 100}}))
    return build_release(folder, compiler=request.param)


def codes(release: Release, asked: dict[str, Any]) -> tuple[list[str], list[str]]:
    verdict = release.evaluate(asked, steps_max=100_000)
    return [denial.code for denial in verdict.denials], sorted(hold.code for hold in verdict.holds)


def test_there_are_examples_to_look_at() -> None:
    assert len(EXAMPLES) == 5
    assert "policies/rego/workspace" in PAGE


def test_the_first_example_holds_and_denies(release: Release) -> None:
    refund = {"currency": "EUR", "amount": 101}
    assert codes(release, document("orders/refund", refund)) == ([], ["not_read_only", "over_limit"])
    assert codes(release, document("orders/refund", refund | {"amount": 100})) == ([], ["not_read_only"])
    assert codes(release, document("orders/refund", refund | {"currency": "USD"}))[0] == ["foreign_currency"]


def test_an_approval_in_view_can_be_too_old_and_the_hold_is_said_again(release: Release) -> None:
    refund = {"currency": "EUR", "amount": 101}
    now = TRIAL_REQUEST["context"]["time"]["unix"]
    approval = {"id": "h1", "round": 1, "approvers": ["lea"], "edited": False, "self": False}
    for age_s, denials in ((600, []), (601, ["stale_approval"])):
        asked = document("orders/refund", refund, approval=approval | {"approved_at": now - age_s})
        assert codes(release, asked) == (denials, ["not_read_only", "over_limit"])


def test_a_secret_in_an_answer_is_denied_and_one_in_the_arguments_is_not(release: Release) -> None:
    secret = {"family": "secret", "kind": "password", "rule": "words"}
    for where, denials in (("answers", ["secret_answered"]), ("arguments", [])):
        asked = document("orders/get", {}, findings=[{**secret, "where": where}])
        assert codes(release, asked)[0] == denials


def test_a_host_that_is_named_is_let_through_and_no_other(release: Release) -> None:
    assert codes(release, document("web/fetch", {"url": "https://docs.example.com/a"})) == ([], [])
    for url in ("https://docs.example.com.evil.test/", "https://example.com/", ""):
        assert codes(release, document("web/fetch", {"url": url})) == ([], ["not_read_only"])


def test_values_are_put_back_for_the_server_that_is_named_and_no_other(release: Release) -> None:
    for tool, wanted in (
        ("crm/write", [("crm_may_have_addresses", "email")]),
        ("crm2/write", []),
        ("web/crm", []),
    ):
        verdict = release.evaluate(document(tool, {"server": "crm"}), steps_max=100_000)
        assert [(restore.code, restore.kind) for restore in verdict.restores] == wanted
        assert (verdict.allow, [hold.code for hold in verdict.holds]) == (False, ["not_read_only"])


def test_every_key_of_a_hold_is_on_the_page() -> None:
    named = set(re.findall(r"^\| `(\w+)` \|", PAGE[PAGE.index("| key of a hold") :], re.MULTILINE))
    assert set(answer._Hold.model_fields) - {"code"} <= named


def test_every_set_of_a_package_is_on_the_page_with_its_keys() -> None:
    rows = dict(re.findall(r"^\| `(\w+) contains .*?` \|.*?\|(.*)\|$", PAGE, re.MULTILINE))
    assert rows.keys() == set(answer._Answer.model_fields) - {"allow", "allowed_by", "stray"}
    for name, model in (("deny", answer._Denial), ("on_result", answer._Duty), ("on_call", answer._Restore)):
        assert {f"`{key}`" for key in model.model_fields} == set(re.findall(r"`\w+`", rows[name]))
