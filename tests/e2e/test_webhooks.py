"""Webhooks of the real process: signed, from the durable outbox, also after the receiver or the gateway was away."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from e2e_kit.gateways import GatewayProcess
from e2e_kit.people import REVIEWERS, People
from e2e_kit.ports import free_port
from e2e_kit.tool_servers import RunLog, fixture_http
from e2e_kit.waiting import until

KEY = os.urandom(32)
SECRET = "whsec_" + base64.b64encode(KEY).decode()
POLICY = """\
package toolgate.rules.hooks

import rego.v1

allow if true

hold contains {"code": "look", "by": "lead", "why": "because"} if input.arguments.text == "held"
"""


class Receiver(ThreadingHTTPServer):
    """Keeps what it gets."""

    def __init__(self, port):
        self.got = []
        super().__init__(("127.0.0.1", port), _Handler)


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.got.append((self.path, dict(self.headers), body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def receiving(port):
    server = Receiver(port)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@pytest.fixture
def port():
    return free_port()


@pytest.fixture
def gateway(tmp_path, port, monkeypatch):
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    with fixture_http("modern", RunLog(tmp_path / "runs.jsonl")) as server:
        process = GatewayProcess(
            tmp_path / "gateway",
            upstreams={"tools": {"url": server.url}},
            policy={"hooks.rego": POLICY},
            reviewers=REVIEWERS,
            approvals={"unknown_client_s": 0.2},
            webhooks={
                "audit": {"url": f"http://127.0.0.1:{port}/signed", "secret": "${env:HOOK_SECRET}"},
                "chat": {"url": f"http://127.0.0.1:{port}/chat", "form": "chat", "events": ["held"]},
            },
        )
        with process:
            process.offers("tools__echo")
            yield process


def told(server, path):
    return [(headers, json.loads(body), body) for where, headers, body in server.got if where == path]


def signed(headers, body):
    text = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.digest(KEY, text, hashlib.sha256)).decode()
    return expected in headers["webhook-signature"].split(" ")


def test_receivers_are_told_what_happens_and_never_with_what_arguments(gateway, port):
    with receiving(port) as server:
        gateway.call("tools__echo", {"text": "held", "note": "private words"})
        hold = People(gateway).waits(text="held")
        until(lambda: told(server, "/signed") and told(server, "/chat"), "nobody was told", within_s=20)
        People(gateway).approve(hold)
        until(
            lambda: any(body["type"] == "hold.approved" for _, body, _ in told(server, "/signed")),
            lambda: f"told {[body['type'] for _, body, _ in told(server, '/signed')]}",
            within_s=20,
        )
        for headers, _, body in told(server, "/signed"):
            assert signed({name.lower(): value for name, value in headers.items()}, body)
            assert b"private words" not in body
        (chat,) = told(server, "/chat")
        assert hold["id"][:8] in chat[1]["text"] or "/holds/" in chat[1]["text"]
        assert "private words" not in chat[1]["text"]


def test_what_nobody_received_is_told_after_a_kill(gateway, port):
    gateway.call("tools__echo", {"text": "held"})
    hold = People(gateway).waits(text="held")
    gateway.kill()
    gateway.start()
    with receiving(port) as server:
        until(lambda: told(server, "/signed"), "nobody was told after the restart", within_s=60)
        _, body, _ = told(server, "/signed")[0]
        assert body["type"] == "hold.held"
        assert hold["id"] in json.dumps(body["data"])
