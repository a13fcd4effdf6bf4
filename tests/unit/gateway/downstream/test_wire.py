"""The agent port's door, from raw ASGI scopes."""

from __future__ import annotations

import asyncio

import pytest

from gateway.downstream.errors import WireRefusal
from gateway.downstream.settings import WireSettings
from gateway.downstream.wire import HttpRequest, Wire
from gateway.errors import HeaderMismatch

HOST = (b"host", b"127.0.0.1:8420")


def wire(host="127.0.0.1", port=8420, **settings):
    return Wire(WireSettings(**settings), listen_host=host, listen_port=port)


def scope(*headers, path=b"/mcp", query=b"", verb="POST"):
    return {
        "method": verb,
        "raw_path": path,
        "path": path.decode(),
        "query_string": query,
        "headers": [*headers],
        "client": ("127.0.0.1", 5),
    }


def status(found, *headers, **members):
    with pytest.raises(WireRefusal) as caught:
        found.open(scope(*headers, **members))
    return caught.value.status


@pytest.mark.abuse(1)
@pytest.mark.parametrize(
    "host",
    [
        b"evil.example",
        b"127.0.0.1",
        b"127.0.0.1:80",
        b"127.0.0.1:8420.evil.example",
        b"127.0.0.1:8420/health?x=",
        b"127.0.0.1:8420@evil",
        b"localhost:8420#",
        b"",
        b"[::1]:8421",
        b"0x7f.1:8420",
    ],
)
def test_a_host_that_is_not_served_is_refused(host):
    assert status(wire(), (b"host", host)) == 421
    assert status(wire()) == 421


@pytest.mark.parametrize(
    "host", [b"127.0.0.1:8420", b"localhost:8420", b"LocalHost:8420", b"[::1]:8420", b" localhost:8420 "]
)
def test_the_names_of_loopback_are_served(host):
    assert wire().open(scope((b"host", host))).path == b"/mcp"


def test_other_hosts_are_served_when_the_operator_says_so():
    found = wire(allowed_hosts=("tools.example",))
    assert found.open(scope((b"host", b"tools.example")))
    assert status(found, (b"host", b"other.example")) == 421
    assert wire("10.0.0.1", 80).open(scope((b"host", b"10.0.0.1")))
    assert status(wire("10.0.0.1", 80), (b"host", b"localhost")) == 421


@pytest.mark.abuse(2)
@pytest.mark.parametrize(
    "origin",
    [
        b"null",
        b"",
        b"https://evil.example",
        b"http://localhost:80@evil",
        b"http://localhost:80.evil.example",
        b"http://app.example:3000/",
        b"http://app.example:3000?",
        b"http://app.example",
        b"https://app.example:3000",
        b"http://app.example:3000 http://app.example:3000",
        b"HTTP://app.example:3000",
        b"http://app.example:03000x",
        b"file://",
    ],
)
def test_an_origin_that_is_not_exactly_an_allowed_one_is_refused(origin):
    found = wire(allowed_origins=("http://app.example:3000",))
    assert status(found, HOST, (b"origin", origin)) == 403
    assert found.open(scope(HOST, (b"origin", b"http://app.example:3000")))


def test_without_an_allow_list_no_browser_may_call():
    assert status(wire(), HOST, (b"origin", b"http://127.0.0.1:8420")) == 403


def test_the_default_port_of_an_origin_may_be_left_out():
    assert wire(allowed_origins=("https://app.example:443",)).open(
        scope(HOST, (b"origin", b"https://app.example"))
    )


@pytest.mark.abuse(8)
def test_header_floods_are_refused():
    assert status(wire(), HOST, *((b"x-%d" % number, b"") for number in range(64))) == 431
    assert status(wire(), HOST, (b"x", b"a" * (16 << 10))) == 431
    assert wire().open(scope(HOST, *((b"x-%d" % number, b"") for number in range(63))))


@pytest.mark.abuse(8)
@pytest.mark.parametrize(
    "name",
    [
        b"host",
        b"origin",
        b"authorization",
        b"content-type",
        b"content-length",
        b"content-encoding",
        b"toolgate-step",
    ],
)
def test_a_repeated_header_that_decides_something_is_refused(name):
    assert status(wire(), HOST, (name, b"a"), (name, b"a")) == 400


@pytest.mark.abuse(30)
@pytest.mark.parametrize(
    "name", [b"mcp-method", b"mcp-name", b"mcp-protocol-version", b"mcp-session-id", b"mcp-param-a"]
)
def test_a_repeated_routing_header_is_a_mismatch(name):
    with pytest.raises(HeaderMismatch):
        wire().open(scope(HOST, (name, b"a"), (name, b"a")))


