"""One really running gateway with short deadlines, one counting tool server, and an oracle for every abuse."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import time

import pytest

from gateway.identity.tokens import token_hash
from tests.edge.raw import connect, hear, modern_headers, modern_message, request, talk
from tests.edge.upstream_server import ToolServer

TOKENS = {"ana": "tg_" + "a1" * 32, "ben": "tg_" + "b2" * 32, "cap": "tg_" + "c3" * 32}
UPSTREAM_KEY = "upstream-key-canary"
POLICY = """\
package toolgate.rules.edge

import rego.v1

allow if input.tool.name in {"echo", "region", "slow"}

deny contains "never" if input.tool.name == "denied"
"""
START_S = 30


class Gateway:
    """The process, its port, its log; and how to speak to it politely or not."""

    def __init__(self, folder, upstream):
        self.upstream = upstream
        self.folder = folder
        self.log = folder / "stderr.log"
        agents = [
            {
                "name": name,
                "token": token_hash(token),
                "subject": {"id": f"{name}@example.com", "tenant": tenant},
            }
            for (name, token), tenant in zip(TOKENS.items(), ("acme", "other", "third"), strict=True)
        ]
        settings = {
            "upstreams": {
                "tools": {
                    "url": f"http://127.0.0.1:{upstream.port}/mcp",
                    "headers": {"Authorization": f"Bearer {UPSTREAM_KEY}"},
                }
            },
            "agents": agents,
            "policy": {"path": "./policy", "watch": False},
            "listen": {"agents": "127.0.0.1:0", "people": "127.0.0.1:0"},
            "limits": {
                "header_timeout_s": 1.0,
                "body_timeout_s": 1.0,
                "write_stall_s": 1.0,
                "keep_alive_s": 2.0,
                "calls_per_principal_max": 4,
                "streams_per_principal_max": 3,
                "streams_max": 5,
                "allowed_origins": ["http://app.example:3000"],
            },
        }
        (folder / "policy").mkdir()
        (folder / "policy" / "edge.rego").write_text(POLICY)
        self.file = folder / "toolgate.yaml"
        self.file.write_text(json.dumps(settings))

    def start(self):
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gateway", "serve", "-c", str(self.file)],
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, "NO_COLOR": "1"},
            )
        self.said = ""
        for line in self.process.stdout:
            self.said += line.decode()
            if found := re.match(r"agents: http://127\.0\.0\.1:(\d+)/mcp", line.decode()):
                self.port = int(found.group(1))
            if line.startswith(b"data:"):
                break
        assert hasattr(self, "port"), self.said + self.log.read_text()
        self.until(lambda: len(self.tool_names()) == 3)
        return self

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def until(self, holds, *, within_s=START_S):
        ends = time.monotonic() + within_s
        while not holds():
            assert time.monotonic() < ends, self.log.read_text()[-2000:]
            time.sleep(0.02)

    # The polite way.

    def request(self, body, *, who="ana", headers=(), **rest):
        if who is not None:
            headers = (("Authorization", f"Bearer {TOKENS[who]}"), *headers)
        return request(body, port=self.port, headers=headers, **rest)

    def post(self, message, *, who="ana", headers=(), **rest):
        """The bytes of a modern request; ``headers`` override the routing headers, None drops one."""
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        routing = {} if isinstance(message, bytes) else modern_headers(message)
        given = {name.lower() for name, _ in headers}
        usual = tuple((name, value) for name, value in routing.items() if name.lower() not in given)
        return self.request(body, who=who, headers=(*usual, *headers), **rest)

    def ask(self, message, **rest):
        return talk(self.port, self.post(message, **rest)).only

    def call(self, tool="echo", arguments=None, **rest):
        params = {"name": f"tools__{tool}", "arguments": {"text": "hi"} if arguments is None else arguments}
        return self.ask(modern_message(params=params), **rest)

    def tool_names(self, who="ana"):
        answer = self.ask(modern_message("tools/list", {}), who=who)
        return {tool["name"] for tool in answer.json["result"]["tools"]}

    def initialize(self, *, who="ana", version="2025-11-25"):
        """A legacy session's id and the negotiated version."""
        params = {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
        body = json.dumps({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}).encode()
        answer = talk(self.port, self.request(body, who=who)).only
        return answer.headers["mcp-session-id"], answer.json["result"]["protocolVersion"]

    def legacy(self, message, session, *, who="ana", **rest):
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        return talk(
            self.port, self.request(body, who=who, headers=(("Mcp-Session-Id", session),), **rest)
        ).only

    # The oracle.

    def records(self):
        lines = []
        for segment in sorted((self.folder / ".toolgate" / "audit" / "segments").glob("*.jsonl")):
            for line in segment.read_bytes().splitlines():
                with contextlib.suppress(ValueError):  # the last line may still be on its way
                    lines.append(json.loads(line))
        return lines

    def codes(self, *, after):
        """Reason codes recorded since entry ``after``; those of strangers with a leading ``~``."""
        found = set()
        for record in self.records()[after:]:
            if record["kind"] == "refusal_summary":
                found |= {f"~{code}" for code in record["counts"]}
            elif record.get("code"):
                found.add(record["code"])
        return found

    @contextlib.contextmanager
    def unharmed_calls(self):
        """The gateway lives on, whatever reached the upstream meanwhile."""
        yield
        assert self.process.poll() is None
        assert self.call(who="ben").status == 200

    @contextlib.contextmanager
    def unharmed(self, *recorded):
        """What happens inside reaches no upstream, is recorded under these codes, and hurts nobody."""
        calls, entries = len(self.upstream.calls), len(self.records())
        yield
        assert len(self.upstream.calls) == calls, self.upstream.calls[calls:]
        assert self.process.poll() is None
        good = self.call(arguments={"text": "still here"}, who="ben")
        assert good.status == 200, good
        assert "still here" in good.json["result"]["content"][0]["text"]
        assert len(self.upstream.calls) == calls + 1
        if recorded:
            self.until(lambda: set(recorded) <= self.codes(after=entries), within_s=5)


@pytest.fixture(scope="session")
def upstream():
    with ToolServer() as server:
        yield server


@pytest.fixture(scope="session")
def gateway(upstream, tmp_path_factory):
    found = Gateway(tmp_path_factory.mktemp("edge"), upstream)
    try:
        yield found.start()
    finally:
        found.stop()
    # Whatever was sent, nothing of it may have been a surprise.
    said = found.log.read_text()
    assert "Traceback" not in said, said[-4000:]
    assert "failed inside the gateway" not in said


@pytest.fixture
def port(gateway):
    return gateway.port


@pytest.fixture
def line(gateway):
    """An open connection to the agents' port."""
    with contextlib.closing(connect(gateway.port)) as sock:
        yield sock


@pytest.fixture
def listening():
    return hear
