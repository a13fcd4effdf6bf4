"""A yes is never an accident: not by Enter, not for what was not shown, not for what has changed."""

import pytest

from gateway.cli.approvals.approving import Consent, approve, sheet_as_seen, told
from gateway.cli.approvals.client import EXIT_PROBLEM, EXIT_SOMEBODY_ELSE, TurnedAway
from gateway.errors import ConfigurationError
from tests.unit.gateway.cli.approvals.screens import Port, Screen
from tests.unit.gateway.cli.approvals.sheets import ID, SEEN, row, sheet

LOW = sheet(hold=row(risk="low"))
HIDING = sheet({"amount": 250, "note": "a\u202eb"}, hold=row(risk="low"))


def refused(port, screen, consent=None):
    with pytest.raises(ConfigurationError) as caught:
        approve(port, screen, ID[:6], consent or Consent())
    assert port.sent == []
    return caught.value


# --- at a terminal --------------------------------------------------------------------------------


@pytest.mark.parametrize("answers", [["yes"], ["  yes "]])
def test_a_typed_yes_approves_what_was_shown_and_nothing_else(answers):
    port, screen = Port(LOW), Screen(*answers)
    approve(port, screen, ID[:6], Consent(reason="ok"))
    assert "/amount    number  │ 250" in screen.text
    assert port.sent == [(f"/holds/{ID}/decision", {"verdict": "approve", "seen": SEEN, "reason": "ok"})]


@pytest.mark.parametrize("answer", ["", "y", "no", "YES", "250", "approve"])
def test_enter_and_anything_but_yes_does_not_approve(answer):
    assert "not approved" in refused(Port(LOW), Screen(answer)).reason


@pytest.mark.parametrize("answer", ["", "yes", "refund", "251", "250.0", "amount"])
def test_a_high_risk_needs_the_object_typed(answer):
    screen = Screen(answer)
    refused(Port(sheet()), screen)
    assert screen.asked == ["The risk is HIGH. To approve, type the value of /amount: "]
    assert "250" not in screen.asked[0], "the question does not give its answer away"
    port = Port(sheet())
    approve(port, Screen("250"), ID, Consent())
    assert len(port.sent) == 1


@pytest.mark.abuse(82)
def test_characters_that_hide_need_a_look_of_their_own():
    for answers in (["yes"], ["", "yes"], ["yes", "yes"]):
        refused(Port(HIDING), Screen(*answers))
    port = Port(HIDING)
    approve(port, Screen("looked", "yes"), ID, Consent())
    assert len(port.sent) == 1
    once = Screen("yes")
    approve(Port(LOW), once, ID, Consent())
    assert len(once.asked) == 1, "the control: without such characters nothing more is asked"


def test_without_a_terminal_nobody_can_say_yes():
    assert "needs a person at a terminal" in refused(Port(LOW), Screen(interactive=False)).reason


# --- on the command line --------------------------------------------------------------------------


@pytest.mark.parametrize("risk", ["low", "medium"])
def test_seen_and_yes_are_enough_for_a_risk_that_is_not_high(risk):
    port, screen = Port(sheet(hold=row(risk=risk))), Screen(interactive=False)
    approve(port, screen, ID, Consent(seen=SEEN[:16], yes=True))
    assert port.sent[0][1]["seen"] == SEEN, "in full, whatever was typed of it"
    assert screen.text == ""


@pytest.mark.parametrize(
    ("consent", "why"),
    [
        (Consent(yes=True), "need --seen"),
        (Consent(confirm="250"), "need --seen"),
        (Consent(seen=SEEN, yes=True), "--yes is not enough"),
        (Consent(seen=SEEN, confirm="25"), "--confirm is not the value of /amount"),
        (Consent(seen=SEEN, yes=True, confirm="refund"), "--confirm is not the value of /amount"),
        (Consent(seen=SEEN[:15], confirm="250"), "at least 16 characters"),
    ],
)
def test_a_high_risk_needs_seen_and_confirm(consent, why):
    assert why in refused(Port(sheet()), Screen(interactive=False), consent).reason
    port = Port(sheet())
    approve(port, Screen(interactive=False), ID, Consent(seen=SEEN, confirm="250"))
    assert len(port.sent) == 1


