"""A really running gateway in front of tool servers of this process, and the oracle for every abuse."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

from gateway.identity.tokens import token_hash
from tests.edge.raw import Stream, legacy_message, modern_headers, modern_message, request, talk

TOKENS = {"ana": "tg_" + "a1" * 32, "ben": "tg_" + "b2" * 32, "cap": "tg_" + "c3" * 32}
TENANTS = {"ana": "acme", "ben": "other", "cap": "third"}
START_S = 30
PROC = Path("/proc")


def agent(name, token, tenant):
    return {
        "name": name,
        "token": token_hash(token),
        "subject": {"id": f"{name}@example.com", "tenant": tenant},
    }


def settings_of(upstreams, **changed):
    """A configuration; ``limits`` among the changes replaces the short deadlines of the tests."""
    return {
        "upstreams": upstreams,
        "agents": [agent(name, token, TENANTS[name]) for name, token in TOKENS.items()],
        "policy": {"path": "./policy", "watch": False},
        "pin_on_first_use": True,
        "listen": {"agents": "127.0.0.1:0", "people": "127.0.0.1:0"},
        **changed,
    }


class Gateway:
    """The process, its ports, its log; and how to speak to it politely or not."""

    def __init__(self, folder, settings, policy, *servers):
        """``servers`` count what reaches them; the first one offers ``echo`` under the id ``tools``."""
        self.servers = servers
        self.upstream = servers[0]
        self.folder = folder
        self.log = folder / "stderr.log"
        self._records = []
        self._read = {}
        (folder / "policy").mkdir()
        (folder / "policy" / "edge.rego").write_text(policy)
        self.file = folder / "toolgate.yaml"
        self.file.write_text(json.dumps(settings))

    def start(self, *, tools=1):
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
            if found := re.match(r"(agents|people): +http://127\.0\.0\.1:(\d+)", line.decode()):
                setattr(self, "port" if found.group(1) == "agents" else "people", int(found.group(2)))
            if line.startswith(b"data:"):
                break
        assert hasattr(self, "port"), self.said + self.log.read_text()
        self.until(lambda: len(self.tool_names()) >= tools)
        return self

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        # Whatever was sent, nothing of it may have been a surprise.
        said = self.log.read_text()
        assert "Traceback" not in said, said[-4000:]
        assert "failed inside the gateway" not in said
        assert "background task failed" not in said

    def until(self, holds, *, within_s=START_S):
        ends = time.monotonic() + within_s
        while not (found := holds()):
            assert time.monotonic() < ends, self.log.read_text()[-2000:]
            time.sleep(0.02)
        return found

    # The polite way.

    def request(self, body, *, who="ana", headers=(), **rest):
        if who is not None:
            headers = (("Authorization", f"Bearer {TOKENS.get(who, who)}"), *headers)
        return request(body, port=self.port, headers=headers, **rest)

    def post(self, message, *, who="ana", headers=(), **rest):
        """The bytes of a modern request; ``headers`` override the routing headers, None drops one."""
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        routing = {} if isinstance(message, bytes) else modern_headers(message)
        given = {name.lower() for name, _ in headers}
        usual = tuple((name, value) for name, value in routing.items() if name.lower() not in given)
        return self.request(body, who=who, headers=(*usual, *headers), **rest)

    def heard(self, raw):
        """The one answer to these bytes."""
        return talk(self.port, raw).only

    def ask(self, message, *, wait_s=20.0, **rest):
        return talk(self.port, self.post(message, **rest), wait_s=wait_s).only

    def call(self, tool="echo", arguments=None, **rest):
        params = {"name": f"tools__{tool}", "arguments": {"text": "hi"} if arguments is None else arguments}
        return self.ask(modern_message(params=params), **rest)

    def tool_names(self, who="ana", **rest):
        answer = self.ask(modern_message("tools/list", {}), who=who, **rest)
        return {tool["name"] for tool in answer.json["result"]["tools"]}

    def initialize(self, *, who="ana", version="2025-11-25", capabilities=None, path="/mcp"):
        """A legacy session's id and the negotiated version."""
        params = {"protocolVersion": version, "capabilities": capabilities or {}}
        params["clientInfo"] = {"name": "t", "version": "1"}
        message = legacy_message("initialize", params, request_id=0)
        body = json.dumps(message).encode()
        answer = talk(self.port, self.request(body, who=who, path=path)).only
        return answer.headers["mcp-session-id"], answer.json["result"]["protocolVersion"]

    def legacy_post(self, message, session, *, headers=(), **rest):
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        return self.request(body, headers=(("Mcp-Session-Id", session), *headers), **rest)

    def legacy(self, message, session, *, wait_s=20.0, **rest):
        return talk(self.port, self.legacy_post(message, session, **rest), wait_s=wait_s).only

    def legacy_stream(self, message, session, **rest):
        """The same, read event by event."""
        return Stream(self.port, self.legacy_post(message, session, **rest))

    def get(self, session, *, who="ana", headers=(), **rest):
        """A session's own stream, or a replay of another."""
        headers = (("Mcp-Session-Id", session), *headers)
        return Stream(self.port, self.request(b"", verb="GET", who=who, headers=headers, **rest))

    # The oracle.

    def records(self):
        """Everything in the log; what was read before is not read again."""
        for segment in sorted((self.folder / ".toolgate" / "audit" / "segments").glob("*.jsonl")):
            with segment.open("rb") as file:
                file.seek(self._read.get(segment, 0))
                # The last line may still be on its way.
                whole, end, _ = file.read().rpartition(b"\n")
            self._records += [json.loads(line) for line in whole.splitlines()]
            self._read[segment] = self._read.get(segment, 0) + len(whole) + len(end)
        return list(self._records)

    def codes(self, *, after):
        """Reason codes recorded since entry ``after``; those of strangers with a leading ``~``."""
        found = set()
        for record in self.records()[after:]:
            if record["kind"] == "refusal_summary":
                found |= {f"~{code}" for code in record["counts"]}
            elif record.get("code"):
                found.add(record["code"])
        return found

    def _calls(self):
        return sum(len(server.calls) for server in self.servers)

    @contextlib.contextmanager
    def unharmed_calls(self, *recorded):
        """The gateway lives on, whatever reached the upstream meanwhile."""
        entries = len(self.records())
        yield
        assert self.process.poll() is None
        assert self.call(who="ben").status == 200
        if recorded:
            self.until(lambda: set(recorded) <= self.codes(after=entries), within_s=5)

    @contextlib.contextmanager
    def unharmed(self, *recorded):
        """What happens inside reaches no upstream, is recorded under these codes, and hurts nobody."""
        calls, entries = self._calls(), len(self.records())
        yield
        assert self._calls() == calls, [server.calls[-1:] for server in self.servers]
        assert self.process.poll() is None
        good = self.call(arguments={"text": "still here"}, who="ben")
        assert good.status == 200, good
        assert "still here" in good.text
        assert self._calls() == calls + 1
        if recorded:
            self.until(lambda: set(recorded) <= self.codes(after=entries), within_s=5)

    # What the process costs; only Linux says.

    def cpu_s(self):
        if not PROC.exists():
            return 0.0
        fields = (PROC / f"{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mib(self, what="VmRSS"):
        if not PROC.exists():
            return 0.0
        lines = (PROC / f"{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(what)) / 1024

    @contextlib.contextmanager
    def grows_at_most_mib(self, mib):
        """Peak memory inside, over what there is at the beginning."""
        if not PROC.exists():
            yield
            return
        before = self.memory_mib()
        (PROC / f"{self.process.pid}/clear_refs").write_text("5")
        yield
        grown = self.memory_mib("VmHWM") - before
        assert grown <= mib, f"grew by {grown:.1f} MiB"
