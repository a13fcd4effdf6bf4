"""Deliveries to real HTTP servers on loopback: what arrives, and what each answer leads to."""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import json
import logging
import random
import socket
import time

import pytest

from gateway.background import Background
from gateway.egress import Egress, EgressSettings
from gateway.webhooks.delivery import WebhookDelivery
from gateway.webhooks.schedule import REST_S_MAX, Delivered, GivenUp, Later
from tests.contract.upstream.scripted import Http, ScriptedServer
from tests.unit.gateway.webhooks.stand_ins import (
    AT_MS,
    KEY,
    NEWS,
    OTHER_SECRET,
    SECRET,
    Clock,
    MemoryOutbox,
    Running,
    hook,
    is_genuine,
    news,
    until,
)

PATH = "/T000/canary-path"


@pytest.fixture
async def egress():
    failures = []
    async with (
        Background(on_failure=lambda *failure: failures.append(failure)) as background,
        Egress(EgressSettings(), clock=time.monotonic, start_task=background.start) as built,
    ):
        yield built
    assert failures == []


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def deliver(egress, clock):
    """``await deliver(server_or_url, ...)``: one attempt to tell it the news."""

    async def once(server, *, attempts=0, one=NEWS, **settings):
        url = server if isinstance(server, str) else at(server)
        hooks = {"ops": hook(url, **{"timeout_s": 30} | settings)}
        return await delivery_to(hooks, egress, clock).deliver("ops", one, attempts=attempts)

    return once


def at(server):
    return f"http://127.0.0.1:{server.port}{PATH}"


def delivery_to(hooks, egress, clock):
    return WebhookDelivery(hooks, egress, clock_us=clock.us, random=lambda: 0.0)


class Watched(WebhookDelivery):
    """The real one; the test knows how many attempts are under way."""

    under_way = 0

    async def deliver(self, *args, **rest):
        self.under_way += 1
        try:
            return await super().deliver(*args, **rest)
        finally:
            self.under_way -= 1


def answering(status, *headers, body=b""):
    return ScriptedServer(lambda request: Http.answer(body, status=status, headers=headers))


async def test_a_receiver_gets_one_signed_message_that_verifies(deliver):
    async with answering("204 No Content") as server:
        assert await deliver(server) == Delivered(status=204)
        (request,) = server.requests
    assert (request.verb, request.path) == ("POST", PATH)
    assert is_genuine(request.headers, request.body)
    assert request.headers["webhook-id"] == NEWS.id
    assert request.headers["webhook-timestamp"] == str(AT_MS // 1_000)
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.body)["type"] == "hold.held"
    # The control: the check does look at what arrived.
    assert not is_genuine(request.headers, request.body + b" ")


