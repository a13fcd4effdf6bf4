"""What Claude Code, Codex and Gemini CLI sent to a gateway, sent to this one again (tests/corpus/clients)."""

from __future__ import annotations

import contextlib
import http.client
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import pytest
from e2e_kit.gateways import ANA
from e2e_kit.wire import MODERN, Reply

CORPUS = Path(__file__).resolve().parents[1] / "corpus" / "clients"
META = "io.modelcontextprotocol/"
UPSTREAMS = ("http_modern", "http_legacy", "stdio_modern", "stdio_legacy")
OFFERED = {f"{upstream}__{tool}" for upstream in UPSTREAMS for tool in ("echo", "add", "slow", "held")}
ANSWER_S = 15

Request = dict[str, Any]


def conversations(*, having: str = "") -> list[Any]:
    return [
        pytest.param(requests, id=f"{file.stem}: {name}")
        for file in sorted(CORPUS.glob("*.json"))
        for name, requests in json.loads(file.read_text())["conversations"].items()
        if having in json.dumps(requests)
    ]


class Replay:
    """One conversation. Its streams stay open until it ends, as a client keeps them."""

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self._sessions: list[str] = []
        self._open = contextlib.ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def send(self, asked: Request, *, token: str = ANA, session: str = "") -> Reply:
        """The request as the client wrote it, with the token and the session of now."""
        names = {f"{{session-{number}}}": known for number, known in enumerate(self._sessions, 1)}
        connection = http.client.HTTPConnection(str(self._url.hostname), self._url.port, timeout=ANSWER_S)
        self._open.callback(connection.close)
        connection.putrequest(asked["verb"], asked["path"], skip_accept_encoding=True)
        for name, value in asked["headers"].items():
            if value in names:
                connection.putheader(name, session or names[value])
            else:
                connection.putheader(name, value.replace("{token}", token))
        body = b""
        if asked["body"] is not None:
            body = json.dumps(asked["body"], separators=(",", ":"), ensure_ascii=False).encode()
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        if "mcp-session-id" in headers:
            self._sessions.append(headers["mcp-session-id"])
        endless = asked["verb"] == "GET" or _method(asked) == "subscriptions/listen"
        if endless and headers.get("content-type") == "text/event-stream":
            # The connection, and with it the stream, stays; only its first event is read.
            lines = iter(answer.readline, b"\n")
            return Reply(answer.status, headers, b"".join(lines))
        return Reply(answer.status, headers, answer.read())


def _method(asked: Request) -> str:
    return (asked["body"] or {}).get("method", "")


def _params(asked: Request) -> dict[str, Any]:
    return asked["body"].get("params", {})


def _is_modern(asked: Request) -> bool:
    return _params(asked).get("_meta", {}).get(f"{META}protocolVersion") == MODERN


def _result(asked: Request, reply: Reply) -> dict[str, Any]:
    """The result of an answer that belongs to the request and to its era."""
    assert reply.status == 200, reply
    assert reply.headers["content-type"] in {"application/json", "text/event-stream"}
    assert reply.json["id"] == asked["body"]["id"]
    result = reply.json["result"]
    assert result.get("resultType") == ("complete" if _is_modern(asked) else None)
    return result


def discovered(asked: Request, reply: Reply) -> None:
    result = _result(asked, reply)
    assert _params(asked)["_meta"][f"{META}protocolVersion"] in result["supportedVersions"]
    assert result["capabilities"]["tools"]["listChanged"]
    assert result["_meta"][f"{META}serverInfo"]["name"] == "toolgate"
    assert {"ttlMs", "cacheScope"} <= result.keys()


def initialized(asked: Request, reply: Reply) -> None:
    result = _result(asked, reply)
    assert result["protocolVersion"] == _params(asked)["protocolVersion"]
    assert result["capabilities"]["tools"]["listChanged"]
    assert result["serverInfo"]["name"] == "toolgate"
    assert reply.headers["mcp-session-id"]


def accepted(asked: Request, reply: Reply) -> None:
    assert (reply.status, reply.body) == (202, b"")


def stream_opened(asked: Request, reply: Reply) -> None:
    assert reply.status == 200, reply
    assert reply.headers["content-type"] == "text/event-stream"
    # Something to read at once: some clients, and some proxies, wait for it before they call it open.
    assert reply.body


def listening(asked: Request, reply: Reply) -> None:
    stream_opened(asked, reply)
    assert reply.json["method"] == "notifications/subscriptions/acknowledged"
    params = reply.json["params"]
    assert params["_meta"][f"{META}subscriptionId"] == asked["body"]["id"]
    assert params["notifications"] == _params(asked)["notifications"]


def listed(asked: Request, reply: Reply) -> None:
    result = _result(asked, reply)
    tools = {tool["name"]: tool for tool in result["tools"]}
    assert tools.keys() >= OFFERED
    assert all(tool["inputSchema"]["type"] == "object" for tool in tools.values())
    assert ("ttlMs" in result) == _is_modern(asked)


