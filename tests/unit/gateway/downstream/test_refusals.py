"""What never became a call: one record each for principals, a sum for strangers."""

from __future__ import annotations

from gateway.downstream.refusals import DETAIL_CHARACTERS_MAX, Refusals
from tests.fakes import ANA, JournalTrail


def test_a_principals_refusal_is_one_record_with_a_code():
    audit = JournalTrail()
    Refusals(audit, redacted=str).record(ANA, "invalid_request", "x" * 1000, "tools/call")
    (record,) = audit.records
    assert (record.kind, record.tenant) == ("refusal", "acme")
    assert record.members["code"] == "invalid_request"
    assert record.members["subject"] == "ana@example.com"
    assert len(record.members["reason"]) == DETAIL_CHARACTERS_MAX


def test_strangers_are_summed_up():
    audit = JournalTrail()
    refusals = Refusals(audit, redacted=str)
    for _ in range(1000):
        refusals.count("unauthenticated")
    refusals.count("http_421")
    refusals.flush()
    refusals.flush()
    assert [record.members for record in audit.records] == [
        {"counts": {"unauthenticated": 1000, "http_421": 1}}
    ]
