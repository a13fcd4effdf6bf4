"""One POST's answer: JSON until something must be said earlier; hanging up; withdrawing."""

from __future__ import annotations

import asyncio

import pytest

from gateway.background import Background
from gateway.downstream.exchange import PING, Exchange, event, send_response

DONE = (200, b'{"done":1}')


class Client:
    """The other side of one ASGI request."""

    def __init__(self):
        self.status = None
        self.headers = {}
        self.chunks = []
        self.ended = False
        self.gone = asyncio.Event()
        self.reading = asyncio.Event()
        self.reading.set()

    async def receive(self):
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message):
        await self.reading.wait()
        if message["type"] == "http.response.start":
            assert self.status is None, "an answer has one head"
            self.status, self.headers = message["status"], dict(message["headers"])
        else:
            assert self.status is not None, "the head comes first"
            self.chunks.append(message["body"])
            self.ended = not message.get("more_body", False)

    @property
    def is_stream(self):
        return self.headers[b"content-type"] == b"text/event-stream"


@pytest.fixture
async def background():
    failures = []
    async with Background(on_failure=lambda name, error: failures.append(error)) as owner:
        yield owner
    assert failures == []


@pytest.fixture
def exchange(background):
    def make(client, *, streams=True, ping_s=3600.0, hang_up_cancels=True):
        return Exchange(
            client.receive,
            client.send,
            background.start,
            streams=streams,
            ping_s=ping_s,
            hang_up_cancels=hang_up_cancels,
        )

    return make


async def finished(value=DONE):
    return value


async def test_a_short_call_is_answered_as_json_with_its_status(exchange):
    client = Client()
    await exchange(client).run(finished((404, b"{}")))
    assert (client.status, client.chunks, client.ended) == (404, [b"{}"], True)
    assert client.headers[b"content-type"] == b"application/json"
    assert client.headers[b"content-length"] == b"2"


async def test_the_first_notification_turns_the_answer_into_a_stream(exchange):
    client = Client()
    one = exchange(client)

    async def work():
        await one.notify(b'{"p":1}')
        await one.notify(b'{"p":2}')
        return DONE

    await one.run(work())
    assert client.is_stream
    assert client.chunks == [event(b'{"p":1}'), event(b'{"p":2}'), event(DONE[1])]
    assert client.ended


async def test_a_client_that_takes_no_stream_gets_json_and_no_notifications(exchange):
    client = Client()
    one = exchange(client, streams=False, ping_s=0.001)

    async def work():
        await one.notify(b'{"p":1}')
        await asyncio.sleep(0.08)
        return DONE

    await one.run(work())
    assert (client.is_stream, client.chunks) == (False, [DONE[1]])


async def test_a_long_silence_becomes_a_stream_with_comments(exchange):
    client = Client()
    one = exchange(client, ping_s=0.01)
    done = asyncio.Event()

    async def work():
        await done.wait()
        return DONE

    running = asyncio.ensure_future(one.run(work()))
    async with asyncio.timeout(5):
        while len(client.chunks) < 2:
            await asyncio.sleep(0.001)
    done.set()
    await running
    assert client.chunks[:2] == [PING, PING]
    assert client.chunks[-1] == event(DONE[1])


async def test_a_notification_and_a_comment_at_once_share_one_head(exchange):
    client = Client()
    client.reading.clear()
    one = exchange(client)
    both = asyncio.gather(one.notify(b'{"p":1}'), one.notify(b'{"p":2}'))
    await asyncio.sleep(0)
    client.reading.set()
    await both
    await one.run(finished())
    assert client.chunks == [event(b'{"p":1}'), event(b'{"p":2}'), event(DONE[1])]


@pytest.mark.parametrize("cancels", [True, False])
async def test_hanging_up_cancels_a_modern_call_and_no_legacy_one(exchange, cancels):
    client = Client()
    started, release, ends = asyncio.Event(), asyncio.Event(), []

    async def work():
        started.set()
        try:
            await release.wait()
            ends.append("ran")
        except asyncio.CancelledError:
            ends.append("cancelled")
            raise
        return DONE

    one = exchange(client, hang_up_cancels=cancels)
    running = asyncio.ensure_future(one.run(work()))
    await started.wait()
    client.gone.set()
    async with asyncio.timeout(5):
        while not one.hung_up:
            await asyncio.sleep(0.001)
        if not cancels:
            release.set()
        await running
    assert ends == ["cancelled" if cancels else "ran"]
    assert client.chunks == []


async def test_a_withdrawn_call_ends_with_its_own_body(exchange):
    client = Client()
    one = exchange(client)
    started = asyncio.Event()

    async def work():
        started.set()
        await asyncio.Event().wait()
        return DONE

    running = asyncio.ensure_future(one.run(work(), withdrawn=b'{"cancelled":1}'))
    await started.wait()
    one.withdraw()
    await running
    assert client.chunks == [b'{"cancelled":1}']


async def test_a_shutdown_is_not_taken_for_a_withdrawal(exchange):
    client = Client()
    started = asyncio.Event()

    async def work():
        started.set()
        await asyncio.Event().wait()
        return DONE

    running = asyncio.ensure_future(exchange(client).run(work(), withdrawn=b"x"))
    await started.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert client.chunks == []


async def test_an_error_of_the_work_passes_through_with_nothing_sent(exchange):
    client = Client()

    async def work():
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await exchange(client).run(work())
    assert client.status is None


async def test_a_complete_response_states_its_length():
    client = Client()
    await send_response(client.send, 202, b"", ((b"x", b"y"),))
    assert client.headers == {b"x": b"y", b"content-length": b"0"}
