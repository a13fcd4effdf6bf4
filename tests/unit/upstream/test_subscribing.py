"""Subscriptions of one session, made again with the next one."""

from __future__ import annotations

import asyncio

import pytest

from gateway.errors import UpstreamGone, UpstreamRefused
from gateway.upstream.messages import Answer
from gateway.upstream.party import Party
from gateway.upstream.subscribing import Subscribing

A, B = "note://a", "note://b"
DONE = Answer(result=b"{}")
REFUSED = Answer(error=b'{"code":-32602,"message":"no such resource"}')


class Session:
    def __init__(self):
        self.asked = []
        self.answer = DONE
        self.updated = []
        self.tasks = []
        self.subscribing = Subscribing(Party("x", str), self._ask, self._start, self.updated.append)

    async def _ask(self, method, params, deadline_s):
        self.asked.append((method.removeprefix("resources/"), params["uri"]))
        await asyncio.sleep(0)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def _start(self, coro, name):
        self.tasks.append(asyncio.ensure_future(coro))
        return self.tasks[-1]

    async def settled(self):
        await asyncio.gather(*self.tasks)
        asked, self.asked = self.asked, []
        return asked


@pytest.fixture
async def session():
    return Session()


async def subscribe(session, *uris):
    for uri in uris:
        await session.subscribing.subscribe(uri, deadline_s=5)


async def test_each_resource_is_asked_for_once_and_given_up_once(session):
    await subscribe(session, A, B, A)
    session.subscribing.unsubscribe(A)
    session.subscribing.unsubscribe(A)
    session.subscribing.unsubscribe("note://never")
    assert await session.settled() == [("subscribe", A), ("subscribe", B), ("unsubscribe", A)]
    await subscribe(session, A)
    assert await session.settled() == [("subscribe", A)]
    assert session.updated == []


async def test_what_was_refused_is_asked_for_again_and_never_by_itself(session):
    session.answer = REFUSED
    with pytest.raises(UpstreamRefused, match="no such resource"):
        await subscribe(session, A)
    session.subscribing.again()
    assert await session.settled() == [("subscribe", A)]
    session.answer = DONE
    await subscribe(session, A)
    assert await session.settled() == [("subscribe", A)]


async def test_the_next_session_is_subscribed_to_the_same_and_each_may_have_changed_by_then(session):
    await subscribe(session, A, B)
    await session.settled()
    session.subscribing.again()
    assert session.updated == []
    assert await session.settled() == [("subscribe", A), ("subscribe", B)]
    assert session.updated == [A, B]


@pytest.mark.parametrize("failure", [REFUSED, UpstreamGone("lost", sent=True)])
async def test_what_could_not_be_made_again_is_made_by_the_next_session_or_subscriber(session, failure):
    await subscribe(session, A)
    session.answer = failure
    session.subscribing.again()
    assert await session.settled() == [("subscribe", A)] * 2
    assert session.updated == []
    session.answer = DONE
    await subscribe(session, A)
    assert await session.settled() == [("subscribe", A)]
    session.subscribing.again()
    assert await session.settled() == [("subscribe", A)]
    assert session.updated == [A]


async def test_what_nobody_wants_any_more_once_it_is_made_again_is_given_up(session):
    await subscribe(session, A)
    await session.settled()
    session.subscribing.again()
    await asyncio.sleep(0)
    session.subscribing.unsubscribe(A)
    asked = await session.settled()
    assert asked[0] == ("subscribe", A)
    assert asked[-1] == ("unsubscribe", A)
    assert session.updated == []
    session.subscribing.repeat()
    session.subscribing.again()
    assert await session.settled() == []
    assert session.updated == []


async def test_after_a_gap_in_the_stream_every_resource_may_have_changed(session):
    await subscribe(session, B, A)
    session.subscribing.repeat()
    assert session.updated == [A, B]
