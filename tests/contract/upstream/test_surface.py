"""Prompts, resources, completion, log messages, questions and subscriptions, over every transport and era."""

from __future__ import annotations

import asyncio
import json

import pytest
import pytest_asyncio

from gateway.bridge.inputs import InputAnswer
from gateway.core.definition import Kind
from gateway.errors import UpstreamTimeout
from tests.contract.upstream.variants import all_but

ALL = frozenset(Kind)
NOTE, NAMED = "note://one", "note://named/ana"

# A JSON answer carries nothing beside it; a stateless server has no session to speak in.
STREAMS = all_but("json")
REMEMBERS = all_but("stateless")
SPEAKS_FIRST = ["http-legacy-stream", "stdio-legacy"]

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(workshop_class):
    async with workshop_class() as built:
        yield built
        assert built.failures == []


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def upstream(shop, reached):
    connection = await shop.connect(**reached)
    await connection.list_definitions(deadline_s=30, kinds=ALL)
    return connection


def keep_in(kept):
    async def sink(notice):
        kept.append((notice.method, json.loads(bytes(notice.params.get("data", b"null")))))

    return sink


async def test_every_kind_that_is_announced_is_listed(upstream):
    listing = await upstream.list_definitions(deadline_s=10, kinds=ALL)
    names = {kind: {one.value[kind.name_member] for one in listing.elements[kind]} for kind in Kind}
    assert "echo" in names[Kind.TOOL]
    assert names[Kind.PROMPT] == {"greet"}
    assert names[Kind.RESOURCE] == {NOTE}
    assert names[Kind.TEMPLATE] == {"note://named/{name}"}
    assert listing.failed == {}
    assert {"tools", "prompts", "resources", "completions"} <= listing.capabilities.keys()


async def test_only_the_kinds_that_are_asked_for_are_listed(upstream):
    kinds = frozenset({Kind.PROMPT, Kind.TEMPLATE})
    assert (await upstream.list_definitions(deadline_s=10, kinds=kinds)).elements.keys() == kinds


async def test_a_prompt_is_got_with_its_arguments(upstream, ask):
    reply = await ask(upstream, "prompts/get", {"name": "greet", "arguments": {"name": "Ána"}})
    (message,) = json.loads(reply.result)["messages"]
    assert message["content"]["text"] == "Say hello to Ána"


@pytest.mark.parametrize(("uri", "text"), [(NOTE, "the first note"), (NAMED, "the note ana")])
async def test_a_resource_is_read_whether_it_is_listed_or_stood_for_by_a_template(upstream, ask, uri, text):
    reply = await ask(upstream, "resources/read", {"uri": uri})
    assert json.loads(reply.result)["contents"][0]["text"] == text


async def test_a_resource_that_is_not_there_is_an_error_of_the_server_and_not_of_the_connection(
    upstream, ask
):
    reply = await ask(upstream, "resources/read", {"uri": "note://none"})
    assert (reply.result, json.loads(reply.error)["code"]) == (None, -32602)
    assert (await ask(upstream, "resources/read", {"uri": NOTE})).error is None


async def test_an_argument_is_completed(upstream, ask):
    params = {"ref": {"type": "ref/prompt", "name": "greet"}, "argument": {"name": "name", "value": "An"}}
    reply = await ask(upstream, "completion/complete", params)
    assert json.loads(reply.result)["completion"]["values"] == ["Anna", "Anton"]


@pytest.mark.abuse(24)
async def test_requests_of_every_method_at_once_never_swap_their_answers(upstream, ask, call, said):
    async def prompt(name):
        reply = await ask(upstream, "prompts/get", {"name": "greet", "arguments": {"name": name}})
        return json.loads(reply.result)["messages"][0]["content"]["text"] == f"Say hello to {name}"

    async def note(name):
        reply = await ask(upstream, "resources/read", {"uri": f"note://named/{name}"})
        return json.loads(reply.result)["contents"][0]["text"] == f"the note {name}"

    async def tool(name):
        return said(await call(upstream, "echo", {"text": name}))["text"] == name

    assert all(await asyncio.gather(*(each(f"n{n}") for n in range(10) for each in (prompt, note, tool))))


