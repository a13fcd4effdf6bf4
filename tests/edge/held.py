"""A gateway whose calls are held: reviewers at its people port, rows changed by hand, servers that go away."""

from __future__ import annotations

import concurrent.futures
import contextlib
import hashlib
import json
import sqlite3
import threading
from urllib.parse import quote

from tests.edge.gateways import Gateway, settings_of
from tests.edge.raw import connect, hear, legacy_message, modern_message, request, talk
from tests.edge.upstream_server import QuietServer, ToolServer

LEA, MAX, EVE, INA, HER = ("tgr_" + digit * 64 for digit in "12345")
WAIT_TOOL = "toolgate__approval_wait"
META = "dev.toolgate/hold"
POLICY = """\
package toolgate.rules.held

import rego.v1

allow if true

hold contains {
	"code": "asks_first",
	"by": "lead",
	"why": "somebody has to look",
	"risk": "high",
	"show": ["/n"],
} if input.arguments.ask == true

hold contains {"code": "two", "by": "lead", "quorum": 2} if input.arguments.ask == "two"

hold contains {"code": "own", "by": "lead", "on_approval": "grant"} if input.arguments.ask == "grant"

hold contains {"code": "short", "by": "lead", "ttl": "1s"} if input.arguments.ask == "short"

hold contains {"code": "prompt", "by": "lead"} if {
	input.action.name == "prompts/get"
	input.arguments.who == "boss"
}

hold contains {"code": "note", "by": "lead"} if {
	input.action.name == "resources/read"
	input.resource.name == "note://held"
}
"""
LIMITS = {"calls_per_principal_max": 32, "streams_per_principal_max": 200, "streams_max": 400}
APPROVALS = {"round_s": 0.2, "unknown_client_s": 0.2, "progress_s": 0.1, "back_off_max_s": 1}


def reviewer(name, token, *roles, tenant="acme"):
    hashed = "sha256:" + hashlib.sha256(token.encode()).hexdigest()
    return {"id": f"{name}@example.com", "token": hashed, "roles": list(roles), "tenant": tenant}


REVIEWERS = [
    reviewer("lea", LEA, "lead", "operator"),
    reviewer("max", MAX, "lead"),
    reviewer("eve", EVE, "lead", tenant="other"),
    reviewer("ina", INA, "intern"),
    # The person behind the agent ana, however they write themselves.
    reviewer("Ana", HER, "lead"),
]


def held_settings(upstreams, **changed):
    usual = {"reviewers": REVIEWERS, "approvals": APPROVALS, "limits": LIMITS}
    return settings_of(upstreams, **(usual | changed))