def called(asked: Request, reply: Reply) -> None:
    """Each tool was called for a reason of its own."""
    name, arguments = _params(asked)["name"], _params(asked)["arguments"]
    tool = name.partition("__")[2]
    result = _result(asked, reply)
    [block] = result["content"]
    assert result.get("isError", False) is (tool in {"forbidden", "fail", "add"})
    if tool == "echo":
        assert result["structuredContent"]["text"] == arguments["text"]
    elif tool == "forbidden":
        assert block["text"].startswith("DENIED by policy, not executed. Rule never_this_one")
    elif tool == "add":
        assert "/a: the value is not of type" in block["text"]
    elif tool == "fail":
        assert block["text"].endswith(arguments["reason"])
    else:
        assert block["text"] == f"slept {arguments['tag']}"
        events = [json.loads(line[6:]) for line in reply.body.split(b"\n") if line.startswith(b"data: {")]
        steps = [one["params"] for one in events if one.get("method") == "notifications/progress"]
        assert [step["progress"] for step in steps] == [1, 2]
        assert {step["progressToken"] for step in steps} == {_params(asked)["_meta"]["progressToken"]}


def ponged(asked: Request, reply: Reply) -> None:
    assert _result(asked, reply) == {}


def listed_or_unknown(asked: Request, reply: Reply) -> None:
    """Codex asks for these without looking at the capabilities; it goes on after -32601."""
    assert reply.status == 200
    assert reply.json["id"] == asked["body"]["id"]
    if "error" in reply.json:
        assert reply.json["error"]["code"] == -32601
    else:
        assert {"resources", "resourceTemplates"} & _result(asked, reply).keys()


def session_ended(asked: Request, reply: Reply) -> None:
    assert (reply.status, reply.body) == (204, b"")


def challenged(asked: Request, reply: Reply) -> None:
    """Without a token: what makes a client look for another way to get in."""
    assert reply.status == 401
    assert reply.headers["www-authenticate"].startswith("Bearer")
    assert "Authorization: Bearer" in reply.json["error"]["message"]
    assert "mcp-session-id" not in reply.headers


def no_authorization_server(asked: Request, reply: Reply) -> None:
    """There is none here: a clear no ends the client's search, where a redirect or a page would not."""
    assert reply.status == 404
    assert reply.headers["content-type"] == "application/json"


NEEDS: dict[str, Callable[[Request, Reply], None]] = {
    "server/discover": discovered,
    "subscriptions/listen": listening,
    "initialize": initialized,
    "notifications/initialized": accepted,
    "tools/list": listed,
    "tools/call": called,
    "ping": ponged,
    "resources/list": listed_or_unknown,
    "resources/templates/list": listed_or_unknown,
    "GET": stream_opened,
    "DELETE": session_ended,
}


def has_token(asked: Request) -> bool:
    return "authorization" in {name.lower() for name in asked["headers"]}


def fits(asked: Request, reply: Reply) -> None:
    """Whether the answer is what this client needs to go on."""
    if asked["path"] != "/mcp":
        no_authorization_server(asked, reply)
    elif not has_token(asked):
        challenged(asked, reply)
    else:
        NEEDS[_method(asked) or asked["verb"]](asked, reply)


@pytest.mark.parametrize("conversation", conversations())
def test_a_real_client_gets_what_it_needs_from_its_first_request_to_its_last(shared, conversation):
    with Replay(shared.url) as replay:
        for asked in conversation:
            fits(asked, replay.send(asked))


@pytest.mark.parametrize("conversation", conversations())
def test_no_answer_to_another_token_fits(shared, conversation):
    # The control of the test above: the same requests, the same assertions, one thing wrong.
    with Replay(shared.url) as replay:
        for asked in conversation:
            if has_token(asked):
                replay.send(asked)
                with pytest.raises(AssertionError):
                    fits(asked, replay.send(asked, token="somebody-elses"))
            elif asked["path"] == "/mcp":
                let_in = {**asked, "headers": {**asked["headers"], "Authorization": "Bearer {token}"}}
                with pytest.raises(AssertionError):
                    fits(asked, replay.send(let_in))


@pytest.mark.parametrize("conversation", conversations(having="{session-1}"))
def test_a_session_that_is_gone_is_404_so_that_the_client_begins_anew(shared, conversation):
    with Replay(shared.url) as replay:
        for asked in conversation:
            replay.send(asked)
            if "{session-1}" in asked["headers"].values():
                reply = replay.send(asked, session="0" * 32)
                assert reply.status == 404
                with pytest.raises(AssertionError):
                    fits(asked, reply)


def test_the_corpus_has_all_three_clients_and_nothing_of_the_machine_they_ran_on():
    files = {file.stem.rpartition("-")[0]: file.read_text() for file in CORPUS.glob("*.json")}
    assert files.keys() == {"claude-code", "codex", "gemini-cli"}
    for text in files.values():
        methods = {_method(asked) for asked in json.loads(text)["conversations"]["tools"]}
        assert {"tools/list", "tools/call"} <= methods
        for foreign in ("tg_", "sha256:", "/tmp", "/home", "/root", "/work"):
            assert foreign not in text
