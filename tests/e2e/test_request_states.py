"""What an agent brings back after it was asked: good once, for its own request, for a while; and what it was not asked for."""

from __future__ import annotations

import asyncio
import json
import time

import pytest
import pytest_asyncio
from e2e_kit import fronts, mirrors
from e2e_kit.front import EVERYTHING
from e2e_kit.gateways import ALLOW_ALL, BEN, GatewayProcess
from e2e_kit.mirrors import soon
from e2e_kit.questions import ANSWERS, DONE, answered, answers, asking, asking_gateway, required

pytestmark = pytest.mark.asyncio(loop_scope="module")

POLICY = ALLOW_ALL
STRICTER = """\

deny contains "changed_since" if input.tool.name == "reconsidered"
"""
HASTY_S = 0.8
each_upstream = pytest.mark.parametrize("upstream", mirrors.IDS)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    with asking_gateway(tmp_path_factory.mktemp("states"), POLICY, hasty_s=HASTY_S) as whole:
        yield whole


@pytest.fixture(scope="module")
def gateway(whole):
    return whole[0]


@pytest.fixture(scope="module")
def made(whole):
    return whole[1]


@pytest_asyncio.fixture(loop_scope="module")
async def modern(gateway):
    async with fronts.front("modern-http", gateway, capabilities=EVERYTHING) as agent:
        agent.answering = answers
        yield agent


@pytest.mark.parametrize("upstream", ["http-legacy", "stdio-legacy"])
async def test_an_agent_that_hangs_up_between_two_rounds_withdraws_the_call(gateway, made, modern, upstream):
    mirror = made[upstream]
    mirror.say("run", {"ask": {"method": "roots/list"}}, {"gate": f"hang-{upstream}"}, {"result": DONE})
    first = await modern.ask("tools/call", {"name": f"{upstream}__run", "arguments": {}})
    number = mirror.last("tools/call").message["id"]
    again = asyncio.ensure_future(
        modern.ask("tools/call", {"name": f"{upstream}__run", "arguments": {}, **modern.brought(first)})
    )
    await mirror.at(f"hang-{upstream}")
    again.cancel()
    await mirror.cancelled(number)


@pytest.mark.parametrize("upstream", ["http-legacy", "stdio-legacy"])
async def test_an_agent_that_cancels_while_it_is_asked_withdraws_the_call(gateway, made, upstream):
    mirror = made[upstream]
    asking(mirror, "run", "roots/list")
    async with fronts.front("legacy-http", gateway, capabilities=EVERYTHING) as agent:
        call = asyncio.ensure_future(agent.call(f"{upstream}__run"))
        question = await soon(lambda: agent.asked and agent.asked[0], "nothing was asked")
        cancelled = {"method": "notifications/cancelled", "params": {"requestId": 1}}
        assert await agent.post(json.dumps({"jsonrpc": "2.0", **cancelled}).encode()) == 202
        await mirror.cancelled(mirror.last("tools/call").message["id"])
        assert (await call).failure[0] == -32800
        late = {"jsonrpc": "2.0", "id": question["id"], "result": ANSWERS["roots/list"]}
        assert await agent.post(json.dumps(late).encode()) == 400


@pytest.mark.parametrize("upstream", ["hasty-http-legacy", "hasty-stdio-legacy"])
async def test_an_agent_that_never_comes_back_costs_the_upstream_nothing(gateway, made, modern, upstream):
    mirror = made[upstream.removeprefix("hasty-")]
    asking(mirror, "run", "roots/list")
    before = len(gateway.entries("abandoned"))
    first = await modern.ask("tools/call", {"name": f"{upstream}__run", "arguments": {}})
    number = mirror.last("tools/call").message["id"]
    await soon(lambda: len(gateway.entries("abandoned")) > before, "nothing was recorded as abandoned")
    abandoned = gateway.entries("abandoned")[-1]
    assert abandoned["code"] == "input_timeout"
    intent = next(one for one in gateway.entries("intent") if one["call"] == abandoned["call"])
    assert intent["tool"] == f"{upstream}/run"
    await mirror.cancelled(number)
    params = {"name": f"{upstream}__run", "arguments": {}, **modern.brought(first)}
    assert (await modern.ask("tools/call", params)).failure == (-32602, "request_state_refused")