@pytest.mark.parametrize("variant", STREAMS, indirect=True)
async def test_log_messages_from_the_wanted_level_up_come_before_the_answer_and_in_order(
    upstream, call, variant
):
    heard = []
    words = {"words": ["debug", "info", "notice", "warning"]}
    who = {"session_key": (f"level-{variant}",)}
    await call(upstream, "say", words, on_notice=keep_in(heard), log_level="notice", **who)
    # A server of the session era that was told in one request forgets it with the next if it has no session.
    expected = [] if variant.endswith("stateless") else ["notice", "warning"]
    assert heard == [("notifications/message", word) for word in expected]


@pytest.mark.parametrize("variant", ["http-modern-stream", "stdio-modern"], indirect=True)
async def test_who_wants_no_log_messages_gets_none(upstream, call):
    heard = []
    await call(upstream, "say", {"words": ["a"]}, on_notice=keep_in(heard))
    assert heard == []
    await call(upstream, "say", {"words": ["a"]}, on_notice=keep_in(heard), log_level="debug")
    assert [word for _, word in heard] == ["a"]


@pytest.mark.abuse(75)
@pytest.mark.parametrize("variant", SPEAKS_FIRST, indirect=True)
async def test_a_server_s_question_is_put_to_the_caller_that_can_be_asked_and_to_no_other(
    upstream, call, said
):
    asked = []

    async def on_ask(ask):
        asked.append(ask)
        return InputAnswer(result=b'{"action":"accept","content":{"name":"Ana"}}')

    can = {"capabilities": {"elicitation": {}}, "session_key": ("ana",)}
    assert said(await call(upstream, "ask_name", on_ask=on_ask, **can)) == "Ana"
    (ask,) = asked
    assert (ask.method, ask.params["message"]) == ("elicitation/create", "Who are you?")
    for nobody in ({"on_ask": None, **can}, {"on_ask": None, "session_key": ("ben",)}):
        reply = await call(upstream, "ask_name", **nobody)
        assert json.loads(reply.error)["code"] == -32601
    assert len(asked) == 1


async def updates(shop, call, upstream, uri, *, within_s):
    """Whether an announced change of the resource is reported."""
    shop.updated.clear()
    await call(upstream, "touch", {"uri": uri})
    try:
        await shop.until(lambda: uri in shop.updated, within_s=within_s)
    except TimeoutError:
        return False
    return True


@pytest.mark.parametrize("variant", REMEMBERS, indirect=True)
async def test_a_change_of_a_resource_is_reported_from_its_subscription_to_its_end(upstream, call, shop):
    assert not await updates(shop, call, upstream, NAMED, within_s=0.1)
    await upstream.subscribe(NAMED, deadline_s=5)
    assert await updates(shop, call, upstream, NAMED, within_s=5)
    await upstream.subscribe(NOTE, deadline_s=5)
    assert await updates(shop, call, upstream, NAMED, within_s=5)
    assert await updates(shop, call, upstream, NOTE, within_s=5)
    upstream.unsubscribe(NAMED)
    # There is no answer to wait for: the upstream is told when there is a moment.
    async with asyncio.timeout(5):
        while await updates(shop, call, upstream, NAMED, within_s=0.1):
            pass
    assert await updates(shop, call, upstream, NOTE, within_s=5)
    upstream.unsubscribe(NOTE)


async def test_a_request_of_any_method_ends_at_its_deadline(upstream, ask):
    with pytest.raises(UpstreamTimeout) as caught:
        await ask(upstream, "tools/call", {"name": "sleep", "arguments": {"seconds": 30}}, deadline_s=0.2)
    assert caught.value.sent
    assert (await ask(upstream, "resources/read", {"uri": NOTE})).error is None
