"""Changes of resources: none is lost while something is subscribed to, whatever is lost in between."""

from __future__ import annotations

import asyncio

import pytest

from gateway.errors import UpstreamRefused, UpstreamTimeout
from gateway.upstream import listening
from tests.contract.upstream.changes import SUBSCRIBES, Listens, Subscribes, acknowledged, say, updated
from tests.contract.upstream.scripted import Http

pytestmark = pytest.mark.usefixtures("quick")

A, B, C = "note://a", "note://b", "note://c"


@pytest.fixture
async def heard(workshop):
    """Waits for the next reported change."""

    async def next_one():
        await workshop.until(lambda: workshop.updated)
        return workshop.updated.pop(0)

    return next_one


# ------------------------------------------------------------------------------------- 2026-07-28 over HTTP


async def test_a_further_subscription_is_heard_before_the_stream_of_the_earlier_ones_ends(
    workshop, scripted, heard
):
    script = Listens()
    async with scripted(script) as server:
        upstream = await workshop.ready(url=server.url)
        await upstream.subscribe(A, deadline_s=5)
        assert script.uris() == [[A]]
        first = script.streams[0]
        await say(first, A)
        assert await heard() == A
        # The second stream is open and not acknowledged: only the first one can be relied on.
        script.acknowledges = False
        subscribing = asyncio.ensure_future(upstream.subscribe(B, deadline_s=5))
        await workshop.until(lambda: len(script.streams) == 2)
        assert script.uris()[1] == [A, B]
        await say(first, A)
        assert await heard() == A
        assert first.lives
        assert not subscribing.done()
        await script.acknowledge(script.streams[1])
        await subscribing
        await workshop.until(lambda: not first.lives)
        for uri in (A, B):
            await say(script.streams[1], uri)
            assert await heard() == uri
        assert workshop.updated == []


async def test_a_change_that_was_said_on_the_earlier_stream_alone_is_not_lost(workshop, scripted, heard):
    script = Listens()
    async with scripted(script) as server:
        upstream = await workshop.ready(url=server.url)
        await upstream.subscribe(A, deadline_s=5)
        await upstream.subscribe(B, deadline_s=5)
        # It happened before the server knew of the second stream, and arrives after its acknowledgement.
        await asyncio.sleep(0.03)
        await say(script.streams[0], A)
        assert await heard() == A
        await workshop.until(lambda: not script.streams[0].lives)


async def test_what_is_subscribed_to_already_is_not_asked_for_again(workshop, scripted):
    script = Listens()
    async with scripted(script) as server:
        upstream = await workshop.ready(url=server.url)
        await asyncio.gather(*(upstream.subscribe(uri, deadline_s=5) for uri in (A, B, A, A)))
        await upstream.subscribe(A, deadline_s=5)
        assert script.uris()[-1] == [A, B]
        assert len(script.streams) <= 2


async def test_a_subscription_that_ended_is_reported_no_more_and_the_others_go_on(workshop, scripted, heard):
    script = Listens()
    async with scripted(script) as server:
        upstream = await workshop.ready(url=server.url)
        for uri in (A, B):
            await upstream.subscribe(uri, deadline_s=5)
        upstream.unsubscribe(A)
        # At once, whatever the stream that is still open says.
        await script.living[-1].say(updated(A), updated(B))
        assert await heard() == B
        await workshop.until(lambda: script.uris()[-1] == [B] and len(script.living) == 1)
        await say(script.living[0], B)
        assert await heard() == B
        assert workshop.updated == []
        # With the last one the stream ends.
        upstream.unsubscribe(B)
        await workshop.until(lambda: not script.living)
        assert [] not in script.uris()
        await upstream.subscribe(C, deadline_s=5)
        assert script.uris()[-1] == [C]


async def test_a_stream_that_broke_is_opened_again_and_what_was_missed_is_made_up_for(
    workshop, scripted, heard
):
    script = Listens(capabilities={"resources": {"subscribe": True, "listChanged": True}})
    async with scripted(script) as server:
        upstream = await workshop.ready(url=server.url)
        await upstream.subscribe(A, deadline_s=5)
        await workshop.until(lambda: workshop.changed == [("orders", "")] and len(script.living) == 1)
        script.acknowledges = False
        number = len(script.streams)
        await script.living[0].cut()
        await workshop.until(lambda: len(script.streams) > number)
        # Nothing can be relied on before the new stream is acknowledged, so nothing is made up for yet.
        assert workshop.updated == []
        await script.acknowledge(script.streams[-1])
        assert await heard() == A
        await workshop.until(lambda: len(workshop.changed) == 2)
        assert script.uris()[-1] == [A]
        await say(script.streams[-1], A)
        assert await heard() == A


async def test_a_server_that_was_away_is_listened_to_again_and_what_was_missed_is_made_up_for(
    workshop, scripted, heard, free_port
):
    first, second = Listens(), Listens()
    async with scripted(first, port=free_port) as server:
        upstream = await workshop.ready(url=server.url)
        await upstream.subscribe(A, deadline_s=5)
    await workshop.until(lambda: upstream.health().state == "down")
    async with scripted(second, port=free_port):
        # Nobody could say what changed while it was away.
        assert await heard() == A
        assert upstream.health().state == "ready"
        await say(second.streams[0], A)
        assert await heard() == A


