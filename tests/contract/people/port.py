"""The people port on a real socket, a client that holds every answer against the OpenAPI document, and a browser."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import json
import re
from dataclasses import dataclass
from functools import partial

import aiohttp
import jsonschema_rs

from durable.pins.rows import counts
from gateway.background import Background
from gateway.catalogue.definitions_desk import PinningDesk
from gateway.catalogue.pins import PinLedger
from gateway.catalogue.snapshot import CatalogueStore
from gateway.desk import Desks
from gateway.errors import AuditUnwritable
from gateway.identity.reviewers import ReviewerDirectory, new_reviewer_token
from gateway.identity.settings import ReviewerSettings
from gateway.identity.tokens import new_token, token_hash
from gateway.listener import Listener
from gateway.people.application import people_app
from gateway.people.errors import STATUS
from gateway.people.guards import HEADERS
from gateway.people.settings import PeopleSettings
from gateway.ports import UpstreamHealth
from gateway.redaction import redaction_of
from gateway.telemetry.ends import RecentEnds
from gateway.upstream.standing import UpstreamStandings
from tests.contract.people.script_activity import ScriptActivity
from tests.contract.people.script_desk import ScriptDesk
from tests.telemetry_fakes import KeptTelemetry

BOUNDS = {
    "header_timeout_s": 5,
    "header_bytes_max": 16_384,
    "write_stall_s": 5,
    "keep_alive_s": 5,
    "drain_s": 5,
}


def token_of(name):
    return new_reviewer_token(hashlib.sha256(name.encode()).digest())


def reviewer(name, *roles, tenant="acme", **changes):
    found = {
        "id": f"{name}@example.com",
        "token": token_hash(token_of(name)),
        "roles": roles,
        "tenant": tenant,
    }
    return ReviewerSettings(**(found | changes))


LEA, MAX, SAM, ANA, OLI, OPS = "lea", "max", "sam", "ana", "oli", "ops"
PEOPLE = (
    reviewer(LEA, "refund-lead"),
    reviewer(MAX, "refund-lead"),
    reviewer(SAM, "support"),
    reviewer(ANA, "refund-lead"),
    reviewer(OPS, "operator"),
    reviewer(OLI, "refund-lead", "operator", tenant="other"),
)
AGENT = new_token(b"\x07" * 32)
PIN_KEY = b"p" * 32
REDACTION = redaction_of((), ("hunter2-hunter2",), b"r" * 32)


class Trail:
    """Fits ``AuditTrail``."""

    def __init__(self):
        self.records = []
        self.full = False

    async def append(self, *records):
        if self.full:
            raise AuditUnwritable("the audit log cannot take the record", next_step="look at /readyz")
        self.records += records
        return ()

    def enqueue(self, *records):
        self.records += records

    @property
    def kinds(self):
        return [record.kind for record in self.records]


@dataclass
class Heard:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        """Of the error, or None."""
        return self.json.get("error", {}).get("code")

    @property
    def error(self):
        return self.json["error"]


class Port:
    """Use as an async context manager."""

    def __init__(self, *, people=PEOPLE, sole=None, **settings):
        self.directory = ReviewerDirectory(people, agent_hashes={token_hash(AGENT)}, sole=sole)
        self.settings = PeopleSettings(**settings)
        self.trail = Trail()
        self.refused = []
        self.failed = []
        self.parts = {"audit": ""}
        self.time_s = 1_000.0
        self.health = {
            "orders": UpstreamHealth(
                state="ready", era="modern", protocol_version="2026-07-28", server="orders 1.0", in_flight=2
            ),
            "notes": UpstreamHealth(state="down", reason="it does not start"),
        }
        self._random = 0

    async def __aenter__(self):
        self.desk = await ScriptDesk.open()
        self.desk.people = self.directory.people
        self.listener = Listener("127.0.0.1:0", setting="listen.people")
        self.port = self.listener.port
        self.origin = f"http://127.0.0.1:{self.port}"
        self.judged_again = []
        self.definitions = PinningDesk(
            PinLedger(self.desk.store, self.trail),
            catalogue=CatalogueStore(),
            redaction=REDACTION,
            judge_again=self._judge_again,
            key=PIN_KEY,
            clock_ms=lambda: self.desk.now[0],
        )
        self._background = Background(on_failure=lambda name, error: self.failed.append((name, error)))
        self.activity = ScriptActivity(REDACTION)
        self.recent = RecentEnds(KeptTelemetry(), self.health, monotonic_s=lambda: self.time_s)
        self.standing = UpstreamStandings(
            health=lambda: self.health,
            transports={"orders": "http", "notes": "stdio"},
            counts=partial(self.desk.store.read, counts, ""),
            latency_of=self.recent.of,
            redacted=REDACTION.text,
        )
        self.app = people_app(
            Desks(
                holds=self.desk, definitions=self.definitions, activity=self.activity, upstreams=self.standing
            ),
            self.directory,
            self.trail,
            self.settings,
            readiness=lambda: self.parts,
            conditions=dict,
            version="0.0.0",
            listen_host="127.0.0.1",
            listen_port=self.port,
            clock_s=lambda: self.time_s,
            now_ms=lambda: self.desk.now[0],
            random_bytes=self._random_bytes,
            start_task=self._background.start,
            refused=self.refused.append,
            failed=lambda name, error: self.failed.append((name, error)),
        )
        self._serving = asyncio.ensure_future(self.listener.serve(self.app, **BOUNDS))
        self._http = aiohttp.ClientSession(
            cookie_jar=aiohttp.DummyCookieJar(), timeout=aiohttp.ClientTimeout(total=10)
        )
        self.document = (await self.ask("GET", "/api/v1/openapi.json", check=False)).json
        return self

    async def __aexit__(self, *_):
        self.app.close()
        await self._http.close()
        self.listener.stop()
        await self._serving
        await self._background.aclose(5)
        await self.desk.store.aclose()
        # A test that means to cause a fault takes it out of the list.
        assert self.failed == []

    async def _judge_again(self, upstream):
        self.judged_again.append(upstream)

    def _random_bytes(self, size):
        self._random += 1
        return hashlib.shake_256(str(self._random).encode()).digest(size)

    def advance(self, seconds):
        self.time_s += seconds
        self.desk.now[0] += int(seconds * 1_000)

    async def ask(self, verb, path, body=None, *, who=None, headers=(), data=None, check=True):
        """One request; ``who`` is a reviewer's name, ``body`` becomes JSON."""
        sent = [*headers]
        names = {name.lower() for name, _ in sent}
        if who is not None:
            sent.append(("Authorization", f"Bearer {token_of(who)}"))
        if body is not None:
            data = json.dumps(body).encode()
        if data is not None and "content-type" not in names:
            sent.append(("Content-Type", "application/json"))
        async with self._http.request(
            verb,
            self.origin + path,
            data=None if data is None else io.BytesIO(data),
            headers=sent,
            allow_redirects=False,
            skip_auto_headers=("User-Agent", "Content-Type"),
        ) as answer:
            heard = Heard(
                answer.status, {k.lower(): v for k, v in answer.headers.items()}, await answer.read()
            )
        if check:
            self.check(verb, path, heard)
        return heard

    async def get(self, path, who=LEA, **more):
        return await self.ask("GET", path, who=who, **more)

    async def post(self, path, body, who=LEA, **more):
        return await self.ask("POST", path, body, who=who, **more)

    async def decide(self, hold, who=LEA, verdict="approve", **changes):
        body = {"verdict": verdict, "seen": hold.seen, "reason": f"{who} says so"} | changes
        return await self.post(f"/api/v1/holds/{hold.id}/decision", body, who)

    def check(self, verb, path, heard):
        """Whatever is answered is as the document says, and says nothing of our insides."""
        assert b"Traceback" not in heard.body
        assert b'File "' not in heard.body
        for name in HEADERS:
            assert name in heard.headers, name
        operation = self.operation(verb, path.partition("?")[0])
        page = self.page(verb, path.partition("?")[0])
        if operation is None and page is not None:
            told = {STATUS[code] for code in page.codes if code in STATUS} | {page.status, 200, 304, 422}
            assert heard.status in told, (verb, path, heard)
            return
        if operation is None:
            assert heard.status in {404, 405, 421}, (verb, path, heard.status)
            return
        assert str(heard.status) in operation["responses"], (verb, path, heard)
        content = operation["responses"][str(heard.status)].get("content")
        media = heard.headers.get("content-type", "").partition(";")[0]
        if content is None:
            return
        assert media in content, (verb, path, heard)
        if media == "application/json":
            schema = content[media]["schema"] | {"components": self.document["components"]}
            jsonschema_rs.Draft202012Validator(schema).validate(heard.json)

    def page(self, verb, path):
        """What a browser alone asks for: not in the document."""
        for operation in self.app.operations:
            pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(operation.path))
            if not operation.in_document and operation.verb == verb and re.fullmatch(pattern, path):
                return operation
        return None

    def operation(self, verb, path):
        for template, operations in self.document["paths"].items():
            if re.fullmatch(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template)), path):
                return operations.get(verb.lower())
        return None

    @contextlib.asynccontextmanager
    async def events(self, who=LEA, headers=(), path="/api/v1/events"):
        """Server-sent events as they come, as (event, data) pairs; comments have no event."""
        sent = [*headers, *([("Authorization", f"Bearer {token_of(who)}")] if who else [])]
        async with self._http.get(self.origin + path, headers=sent) as answer:
            yield Stream(answer)

    def browser(self):
        return Browser(self)


