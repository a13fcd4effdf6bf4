"""Tasks: the extension of 2026-07-28 and those of 2025-11-25, each through its own era; an id is its owner's alone."""

from __future__ import annotations

import json

import pytest
import pytest_asyncio
from e2e_kit import fronts, mirrors
from e2e_kit.front import EVERYTHING, META, TASKS
from e2e_kit.gateways import BEN, GatewayProcess
from e2e_kit.mirrors import members, tool

pytestmark = pytest.mark.asyncio(loop_scope="module")

POLICY = """\
package toolgate.rules.tasks

import rego.v1

allow if true

deny contains {"code": "keep_it", "message": "this one is not withdrawn"} if {
	input.action.name == "tasks/cancel"
	input.resource.name == "kept"
}
"""
OWN = "T 1/ü"
TIMES = '"createdAt":"2026-07-28T00:00:00Z","lastUpdatedAt":"2026-07-28T00:00:00Z"'
WORKING = f'{{"resultType":"task","taskId":"{OWN}","status":"working",{TIMES},"ttlMs":60000,"x":1.50}}'
COMPLETED = (
    f'{{"resultType":"complete","taskId":"{OWN}","status":"completed",{TIMES},"ttlMs":null,'
    '"result":{"content":[],"x":1.50}}'
)
BEGUN = f'{{"task":{{"taskId":"{OWN}","status":"working",{TIMES},"ttl":6E4}},"x":1.50}}'
ENDED = f'{{"taskId":"{OWN}","status":"completed",{TIMES},"ttl":60000,"x":1.50}}'
RELATED = f"{META}related-task"
PAYLOAD = f'{{"content":[],"x":1.50,"_meta":{{"y":-0,"{RELATED}":{{"taskId":"{OWN}"}}}}}}'
SPEAKS = {"tools": {}, "extensions": {f"{META}tasks": {}}}
RUNS = {"tools": {}, "tasks": {"cancel": {}, "requests": {"tools": {"call": {}}}}}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    with mirrors.mirrors(tmp_path_factory.mktemp("tasks")) as made:
        for mirror in made.values():
            modern = mirror.era == "modern"
            tools = [tool(name) for name in ("run", "kept", "asks")]
            mirror.offer(capabilities=SPEAKS if modern else RUNS, tools=tools)
            for name in ("run", "kept"):
                mirror.say(name, {"result": WORKING if modern else BEGUN})
            mirror.say(f"tasks/get/{OWN}", {"result": COMPLETED if modern else ENDED})
            mirror.say(f"tasks/result/{OWN}", {"result": PAYLOAD})
            empty = '{"resultType":"complete"}'
            mirror.say(f"tasks/update/{OWN}", {"result": empty})
            mirror.say(f"tasks/cancel/{OWN}", {"result": empty if modern else ENDED})
        yield made


@pytest.fixture(scope="module")
def gateway(made, tmp_path_factory):
    upstreams = {name: mirror.settings() for name, mirror in made.items()}
    upstreams |= {
        f"granted-{era}": made[f"http-{era}"].settings(grants=["elicitation"]) for era in ("modern",)
    }
    folder = tmp_path_factory.mktemp("tasks-gateway")
    with GatewayProcess(folder, upstreams=upstreams, policy={"tasks.rego": POLICY}) as process:
        process.offers(*(f"{name}__run" for name in upstreams))
        yield process


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def agents(gateway):
    async with fronts.fronts(gateway, capabilities={**TASKS, **EVERYTHING}) as opened:
        yield opened


modern_kinds = pytest.mark.parametrize("kind", ["modern-http", "modern-stdio"])
modern_upstreams = pytest.mark.parametrize("upstream", ["http-modern", "stdio-modern"])
legacy_kinds = pytest.mark.parametrize("kind", ["legacy-http", "legacy-stdio"])
legacy_upstreams = pytest.mark.parametrize("upstream", ["http-legacy", "stdio-legacy"])


async def begun(agent, upstream, name="run"):
    """A task; its id as the agent knows it."""
    if agent.era == "modern":
        return (await agent.call(f"{upstream}__{name}")).value["taskId"]
    params = {"name": f"{upstream}__{name}", "arguments": {}, "task": {"ttl": 60000}}
    return (await agent.ask("tools/call", params)).value["task"]["taskId"]