@pytest.mark.abuse(82)
def test_on_the_command_line_too_hidden_characters_are_acknowledged_by_themselves():
    consent = {"seen": SEEN, "yes": True}
    assert "hide or mislead" in refused(Port(HIDING), Screen(interactive=False), Consent(**consent)).reason
    port = Port(HIDING)
    approve(port, Screen(interactive=False), ID, Consent(**consent, characters_seen=True))
    assert len(port.sent) == 1


def test_seen_without_yes_still_asks_but_shows_nothing_again():
    port, screen = Port(LOW), Screen("yes")
    approve(port, screen, ID, Consent(seen=SEEN))
    assert len(port.sent) == 1
    assert "What would run" not in screen.text


# --- somebody was first, or nobody can ------------------------------------------------------------


@pytest.mark.abuse(90)
@pytest.mark.parametrize(
    "status", ["approved", "executing", "denied", "expired", "cancelled", "succeeded", "outcome_unknown"]
)
def test_what_no_longer_waits_is_not_asked_about(status):
    port, screen = (
        Port(sheet(hold=row(status=status, reason_by="max@example.com", risk="low"))),
        Screen("yes"),
    )
    with pytest.raises(TurnedAway) as caught:
        approve(port, screen, ID, Consent())
    assert caught.value.exit_code == EXIT_SOMEBODY_ELSE
    assert (caught.value.detail.status, caught.value.detail.by) == (status, "max@example.com")
    assert port.sent == []
    assert screen.asked == []


@pytest.mark.abuse(78)
def test_what_changed_since_it_was_seen_is_not_approved():
    port = Port(LOW)
    with pytest.raises(TurnedAway) as caught:
        approve(port, Screen(interactive=False), ID, Consent(seen="cd" * 16, yes=True))
    assert caught.value.exit_code == EXIT_SOMEBODY_ELSE
    assert port.sent == []
    assert sheet_as_seen(port, ID, SEEN[:20]).seen == SEEN


@pytest.mark.abuse(83)
@pytest.mark.parametrize(
    "changes",
    [
        {"uninspectable": "too large"},
        {"arguments_text": "{"},
        {"redactions": [{"pointer": "", "kind": "crowded"}]},
    ],
)
def test_what_nobody_can_look_at_cannot_be_approved_even_on_the_command_line(changes):
    for consent in (Consent(), Consent(seen=SEEN, yes=True)):
        error = refused(Port(sheet(hold=row(risk="low"), **changes)), Screen("yes", "yes"), consent)
        assert "nobody can approve it" in error.reason
        assert "deny" in error.next_step


@pytest.mark.abuse(85)
def test_who_may_not_decide_is_not_asked():
    screen = Screen("yes")
    error = refused(
        Port(sheet(hold=row(risk="low"), may_decide="a person cannot approve what their own agent asks for")),
        screen,
    )
    assert "their own agent" in error.reason
    assert screen.asked == []


@pytest.mark.abuse(93)
@pytest.mark.parametrize(
    ("code", "exit_code"),
    [
        ("hold_wrong_status", EXIT_SOMEBODY_ELSE),
        ("hold_changed", EXIT_SOMEBODY_ELSE),
        ("hold_seen_stale", EXIT_SOMEBODY_ELSE),
        ("hold_claimed", EXIT_SOMEBODY_ELSE),
        ("hold_not_eligible", EXIT_PROBLEM),
        ("agent_token", EXIT_PROBLEM),
        ("hold_already_voted", EXIT_PROBLEM),
        ("ambiguous_hold", EXIT_PROBLEM),
    ],
)
def test_who_was_second_can_tell_it_from_other_problems(code, exit_code):
    with pytest.raises(TurnedAway) as caught:
        approve(Port(LOW, refusal=code), Screen("yes"), ID, Consent())
    assert caught.value.exit_code == exit_code


# --- what is said afterwards ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hold", "counted", "sentence"),
    [
        (row(status="approved"), True, "approved: 3f9a21c4d5e6 payments/refund"),
        (
            row(status="held", quorum=2),
            True,
            "counted: 3f9a21c4d5e6 payments/refund waits for more people to agree (2 in all)",
        ),
        (
            row(status="held"),
            False,
            "nothing changed: you had said the same about 3f9a21c4d5e6 payments/refund before",
        ),
        (row(status="outcome_unknown"), True, "outcome unknown: 3f9a21c4d5e6 payments/refund"),
    ],
)
def test_what_became_of_it_is_said_in_one_sentence(hold, counted, sentence):
    assert told({"hold": hold, "counted": counted}) == sentence
