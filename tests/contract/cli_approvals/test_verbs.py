"""Every verb against the real port: what it does, what it says, and how it ends."""

from __future__ import annotations

import json

import pytest

from gateway.cli.approvals.client import EXIT_PROBLEM, EXIT_SOMEBODY_ELSE
from tests.contract.people.port import AGENT, ANA, LEA, MAX, OLI, SAM

GRANT = {"on_approval": "grant"}
LOW = {"risk": 1}


async def seen(port, hold):
    return (await port.desk.now_is(hold.id)).seen


async def status_of(port, hold):
    return (await port.desk.now_is(hold.id)).status.value


async def agreed(port, hold, *who):
    for one in who or (LEA,):
        assert (await port.decide(await port.desk.now_is(hold.id), one)).status == 200


# --- looking --------------------------------------------------------------------------------------


async def test_ls_lists_what_waits_and_folds_what_is_alike(port, toolgate):
    holds = [await port.desk.file(number) for number in range(3)]
    done = await toolgate("approvals", "ls")
    assert done.code == 0
    assert done.out.count("payments/refund") == 1
    assert "x3" in done.out
    assert (await toolgate("approvals", "ls", "--all")).out.count("payments/refund") == 3
    lines = (await toolgate("approvals", "ls", "--json")).lines
    assert {line["id"] for line in lines} == {hold.id for hold in holds}
    assert len((await toolgate("approvals", "ls", "--json", "--limit", "2")).lines) == 2
    assert "there are more" in (await toolgate("approvals", "ls", "--limit", "2")).out


async def test_ls_by_status(port, toolgate):
    hold = await port.desk.file(1)
    assert (await toolgate("approvals", "ls", "--status", "denied")).out == "none\n"
    await toolgate("approvals", "deny", hold.id, "--reason", "no")
    assert "denied" in (await toolgate("approvals", "ls", "--status", "denied,expired")).out
    assert len((await toolgate("approvals", "ls", "--status", "all", "--json")).lines) == 1
    wrong = await toolgate("approvals", "ls", "--status", "nonsense")
    assert wrong.code == EXIT_PROBLEM
    assert "nonsense" in wrong.err


async def test_show_takes_the_beginning_of_an_id_and_is_recorded(port, toolgate):
    hold = await port.desk.file(1)
    done = await toolgate("approvals", "show", hold.id[:6])
    assert done.code == 0
    assert hold.id in done.out
    assert "/amount    number  │ 121" in done.out
    assert '│ "[redacted: token]"' in done.out
    assert "a secret is hidden here: token" in done.out
    assert "above 100 EUR  (over_limit, refunds.rego:12)" in done.out
    assert port.desk.read == [("lea@example.com", hold.id)]
    (sheet,) = (await toolgate("approvals", "show", hold.id[:6], "--json")).lines
    assert sheet["seen"] == hold.seen


async def test_an_ambiguous_beginning_lists_the_candidates(port, toolgate):
    for one in ("abc1", "abc2"):
        await port.desk.file(int(one[-1]), id=one)
    done = await toolgate("approvals", "show", "abc")
    assert done.code == EXIT_PROBLEM
    assert "candidate: abc1" in done.err
    assert "candidate: abc2" in done.err
    (error,) = (await toolgate("approvals", "show", "abc", "--json")).lines
    assert error["error"]["candidates"] == ["abc1", "abc2"]
    assert (await toolgate("approvals", "show", "abc2")).code == 0


@pytest.mark.abuse(95)
async def test_what_is_another_tenants_is_told_like_what_does_not_exist(port, toolgate):
    foreign = await port.desk.file(7, tenant="other")
    told = [
        await toolgate("approvals", verb, name, *words)
        for name in (foreign.id, "0" * 20)
        for verb, *words in VERBS
    ]
    half = len(VERBS)
    assert [(one.code, one.err) for one in told[:half]] == [(one.code, one.err) for one in told[half:]]
    assert {one.code for one in told} == {EXIT_PROBLEM}
    assert (await toolgate("approvals", "show", foreign.id, who=OLI)).code == 0