async def test_a_repetition_has_the_same_id_and_body_and_the_time_of_the_attempt(deliver, clock):
    async with answering("200 OK") as server:
        await deliver(server)
        clock.move(3_600)
        await deliver(server, attempts=1)
        first, second = server.requests
    assert (first.headers["webhook-id"], first.body) == (second.headers["webhook-id"], second.body)
    assert int(second.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"]) == 3_600
    assert is_genuine(second.headers, second.body, now_s=clock.now_ms // 1_000)


async def test_a_chat_gets_its_text_and_no_signature(deliver):
    async with answering("200 OK", body=b"ok") as server:
        assert await deliver(server, form="chat", secret=None) == Delivered(status=200)
        (request,) = server.requests
    assert list(json.loads(request.body)) == ["text"]
    assert "webhook-signature" not in request.headers


@pytest.mark.parametrize(
    "status", ["400 Bad Request", "401 Unauthorized", "404 Not Found", "500 Oops", "502 Bad", "503 Busy"]
)
async def test_any_other_answer_is_a_failure_that_is_tried_again(deliver, status):
    async with answering(status) as server:
        found = await deliver(server)
        later = await deliver(server, attempts=3)
    assert found == Later(after_s=5.0, reason=f"webhook 'ops' answered {status[:3]}")
    assert later.after_s == 7_200.0


async def test_gone_gives_up_and_leaves_the_receiver_in_peace(deliver):
    async with answering("410 Gone") as server:
        found = await deliver(server)
    assert isinstance(found, GivenUp)
    assert found.rest_s == REST_S_MAX


async def test_the_last_attempt_gives_up(deliver):
    async with answering("500 Oops") as server:
        assert isinstance(await deliver(server, attempts=10), Later)
        assert isinstance(await deliver(server, attempts=11), GivenUp)
        assert isinstance(await deliver(server, attempts=0, attempts_max=1), GivenUp)


@pytest.mark.parametrize(
    ("status", "header", "after_s", "rest_s"),
    [
        ("429 Too Many", "Retry-After: 120", 120.0, 120.0),
        ("503 Busy", f"Retry-After: {email.utils.formatdate(AT_MS // 1000 + 60, usegmt=True)}", 60.0, 60.0),
        ("429 Too Many", "Retry-After: 1", 5.0, 1.0),
        ("429 Too Many", "Retry-After: 999999999", 86_400.0, REST_S_MAX),
        ("429 Too Many", "Retry-After: never", 5.0, 0.0),
        ("500 Oops", "Retry-After: 120", 5.0, 0.0),
    ],
)
async def test_a_busy_receiver_says_when_within_bounds(deliver, status, header, after_s, rest_s):
    async with answering(status, header) as server:
        found = await deliver(server)
    assert (found.after_s, found.rest_s) == (after_s, rest_s)


@pytest.mark.abuse(102)
@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
async def test_no_redirect_is_followed(deliver, status):
    async with answering("200 OK") as inside:
        async with answering(status, f"Location: {at(inside)}") as server:
            found = await deliver(server)
            assert isinstance(found, Later)
            assert len(server.requests) == 1
        assert inside.requests == []
        # The control: it would have answered.
        assert isinstance(await deliver(inside), Delivered)


@pytest.mark.abuse(101)
async def test_two_receivers_get_their_own_signatures_only(egress, clock):
    async with answering("200 OK") as first, answering("200 OK") as second:
        hooks = {"first": hook(at(first)), "second": hook(at(second), secret=OTHER_SECRET)}
        delivery = delivery_to(hooks, egress, clock)
        for name in hooks:
            assert isinstance(await delivery.deliver(name, NEWS, attempts=0), Delivered)
        (one,), (other,) = first.requests, second.requests
    assert is_genuine(one.headers, one.body)
    assert not is_genuine(other.headers, other.body)
    assert is_genuine(other.headers, other.body, key=hooks["second"].keys[0])


@pytest.mark.parametrize("size", [0, 10, 100_000])
async def test_an_answers_body_neither_matters_nor_is_waited_for(deliver, size):
    async def much(writer):
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            for _ in range(size):
                writer.write(b"400\r\n" + b"x" * 1024 + b"\r\n")
                await writer.drain()
            # The end of this body never comes.
            await asyncio.Event().wait()

    async with ScriptedServer(lambda request: much) as server, asyncio.timeout(30):
        assert await deliver(server) == Delivered(status=200)


async def hang(writer):
    await asyncio.Event().wait()


async def cut(writer):
    writer.transport.abort()


async def babble(writer):
    writer.write(b"SSH-2.0-canary\r\n")
    await writer.drain()
    writer.transport.abort()


FAILURES = {
    "hangs": lambda: ScriptedServer(lambda request: hang),
    "hangs up": lambda: ScriptedServer(lambda request: cut),
    "no http": lambda: ScriptedServer(lambda request: babble),
    "refuses": lambda: answering("403 Forbidden", "X-Said: canary", body=b"canary " + SECRET.encode()),
    "redirects": lambda: answering("302 Found", "Location: https://elsewhere.example/canary-path?x=canary"),
    "gone": lambda: answering("410 canary"),
    "packs": lambda: answering("200 OK", "Content-Encoding: gzip", body=b"canary"),
    "busy": lambda: answering("429 canary", "Retry-After: canary"),
}


@pytest.mark.abuse(114)
@pytest.mark.parametrize("how", [*FAILURES, "is not there"])
async def test_no_failure_shows_address_secret_body_or_answer(deliver, caplog, how, free_port):
    caplog.set_level(logging.DEBUG)
    with contextlib.suppress(TimeoutError):
        async with contextlib.AsyncExitStack() as stack:
            url = f"http://127.0.0.1:{free_port}{PATH}?token=canary"
            if how in FAILURES:
                server = await stack.enter_async_context(FAILURES[how]())
                url = f"{at(server)}?token=canary"
            found = await deliver(url, timeout_s=0.2, one=news(reason="canary", subject="canary"))
    assert isinstance(found, Later | GivenUp)
    said = repr(found) + caplog.text
    assert "canary" not in said
    assert SECRET not in said
    assert KEY.hex() not in said
    # The control: it does say which receiver, so that somebody can look.
    assert "'ops'" in found.reason


@pytest.fixture
def free_port():
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


async def test_from_outbox_to_receivers_while_one_hangs(egress, clock):
    outbox = MemoryOutbox(clock)
    async with (
        asyncio.timeout(60),
        ScriptedServer(lambda request: hang) as stuck,
        answering("204 No Content") as ready,
    ):
        hooks = {
            "stuck": hook(at(stuck), timeout_s=60),
            "ready": hook(at(ready), secret=OTHER_SECRET),
        }
        for name in hooks:
            outbox.put(name, *[news(f"h{number}") for number in range(25)])
        async with Running(outbox, delivery_to(hooks, egress, clock)):
            await until(lambda: len(outbox.marked("done", "ready")) == 25)
            await until(lambda: len(stuck.requests) == 8)
        assert outbox.marked("done", "stuck") == []
        assert len(ready.requests) == 25
        # Eight at once, and then the same connections again.
        assert ready.connections <= 8


async def test_a_receiver_that_comes_back_gets_everything_and_knows_repetitions_by_their_id(egress, clock):
    """It refuses, it takes and hangs up before it has answered, at last it works: each message counts once."""
    dice = random.Random(4)
    known = set()
    refusing = True

    def receive(request):
        if refusing and dice.random() < 0.5:
            return Http.answer(status="500 Oops")
        assert is_genuine(request.headers, request.body, now_s=clock.now_ms // 1_000)
        known.add(request.headers["webhook-id"])
        return cut if refusing else Http.answer(status="204 No Content")

    outbox = MemoryOutbox(clock)
    wanted = [news(f"h{number}") for number in range(10)]
    async with asyncio.timeout(60), ScriptedServer(receive) as server:
        delivery = Watched({"ops": hook(at(server))}, egress, clock_us=clock.us, random=dice.random)

        async def pass_s(seconds):
            clock.move(seconds)
            await until(lambda: not delivery.under_way and (clock.sleeping_s or "ops" in outbox.waiting))

        outbox.put("ops", *wanted)
        async with Running(outbox, delivery) as sender:
            for _ in range(10):
                await pass_s(400)
            assert sender.conditions()
            assert outbox.marked("done") == []
            refusing = False
            while outbox.rows:
                await pass_s(3_600)
            assert sender.conditions() == {}
    assert known == {one.id for one in wanted}
    assert len(server.requests) > len(wanted)
