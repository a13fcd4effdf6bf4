"""From entries to what is shown: whatever an entry holds, and without a finished scan nothing foreign."""

from __future__ import annotations

import json
from dataclasses import asdict

from durable.audit.reading import Entry
from gateway.activity.facts import call_row, call_story
from gateway.redaction import Redaction
from scanners.errors import ScanIncomplete
from tests.unit.gateway.activity.kit import REDACTION, intent, outcome


def entries(*records):
    return tuple(
        Entry(
            seq=seq,
            at=f"2026-09-21T14:13:2{seq}.000007Z",
            kind=record.kind,
            tenant=record.tenant,
            members=dict(record.members),
            payloads={one.name: {"bytes": len(one.body)} for one in record.payloads},
            line=b"",
        )
        for seq, record in enumerate(records)
    )


def test_times_are_to_the_millisecond():
    assert call_row(entries(intent("c1")), REDACTION).at_ms == 1_790_000_000_000


def test_shadow_mode_says_what_enforcing_would_have_done():
    row = call_row(entries(intent("c1", mode="shadow", would="deny", code="too_much")), REDACTION)
    assert (row.effect, row.would, row.code) == ("allow", "deny", "too_much")


def test_why_it_failed_is_the_outcomes_code_where_the_intent_has_none():
    row = call_row(entries(intent("c1"), outcome("c1", "failed", code="upstream_rpc_error")), REDACTION)
    assert row.code == "upstream_rpc_error"


def test_a_resource_is_named_by_its_definition():
    found = intent("c1", method="resources/read", target="files/report")
    del found.members["tool"]
    assert call_row(entries(found), REDACTION).target == "files/report"


def test_a_text_that_was_too_long_for_its_line_is_shown_in_part():
    long = {"cut": "a client", "bytes": 9_000, "hmac_sha256": "0" * 64}
    assert call_row(entries(intent("c1", client=long)), REDACTION).client == "a client…"


def test_members_of_any_kind_are_no_fault_of_ours():
    odd = intent("c1", "allow", found=[1], tool=7, reasons=["x", {"code": 1}], workflow="w", hold=None)
    ended = outcome("c1", {"a": 1}, duration_us="long", is_error="yes")
    story = call_story(entries(odd, ended), hold=None, view="none", redaction=REDACTION)
    assert (story.row.target, story.row.duration_us, story.row.found) == ("", None, {})
    assert story.reasons == (("", ""),)
    assert story.workflow == {}


def test_entries_without_an_intent_are_told_all_the_same():
    story = call_story(entries(outcome("c1")), hold=None, view="none", redaction=REDACTION)
    assert (story.row.call, story.row.status, story.row.effect) == ("c1", "succeeded", "")


def test_without_a_finished_scan_no_name_and_no_text_is_shown():
    class Broken:
        def json_value(self, value):
            raise ScanIncomplete("no memory")

        text = json_value

    said = entries(intent("c1", client="a secret client", workflow={"id": "a secret id"}), outcome("c1"))
    story = call_story(said, hold=None, view="none", redaction=Redaction(Broken()))
    shown = json.dumps(asdict(story))
    assert "secret" not in shown.replace("scan for secrets", "")
    assert (story.row.call, story.row.status, story.row.effect) == ("c1", "succeeded", "allow")
    assert story.row.client == "not shown: the scan for secrets did not finish"
    whole = json.dumps(asdict(call_story(said, hold=None, view="none", redaction=REDACTION)))
    assert "a secret client" in whole
