"""The agents' endpoint in process: how answers, faults and progress read to an agent in each era."""

from __future__ import annotations

import asyncio
import json
import logging

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.background import Background
from gateway.catalogue.snapshot import CatalogueStore
from gateway.core.methods import METHODS
from gateway.downstream.announcements import Announcements
from gateway.downstream.answers import Answers
from gateway.downstream.endpoint import AgentEndpoint
from gateway.downstream.lists import Lists
from gateway.downstream.load import Load
from gateway.downstream.refusals import Refusals
from gateway.downstream.replay import Replays
from gateway.downstream.requests import Requests
from gateway.downstream.serving import Serving
from gateway.downstream.sessions import Sessions
from gateway.downstream.settings import WireSettings
from gateway.downstream.streams import OpenStreams
from gateway.downstream.subscriptions import Subscriptions
from gateway.downstream.surface import Surface
from gateway.downstream.task_ids import TaskIds
from gateway.downstream.wire import Wire
from gateway.errors import Unauthenticated, UpstreamGone, UpstreamUnreachable
from gateway.ports import Notice, Reply, ServerFacts
from tests.fakes import ANA, DENIED, Counted, Desk, definition, ok
from tests.held_fakes import delivery_over

PREFIX = "io.modelcontextprotocol/"
META = {PREFIX + "protocolVersion": "2026-07-28", PREFIX + "clientCapabilities": {}}


class Front:
    """An endpoint over a desk of stand-ins."""

    def __init__(self, background, desk=None, **limits):
        self.desk = desk or Desk()
        settings = WireSettings(**limits)
        store = CatalogueStore()
        server = ServerFacts(era="modern", capabilities={"tools": {}})
        store.replace("orders", (definition(), definition("get_order")), (), server)
        ids = frozenset({"orders"})
        task_ids = TaskIds(self.desk.seal)
        answers = Answers(task_ids)
        self.unsubscribed = []
        subscriptions = Subscriptions(lambda *key: self.unsubscribed.append(key))
        surface = Surface(
            requests=Requests(store, ids, task_ids),
            answers=answers,
            lists=Lists(self.visible, store.offered, lambda: ()),
            delivery=delivery_over(None, answers, self.desk.seal, task_ids),
            announcements=Announcements(store, ids, instructions="ask"),
            subscriptions=subscriptions,
            refusals=Refusals(self.desk.audit, redacted=str),
            enforcement=self.desk.enforcement,
            first_listing=self.listed,
            server_info={"name": "toolgate", "version": "1"},
        )
        self.store = store
        self.load = Load(settings)
        self.endpoint = AgentEndpoint(
            wire=Wire(settings, listen_host="127.0.0.1", listen_port=80),
            authenticate=self.authenticate,
            upstream_ids=ids,
            serving=Serving(
                surface,
                settings,
                streams=OpenStreams(settings),
                load=self.load,
                start_task=background.start,
            ),
            sessions=Sessions(
                settings,
                monotonic_s=self.desk.clock.s,
                new_id=Counted("s-"),
                ended=lambda session: subscriptions.drop(session, session.subscribed or ()),
            ),
            replays=Replays(Counted("e-")),
            refusals=Refusals(self.desk.audit, redacted=str),
        )

    async def visible(self, kind, upstream, caller):
        """Everything is shown to everybody."""
        return self.store.offered(kind, upstream)

    async def listed(self, upstream):
        """Every upstream was listed before the test began."""

    def authenticate(self, value):
        if value == "Bearer broken":
            raise RuntimeError("a fault of ours")
        if value is None:
            raise Unauthenticated("no valid access token")
        return ANA

    async def send(self, message, *, path=b"/mcp", **headers):
        """Status, headers and body of one POST."""
        usual = {
            "host": "127.0.0.1:80",
            "content-type": "application/json",
            "authorization": "Bearer x",
            **headers,
        }
        body = json.dumps(message).encode()
        heard = []

        async def receive():
            if heard_body:
                await asyncio.Event().wait()
            heard_body.append(True)
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(part):
            heard.append(part)

        heard_body = []
        scope = {
            "type": "http",
            "method": "POST",
            "raw_path": path,
            "path": path.decode(),
            "query_string": b"",
            "headers": [
                (name.replace("_", "-").encode(), value.encode()) for name, value in usual.items() if value
            ],
            "client": ("127.0.0.1", 1),
        }
        await self.endpoint(scope, receive, send)
        return heard[0]["status"], dict(heard[0]["headers"]), b"".join(part["body"] for part in heard[1:])

    async def modern(self, method="tools/call", *, meta=None, path=b"/mcp", **params):
        if method == "tools/call":
            params = {"name": "orders__refund_order", "arguments": {"order_id": "A"}, **params}
        message = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": method,
            "params": {**params, "_meta": {**META, **(meta or {})}},
        }
        headers = {
            "mcp_protocol_version": "2026-07-28",
            "mcp_method": method,
            "mcp_name": params.get("name", ""),
        }
        status, _, body = await self.send(message, path=path, **headers)
        return status, json.loads(body)

    async def initialize(self, version="2025-11-25"):
        params = {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "c", "version": "2"}}
        message = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}
        _, headers, body = await self.send(message)
        return headers[b"mcp-session-id"].decode(), json.loads(body)["result"]

    async def legacy(self, session, method="tools/call", **params):
        if method == "tools/call":
            params = {"name": "orders__refund_order", "arguments": {"order_id": "A"}, **params}
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        status, _, body = await self.send(message, mcp_session_id=session)
        return status, json.loads(body)


