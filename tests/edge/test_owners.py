"""Ids are worth nothing in other hands: sessions, questions, tasks, events (abuse cases 23, 24, 34 to 36)."""

from __future__ import annotations

import json
import time

import pytest

from tests.edge.raw import MODERN, PREFIX, legacy_message, modern_message, talk

ASKABLE = {"elicitation": {"form": {}, "url": {}}, "sampling": {}, "roots": {}}
TASKS = {PREFIX + "clientCapabilities": {"extensions": {"io.modelcontextprotocol/tasks": {}}}}
OLD_CALL = legacy_message(params={"name": "old__get", "arguments": {}}, request_id="mine")
GIVEN = {"roots": [{"uri": "file:///given"}]}


def asks_for_roots(heard):
    answer = heard.ask("roots/list")
    return {
        "content": [
            {"type": "text", "text": json.dumps(answer and answer.get("result", answer.get("error")))}
        ]
    }


def response(asked, **members):
    return {"jsonrpc": "2.0", "id": asked["id"], **(members or {"result": GIVEN})}


class Open:
    """A call whose server waits for the roots of its agent."""

    def __init__(self, world):
        self.gateway = world.gateway
        self.session, _ = world.gateway.initialize(capabilities=ASKABLE)
        self.stream = world.gateway.legacy_stream(OLD_CALL, self.session)
        self.asked = self.stream.message()
        assert self.asked["method"] == "roots/list"

    def answer(self, message=None, **rest):
        rest = {"session": self.session, **rest}
        session = rest.pop("session")
        return self.gateway.legacy(response(self.asked) if message is None else message, session, **rest)

    def told(self):
        """What the server was told in the end."""
        found = json.loads(self.stream.message()["result"]["content"][0]["text"])
        self.stream.close()
        return found


@pytest.fixture
def waiting(world):
    with world.old.doing(tools_call=asks_for_roots):
        yield Open(world)


@pytest.mark.abuse(23)
def test_a_response_counts_for_what_was_asked_in_its_session_and_once(world, waiting):
    with world.gateway.unharmed("invalid_request"):
        # The number is not that of the server, nor one of the agent's own.
        for number in ("q1", "mine", 1, "toolgate-0", "toolgate-99999", waiting.asked["id"].upper()):
            refused = waiting.answer({**response(waiting.asked), "id": number})
            assert (refused.status, refused.error) == (400, -32600)
    accepted = waiting.answer()
    assert (accepted.status, accepted.body) == (202, b"")
    with world.gateway.unharmed("invalid_request"):
        again = waiting.answer()
        assert (again.status, again.error) == (400, -32600)
    assert waiting.told() == GIVEN
    with world.gateway.unharmed("invalid_request"):
        assert waiting.answer().status == 400


@pytest.mark.abuse(23)
@pytest.mark.abuse(34)
def test_a_response_of_another_session_principal_route_or_era_counts_for_nothing(world, waiting):
    own, _ = world.gateway.initialize(capabilities=ASKABLE)
    bens, _ = world.gateway.initialize(who="ben", capabilities=ASKABLE)
    routed, _ = world.gateway.initialize(capabilities=ASKABLE, path="/s/old/mcp")
    modern = (("MCP-Protocol-Version", MODERN),)
    with world.gateway.unharmed("invalid_request", "unknown_session"):
        for status, rest in (
            (400, {"session": own}),
            (400, {"session": bens, "who": "ben"}),
            (404, {"who": "ben"}),
            (400, {"session": routed, "path": "/s/old/mcp"}),
            (404, {"path": "/s/old/mcp"}),
            (400, {"headers": modern}),
        ):
            assert waiting.answer(**rest).status == status, rest
        assert world.gateway.ask(response(waiting.asked)).status == 400
        assert world.gateway.ask(response(waiting.asked), headers=modern).status == 400
        body = json.dumps(response(waiting.asked)).encode()
        assert talk(world.gateway.port, world.gateway.request(body)).only.status == 400
    assert waiting.answer().status == 202
    assert waiting.told() == GIVEN