VERBS = [
    ("show",),
    ("approve", "--seen", "0" * 64, "--yes"),
    ("deny", "--reason", "no"),
    ("claim",),
    ("ask", "max@example.com"),
    ("edit", "--set", "/amount=1"),
    ("resolve", "--outcome", "failed", "--evidence", "x"),
]


# --- deciding -------------------------------------------------------------------------------------


async def test_approve_on_the_command_line(port, toolgate):
    hold = await port.desk.file(1)
    beginning = hold.id[:8]
    for words in (["--yes"], ["--seen", hold.seen, "--yes"], ["--seen", hold.seen, "--confirm", "1"], []):
        done = await toolgate("approvals", "approve", beginning, *words)
        assert done.code == EXIT_PROBLEM
        assert await status_of(port, hold) == "held"
    done = await toolgate(
        "approvals", "approve", beginning, "--seen", hold.seen[:16], "--confirm", "121", "--reason", "fine"
    )
    assert (done.code, done.out) == (0, f"approved: {hold.id[:12]} payments/refund\n")
    now = await port.desk.now_is(hold.id)
    assert (now.status.value, now.reason, now.reason_by) == ("approved", "fine", "lea@example.com")


async def test_approve_in_json(port, toolgate):
    hold = await port.desk.file(1, asked=LOW)
    assert (await toolgate("approvals", "approve", hold.id, "--yes", "--json")).code == EXIT_PROBLEM
    (answer,) = (
        await toolgate("approvals", "approve", hold.id, "--seen", hold.seen, "--yes", "--json")
    ).lines
    assert (answer["counted"], answer["hold"]["status"]) == (True, "approved")


@pytest.mark.abuse(93)
async def test_the_second_of_two_is_told_who_was_first_and_exits_3(port, toolgate):
    hold = await port.desk.file(1, asked=LOW)
    words = ("approvals", "approve", hold.id, "--seen", hold.seen, "--yes")
    assert (await toolgate("approvals", "deny", hold.id, "--reason", "too much", who=MAX)).code == 0
    done = await toolgate(*words)
    assert done.code == EXIT_SOMEBODY_ELSE
    assert "it is denied now, by max@example.com" in done.err
    (error,) = (await toolgate(*words, "--json")).lines
    assert (error["error"]["code"], error["error"]["by"]) == ("hold_wrong_status", "max@example.com")
    assert (await toolgate("approvals", "deny", hold.id, "--reason", "no")).code == EXIT_SOMEBODY_ELSE


async def test_a_quorum_counts_each_person_once(port, toolgate):
    hold = await port.desk.file(1, asked=LOW | {"quorum": 2})
    words = ("approvals", "approve", hold.id, "--seen", hold.seen, "--yes")
    assert "waits for more people to agree (2 in all)" in (await toolgate(*words)).out
    assert "nothing changed" in (await toolgate(*words)).out
    assert "; 1 said yes in this round" in (await toolgate("approvals", "show", hold.id, who=MAX)).out
    assert (await toolgate(*words, who=MAX)).out.startswith("approved")


@pytest.mark.abuse(85)
async def test_nobody_approves_their_own_call_or_what_is_not_theirs_to_decide(port, toolgate):
    hold = await port.desk.file(1, asked=LOW)
    for who, why in ((ANA, "their own agent"), (SAM, "decided by refund-lead")):
        done = await toolgate("approvals", "approve", hold.id, "--seen", hold.seen, "--yes", who=who)
        assert done.code == EXIT_PROBLEM
        assert why in done.err
        assert (await toolgate("approvals", "deny", hold.id, "--reason", "no", who=who)).code == EXIT_PROBLEM
    assert await status_of(port, hold) == "held"


async def test_deny_needs_a_reason_and_the_agent_gets_it(port, toolgate):
    hold = await port.desk.file(1)
    done = await toolgate("approvals", "deny", hold.id)
    assert done.code == EXIT_PROBLEM
    assert "--reason" in done.err
    assert (await toolgate("approvals", "deny", hold.id[:8], "--reason", "ask Ines first")).code == 0
    assert (await port.desk.now_is(hold.id)).reason == "ask Ines first"


