"""The company is what tests of pages take it to be: twenty calls wait, five of them bad, and others ran."""

from __future__ import annotations

import unicodedata

import pytest

from tests.browser.definitions import DRIFTED_LIMIT
from tests.browser.prepared import BAD, HIDDEN_ORDER, HISTORY, ORDINARY, SUPPLIER, TOKEN


def test_twenty_calls_wait_and_five_of_them_are_bad(company, holds):
    waiting = {row["id"] for row in company.people["ana"].holds()}
    assert waiting == {one.id for one in holds.values()}
    assert (len(holds), len(holds.ordinary), len(holds.bad)) == (20, 15, 5)
    assert list(holds) == [case.name for case in (*ORDINARY, *BAD)]


def test_what_was_approved_before_ran_and_nothing_else_did(company, holds):
    ran = [(one["tool"], one["arguments"]) for one in company.runs()]
    held = [(one.case.tool.partition("/")[2], one.case.arguments) for one in holds.values()]
    for case in HISTORY:
        assert ran.count((case.tool.partition("/")[2], case.arguments)) == 1, case.name
    assert [one for one in held if one in ran] == []
    assert len(ran) == len(HISTORY) + 2, "and the two that were only read"


def test_a_call_that_is_approved_runs_and_its_agent_hears_of_it(company, holds):
    arguments = {"order": "A-2000", "amount": 1, "reason": "Control"}
    agent = company.agent("support-bot")
    hold = agent.hold("payments/refund", arguments)
    people = company.people["ana"]
    people.approve(people.show(hold)["hold"])
    people.becomes(hold, "succeeded")
    assert {"tool": "refund", "arguments": arguments} in company.runs()
    assert not agent.call("payments/refund", arguments).get("isError")


def test_the_look_alike_is_read_as_an_earlier_recipient_and_is_another(company, holds):
    to = company.people["ana"].show(holds["look-alike"].id)["arguments"]["to"]
    assert to != SUPPLIER
    (other,) = [letter for letter, own in zip(to, SUPPLIER, strict=True) if letter != own]
    assert "CYRILLIC" in unicodedata.name(other)
    assert SUPPLIER in {one["arguments"].get("to") for one in company.runs()}


def test_the_hidden_text_arrived_with_all_that_shows_nothing(company, holds):
    reason = company.people["ana"].show(holds["hidden text"].id)["arguments"]["reason"]
    hidden = "".join(chr(ord(letter) - 0xE0000) for letter in reason if letter >= "\U000e0000")
    assert hidden == HIDDEN_ORDER
    assert {"\u200b", "\u202e"} <= set(reason)


def test_the_definition_drifted_while_its_call_waited(company, holds):
    sheet = company.people["olga"].show(holds["drifted"].id)
    assert sheet["hold"]["kept_back"].startswith("definition_drifted")
    code, found = company.people["olga"].ask(
        "GET", "/definitions/one?upstream=payments&name=change_limit&kind=tool"
    )
    assert code == 200, found
    assert (found["definition"]["state"], found["listed"]["description"]) == ("drifted", DRIFTED_LIMIT)
    for name in holds.keys() - {"drifted"}:
        assert company.people["olga"].show(holds[name].id)["hold"]["kept_back"] == ""


def test_the_amount_is_far_beyond_those_that_ran(company, holds):
    amount = company.people["ana"].show(holds["unusual amount"].id)["arguments"]["amount"]
    earlier = [one["arguments"]["amount"] for one in company.runs() if one["tool"] == "refund"]
    assert len(earlier) >= 8
    assert amount > 100 * max(earlier)


def test_the_session_of_one_agent_is_tainted_and_those_of_others_are_not(company, holds):
    def codes(name):
        return {one["code"] for one in company.people["ana"].show(holds[name].id)["hold"]["reasons"]}

    assert "private_and_untrusted_leave" in codes("tainted")
    assert codes("mail") == {"mail_leaves"}


def test_some_have_been_looked_at_before(company, holds):
    def row(name, who="ana"):
        return company.people[who].show(holds[name].id)["hold"]

    assert (row("payment by two")["approvals"], row("payment by two")["quorum"]) == (1, 2)
    assert row("edited payment")["edited"]
    assert row("statement")["claimed_by"] == "olga@example.com"
    assert row("repeated refund 1")["group_size"] == 3
    assert company.people["ana"].show(holds["own agent"].id)["may_decide"]
    assert not company.people["ben"].show(holds["own agent"].id)["may_decide"]
    sheet = company.people["ana"].show(holds["secret"].id)
    assert [one["pointer"] for one in sheet["redactions"]] == ["/body"]
    assert TOKEN not in sheet["arguments_text"]


@pytest.mark.parametrize("name", ["refund", "tainted"])
def test_nothing_of_it_exists_in_another_tenant(company, holds, name):
    assert company.people["eve"].holds() == []
    assert company.people["eve"].ask("GET", f"/holds/{holds[name].id}")[0] == 404
    assert company.people["ben"].ask("GET", f"/holds/{holds[name].id}")[0] == 200
