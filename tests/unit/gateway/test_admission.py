"""From a listing to the catalogue: each definition alone, changes recorded, the last good one kept."""

from __future__ import annotations

import asyncio
import json

import pytest

from gateway.admission import BURST, Admission, UpstreamFacts
from gateway.catalogue.param_headers import read_param_headers
from gateway.catalogue.snapshot import CatalogueStore
from gateway.core.catalogue_record import CHANGES_PER_RECORD
from gateway.core.definition import Kind
from gateway.errors import AuditUnwritable, UpstreamTimeout
from tests.fakes import EverythingPinned, JournalTrail, ScriptedUpstream, tool_members


class Hall:
    """An admission flow over one scripted upstream."""

    def __init__(self, *listing, settle_s=5.0, retry_s=(0.5, 30.0), **facts):
        self.upstream = ScriptedUpstream(listing=list(listing))
        self.audit = JournalTrail()
        self.store = CatalogueStore()
        self.reports = []
        self.arrived = []
        self.admission = Admission(
            upstreams={"orders": self.upstream},
            facts={"orders": UpstreamFacts(**facts)},
            replace=self.store.replace,
            touched=self.store.touched,
            audit=self.audit,
            pins=EverythingPinned(),
            read_param_headers=read_param_headers,
            report=lambda upstream, sentence, *, problem: self.reports.append((sentence, problem)),
            arrived=self.arrived.append,
            settle_s=settle_s,
            retry_s=retry_s,
        )

    async def refresh(self, *listing):
        if listing:
            self.upstream.listing = list(listing)
        await self.admission.refresh("orders")

    @property
    def names(self):
        return [tool.name for tool in self.store.offered(Kind.TOOL, "orders")]

    @property
    def refused(self):
        return {item.name: item.code for item in self.store.refused()}

    @property
    def changes(self):
        return self.audit.of("catalogue")


async def test_one_bad_tool_does_not_cost_the_others():
    hall = Hall(
        tool_members("good"),
        None,
        {"name": {}},
        {"name": ["x"], "inputSchema": {}},
        tool_members("bad name"),
        tool_members("remote", inputSchema={"$ref": "http://h/x"}),
        tool_members("header", inputSchema={"type": "object", "x-mcp-header": "A"}),
        tool_members("lists", inputSchema=["x-mcp-header"]),
        b'{"name":"twice","name":"twice","inputSchema":{}}',
        b'{"name":"raw","inputSchema":{}}',
        tool_members("fine"),
    )
    await hall.refresh()
    assert hall.names == ["fine", "good", "raw"]
    assert hall.refused["bad name"] == "definition_name"
    assert hall.refused["remote"] == "definition_schema"
    assert hall.refused["header"] == "definition_header"
    assert len(hall.store.refused()) == 8


@pytest.mark.abuse(44)
async def test_of_two_different_tools_of_one_name_none_is_offered_whatever_the_order():
    one, other = tool_members("refund"), tool_members("refund", description="another")
    for listing in ((one, other), (other, one)):
        hall = Hall(*listing, tool_members("get"))
        await hall.refresh()
        assert hall.names == ["get"]
        assert hall.refused == {"refund": "definition_duplicate"}


async def test_a_tool_listed_twice_the_same_is_one_tool():
    hall = Hall(tool_members("refund"), tool_members("refund"))
    await hall.refresh()
    assert (hall.names, hall.refused) == (["refund"], {})


@pytest.mark.abuse(46)
@pytest.mark.parametrize(("one", "other"), [("Refund", "refund"), ("pay1", "payl"), ("v0", "vO")])
async def test_tools_that_can_be_taken_for_each_other_are_not_offered(one, other):
    hall = Hall(tool_members(one), tool_members(other), tool_members("get"))
    await hall.refresh()
    assert hall.names == ["get"]
    assert set(hall.refused.values()) == {"definition_look_alike"}


@pytest.mark.abuse(50)
async def test_tools_over_the_bound_are_refused_by_name():
    hall = Hall(*(tool_members(f"tool-{number:03}") for number in range(12)), tools_max=10)
    await hall.refresh()
    assert len(hall.names) == 10
    assert hall.refused == {"tool-010": "catalogue_full", "tool-011": "catalogue_full"}


async def test_labels_come_from_the_operator_only():
    hall = Hall(
        tool_members("get", annotations={"readOnlyHint": True}),
        tool_members("put", annotations={"readOnlyHint": True}),
        read_only=frozenset({"get"}),
        idempotent=frozenset({"get"}),
    )
    await hall.refresh()
    assert hall.store.find(Kind.TOOL, "orders", "get").labels == ("idempotent", "read_only")
    assert hall.store.find(Kind.TOOL, "orders", "put").labels == ()


@pytest.mark.abuse(40)
async def test_a_changed_definition_is_recorded_with_its_new_digest():
    hall = Hall(tool_members("get"), tool_members("put"), tool_members("old"))
    await hall.refresh()
    await hall.refresh(tool_members("get"), tool_members("put", description="x"), tool_members("new"))
    first, second = hall.changes
    assert set(first["added"]) == {"get", "put", "old"}
    assert second["changed"] == {"put": hall.store.find(Kind.TOOL, "orders", "put").digest}
    assert (set(second["added"]), second["removed"]) == ({"new"}, ["old"])


async def test_an_unchanged_listing_leaves_no_record_and_wakes_nobody():
    hall = Hall(tool_members("a"), tool_members("b"))
    told = []
    hall.store.on_change(lambda upstream, kind: told.append(upstream))
    await hall.refresh()
    await hall.refresh(tool_members("b"), tool_members("a"))
    assert (len(hall.changes), told) == (1, ["orders"])


