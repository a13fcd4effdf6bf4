"""Changes as server-sent events."""

from __future__ import annotations

import asyncio

import pytest

from durable.errors import StoreUnavailable
from tests.contract.people.port import LEA, MAX, OLI, PEOPLE, Port, reviewer


async def opened(stream):
    assert stream.status == 200
    assert stream.headers["content-type"] == "text/event-stream"
    assert await stream.block() == ["retry: 2000", ": open"]
    return stream


async def test_a_change_is_told_as_it_happens(port):
    async with port.events() as stream:
        await opened(stream)
        hold = await port.desk.file(1)
        event, row = await stream.event()
        assert (event, row["id"], row["status"], row["version"]) == ("hold", hold.id, "held", 1)
        await port.decide(hold, MAX)
        event, row = await stream.event()
        assert (row["status"], row["version"], row["reason_by"]) == ("approved", 2, "max@example.com")


@pytest.mark.abuse(105)
async def test_another_tenants_changes_are_not_told(port):
    async with port.events() as stream, port.events(OLI) as theirs:
        await opened(stream)
        await opened(theirs)
        foreign = await port.desk.file(1, tenant="other")
        own = await port.desk.file(2)
        assert (await stream.event())[1]["id"] == own.id
        assert (await theirs.event())[1]["id"] == foreign.id


async def test_whoever_may_have_missed_something_is_told_to_read_again(port):
    async with port.events() as stream:
        await opened(stream)
        port.desk.store.wake_all()
        assert await stream.event() == ("reload", {})


async def test_a_quiet_stream_is_kept_alive_and_still_tells():
    async with Port(stream_ping_s=0.01) as port, port.events() as stream:
        await opened(stream)
        assert await stream.block() == [": ping"]
        assert await stream.block() == [": ping"]
        hold = await port.desk.file(1)
        assert (await stream.event())[1]["id"] == hold.id


async def test_every_stream_ends_when_the_gateway_does(port):
    async with port.events() as stream:
        await opened(stream)
        port.app.close()
        assert await stream.event() is None
    heard = await port.get("/api/v1/events")
    assert (heard.status, heard.code) == (503, "draining")


async def test_streams_are_bounded_for_each_person_and_in_all():
    async with Port(streams_per_person_max=1, streams_max=2) as port:
        async with port.events() as first, port.events(MAX) as second:
            await opened(first)
            await opened(second)
            for who in (LEA, OLI):
                heard = await port.get("/api/v1/events", who)
                assert (heard.status, heard.code) == (503, "overloaded")
        async with asyncio.timeout(5):
            while len(port.app._streams):
                await asyncio.sleep(0)
        async with port.events() as again:
            await opened(again)


@pytest.mark.abuse(86)
async def test_who_is_removed_is_told_nothing_more():
    async with Port(stream_ping_s=0.01) as port, port.events() as stream, port.events(MAX) as other:
        await opened(stream)
        await opened(other)
        port.directory.replace(PEOPLE[1:])
        await port.desk.file(1)
        assert await stream.event() is None
        assert (await other.event())[0] == "hold"


@pytest.mark.abuse(86)
async def test_a_login_that_is_over_ends_its_stream_and_an_open_stream_is_no_use_of_it():
    async with Port(stream_ping_s=0.01) as port:
        browser = await port.browser().log_in()
        cookie = [("Cookie", f"toolgate_session={browser.cookies['toolgate_session']}")]
        async with port.events(None, cookie) as stream:
            await opened(stream)
            port.advance(1_799)
            assert await stream.block() == [": ping"]
            port.advance(1)
            assert await stream.event() is None


async def test_a_stream_that_cannot_read_ends_so_that_it_is_opened_again(port):
    async with port.events() as stream:
        await opened(stream)
        port.desk.broken = StoreUnavailable("no disk")
        await port.desk.file(1)
        assert await stream.event() is None


async def test_rights_are_those_of_now(port):
    async with port.events() as stream:
        await opened(stream)
        port.directory.replace((reviewer(LEA, "support"), *PEOPLE[1:]))
        await port.desk.file(1)
        assert (await stream.event())[0] == "hold"


async def test_no_credential_no_stream(port):
    heard = await port.ask("GET", "/api/v1/events")
    assert (heard.status, heard.code) == (401, "unauthenticated")
