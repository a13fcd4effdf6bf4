"""What an upstream asks of an agent's side in the middle of a call: put, answered and refused, in all combinations of eras."""

from __future__ import annotations

import asyncio
import json

import pytest
import pytest_asyncio
from e2e_kit import fronts, mirrors
from e2e_kit.front import EVERYTHING, META
from e2e_kit.mirrors import members, soon
from e2e_kit.questions import ANSWERS, ASKED, DONE, FORM, answered, answers, asking, asking_gateway, required

pytestmark = pytest.mark.asyncio(loop_scope="module")

POLICY = """\
package toolgate.rules.rounds

import rego.v1

allow if true

deny contains {"code": "do_not_disturb", "message": "not that"} if {
	input.action.name == "elicitation/create"
	contains(input.arguments.message, "forbidden")
}
"""
each_upstream = pytest.mark.parametrize("upstream", mirrors.IDS)
each_kind = pytest.mark.parametrize("kind", fronts.KINDS)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    with asking_gateway(tmp_path_factory.mktemp("rounds"), POLICY) as whole:
        yield whole


@pytest.fixture(scope="module")
def gateway(whole):
    return whole[0]


@pytest.fixture(scope="module")
def made(whole):
    return whole[1]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def agents(gateway):
    async with fronts.fronts(gateway, capabilities=EVERYTHING) as opened:
        for one in opened.values():
            one.answering = answers
        yield opened


def question_of(agent):
    return [(one["method"], one["params"]) for one in agent.asked]


@each_kind
@each_upstream
async def test_several_questions_one_after_the_other_are_put_and_answered(
    gateway, agents, made, kind, upstream
):
    agent, mirror = agents[kind], made[upstream]
    agent.asked.clear()
    asking(mirror, "run", *ASKED)
    since = len(mirror.records())
    answer = await agent.call(f"{upstream}__run", {"a": 1})
    assert members(answer.result)["x"] == b"1.50"
    shown = {**ASKED, "elicitation/create": {**FORM, "message": f"{upstream}: {FORM['message']}"}}
    assert question_of(agent) == list(shown.items())
    assert answered(mirror, since) == [ANSWERS[method] for method in ASKED]
    told = [one for one in gateway.entries("input_request") if one["upstream"] == upstream][-3:]
    assert [(one["method"], one["effect"]) for one in told] == [(method, "allow") for method in ASKED]


@each_kind
@pytest.mark.parametrize("upstream", ["http-modern", "stdio-modern"])
async def test_several_questions_at_once_are_all_put(agents, made, kind, upstream):
    agent, mirror = agents[kind], made[upstream]
    agent.asked.clear()
    mirror.say("run", {"rounds": {"": required(*ASKED, state="s"), "s": DONE}})
    assert (await agent.call(f"{upstream}__run")).text == "done"
    assert {one["method"] for one in agent.asked} == {*ASKED}
    sent = mirror.last("tools/call").message["params"]["inputResponses"]
    assert sent == {method.partition("/")[0]: ANSWERS[method] for method in ASKED}


@pytest.mark.parametrize("kind", ["modern-http", "legacy-http"])
@each_upstream
async def test_prompts_and_resources_may_ask_as_well(gateway, made, kind, upstream):
    targets = {
        "prompts/get": ({"name": "run"}, "run"),
        "resources/read": ({"uri": f"{upstream}:/run"}, f"{upstream}:/run"),
    }
    async with fronts.front(kind, gateway, f"/s/{upstream}/mcp", capabilities=EVERYTHING) as agent:
        agent.answering = answers
        for method, (params, key) in targets.items():
            asking(made[upstream], key, "elicitation/create", "roots/list")
            answer = await agent.through(method, params)
            assert members(answer.result)["x"] == b"1.50"
        assert [one["method"] for one in agent.asked] == ["elicitation/create", "roots/list"] * 2
    assert {one["during"] for one in gateway.entries("input_request")[-4:]} == {*targets}


@each_kind
@each_upstream
async def test_without_a_grant_nothing_is_asked_and_the_server_is_told_so(
    gateway, agents, made, kind, upstream
):
    await nothing_is_asked(gateway, agents[kind], made[upstream], f"bare-{upstream}")


@each_upstream
@pytest.mark.parametrize("kind", ["modern-http", "legacy-http"])
async def test_what_a_client_has_not_declared_it_is_not_asked(gateway, made, kind, upstream):
    async with fronts.front(kind, gateway, capabilities={"roots": {}}) as agent:
        agent.answering = answers
        await nothing_is_asked(gateway, agent, made[upstream], upstream)
        # The positive control: what it did declare.
        asking(made[upstream], "run", "roots/list")
        assert (await agent.call(f"{upstream}__run")).text == "done"
        assert [one["method"] for one in agent.asked] == ["roots/list"]