ODD_RESPONSES = [
    b'{"jsonrpc":"2.0","id":%b,"result":{"roots":[]},"result":{"roots":[{"uri":"x:y"}]}}',
    b'{"jsonrpc":"2.0","id":"other","id":%b,"result":{"roots":[]}}',
    b'{"jsonrpc":"2.0","id":%b,"result":{"roots":[]},"error":{"code":1,"message":""}}',
    b'{"jsonrpc":"2.0","id":%b,"result":{"roots":[]},"method":"roots/list"}',
    b'{"jsonrpc":"2.0","id":%b,"result":{"roots":[]},"x":1}',
    b'{"jsonrpc":"1.0","id":%b,"result":{"roots":[]}}',
    b'{"id":%b,"result":{"roots":[]}}',
    b'{"jsonrpc":"2.0","id":[%b],"result":{"roots":[]}}',
    b'{"jsonrpc":"2.0","id":null,"result":{"roots":[]},"i":%b}',
    b'{"jsonrpc":"2.0","id":%b,"error":"no"}',
    b'{"jsonrpc":"2.0","id":%b,"error":{"code":"1","message":""}}',
    b'{"jsonrpc":"2.0","id":%b,"error":{"code":true,"message":""}}',
    b'{"jsonrpc":"2.0","id":%b,"result":{"roots":[{"uri":"x:y","n":1e400}]}}',
    b'{"jsonrpc":"2.0","id":%b,"result":{"roots":NaN}}',
    b'[{"jsonrpc":"2.0","id":%b,"result":{"roots":[]}}]',
    b'{"jsonrpc":"2.0","id":%b,"result":{"roots":[]}}{}',
]


@pytest.mark.abuse(23)
def test_a_response_with_two_readings_is_none(world, waiting):
    number = json.dumps(waiting.asked["id"]).encode()
    with world.gateway.unharmed():
        for shape in ODD_RESPONSES:
            assert waiting.answer(shape % number).status == 400, shape
    assert waiting.answer().status == 202
    assert waiting.told() == GIVEN


@pytest.mark.abuse(23)
@pytest.mark.parametrize(
    "result", [{}, {"roots": "x"}, {"roots": [5]}, {"roots": [{"uri": 5}]}, [], "x", None]
)
def test_a_response_of_another_form_is_refused_and_its_server_is_told_so(world, waiting, result):
    with world.gateway.unharmed("invalid_request"):
        refused = waiting.answer(response(waiting.asked, result=result))
        assert (refused.status, refused.error) == (400, -32600)
    assert waiting.told()["code"] == -32603


@pytest.mark.abuse(24)
def test_ids_of_agents_and_of_servers_never_meet(world):
    # Each side counts as it likes; upstream every request has a number of its own.
    session, _ = world.gateway.initialize()
    sent = len(world.new.calls)
    ids = ["toolgate-1", "q1", 1, "1", 0, -1, 2**53 - 1, "", "x" * 256]
    for number in ids:
        call = {"name": "new__get", "arguments": {"id": number}}
        for who in ("ana", "ben"):
            answer = world.gateway.ask(modern_message(params=call, request_id=number), who=who).json
            assert (type(answer["id"]), answer["id"]) == (type(number), number)
            assert json.loads(answer["result"]["content"][0]["text"]) == {"id": number}
        answer = world.gateway.legacy(legacy_message(params=call, request_id=number), session).json
        assert (type(answer["id"]), answer["id"]) == (type(number), number)
    numbers = [one.id for one in world.new.calls[sent:]]
    assert len(set(numbers)) == len(numbers) == 3 * len(ids)
    assert all(type(one) is int for one in numbers)


def begin_task(world, who="ana"):
    begun = {"resultType": "task", "taskId": f"task-of-{who}", "status": "working", "ttlMs": 1000}
    with world.new.doing(tools_call=begun):
        message = modern_message(params={"name": "new__get", "arguments": {}}, meta=TASKS)
        answer = world.gateway.ask(message, who=who)
    assert f"task-of-{who}".encode() not in answer.body
    return answer.result["taskId"]


def about(world, method, task, *, who="ana", path="/mcp", **params):
    return world.gateway.ask(
        modern_message(method, {"taskId": task, **params}, meta=TASKS), who=who, path=path
    )


