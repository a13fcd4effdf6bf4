"""The port itself: frames, deadlines, and who is told about what never became a request."""

from __future__ import annotations

import asyncio

import pytest

from gateway.errors import ConfigurationError
from gateway.listener import Listener

POST = b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi"
BOUNDS = {"header_bytes_max": 1024, "write_stall_s": 0.2, "keep_alive_s": 1, "drain_s": 1}


async def echo(scope, receive, send):
    """Answers with the body it read; ``/early`` answers without reading one."""
    body, more = b"", scope["path"] != "/early"
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    found = scope["method"].encode() + b" " + body
    headers = [(b"content-length", b"%d" % len(found))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": found})


async def flood(scope, receive, send):
    """Writes more than any buffer takes."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(1000):
        await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})


class Served:
    def __init__(self, app=echo, **bounds):
        self.refused = []
        self.listener = Listener("127.0.0.1:0", setting="listen.agents")
        self.port = self.listener.port
        options = {"header_timeout_s": 0.2, **BOUNDS, **bounds}
        self.serving = asyncio.ensure_future(self.listener.serve(app, refused=self.refused.append, **options))

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        while self.listener._server is None or not self.listener._server.started:
            await asyncio.sleep(0.01)
        self.listener.stop()
        await self.serving

    async def open(self):
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def say(self, *parts, until=b"\0never"):
        """Everything heard until the end, or until some bytes were heard."""
        reader, writer = await self.open()
        heard = b""
        try:
            async with asyncio.timeout(5):
                for part in parts:
                    writer.write(part)
                    await writer.drain()
                while until not in heard:
                    data = await reader.read(65536)
                    if not data:
                        return heard + b"<end>"
                    heard += data
        except ConnectionError:
            return heard + b"<end>"
        finally:
            writer.close()
        return heard


async def test_requests_are_served_one_after_the_other():
    async with Served() as served:
        heard = await served.say(POST + POST, POST[:30], POST[30:], until=b"never")
        assert heard.count(b"POST hi") == 3
        assert heard.endswith(b"<end>"), "an idle connection is closed"
        assert served.refused == []


@pytest.mark.abuse(6)
async def test_a_bad_frame_is_answered_once_and_counted():
    async with Served() as served:
        heard = await served.say(POST.replace(b": 2", b": +2") + POST)
        assert heard.startswith(b"HTTP/1.1 400 ")
        assert heard.count(b"HTTP/1.1") == 1
        assert served.refused == ["malformed_frame"]


@pytest.mark.abuse(6)
async def test_a_body_that_looks_like_a_request_is_a_body():
    inner = POST
    outer = b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%b" % (len(inner), inner)
    async with Served() as served:
        heard = await served.say(outer, until=b"POST POST")
        assert heard.count(b"HTTP/1.1 200") == 1


@pytest.mark.abuse(6)
@pytest.mark.parametrize("size", [1, 7, 40])
async def test_a_request_in_pieces_is_the_same_request(size):
    async with Served(header_timeout_s=3) as served:
        whole = POST + POST.replace(b"hi", b"yo")
        parts = [whole[at : at + size] for at in range(0, len(whole), size)]
        heard = await served.say(*parts, until=b"POST yo")
        assert heard.index(b"POST hi") < heard.index(b"POST yo")


@pytest.mark.abuse(8)
async def test_a_head_that_never_ends_is_cut():
    async with Served() as served:
        heard = await served.say(b"POST /a HTTP/1.1\r\nX: " + b"a" * 3000)
        assert heard.startswith(b"HTTP/1.1 431 ")
        assert served.refused == ["head_too_large"]


@pytest.mark.abuse(7)
@pytest.mark.parametrize("parts", [(), (POST[:20],), (POST, POST[:20])])
async def test_a_head_that_does_not_arrive_is_ended_at_the_deadline(parts):
    async with Served() as served:
        assert (await served.say(*parts)).endswith(b"<end>")
        assert served.refused == ["head_timeout"]


@pytest.mark.abuse(7)
async def test_a_body_nobody_waits_for_is_ended_at_the_deadline():
    async with Served() as served:
        heard = await served.say(POST.replace(b"/a", b"/early").replace(b": 2", b": 900"))
        assert b"200 OK" in heard
        assert heard.endswith(b"<end>")
        assert served.refused == ["body_timeout"]


async def test_a_body_that_comes_after_its_answer_costs_nothing():
    async with Served() as served:
        early = POST.replace(b"/a", b"/early")
        heard = await served.say(early[:-1], early[-1:], POST, until=b"POST hi")
        assert heard.count(b"200 OK") == 2
        assert served.refused == []


@pytest.mark.abuse(7)
async def test_a_reader_that_stalls_is_cut_off():
    async with Served(flood) as served:
        _, writer = await served.open()
        writer.transport.pause_reading()
        writer.write(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        async with asyncio.timeout(5):
            while not served.refused:
                await asyncio.sleep(0.01)
        assert served.refused == ["write_stall"]
        writer.close()


@pytest.mark.abuse(11)
async def test_an_upgrade_is_answered_as_if_it_were_none_and_closed():
    async with Served() as served:
        ask = b"GET /a HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        heard = await served.say(ask + ask)
        assert heard.count(b"HTTP/1.1 200") == 1
        assert heard.endswith(b"<end>")


def test_a_port_in_use_is_found_out_at_once_and_says_what_to_do():
    first = Listener("127.0.0.1:0", setting="listen.agents")
    try:
        with pytest.raises(ConfigurationError, match=r"listen\.people") as caught:
            Listener(f"127.0.0.1:{first.port}", setting="listen.people")
        assert "listen.people" in caught.value.next_step
    finally:
        first.close()
    Listener(f"127.0.0.1:{first.port}", setting="listen.people").close()