class Stream:
    def __init__(self, answer):
        self.status = answer.status
        self.headers = answer.headers
        self._content = answer.content

    async def block(self):
        """The lines up to the next empty one; None at the end."""
        lines = []
        while line := await self._content.readline():
            if line == b"\n":
                return lines
            lines.append(line.decode().rstrip("\n"))
        return None

    async def event(self):
        """The next event, comments left out; None at the end."""
        while (lines := await self.block()) is not None:
            found = dict(line.split(": ", 1) for line in lines if not line.startswith(":"))
            if "event" in found:
                return found["event"], json.loads(found["data"])
        return None


class Browser:
    """Keeps cookies and says where its requests come from, as browsers do."""

    def __init__(self, port):
        self.port = port
        self.cookies = {}

    async def ask(self, verb, path, body=None, *, form=None, page=None, site=None, host=None):
        """``page`` is the origin of the page that asks; None: the address bar."""
        headers = []
        if self.cookies:
            headers.append(("Cookie", "; ".join(f"{name}={value}" for name, value in self.cookies.items())))
        if page is not None and verb == "POST":
            headers.append(("Origin", page))
        if site is not None:
            headers.append(("Sec-Fetch-Site", site))
        if host is not None:
            headers.append(("Host", host))
        data = None
        if form is not None:
            headers.append(("Content-Type", "application/x-www-form-urlencoded"))
            data = form.encode()
        heard = await self.port.ask(verb, path, body, headers=headers, data=data)
        if "set-cookie" in heard.headers:
            self.set_cookie = heard.headers["set-cookie"]
            name, _, rest = self.set_cookie.partition("=")
            value = rest.partition(";")[0]
            if "max-age=0" in self.set_cookie.lower():
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        return heard

    async def log_in(self, who=LEA):
        link = await self.port.post("/api/v1/login-links", {}, who)
        assert link.status == 200, link
        code = link.json["url"].partition("code=")[2]
        heard = await self.ask("POST", "/login", form=f"code={code}", page=self.port.origin)
        assert heard.status == 303, heard
        return self
