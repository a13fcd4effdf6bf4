"""What tool servers answer, however wrong: one call fails, nobody else notices (abuse cases 28, 73, 74, 76)."""

from __future__ import annotations

import contextlib
import functools
import json
import socket
import threading
import time
import zlib

import pytest

from tests.edge.puppet import OBJECT, Raw, RpcError, Wire
from tests.edge.raw import legacy_message, modern_message

CAP_MIB = 10
MEGABYTE = b"A" * (1 << 20)
SSE = "text/event-stream"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"


def call_of(world, server, **rest):
    return world.gateway.ask(modern_message(params={"name": f"{server}__get", "arguments": {}}), **rest)


def complete(heard, text="good", **members):
    result = {"resultType": "complete", "content": [{"type": "text", "text": text}]} | members.pop(
        "result", {}
    )
    return json.dumps({"jsonrpc": "2.0", "id": heard.id, "result": result} | members).encode()


def event(body):
    return b"data: " + body + b"\n\n"


def misnumbered(heard, number):
    return complete(heard, id=number)


WRONG = {
    "wrong id": lambda heard: Raw(misnumbered(heard, heard.id + 1)),
    "text for an id": lambda heard: Raw(misnumbered(heard, str(heard.id))),
    "no id": lambda heard: Raw(misnumbered(heard, None)),
    "two in a body": lambda heard: Raw(complete(heard, "first") + complete(heard, "second")),
    "two events": lambda heard: Raw(event(complete(heard, "first")) + event(complete(heard, "second")), SSE),
    "two results": lambda heard: Raw(complete(heard)[:-1] + b',"result":{"content":[]}}'),
    "result and error": lambda heard: Raw(complete(heard, error={"code": 1, "message": "x"})),
    "neither": lambda heard: Raw(b'{"jsonrpc":"2.0","id":%d}' % heard.id),
    "a batch": lambda heard: Raw(b"[" + complete(heard) + b"]"),
    "no JSON-RPC": lambda heard: Raw(complete(heard, jsonrpc="1.0")),
    "duplicate keys": lambda heard: Raw(complete(heard).replace(b'"content"', b'"content":[],"content"')),
    "NaN": lambda heard: Raw(complete(heard).replace(b'"good"', b"NaN")),
    "no UTF-8": lambda heard: Raw(complete(heard).replace(b"good", b"\xff")),
    "lone surrogate": lambda heard: Raw(complete(heard).replace(b"good", b"\\ud800")),
    "deep": lambda heard: Raw(complete(heard).replace(b'"good"', b"[" * 70 + b"]" * 70)),
    "isError is text": lambda heard: Raw(complete(heard, result={"isError": "false"})),
    "result is text": lambda heard: Raw(complete(heard).partition(b'"result"')[0] + b'"result":"done"}'),
    "truncated body": lambda heard: Raw(complete(heard)[:-30], length=len(complete(heard))),
    "truncated JSON": lambda heard: Raw(complete(heard)[:-1]),
    "truncated event": lambda heard: Raw(b"data: " + complete(heard)[:-9], SSE),
    "stream without answer": lambda heard: Raw(b": bye\n\n", SSE),
    "login page": lambda heard: Raw(b"<html><form action=/login></form></html>", "text/html"),
    "login page as JSON": lambda heard: Raw(b"<html><form action=/login></form></html>"),
    "401": lambda heard: Raw(b"who?", "text/plain", 401),
    "404": lambda heard: Raw(b"<html>404</html>", "text/html", 404),
    "502": lambda heard: Raw(b"<html>502</html>", "text/html", 502),
    "202": lambda heard: Raw(b"", "", 202),
    "204": lambda heard: Wire([b"HTTP/1.1 204 No Content\r\n\r\n"]),
    "101": lambda heard: Wire(
        [b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"]
    ),
    "no HTTP": lambda heard: Wire([b"SSH-2.0-OpenSSH_9.9\r\n"]),
    "two lengths": lambda heard: Wire(
        [HEAD, b"Content-Length: 5\r\nContent-Length: 9\r\n\r\n", complete(heard)]
    ),
    "bad chunk": lambda heard: Wire([HEAD, b"Transfer-Encoding: chunked\r\n\r\nZZZ\r\n", complete(heard)]),
    "hang-up": lambda heard: Wire([]),
}
MODERN_ONLY = {
    "unknown resultType": lambda heard: Raw(complete(heard, result={"resultType": "surprise"})),
    "resultType is a number": lambda heard: Raw(complete(heard, result={"resultType": 1})),
    "a task nobody spoke of": lambda heard: Raw(complete(heard, result={"resultType": "task", "taskId": "t"})),
    "neither requests nor state": lambda heard: Raw(complete(heard, result={"resultType": "input_required"})),
    "requests of no form": lambda heard: Raw(complete(heard, result={"resultType": "input_required", "inputRequests": [1]})),
}  # fmt: skip


@pytest.mark.abuse(74)
@pytest.mark.parametrize("server", ["new", "old"])
def test_a_wrong_answer_is_a_typed_error_of_that_call_only(world, server):
    puppet = getattr(world, server)
    for what, wrong in (WRONG | (MODERN_ONLY if server == "new" else {})).items():
        with puppet.doing(tools_call=wrong):
            answer = call_of(world, server)
            neighbour = world.gateway.call(who="ben")
        assert answer.status == 200, what
        failure = answer.result["_meta"]["dev.toolgate/failure"]
        assert answer.result["isError"], what
        assert failure["code"] in {"upstream_garbled", "upstream_gone", "upstream_refused"}, what
        assert failure["sent"] is True, what
        assert answer.text.startswith("FAILED: "), what
        assert (neighbour.status, neighbour.text) == (200, '{"text": "hi"}'), what
        assert call_of(world, server).text == "{}", what
    statuses = {record.get("status") for record in world.gateway.records() if record["kind"] == "outcome"}
    assert "outcome_unknown" in statuses


@pytest.mark.abuse(74)
@pytest.mark.parametrize("server", ["new", "old"])
@pytest.mark.parametrize("status", [200, 400])
def test_an_error_of_a_server_is_its_answer_whatever_the_http_status(world, server, status):
    def refuses(heard):
        body = json.dumps(
            getattr(world, server).body(heard, RpcError(-32000, "no \x1b[31m", {"a": 1}))
        ).encode()
        return Raw(body, status=status)

    session, _ = world.gateway.initialize()
    with world.gateway.unharmed_calls("upstream_rpc_error"), getattr(world, server).doing(tools_call=refuses):
        for answer in (
            call_of(world, server),
            world.gateway.legacy(legacy_message(params={"name": f"{server}__get"}), session),
        ):
            assert answer.json["error"] == {"code": -32000, "message": "no ", "data": {"a": 1}}
            assert answer.json["id"] == 1
    assert call_of(world, server).text == "{}"


@pytest.mark.abuse(74)
def test_an_answer_to_one_call_is_never_that_to_another(world):
    # A second response on a connection that is kept, guessing the number that comes next.
    def poisons(heard):
        body, more = complete(heard, "mine"), misnumbered(heard, heard.id + 1)
        head = HEAD + b"Content-Length: %d\r\n\r\n"
        return Wire([head % len(body) + body + head % len(more) + more])

    with world.gateway.unharmed_calls(), world.new.doing(tools_call=poisons):
        assert call_of(world, "new").text == "mine"
    for _ in range(10):
        assert call_of(world, "new").text == "{}"


def endless_events(heard):
    note = event(
        b'{"jsonrpc":"2.0","method":"notifications/message","params":{"data":"%s"}}' % (b"x" * 20_000)
    )
    yield STREAM
    while True:
        yield note


def large(*before):
    def pieces(heard):
        yield from before
        for _ in range(100):
            yield MEGABYTE

    return pieces


def chunked(heard):
    yield HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    for _ in range(100):
        yield b"%x\r\n%s\r\n" % (len(MEGABYTE), MEGABYTE)


@functools.cache
def packed():
    """0.7 MB that unpack to 700."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    parts = [packer.compress(b'{"jsonrpc":"2.0","id":1,"result":{"text":"')]
    parts += [packer.compress(MEGABYTE) for _ in range(700)]
    return b"".join([*parts, packer.compress(b'"}}'), packer.flush()])


def bomb(heard):
    yield HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed()) + packed()


def bomb_in_disguise(heard):
    yield HEAD + b"Content-Length: %d\r\n\r\n" % len(packed()) + packed()


def slowly(pieces, pause_s):
    for piece in pieces:
        time.sleep(pause_s)
        yield piece


def drip(heard):
    body = complete(heard)
    yield HEAD + b"Content-Length: %d\r\n\r\n" % len(body)
    yield from slowly((body[at : at + 1] for at in range(len(body))), 0.1)


def no_terminator(heard):
    yield STREAM + b"data: " + complete(heard)
    yield from slowly([b""] * 8, 1)


def endless_comments(heard):
    yield STREAM
    yield from slowly((b": x\n\n" for _ in range(400)), 0.02)


BY_SIZE = {
    "100 MB announced": large(HEAD + b"Content-Length: %d\r\n\r\n" % (100 << 20)),
    "100 MB in chunks": chunked,
    "100 MB in one event": large(STREAM + b"data: "),
    "events without end": endless_events,
    "0.7 MB that unpack to 700": bomb,
    "the same in disguise": bomb_in_disguise,
}
BY_TIME = {
    "one byte after the other": drip,
    "no terminator": no_terminator,
    "comments without end": endless_comments,
}


@pytest.mark.abuse(73)
@pytest.mark.parametrize("server", ["new", "old"])
def test_an_answer_without_end_is_cut_at_its_bound(world, server):
    puppet = getattr(world, server)
    call_of(world, server)
    assert len(packed()) < 1 << 20
    for what, pieces in BY_SIZE.items():
        with (
            world.gateway.grows_at_most_mib(2 * CAP_MIB + 4),
            puppet.doing(tools_call=lambda heard, pieces=pieces: Wire(pieces(heard))),
        ):
            with neighbours(world) as took:
                started = time.monotonic()
                answer = call_of(world, server, wait_s=60)
                assert time.monotonic() - started < 60
            assert answer.result["_meta"]["dev.toolgate/failure"]["code"] == "upstream_garbled", what
            assert len(answer.body) < 2000
            assert max(took) < 1, (what, took)
        assert call_of(world, server).text == "{}"


@pytest.mark.abuse(73)
def test_an_answer_that_takes_for_ever_ends_at_its_deadline(world):
    answers = {}

    def call(what, pieces):
        # All of them at once, each by its own agent's request.
        message = modern_message(params={"name": "hasty__get", "arguments": {"what": what}})
        answers[what] = world.gateway.ask(message).result["_meta"]["dev.toolgate/failure"]["code"]

    def misbehaves(heard):
        return Wire(BY_TIME[heard.params["arguments"]["what"]](heard))

    with world.hasty.doing(tools_call=misbehaves), neighbours(world) as took:
        threads = [threading.Thread(target=call, args=one) for one in BY_TIME.items()]
        started = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert time.monotonic() - started < 2 + 2
    assert answers == dict.fromkeys(BY_TIME, "upstream_timeout")
    assert max(took) < 1, took
    assert call_of(world, "hasty").text == "{}"


@contextlib.contextmanager
def neighbours(world):
    """Others call another server meanwhile; how long each of their calls took."""
    took = []
    ended = threading.Event()

    def work():
        while not ended.is_set() or not took:
            started = time.monotonic()
            assert world.gateway.call(who="ben").text == '{"text": "hi"}'
            took.append(time.monotonic() - started)
            ended.wait(0.05)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield took
    finally:
        ended.set()
        thread.join()


@pytest.mark.abuse(76)
@pytest.mark.parametrize("server", ["new", "old"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_takes_nothing_along(world, server, status):
    with socket.create_server(("127.0.0.1", 0)) as thief:
        thief.settimeout(0.1)
        port = thief.getsockname()[1]
        for where in (f"http://127.0.0.1:{port}/mcp", f"//127.0.0.1:{port}/mcp", f"http://localhost:{port}/"):
            moved = Raw(b"", "text/plain", status, headers=(("Location", where),))
            with getattr(world, server).doing(tools_call=lambda heard, moved=moved: moved):
                answer = call_of(world, server)
            assert answer.result["_meta"]["dev.toolgate/failure"]["code"] == "upstream_refused"
        with pytest.raises(TimeoutError):
            thief.accept()
    assert call_of(world, server).text == "{}"


@pytest.mark.abuse(76)
def test_the_credential_of_a_server_is_for_that_server(gateway):
    # That it is sent at all is what makes the case above mean something.
    assert gateway.call().status == 200
    headers, _ = gateway.upstream.calls[-1]
    assert headers["Authorization"] == "Bearer upstream-key-canary"


ODD_RESULT = (
    b'{"resultType":"complete","content":[{"type":"hologram","depth":1.50},{"type":"text","text":"odd"}],"isError":false,'
    b'"__proto__":{"polluted":true},"constructor":{"prototype":1},"structuredContent":{"exact":1.10,"large":12345678901234567890},'
    b'"isAdmin":true,"requestState":"x","inputRequests":{"a":{"method":"roots/list"}},"error":{"code":1},"nextCursor":"c"}'
)


@pytest.mark.abuse(28)
def test_unknown_members_of_a_result_are_kept_and_mean_nothing(world):
    def odd(heard):
        return Raw(b'{"jsonrpc":"2.0","id":%d,"result":%b}' % (heard.id, ODD_RESULT))

    session, _ = world.gateway.initialize()
    with world.gateway.unharmed_calls(), world.new.doing(tools_call=odd), world.old.doing(tools_call=odd):
        for server in ("new", "old"):
            answer = call_of(world, server)
            # The digits as well.
            for part in (b"1.50", b"1.10", b"12345678901234567890", b'"__proto__":{"polluted":true}'):
                assert part in answer.body.replace(b": ", b":"), part
            assert answer.result["content"][0]["type"] == "hologram"
            legacy = world.gateway.legacy(legacy_message(params={"name": f"{server}__get"}), session)
            assert b'"__proto__":{"polluted":true}' in legacy.body.replace(b": ", b":")
    kinds = {record["kind"] for record in world.gateway.records()[-20:]}
    assert "input_request" not in kinds


@pytest.mark.abuse(28)
def test_unknown_members_of_a_definition_are_kept_and_mean_nothing(world):
    odd = {
        "__proto__": {"x": 1},
        "constructor": 2,
        "x-grants": ["sampling"],
        "allow": True,
        "labels": ["read_only"],
    }
    tools = {
        "tools": [
            {"name": "get_odd", "inputSchema": OBJECT, **odd},
            {"name": "put_odd", "inputSchema": OBJECT, **odd},
        ]
    }
    with world.shy.doing(tools_list=tools):
        world.shy.changed("tools")

        def listed():
            answer = world.gateway.ask(modern_message("tools/list", {}), path="/s/shy/mcp")
            return {tool["name"]: tool for tool in answer.result["tools"]}

        world.gateway.until(lambda: "get_odd" in listed(), within_s=8)
        assert {name: listed()["get_odd"][name] for name in odd} == odd
        with world.gateway.unharmed("never"):
            put = modern_message(params={"name": "shy__put_odd", "arguments": {}})
            assert world.gateway.ask(put).result["isError"]
    world.shy.changed("tools")
    world.gateway.until(lambda: "get_odd" not in listed(), within_s=8)