@pytest.mark.parametrize("status", ["503 Busy", "429 Too Many", "409 Conflict"])
async def test_streams_that_are_refused_for_a_moment_are_asked_for_again(
    workshop, scripted, subscribes, heard, status
):
    script, refused = Listens(), set()

    def first(request, then):
        if request.verb == "GET" or request.method == "subscriptions/listen":
            kind = request.verb
            if kind not in refused:
                refused.add(kind)
                return Http.answer(status=status)
        return then(request)

    async with (
        scripted(lambda request: first(request, script)) as modern,
        scripted(lambda request: first(request, subscribes.script)) as legacy,
    ):
        upstreams = [await workshop.ready(url=server.url) for server in (modern, legacy)]
        await asyncio.gather(*(one.subscribe(A, deadline_s=5) for one in upstreams))
        await workshop.until(lambda: subscribes.streams)
        workshop.updated.clear()
        await say(script.streams[0], A)
        assert await heard() == A
        await subscribes.streams[0].say(updated(B))
        assert await heard() == B


async def test_a_resource_that_the_server_does_not_honour_is_refused_and_the_others_are_heard(
    workshop, scripted, heard
):
    script = Listens(honours=lambda uris: [uri for uri in uris if uri != B])
    async with scripted(script) as server:
        upstream = await workshop.ready(url=server.url)
        await upstream.subscribe(A, deadline_s=5)
        with pytest.raises(UpstreamRefused, match="no subscription"):
            await upstream.subscribe(B, deadline_s=5)
        await upstream.subscribe(C, deadline_s=5)
        await workshop.until(lambda: len(script.living) == 1)
        assert script.uris()[-1] == [A, C]
        await say(script.living[0], C)
        assert await heard() == C


@pytest.mark.parametrize(
    "refusal", [lambda r: Http.error(r, -32601), lambda r: Http.answer(status="404 Not Found")]
)
async def test_a_modern_server_that_serves_no_streams_refuses_a_subscription_at_once(
    workshop, scripted, call, refusal
):
    def respond(request):
        return refusal(request) if request.method == "subscriptions/listen" else Listens()(request)

    async with scripted(respond) as server:
        upstream = await workshop.ready(url=server.url)
        for uri in (A, B):
            with pytest.raises(UpstreamRefused, match="no subscription"):
                await upstream.subscribe(uri, deadline_s=5)
        assert upstream.health().state == "ready"
        assert (await call(upstream, "get")).result


async def test_a_subscription_that_is_not_acknowledged_ends_at_its_deadline(workshop, scripted, monkeypatch):
    monkeypatch.setattr(listening, "ACKNOWLEDGED_S", 0.3)
    script = Listens(acknowledges=False)
    async with scripted(script) as server:
        upstream = await workshop.ready(url=server.url)
        with pytest.raises(UpstreamTimeout):
            await upstream.subscribe(A, deadline_s=0.2)
        script.acknowledges = True
        await upstream.subscribe(B, deadline_s=5)
        assert script.uris()[-1] == [B]


# -------------------------------------------------------------------------------------- session era over HTTP


@pytest.fixture
def subscribes():
    return Subscribes()


async def test_a_legacy_server_is_asked_once_for_each_resource_and_told_when_it_is_over(
    workshop, scripted, subscribes, heard
):
    async with scripted(subscribes.script) as server:
        upstream = await workshop.ready(url=server.url)
        for uri in (A, B, A):
            await upstream.subscribe(uri, deadline_s=5)
        assert subscribes.subscribed == {"s1": [A, B]}
        await subscribes.streams[0].say(updated(B), updated(A))
        assert [await heard(), await heard()] == [B, A]
        upstream.unsubscribe(A)
        upstream.unsubscribe("note://never")
        await workshop.until(lambda: subscribes.subscribed == {"s1": [B]})
        await subscribes.streams[0].say(updated(B))
        assert await heard() == B


async def test_a_forgotten_session_is_subscribed_again_and_what_was_missed_is_made_up_for(
    workshop, scripted, subscribes, call, heard
):
    async with scripted(subscribes.script) as server:
        upstream = await workshop.ready(url=server.url)
        for uri in (A, B):
            await upstream.subscribe(uri, deadline_s=5)
        await workshop.until(lambda: subscribes.streams)
        subscribes.script.sessions.clear()
        # Whoever comes next in that session finds out.
        assert (await call(upstream, "get")).result
        await workshop.until(lambda: sorted(subscribes.subscribed.get("s2", ())) == [A, B])
        assert {await heard(), await heard()} == {A, B}
        # The stream of the session that is no more may never end by itself.
        await workshop.until(lambda: len(subscribes.streams) == 2)
        assert subscribes.streams[1].request.session == "s2"
        assert not subscribes.streams[0].lives


