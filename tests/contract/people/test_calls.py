"""Calls and upstreams over the people port: lists, stories, news, and nothing of another tenant."""

from __future__ import annotations

import json

import pytest

from durable.errors import IndexUnavailable, StoreUnavailable
from durable.pins import rows
from gateway.core.pin_states import judged
from gateway.ports import CallEnd, UpstreamHealth
from tests.contract.people.port import LEA, MAX, OLI, PEOPLE, PIN_KEY, Port
from tests.contract.people.script_activity import intent, outcome
from tests.contract.people.test_definitions import seen
from tests.contract.people.test_events import opened

CALLS = "/api/v1/calls"
NEWS = "/api/v1/activity/events"
SECRET = "hunter2-hunter2"


def ended(target="orders/get", seconds=0.1, error_type="", effect="allow"):
    return CallEnd(call_id="c1", seq=1, target=target, effect=effect, error_type=error_type, seconds=seconds)


async def test_calls_are_listed_newest_first_with_how_they_ended(port):
    port.activity.write(
        intent("c1", found={"email": 2}), outcome("c1", is_error=True), intent("c2", "deny", code="no")
    )
    page = (await port.get(CALLS)).json
    assert [row["call"] for row in page["calls"]] == ["c2", "c1"]
    assert page["calls"][1] == {
        "call": "c1",
        "seq": 0,
        "at": "2026-09-21T14:13:20.000Z",
        "method": "tools/call",
        "target": "orders/get",
        "subject": "ana@example.com",
        "agent": "desk",
        "client": "client 1.0",
        "effect": "allow",
        "would": "",
        "code": "",
        "status": "succeeded",
        "duration_ms": 12.5,
        "is_error": True,
        "hold": "",
        "found": {"email": 2},
    }
    assert (page["calls"][0]["status"], page["calls"][0]["duration_ms"]) == ("", None)
    assert (page["next"], page["behind_entries"], page["behind_reason"]) == (None, 0, "")
    port.activity.behind = (12, "the index is behind: no disk")
    page = (await port.get(CALLS)).json
    assert (page["behind_entries"], page["behind_reason"]) == (12, "the index is behind: no disk")


async def test_pages_and_filters(port):
    port.activity.write(
        *(intent(f"c{n}", "deny" if n % 2 else "allow", tool=f"orders/t{n % 2}") for n in range(5))
    )

    async def ids(query):
        page = (await port.get(f"{CALLS}?{query}")).json
        return [row["call"] for row in page["calls"]], page["next"]

    assert await ids("limit=3") == (["c4", "c3", "c2"], 2)
    assert await ids("limit=3&before=2") == (["c1", "c0"], None)
    assert await ids("effect=deny") == (["c3", "c1"], None)
    assert await ids("tool=orders/t0&limit=1") == (["c4"], 4)
    assert await ids("subject=nobody") == ([], None)


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=201", "before=-1", "before=x", "effect=maybe", "status=held", "tool=" + "x" * 600],
)
async def test_a_query_that_is_not_understood_is_refused(port, query):
    heard = await port.get(f"{CALLS}?{query}")
    assert (heard.status, heard.code) == (400, "invalid_query")
    assert (await port.get(f"{CALLS}?limit=200&before=0&effect=hold")).status == 200


async def test_a_story_has_every_entry_and_opens_nothing(port):
    port.activity.write(intent("c1", workflow={"id": "w1"}), intent("c2"), outcome("c1", found={"iban": 1}))
    story = (await port.get(f"{CALLS}/c1")).json
    assert [entry["kind"] for entry in story["entries"]] == ["intent", "outcome"]
    assert story["entries"][0]["sealed_bytes"] == {"arguments": 7}
    assert story["reasons"] == [{"code": "over_limit", "rule": "toolgate.rules.refunds"}]
    assert (story["revision"], story["definition"], story["workflow"]) == ("r1", "d" * 64, {"id": "w1"})
    assert (story["before"]["counts"], story["after"]["counts"]) == ({}, {"iban": 1})
    assert (story["view"], story["hold"], story["left_out"]) == ("sealed", None, 0)
    assert story["call"]["call"] == "c1"


async def test_secrets_in_what_others_say_are_in_no_answer(port):
    port.activity.write(
        intent("c1", client=f"client {SECRET}", workflow={"id": SECRET}, subject=SECRET), outcome("c1")
    )
    port.health["orders"] = UpstreamHealth(state="down", reason=f"it said {SECRET}", server=SECRET)
    for path in (CALLS, f"{CALLS}/c1", "/api/v1/upstreams"):
        heard = await port.get(path)
        assert heard.status == 200
        assert SECRET.encode() not in heard.body
        assert b"[REDACTED:" in heard.body


@pytest.mark.abuse(105)
async def test_another_tenants_call_is_as_unknown_as_one_that_does_not_exist(port):
    port.activity.write(intent("abc1"), intent("abd1", tenant="other"))
    answers = set()
    for prefix in ("abd1", "abd", "f" * 24, "x" * 200, "%00"):
        heard = await port.get(f"{CALLS}/{prefix}")
        answers.add((heard.status, heard.body))
    assert len(answers) == 1
    assert next(iter(answers))[0] == 404
    assert [row["call"] for row in (await port.get(CALLS)).json["calls"]] == ["abc1"]
    # It is there for whoever may see it, and a beginning that both have is ambiguous for nobody.
    assert (await port.get(f"{CALLS}/abd1", OLI)).json["call"]["call"] == "abd1"
    assert (await port.get(f"{CALLS}/ab", OLI)).json["call"]["call"] == "abd1"
    assert (await port.get(f"{CALLS}/ab")).json["call"]["call"] == "abc1"


