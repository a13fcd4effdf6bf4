"""The worked example: private data and untrusted content seen, and a call that leaves the organisation, is held."""

from __future__ import annotations

import datetime
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from durable.stores.memory import MemoryStore
from gateway.content.labels import labels_of
from gateway.content.sessions import Sessions
from gateway.core.call import canonical_call
from gateway.core.evaluation import evaluation_request
from gateway.core.principal import NO_WORKFLOW
from policies.engines.release import Release, build_release
from policies.library import REGO_FOLDER, STARTER_FOLDER
from tests.fakes import ANA, BEN, NOON_US, caller, definition

BOTH = [pytest.param("opa", marks=pytest.mark.needs("opa")), pytest.param("regopy")]
FOLDER = REGO_FOLDER / "outgoing"
ELSEWHERE = {"url": "https://elsewhere.test/?q=4111"}


@pytest.fixture(scope="module", params=BOTH)
def release(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Release:
    """As an author has it: the starter policy, and a copy of the folder beside it."""
    folder: Path = tmp_path_factory.mktemp("policy")
    shutil.copy(STARTER_FOLDER / "starter.rego", folder)
    shutil.copytree(FOLDER, folder / "outgoing")
    return build_release(folder, compiler=request.param)


def asked(release: Release, tool: str, arguments: dict[str, Any], labels: Any = (), who: Any = ANA) -> Any:
    server, _, name = tool.partition("/")
    evaluation = evaluation_request(
        canonical_call("tools/call", server, name, arguments),
        replace(definition(name, upstream=server), labels=("read_only",)),
        caller(who),
        now_us=NOON_US,
        zone=datetime.UTC,
        labels=labels,
    )
    return release.evaluate(evaluation, steps_max=100_000)


def held(verdict: Any) -> list[tuple[str, int]]:
    return [(hold.code, hold.risk) for hold in verdict.holds]


@pytest.mark.abuse(63)
async def test_a_secret_that_was_read_first_is_not_sent_out_three_calls_later(release: Release) -> None:
    store = await MemoryStore.open(clock_ms=lambda: NOON_US // 1_000)
    sessions = Sessions(store, monotonic_s=lambda: 0.0)
    # What scanners found in the results of calls that were each fine by themselves.
    for found in ([("secret", "github-token")], [], [("injection", "instruction-override")]):
        labels = await sessions.labels(ANA, NO_WORKFLOW)
        verdict = asked(release, "web/fetch", ELSEWHERE, labels)
        assert (verdict.allow, held(verdict)) == (True, [])
        await sessions.add(ANA, NO_WORKFLOW, labels_of(found))
    labels = await sessions.labels(ANA, NO_WORKFLOW)
    assert held(asked(release, "web/fetch", ELSEWHERE, labels)) == [("private_and_untrusted_leave", 3)]
    # Inside it may go on, and somebody else's agent has seen nothing.
    for tool, arguments in (
        ("web/fetch", {"url": "https://wiki.example.com/"}),
        ("mail/send_mail", {"to": ["lea@example.com"]}),
        ("crm/get_customer", {"id": 7}),
    ):
        assert held(asked(release, tool, arguments, labels)) == []
    others = await sessions.labels(BEN, NO_WORKFLOW)
    assert held(asked(release, "web/fetch", ELSEWHERE, others, BEN)) == []
    await store.aclose()


@pytest.mark.parametrize(
    ("labels", "holds"),
    [
        ([], False),
        (["private-data"], False),
        (["secret-seen", "private-data"], False),
        (["untrusted-content"], False),
        (["untrusted-content", "private-data"], True),
        (["untrusted-content", "secret-seen"], True),
    ],
    ids=str,
)
def test_it_takes_private_data_and_untrusted_content(
    release: Release, labels: list[str], holds: bool
) -> None:
    assert bool(held(asked(release, "web/fetch", ELSEWHERE, labels))) is holds


@pytest.mark.abuse(63)
def test_a_destination_that_is_missing_or_odd_is_held(release: Release) -> None:
    both = ["untrusted-content", "private-data"]
    for arguments in (
        {},
        {"url": None},
        {"url": ""},
        {"url": ["https://wiki.example.com/", "x"]},
        {"uri": "x"},
    ):
        assert held(asked(release, "web/fetch", arguments, both)), arguments
    assert held(asked(release, "chat/post_message", {"text": "hello"}, both))
    assert not held(asked(release, "web/fetch", {"url": "https://wiki.example.com/"}, both))


def test_results_of_the_tools_that_are_named_label_the_session(release: Release) -> None:
    def set_by(tool: str) -> list[tuple[str, str]]:
        return sorted((duty.do, duty.kind) for duty in asked(release, tool, {}).duties)

    untrusted, private = ("label", "untrusted-content"), ("label", "private-data")
    assert set_by("web/fetch") == [untrusted]
    assert set_by("crm/get_customer") == [private]
    assert set_by("mail/read_mail") == [private, untrusted]
    assert set_by("notes/print_notes") == []


def test_what_the_example_sets_is_what_it_looks_at() -> None:
    text = (FOLDER / "outgoing.rego").read_text()
    assert all(f'"{label}"' in text for label in ("untrusted-content", "private-data", "secret-seen"))
    assert set(yaml.safe_load((FOLDER / "data.yaml").read_text())) == {
        "leaves",
        "inside",
        "untrusted",
        "private",
    }
