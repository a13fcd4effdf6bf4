"""A repeated idempotency key gets what the first call got; with other arguments it is an error."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.durable.holds.kit import ANA, KEY, REAL, TENANT, digest, outcome_of, requester

keyed, refusals = REAL.keyed, REAL.refusals
CALL = keyed.KeyedCall(
    tenant=TENANT,
    principal=REAL.mover.principal_text(requester()),
    target="payments/refund",
    key="order-7",
    call_digest=digest("call", 1, "definition"),
    call_id="call-1",
    owner="p1",
)
AGAIN = replace(CALL, call_id="call-2", owner="p2")


def reserve(bench, call):
    return bench.run(keyed.reserve, call)


@pytest.mark.abuse(79)
def test_the_first_call_with_a_key_runs_and_others_hear_of_it(bench):
    assert reserve(bench, CALL) is None
    for _ in range(3):
        assert reserve(bench, AGAIN) == keyed.Earlier(call_id="call-1", owner="p1", outcome=None)
    bench.run(keyed.settle, CALL, outcome_of("succeeded"))
    assert reserve(bench, AGAIN).outcome == outcome_of("succeeded")


def test_the_same_key_with_other_arguments_is_an_error(bench):
    reserve(bench, CALL)
    with pytest.raises(refusals.KeyReused, match="'order-7'"):
        reserve(bench, replace(AGAIN, call_digest=digest("other arguments")))
    assert reserve(bench, replace(AGAIN, key="order-8")) is None


@pytest.mark.abuse(80)
@pytest.mark.parametrize(
    "other",
    [{"tenant": "acme"}, {"principal": "another"}, {"target": "payments/charge"}, {"key": "order-8"}],
    ids=lambda changes: next(iter(changes)),
)
def test_a_key_means_one_call_of_one_principal_to_one_tool(bench, other):
    reserve(bench, CALL)
    bench.run(keyed.settle, CALL, outcome_of("succeeded"))
    assert reserve(bench, replace(AGAIN, **other)) is None
    assert reserve(bench, AGAIN) is not None


def test_a_key_of_a_call_that_was_not_sent_is_free_again(bench):
    reserve(bench, CALL)
    bench.run(keyed.release, CALL)
    assert reserve(bench, AGAIN) is None


def test_only_the_call_that_has_the_key_settles_or_frees_it(bench):
    reserve(bench, CALL)
    bench.run(keyed.settle, AGAIN, outcome_of("failed"))
    bench.run(keyed.release, AGAIN)
    assert reserve(bench, AGAIN) == keyed.Earlier(call_id="call-1", owner="p1", outcome=None)


def test_a_key_means_the_same_call_for_a_day(bench):
    reserve(bench, CALL)
    bench.now_ms += keyed.KEPT_MS - 1
    assert reserve(bench, AGAIN) is not None
    bench.now_ms += 1
    other = replace(AGAIN, call_digest=digest("other arguments"))
    assert reserve(bench, other) is None
    bench.run(keyed.release, CALL)
    assert reserve(bench, replace(other, call_id="call-3")).call_id == "call-2", (
        "the first one has no say in it"
    )


def test_keys_whose_day_is_over_are_removed(bench):
    for number in range(5):
        reserve(bench, replace(CALL, key=f"order-{number}"))
    bench.now_ms += keyed.KEPT_MS
    reserve(bench, CALL)
    assert [row["key"] for row in bench.rows("SELECT key FROM keyed_call")] == ["order-7"]


def test_a_held_calls_key_knows_its_outcome_together_with_the_row(bench):
    reserve(bench, CALL)
    hold = bench.executing(1, idempotency_key="order-7")
    assert reserve(bench, AGAIN).outcome is None
    bench.finish(hold)
    assert reserve(bench, AGAIN).outcome == outcome_of("succeeded")


@pytest.mark.parametrize("verdict", ["deny", "withdraw"])
def test_the_key_of_a_held_call_that_never_ran_is_free_again(bench, verdict):
    reserve(bench, CALL)
    hold = (
        bench.approved(1, idempotency_key="order-7")
        if verdict == "withdraw"
        else bench.file(1, idempotency_key="order-7")
    )
    assert reserve(bench, AGAIN) is not None
    bench.decide(hold, ANA, "deny")
    assert reserve(bench, AGAIN) is None


def test_the_key_of_a_held_call_whose_outcome_is_unknown_stays_taken_until_a_person_found_out(bench):
    reserve(bench, CALL)
    hold = bench.finish(bench.executing(1, idempotency_key="order-7"), "outcome_unknown")
    assert reserve(bench, AGAIN).outcome is None
    bench.run(REAL.deciding.resolve, hold.id, ANA, "succeeded", evidence="it is in the list", key=KEY)
    assert reserve(bench, AGAIN).outcome.code == "resolved"