async def nothing_is_asked(gateway, agent, mirror, upstream):
    agent.asked.clear()
    asking(mirror, "run", "elicitation/create")
    since = len(mirror.records())
    answer = await agent.call(f"{upstream}__run")
    assert agent.asked == []
    if mirror.era == "legacy":
        assert answer.text == "done"
        [told] = answered(mirror, since)
        assert told["code"] in {-32601, -32602}
    else:
        assert answer.value["isError"] is True
        assert answer.value["_meta"]["dev.toolgate/failure"]["code"] == "upstream_needs_input"
        told = mirror.last("tools/call").meta[f"{META}clientCapabilities"]
        assert "elicitation" not in told


@each_kind
@each_upstream
async def test_policy_decides_each_question(gateway, agents, made, kind, upstream):
    agent, mirror = agents[kind], made[upstream]
    agent.asked.clear()
    asking(mirror, "run", "elicitation/create", params={**FORM, "message": "the forbidden one"})
    since = len(mirror.records())
    answer = await agent.call(f"{upstream}__run")
    assert agent.asked == []
    if mirror.era == "legacy":
        assert "do_not_disturb" in answered(mirror, since)[0]["message"]
    else:
        assert "do_not_disturb" in answer.text
    told = gateway.entries("input_request")[-1]
    assert (told["method"], told["effect"], told["code"]) == ("elicitation/create", "deny", "do_not_disturb")


UNFIT = {
    "unfit_url": {"mode": "url", "elicitationId": "1", "message": "Look", "url": "javascript:alert(1)"},
    "secret_field": {
        "message": "Log in",
        "requestedSchema": {"type": "object", "properties": {"userPassword": {"type": "string"}}},
    },
}


@pytest.mark.abuse(75)
@each_upstream
@pytest.mark.parametrize("kind", ["modern-http", "legacy-http"])
async def test_scripts_and_forms_for_secrets_are_never_shown(gateway, agents, made, kind, upstream):
    for code, params in UNFIT.items():
        agents[kind].asked.clear()
        asking(made[upstream], "run", "elicitation/create", params=params)
        await agents[kind].call(f"{upstream}__run")
        assert agents[kind].asked == []
        assert gateway.entries("input_request")[-1]["code"] == code
    plain = {**UNFIT["unfit_url"], "url": "https://login.example/"}
    asking(made[upstream], "run", "elicitation/create", params=plain)
    assert (await agents[kind].call(f"{upstream}__run")).text == "done"
    assert agents[kind].asked[0]["params"]["url"] == plain["url"]


@pytest.mark.abuse(75)
@pytest.mark.parametrize(
    ("upstream", "url", "shown"),
    [
        ("http-legacy", "https://login.example/", True),
        ("http-legacy", "javascript:alert(1)", False),
        ("bare-http-legacy", "https://login.example/", False),
    ],
)
async def test_an_address_in_an_error_is_judged_as_any_other(agents, made, upstream, url, shown):
    visit = {"mode": "url", "elicitationId": "e", "message": "Log in", "url": url}
    error = {"code": -32042, "message": "Visit first", "data": {"elicitations": [visit]}}
    made["http-legacy"].say("run", {"error": json.dumps(error)})
    answer = await agents["legacy-http"].call(f"{upstream}__run")
    if shown:
        told = json.loads(answer.error)
        assert told["code"] == -32042
        assert told["data"]["elicitations"] == [{**visit, "message": f"{upstream}: Log in"}]
    else:
        assert b"Log in" not in answer.raw
        assert url.encode() not in answer.raw


ONLY_A_STATE = {"": '{"resultType":"input_required","requestState":"s1"}', "s1": DONE}


@pytest.mark.parametrize("upstream", ["http-modern", "stdio-modern"])
@each_kind
async def test_a_round_that_only_carries_a_state_asks_nobody(agents, made, kind, upstream):
    made[upstream].say("run", {"rounds": ONLY_A_STATE})
    assert (await agents[kind].call(f"{upstream}__run")).text == "done"


@pytest.mark.parametrize("upstream", ["http-modern", "stdio-modern"])
@pytest.mark.parametrize("kind", ["modern-http", "legacy-http"])
async def test_nor_does_it_need_a_client_that_can_be_asked(gateway, made, kind, upstream):
    made[upstream].say("run", {"rounds": ONLY_A_STATE})
    async with fronts.front(kind, gateway) as agent:
        assert json.loads((await agent.call(f"{upstream}__run")).result).get("content"), agent.era


PROGRESS = (
    '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":$token,"progress":1}}'
)


