"""What people read of calls: pages, one call, and that there is more. Over a real log and a real index."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from types import SimpleNamespace

import pytest

from durable.errors import AuditUnavailable, IndexUnavailable
from durable.holds.refusals import AmbiguousHold, UnknownHold
from durable.holds.status import Status
from tests.unit.gateway.activity.kit import EVE, LEA, OWN, TOKEN, intent, other, outcome


async def ids(logged, person=LEA, **query):
    return [row.call for row in (await logged.desk.calls(person, **query)).calls]


def everything(value):
    return json.dumps(asdict(value), default=str)


async def test_calls_are_listed_newest_first_with_how_they_ended(logged):
    await logged.write(
        intent("c1", found={"email": 1}),
        outcome("c1", is_error=True, found={"email": 2, "github-token": 1}),
        intent("c2", "deny", code="too_much", would=""),
        outcome("c2", "refused", code="too_much", duration_us=None, body=None),
        intent("c3"),
    )
    page = await logged.desk.calls(LEA)
    last, denied, first = page.calls
    assert (last.call, last.status, last.duration_us) == ("c3", "", None)
    assert (denied.effect, denied.code, denied.status) == ("deny", "too_much", "refused")
    assert (first.method, first.target, first.subject) == ("tools/call", "orders/get", "ana@example.com")
    assert (first.agent, first.client, first.effect, first.status) == (
        "desk",
        "client 1.0",
        "allow",
        "succeeded",
    )
    assert (first.duration_us, first.is_error) == (12_500, True)
    assert first.found == {"email": 3, "github-token": 1}
    assert (first.seq, last.at_ms - first.at_ms) == (1, 4_000)
    assert (page.before, page.behind_entries, page.behind_reason) == (None, 0, "")


async def test_pages_follow_one_another_and_are_narrowed_exactly(logged):
    await logged.write(
        *(
            intent(f"c{n}", "deny" if n % 2 else "allow", tool=f"orders/t{n % 3}", subject=f"s{n % 2}")
            for n in range(9)
        )
    )
    whole = await ids(logged)
    assert whole == [f"c{n}" for n in range(8, -1, -1)]
    found, before = [], None
    while True:
        page = await logged.desk.calls(LEA, limit=4, before=before)
        found += [row.call for row in page.calls]
        before = page.before
        if before is None:
            break
    assert found == whole
    assert await ids(logged, effect="deny") == ["c7", "c5", "c3", "c1"]
    assert await ids(logged, tool="orders/t1") == ["c7", "c4", "c1"]
    assert await ids(logged, tool="orders/t1", effect="deny") == ["c7", "c1"]
    assert await ids(logged, subject="s0", limit=2) == ["c8", "c6"]
    assert await ids(logged, tool="orders/t") == []


async def test_another_tenants_calls_are_in_no_page_and_have_no_story(logged):
    await logged.write(
        intent("aa1"), intent("aa2", tenant="other"), outcome("aa1"), outcome("aa1", "failed", tenant="other")
    )
    assert await ids(logged) == ["aa1"]
    assert (await logged.desk.calls(LEA)).calls[0].status == "succeeded"
    assert await ids(logged, EVE) == ["aa2"]
    for prefix in ("aa2", "aa22", "b"):
        with pytest.raises(UnknownHold):
            await logged.desk.call(LEA, prefix)
    # The control, and that the beginning they share is ambiguous for nobody.
    assert (await logged.desk.call(EVE, "aa2")).row.call == "aa2"
    assert (await logged.desk.call(LEA, "aa")).row.call == "aa1"


async def test_a_story_has_everything_in_order_and_what_follows_from_it(logged):
    await logged.write(
        intent(
            "c1",
            reasons=[{"code": "ok", "rule": "toolgate.rules.a"}],
            found={"email": 1},
            rules=["pii.email"],
            workflow={"id": "w1"},
        ),
        other("input_request", "c1", method="elicitation/create", upstream="orders", effect="allow"),
        other("input_answer", "c1", upstream="orders", effect="allow"),
        intent("c2"),
        outcome("c1", found={"iban": 2}, rules=["pii.iban"], allowed={"pii.phone": 1}),
    )
    story = await logged.desk.call(LEA, "c1")
    assert [entry.kind for entry in story.entries] == ["intent", "input_request", "input_answer", "outcome"]
    assert [entry.seq for entry in story.entries] == [1, 2, 3, 5]
    assert story.row == (await logged.desk.calls(LEA)).calls[1]
    assert story.reasons == (("ok", "toolgate.rules.a"),)
    assert (story.revision, story.definition, story.session) == ("r1", "d" * 64, "s1")
    assert story.workflow == {"id": "w1"}
    assert (story.before.counts, story.before.rules) == ({"email": 1}, ("pii.email",))
    assert (story.after.counts, story.after.allowed) == ({"iban": 2}, {"pii.phone": 1})
    assert (story.hold, story.left_out) == (None, 0)
    assert story.entries[0].members["digest"] == "e" * 64
    assert story.entries[0].sealed_bytes == {"arguments": 25}
    assert story.entries[3].sealed_bytes == {"result": 16}


async def test_no_value_is_opened_and_it_is_said_what_could_be(logged):
    await logged.write(intent("c1"), outcome("c1"), intent("c2", values=None))
    story = await logged.desk.call(LEA, "c1")
    assert story.view == "sealed"
    assert "private" not in everything(story)
    assert "sha256" not in everything(story)
    assert (await logged.desk.call(LEA, "c2")).view == "none"
    await logged.log.erase_subject("acme", "ana@example.com", members={})
    assert (await logged.desk.call(LEA, "c1")).view == "erased"
    (logged.path / "audit" / "payloads" / "000000.sealed").unlink()
    assert (await logged.desk.call(LEA, "c1")).view == "missing"


async def test_secrets_in_names_and_texts_of_others_are_markers(logged):
    await logged.write(
        intent(
            "c1",
            client=f"client {TOKEN}",
            agent=OWN,
            subject=f"ana {TOKEN}",
            tool=f"orders/{OWN}",
            workflow={"id": OWN, "step": "plain step"},
        ),
        other("hold", "c1", event="denied", reason=f"it said {TOKEN}", from_payload={"sha256": "x"}),
    )
    page, story = await logged.desk.calls(LEA), await logged.desk.call(LEA, "c1")
    for shown in (page, story):
        assert TOKEN not in everything(shown)
        assert OWN not in everything(shown)
        assert "[REDACTED:" in everything(shown)
    assert story.workflow["step"] == "plain step"
    assert story.row.call == "c1"
    assert "from_payload" not in story.entries[1].members


async def test_a_persons_statement_counts_where_the_log_does_not_know(logged):
    await logged.write(
        intent("c1"),
        other("resolution", "c1", status="failed", by="max@example.com"),
        intent("c2"),
        outcome("c2", "outcome_unknown", code="upstream_gone"),
        other("resolution", "c2", status="succeeded", by="max@example.com"),
        intent("c3"),
        other("resolution", "c3", status="failed", by="max@example.com"),
        outcome("c3"),
        intent("c4"),
        other("not_sent", "c4"),
        intent("c5"),
        outcome("c5", "outcome_unknown"),
    )
    found = {row.call: row.status for row in (await logged.desk.calls(LEA)).calls}
    assert found == {
        "c1": "failed",
        "c2": "succeeded",
        "c3": "succeeded",
        "c4": "not_sent",
        "c5": "outcome_unknown",
    }


async def test_the_held_call_is_linked_from_its_request_and_from_its_attempt(logged):
    await logged.write(
        intent("c1", "hold", hold="h1"),
        outcome("c1", "held", hold="h1"),
        other("hold", "c1", hold="h1", event="held"),
        intent("c2", hold="h1", fence=1),
        outcome("c2", hold="h1", fence=1),
    )
    story = await logged.desk.call(LEA, "c1")
    assert (story.row.hold, story.row.effect, story.row.status) == ("h1", "hold", "held")
    assert (story.hold.id, story.hold.status, story.hold.ran_as) == ("h1", "", "")
    logged.holds["acme", "h1"] = SimpleNamespace(
        status=Status.SUCCEEDED, call_id="c1", outcome=SimpleNamespace(call_id="c2")
    )
    for call in ("c1", "c2"):
        hold = (await logged.desk.call(LEA, call)).hold
        assert (hold.id, hold.status, hold.requested_by, hold.ran_as) == ("h1", "succeeded", "c1", "c2")


async def test_a_long_story_is_told_without_its_middle(logged):
    await logged.write(intent("c1", "hold", hold="h1"))
    reads = [other("payload_read", "c1", by=f"p{n}", hold="h1") for n in range(600)]
    for start in range(0, 600, 100):
        await logged.write(*reads[start : start + 100])
    await logged.write(outcome("c1"))
    story = await logged.desk.call(LEA, "c1")
    assert (len(story.entries), story.left_out) == (500, 102)
    assert (story.entries[0].kind, story.entries[-1].kind) == ("intent", "outcome")
    assert story.row.status == "succeeded"


async def test_a_beginning_that_several_have_names_them(logged):
    await logged.write(intent("ab1"), intent("ab2"))
    with pytest.raises(AmbiguousHold) as several:
        await logged.desk.call(LEA, "ab")
    assert several.value.candidates == ("ab1", "ab2")


async def test_how_far_behind_the_index_is_and_why_is_said(logged):
    await logged.write(intent("c1"))
    logged.index.close()
    logged.index._reason = "the index is behind: no disk"
    logged.index._next_seq += 3
    page = await logged.desk.calls(LEA)
    assert (page.behind_entries, page.behind_reason) == (3, "the index is behind: no disk")
    assert [row.call for row in page.calls] == ["c1"]


async def test_what_cannot_be_read_now_is_said_to_be_so_and_one_call_is_still_found(logged):
    await logged.write(intent("c1"))
    logged.index.close()
    (logged.path / "audit" / "index.sqlite3").unlink()
    with pytest.raises(IndexUnavailable) as refused:
        await logged.desk.calls(LEA)
    assert "audit tail" in refused.value.next_step
    assert (await logged.desk.call(LEA, "c1")).row.call == "c1"
    (segment,) = (logged.path / "audit" / "segments").iterdir()
    away = segment.rename(logged.path / "away")
    segment.mkdir()
    with pytest.raises(AuditUnavailable):
        await logged.desk.call(LEA, "c1")
    segment.rmdir()
    away.rename(segment)
    assert (await logged.desk.call(LEA, "c1")).row.call == "c1"


async def test_who_waits_is_told_of_their_tenants_calls_and_of_no_others(logged):
    await logged.write(intent("c0"))
    with logged.desk.live(LEA) as ours, logged.desk.live(EVE) as theirs:
        lea, eve = asyncio.ensure_future(anext(ours)), asyncio.ensure_future(anext(theirs))
        await logged.write(intent("c1"))
        async with asyncio.timeout(20):
            await lea
        assert not eve.done()
        again = asyncio.ensure_future(anext(ours))
        await logged.write(intent("c2", tenant="other"))
        async with asyncio.timeout(20):
            await eve
        assert not again.done()
        await logged.write(outcome("c1"))
        async with asyncio.timeout(20):
            await again
    assert not logged.news._listening


async def test_an_index_that_cannot_answer_is_asked_again(logged, monkeypatch):
    answer, asked = logged.index.newest_since, []

    def fails_once(tenant, since):
        asked.append(since)
        if len(asked) == 1:
            raise IndexUnavailable("not now")
        return answer(tenant, since)

    monkeypatch.setattr(logged.index, "newest_since", fails_once)
    with logged.desk.live(LEA) as ours:
        waiting = asyncio.ensure_future(anext(ours))
        await logged.write(intent("c1"))
        async with asyncio.timeout(20):
            await waiting
    assert len(asked) >= 2
