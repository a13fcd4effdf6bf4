"""Rows of held calls that somebody changed in the database file while nothing ran: what runs is what was approved."""

from __future__ import annotations

import json

import pytest

from tests.edge.conftest import keyed
from tests.edge.held import LEA, MAX, POLICY, HeldGateway, at_once, held_settings, refusal
from tests.edge.upstream_server import ToolServer

FAR_MS = 10**14
SEEN = {}
"""By hold: what a reviewer is shown is no secret."""
BY_HAND = {"status": "approved", "approved_until_ms": FAR_MS, "next_ms": 1}
"""The executor takes it up at once."""


def change(db, hold, **members):
    sets = ", ".join(f"{name} = :{name}" for name in members)
    assert db.execute(f"UPDATE hold SET {sets} WHERE id = :id", {**members, "id": hold}).rowcount == 1


def value(db, hold, column):
    return db.execute(f"SELECT {column} FROM hold WHERE id = ?", (hold,)).fetchone()[0]


def edited(db, hold, column, **members):
    return json.dumps(json.loads(value(db, hold, column)) | members)


def status_by_hand(db, hold, other):
    change(db, hold, **BY_HAND)


def quorum_by_hand(db, hold, other):
    change(db, hold, requirement=edited(db, hold, "requirement", quorum=1), **BY_HAND)


def other_payload(db, hold, other):
    place = json.loads(value(db, other, "arguments"))["payload"]
    change(db, hold, arguments=edited(db, hold, "arguments", payload=place))


def other_payload_and_digest(db, hold, other):
    change(db, hold, arguments=value(db, other, "arguments"))


def everything_of_another(db, hold, other):
    columns = ("arguments", "call_digest", "name", "definition_digest")
    change(db, hold, **{name: value(db, other, name) for name in columns})


def other_tool(db, hold, other):
    change(db, hold, name="slow")


def other_method(db, hold, other):
    change(db, hold, method="prompts/get")


def other_binding(db, hold, other):
    change(db, hold, binding=value(db, other, "binding"))


def later_expiry(db, hold, other):
    change(db, hold, expires_ms=FAR_MS, approved_until_ms=FAR_MS)


def other_revision(db, hold, other):
    change(db, hold, revision="0" * 64)


def other_round(db, hold, other):
    change(db, hold, round=2)


def lower_risk(db, hold, other):
    change(db, hold, requirement=edited(db, hold, "requirement", risk=1))


def runs_by_itself(db, hold, other):
    change(db, hold, requirement=edited(db, hold, "requirement", on_approval="execute"), next_ms=1)


def other_definition(db, hold, other):
    change(db, hold, definition_digest="0" * 64)


def other_owner(db, hold, other):
    change(db, hold, subject_id="ben@example.com", agent="ben", tenant="other")


def vote_of_another_call(db, hold, other):
    db.execute("UPDATE hold_vote SET hold = ? WHERE hold = ?", (hold, other))
    change(db, hold, **BY_HAND)


def fence_set_back(db, hold, other):
    change(db, hold, fence=0, attempts=0, outcome=None, collected=0, **BY_HAND)


def vote(db, hold, person):
    """One person's word, as complete as somebody can write it who has no key."""
    row = db.execute("SELECT * FROM hold WHERE id = ?", (hold,)).fetchone()
    members = {
        "hold": hold,
        "round": row["round"],
        "person": person,
        "verdict": "approve",
        "at_ms": row["created_ms"],
        "seen": SEEN[hold],
        "binding": row["binding"],
        "names": '["lead"]',
        "sole": 0,
        "how": "token",
        "reason": "",
    }
    # What the gateway adds with its key cannot be known.
    members |= {
        one["name"]: "" for one in db.execute("PRAGMA table_info(hold_vote)") if one["name"] not in members
    }
    names = ", ".join(members)
    values = ", ".join(f":{name}" for name in members)
    db.execute(f"INSERT OR REPLACE INTO hold_vote ({names}) VALUES ({values})", members)


def words_by_hand(db, hold, other):
    for person in ("lea@example.com", "max@example.com"):
        vote(db, hold, person)
    change(db, hold, **BY_HAND)


def second_word_by_hand(db, hold, other):
    vote(db, hold, "max@example.com")
    change(db, hold, **BY_HAND)


def word_turned_round(db, hold, other):
    db.execute("UPDATE hold_vote SET verdict = 'approve' WHERE hold = ?", (hold,))
    change(db, hold, **BY_HAND)


def approved_again(db, hold, other):
    change(db, hold, **BY_HAND)


CHANGES = {
    "a call that nobody approved is marked as approved": (True, "", status_by_hand),
    "one of two approvals is made enough": ("two", "once", quorum_by_hand),
    "other arguments are put in their place": ("grant", "once", other_payload),
    "other arguments with their digest": ("grant", "once", other_payload_and_digest),
    "the whole of another call": ("grant", "once", everything_of_another),
    "another tool": ("grant", "once", other_tool),
    "another method": ("grant", "once", other_method),
    "the binding of another call": ("grant", "once", other_binding),
    "a later expiry": ("grant", "once", later_expiry),
    "another policy revision": ("grant", "once", other_revision),
    "another round": ("grant", "once", other_round),
    "a lower risk": ("grant", "once", lower_risk),
    "execution by itself": ("grant", "once", runs_by_itself),
    "another definition": ("grant", "once", other_definition),
    "another owner": ("grant", "once", other_owner),
    "the approval of another call": (True, "", vote_of_another_call),
    "an executed call is approved again, its fence set back": (True, "once", fence_set_back),
    "an executed call is approved again": (True, "once", approved_again),
    "an approval that was taken back is put in place again": ("grant", "taken back", approved_again),
    "nobody approved it, and words are put in people's mouths": ("two", "", words_by_hand),
    "one approved it, and the second word is written by hand": ("two", "once", second_word_by_hand),
    "a denial is turned into an approval": (True, "deny", word_turned_round),
}

