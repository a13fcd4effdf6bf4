"""``toolgate tools`` and ``toolgate trust`` as they are typed: what is shown, asked, and bound to what was seen."""

from __future__ import annotations

import json

import pytest

from gateway.cli.approvals.client import EXIT_PROBLEM, EXIT_SOMEBODY_ELSE
from gateway.core.pin_states import judged
from tests.contract.people.port import LEA, OPS, PIN_KEY
from tests.contract.people.test_definitions import FOUND, one, put, seen, shelf

PIN_QUESTION = r"Pin it as shown\? \[y/N\] $"
NAME_QUESTION = r"type its name: $"


async def state(port, name):
    return (await one(port, name))["definition"]["state"]


async def test_the_list_says_what_is_not_offered_and_why(port, toolgate):
    await shelf(port)
    done = await toolgate("tools", "ls")
    assert done.code == 0, done.err
    for words in (
        "quarantined",
        "orders/bad",
        "drifted",
        "toolgate tools diff orders/refund",
        "toolgate trust",
    ):
        assert words in done.out
    [row] = (await toolgate("tools", "ls", "orders", "--state", "drifted", "--json")).lines
    assert (row["name"], row["state"]) == ("refund", "drifted")
    assert (await toolgate("tools", "ls", "nobody")).out == "none\n"


@pytest.mark.abuse(40)
async def test_the_difference_is_shown_before_a_person_pins(port, toolgate):
    await shelf(port)
    done = await toolgate("tools", "diff", "orders/refund")
    assert '- │ "back."' in done.out
    assert '+ │ "back, to mallory."' in done.out
    typed = await toolgate.at_terminal(
        "tools", "pin", "orders/refund", answers=[(PIN_QUESTION, "\n")], who=OPS
    )
    assert (typed.code, await state(port, "refund")) == (EXIT_PROBLEM, "drifted")
    assert "to mallory" in typed.out
    typed = await toolgate.at_terminal(
        "tools", "pin", "orders/refund", answers=[(PIN_QUESTION, "y\n")], who=OPS
    )
    assert (typed.code, await state(port, "refund")) == (0, "pinned")


async def test_what_something_was_found_in_needs_its_name(port, toolgate):
    await shelf(port)
    typed = await toolgate.at_terminal(
        "tools", "pin", "orders/bad", answers=[(NAME_QUESTION, "y\n")], who=OPS
    )
    assert (typed.code, await state(port, "bad")) == (EXIT_PROBLEM, "quarantined")
    assert FOUND.reason in typed.out
    typed = await toolgate.at_terminal(
        "tools", "pin", "orders/bad", answers=[(NAME_QUESTION, "bad\n")], who=OPS
    )
    assert (typed.code, await state(port, "bad")) == (0, "pinned")


async def test_without_a_terminal_it_has_to_be_said_what_was_seen(port, toolgate):
    await shelf(port)
    assert (await toolgate("tools", "pin", "orders/get", "--yes", who=OPS)).code == EXIT_PROBLEM
    shown = json.loads((await toolgate("tools", "show", "orders/get", "--json")).out)["definition"]
    stale = await toolgate("tools", "pin", "orders/get", "--yes", "--seen", "0" * 64, who=OPS)
    assert stale.code == EXIT_SOMEBODY_ELSE
    assert await state(port, "get") == "new"
    words = ("tools", "pin", "orders/get", "--yes", "--seen", shown["listed_digest"])
    assert (await toolgate(*words, who=LEA)).code == EXIT_PROBLEM
    done = await toolgate(*words, "--json", who=OPS)
    assert (done.code, done.lines[0]["definition"]["state"]) == (0, "pinned")
    assert (await toolgate(*words, who=OPS)).code == EXIT_SOMEBODY_ELSE
    assert (await toolgate("tools", "unpin", "orders/get", who=OPS)).code == 0
    assert await state(port, "get") == "unpinned"


async def test_trust_sums_up_in_ten_lines_and_enter_trusts_nothing(port, toolgate):
    await shelf(port)
    await put(
        port,
        *(judged(None, seen(f"t{n}", "Do."), pin_new=False, at_ms=1, key=PIN_KEY) for n in range(40)),
    )
    question = r"Pin these 41\? \[y/N\] $"
    typed = await toolgate.at_terminal("trust", "orders", answers=[(question, "\n")], who=OPS)
    assert (typed.code, await state(port, "t7")) == (EXIT_PROBLEM, "new")
    assert (await toolgate("trust", "orders", who=OPS)).code == EXIT_PROBLEM
    done = await toolgate("trust", "orders", "--yes", who=OPS)
    assert (done.code, await state(port, "t7")) == (0, "pinned")
    assert len(done.out.splitlines()) <= 10
    assert (await state(port, "bad"), await state(port, "refund")) == ("quarantined", "drifted")
    assert "nothing to pin" in (await toolgate("trust", "orders", who=OPS)).out


@pytest.mark.abuse(39)
async def test_what_hides_in_a_definition_is_shown_as_escapes(port, toolgate):
    await put(port, judged(None, seen("odd", "Look\u202eup \x1b[2J"), pin_new=False, at_ms=1, key=PIN_KEY))
    done = await toolgate("tools", "show", "orders/odd")
    assert "\u202e" not in done.out
    assert "\x1b" not in done.out
    assert "characters that hide or mislead" in done.out


async def test_a_target_without_a_slash_is_explained(port, toolgate):
    done = await toolgate("tools", "show", "orders")
    assert (done.code, "UPSTREAM/NAME" in done.err) == (EXIT_PROBLEM, True)