def changed(text, at):
    return text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]


@pytest.mark.abuse(37)
@each_upstream
async def test_a_state_is_good_once_for_its_own_request_and_for_its_own_agent(
    gateway, made, modern, upstream
):
    mirror = made[upstream]
    asking(mirror, "run", "roots/list")
    asking(mirror, "other", "roots/list")
    params = {"name": f"{upstream}__run", "arguments": {"n": 1}}
    first = await modern.ask("tools/call", params)
    brought = modern.brought(first)
    assert "state 1" not in brought["requestState"]
    since = len(mirror.records())
    wrong = [
        {**params, **brought, "requestState": changed(brought["requestState"], 30)},
        {**params, **brought, "requestState": brought["requestState"] + "A"},
        {**params, **brought, "requestState": "state 1"},
        {**params, **brought, "arguments": {"n": 2}},
        {**params, **brought, "name": f"{upstream}__other"},
        {**params, **brought, "inputResponses": {"ask-1": 7, "roots": 7}},
    ]
    for one in wrong:
        answer = await modern.ask("tools/call", one)
        assert answer.failure == (-32602, "request_state_refused"), one
        assert answer.status == 400
    async with fronts.front("modern-http", gateway, token=BEN, capabilities=EVERYTHING) as ben:
        assert (await ben.ask("tools/call", {**params, **brought})).failure == (
            -32602,
            "request_state_refused",
        )
    assert mirror.heard(since=since) == []
    assert (await modern.ask("tools/call", {**params, **brought})).text == "done"
    since = len(mirror.records())
    assert (await modern.ask("tools/call", {**params, **brought})).failure[1] == "request_state_refused"
    assert mirror.heard(since=since) == []
    refused = [one for one in gateway.entries("intent") if one["code"] == "request_state_refused"]
    assert len(refused) >= len(wrong) + 2


@pytest.mark.abuse(37)
@pytest.mark.parametrize("upstream", ["hasty-http-modern", "hasty-http-legacy"])
async def test_a_state_expires(made, modern, upstream):
    mirror = made[upstream.removeprefix("hasty-")]
    asking(mirror, "run", "roots/list")
    params = {"name": f"{upstream}__run", "arguments": {}}
    brought = modern.brought(await modern.ask("tools/call", params))
    # It says until when it is good in whole seconds.
    over_s = int(time.time() + HASTY_S) + 1.05
    await soon(lambda: time.time() > over_s, "time stands still")
    since = len(mirror.records())
    assert (await modern.ask("tools/call", {**params, **brought})).failure[1] == "request_state_refused"
    assert mirror.heard("tools/call", since=since) == []
    assert (await modern.call(f"{upstream}__run")).text == "done"


@pytest.mark.abuse(37)
async def test_a_state_that_was_used_is_used_after_a_restart_too(tmp_path, made):
    mirror = made["http-modern"]
    asking(mirror, "run", "roots/list")
    params = {"name": "again__run", "arguments": {}}
    with GatewayProcess(tmp_path, upstreams={"again": mirror.settings(grants=["roots"])}) as process:
        async with fronts.front("modern-http", process, capabilities=EVERYTHING) as agent:
            agent.answering = answers
            brought = agent.brought(await agent.ask("tools/call", params))
            assert (await agent.ask("tools/call", {**params, **brought})).text == "done"
        process.stop()
        process.start()
        async with fronts.front("modern-http", process, capabilities=EVERYTHING) as agent:
            agent.answering = answers
            since = len(mirror.records())
            assert (await agent.ask("tools/call", {**params, **brought})).failure[
                1
            ] == "request_state_refused"
            assert mirror.heard("tools/call", since=since) == []
            assert (await agent.call("again__run")).text == "done"