async def test_claim_tells_the_others(port, toolgate):
    hold = await port.desk.file(1, asked=LOW)
    assert "claimed by you until" in (await toolgate("approvals", "claim", hold.id[:8], who=MAX)).out
    assert "max@example.com" in (await toolgate("approvals", "ls")).out
    done = await toolgate("approvals", "approve", hold.id, "--seen", await seen(port, hold), "--yes")
    assert done.code == EXIT_SOMEBODY_ELSE
    assert "max@example.com has claimed it" in done.err


# --- editing --------------------------------------------------------------------------------------


@pytest.mark.abuse(97)
async def test_edit_puts_other_arguments_in_place_and_begins_another_round(port, toolgate, tmp_path):
    hold = await port.desk.file(1)
    done = await toolgate(
        "approvals", "edit", hold.id[:8], "--set", "/amount=50", "--set", "/note=none", "--reason", "half"
    )
    assert done.code == 0, done.err
    assert "edited: another round of approvals has begun" in done.out
    assert "    - number  │ 121" in done.out
    assert "    + number  │ 50" in done.out
    assert "round 2" in done.out
    assert await seen(port, hold) != hold.seen
    stale = await toolgate("approvals", "approve", hold.id, "--seen", hold.seen, "--confirm", "50")
    assert stale.code == EXIT_SOMEBODY_ELSE
    path = tmp_path / "arguments.json"
    path.write_text(json.dumps({"amount": 40, "order_id": "o-1"}))
    (sheet,) = (await toolgate("approvals", "edit", hold.id, "--file", path, "--json")).lines
    assert (sheet["arguments"]["amount"], sheet["hold"]["round"]) == (40, 3)


async def test_edits_that_do_not_fit_change_nothing_or_are_stale_send_nothing(port, toolgate):
    hold = await port.desk.file(1)
    for words, why in [
        (["--set", '/amount="x"', "--set", "/note=n"], "amount is missing"),
        (["--set", "/amount=5000", "--set", "/note=n"], "policy denies"),
        (["--set", "/amount=50"], "a secret that is not shown"),
        (["--set", "/amount=121"], "nothing is different"),
        (["--set", "amount"], "is not /NAME=VALUE"),
        ([], "an editor needs a terminal"),
    ]:
        done = await toolgate("approvals", "edit", hold.id, *words)
        assert (done.code, why in done.err) == (EXIT_PROBLEM, True), (words, done.err)
    stale = await toolgate(
        "approvals", "edit", hold.id, "--set", "/amount=5", "--set", "/note=n", "--seen", "0" * 64
    )
    assert stale.code == EXIT_SOMEBODY_ELSE
    assert (await port.desk.now_is(hold.id)).version == hold.version
    await agreed(port, hold)
    late = await toolgate("approvals", "edit", hold.id, "--set", "/amount=5")
    assert late.code == EXIT_SOMEBODY_ELSE


# --- the rest -------------------------------------------------------------------------------------


async def test_resolve_says_what_became_of_a_lost_call(port, toolgate):
    hold = await port.desk.file(1)
    words = ("approvals", "resolve", hold.id[:8], "--outcome", "succeeded", "--evidence", "the bank says so")
    early = await toolgate(*words, who=MAX)
    assert early.code == EXIT_SOMEBODY_ELSE
    await agreed(port, hold)
    await port.desk.lose(hold.id)
    assert "toolgate approvals resolve" in (await toolgate("approvals", "show", hold.id)).out
    assert (await toolgate(*words[:-2], who=MAX)).code == EXIT_PROBLEM
    done = await toolgate(*words, who=MAX)
    assert (done.code, done.out) == (0, f"succeeded: {hold.id[:12]} payments/refund\n")
    assert (await port.desk.now_is(hold.id)).reason == "the bank says so"


async def test_grants_are_listed_and_taken_back(port, toolgate):
    hold = await port.desk.file(1, asked=GRANT)
    assert (await toolgate("approvals", "grants", "ls")).out == "none\n"
    await agreed(port, hold)
    assert hold.id[:8] in (await toolgate("approvals", "grants", "ls")).out
    (row,) = (await toolgate("approvals", "grants", "ls", "--json")).lines
    assert row["id"] == hold.id
    done = await toolgate("approvals", "grants", "revoke", hold.id[:8], "--reason", "changed my mind")
    assert (done.code, done.out) == (0, f"cancelled: {hold.id[:12]} payments/refund\n")