async def test_subscriptions_that_could_not_be_made_again_are_made_with_the_next_session(
    workshop, scripted, subscribes, call, heard
):
    async with scripted(subscribes.script) as server:
        upstream = await workshop.ready(url=server.url)
        await upstream.subscribe(A, deadline_s=5)
        subscribes.refuses = True
        subscribes.script.sessions.clear()
        assert (await call(upstream, "get")).result
        await workshop.until(lambda: len(server.of("resources/subscribe")) == 2)
        subscribes.refuses = False
        subscribes.script.sessions.clear()
        assert (await call(upstream, "get")).result
        await workshop.until(lambda: subscribes.subscribed.get("s3") == [A])
        assert await heard() == A


async def test_a_legacy_stream_that_broke_is_opened_again_and_what_was_missed_is_made_up_for(
    workshop, scripted, subscribes, heard
):
    async with scripted(subscribes.script) as server:
        upstream = await workshop.ready(url=server.url)
        await upstream.subscribe(A, deadline_s=5)
        await workshop.until(lambda: subscribes.streams)
        await subscribes.streams[0].cut()
        assert await heard() == A
        await subscribes.streams[1].say(updated(A))
        assert await heard() == A
        assert subscribes.subscribed == {"s1": [A]}


# ------------------------------------------------------------------------------------------------ over stdio


def listen(child, request):
    wanted = request["params"]["notifications"]
    child.say(acknowledged(request["id"], wanted))


ERAS = {
    "modern": {"subscriptions/listen": listen},
    "legacy": {"resources/subscribe": {}, "resources/unsubscribe": {}},
}


def say_on(child, *uris):
    """As a server of either era says it."""
    listens = child.of("subscriptions/listen")
    child.say(*(updated(uri, listens[-1]["id"] if listens else None) for uri in uris))


@pytest.mark.parametrize("era", ERAS)
async def test_a_child_that_died_is_subscribed_again_and_what_was_missed_is_made_up_for(
    workshop, puppets, heard, era
):
    async with puppets(era=era, capabilities=SUBSCRIBES, on=ERAS[era]) as theirs:
        upstream = await workshop.ready(command=theirs.command)
        await upstream.subscribe(A, deadline_s=5)
        say_on(theirs.all[0], A)
        assert await heard() == A
        theirs.all[0].die()
        assert await heard() == A
        (child,) = theirs.living
        assert child.of("subscriptions/listen") or child.of("resources/subscribe")
        say_on(child, A)
        assert await heard() == A


@pytest.mark.parametrize("era", ERAS)
async def test_a_child_that_reports_many_changes_at_once_loses_none(workshop, puppets, era):
    uris = [f"note://{n}" for n in range(300)]
    async with puppets(era=era, capabilities=SUBSCRIBES, on=ERAS[era]) as theirs:
        upstream = await workshop.ready(command=theirs.command)
        await asyncio.gather(*(upstream.subscribe(uri, deadline_s=5) for uri in uris))
        (child,) = theirs.all
        say_on(child, *uris)
        await workshop.until(lambda: len(workshop.updated) >= len(uris), within_s=3)
        assert sorted(workshop.updated) == sorted(uris)


@pytest.mark.parametrize("era", ERAS)
async def test_a_child_that_does_not_subscribe_refuses_at_once(workshop, puppets, call, era):
    async with puppets(era=era) as theirs:
        upstream = await workshop.ready(command=theirs.command)
        with pytest.raises(UpstreamRefused, match=r"subscri"):
            await upstream.subscribe(A, deadline_s=5)
        assert (await call(upstream, "get")).result


@pytest.mark.parametrize("era", ERAS)
async def test_a_child_is_told_when_a_subscription_is_over(workshop, puppets, heard, era):
    async with puppets(era=era, capabilities=SUBSCRIBES, on=ERAS[era]) as theirs:
        upstream = await workshop.ready(command=theirs.command)
        for uri in (A, B):
            await upstream.subscribe(uri, deadline_s=5)
        upstream.unsubscribe(A)
        (child,) = theirs.all
        if era == "legacy":
            await workshop.until(lambda: child.of("resources/unsubscribe"))
            assert child.of("resources/unsubscribe")[0]["params"] == {"uri": A}
        else:
            await workshop.until(lambda: len(child.of("notifications/cancelled")) == 2)
            last = child.of("subscriptions/listen")[-1]["params"]["notifications"]
            assert last == {"resourceSubscriptions": [B]}
        say_on(child, B)
        assert await heard() == B


async def test_a_legacy_server_that_does_not_subscribe_refuses_with_its_own_words(
    workshop, scripted, subscribes
):
    subscribes.refuses = True
    async with scripted(subscribes.script) as server:
        upstream = await workshop.ready(url=server.url)
        with pytest.raises(UpstreamRefused, match=r"no such resource \(-32602\)"):
            await upstream.subscribe(A, deadline_s=5)
        subscribes.refuses = False
        await upstream.subscribe(A, deadline_s=5)