async def test_a_newly_refused_tool_is_recorded_even_if_the_offer_stays():
    hall = Hall(tool_members("a"))
    await hall.refresh()
    await hall.refresh(tool_members("a"), tool_members("b b"))
    assert hall.changes[1]["refused"] == [{"name": "b b", "code": "definition_name"}]
    assert hall.refused == {"b b": "definition_name"}


async def test_a_large_catalogue_fits_the_log():
    long = "x" * 120
    hall = Hall(*(tool_members(f"{long}-{number:04}") for number in range(1000)))
    await hall.refresh()
    assert sum(len(record["added"]) for record in hall.changes) == 1000
    assert all(len(record["added"]) <= CHANGES_PER_RECORD for record in hall.changes)
    assert all(len(json.dumps(dict(record))) < 60_000 for record in hall.changes)


async def test_a_failed_listing_keeps_the_last_good_catalogue():
    hall = Hall(tool_members("a"))
    await hall.refresh()
    hall.upstream.listing = UpstreamTimeout("late", sent=True)
    with pytest.raises(UpstreamTimeout):
        await hall.refresh()
    assert hall.names == ["a"]


async def test_a_change_that_cannot_be_recorded_does_not_take_effect():
    hall = Hall(tool_members("a"))
    await hall.refresh()
    hall.audit.fails = True
    with pytest.raises(AuditUnwritable):
        await hall.refresh(tool_members("b"))
    assert hall.names == ["a"]
    hall.audit.fails = False
    await hall.refresh()
    assert hall.names == ["b"]


async def until(holds):
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0)


@pytest.fixture
async def kept():
    running = []

    def keep(hall):
        running.append(asyncio.ensure_future(hall.admission.keep("orders")))

    yield keep
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


@pytest.mark.abuse(51)
async def test_a_storm_of_change_notices_costs_one_listing(kept):
    hall = Hall(tool_members("a"), settle_s=0.05)
    kept(hall)
    await until(lambda: hall.upstream.listed == 1)
    hall.upstream.listing = [tool_members("b")]
    for _ in range(1000):
        hall.admission.changed("orders")
        await asyncio.sleep(0)
    await until(lambda: hall.names == ["b"])
    # A few at once, then one for each pause.
    assert hall.upstream.listed <= BURST + 1


async def test_two_changes_in_a_row_show_at_once(kept):
    hall = Hall(tool_members("a"), settle_s=3600)
    kept(hall)
    await until(lambda: hall.names == ["a"])
    for name in ("b", "c"):
        hall.upstream.listing = [tool_members(name)]
        hall.admission.changed("orders", "tools")
        await until(lambda name=name: hall.names == [name])


async def test_only_the_list_that_changed_is_fetched_and_its_agents_are_told(kept):
    hall = Hall(tool_members("a"), settle_s=3600)
    hall.upstream.others = {Kind.PROMPT: [{"name": "p"}]}
    hall.upstream.capabilities = {"tools": {}, "prompts": {}}
    kept(hall)
    await until(lambda: hall.names == ["a"])
    told = []
    hall.store.on_change(lambda upstream, kind: told.append(kind))
    hall.upstream.listing = [tool_members("b")]
    hall.upstream.others = {Kind.PROMPT: [{"name": "q"}]}
    hall.admission.changed("orders", "prompts")
    await until(lambda: told)
    assert [one.name for one in hall.store.offered(Kind.PROMPT, "orders")] == ["q"]
    assert hall.names == ["a"]
    hall.admission.changed("orders", "resources")
    await until(lambda: len(told) == 3)
    assert told[0] is Kind.PROMPT
    assert set(told[1:]) == {Kind.RESOURCE, Kind.TEMPLATE}


async def test_a_list_that_fails_leaves_the_others_and_its_last_good_state():
    hall = Hall(tool_members("a"))
    hall.upstream.others = {Kind.PROMPT: [{"name": "p"}], Kind.RESOURCE: [{"uri": "a:b"}, {"uri": "no uri"}]}
    await hall.refresh()
    assert hall.refused == {"no uri": "definition_name"}
    hall.upstream.others = {Kind.RESOURCE: [{"uri": "a:b"}]}
    hall.upstream.failed = {Kind.PROMPT: "it does not list its prompts"}
    await hall.refresh(tool_members("b"))
    assert hall.names == ["b"]
    assert [one.name for one in hall.store.offered(Kind.PROMPT, None)] == ["p"]
    assert hall.reports[-1] == ("1 tools, 1 prompts, 1 resources offered; it does not list its prompts", True)


async def test_a_failed_listing_is_told_and_tried_again(kept):
    hall = Hall(retry_s=(0.001, 0.002), settle_s=0.01)
    hall.upstream.listing = UpstreamTimeout("orders is late", sent=True)
    kept(hall)
    await until(lambda: hall.upstream.listed >= 3)
    hall.upstream.listing = [tool_members("a")]
    await until(lambda: hall.names == ["a"])
    assert ("orders is late", True) in hall.reports


async def test_a_change_notice_ends_the_pause_after_a_failure(kept):
    hall = Hall(retry_s=(3600, 3600))
    hall.upstream.listing = UpstreamTimeout("late", sent=True)
    kept(hall)
    await until(lambda: hall.upstream.listed == 1)
    hall.upstream.listing = [tool_members("a")]
    hall.admission.changed("orders")
    await until(lambda: hall.names == ["a"])