@pytest.mark.abuse(34)
def test_a_task_is_its_own_principal_s_whatever_is_done_with_its_id(world):
    task, other = begin_task(world), begin_task(world, "ben")
    session, _ = world.gateway.initialize(who="ben")
    edited = task[:5] + ("A" if task[5] != "A" else "B") + task[6:]
    with world.gateway.unharmed("unknown_task"):
        for method in ("tasks/get", "tasks/cancel"):
            for who, stolen in (("ben", task), ("cap", task), ("ana", other)):
                answer = about(world, method, stolen, who=who)
                assert (answer.status, answer.error, answer.code) == (400, -32602, "unknown_task")
            legacy = legacy_message(method, {"taskId": task})
            assert world.gateway.legacy(legacy, session, who="ben").code == "unknown_task"
        assert about(world, "tasks/update", task, who="ben", inputResponses={}).code == "unknown_task"
        legacy = legacy_message("tasks/result", {"taskId": task})
        assert world.gateway.legacy(legacy, session, who="ben").code == "unknown_task"
        # What was never issued reads as what is another's.
        for guessed in (
            "task-of-ana",
            "t-1",
            edited,
            task + "A",
            task[:-1],
            task.swapcase(),
            "",
            "../x",
            "é",
        ):
            assert about(world, "tasks/get", guessed).body == about(world, "tasks/get", task, who="ben").body
        assert about(world, "tasks/get", task, path="/s/old/mcp").code == "unknown_task"
    done = {"taskId": "task-of-ana", "status": "completed", "result": {"content": []}}
    with world.new.doing(tasks_get=done):
        for path in ("/mcp", "/s/new/mcp"):
            assert about(world, "tasks/get", task, path=path).result["taskId"] == task
    assert world.new.calls[-1].params["taskId"] == "task-of-ana"


@pytest.mark.abuse(34)
def test_a_task_id_of_a_megabyte_is_as_unknown_as_any(world):
    session, _ = world.gateway.initialize()
    with world.gateway.unharmed("unknown_task"), world.gateway.grows_at_most_mib(16):
        for guessed in ("A" * 900_000, "A" * 262_144, "=" * 900_000):
            answer = world.gateway.legacy(legacy_message("tasks/get", {"taskId": guessed}), session)
            assert answer.code == "unknown_task"
            assert len(answer.body) < 500


def missed(world, who="ana"):
    """A call whose client was cut off, and the event from which it can come back."""
    upstream = world.gateway.upstream
    session, _ = world.gateway.initialize(who=who)
    slow = legacy_message(params={"name": "tools__slow", "arguments": {"of": who}})
    calls = len(upstream.calls)
    with upstream.holding():
        with world.gateway.legacy_stream(slow, session, who=who) as stream:
            event_id, _ = stream.event()
        world.gateway.until(lambda: len(upstream.calls) == calls + 1)
        # For the gateway to notice, which nothing outside of it shows.
        time.sleep(0.1)
    return session, event_id


def back(world, session, event_id, **rest):
    """The status, and what is heard."""
    headers = (("Last-Event-ID", event_id), *rest.pop("headers", ()))
    with world.gateway.get(session, headers=headers, **rest) as stream:
        status = stream.status()
        return status, stream.message() if status == 200 else None


@pytest.mark.abuse(34)
def test_an_event_is_its_own_session_s_whoever_knows_its_id(world):
    session, event_id = missed(world)
    bens, bens_event = missed(world, "ben")
    own, _ = world.gateway.initialize()
    with world.gateway.unharmed("unknown_session"):
        for used, event, rest in (
            (session, event_id, {"who": "ben"}),
            (bens, event_id, {"who": "ben"}),
            (bens, event_id, {}),
            (own, event_id, {}),
            (session, bens_event, {}),
            (session, event_id, {"path": "/s/tools/mcp"}),
        ):
            assert back(world, used, event, **rest) == (404, None), rest
        known = event_id.removesuffix("-0")
        for guessed in (
            known, "0" * 16 + "-0", known + "--1", known + "-x", known + "-\xb2", known + "-1e1", "-0", "",
            known.upper() + "-0", known + "-" + "9" * 50, known + "-0 -0", "*",
        ):  # fmt: skip
            assert back(world, session, guessed)[0] == 404, guessed
    status, found = back(world, session, event_id)
    assert (status, json.loads(found["result"]["content"][0]["text"])) == (200, {"of": "ana"})
    status, found = back(world, bens, bens_event, who="ben")
    assert (status, json.loads(found["result"]["content"][0]["text"])) == (200, {"of": "ben"})


