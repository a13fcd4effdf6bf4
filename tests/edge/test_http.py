"""HTTP and transport: who may speak, in which frame, for how long (abuse cases 1 to 12)."""

from __future__ import annotations

import contextlib
import json
import time
import zlib

import pytest

from tests.edge.conftest import TOKENS
from tests.edge.raw import connect, hear, modern_headers, modern_message, request, talk

GOOD = modern_message()


def body_of(message):
    return json.dumps(message).encode()


@pytest.mark.abuse(1)
@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1:80",
        "127.0.0.1",
        "localhost.evil.example:{port}",
        "127.0.0.1:{port}.evil.example",
        "",
        None,
    ],
)
def test_a_host_that_is_not_served_is_refused_before_the_body(gateway, host):
    header = ("Host", host and host.format(port=gateway.port))
    with gateway.unharmed():
        assert talk(gateway.port, gateway.post(GOOD, headers=(header,))).only.status == 421
        # Not even a body that could not be parsed changes the answer.
        assert talk(gateway.port, gateway.post(b"{", headers=(header,))).only.status == 421


@pytest.mark.abuse(2)
@pytest.mark.parametrize(
    "origins",
    [
        ("null",),
        ("http://evil.example",),
        ("http://localhost:80@evil",),
        ("http://localhost:80.evil.example",),
        ("http://app.example:3000.evil.example",),
        ("http://app.example:3000/",),
    ],
)
def test_an_origin_that_is_not_allowed_is_refused(gateway, origins):
    with gateway.unharmed():
        headers = tuple(("Origin", one) for one in origins)
        assert talk(gateway.port, gateway.post(GOOD, headers=headers)).only.status == 403


@pytest.mark.abuse(1)
@pytest.mark.abuse(2)
def test_strangers_are_summed_up_once_a_second(gateway):
    entries = len(gateway.records())
    with gateway.unharmed("~http_421", "~http_403", "~http_404"):
        for _ in range(20):
            gateway.ask(GOOD, headers=(("Host", "evil.example"),))
            gateway.ask(GOOD, headers=(("Origin", "null"),))
            gateway.ask(GOOD, path="/")
    kinds = [record["kind"] for record in gateway.records()[entries:]]
    assert kinds.count("refusal_summary") <= 5
    assert "refusal" not in kinds


@pytest.mark.abuse(2)
def test_two_origins_are_refused_and_the_allowed_one_is_served(gateway):
    allowed = ("Origin", "http://app.example:3000")
    with gateway.unharmed():
        assert talk(gateway.port, gateway.post(GOOD, headers=(allowed, allowed))).only.status == 400
    assert gateway.call(headers=(allowed,)).status == 200


@pytest.mark.abuse(3)
@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        None,
        "multipart/form-data; boundary=x",
        "application/jsonx",
        "application/x-www-form-urlencoded",
        "application/json; charset=utf-16",
        "application/json; x=1",
        "application/json, text/plain",
        "text/plain; application/json",
        "application/json-patch+json",
        "",
    ],
)
def test_a_simple_cross_site_post_is_refused(gateway, kind):
    with gateway.unharmed("wire_refused"):
        assert talk(gateway.port, gateway.post(GOOD, headers=(("Content-Type", kind),))).only.status == 415
    plain = (("Content-Type", "application/json; charset=utf-8"),)
    assert talk(gateway.port, gateway.post(GOOD, headers=plain)).only.status == 200


@pytest.mark.abuse(4)
@pytest.mark.parametrize("host", ["127.0.0.1:{port}/health?x=", "127.0.0.1:{port}#", "evil@127.0.0.1:{port}"])
def test_a_host_that_carries_a_path_opens_no_route(gateway, host):
    header = ("Host", host.format(port=gateway.port))
    with gateway.unharmed():
        assert talk(gateway.port, gateway.post(GOOD, headers=(header,))).only.status == 421
        assert talk(gateway.port, gateway.post(GOOD, who=None, headers=(header,))).only.status == 421
        assert gateway.ask(GOOD, who=None).status == 401