@pytest.mark.abuse(38)
@each_upstream
async def test_answers_that_nobody_asked_for_are_dropped(made, modern, upstream):
    mirror = made[upstream]
    asking(mirror, "run", "roots/list")
    params = {"name": f"{upstream}__run", "arguments": {}}
    brought = modern.brought(await modern.ask("tools/call", params))
    since = len(mirror.records())
    brought["inputResponses"]["unasked"] = ANSWERS["elicitation/create"]
    assert (await modern.ask("tools/call", {**params, **brought})).text == "done"
    assert answered(mirror, since) == [ANSWERS["roots/list"]]
    # And without any question before.
    mirror.say("run", {"result": DONE})
    since = len(mirror.records())
    unasked = {"inputResponses": {"roots": ANSWERS["roots/list"]}}
    assert (await modern.ask("tools/call", {**params, "arguments": {"b": 1}, **unasked})).text == "done"
    assert "inputResponses" not in mirror.heard("tools/call", since=since)[-1].message["params"]


async def test_a_server_without_a_state_of_its_own_gets_answers_without_ours(made, modern):
    made["http-modern"].say("run", {"rounds": {"": required("roots/list"), "answered": DONE}})
    params = {"name": "http-modern__run", "arguments": {"stateless": True}}
    first = modern.brought(await modern.ask("tools/call", params))
    unasked = {"unasked": ANSWERS["elicitation/create"], **first["inputResponses"]}
    assert (await modern.ask("tools/call", {**params, "inputResponses": unasked})).text == "done"
    sent = made["http-modern"].last("tools/call").message["params"]
    assert sent["inputResponses"] == {"roots": ANSWERS["roots/list"]}
    assert "requestState" not in sent


@pytest.mark.abuse(38)
@each_upstream
async def test_policy_decides_anew_when_the_agent_comes_back(gateway, made, modern, upstream):
    mirror, file = made[upstream], gateway.policy / "rounds.rego"
    asking(mirror, "reconsidered", "roots/list")
    params = {"name": f"{upstream}__reconsidered", "arguments": {}}
    brought = modern.brought(await modern.ask("tools/call", params))
    number = mirror.last("tools/call").message["id"]
    since = len(mirror.records())
    loads = len(gateway.entries("policy_loaded"))
    try:
        file.write_text(POLICY + STRICTER)
        await soon(
            lambda: len(gateway.entries("policy_loaded")) > loads,
            lambda: str({one["kind"] for one in gateway.entries()}),
        )
        answer = await modern.ask("tools/call", {**params, **brought})
        assert answer.value["_meta"]["dev.toolgate/decision"]["reasons"][0]["code"] == "changed_since"
        assert answered(mirror, since) == []
        if mirror.era == "legacy":
            await mirror.cancelled(number)
    finally:
        file.write_text(POLICY)
        await soon(lambda: len(gateway.entries("policy_loaded")) > loads + 1, "the policy was not put back")
    assert (await modern.call(f"{upstream}__reconsidered")).text == "done"


@pytest.mark.abuse(23)
@pytest.mark.abuse(34)
@pytest.mark.parametrize("upstream", ["http-legacy", "stdio-legacy", "http-modern"])
async def test_a_response_is_taken_once_and_only_from_whom_was_asked(gateway, made, upstream):
    asking(made[upstream], "run", "roots/list")
    async with (
        fronts.front("legacy-http", gateway, capabilities=EVERYTHING) as ana,
        fronts.front("legacy-http", gateway, token=BEN, capabilities=EVERYTHING) as ben,
    ):
        call = asyncio.ensure_future(ana.call(f"{upstream}__run"))
        question = await soon(lambda: ana.asked and ana.asked[0], "nothing was asked")
        response = {"jsonrpc": "2.0", "id": question["id"], "result": ANSWERS["roots/list"]}
        body = json.dumps(response).encode()
        unasked = json.dumps({**response, "id": "toolgate-0"}).encode()
        # The same id with her session, with his own, and without any.
        assert await ben.post(body, **{"Mcp-Session-Id": ana.session}) == 404
        assert await ben.post(body) == 400
        assert await ana.post(unasked) == 400
        assert await ana.post(body, **{"Mcp-Session-Id": "0" * 32}) == 404
        assert not call.done()
        assert await ana.post(body) == 202
        assert (await call).text == "done"
        assert await ana.post(body) == 400
        # In the newer era there are no such messages at all.
        assert await ana.post(body, **{"MCP-Protocol-Version": "2026-07-28"}) == 400


async def test_nothing_failed_inside_the_gateway(gateway):
    assert "Traceback" not in gateway.stderr