def test_an_answer_that_crosses_with_the_loss_of_its_connection_is_kept(world):
    # The client was gone before the answer came; whether the gateway had noticed is not its fault.
    upstream = world.gateway.upstream
    session, _ = world.gateway.initialize()
    for number in range(25):
        slow = legacy_message(params={"name": "tools__slow", "arguments": {}}, request_id=number)
        calls = len(upstream.calls)
        with upstream.holding(), world.gateway.legacy_stream(slow, session) as stream:
            event_id, _ = stream.event()
            world.gateway.until(lambda calls=calls: len(upstream.calls) == calls + 1)
        status, found = back(world, session, event_id)
        assert (status, found and found["id"]) == (200, number)


@pytest.mark.abuse(34)
def test_with_its_session_an_event_is_gone(world):
    session, event_id = missed(world)
    raw = world.gateway.request(b"", verb="DELETE", headers=(("Mcp-Session-Id", session),))
    assert talk(world.gateway.port, raw).data.startswith(b"HTTP/1.1 204")
    with world.gateway.unharmed("unknown_session"):
        assert back(world, session, event_id) == (404, None)


@pytest.mark.abuse(34)
@pytest.mark.abuse(36)
def test_a_session_id_found_elsewhere_than_in_its_header_opens_nothing(world):
    session, _ = world.gateway.initialize()
    named = legacy_message("tools/list", {})
    with world.gateway.unharmed("wire_refused"):
        for headers in (
            (("Cookie", f"Mcp-Session-Id={session}"),),
            (("X-Mcp-Session-Id", session),),
            (("Session-Id", session),),
        ):
            raw = world.gateway.request(json.dumps(named).encode(), headers=headers)
            assert talk(world.gateway.port, raw).only.status == 400
        meta = {**named, "params": {"_meta": {"sessionId": session, "mcp-session-id": session}}}
        assert talk(world.gateway.port, world.gateway.request(json.dumps(meta).encode())).only.status == 400
    assert world.gateway.legacy(named, session).status == 200


@pytest.mark.abuse(34)
def test_a_subscription_is_not_ended_by_who_did_not_make_it(world):
    path = "/s/old/mcp"
    session, _ = world.gateway.initialize(path=path)
    bens, _ = world.gateway.initialize(path=path, who="ben")
    uri = {"uri": "note://owned"}
    assert world.gateway.legacy(legacy_message("resources/subscribe", uri), session, path=path).status == 200
    before = len(world.old.of("resources/unsubscribe"))
    with world.gateway.unharmed("unknown_session"):
        end = legacy_message("resources/unsubscribe", uri)
        assert world.gateway.legacy(end, session, path=path, who="ben").status == 404
        assert world.gateway.legacy(end, bens, path=path, who="ben").status == 200
    assert len(world.old.of("resources/unsubscribe")) == before
    assert world.gateway.legacy(end, session, path=path).status == 200
    world.gateway.until(lambda: len(world.old.of("resources/unsubscribe")) == before + 1, within_s=5)


@pytest.mark.abuse(10)
@pytest.mark.abuse(34)
def test_a_subscription_made_while_its_session_ends_ends_as_well(world):
    path = "/s/old/mcp"
    session, _ = world.gateway.initialize(path=path)
    subscribed = []

    def slowly(heard):
        subscribed.append(heard)
        world.gateway.until(lambda: len(subscribed) > 1, within_s=5)
        return {}

    before = len(world.old.of("resources/unsubscribe"))
    message = legacy_message("resources/subscribe", {"uri": "note://late"})
    with (
        world.old.doing(resources_subscribe=slowly),
        world.gateway.legacy_stream(message, session, path=path),
    ):
        world.gateway.until(lambda: subscribed)
        raw = world.gateway.request(b"", verb="DELETE", path=path, headers=(("Mcp-Session-Id", session),))
        assert talk(world.gateway.port, raw).data.startswith(b"HTTP/1.1 204")
        subscribed.append(None)
        world.gateway.until(lambda: len(world.old.of("resources/unsubscribe")) == before + 1, within_s=3)