@pytest.fixture
async def front():
    failures = []
    async with Background(on_failure=lambda name, error: failures.append(error)) as background:
        yield lambda desk=None, **limits: Front(background, desk, **limits)
    assert failures == []


async def test_a_modern_call_is_answered_complete(front):
    found = front()
    status, body = await found.modern()
    assert status == 200
    assert body["result"] == {"resultType": "complete", **json.loads(ok().result)}
    assert found.desk.journal == ["policy", "intent:allow", "forward", "outcome:succeeded"]


async def test_a_legacy_call_is_answered_as_its_revision_knows(front):
    found = front()
    session, _ = await found.initialize()
    assert await found.legacy(session) == (
        200,
        {"jsonrpc": "2.0", "id": 1, "result": json.loads(ok().result)},
    )
    (intent,) = found.desk.audit.of("intent")
    assert (intent["era"], intent["protocol"], intent["client"], intent["session"]) == (
        "legacy",
        "2025-11-25",
        "c 2",
        "s-1",
    )


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ("2025-11-25", "2025-11-25"),
        ("2025-06-18", "2025-06-18"),
        ("2025-03-26", "2025-06-18"),
        ("2099-01-01", "2025-11-25"),
    ],
)
async def test_a_legacy_revision_is_negotiated(front, asked, given):
    _, result = await front().initialize(asked)
    assert result["protocolVersion"] == given


async def test_a_denied_call_tells_the_model_which_rule_and_what_would_pass(front):
    for era in ("modern", "legacy"):
        found = front(Desk(DENIED))
        body = (
            (await found.modern())[1]
            if era == "modern"
            else (await found.legacy((await found.initialize())[0]))[1]
        )
        result = body["result"]
        assert result["isError"]
        assert result["content"][0]["text"].startswith("DENIED")
        assert "foreign_currency" in result["content"][0]["text"]
        stated = result["_meta"]["dev.toolgate/decision"]
        assert (stated["effect"], stated["reasons"][0]["would_pass"]) == ("deny", "EUR")


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (UpstreamUnreachable("orders is down", sent=False, next_step="start it"), "was not sent"),
        (UpstreamGone("orders hung up", sent=True), "may have run"),
    ],
)
async def test_a_failed_call_says_whether_it_may_have_run(front, failure, words):
    _, body = await front(Desk(reply=failure)).modern()
    text = body["result"]["content"][0]["text"]
    assert words in text
    assert failure.reason in text
    assert body["result"]["_meta"]["dev.toolgate/failure"]["sent"] is failure.sent


async def test_an_upstreams_own_error_is_passed_on_byte_for_byte(front):
    error = {"code": -32000, "message": "no", "data": {"n": 1}}
    found = front(Desk(reply=Reply(error=json.dumps(error).encode())))
    assert (await found.modern())[1]["error"] == error
    assert (await found.legacy((await found.initialize())[0]))[1]["error"] == error


async def test_lists_differ_by_route_and_era_only_where_the_protocol_does(front):
    found = front()
    _, body = await found.modern("tools/list")
    assert [tool["name"] for tool in body["result"]["tools"]] == ["orders__get_order", "orders__refund_order"]
    assert (body["result"]["cacheScope"], body["result"]["resultType"]) == ("private", "complete")
    _, body = await found.modern("tools/list", path=b"/s/orders/mcp")
    assert [tool["name"] for tool in body["result"]["tools"]] == ["get_order", "refund_order"]
    session, _ = await found.initialize()
    _, body = await found.legacy(session, "tools/list")
    assert body["result"].keys() == {"tools"}
    assert (await found.legacy(session, "tools/list", cursor="x"))[1]["error"]["code"] == -32602