def test_other_headers_may_repeat():
    assert wire().open(scope(HOST, (b"x-forwarded-for", b"a"), (b"x-forwarded-for", b"b")))


@pytest.mark.abuse(12)
def test_what_a_proxy_would_say_changes_nothing():
    request = wire().open(
        scope(
            HOST,
            (b"x-forwarded-for", b"9.9.9.9"),
            (b"forwarded", b"for=9.9.9.9"),
            (b"x-original-url", b"/admin"),
        )
    )
    assert (request.ip, request.path, request.verb) == ("127.0.0.1", b"/mcp", "POST")


@pytest.mark.abuse(109)
@pytest.mark.abuse(36)
def test_a_query_string_is_refused_and_not_repeated():
    with pytest.raises(WireRefusal) as caught:
        wire().open(scope(HOST, query=b"access_token=tg_s3cret"))
    assert caught.value.status == 400
    assert "s3cret" not in caught.value.reason


def test_header_whitespace_is_stripped():
    assert (
        wire().open(scope(HOST, (b"mcp-method", b"\t tools/call "))).headers[b"mcp-method"] == b"tools/call"
    )


class Body:
    """Hands out the parts, then waits for ever or hangs up."""

    def __init__(self, *parts, more=False, hangs_up=False):
        self.parts = list(parts)
        self.more = more
        self.hangs_up = hangs_up

    async def __call__(self):
        if self.parts:
            part = self.parts.pop(0)
            return {
                "type": "http.request",
                "body": part,
                "more_body": bool(self.parts) or self.more or self.hangs_up,
            }
        if self.hangs_up:
            return {"type": "http.disconnect"}
        return await asyncio.Event().wait()


async def read(body, *headers, **settings):
    sent = {b"content-type": b"application/json", **dict(headers)}
    request = HttpRequest(verb="POST", path=b"/mcp", headers=sent, ip="")
    return await wire(**settings).body(request, body)


async def refused(body, *headers, **settings):
    with pytest.raises(WireRefusal) as caught:
        await read(body, *headers, **settings)
    return caught.value.status


@pytest.mark.abuse(3)
@pytest.mark.parametrize(
    "kind",
    [
        b"",
        b"text/plain",
        b"application/jsonx",
        b"application/json-rpc",
        b"application/json, text/plain",
        b"application/json; charset=utf-16",
        b"application/json;x=1",
        b"multipart/form-data",
        b"application/x-www-form-urlencoded",
    ],
)
async def test_another_content_type_is_refused(kind):
    assert await refused(Body(b"{}"), (b"content-type", kind)) == 415
    assert await read(Body(b"{}"), (b"content-type", b"Application/JSON; charset=UTF-8")) == b"{}"


@pytest.mark.abuse(9)
@pytest.mark.parametrize("coding", [b"gzip", b"br", b"zstd", b"deflate", b"gzip, identity", b"x"])
async def test_a_compressed_body_is_refused_unread(coding):
    body = Body(b"\x1f\x8b")
    assert await refused(body, (b"content-encoding", coding)) == 415
    assert body.parts
    assert await read(Body(b"{}"), (b"content-encoding", b"identity")) == b"{}"


async def test_a_body_in_parts_is_put_together():
    assert await read(Body(b'{"a"', b":1", b"}")) == b'{"a":1}'


@pytest.mark.abuse(19)
async def test_a_body_over_its_bound_is_refused():
    assert await refused(Body(), (b"content-length", b"1025"), body_bytes_max=1024) == 413
    assert await refused(Body(), (b"content-length", b"9" * 5000), body_bytes_max=1024) == 413
    assert await refused(Body(b"x" * 1025), body_bytes_max=1024) == 413
    assert await refused(Body(b"x" * 1000, b"x" * 25, more=True), body_bytes_max=1024) == 413
    assert len(await read(Body(b"x" * 1000, b"x" * 24), body_bytes_max=1024)) == 1024


@pytest.mark.abuse(7)
@pytest.mark.parametrize("parts", [(), (b"{",), (b"{", b" ")])
async def test_a_body_that_does_not_arrive_in_time_is_refused(parts):
    assert await refused(Body(*parts, more=True), body_timeout_s=0.02) == 408


async def test_the_deadline_covers_the_whole_body_not_each_part():
    async def drip():
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b" ", "more_body": True}

    assert await refused(drip, body_timeout_s=0.05) == 408


@pytest.mark.parametrize("parts", [(), (b"{",)])
async def test_a_client_that_hangs_up_in_its_body_is_noticed(parts):
    assert await refused(Body(*parts, hangs_up=True)) == 400
