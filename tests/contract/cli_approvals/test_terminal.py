"""At a terminal: what a person is shown, asked and protected from."""

from __future__ import annotations

import asyncio

import pytest

from gateway.cli.approvals.client import EXIT_PROBLEM
from tests.contract.people.port import LEA, token_of

LOW = {"risk": 1}
HIGH_QUESTION = r"type the value of /amount: $"


async def status_of(port, hold):
    return (await port.desk.now_is(hold.id)).status.value


async def test_a_person_reads_types_the_amount_and_it_is_approved(port, toolgate):
    hold = await port.desk.file(1)
    done = await toolgate.at_terminal("approvals", "approve", hold.id[:6], answers=[(HIGH_QUESTION, "121\n")])
    assert done.code == 0
    assert done.out.index("What would run") < done.out.index("The risk is HIGH")
    assert await status_of(port, hold) == "approved"


@pytest.mark.parametrize("typed", ["\n", "yes\n", "\x04"], ids=["enter", "yes", "end of input"])
async def test_enter_yes_or_the_end_of_input_do_not_approve_a_high_risk(port, toolgate, typed):
    hold = await port.desk.file(1)
    done = await toolgate.at_terminal("approvals", "approve", hold.id, answers=[(HIGH_QUESTION, typed)])
    assert done.code == EXIT_PROBLEM
    assert "not approved; nothing was sent" in done.out
    assert await status_of(port, hold) == "held"


async def test_a_low_risk_needs_yes_and_not_enter(port, toolgate):
    hold = await port.desk.file(1, asked=LOW)
    question = r"Approve\? Type yes: $"
    done = await toolgate.at_terminal("approvals", "approve", hold.id, answers=[(question, "\n")])
    assert (done.code, await status_of(port, hold)) == (EXIT_PROBLEM, "held")
    done = await toolgate.at_terminal("approvals", "approve", hold.id, answers=[(question, "yes\n")])
    assert (done.code, await status_of(port, hold)) == (0, "approved")


@pytest.mark.abuse(78)
async def test_what_changes_while_it_is_read_is_not_approved(port, toolgate):
    hold = await port.desk.file(1, asked=LOW)
    loop = asyncio.get_running_loop()

    def edited():
        """By somebody else, between the question and the answer."""
        sent = {"arguments": {"amount": 900}, "seen": hold.seen, "reason": "x"}
        asyncio.run_coroutine_threadsafe(port.post(f"/api/v1/holds/{hold.id}/edit", sent), loop).result(20)
        return "yes\n"

    done = await toolgate.at_terminal("approvals", "approve", hold.id, answers=[(r"Type yes: $", edited)])
    assert done.code == 3
    assert "what you were shown is not what is held now" in done.out
    assert await status_of(port, hold) == "held"


@pytest.mark.abuse(128)
async def test_the_token_is_asked_for_without_showing_it(port, toolgate):
    token = token_of(LEA)
    hold = await port.desk.file(1)
    done = await toolgate.at_terminal(
        "approvals", "ls", token="", answers=[(r"it is not shown\): $", token + "\n")]
    )
    assert done.code == 0
    assert hold.id[:8] in done.out
    assert token not in done.out
    assert token[-20:] not in done.out


@pytest.mark.abuse(68)
async def test_what_an_agent_wrote_cannot_act_on_the_terminal(port, toolgate):
    hold = await port.desk.file(1, asked=LOW)
    port.desk.values[hold.id] = [{"amount": 121, "evil": "\x1b[2J\x1b]52;c;eA==\x07\u202e\x9b2J"}]
    answers = [(r"Type looked once you have looked at them: $", "looked\n"), (r"Type yes: $", "yes\n")]
    done = await toolgate.at_terminal("approvals", "approve", hold.id, answers=answers)
    assert done.code == 0
    for sequence in ("\x1b[2J", "\x1b]", "\x07", "\u202e", "\x9b"):
        assert sequence not in done.out
    assert "‹ESC›" in done.out
    assert "\x1b[" in done.out, "the control: our own colours are there"


async def test_an_edit_in_the_editor_can_be_approved_at_once(port, toolgate, tmp_path):
    hold = await port.desk.file(1, asked=LOW)
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i -e s/121/60/ -e "s/.redacted: token./none/" "$1"\n')
    editor.chmod(0o700)
    answers = [(r"Type yes: $", "yes\n")]
    done = await toolgate.at_terminal(
        "approvals", "edit", hold.id, answers=answers, environ={"EDITOR": str(editor)}
    )
    assert done.code == 0, done.out
    assert "another round of approvals has begun" in done.out
    now = await port.desk.now_is(hold.id)
    assert (now.status.value, now.round) == ("approved", 2)
    assert port.desk.values[hold.id][-1] == {"amount": 60, "order_id": "o-1", "note": "none"}


async def test_a_reason_is_asked_for(port, toolgate):
    hold = await port.desk.file(1)
    done = await toolgate.at_terminal("approvals", "deny", hold.id, answers=[(r"Why not\? $", "not today\n")])
    assert done.code == 0
    assert (await port.desk.now_is(hold.id)).reason == "not today"