@each_kind
@each_upstream
async def test_what_is_said_after_an_answer_reaches_the_request_that_waits_now(agents, made, kind, upstream):
    mirror = made[upstream]
    if mirror.era == "legacy":
        mirror.say("run", {"ask": {"method": "roots/list"}}, {"say": PROGRESS}, {"result": DONE})
    else:
        mirror.say("run", {"say": PROGRESS}, {"rounds": {"": required("roots/list", state="s"), "s": DONE}})
    answer = await agents[kind].call(f"{upstream}__run", meta={"progressToken": "p"})
    assert "result" in members(answer.raw), answer.raw
    assert answer.text == "done"
    assert answer.before[-1]["params"] == {"progressToken": "p", "progress": 1}


@pytest.mark.parametrize("kind", ["modern-http", "legacy-http"])
async def test_a_server_may_also_ask_on_the_stream_of_its_session(agents, made, kind):
    made["http-legacy"].say("run", {"ask_aside": {"method": "roots/list"}}, {"result": DONE})
    since = len(made["http-legacy"].records())
    assert (await agents[kind].call("http-legacy__run")).text == "done"
    assert answered(made["http-legacy"], since) == [ANSWERS["roots/list"]]


@each_upstream
async def test_a_client_that_answers_with_an_error_has_not_agreed(gateway, made, upstream):
    error = {"code": -1, "message": "nobody is there", "data": [1.5]}
    async with fronts.front("legacy-http", gateway, capabilities=EVERYTHING) as agent:
        agent.answering = lambda _: {"error": error}
        since = len(made[upstream].records())
        asking(made[upstream], "run", "elicitation/create")
        assert (await agent.call(f"{upstream}__run")).text == "done"
        asking(made[upstream], "run", "roots/list")
        answer = await agent.call(f"{upstream}__run")
    if made[upstream].era == "legacy":
        assert answered(made[upstream], since) == [error, error]
    else:
        # 2026-07-28 has no way to answer with an error.
        assert answered(made[upstream], since) == [{"action": "cancel"}]
        assert answer.value["_meta"]["dev.toolgate/failure"]["code"] == "upstream_needs_input"


@pytest.mark.parametrize("upstream", ["http-legacy", "stdio-legacy"])
async def test_each_client_of_one_principal_is_asked_as_it_declared(gateway, made, upstream):
    seen = []
    for modes in ({"form": {}}, {"form": {}, "url": {}}):
        async with fronts.front("legacy-http", gateway, capabilities={"elicitation": modes}) as agent:
            agent.answering = answers
            asking(made[upstream], "run", "elicitation/create")
            assert (await agent.call(f"{upstream}__run")).text == "done"
            session = made[upstream].last("tools/call").session
            told = [one for one in made[upstream].heard("initialize") if one.session == session][-1:]
            # Over HTTP the session is named in the answer; then it is the newest handshake.
            told = told or made[upstream].heard("initialize")[-1:]
            seen.append(told[0].message["params"]["capabilities"])
    assert seen == [{"elicitation": {"form": {}}}, {"elicitation": {"form": {}, "url": {}}}]


async def test_a_question_that_its_server_withdraws_is_withdrawn_from_the_agent(gateway, made):
    cancelled = '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":$asked}}'
    made["http-legacy"].say(
        "run", {"put": {"method": "roots/list"}}, {"gate": "withdraw"}, {"say": cancelled}, {"gate": "withdrawn"}, {"result": DONE}
    )  # fmt: skip
    async with fronts.front("legacy-http", gateway, capabilities=EVERYTHING) as agent:
        call = asyncio.ensure_future(agent.call("http-legacy__run"))
        question = await soon(lambda: agent.asked and agent.asked[0], "nothing was asked")
        made["http-legacy"].let_go("withdraw")
        await made["http-legacy"].at("withdrawn")
        made["http-legacy"].let_go("withdrawn")
        answer = await call
    withdrawn = [
        one["params"]["requestId"] for one in answer.before if one["method"] == "notifications/cancelled"
    ]
    assert withdrawn == [question["id"]]


async def test_that_what_happened_elsewhere_is_over_is_told_to_whom_it_was_asked(gateway, made):
    url = {"mode": "url", "elicitationId": "e-1", "message": "Pay", "url": "https://pay.example/"}
    over = {"method": "notifications/elicitation/complete", "params": {"elicitationId": "e-1"}}
    steps = (
        {"ask": {"method": "elicitation/create", "params": url}},
        {"say": json.dumps({"jsonrpc": "2.0", **over})},
    )
    made["http-legacy"].say("run", *steps, {"result": DONE})
    async with fronts.front("legacy-http", gateway, capabilities=EVERYTHING) as agent:
        agent.answering = lambda _: {"result": {"action": "accept"}}
        answer = await agent.call("http-legacy__run")
        assert answer.text == "done"
        assert [(one["method"], one["params"]) for one in answer.before] == [tuple(over.values())]


async def test_nothing_failed_inside_the_gateway(gateway):
    assert "Traceback" not in gateway.stderr
