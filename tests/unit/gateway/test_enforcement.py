"""One governed call: the order of its effects, and what happens when a part fails."""

from __future__ import annotations

import asyncio
import json

import pytest

from durable.holds.finding import counts
from gateway.core.decision import Effect
from gateway.errors import (
    AuditUnwritable,
    InvalidArguments,
    PolicyUnanswered,
    UnknownTool,
    UpstreamGone,
    UpstreamUnreachable,
)
from gateway.passage.passage import AgentSide
from gateway.ports import Notice, Reply
from policies.errors import PolicyTimeout, PolicyUnavailable
from tests.fakes import ANA, BEN, DENIED, HELD, Desk, call_of, definition, ok, sent_arguments, verdict
from tests.held_fakes import held_flow


async def test_the_intent_is_durable_before_the_call_is_forwarded():
    desk = Desk()
    answer = await desk.refund()
    assert answer.reply.result == ok().result
    assert desk.journal == ["policy", "intent:allow", "forward", "outcome:succeeded"]


@pytest.mark.abuse(112)
async def test_nothing_is_forwarded_when_the_intent_cannot_be_written():
    desk = Desk()
    desk.audit.fails = True
    with pytest.raises(AuditUnwritable):
        await desk.refund()
    assert desk.journal == ["policy"]
    desk.audit.fails = False
    await desk.refund()
    assert desk.journal[-2:] == ["forward", "outcome:succeeded"]


async def test_a_denied_call_is_recorded_and_not_forwarded():
    desk = Desk(DENIED)
    answer = await desk.refund()
    assert answer.decision.effect is Effect.DENY
    assert (answer.reply, answer.failure) == (None, None)
    assert desk.journal == ["policy", "intent:deny", "outcome:refused"]
    assert desk.audit.of("outcome")[0]["code"] == "foreign_currency"


async def test_a_held_call_is_recorded_and_not_forwarded():
    desk = Desk(HELD)
    flow = await held_flow(desk, principals=[ANA])
    answer = await desk.refund()
    assert answer.decision.effect is Effect.HOLD
    assert answer.hold is not None
    assert desk.journal == ["policy", "intent:hold", "outcome:held"]
    assert await flow.store.read(counts) == {"approved": 0, "executing": 0, "held": 1, "outcome_unknown": 0}


async def test_a_call_that_nobody_can_decide_is_denied():
    desk = Desk(HELD)
    answer = await desk.refund()
    assert answer.decision.codes == ("cannot_be_held",)
    assert desk.journal == ["policy", "intent:deny", "outcome:refused"]


@pytest.mark.abuse(61)
async def test_a_call_that_no_rule_mentions_is_denied():
    desk = Desk(verdict())
    answer = await desk.refund()
    assert answer.decision.codes == ("not_allowed",)
    assert "forward" not in desk.journal


@pytest.mark.abuse(53)
@pytest.mark.parametrize("failure", [PolicyUnavailable("gone"), PolicyTimeout("late")])
async def test_without_an_answer_from_policy_the_call_is_refused_and_recorded(failure):
    desk = Desk(failure)
    with pytest.raises(PolicyUnanswered) as caught:
        await desk.refund()
    assert failure.reason not in caught.value.reason, "rules and files are the operator's"
    assert desk.journal == ["policy", "intent:deny", "outcome:refused"]
    assert desk.audit.of("outcome")[0]["code"] == failure.code


@pytest.mark.abuse(42)
async def test_an_unknown_tool_is_refused_and_recorded_without_asking_policy():
    desk = Desk(offered=())
    with pytest.raises(UnknownTool):
        await desk.refund()
    assert desk.journal == ["intent:deny", "outcome:refused"]
    assert desk.audit.of("outcome")[0]["code"] == "unknown_tool"


async def test_arguments_that_do_not_match_the_schema_never_reach_policy():
    desk = Desk()
    with pytest.raises(InvalidArguments):
        await desk.refund(order_id=5)
    assert desk.journal == ["intent:deny", "outcome:refused"]
    assert desk.policy.asked == []


@pytest.mark.abuse(56)
async def test_policy_log_and_upstream_see_the_same_arguments():
    desk = Desk()
    await desk.refund(order_id="A-1", amount=40.0)
    (send,) = desk.upstream.sends
    assert sent_arguments(send) == b'{"amount":40,"order_id":"A-1"}'
    assert desk.policy.asked[0]["arguments"] == send.arguments == json.loads(sent_arguments(send))
    (payload,) = desk.audit.records[0].payloads
    assert payload.body == sent_arguments(send)


async def test_no_argument_or_result_value_stands_in_a_record():
    desk = Desk(reply=ok("s3cret-result"))
    await desk.refund(order_id="s3cret-argument")
    assert all("s3cret" not in json.dumps(dict(record.members)) for record in desk.audit.records)
    assert [len(record.payloads) for record in desk.audit.records] == [1, 1]


async def test_in_shadow_mode_a_denied_call_is_forwarded_and_the_record_says_both():
    desk = Desk(DENIED, shadow=True)
    answer = await desk.refund()
    assert answer.reply is not None
    (intent,) = desk.audit.of("intent")
    assert (intent["effect"], intent["would"], intent["mode"]) == ("allow", "deny", "shadow")
    assert intent["code"] == "foreign_currency"
    assert desk.journal == ["policy", "intent:allow", "forward", "outcome:succeeded"]