NOBODYS = {"another method", "another owner"}
"""There nobody comes any more who could use them."""


@pytest.fixture(scope="module")
def changed(tmp_path_factory):
    """All of it at once: the gateway after the change, and a hold for each."""
    with ToolServer() as server:
        settings = held_settings({"tools": keyed(server.port)})
        gateway = HeldGateway(tmp_path_factory.mktemp("rows"), settings, POLICY, server).start()
        gateway.numbers = {name: n for n, name in enumerate(CHANGES)}
        asks = {gateway.numbers[name]: ask for name, (ask, _, _) in CHANGES.items()}
        rows = gateway.hold_all(asks | {100: "grant", 101: "grant"})
        gateway.holds = {name: rows[n] for name, n in gateway.numbers.items()}
        gateway.other, gateway.control = rows[100], rows[101]
        SEEN.update({row["id"]: row["seen"] for row in rows.values()})
        for name, (_, votes, _) in CHANGES.items():
            if votes:
                gateway.decision(gateway.holds[name], "deny" if votes == "deny" else "approve")
            if votes == "taken back":
                gateway.decision(gateway.holds[name], "deny", token=MAX)
        for row in (gateway.other, gateway.control):
            gateway.decision(row)
        for name in CHANGES:
            if "executed" in name:
                gateway.becomes(gateway.holds[name]["id"], "succeeded")
        gateway.stop()
        with gateway.rows() as db:
            for name, (_, _, alter) in CHANGES.items():
                alter(db, gateway.holds[name]["id"], gateway.other["id"])
        try:
            yield gateway.start()
        finally:
            gateway.stop()


@pytest.mark.abuse(78)
@pytest.mark.abuse(79)
@pytest.mark.abuse(80)
@pytest.mark.abuse(92)
@pytest.mark.parametrize("name", CHANGES)
def test_a_row_that_was_changed_by_hand_never_runs(changed, name):
    hold, n = changed.holds[name]["id"], changed.numbers[name]
    before = 1 if "executed" in name else 0
    changed.collect(hold)
    changed.collect(hold, who="ben")
    if name not in NOBODYS:
        row = changed.becomes(hold, "held", "invalidated", "succeeded", "outcome_unknown")
        assert (row["status"] == "succeeded") is bool(before)
    assert len(changed.executions(n)) == before


@pytest.mark.abuse(78)
def test_what_nobody_changed_runs_once_with_the_approval_it_has(changed):
    told = changed.collect(changed.control["id"])
    assert json.loads(told.text) == {"ask": "grant", "n": 101}
    assert len(changed.executions(101)) == 1


@pytest.mark.abuse(90)
def test_a_row_that_is_held_and_was_changed_is_not_approved(changed):
    hold = changed.holds["a call that nobody approved is marked as approved"]
    row = changed.becomes(hold["id"], "held")
    assert row["round"] == 2, "it was looked at, and nobody had said yes"
    stale = changed.decision(hold)
    assert refusal(stale) == (409, "hold_seen_stale"), "what was seen before is not what is held now"
    changed.approve(row)
    changed.becomes(hold["id"], "succeeded")


@pytest.mark.abuse(93)
def test_of_a_hundred_words_at_once_on_what_is_left_one_counts(changed):
    row = changed.hold(200)
    words = [
        changed.person_request(
            f"/holds/{row['id']}/decision", {"verdict": "approve", "seen": row["seen"]}, token=token
        )
        for token in (LEA, MAX) * 25
    ]
    answers = at_once(changed.people, words)
    assert {answer.status for answer in answers} <= {200, 409}
    assert sum(answer.status == 200 and answer.json["counted"] for answer in answers) == 1
    changed.becomes(row["id"], "succeeded")
    assert len(changed.executions(200)) == 1


@pytest.mark.abuse(92)
def test_a_copy_of_the_database_does_not_bring_back_what_was_taken_back(changed):
    rows = changed.hold_all({400: "grant", 401: "grant", 402: "grant"})
    for n in (400, 401):
        changed.approve(rows[n])
    changed.stop()
    copy = changed.database.read_bytes()
    changed.start()
    assert changed.decision(rows[400], "deny", token=MAX).status == 200
    assert changed.decision(rows[402], "deny").status == 200
    changed.stop()
    changed.database.write_bytes(copy)
    changed.start()
    assert [changed.row(rows[n]["id"])["status"] for n in (400, 401, 402)] == [
        "cancelled",
        "approved",
        "denied",
    ]
    for n in (400, 401, 402):
        changed.collect(rows[n]["id"])
    assert [len(changed.executions(n)) for n in (400, 401, 402)] == [0, 1, 0]


@pytest.mark.abuse(78)
def test_a_row_that_nobody_can_read_keeps_nobody_else_waiting(changed):
    rows = changed.hold_all({300: True, 301: True})
    changed.stop()
    with changed.rows() as db:
        change(db, rows[300]["id"], workflow="{", **BY_HAND)
    changed.start()
    assert {row["id"] for row in changed.queue("held,approved")} >= {rows[301]["id"]}
    assert refusal(changed.person(f"/holds/{rows[300]['id']}")) == (409, "hold_unreadable")
    assert refusal(changed.decision(rows[300])) == (409, "hold_unreadable")
    changed.approve(rows[301])
    changed.becomes(rows[301]["id"], "succeeded")
    assert not changed.executions(300)
