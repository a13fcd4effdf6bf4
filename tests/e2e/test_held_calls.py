"""Held calls through the real process: every kind of agent, each era of upstream, restarts in between."""

from __future__ import annotations

import asyncio
import json

import pytest
import pytest_asyncio
from e2e_kit import fronts, mirrors
from e2e_kit.front import TASKS
from e2e_kit.gateways import BEN, GatewayProcess
from e2e_kit.mirrors import soon, tool
from e2e_kit.people import LEA, MAX, OTHER, REVIEWERS, People

pytestmark = pytest.mark.asyncio(loop_scope="module")

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
} if {
	input.action.name == "tools/call"
	input.arguments.ask == true
}

hold contains {"code": "own", "by": "lead", "self_confirm": true} if input.arguments.ask == "self"

hold contains {"code": "runs_itself", "by": "lead", "on_approval": "grant"} if input.arguments.ask == "grant"
"""
WAIT = "toolgate__approval_wait"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    with mirrors.mirrors(tmp_path_factory.mktemp("held"), only=lambda name: name.startswith("http")) as made:
        for mirror in made.values():
            typed = tool("typed", outputSchema={"type": "object", "required": ["n"]})
            mirror.offer(tools=[tool("pay"), typed])
        yield made


@pytest.fixture(scope="module")
def gateway(made, tmp_path_factory):
    upstreams = {name: mirror.settings() for name, mirror in made.items()}
    folder = tmp_path_factory.mktemp("held-gateway")
    with GatewayProcess(
        folder,
        upstreams=upstreams,
        policy={"held.rego": POLICY},
        reviewers=REVIEWERS,
        approvals={"unknown_client_s": 0.8, "progress_s": 0.25},
    ) as process:
        process.offers(*(f"{name}__pay" for name in upstreams))
        yield process


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def agents(gateway):
    async with fronts.fronts(gateway) as opened:
        yield opened


@pytest.fixture(scope="module")
def lea(gateway):
    return People(gateway, LEA)


numbers = iter(range(1000, 9999))
kinds = pytest.mark.parametrize("kind", fronts.KINDS)
upstreams = pytest.mark.parametrize("upstream", ["http-modern", "http-legacy"])


def executions(mirror, n):
    return [one for one in mirror.heard("tools/call") if json.loads(one.params["arguments"]).get("n") == n]


@kinds
@upstreams
async def test_a_held_call_gets_its_result_once_a_reviewer_agrees(agents, made, lea, kind, upstream):
    n = next(numbers)
    calling = asyncio.ensure_future(agents[kind].call(f"{upstream}__pay", {"ask": True, "n": n}))
    hold = await lea.when_waiting("approve", n=n)
    answer = await calling
    assert not answer.value.get("isError")
    assert len(executions(made[upstream], n)) == 1
    ended = lea.becomes(hold["id"], "succeeded")
    assert ended["reason_by"] == "lea@example.com"


@kinds
async def test_a_denial_reaches_the_agent_with_its_reason(agents, made, lea, kind):
    n = next(numbers)
    calling = asyncio.ensure_future(agents[kind].call("http-modern__pay", {"ask": True, "n": n}))
    await lea.when_waiting("deny", "not before Friday", n=n)
    answer = await calling
    assert answer.value["isError"]
    assert answer.text.startswith("DENIED by lea@example.com")
    assert "not before Friday" in answer.text
    assert not executions(made["http-modern"], n)


@pytest.mark.abuse(96)
@pytest.mark.abuse(129)
@kinds
@pytest.mark.parametrize("name", ["pay", "typed"])
async def test_an_agent_that_cannot_wait_is_told_so_and_collects_it_later(agents, made, lea, kind, name):
    n = next(numbers)
    call = {"ask": True, "n": n}
    waiting = await agents[kind].call(f"http-modern__{name}", call)
    assert waiting.value["isError"] is True
    assert waiting.text.startswith("NOT EXECUTED")
    state = waiting.value["_meta"]["dev.toolgate/hold"]
    assert (state["status"], state["executed"]) == ("held", "no")
    assert ("structuredContent" in waiting.value) is (name == "pay"), "what has a schema is never broken"
    again = await agents[kind].call(WAIT, {"hold": state["hold"]})
    assert again.text.startswith("NOT EXECUTED")
    assert len([one for one in lea.holds() if one["view"].get("n") == n]) == 1
    lea.approve(lea.waits(n=n))
    done = await agents[kind].call(WAIT, {"hold": state["hold"]})
    assert not done.value.get("isError")
    assert len(executions(made["http-modern"], n)) == 1


@pytest.mark.abuse(34)
@pytest.mark.abuse(95)
async def test_a_hold_is_nobody_elses(agents, gateway, lea):
    n = next(numbers)
    waiting = await agents["legacy-http"].call("http-modern__pay", {"ask": True, "n": n})
    hold = waiting.value["_meta"]["dev.toolgate/hold"]["hold"]
    async with fronts.front("legacy-http", gateway, token=BEN) as ben:
        stolen = await ben.call(WAIT, {"hold": hold})
        unknown = await ben.call(WAIT, {"hold": "0" * len(hold)})
    assert stolen.value["isError"]
    assert stolen.text == unknown.text
    assert People(gateway, OTHER).ask("GET", f"/holds/{hold}") == People(gateway, OTHER).ask(
        "GET", "/holds/0000"
    )
    assert lea.show(hold)["hold"]["id"] == hold


@pytest.mark.abuse(128)
@pytest.mark.abuse(87)
async def test_an_agents_token_never_decides(agents, gateway, lea):
    n = next(numbers)
    await agents["legacy-http"].call("http-modern__pay", {"ask": True, "n": n})
    hold = lea.waits(n=n)
    from e2e_kit.gateways import ANA

    for token in (ANA, BEN, "", "tgr_" + "9" * 64):
        code, _ = People(gateway, token).decide(hold, "approve")
        assert code in {401, 403}, token
    assert lea.show(hold["id"])["hold"]["status"] == "held"
    assert lea.approve(hold)["status"] == "approved"


@pytest.mark.abuse(93)
async def test_of_two_reviewers_at_once_one_wins_and_the_other_is_told(agents, gateway, lea):
    n = next(numbers)
    await agents["legacy-http"].call("http-modern__pay", {"ask": True, "n": n})
    hold = lea.waits(n=n)
    words = [(LEA, "approve"), (MAX, "deny")]
    answers = await asyncio.gather(
        *(asyncio.to_thread(People(gateway, token).decide, hold, verdict) for token, verdict in words)
    )
    codes = sorted(code for code, _ in answers)
    ended = lea.becomes(hold["id"], "denied", "cancelled", "succeeded", "approved", "executing")
    if ended["status"] in {"denied", "succeeded"}:
        assert codes == [200, 409]
        (told,) = [body["error"] for code, body in answers if code == 409]
        assert told["by"] in {"lea@example.com", "max@example.com"}
    else:
        assert codes == [200, 200], "the denial came second and took the approval back"


async def test_a_grant_is_run_by_its_caller_once(agents, made, lea):
    n = next(numbers)
    agent = agents["legacy-http"]
    await agent.call("http-modern__pay", {"ask": "grant", "n": n})
    hold = lea.waits(n=n)
    lea.approve(hold)
    await asyncio.sleep(0.3)
    assert not executions(made["http-modern"], n), "nothing runs without its caller"
    done = await agent.call("http-modern__pay", {"ask": "grant", "n": n})
    assert not done.value.get("isError")
    assert len(executions(made["http-modern"], n)) == 1
    once_more = await agent.call("http-modern__pay", {"ask": "grant", "n": n})
    assert once_more.text.startswith("NOT EXECUTED")


async def test_a_client_of_the_tasks_extension_gets_a_task(gateway, made, lea):
    n = next(numbers)
    async with fronts.front("modern-http", gateway, capabilities=TASKS) as agent:
        begun = (await agent.call("http-modern__pay", {"ask": True, "n": n})).value
        assert (begun["resultType"], begun["status"]) == ("task", "working")
        task = {"taskId": begun["taskId"]}
        assert (await agent.ask("tasks/get", task)).value["status"] == "working"
        lea.approve(lea.waits(n=n))

        async def ended():
            return (await agent.ask("tasks/get", task)).value

        found = await ended()
        while found["status"] == "working":
            found = await ended()
    assert found["status"] == "completed"
    assert not found["result"].get("isError")
    assert len(executions(made["http-modern"], n)) == 1


async def test_a_task_that_is_cancelled_or_denied_never_reads_as_done(gateway, made, lea):
    async with fronts.front("modern-http", gateway, capabilities=TASKS) as agent:
        ends = []
        for verdict in ("cancel", "deny"):
            n = next(numbers)
            begun = (await agent.call("http-modern__pay", {"ask": True, "n": n})).value
            hold = lea.waits(n=n)
            if verdict == "cancel":
                await agent.ask("tasks/cancel", {"taskId": begun["taskId"]})
            else:
                lea.decide(hold, "deny", "no")
            ends.append((await agent.ask("tasks/get", {"taskId": begun["taskId"]})).value)
            assert not executions(made["http-modern"], n)
    assert [one["status"] for one in ends] == ["cancelled", "completed"]
    assert ends[1]["result"]["isError"] is True


@kinds
@pytest.mark.parametrize("says", [True, False])
async def test_the_requesters_own_user_confirms_where_the_rule_says_so(gateway, made, lea, kind, says):
    n = next(numbers)
    async with fronts.front(kind, gateway, capabilities={"elicitation": {"form": {}}}) as agent:
        agent.answering = lambda _: {"result": {"action": "accept", "content": {"approve": says}}}
        answer = await agent.call("http-modern__pay", {"ask": "self", "n": n})
        other = await agent.call("http-modern__pay", {"ask": True, "n": n})
    assert len(agent.asked) == 1, "a rule that does not say so asks nobody here"
    assert bool(answer.value.get("isError")) is not says
    assert len(executions(made["http-modern"], n)) == int(says)
    assert other.text.startswith("NOT EXECUTED")
    (entry,) = [
        one
        for one in gateway.entries("hold")
        if one["event"] in {"approved", "denied"}
        and one["actor"] == "ana@example.com"
        and n_of(lea, one) == n
    ]
    assert entry["how"] == "elicitation"


def n_of(people, entry):
    return people.show(entry["hold"])["hold"]["view"].get("n")


async def test_progress_tells_a_waiting_agent_that_it_is_heard(agents, lea):
    n = next(numbers)
    answer = await agents["legacy-http"].call(
        "http-modern__pay", {"ask": True, "n": n}, meta={"progressToken": "p"}
    )
    told = [one["params"] for one in answer.before if one.get("method") == "notifications/progress"]
    assert len(told) >= 2
    assert all(one["progressToken"] == "p" and "approval" in one["message"] for one in told)
    assert [one["progress"] for one in told] == sorted(one["progress"] for one in told)


@pytest.mark.abuse(36)
@pytest.mark.abuse(37)
async def test_a_round_of_waiting_is_its_owners_and_its_calls(agents, gateway, lea):
    n = next(numbers)
    agent = agents["modern-http"]
    params = {"name": "http-modern__pay", "arguments": {"ask": True, "n": n}}
    state = (await agent.ask("tools/call", params)).value["requestState"]
    other = {**params, "arguments": {"ask": True, "n": n + 1}, "requestState": state}
    assert (await agent.ask("tools/call", other)).failure[1] == "request_state_refused"
    async with fronts.front("modern-http", gateway, token=BEN) as ben:
        assert (await ben.ask("tools/call", {**params, "requestState": state})).failure[
            1
        ] == "request_state_refused"
    lea.approve(lea.waits(n=n))
    lea.becomes(
        lea.waits_any(n) if hasattr(lea, "waits_any") else lea.holds("approved,executing,succeeded")[0]["id"],
        "succeeded",
    )
    done = await agent.ask("tools/call", {**params, "requestState": state})
    assert not done.value.get("isError"), "control: its own state, for its own call"


@pytest.mark.abuse(119)
@pytest.mark.parametrize("kind", ["modern-http", "legacy-http"])
async def test_a_restart_in_the_middle_of_waiting_loses_nobody(made, tmp_path, kind):
    mirror = made["http-modern"]
    with GatewayProcess(
        tmp_path,
        upstreams={"m": mirror.settings()},
        policy={"held.rego": POLICY},
        reviewers=REVIEWERS,
        approvals={"unknown_client_s": 20},
    ) as process:
        process.offers("m__pay")
        n = next(numbers)
        lea = People(process)
        async with fronts.front(kind, process) as agent:
            params = {"name": "m__pay", "arguments": {"ask": True, "n": n}}
            calling = asyncio.ensure_future(agent.ask("tools/call", params))
            hold = await asyncio.to_thread(lea.waits, n=n)
            await asyncio.to_thread(process.stop)
            told = (await calling).value
        if kind == "modern-http":
            assert told["resultType"] == "input_required"
            params["requestState"] = told["requestState"]
        else:
            assert told["content"][0]["text"].startswith("NOT EXECUTED")
        await asyncio.to_thread(process.start)
        process.offers("m__pay")
        assert lea.show(hold["id"])["hold"]["status"] == "held"
        process.kill()
        await asyncio.to_thread(process.start)
        process.offers("m__pay")
        lea.approve(hold)
        async with fronts.front(kind, process) as agent:
            done = await agent.ask("tools/call", params)
        assert not done.value.get("isError"), done.raw
        assert len(executions(mirror, n)) == 1


async def test_the_log_tells_the_story_of_a_held_call(agents, gateway, lea):
    n = next(numbers)
    calling = asyncio.ensure_future(agents["modern-http"].call("http-modern__pay", {"ask": True, "n": n}))
    hold = await lea.when_waiting("approve", n=n)
    await calling

    def story():
        return [one for one in gateway.entries() if one.get("hold") == hold["id"]]

    await soon(
        lambda: {"collected"} <= {one.get("event") for one in story()}, "the last event is not in the log"
    )
    told = [
        one.get("event") or f"{one['kind']} {one.get('effect') or one.get('status', '')}".strip()
        for one in story()
    ]
    wanted = [
        "intent hold",
        "outcome held",
        "held",
        "approved",
        "executing",
        "intent allow",
        "outcome succeeded",
        "succeeded",
        "collected",
    ]
    assert [one for one in told if one in wanted] == wanted
    (approved,) = [one for one in story() if one.get("event") == "approved"]
    assert approved["actor"] == "lea@example.com"