@modern_kinds
@modern_upstreams
async def test_a_task_of_the_extension_is_begun_looked_at_updated_and_cancelled(agents, made, kind, upstream):
    agent, mirror = agents[kind], made[upstream]
    answer = await agent.call(f"{upstream}__run")
    began = members(answer.result)
    task_id = json.loads(began["taskId"])
    assert OWN not in task_id
    assert {**began, "taskId": b""} == {**members(WORKING), "taskId": b""}
    assert await begun(agent, upstream) == task_id, "the same task has the same id"
    got = members((await agent.ask("tasks/get", {"taskId": task_id})).result)
    assert json.loads(got["taskId"]) == task_id
    assert {**got, "taskId": b""} == {**members(COMPLETED), "taskId": b""}
    responses = {"ask": {"action": "accept", "content": {"n": 1}}}
    update = {"taskId": task_id, "inputResponses": responses}
    for method, params in (("tasks/update", update), ("tasks/cancel", {"taskId": task_id})):
        assert (await agent.ask(method, params)).value == {"resultType": "complete"}
        sent = mirror.last(method)
        assert json.loads(sent.params["taskId"]) == OWN
    assert json.loads(mirror.last("tasks/update").params["inputResponses"]) == responses
    if mirror.transport == "http":
        from mcp.shared.inbound import decode_header_value

        assert decode_header_value(mirror.last("tasks/get").headers["mcp-name"]) == OWN


@legacy_kinds
@legacy_upstreams
async def test_a_task_of_the_session_era_is_begun_looked_at_fetched_and_cancelled(
    agents, made, kind, upstream
):
    agent, mirror = agents[kind], made[upstream]
    assert agent.introduced["capabilities"]["tasks"] == RUNS["tasks"]
    params = {"name": f"{upstream}__run", "arguments": {}, "task": {"ttl": 60000}}
    began = members((await agent.ask("tools/call", params)).result)
    assert json.loads(mirror.last("tools/call").params["task"]) == {"ttl": 60000}
    assert began["x"] == b"1.50"
    task = members(began["task"])
    task_id = json.loads(task["taskId"])
    assert OWN not in task_id
    assert {**task, "taskId": b""} == {**members(members(BEGUN)["task"]), "taskId": b""}
    for method in ("tasks/get", "tasks/cancel"):
        got = members((await agent.ask(method, {"taskId": task_id})).result)
        assert json.loads(got["taskId"]) == task_id
        assert {**got, "taskId": b""} == {**members(ENDED), "taskId": b""}
        assert json.loads(mirror.last(method).params["taskId"]) == OWN
    payload = members((await agent.ask("tasks/result", {"taskId": task_id})).result)
    assert (payload["x"], payload["content"]) == (b"1.50", b"[]")
    meta = members(payload["_meta"])
    assert (json.loads(meta[RELATED]), meta["y"]) == ({"taskId": task_id}, b"-0")
    assert (await agent.ask("tasks/list")).failure == (-32601, "unsupported_method")


@pytest.mark.abuse(34)
@pytest.mark.parametrize(
    ("kind", "upstream"),
    [("modern-http", "http-modern"), ("modern-http", "stdio-modern"), ("legacy-http", "http-legacy")],
)
async def test_a_task_is_nobody_elses_and_its_id_cannot_be_made_up(gateway, agents, made, kind, upstream):
    task_id = await begun(agents[kind], upstream)
    methods = ["tasks/get", "tasks/cancel", "tasks/update" if kind == "modern-http" else "tasks/result"]
    since = len(made[upstream].records())
    async with fronts.front(kind, gateway, token=BEN, capabilities=TASKS) as ben:
        for method in methods:
            assert (await ben.ask(method, {"taskId": task_id})).failure == (-32602, "unknown_task")
    other = "A" if task_id[40] != "A" else "B"
    for made_up in (OWN, task_id[:40] + other + task_id[41:], task_id + "A", task_id[:-4], ""):
        assert (await agents[kind].ask(methods[0], {"taskId": made_up})).failure == (-32602, "unknown_task")
    elsewhere = f"/s/{'stdio' if upstream.startswith('http') else 'http'}-modern/mcp"
    async with fronts.front(kind, gateway, elsewhere, capabilities=TASKS) as agent:
        assert (await agent.ask(methods[0], {"taskId": task_id})).failure == (-32602, "unknown_task")
    assert [one.method for one in made[upstream].heard(since=since) if one.method.startswith("tasks/")] == []
    assert "result" in members((await agents[kind].ask(methods[0], {"taskId": task_id})).raw)


@modern_upstreams
async def test_without_the_extension_there_are_no_tasks(gateway, agents, made, upstream):
    task_id = await begun(agents["modern-http"], upstream)
    assert (
        made[upstream].last("tools/call").meta[f"{META}clientCapabilities"]["extensions"]
        == TASKS["extensions"]
    )
    async with fronts.front("modern-http", gateway) as agent:
        since = len(made[upstream].records())
        refused = await agent.ask("tasks/get", {"taskId": task_id})
        assert refused.failure == (-32021, "capability_missing")
        assert json.loads(refused.error)["data"]["requiredCapabilities"] == TASKS
        assert refused.status == 400
        assert made[upstream].heard(since=since) == []
        # A server that begins one all the same has not answered the call.
        answer = await agent.call(f"{upstream}__run")
        assert answer.value["isError"] is True
        assert "resultType 'task'" in answer.text
        assert "extensions" not in made[upstream].last("tools/call").meta[f"{META}clientCapabilities"]