async def test_progress_arrives_with_the_agents_own_token_before_the_answer(front):
    desk = Desk()
    said = {"progress": msgspec.Raw(b"1.50"), "total": msgspec.Raw(b"2"), "message": msgspec.Raw(b'"half"')}
    desk.upstream.notices = (Notice(method="notifications/progress", params=said),)
    found = front(desk)
    params = {
        "name": "orders__refund_order",
        "arguments": {"order_id": "A"},
        "_meta": {**META, "progressToken": "t-9"},
    }
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    headers = {
        "mcp_protocol_version": "2026-07-28",
        "mcp_method": "tools/call",
        "mcp_name": "orders__refund_order",
    }
    _, sent, body = await found.send(message, **headers)
    assert sent[b"content-type"] == b"text/event-stream"
    events = [json.loads(line[6:]) for line in body.decode().splitlines() if line.startswith("data: ")]
    assert events[0]["params"] == {"progressToken": "t-9", "progress": 1.5, "total": 2, "message": "half"}
    assert b"1.50" in body
    assert events[1]["result"]["resultType"] == "complete"


async def test_a_fault_of_our_own_is_answered_logged_and_counted(front, caplog):
    found = front()
    logging.getLogger("toolgate").propagate = True
    message = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    with caplog.at_level(logging.ERROR, logger="toolgate"):
        status, _, body = await found.send(message, authorization="Bearer broken")
    assert status == 500
    assert json.loads(body)["error"]["data"]["code"] == "internal_failure"
    assert b"a fault of ours" not in body
    assert "failed inside the gateway" in caplog.text


@pytest.mark.abuse(99)
async def test_a_fault_in_authentication_is_never_an_identity(front):
    found = front()
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "orders__refund_order"}}
    status, _, _ = await found.send(message, authorization="Bearer broken")
    assert status == 500
    assert "forward" not in found.desk.journal


async def test_discovery_names_what_is_served(front):
    found = front()
    _, body = await found.modern("server/discover")
    assert body["result"]["supportedVersions"] == ["2026-07-28"]
    assert body["result"]["capabilities"].keys() == {
        "tools",
        "prompts",
        "resources",
        "completions",
        "logging",
    }
    _, body = await found.modern("server/discover", path=b"/s/orders/mcp")
    assert body["result"]["capabilities"] == {"tools": {"listChanged": True}}


@pytest.mark.abuse(28)
@pytest.mark.parametrize("method", ["server/discover", "tools/list"])
async def test_unknown_parameters_are_refused_everywhere(front, method):
    assert (await front().modern(method, x=1))[1]["error"]["code"] == -32602


@pytest.mark.abuse(28)
async def test_unknown_parameters_are_refused_in_a_session_too(front):
    found = front()
    session, _ = await found.initialize()
    for method in ("ping", "tools/list", "tools/call"):
        assert (await found.legacy(session, method, x=1))[1]["error"]["code"] == -32602


async def test_a_draining_gateway_says_so(front):
    found = front()
    found.load.draining = True
    status, body = await found.modern()
    assert (status, body["error"]["data"]["code"]) == (503, "draining")
    assert "forward" not in found.desk.journal


scalars = st.none() | st.booleans() | st.integers(-5, 2**60) | st.floats() | st.text(max_size=6)
odd = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
)


def mostly(usual):
    return st.sampled_from([usual, usual, usual]) | odd


metas = st.fixed_dictionaries(
    {},
    optional={
        PREFIX + "protocolVersion": mostly("2026-07-28"),
        PREFIX + "clientCapabilities": mostly({}),
        PREFIX + "clientInfo": mostly({"name": "x"}),
        "progressToken": odd,
        "traceparent": odd,
        "dev.toolgate/step": odd,
        "dev.toolgate/attempt": odd,
    },
)
members = st.fixed_dictionaries(
    {},
    optional={
        "name": mostly("orders__refund_order"),
        "arguments": mostly({"order_id": "A"}),
        "_meta": metas | odd,
        "cursor": odd,
        "notifications": odd,
        "protocolVersion": mostly("2025-11-25"),
        "capabilities": mostly({}),
        "clientInfo": mostly({"name": "c"}),
        "requestId": odd,
    },
)
messages = st.fixed_dictionaries(
    {"jsonrpc": mostly("2.0"), "method": st.sampled_from(sorted(METHODS)) | odd},
    optional={"id": mostly(1), "params": members | odd},
)


@settings(max_examples=150, deadline=None)
@given(messages, st.booleans(), st.booleans())
def test_no_message_is_a_surprise(message, with_session, with_headers):
    async def one():
        async with Background(on_failure=lambda name, error: None) as background:
            found = Front(background)
            headers = {}
            if with_session:
                headers["mcp_session_id"], _ = await found.initialize()
            if with_headers:
                headers |= {"mcp_protocol_version": "2026-07-28", "mcp_name": "orders__refund_order"}
                headers["mcp_method"] = (
                    message["method"]
                    if isinstance(message["method"], str) and message["method"].isascii()
                    else "x"
                )
            if message["method"] == "subscriptions/listen":
                return 0  # its answer does not end
            status, _, _ = await found.send(message, **headers)
            return status

    assert asyncio.run(one()) != 500
