"""What might be open although nobody wanted it: paths, verbs, upgrades, ports (abuse cases 11 and 120)."""

from __future__ import annotations

import contextlib
import json
import re

import pytest

from tests.edge.gateways import PROC
from tests.edge.raw import connect, hear, legacy_message, modern_message, request, talk

GOOD = modern_message()
FORGOTTEN = [
    "/", "/docs", "/redoc", "/openapi.json", "/swagger.json", "/graphql",
    "/metrics", "/stats", "/status", "/health", "/healthz", "/ready", "/readyz", "/live", "/ping", "/version",
    "/debug", "/debug/pprof", "/debug/vars", "/trace", "/actuator", "/actuator/env", "/console", "/env",
    "/sse", "/message", "/messages", "/messages/", "/mcp/sse", "/mcp/message", "/s/tools/sse", "/s/tools/message", "/events",
    "/ws", "/mcp/ws", "/socket.io/", "/rpc", "/jsonrpc",
    "/admin", "/admin/login", "/login", "/api", "/api/v1/tools", "/tools", "/servers", "/agents", "/policy", "/audit",
    "/connect", "/register", "/authorize", "/token", "/oauth/token", "/.well-known/oauth-protected-resource",
    "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration", "/.well-known/mcp.json",
    "/.env", "/.git/config", "/favicon.ico", "/robots.txt", "/static/x.js", "/toolgate.yaml", "/policy/edge.rego",
    "/proxy", "/test-connection", "/import", "/mcp/test_connection", "/upload", "/config", "/shutdown", "/s/tools", "/s", "/mcp.json",
]  # fmt: skip
VERBS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def without_nonce(body):
    return re.sub(rb'nonce="[0-9a-f]+"', b"", body)


def statuses_of(port, raws):
    """Of requests one after the other on one connection, opened anew where it was closed."""
    found = []
    sock = connect(port)
    for raw in raws:
        heard = _sent(sock, raw)
        if not heard.responses:
            sock.close()
            sock = connect(port)
            heard = _sent(sock, raw)
        found.append(heard.only.status)
    sock.close()
    return found


def _sent(sock, raw):
    with contextlib.suppress(OSError):
        sock.sendall(raw)
    return hear(sock, wait_s=3)


@pytest.mark.abuse(11)
def test_no_forgotten_path_is_served_to_agents(gateway):
    # The path comes first: nobody has been asked who he is.
    with gateway.unharmed("~http_404"):
        for verb in VERBS:
            body = json.dumps(GOOD).encode() if verb in {"POST", "PUT", "PATCH"} else b""
            for who in ("ana", None):
                raws = [gateway.request(body, verb=verb, path=path, who=who) for path in FORGOTTEN]
                assert set(statuses_of(gateway.port, raws)) == {404}, verb
    assert gateway.call().status == 200


@pytest.mark.abuse(11)
def test_only_three_verbs_are_known_on_the_path_that_is_served(gateway):
    with gateway.unharmed("wire_refused", "~unauthenticated"):
        for path in ("/mcp", "/s/tools/mcp"):
            for verb in ("PUT", "PATCH", "OPTIONS", "TRACE", "PROPFIND"):
                refused = talk(gateway.port, gateway.request(b"", verb=verb, path=path)).only
                assert (refused.status, refused.headers["allow"]) == (405, "POST, GET, DELETE")
                assert (
                    talk(gateway.port, gateway.request(b"", verb=verb, path=path, who=None)).only.status
                    == 401
                )
            # An answer to HEAD has no body, whatever its headers announce.
            assert talk(
                gateway.port, gateway.request(b"", verb="HEAD", path=path), wait_s=0.3
            ).data.startswith(b"HTTP/1.1 405")


@pytest.mark.abuse(11)
def test_without_a_session_there_is_nothing_to_get_or_delete(gateway):
    modern = ("MCP-Protocol-Version", "2026-07-28")
    session, _ = gateway.initialize()
    with gateway.unharmed("wire_refused", "unknown_session"):
        for headers in (
            (),
            (modern,),
            (("Accept", "text/event-stream"),),
            (modern, ("Mcp-Session-Id", session)),
        ):
            assert talk(gateway.port, gateway.request(b"", verb="GET", headers=headers)).only.status == 405
        assert talk(gateway.port, gateway.request(b"", verb="DELETE")).only.status == 400
        for verb in ("GET", "DELETE"):
            raw = gateway.request(b"", verb=verb, headers=(("Mcp-Session-Id", "x"),))
            assert talk(gateway.port, raw).only.status == 404
        for verb in ("GET", "DELETE", "POST"):
            raw = gateway.request(b"{}", verb=verb, who=None, headers=(("Mcp-Session-Id", session),))
            assert talk(gateway.port, raw).only.status == 401
    # With one there is.
    with gateway.get(session) as stream:
        assert stream.status() == 200
    gone = talk(gateway.port, gateway.request(b"", verb="DELETE", headers=(("Mcp-Session-Id", session),)))
    assert gone.data.startswith(b"HTTP/1.1 204")
    assert gateway.legacy(legacy_message(), session).status == 404


