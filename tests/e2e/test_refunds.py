"""examples/refunds: a held refund outlives two kills of the gateway and is paid once, and the log tells the story."""

from __future__ import annotations

import json
import re

import pytest
from e2e_kit import wire
from e2e_kit.gateways import toolgate
from e2e_kit.refunds import ExampleGateway, Provider, RefundAgent, Reviewer
from e2e_kit.waiting import until

ORDER = "A-1002"
SLOW_S = 3
"""Between a refund's arrival at the provider and its payment: time to kill the gateway in between."""
SMALL = {"A-1001": 4990, "A-1003": 840}
REFUND = {"order_id": ORDER, "amount": 40, "currency": "EUR", "reason": "x"}


class Scene:
    """Everything that runs, and Lea. A context manager."""

    def __init__(self, folder, *options, idempotent=False):
        self.provider = Provider(folder, *options)
        self.gateway = ExampleGateway(folder / "example", self.provider, idempotent=idempotent)
        self.lea = Reviewer(self.gateway, self.gateway.lea_token)

    def __enter__(self):
        self.provider.start()
        self.gateway.start()
        self.gateway.offers("payments__refund", "orders__get_order", token=self.gateway.agent_token)
        return self

    def __exit__(self, *_):
        self.gateway.__exit__()
        self.provider.kill()

    def killed_and_started(self):
        self.gateway.kill()
        self.gateway.start()

    def paid(self):
        return {row["order_id"]: row["amount_cents"] for row in self.provider.paid()}


def held_killed_approved_killed(one, agent):
    """The story up to the second kill: it comes while the provider has the call and has not paid. The hold."""
    for order in SMALL:
        agent.says(f"{order}  paid")
    hold = one.lea.waiting()["id"]
    one.killed_and_started()
    assert one.lea.waiting()["id"] == hold
    assert one.provider.arrived(ORDER) == []
    assert one.lea.decide(hold, "approve", "the carrier lost it").status == 200
    until(lambda: one.provider.arrived(ORDER), lambda: f"not sent: {one.lea.sheet(hold)['events']}")
    one.gateway.kill()
    assert one.provider.paid(ORDER) == []
    one.gateway.start()
    return hold


@pytest.mark.abuse(92)
@pytest.mark.abuse(96)
def test_a_refund_is_paid_once_through_two_kills_and_a_person_says_what_became_of_it(tmp_path):
    with Scene(tmp_path, "--slow-s", str(SLOW_S)) as one, RefundAgent(one.gateway) as agent:
        hold = held_killed_approved_killed(one, agent)
        one.lea.reaches(hold, "outcome_unknown")
        (row,) = until(lambda: one.provider.paid(ORDER), "the provider did not pay")
        assert one.lea.resolve(hold, "succeeded", f"the ledger has it as R-{row['id']}").status == 200
        assert agent.ends() == 0, agent.story
        assert re.search(rf"{ORDER}  no answer .*: asking again with the same key", agent.story)
        assert f"{ORDER}  paid 1290.00 EUR" in agent.story
    assert len(one.provider.arrived(ORDER)) == 1
    assert [(row["amount_cents"], row["currency"]) for row in one.provider.paid(ORDER)] == [(129_000, "EUR")]
    assert one.paid() == {**SMALL, ORDER: 129_000}
    assert len(one.provider.paid()) == 3
    the_log_tells(one, hold, ["held", "approved", "executing", "outcome_unknown", "succeeded"])


def the_log_tells(one, hold, statuses):
    """``toolgate audit`` has every status of the hold in order, who moved it, and one attempt that was sent."""
    tail = toolgate("audit", "tail", "--json", "-n", "1000", "-c", one.gateway.config)
    assert tail.returncode == 0, tail.stderr
    entries = [json.loads(line) for line in tail.stdout.splitlines()]
    events = [entry for entry in entries if entry["kind"] == "hold" and entry["hold"] == hold]
    assert [entry["event"] for entry in events if entry["event"] in statuses] == statuses
    assert [entry["seq"] for entry in events] == sorted(entry["seq"] for entry in events)
    first = {entry["event"]: entry["actor"] for entry in reversed(events)}
    assert (first["held"], first["approved"]) == ("refund-agent", "lea@example.com")
    assert first["succeeded"] == ("lea@example.com" if "outcome_unknown" in statuses else "gateway")
    attempts = [entry for entry in entries if entry["kind"] == "intent" and entry.get("fence")]
    assert {entry["hold"] for entry in attempts} == {hold}
    assert [entry["fence"] for entry in attempts] == list(range(1, statuses.count("executing") + 1))
    shown = toolgate("audit", "show", attempts[0]["call"], "-c", one.gateway.config)
    assert shown.returncode == 0
    assert "payments/refund" in shown.stdout
    assert hold in shown.stdout
    assert not re.search(r"\b1290\b", tail.stdout), "argument values are sealed"


@pytest.mark.abuse(92)
def test_declared_idempotent_it_finishes_by_itself_with_the_same_key(tmp_path):
    options = ("--slow-s", str(SLOW_S), "--dedupe")
    with Scene(tmp_path, *options, idempotent=True) as one, RefundAgent(one.gateway) as agent:
        hold = held_killed_approved_killed(one, agent)
        one.lea.reaches(hold, "succeeded", within_s=60)
        assert agent.ends() == 0, agent.story
        assert re.search(rf"{ORDER}  paid 1290.00 EUR: R-\d", agent.story)
    keys = [seen["idempotency_key"] for seen in one.provider.arrived(ORDER)]
    assert len(keys) == 2
    assert keys[0] == keys[1] != ""
    assert len(one.provider.paid(ORDER)) == 1
    the_log_tells(one, hold, ["held", "approved", "executing", "approved", "executing", "succeeded"])