@pytest.mark.abuse(5)
@pytest.mark.parametrize(
    "path",
    [
        "//mcp", "/mcp/", "/mcp;a", "/MCP", "/%6dcp", "/x/%2e%2e/mcp", "/x/../mcp", "/mcp%2f", "/mcp%252f", "/s/tools%2fmcp",
        "/s/tools/mcp/", "/s/TOOLS/mcp", "/s/other/mcp", "/s//mcp", "/s/../mcp", "/s/tools/../tools/mcp", "/", "/mcp%00", "/s/toolgate/mcp",
    ],
)  # fmt: skip
def test_a_path_is_served_in_one_spelling_only(gateway, path):
    with gateway.unharmed():
        assert talk(gateway.port, gateway.post(GOOD, path=path)).only.status in {404, 405}
    own = modern_message(params={"name": "echo", "arguments": {}})
    assert gateway.ask(own, path="/s/tools/mcp").status == 200


@pytest.mark.abuse(5)
def test_a_stranger_is_not_told_which_upstreams_exist(gateway):
    statuses = {gateway.ask(GOOD, who=None, path=path).status for path in ("/s/tools/mcp", "/s/none/mcp")}
    assert statuses == {401}


FRAMES = {
    "length and chunks": (
        b"Content-Length: %(n)d\r\nTransfer-Encoding: chunked\r\n",
        b"%(x)s\r\n%(b)s\r\n0\r\n\r\n",
    ),
    "chunks with an extension": (b"Transfer-Encoding: chunked\r\n", b"%(x)s;a=b\r\n%(b)s\r\n0\r\n\r\n"),
    "chunks in disguise": (b"Transfer-Encoding: xchunked\r\nContent-Length: %(n)d\r\n", b"%(b)s"),
    "two lengths": (b"Content-Length: %(n)d\r\nContent-Length: %(n)d\r\n", b"%(b)s"),
    "two lengths in one": (b"Content-Length: %(n)d, %(n)d\r\n", b"%(b)s"),
    "signed length": (b"Content-Length: +%(n)d\r\n", b"%(b)s"),
    "hexadecimal length": (b"Content-Length: 0x%(n)x\r\n", b"%(b)s"),
    "bare line feed": (b"X: a\nContent-Length: %(n)d\r\n", b"%(b)s"),
    "bare carriage return": (b"X: a\rContent-Length: %(n)d\r\n", b"%(b)s"),
    "folded line": (b"X: a\r\n b\r\nContent-Length: %(n)d\r\n", b"%(b)s"),
    "space before the colon": (b"Content-Length : %(n)d\r\n", b"%(b)s"),
    "upgrade with a body": (b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: %(n)d\r\n", b"%(b)s"),
    "NUL in a header": (b"X: a\0b\r\nContent-Length: %(n)d\r\n", b"%(b)s"),
}


@pytest.mark.abuse(6)
@pytest.mark.parametrize("frame", FRAMES)
def test_a_frame_with_two_readings_gets_one_refusal_and_the_end(gateway, frame):
    fields, shape = FRAMES[frame]
    body = body_of(GOOD)
    known = {b"n": len(body), b"x": b"%x" % len(body), b"b": body}
    good = gateway.post(GOOD)
    head, _, _ = gateway.post(GOOD, length=False).partition(b"\r\n\r\n")
    bad = head + b"\r\n" + fields % known + b"\r\n" + shape % known
    with gateway.unharmed():
        heard = talk(gateway.port, bad + good, until_closed=True)
        assert heard.statuses == [400]
        assert heard.closed


@pytest.mark.abuse(6)
@pytest.mark.parametrize(
    "start",
    [
        b"POST http://127.0.0.1/mcp HTTP/1.1",
        b"POST /mcp HTTP/2.0",
        b"POST  /mcp HTTP/1.1",
        b"FOO /mcp HTTP/1.1",
        b"\x16\x03\x01\x02",
    ],
)
def test_a_request_line_of_another_form_gets_one_refusal_and_the_end(gateway, start):
    good = gateway.post(GOOD)
    with gateway.unharmed():
        heard = talk(gateway.port, good.replace(b"POST /mcp HTTP/1.1", start) + good, until_closed=True)
        assert (heard.statuses, heard.closed) == ([400], True)


@pytest.mark.abuse(6)
def test_line_feeds_alone_are_refused_at_once(gateway):
    with gateway.unharmed():
        heard = talk(gateway.port, gateway.post(GOOD).replace(b"\r\n", b"\n"), until_closed=True)
        assert heard.statuses == [400]


@pytest.mark.abuse(6)
def test_a_bad_frame_behind_a_good_request_costs_the_good_one_nothing(gateway):
    good = gateway.post(GOOD)
    bad = good.replace(b"Content-Length: ", b"Content-Length: +")
    calls = len(gateway.upstream.calls)
    heard = talk(gateway.port, good + bad + good, until_closed=True)
    assert (heard.statuses, heard.closed) == ([200, 400], True)
    assert len(gateway.upstream.calls) == calls + 1


@pytest.mark.abuse(6)
def test_requests_one_behind_the_other_are_answered_in_their_order(gateway):
    raws = [gateway.post(modern_message(request_id=number)) for number in range(50)]
    whole = b"".join(raws)
    answers = talk(gateway.port, whole, expect=50).responses
    assert [answer.json["id"] for answer in answers] == list(range(50))
    # However they are cut.
    size = len(whole) // 200
    pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
    answers = talk(gateway.port, *pieces, expect=50).responses
    assert [answer.json["id"] for answer in answers] == list(range(50))


@pytest.mark.abuse(7)
@pytest.mark.abuse(10)
def test_what_is_sent_behind_an_open_stream_takes_no_space(gateway):
    listen = modern_message("subscriptions/listen", {"notifications": {"toolsListChanged": True}})
    good = gateway.post(GOOD)
    with gateway.unharmed(), gateway.grows_at_most_mib(8), contextlib.closing(connect(gateway.port)) as sock:
        sock.sendall(gateway.post(listen))
        sock.settimeout(0.3)
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < 64 << 20:
                sent += sock.send(good * 100)
        assert sent < 64 << 20


@pytest.mark.abuse(7)
def test_a_silent_connection_is_closed_at_the_deadline(gateway):
    with gateway.unharmed():
        heard = talk(gateway.port, until_closed=True)
        assert (heard.data, heard.closed) == (b"", True)
        assert 0.5 < heard.seconds < 5


@pytest.mark.abuse(7)
@pytest.mark.parametrize("part", ["head", "body", "unwanted body"])
def test_a_request_that_drips_is_ended_at_the_deadline(gateway, part):
    whole = gateway.post(GOOD, who=None if part == "unwanted body" else "ana")
    at = whole.index(b"\r\n\r\n") + (4 if "body" in part else -20)
    started = time.monotonic()
    with gateway.unharmed(), contextlib.closing(connect(gateway.port)) as sock:
        sock.sendall(whole[:at])
        closed = False
        while not closed and time.monotonic() - started < 8:
            with contextlib.suppress(OSError):
                sock.sendall(whole[at : at + 1])
            at += at < len(whole) - 2
            heard = hear(sock, until_closed=True, wait_s=0.2)
            closed = heard.closed
        assert closed
        assert time.monotonic() - started < 7


@pytest.mark.abuse(7)
def test_a_body_that_never_ends_is_answered_408(gateway):
    with gateway.unharmed("wire_refused"):
        heard = talk(gateway.port, gateway.post(GOOD)[:-1], until_closed=True)
        assert heard.only.status == 408


@pytest.mark.abuse(7)
def test_a_client_that_does_not_read_is_cut_off_and_others_are_served(gateway):
    big = modern_message(params={"name": "tools__echo", "arguments": {"text": "x" * 900_000}})
    with gateway.unharmed_calls(), contextlib.closing(connect(gateway.port)) as sock:
        sock.settimeout(0.2)
        sent = 0
        with contextlib.suppress(OSError):
            for _ in range(40):
                sock.sendall(gateway.post(big))
                sent += 1
        assert gateway.call(who="ben").status == 200
        gateway.until(lambda: is_cut_off(sock), within_s=10)


def is_cut_off(sock):
    try:
        sock.send(b"x")
    except TimeoutError:
        return False
    except OSError:
        return True
    return False


@pytest.mark.abuse(8)
@pytest.mark.parametrize(
    ("headers", "statuses"),
    [
        ([(f"X-{number}", "a") for number in range(64)], {431}),
        ([("X", "a" * (17 << 10))], {431}),
        ([("X", "a" * (70 << 10))], {431}),
        ([(f"X-{number}", "a" * 1000) for number in range(40)], {431}),
        ([("Authorization", "Bearer x")], {400}),
        ([("Host", "127.0.0.1")], {400}),
        ([("Content-Type", "application/json")], {400}),
    ],
)
def test_a_flood_of_headers_is_refused(gateway, headers, statuses):
    body = body_of(GOOD)
    fields = [("Host", f"127.0.0.1:{gateway.port}"), ("Content-Type", "application/json"), *headers]
    fields += [("Authorization", f"Bearer {TOKENS['ana']}"), *modern_headers(GOOD).items()]
    raw = request(body, headers=tuple(fields), port=gateway.port)
    with gateway.unharmed():
        assert talk(gateway.port, raw).only.status in statuses


@pytest.mark.abuse(8)
@pytest.mark.parametrize("name", ["Mcp-Method", "Mcp-Name", "MCP-Protocol-Version", "Mcp-Param-Region"])
def test_a_repeated_routing_header_is_a_mismatch(gateway, name):
    with gateway.unharmed():
        answer = gateway.ask(GOOD, headers=((name, "a"), (name, "a")))
        assert (answer.status, answer.error) == (400, -32020)


@pytest.mark.abuse(9)
@pytest.mark.parametrize(
    "coding", ["gzip", "br", "zstd", "deflate", "gzip, identity", "x-gzip", "GZIP", "identity, gzip"]
)
def test_a_compressed_body_is_refused(gateway, coding):
    with gateway.unharmed("wire_refused"):
        assert gateway.ask(GOOD, headers=(("Content-Encoding", coding),)).status == 415
    assert gateway.ask(GOOD, headers=(("Content-Encoding", "identity"),)).status == 200


@pytest.mark.abuse(9)
def test_a_compressed_body_is_not_inflated(gateway):
    # Under the bound on bodies as it comes, 100 times over it when unpacked.
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join([*(packer.compress(b" " * (1 << 20)) for _ in range(100)), packer.flush()])
    assert len(bomb) < 1 << 20
    routing = tuple(modern_headers(GOOD).items())
    with gateway.unharmed("wire_refused", "malformed_message"), gateway.grows_at_most_mib(8):
        packed = gateway.request(bomb, headers=(("Content-Encoding", "gzip"), *routing))
        assert talk(gateway.port, packed).only.status == 415
        # Without its name it is no JSON, and nobody tries what else it may be.
        assert talk(gateway.port, gateway.request(bomb, headers=routing)).only.status == 400
        te = gateway.request(bomb, headers=(("Transfer-Encoding", "gzip, chunked"), *routing), length=False)
        assert talk(gateway.port, te, until_closed=True).only.status == 400


@pytest.mark.abuse(12)
def test_what_a_proxy_would_say_is_ignored(gateway):
    headers = (
        ("X-Forwarded-For", "9.9.9.9"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "evil.example"),
        ("Forwarded", "for=9.9.9.9;host=evil"),
        ("X-Original-URL", "/s/tools/mcp"),
        ("X-Rewrite-URL", "/admin"),
        ("X-HTTP-Method-Override", "DELETE"),
        ("X-Forwarded-User", "root"),
    )
    with gateway.unharmed():
        assert gateway.ask(GOOD, who=None, headers=headers).status == 401
        assert gateway.call("denied", headers=headers).json["result"]["isError"]
    assert gateway.call(headers=headers).status == 200