@pytest.mark.abuse(11)
def test_the_two_endpoints_of_2024_are_not_there(gateway):
    # They began with a GET that named an endpoint with a session id of its own.
    session, _ = gateway.initialize()
    with gateway.unharmed():
        for path in ("/sse", "/mcp/sse", "/s/tools/sse"):
            headers = (("Accept", "text/event-stream"), ("Mcp-Session-Id", session))
            answer = talk(gateway.port, gateway.request(b"", verb="GET", path=path, headers=headers)).only
            assert answer.status == 404
            assert b"endpoint" not in answer.body
        for path in (f"/message?sessionId={session}", f"/messages/?session_id={session}"):
            body = json.dumps(legacy_message()).encode()
            assert talk(gateway.port, gateway.request(body, path=path)).only.status in {400, 404}


UPGRADES = {
    "websocket": (
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "x" * 22 + "=="),
    ),
    "h2c": (("Upgrade", "h2c"), ("HTTP2-Settings", "AAMAAABkAAQAAP__")),
    "TLS": (("Upgrade", "TLS/1.2"),),
}


@pytest.mark.abuse(11)
@pytest.mark.parametrize("name", UPGRADES)
def test_a_connection_does_not_become_another_one(gateway, name):
    headers = (("Connection", "Upgrade"), *UPGRADES[name])
    frame = b"\x81\x85\x00\x00\x00\x00hello"
    with gateway.unharmed():
        for path in ("/mcp", "/s/tools/mcp", "/ws"):
            raw = gateway.request(b"", verb="GET", path=path, headers=headers)
            heard = talk(gateway.port, raw + frame, until_closed=True)
            assert heard.only.status in {404, 405}
            assert heard.closed
        refused = talk(gateway.port, gateway.request(b"", verb="GET", who=None, headers=headers)).only
        assert refused.status == 401


@pytest.mark.abuse(11)
@pytest.mark.parametrize(
    "preface", [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"CONNECT 127.0.0.1:80 HTTP/1.1\r\n\r\n"]
)
def test_another_protocol_is_not_spoken(gateway, preface):
    with gateway.unharmed():
        heard = talk(gateway.port, preface + gateway.post(GOOD), until_closed=True)
        assert heard.closed
        assert not set(heard.statuses) & set(range(200, 400))


@pytest.mark.abuse(11)
def test_the_people_s_port_serves_two_reports_and_to_strangers_nothing_else(gateway):
    def ask(path, verb="GET", body=b"", headers=()):
        return request(body, verb=verb, path=path, port=gateway.people, headers=headers)

    with gateway.unharmed():
        for path in ("/healthz", "/readyz"):
            assert talk(gateway.people, ask(path)).only.status == 200
            for verb in ("POST", "PUT", "DELETE", "PATCH"):
                assert talk(gateway.people, ask(path, verb)).only.status == 405
            evil = (("Host", "evil.example"),)
            assert talk(gateway.people, ask(path, headers=evil)).only.status == 421
        # What a browser logs in at, and nothing happens there without its Origin.
        assert talk(gateway.people, ask("/login", "GET")).only.status == 200
        assert talk(gateway.people, ask("/login", "POST")).only.status == 403
        # A page says to whoever is not logged in how that is done, and nothing else.
        pages = {
            "/",
            "/tools",
            "/activity",
            "/upstreams",
            "/reviewing",
            "/holds/0123456789",
            "/calls/0123456789",
        }
        nobody = talk(gateway.people, ask("/")).only
        for path in pages:
            answer = talk(gateway.people, ask(path)).only
            assert (answer.status, without_nonce(answer.body)) == (401, without_nonce(nobody.body)), path
            assert talk(gateway.people, ask(path, "POST")).only.status == 405
        others = [path for path in FORGOTTEN if path not in {"/healthz", "/readyz", "/login"} | pages] + [
            "/mcp",
            "/s/tools/mcp",
        ]
        for verb in ("GET", "POST"):
            assert set(statuses_of(gateway.people, [ask(path, verb) for path in others])) <= {404, 405}
        # Not even with a good token is it the agents' port.
        raw = gateway.post(GOOD).replace(b":%d" % gateway.port, b":%d" % gateway.people)
        assert talk(gateway.people, raw).only.status == 404


@pytest.mark.abuse(11)
@pytest.mark.skipif(not PROC.exists(), reason="only Linux says what a process listens on")
def test_the_process_listens_on_two_ports_of_this_machine_only(gateway):
    folder = PROC / str(gateway.process.pid)
    sockets = set()
    for entry in (folder / "fd").iterdir():
        with contextlib.suppress(OSError):
            if found := re.fullmatch(r"socket:\[(\d+)\]", str(entry.readlink())):
                sockets.add(found.group(1))
    listening = set()
    for table in ("tcp", "tcp6"):
        for line in (folder / "net" / table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in sockets:
                listening.add(fields[1])
    local = "0100007F"
    assert listening == {f"{local}:{port:04X}" for port in (gateway.port, gateway.people)}


@pytest.mark.abuse(120)
def test_nothing_on_the_wire_starts_a_program(gateway):
    told = {"command": "/bin/sh", "args": ["-c", "id"], "env": {"A": "b"}, "url": "http://127.0.0.1:1/"}
    body = json.dumps(told).encode()
    with gateway.unharmed():
        for port in (gateway.port, gateway.people):
            for path in (
                "/connect",
                "/servers",
                "/import",
                "/test-connection",
                "/mcp/test_connection",
                "/config",
            ):
                raw = request(body, path=path, port=port, headers=())
                assert talk(port, raw).only.status in {404, 405}
        assert gateway.ask(body, headers=(("MCP-Protocol-Version", "2026-07-28"),)).error == -32600
        message = modern_message(params={"name": "tools__echo", "arguments": {}, **told})
        assert gateway.ask(message).error == -32602