async def test_a_beginning_that_several_have_names_them(port):
    port.activity.write(intent("ab1"), intent("ab2"))
    heard = await port.get(f"{CALLS}/ab")
    assert (heard.status, heard.code, heard.error["candidates"]) == (409, "ambiguous_hold", ["ab1", "ab2"])


async def test_what_cannot_be_read_now_is_said_to_be_so(port):
    port.activity.write(intent("c1"))
    port.activity.broken = IndexUnavailable("no index", next_step="look at it")
    for path in (CALLS, f"{CALLS}/c1"):
        heard = await port.get(path)
        assert (heard.status, heard.code, heard.error["next"]) == (
            503,
            "audit_index_unavailable",
            "look at it",
        )
    port.activity.broken = None
    assert (await port.get(CALLS)).status == 200


async def test_that_there_is_more_to_read_is_told_and_what_others_do_is_not(port):
    async with port.events(path=NEWS) as stream, port.events(OLI, path=NEWS) as theirs:
        await opened(stream)
        await opened(theirs)
        port.activity.write(intent("c1", tenant="other"))
        assert await theirs.event() == ("reload", {})
        port.activity.write(intent("c2"))
        assert await stream.event() == ("reload", {})
    async with Port(stream_ping_s=0.01) as quiet, quiet.events(path=NEWS) as stream:
        await opened(stream)
        quiet.activity.write(intent("c1", tenant="other"))
        assert await stream.block() == [": ping"]
        quiet.activity.write(intent("c2"))
        assert await stream.event() == ("reload", {})


async def test_both_kinds_of_streams_share_one_bound_and_end_together():
    async with Port(streams_per_person_max=2) as port:
        async with port.events() as holds, port.events(path=NEWS) as calls:
            await opened(holds)
            await opened(calls)
            for path in (NEWS, "/api/v1/events"):
                heard = await port.get(path)
                assert (heard.status, heard.code) == (503, "overloaded")
            assert (port.activity.listening, len(port.app._streams)) == (1, 2)
            port.app.close()
            assert (await holds.event(), await calls.event()) == (None, None)
        assert (await port.get(NEWS)).code == "draining"
        assert port.activity.listening == 0


@pytest.mark.abuse(86)
async def test_who_is_removed_is_told_nothing_more():
    async with (
        Port(stream_ping_s=0.01) as port,
        port.events(path=NEWS) as stream,
        port.events(MAX, path=NEWS) as other,
    ):
        await opened(stream)
        await opened(other)
        port.directory.replace(PEOPLE[1:])
        port.activity.write(intent("c1"))
        assert await stream.event() is None
        assert (await other.event())[0] == "reload"


async def test_a_stream_that_cannot_read_ends_so_that_it_is_opened_again(port):
    async with port.events(path=NEWS) as stream:
        await opened(stream)
        port.activity.broken = IndexUnavailable("no disk")
        port.activity.write(intent("c1"))
        assert await stream.event() is None


async def test_upstreams_are_listed_with_their_definitions_and_how_long_their_calls_take(port):
    await port.desk.store.run(
        rows.write, [judged(None, seen("get", "Look up."), pin_new=True, at_ms=1, key=PIN_KEY)]
    )
    for number in range(1, 21):
        port.recent.call_ended(
            None, ended(seconds=number / 100, error_type="tool_error" if number == 7 else "")
        )
    port.advance(5)
    found = (await port.get("/api/v1/upstreams", OLI)).json["upstreams"]
    assert [one["id"] for one in found] == ["orders", "notes"]
    assert found[0] == {
        "id": "orders",
        "state": "ready",
        "reason": "",
        "era": "modern",
        "protocol_version": "2026-07-28",
        "server": "orders 1.0",
        "transport": "http",
        "in_flight": 2,
        "definitions": {"new": 0, "pinned": 1, "drifted": 0, "quarantined": 0, "unpinned": 0},
        "latency": {
            "calls": 20,
            "p50_ms": 100.0,
            "p95_ms": 190.0,
            "errors": {"tool_error": 1},
            "newest_age_s": 5.0,
        },
    }
    assert (found[1]["state"], found[1]["reason"], found[1]["transport"]) == (
        "down",
        "it does not start",
        "stdio",
    )
    assert found[1]["latency"] == {
        "calls": 0, "p50_ms": None, "p95_ms": None, "errors": {}, "newest_age_s": None,
    }  # fmt: skip
    assert found == (await port.get("/api/v1/upstreams", LEA)).json["upstreams"]


async def test_upstreams_without_the_store_of_pins_are_said_to_come_back(port, monkeypatch):
    async def broken(*_args):
        raise StoreUnavailable("no disk", next_step="look at it")

    with monkeypatch.context() as patch:
        patch.setattr(port.standing, "_counts", broken)
        heard = await port.get("/api/v1/upstreams")
        assert (heard.status, heard.code) == (503, "holds_unavailable")
    assert (await port.get("/api/v1/upstreams")).status == 200


@pytest.mark.parametrize("path", [CALLS, f"{CALLS}/c1", NEWS, "/api/v1/upstreams"])
async def test_nobody_reads_without_a_credential(port, path):
    port.activity.write(intent("c1"))
    heard = await port.ask("GET", path)
    assert (heard.status, heard.code) == (401, "unauthenticated")
    assert "ana" not in json.dumps(heard.json)
