"""Asking the agent's side: judged, recorded, put; and what comes back is its own, once, in time."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from gateway.bridge.inputs import InputAnswer, InputAsk
from gateway.core.decision import Effect
from gateway.errors import AuditUnwritable, InvalidParams, Overloaded, RequestStateRefused
from gateway.passage.passage import AgentSide
from gateway.ports import Reply
from policies.model import Restore
from tests.fakes import ALLOWED, ANA, BEN, DENIED, Desk, call_of, ok, verdict

GRANTS = frozenset({"elicitation", "roots"})
CLIENT = {"elicitation": {}, "roots": {}}
FORM = {"message": "sure?", "requestedSchema": {"type": "object", "properties": {"ok": {"type": "boolean"}}}}
CALL = call_of({"order_id": "A-1"})
YES = {"sure": {"action": "accept", "content": {"ok": True}}}


def asked(*, state="up-1", method="elicitation/create", params=FORM, key="sure"):
    result = {"resultType": "input_required", "inputRequests": {key: {"method": method, "params": params}}}
    if state is not None:
        result["requestState"] = state
    return Reply(result=json.dumps(result).encode(), kind="input_required", modern=True)


def question(method="elicitation/create", params=FORM):
    return InputAsk(method=method, params=params, raw=json.dumps(params).encode())


def desk(answer=None, *, era="modern", grants=GRANTS, **rest):
    made = Desk(*([answer] if answer else []), grants=grants, **rest)
    made.upstream.era = era
    return made


async def first_round(made, **how):
    made.upstream.replies = [asked(**how)]
    answer = await made.ask(CALL, capabilities=CLIENT)
    assert answer.asked is not None, answer
    return answer


def came_back(answer, responses=YES):
    return AgentSide(request_state=answer.asked.state, input_responses=responses)


async def test_a_question_reaches_a_modern_agent_with_a_state_and_its_answer_goes_on():
    made = desk()
    answer = await first_round(made)
    assert json.loads(answer.asked.requests)["sure"]["params"]["message"] == "orders: sure?"
    assert "up-1" not in answer.asked.state
    done = await made.ask(CALL, came_back(answer), capabilities=CLIENT)
    assert done.reply.result == ok().result
    first, second = made.upstream.sends
    assert "inputResponses" not in first.params
    assert second.params["requestState"] == "up-1"
    assert json.loads(bytes(second.params["inputResponses"]["sure"])) == YES["sure"]
    assert made.journal == [
        "policy", "intent:allow", "forward", "policy", "input_request:allow", "outcome:input_required",
        "policy", "intent:allow", "forward", "outcome:succeeded",
    ]  # fmt: skip
    assert [one.name for one in made.audit.records[3].payloads] == ["arguments", "input_responses"]


@pytest.mark.abuse(75)
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"grants": frozenset()}, "input_not_granted"),
        ({"capabilities": {"roots": {}}}, "capability_missing"),
        ({"method": "tools/call"}, "unknown_method"),
        (
            {
                "params": {"mode": "url", "message": "pay", "url": "javascript:x"},
                "capabilities": {"elicitation": {"url": {}}},
            },
            "unfit_url",
        ),
        ({"params": {**FORM, "requestedSchema": {"properties": {"password": {}}}}}, "secret_field"),
    ],
)
async def test_a_question_that_may_not_be_put_ends_the_call_and_is_recorded(changes, code):
    made = desk(grants=changes.get("grants", GRANTS))
    how = {name: changes[name] for name in ("method", "params") if name in changes}
    made.upstream.replies = [asked(**how)]
    answer = await made.ask(CALL, capabilities=changes.get("capabilities", CLIENT))
    assert answer.failure.code == "upstream_needs_input"
    assert made.audit.of("input_request")[0]["code"] == code
    assert made.audit.of("outcome")[0]["status"] == "outcome_unknown"


async def test_policy_can_deny_a_question_and_is_told_who_asks_whom():
    made = desk()
    made.upstream.replies = [asked()]

    async def evaluate(evaluation, *, deadline_s):
        made.policy.asked.append(evaluation)
        return DENIED if evaluation["action"]["name"] == "elicitation/create" else verdict(allow=True)

    made.policy.evaluate = evaluate
    answer = await made.ask(CALL, capabilities=CLIENT)
    assert answer.failure is not None
    document = made.policy.asked[-1]
    assert document["resource"]["type"] == "agent"
    assert (document["resource"]["server"], document["resource"]["name"]) == ("orders", ANA.agent)
    assert document["arguments"] == FORM
    assert "tool" not in document


async def test_a_question_that_cannot_be_recorded_is_not_put():
    made = desk()
    made.upstream.replies = [asked()]
    real = made.audit.append

    async def append(*records):
        if records[0].kind == "input_request":
            raise AuditUnwritable("full")
        return await real(*records)

    made.audit.append = append
    with pytest.raises(AuditUnwritable):
        await made.ask(CALL, capabilities=CLIENT)


@pytest.mark.abuse(37)
async def test_a_state_is_good_once_for_its_owner_its_call_and_its_time():
    made = desk()
    answer = await first_round(made)
    forwarded = len(made.upstream.sends)
    wrong = [
        (CALL, AgentSide(request_state=answer.asked.state[:-2] + "xx", input_responses=YES), ANA),
        (CALL, came_back(answer), BEN),
        (call_of({"order_id": "A-2"}), came_back(answer), ANA),
    ]
    for call, side, who in wrong:
        with pytest.raises(RequestStateRefused):
            await made.enforcement.handle(call, _caller(who), side)
    assert len(made.upstream.sends) == forwarded
    assert made.audit.of("outcome")[-1]["code"] == "request_state_refused"
    assert (await made.ask(CALL, came_back(answer), capabilities=CLIENT)).reply is not None
    with pytest.raises(RequestStateRefused, match="used before"):
        await made.ask(CALL, came_back(answer), capabilities=CLIENT)
    late = await first_round(made)
    made.clock.forward(61)
    with pytest.raises(RequestStateRefused, match="expired"):
        await made.ask(CALL, came_back(late), capabilities=CLIENT)


def _caller(principal):
    from tests.fakes import caller

    return caller(principal, capabilities=CLIENT)


@pytest.mark.abuse(38)
async def test_what_nobody_asked_for_is_dropped_and_policy_decides_again():
    made = desk()
    answer = await first_round(made)
    brought = {**YES, "other": {"action": "accept"}}
    await made.ask(CALL, came_back(answer, brought), capabilities=CLIENT)
    assert made.upstream.sends[-1].params["inputResponses"].keys() == {"sure"}
    asked_before = len(made.policy.asked)
    await made.ask(CALL, AgentSide(input_responses=YES), capabilities=CLIENT)
    assert "inputResponses" not in made.upstream.sends[-1].params
    assert len(made.policy.asked) == asked_before + 1
    answer = await first_round(made)
    made.policy.answer = DENIED
    denied = await made.ask(CALL, came_back(answer), capabilities=CLIENT)
    assert denied.decision.effect is Effect.DENY
    assert made.journal[-1] == "outcome:refused"


async def test_a_server_without_a_state_may_be_answered_without_ours_for_a_while():
    made = desk()
    await first_round(made, state=None)
    brought = {**YES, "other": {"action": "accept"}}
    await made.ask(CALL, AgentSide(input_responses=brought), capabilities=CLIENT)
    assert made.upstream.sends[-1].params["inputResponses"].keys() == {"sure"}
    assert "requestState" not in made.upstream.sends[-1].params
    made.clock.forward(61)
    await made.ask(CALL, AgentSide(input_responses=brought), capabilities=CLIENT)
    assert "inputResponses" not in made.upstream.sends[-1].params


async def test_an_answer_that_is_not_of_its_form_is_refused_by_name():
    made = desk()
    answer = await first_round(made)
    with pytest.raises(InvalidParams, match="inputResponses/sure"):
        await made.ask(CALL, came_back(answer, {"sure": 5}), capabilities=CLIENT)
    # The state was not used up by that.
    assert (await made.ask(CALL, came_back(answer), capabilities=CLIENT)).reply is not None


async def test_a_modern_upstream_asks_an_older_agent_while_its_request_is_open():
    made = desk()
    made.upstream.replies = [asked()]
    put = []

    async def ask_agent(ask):
        put.append(ask)
        return InputAnswer(result=b'{"action":"accept","content":{"ok":true}}')

    answer = await made.ask(CALL, AgentSide(ask_agent=ask_agent), era="legacy", capabilities=CLIENT)
    assert answer.reply.result == ok().result
    assert [one.params["message"] for one in put] == ["orders: sure?"]
    assert made.upstream.sends[-1].params["requestState"] == "up-1"
    assert made.journal[-1] == "outcome:succeeded"


async def test_an_older_agent_that_answers_with_an_error_has_cancelled_a_form_and_ended_anything_else():
    async def refuses(ask):
        return InputAnswer(error=b'{"code":-1,"message":"no"}')

    made = desk()
    made.upstream.replies = [asked()]
    await made.ask(CALL, AgentSide(ask_agent=refuses), era="legacy", capabilities=CLIENT)
    assert json.loads(bytes(made.upstream.sends[-1].params["inputResponses"]["sure"])) == {"action": "cancel"}
    made.upstream.replies = [asked(method="roots/list", params={})]
    answer = await made.ask(CALL, AgentSide(ask_agent=refuses), era="legacy", capabilities=CLIENT)
    assert answer.failure.code == "upstream_needs_input"


async def test_a_placeholder_that_an_upstream_is_trusted_with_stays_put_back_after_it_has_asked():
    trusted = Restore(code="trusted", kind="email", rule="toolgate.rules.support")
    made = desk(replace(ALLOWED, restores=(trusted,)))
    made.screen.behind = {"[EMAIL:0123456789ab]": "ana@example.com"}
    made.upstream.replies = [asked(), asked(state=None)]

    async def agrees(ask):
        return InputAnswer(result=b'{"action":"accept"}')

    call = call_of({"order_id": "[EMAIL:0123456789ab]"})
    await made.ask(call, AgentSide(ask_agent=agrees), era="legacy", capabilities=CLIENT)
    assert [one.params["arguments"] for one in made.upstream.sends] == [{"order_id": "ana@example.com"}] * 3
    assert ["requestState" in one.params for one in made.upstream.sends] == [False, True, False]


async def test_an_upstream_that_asks_for_ever_is_stopped():
    made = desk()
    made.upstream.replies = [asked() for _ in range(100)]

    async def agrees(ask):
        return InputAnswer(result=b'{"action":"accept"}')

    answer = await made.ask(CALL, AgentSide(ask_agent=agrees), era="legacy", capabilities=CLIENT)
    assert answer.failure.code == "upstream_needs_input"
    assert len(made.upstream.sends) < 50


async def test_an_older_upstream_asks_an_older_agent_and_hears_why_not():
    made = desk(era="legacy", grants=frozenset({"elicitation"}))
    made.upstream.asks = (question(), question("roots/list", {}))

    async def agrees(ask):
        return InputAnswer(result=b'{"action":"accept"}')

    answer = await made.ask(CALL, AgentSide(ask_agent=agrees), era="legacy", capabilities=CLIENT)
    assert answer.reply is not None
    yes, no = made.upstream.answers
    assert yes.result == b'{"action":"accept"}'
    assert b"input_not_granted" in no.error


async def test_a_call_to_an_older_upstream_waits_parked_until_the_modern_agent_comes_back():
    made = desk(era="legacy")
    made.upstream.asks = (question(), question("roots/list", {}))
    first = await made.ask(CALL, capabilities=CLIENT)
    [key] = json.loads(first.asked.requests)
    second = await made.ask(CALL, came_back(first, {key: {"action": "decline"}}), capabilities=CLIENT)
    [other] = json.loads(second.asked.requests)
    assert other != key
    done = await made.ask(CALL, came_back(second, {other: {"roots": []}}), capabilities=CLIENT)
    assert done.reply.result == ok().result
    assert len(made.upstream.sends) == 1, "one call upstream, over three requests of the agent"
    statuses = [one["status"] for one in made.audit.of("outcome")]
    assert statuses == ["input_required", "input_required", "succeeded"]


async def test_an_answer_that_is_missing_is_asked_for_again():
    made = desk(era="legacy")
    made.upstream.asks = (question(),)
    first = await made.ask(CALL, capabilities=CLIENT)
    again = await made.ask(CALL, came_back(first, {}), capabilities=CLIENT)
    assert json.loads(again.asked.requests) == json.loads(first.asked.requests)
    [key] = json.loads(again.asked.requests)
    assert (await made.ask(CALL, came_back(again, {key: {"action": "cancel"}}), capabilities=CLIENT)).reply


async def test_a_parked_call_is_withdrawn_when_policy_no_longer_allows_it():
    made = desk(era="legacy")
    made.upstream.asks = (question(),)
    first = await made.ask(CALL, capabilities=CLIENT)
    [key] = json.loads(first.asked.requests)
    made.policy.answer = DENIED
    denied = await made.ask(CALL, came_back(first, {key: {"action": "accept"}}), capabilities=CLIENT)
    assert denied.decision.effect is Effect.DENY
    await asyncio.sleep(0)
    assert made.upstream.answers == []


async def test_calls_parked_by_one_principal_are_bounded():
    made = desk(era="legacy")
    made.upstream.asks = (question(),)
    for _ in range(16):
        assert (await made.ask(CALL, capabilities=CLIENT)).asked is not None
    with pytest.raises(Overloaded):
        await made.ask(CALL, capabilities=CLIENT)
    assert made.audit.of("outcome")[-1]["status"] == "not_sent"
    made.rounds.close()