class HeldGateway(Gateway):
    """Also speaks for reviewers, and opens the database while nothing runs."""

    def start(self, *, tools=2):
        super().start(tools=tools)
        return self

    # People.

    def person_request(self, path, body=None, *, token=LEA, verb=None, headers=(), prefix="/api/v1"):
        """The bytes of one request at the people port."""
        said = b"" if body is None else json.dumps(body).encode()
        verb = verb or ("GET" if body is None else "POST")
        if token is not None:
            headers = (("Authorization", f"Bearer {token}"), *headers)
        return request(said, verb=verb, path=prefix + path, port=self.people, headers=headers)

    def person(self, path, body=None, **rest):
        return talk(self.people, self.person_request(path, body, **rest), wait_s=20).only

    def queue(self, status="held", **rest):
        found, after = [], ""
        while True:
            page = self.person(f"/holds?status={status}&limit=200{after}", **rest).json
            found += page["holds"]
            if page["next"] is None:
                return found
            after = "&after=" + quote(page["next"], safe="")

    def row(self, hold, **rest):
        return self.person(f"/holds/{hold}", **rest).json["hold"]

    def waits(self, n, status="held", **rest):
        """The hold of the call with this number, once there is one."""
        return self.until(
            lambda: next((one for one in self.queue(status, **rest) if one["view"].get("n") == n), None)
        )

    def becomes(self, hold, *statuses):
        def found():
            row = self.row(hold)
            return row if row["status"] in statuses else None

        return self.until(found)

    def decision(self, row, verdict="approve", *, reason="", **rest):
        word = {"verdict": verdict, "seen": row["seen"], "reason": reason}
        return self.person(f"/holds/{row['id']}/decision", word, **rest)

    def approve(self, row, **rest):
        answer = self.decision(row, **rest)
        assert answer.status == 200, answer
        return answer.json["hold"]

    def pin(self, upstream, name):
        """Lea has looked at what the upstream lists now."""
        seen = self.person(f"/definitions/one?upstream={upstream}&name={name}").json["definition"]
        wish = {"upstream": upstream, "name": name, "digest": seen["listed_digest"]}
        answer = self.person("/definitions/pin", wish)
        assert answer.status == 200, answer

    def ready(self):
        """Status and body of the readiness page."""
        answer = talk(self.people, request(verb="GET", path="/readyz", port=self.people)).only
        return answer.status, answer.body.decode()

    # Agents.

    def hold(self, n, ask=True, *, status="held", **rest):
        """Make a call that is held; its row."""
        answer = self.call(arguments={"ask": ask, "n": n, **rest.pop("more", {})}, **rest)
        assert "result" in answer.json, answer
        return self.waits(n, status)

    def hold_all(self, asks, **rest):
        """Several calls at once, by number; their rows."""
        posts = []
        for n, ask in asks.items():
            params = {"name": "tools__echo", "arguments": {"ask": ask, "n": n}}
            posts.append(self.post(modern_message(params=params), **rest))
        assert all("result" in answer.json for answer in at_once(self.port, posts))
        found = {row["view"]["n"]: row for row in self.queue()}
        return {n: found[n] for n in asks}

    def collect(self, hold, **rest):
        """The result of the tool that waits, once it is over or has waited for long enough."""
        params = {"name": WAIT_TOOL, "arguments": {"hold": hold}}
        while True:
            answer = self.ask(modern_message(params=params), **rest)
            if answer.json.get("result", {}).get("resultType") != "input_required":
                return answer
            params = {**params, "requestState": answer.json["result"]["requestState"]}

    def stateful(self, method, params, **rest):
        """One answer in the older era, which waits only for a moment."""
        session, _ = self.initialize(**rest)
        return self.legacy(legacy_message(method, params), session, **rest)

    def executions(self, n):
        """Sends of the call with this number."""
        calls = [message["params"].get("arguments") or {} for _, message in self.upstream.calls]
        return [one for one in calls if one.get("n") == n]

    # While nothing runs.

    @property
    def database(self):
        return self.folder / ".toolgate" / "holds" / "holds.sqlite3"

    @contextlib.contextmanager
    def rows(self):
        """Read and written by hand."""
        with contextlib.closing(sqlite3.connect(self.database)) as connection:
            connection.row_factory = sqlite3.Row
            yield connection
            connection.commit()

    def restart(self, *, tools=2, **settings):
        """Stop, and start again with what changed in the configuration."""
        self.stop()
        if settings:
            self.file.write_text(json.dumps(json.loads(self.file.read_text()) | settings))
        return self.start(tools=tools)


def refusal(answer):
    """Status and code of what the people port refuses."""
    return answer.status, answer.json["error"]["code"]


def at_once(port, requests, *, wait_s=30.0):
    """All of them sent before any is answered; their responses."""
    with contextlib.ExitStack() as lines:
        socks = [lines.enter_context(contextlib.closing(connect(port))) for _ in requests]
        begun = threading.Barrier(len(socks) or 1)

        def one(sock, raw):
            begun.wait(wait_s)
            sock.sendall(raw)
            return hear(sock, wait_s=wait_s).only

        with concurrent.futures.ThreadPoolExecutor(len(socks) or 1) as pool:
            return list(pool.map(one, socks, requests))


class MortalServer(ToolServer):
    """Goes away with all its connections, and comes back at the same port."""

    def __init__(self):
        super().__init__()
        self._lines = set()
        self._watch()

    def _watch(self):
        server, lines = self._server, self._lines
        real = server.process_request

        def process_request(sock, address):
            lines.add(sock)
            real(sock, address)

        server.process_request = process_request

    @property
    def alive(self):
        return self._thread.is_alive()

    def die(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        for sock in list(self._lines):
            with contextlib.suppress(OSError):
                sock.shutdown(2)
        self._lines.clear()

    def rise(self):
        handler = self._server.RequestHandlerClass
        self._server = QuietServer(("127.0.0.1", self.port), handler)
        self._watch()
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        self._thread.start()