async def test_a_server_that_runs_no_tasks_is_not_told_of_the_wish_for_one(agents, made):
    made["http-modern"].say("asks")
    params = {"name": "http-modern__asks", "arguments": {}, "task": {"ttl": 60000}}
    assert (await agents["legacy-http"].ask("tools/call", params)).text == "{}"
    assert "task" not in made["http-modern"].last("tools/call").params


async def test_each_look_at_a_task_is_decided_and_recorded(gateway, agents, made):
    agent = agents["modern-http"]
    task_id = await begun(agent, "http-modern", "kept")
    since = len(made["http-modern"].records())
    refused = await agent.ask("tasks/cancel", {"taskId": task_id})
    assert json.loads(refused.error)["data"]["reasons"][0]["code"] == "keep_it"
    assert made["http-modern"].heard(since=since) == []
    call = json.loads(refused.error)["data"]["call"]
    recorded = [one for one in gateway.entries() if one.get("call") == call]
    assert [(one["kind"], one["target"]) for one in recorded] == [
        ("intent", "http-modern/kept"), ("outcome", "http-modern/kept")
    ]  # fmt: skip
    assert recorded[0]["method"] == "tasks/cancel"
    # The positive control: the task of another tool.
    other = await begun(agent, "http-modern")
    assert (await agent.ask("tasks/cancel", {"taskId": other})).value == {"resultType": "complete"}


QUESTIONS = {
    "form": {"message": "Which one?", "requestedSchema": {"type": "object", "properties": {"n": {"type": "integer"}}}},
    "script": {"message": "Look", "mode": "url", "elicitationId": "1", "url": "javascript:alert(1)"},
    "secret": {"message": "Type it", "requestedSchema": {"type": "object", "properties": {"password": {"type": "string"}}}},
}  # fmt: skip


async def asked_by_a_task(agents, mirror, upstream, question):
    requests = {"ask": {"method": "elicitation/create", "params": QUESTIONS[question]}}
    waiting = {
        "resultType": "complete", "taskId": OWN, "status": "input_required", "ttlMs": None, "inputRequests": requests
    }  # fmt: skip
    mirror.say(f"tasks/get/{OWN}", {"result": json.dumps(waiting)})
    try:
        task_id = await begun(agents["modern-http"], upstream)
        return await agents["modern-http"].ask("tasks/get", {"taskId": task_id})
    finally:
        mirror.say(f"tasks/get/{OWN}", {"result": COMPLETED})


@pytest.mark.abuse(75)
@pytest.mark.parametrize(
    ("upstream", "question"),
    [("http-modern", "form"), ("granted-modern", "script"), ("granted-modern", "secret")],
)
async def test_what_a_server_may_not_ask_it_cannot_ask_through_a_task_either(
    agents, made, upstream, question
):
    answer = await asked_by_a_task(agents, made["http-modern"], upstream, question)
    assert QUESTIONS[question]["message"].encode() not in answer.raw
    assert b"inputRequests" not in answer.raw or members(answer.result)["inputRequests"] == b"{}"


@pytest.mark.abuse(75)
async def test_what_a_server_may_ask_through_a_task_is_recorded_and_shown_with_its_name(
    gateway, agents, made
):
    answer = await asked_by_a_task(agents, made["http-modern"], "granted-modern", "form")
    asked = answer.value["inputRequests"]["ask"]["params"]
    assert asked == {**QUESTIONS["form"], "message": "granted-modern: Which one?"}
    assert gateway.entry("input_request", upstream="granted-modern", effect="allow")["during"] == "tasks/get"


async def test_a_task_outlives_the_gateway(tmp_path, made):
    upstreams = {"modern-http": "http-modern", "legacy-http": "http-legacy"}
    with GatewayProcess(
        tmp_path, upstreams={name: made[name].settings() for name in upstreams.values()}
    ) as process:
        process.offers(*(f"{name}__run" for name in upstreams.values()))
        tasks = {}
        for kind, upstream in upstreams.items():
            async with fronts.front(kind, process, capabilities=TASKS) as agent:
                tasks[kind] = await begun(agent, upstream)
        process.stop()
        process.start()
        for kind, task_id in tasks.items():
            async with fronts.front(kind, process, capabilities=TASKS) as agent:
                assert (await agent.ask("tasks/get", {"taskId": task_id})).value["taskId"] == task_id
            async with fronts.front(kind, process, token=BEN, capabilities=TASKS) as ben:
                assert (await ben.ask("tasks/get", {"taskId": task_id})).failure == (-32602, "unknown_task")


async def test_nothing_failed_inside_the_gateway(gateway):
    assert "Traceback" not in gateway.stderr
