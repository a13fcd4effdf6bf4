"""What has to be told elsewhere is written with the event, or neither is."""

from __future__ import annotations

import pytest

from tests.unit.durable.holds.kit import ANA, BEN, HOUR_MS, MINUTE_MS, REAL

outbox, LOG, WEBHOOKS = REAL.outbox, REAL.mover.LOG, REAL.mover.WEBHOOKS


def untold(bench, channel=LOG, *, limit=99, hold_id=None):
    return bench.read(outbox.untold, channel, limit=limit, hold_id=hold_id)


def named(found):
    return [(one.event.hold, one.event.seq) for one in found]


def test_every_event_has_its_rows_for_the_log_and_for_everybody_else(bench):
    hold = bench.finish(bench.executing())
    expected = [(hold.id, seq) for seq in range(1, hold.version + 1)]
    for channel in (LOG, WEBHOOKS):
        assert named(untold(bench, channel)) == expected
    first, *_, last = untold(bench)
    assert (first.event.kind, first.event.details["status"]) == ("held", "held")
    assert (last.event.kind, last.attempts) == ("succeeded", 0)
    assert first.hold == last.hold == hold, "the hold as it is now"


def test_a_crash_before_the_commit_leaves_neither_event_nor_row(bench):
    hold = bench.file()
    before = bench.dump()
    bench.run(REAL.deciding.cancel, hold.id, tenant=hold.tenant, actor="rex-agent", reason="", crash=True)
    assert bench.dump() == before
    bench.run(REAL.deciding.cancel, hold.id, tenant=hold.tenant, actor="rex-agent", reason="")
    assert named(untold(bench))[-1] == (hold.id, 2)


@pytest.mark.parametrize("table", ["hold_event", "hold_outbox", "hold_waiting"])
def test_where_one_of_them_cannot_be_written_nothing_is(bench, table):
    hold = bench.file()
    bench.execute(
        f"CREATE TRIGGER full BEFORE {'UPDATE' if table == 'hold_waiting' else 'INSERT'} ON {table} "
        "BEGIN SELECT RAISE(ABORT, 'no room'); END"
    )
    before = bench.dump()
    woken = list(bench.woken)
    with pytest.raises(Exception, match="no room"):
        bench.decide(hold, ANA)
    assert bench.dump() == before
    assert bench.woken == woken, "nobody is told of what did not happen"
    bench.execute("DROP TRIGGER full")
    assert bench.decide(hold, ANA).hold.status == "approved"


def test_events_are_told_in_the_order_in_which_they_happened(bench):
    bench.file(2)
    bench.now_ms += 1
    bench.file(1)
    bench.decide(bench.get("h2"), ANA)
    assert named(untold(bench)) == [("h2", 1), ("h1", 1), ("h2", 2)]
    assert named(untold(bench, limit=2)) == [("h2", 1), ("h1", 1)]
    assert named(untold(bench, hold_id="h2")) == [("h2", 1), ("h2", 2)]


def test_what_was_told_is_not_told_again_to_that_channel(bench):
    hold = bench.approved()
    bench.run(outbox.told, LOG, [(hold.id, 1)])
    assert named(untold(bench)) == [(hold.id, 2)]
    assert named(untold(bench, WEBHOOKS)) == [(hold.id, 1), (hold.id, 2)]
    bench.run(outbox.told, LOG, [(hold.id, 1), (hold.id, 2), ("gone", 1)])
    assert untold(bench) == []


def test_what_could_not_be_told_comes_again_later(bench):
    hold = bench.approved()
    bench.run(outbox.later, LOG, hold.id, 1, after_ms=MINUTE_MS)
    assert named(untold(bench)) == [(hold.id, 2)]
    bench.now_ms += MINUTE_MS - 1
    assert named(untold(bench)) == [(hold.id, 2)]
    bench.now_ms += 1
    assert [(one.event.seq, one.attempts) for one in untold(bench)] == [(2, 0), (1, 1)]


def test_one_channel_spreads_to_several_once_each(bench):
    bench.approved(1)
    bench.file(2)
    total = 0
    while done := bench.run(outbox.spread, WEBHOOKS, ["hook:a", "hook:b"], limit=2):
        total += done
    assert total == 3
    assert untold(bench, WEBHOOKS) == []
    everything = [("h1", 1), ("h1", 2), ("h2", 1)]
    assert sorted(named(untold(bench, "hook:a"))) == sorted(named(untold(bench, "hook:b"))) == everything
    assert len(untold(bench, LOG)) == 3


def test_spreading_again_after_a_crash_makes_no_second_row(bench):
    bench.file()
    bench.run(outbox.spread, WEBHOOKS, ["hook:a"], limit=9, crash=True)
    assert len(untold(bench, WEBHOOKS)) == 1
    bench.run(outbox.spread, WEBHOOKS, ["hook:a"], limit=9)
    assert len(untold(bench, "hook:a")) == 1


def test_without_webhooks_nothing_piles_up(bench):
    bench.approved()
    assert bench.run(outbox.spread, WEBHOOKS, [], limit=9) == 2
    assert bench.rows("SELECT * FROM hold_outbox WHERE channel <> 'log'") == []


def test_who_waits_for_a_hold_is_woken_by_each_of_its_events_and_by_no_others(bench):
    hold = bench.file(1, asked={"quorum": 2})
    bench.file(2)
    bench.woken.clear()
    bench.decide(hold, ANA)
    bench.decide(hold, BEN)
    bench.now_ms += HOUR_MS
    assert bench.woken == ["h1", "h1"]
    bench.decide(hold, BEN)
    assert bench.woken == ["h1", "h1"], "nothing happened"