async def test_login_prints_a_link_that_logs_in_once(port, toolgate):
    (link,) = (await toolgate("login", "--json")).lines
    done = await toolgate("login")
    assert done.code == 0
    assert f"{port.origin}/login?code=" in done.out
    code = link["url"].partition("code=")[2]
    browser = port.browser()
    assert (await browser.ask("POST", "/login", form=f"code={code}", page=port.origin)).status == 303
    assert (await browser.ask("POST", "/login", form=f"code={code}", page=port.origin)).status == 403


# --- credentials ----------------------------------------------------------------------------------

EVERY_VERB = [
    ("approvals", "ls"),
    ("approvals", "show", "{hold}"),
    ("approvals", "approve", "{hold}", "--seen", "{seen}", "--yes"),
    ("approvals", "deny", "{hold}", "--reason", "no"),
    ("approvals", "edit", "{hold}", "--set", "/amount=1"),
    ("approvals", "claim", "{hold}"),
    ("approvals", "resolve", "{hold}", "--outcome", "failed", "--evidence", "x"),
    ("approvals", "grants", "ls"),
    ("approvals", "grants", "revoke", "{hold}"),
    ("approvals", "watch"),
    ("login",),
]


@pytest.mark.abuse(128)
@pytest.mark.parametrize("words", EVERY_VERB, ids=" ".join)
async def test_an_agents_token_or_none_is_refused_by_every_verb_and_changes_nothing(port, toolgate, words):
    hold = await port.desk.file(1, asked=LOW)
    before = await port.desk.dump()
    filled = [word.format(hold=hold.id, seen=hold.seen) for word in words]
    agent = await toolgate(*filled, token=AGENT)
    assert agent.code == EXIT_PROBLEM
    assert "an agent's access token is no credential here" in agent.err
    for token, why in (
        ("tgr_" + "0" * 64, "no valid reviewer credential"),
        ("", "no reviewer token was given"),
    ):
        done = await toolgate(*filled, token=token)
        assert (done.code, why in done.err) == (EXIT_PROBLEM, True), done.err
    assert await port.desk.dump() == before
    assert port.desk.read == []


@pytest.mark.abuse(128)
async def test_the_control_with_a_reviewers_token_the_same_words_do_something(port, toolgate):
    hold = await port.desk.file(1, asked=LOW)
    assert (await toolgate("approvals", "approve", hold.id, "--seen", hold.seen, "--yes")).code == 0
    assert await status_of(port, hold) == "approved"


@pytest.mark.abuse(128)
async def test_a_token_is_no_argument_and_is_never_printed(port, toolgate):
    from tests.contract.people.port import token_of

    assert (await toolgate("approvals", "ls", "--token", token_of(LEA))).code == EXIT_PROBLEM
    for words in (["approvals", "ls"], ["login"], ["approvals", "show", "zz"]):
        done = await toolgate(*words)
        assert token_of(LEA) not in done.out + done.err
    for words in (["approvals"], ["approvals", "approve"], ["login"]):
        assert "--token" not in (await toolgate(*words, "--help")).out
    assert "environment in" in (await toolgate("approvals", "--help")).out


@pytest.mark.abuse(128)
async def test_both_kinds_of_token_in_one_environment_are_remarked_upon(port, toolgate):
    done = await toolgate("approvals", "ls", environ={"TOOLGATE_TOKEN": AGENT})
    assert done.code == 0
    assert "an agent that runs here can decide in your name" in done.err
    assert "note" not in (await toolgate("approvals", "ls")).err


async def test_a_port_that_is_not_there_or_not_ours_is_said_to_be_so(port, toolgate):
    await_nothing = await toolgate("approvals", "ls", environ={"TOOLGATE_PEOPLE_URL": "http://127.0.0.1:9"})
    assert await_nothing.code == EXIT_PROBLEM
    assert "toolgate serve" in await_nothing.err
    plain = await toolgate("approvals", "ls", environ={"TOOLGATE_PEOPLE_URL": "http://toolgate.example.com"})
    assert "in the clear" in plain.err
