"""``approvals ask`` and ``approvals stats`` against the real port."""

from __future__ import annotations

from gateway.cli.approvals.client import EXIT_PROBLEM, EXIT_SOMEBODY_ELSE
from tests.contract.people.port import LEA, MAX, SAM

MAX_ID = "max@example.com"


async def test_ask_names_a_colleague_and_the_sheet_says_so(port, toolgate):
    hold = await port.desk.file(1)
    await toolgate("approvals", "claim", hold.id)
    done = await toolgate("approvals", "ask", hold.id[:8], MAX_ID, "--note", "your customer")
    assert (done.code, done.out) == (0, f"asked {MAX_ID}: {hold.id[:12]}; it waits as before\n")
    shown = (await toolgate("approvals", "show", hold.id, who=MAX)).out
    assert f"asked       {MAX_ID}, by lea@example.com, 2026-09-21 14:13:20Z: your customer" in shown
    assert "\n  claimed by " not in shown, "but for the history"
    now = await port.desk.now_is(hold.id)
    assert (now.status.value, now.claimed_by) == ("held", "")


async def test_ask_in_json_is_the_row(port, toolgate):
    hold = await port.desk.file(1)
    (answer,) = (await toolgate("approvals", "ask", hold.id, MAX_ID, "--json")).lines
    assert (answer["id"], answer["status"], answer["version"]) == (hold.id, "held", 2)


async def test_ask_says_why_somebody_cannot_be_asked_and_when_it_is_too_late(port, toolgate):
    hold = await port.desk.file(1)
    for whom, told in (
        ("sam@example.com", "decided by refund-lead"),
        ("lea@example.com", "it is you"),
        ("nobody@example.com", "no reviewer has that id"),
        ("nobody\x1b[2J", "control characters"),
    ):
        done = await toolgate("approvals", "ask", hold.id, whom)
        assert (done.code, told in done.err, "\x1b" in done.err) == (EXIT_PROBLEM, True, False)
    assert "decided by" in (await toolgate("approvals", "ask", hold.id, MAX_ID, who=SAM)).err
    assert (await port.desk.now_is(hold.id)).version == 1
    await toolgate("approvals", "deny", hold.id, "--reason", "no", who=MAX)
    late = await toolgate("approvals", "ask", hold.id, MAX_ID)
    assert (late.code, "it is denied now, by max@example.com" in late.err) == (EXIT_SOMEBODY_ELSE, True)


async def test_stats_is_a_small_table(port, toolgate):
    for number, who, verdict in ((1, LEA, "approve"), (2, MAX, "deny"), (3, LEA, "approve"), (4, None, "")):
        hold = await port.desk.file(number)
        if who is not None:
            port.desk.now[0] += 60_000
            await port.decide(hold, who, verdict)
    port.desk.now[0] += 5_000
    done = await toolgate("approvals", "stats", "--days", "7")
    assert done.code == 0
    rows = [line.split() for line in done.out.splitlines()]
    assert ["2026-09-21", "4", "2", "1", "0", "0"] in rows
    assert ["in", "all", "4", "2", "1", "0", "0"] in rows
    assert ["lea@example.com", "2", "0"] in rows
    assert "without a held call, and not listed: 6 days" in done.out
    assert "approved: 67% of 3 that people decided" in done.out
    assert "decided: half within 1 min, nine of ten within 1 min" in done.out
    assert f"waiting now: 1 high, 0 medium, 0 low; longest {hold.id[:12]}, 5 s" in done.out


async def test_stats_in_json_and_of_so_many_days(port, toolgate):
    await port.desk.file(1)
    (answer,) = (await toolgate("approvals", "stats", "--json")).lines
    assert (len(answer["days"]), answer["total"]["held"]) == (30, 1)
    assert len((await toolgate("approvals", "stats", "--json", "--days", "90")).lines[0]["days"]) == 90
    for days in ("0", "91", "x"):
        assert (await toolgate("approvals", "stats", "--days", days)).code == EXIT_PROBLEM
    assert "waiting now: 1 high" in (await toolgate("approvals", "stats", "--days", "1")).out