async def test_in_shadow_mode_a_silent_policy_does_not_block_and_is_recorded():
    desk = Desk(PolicyTimeout("late"), shadow=True)
    await desk.refund()
    (intent,) = desk.audit.of("intent")
    assert (intent["would"], intent["code"]) == ("deny", "policy_timeout")


async def test_shadow_mode_still_refuses_what_is_no_call():
    desk = Desk(shadow=True, offered=())
    with pytest.raises(UnknownTool):
        await desk.refund()
    assert "forward" not in desk.journal


async def test_an_allowed_call_in_shadow_mode_has_nothing_to_add():
    desk = Desk(shadow=True)
    await desk.refund()
    assert "would" not in desk.audit.of("intent")[0]


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (UpstreamUnreachable("no connection", sent=False), "not_sent"),
        (UpstreamGone("hung up", sent=True), "outcome_unknown"),
        (UpstreamGone("never started", sent=False), "not_sent"),
    ],
)
async def test_an_upstreams_failure_is_recorded_by_what_is_known_of_the_request(failure, status):
    desk = Desk(reply=failure)
    answer = await desk.refund()
    assert answer.failure is failure
    (outcome,) = desk.audit.of("outcome")
    assert (outcome["status"], outcome["code"]) == (status, failure.code)


async def test_a_tools_own_error_is_a_success_with_a_mark():
    desk = Desk(reply=ok(isError=True))
    await desk.refund()
    (outcome,) = desk.audit.of("outcome")
    assert (outcome["status"], outcome["is_error"]) == ("succeeded", True)


async def test_an_upstreams_protocol_error_is_a_failure_and_passed_on():
    error = b'{"code":-32000,"message":"no"}'
    desk = Desk(reply=Reply(error=error))
    answer = await desk.refund()
    assert answer.reply.error == error
    (outcome,) = desk.audit.of("outcome")
    assert (outcome["status"], outcome["code"]) == ("failed", "upstream_rpc_error")


async def test_a_fault_of_the_gateway_while_a_call_runs_leaves_no_intent_without_an_end():
    desk = Desk()

    async def broken(*_, **__):
        raise RuntimeError("a fault")

    desk.upstream.call = broken
    with pytest.raises(RuntimeError):
        await desk.refund()
    assert desk.journal == ["policy", "intent:allow", "outcome:outcome_unknown"]
    assert desk.audit.of("outcome")[0]["code"] == "internal_failure"


async def test_a_call_cancelled_while_it_runs_has_an_unknown_outcome():
    desk = Desk(reply="never")
    running = asyncio.ensure_future(desk.refund())
    await desk.upstream.entered.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert desk.journal == ["policy", "intent:allow", "forward", "outcome:outcome_unknown"]
    assert desk.telemetry.ends[0].error_type == "cancelled"


async def test_a_call_cancelled_while_its_intent_is_written_is_marked_not_sent():
    desk = Desk()
    desk.audit.gate = asyncio.Event()
    running = asyncio.ensure_future(desk.refund())
    while "policy" not in desk.journal:
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert desk.journal == ["policy", "outcome:not_sent"]


async def test_intent_and_outcome_are_joined_by_one_id():
    desk = Desk()
    await desk.refund()
    await desk.refund()
    assert [one["call"] for one in desk.audit.of("intent")] == ["call-1", "call-2"]
    assert [one["call"] for one in desk.audit.of("outcome")] == ["call-1", "call-2"]


async def test_the_intent_says_who_what_and_by_which_policy():
    desk = Desk()
    await desk.refund(principal=BEN)
    (record,) = [one for one in desk.audit.records if one.kind == "intent"]
    assert record.tenant == "acme"
    members = record.members
    assert (members["subject"], members["agent"], members["tool"]) == (
        "ben@example.com",
        "desk",
        "orders/refund_order",
    )
    assert (members["revision"], members["definition"]) == ("r1", definition().digest)
    assert len(members["digest"]) == 64


@pytest.mark.abuse(34)
async def test_upstream_sessions_are_kept_apart_by_principal():
    desk = Desk()
    await desk.refund(principal=ANA)
    await desk.refund(principal=BEN)
    assert desk.upstream.sends[0].session_key != desk.upstream.sends[1].session_key


async def test_progress_is_asked_for_only_if_somebody_listens():
    desk = Desk()
    said = Notice(method="notifications/progress", params={})
    desk.upstream.notices = (said,)
    heard = []

    async def sink(notice):
        heard.append(notice)

    await desk.ask(call_of({"order_id": "A"}), AgentSide(on_notice=sink, wants_progress=True))
    await desk.refund()
    assert heard == [said]
    assert [send.wants_progress for send in desk.upstream.sends] == [True, False]


@pytest.mark.parametrize(
    ("answer", "reply", "error_type"),
    [
        (None, None, ""),
        (DENIED, None, "foreign_currency"),
        (HELD, None, "cannot_be_held"),
        (None, UpstreamGone("x", sent=True), "upstream_gone"),
        (None, ok(isError=True), "tool_error"),
        (None, Reply(error=b'{"code":1,"message":""}'), "upstream_rpc_error"),
    ],
)
async def test_telemetry_hears_how_each_call_ended(answer, reply, error_type):
    desk = Desk(reply=reply) if answer is None else Desk(answer)
    await desk.refund()
    (end,) = desk.telemetry.ends
    assert (end.error_type, end.target, end.call_id) == (error_type, "orders/refund_order", "call-1")