@pytest.mark.parametrize("options", [(), ("--dedupe",)], ids=["plain", "dedupe"])
def test_the_ledger_would_show_a_refund_that_ran_twice(tmp_path, options):
    with Provider(tmp_path, *options) as provider:

        def refund(key, **other):
            meta = {"dev.toolgate/idempotency-key": key}
            arguments = {**REFUND, **other}
            return wire.call(provider.url, "refund", arguments, meta=meta).json["result"]

        first, second = refund("k"), refund("k")
        once = bool(options)
        assert (first["structuredContent"] == second["structuredContent"]) is once
        assert len(provider.paid(ORDER)) == (1 if once else 2)
        assert len(provider.arrived(ORDER)) == 2
        refund("another")
        assert len(provider.paid(ORDER)) == (2 if once else 3)
        assert refund("k", amount=41).get("isError", False) is once


class Day:
    """What was seen on a day on which Ana tried to approve, Lea approved, and the agent was started again."""

    def __init__(self, one):
        self.gateway = one.gateway
        with RefundAgent(one.gateway) as agent:
            self.row = one.lea.waiting()
            hold = self.row["id"]
            self.sheet = one.lea.sheet(hold)
            ana = Reviewer(one.gateway, one.gateway.ana_token)
            self.ana_sees = ana.waiting()["id"]
            self.ana_told = ana.decide(hold, "approve")
            self.agent_told = Reviewer(one.gateway, one.gateway.agent_token).get("/holds")
            self.nobody_told = Reviewer(one.gateway, "tgr_" + "0" * 64).get("/holds")
            self.before = (one.lea.status(hold), one.provider.arrived(ORDER))
            self.lea_told = one.lea.decide(hold, "approve")
            self.code = agent.ends()
            self.story = agent.story
        self.paid = one.provider.paid()
        with RefundAgent(one.gateway) as again:
            self.code_again = again.ends()
            self.story_again = again.story
        self.paid_again = one.provider.paid()


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    with Scene(tmp_path_factory.mktemp("day")) as one:
        yield Day(one)


@pytest.mark.abuse(85)
@pytest.mark.abuse(86)
def test_the_agents_own_person_cannot_approve_and_lea_can(day):
    assert day.ana_sees == day.row["id"]
    assert (day.ana_told.status, day.ana_told.json["error"]["code"]) == (403, "hold_not_eligible")
    assert (day.agent_told.status, day.nobody_told.status) == (403, 401)
    assert day.before == ("held", [])
    assert day.lea_told.status == 200
    assert day.code == 0, day.story
    assert [row["amount_cents"] for row in day.paid if row["order_id"] == ORDER] == [129_000]
    assert re.search(rf"{ORDER}  paid 1290.00 EUR: R-\d", day.story)


def test_what_a_reviewer_sees_is_what_would_be_paid(day):
    row = day.row
    assert (row["target"], row["risk"], row["by"]) == ("payments/refund", "high", [["refund-lead"]])
    assert row["show"] == ["/amount", "/currency", "/order_id"]
    assert (row["requester"]["subject"], row["requester"]["agent"]) == ("ana@example.com", "refund-agent")
    assert (row["workflow"]["id"], row["workflow"]["step"]) == ("complaints-may", "settle")
    assert row["reasons"][0]["code"] == "over_limit"
    sent = {"order_id": ORDER, "amount": 1290, "currency": "EUR", "reason": "lost on its way"}
    assert json.loads(day.sheet["arguments_text"]) == sent


def test_the_same_batch_again_pays_nothing_twice(day):
    assert len(day.paid) == 3
    assert day.code_again == 0, day.story_again
    assert day.paid_again == day.paid
    ends = [story.partition("What became of it:")[2] for story in (day.story, day.story_again)]
    assert ends[0] == ends[1]
    assert "A-1001  paid 49.90 EUR" in ends[0]


def test_the_log_tells_people_who_agreed(day):
    tail = toolgate("audit", "tail", "-n", "1000", "-c", day.gateway.config)
    approved = [line for line in tail.stdout.splitlines() if re.search(r"  hold  .*  approved", line)]
    assert len(approved) == 1
    assert "lea@example.com" in approved[0]


def test_the_agent_takes_a_no_and_pays_only_what_it_may(tmp_path):
    with Scene(tmp_path) as one, RefundAgent(one.gateway) as agent:
        assert one.lea.decide(one.lea.waiting()["id"], "deny", "the carrier found it again").status == 200
        assert agent.ends() == 0, agent.story
    assert re.search(rf"{ORDER}  refused: .*the carrier found it again", agent.story)
    assert f"{ORDER}  nothing paid, note left" in agent.story
    assert re.search(r"A-1004  refused: .*EUR only", agent.story)
    assert "A-1005  nothing paid, note left" in agent.story
    assert re.search(r"C-7 .*somebody else's order", agent.story)
    assert one.provider.arrived(ORDER) == []
    assert one.paid() == SMALL


def test_set_up_keeps_the_reviewers_tokens_to_the_terminal(tmp_path):
    made = ExampleGateway(tmp_path / "example", Provider(tmp_path))
    texts = [path.read_text() for path in (tmp_path / "example").rglob("*") if path.is_file()]
    assert any(made.agent_token in text for text in texts)
    assert not any(made.lea_token in text or made.ana_token in text for text in texts)
    assert (made.folder / "data" / "agent-token").stat().st_mode & 0o077 == 0
