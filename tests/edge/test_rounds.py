"""What an agent brings back: request states and answers to questions (abuse cases 37 and 38)."""

from __future__ import annotations

import json
import threading
import time

import pytest

from tests.edge.raw import PREFIX, modern_message

CAPABILITIES = {"elicitation": {"form": {}, "url": {}}, "sampling": {}, "roots": {}}
META = {PREFIX + "clientCapabilities": CAPABILITIES}
FIELDS = {"type": "object", "properties": {"colour": {"type": "string"}}}
FORM = {"mode": "form", "message": "which?", "requestedSchema": FIELDS}
RED = {"action": "accept", "content": {"colour": "red"}}
SECRET_STATE = "upstream-state-canary"


def in_rounds(heard):
    """A server of 2026-07-28: asks once, then says what it was told."""
    if heard.params.get("requestState") == SECRET_STATE:
        return {"content": [{"type": "text", "text": json.dumps(heard.params.get("inputResponses", {}))}]}
    asked = {"colour": {"method": "elicitation/create", "params": FORM}}
    return {"resultType": "input_required", "inputRequests": asked, "requestState": SECRET_STATE}


def meanwhile(heard):
    """A server before it: asks while the call is open."""
    answer = heard.ask("elicitation/create", FORM)
    return {"content": [{"type": "text", "text": json.dumps(answer and answer.get("result"))}]}


@pytest.fixture(params=["new", "old"])
def asking(world, request):
    """Both kinds of server, asking; yields the id of the upstream."""
    doing = {"tools_call": in_rounds, "prompts_get": in_rounds, "resources_read": in_rounds}
    with world.new.doing(**doing), world.hasty.doing(**doing), world.old.doing(tools_call=meanwhile):
        yield request.param


def call(world, upstream, *, tool="get", arguments=None, who="ana", **rest):
    """A call of a tool; what is not about the HTTP request becomes a parameter."""
    about_http = {name: rest.pop(name) for name in ("headers", "path", "wait_s") if name in rest}
    params = {"name": f"{upstream}__{tool}", "arguments": arguments or {}, **rest}
    return world.gateway.ask(modern_message(params=params, meta=META), who=who, **about_http)


def begun(world, upstream, **rest):
    """A call that was answered with a question: its state, and what to answer."""
    answer = call(world, upstream, **rest)
    assert answer.result["resultType"] == "input_required"
    assert SECRET_STATE.encode() not in answer.body
    (asked,) = answer.result["inputRequests"].items()
    assert asked[1]["params"]["message"] == f"{upstream}: which?"
    return answer.result["requestState"], {asked[0]: RED}


def told(answer):
    """What the server was told in the end."""
    found = json.loads(answer.text)
    return found.get("colour", found)


def test_an_answer_is_carried_to_whom_it_is_for(world, asking):
    state, responses = begun(world, asking)
    assert told(call(world, asking, requestState=state, inputResponses=responses)) == RED


def edits(state):
    middle = len(state) // 2
    for at in (0, 1, middle, len(state) - 2):
        other = "A" if state[at] != "A" else "B"
        yield state[:at] + other + state[at + 1 :]
    yield from (state[:-4], state[4:], state + "AAAA", state + "=", state + "==", state + "\n", " " + state)
    yield from (state * 2, state[::-1], state.swapcase(), state[:middle], "", ".", "é", "\0", "x" * 900_000)
    yield from (SECRET_STATE, json.dumps({"call": "x"}))


@pytest.mark.abuse(37)
def test_a_state_that_was_edited_is_refused(world, asking):
    state, responses = begun(world, asking)
    with world.gateway.unharmed("request_state_refused"):
        for edited in edits(state):
            answer = call(world, asking, requestState=edited, inputResponses=responses)
            assert (answer.status, answer.error, answer.code) == (400, -32602, "request_state_refused"), (
                edited[:80]
            )
            assert SECRET_STATE.encode() not in answer.body
        for wrong in (5, {}, [state], True):
            assert call(world, asking, requestState=wrong, inputResponses=responses).error == -32602
    # None of the attempts has used it up.
    assert told(call(world, asking, requestState=state, inputResponses=responses)) == RED


@pytest.mark.abuse(37)
def test_a_state_is_good_once(world, asking):
    state, responses = begun(world, asking)
    assert told(call(world, asking, requestState=state, inputResponses=responses)) == RED
    with world.gateway.unharmed("request_state_refused"):
        for _ in range(3):
            answer = call(world, asking, requestState=state, inputResponses=responses)
            assert (answer.status, answer.code) == (400, "request_state_refused")


@pytest.mark.abuse(37)
def test_of_many_that_bring_a_state_back_at_once_one_goes_on(world, asking):
    state, responses = begun(world, asking)
    calls = len(world.gateway.servers[1].calls) + len(world.gateway.servers[2].calls)
    answers = []

    def bring():
        answers.append(call(world, asking, requestState=state, inputResponses=responses))

    threads = [threading.Thread(target=bring) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status for answer in answers) == [200] + [400] * 11
    sent = len(world.gateway.servers[1].calls) + len(world.gateway.servers[2].calls) - calls
    assert sent == (1 if asking == "new" else 0)


@pytest.mark.abuse(37)
def test_a_state_is_good_for_its_own_request_and_principal_only(world, asking):
    state, responses = begun(world, asking)
    brought = {"requestState": state, "inputResponses": responses}
    other = "old" if asking == "new" else "new"
    elsewhere, _ = begun(world, asking, arguments={"n": 2})
    with world.gateway.unharmed("request_state_refused"):
        for changed in (
            {"who": "ben"},
            {"who": "cap"},
            {"arguments": {"n": 1}},
            {"arguments": {"colour": "red"}},
            {"requestState": elsewhere},
        ):
            answer = call(world, asking, **{**brought, **changed})
            assert (answer.status, answer.code) == (400, "request_state_refused"), changed
        assert call(world, asking, tool="put", **brought).code == "request_state_refused"
        assert call(world, other, **brought).code == "request_state_refused"
        for method, params in (
            ("prompts/get", {"name": f"{asking}__greet", "arguments": {}}),
            ("resources/read", {"uri": "note://one"}),
        ):
            message = modern_message(method, params | brought, meta=META)
            assert world.gateway.ask(message, path="/mcp").status == 400
    assert told(call(world, asking, **brought)) == RED


@pytest.mark.abuse(37)
def test_a_state_is_good_on_either_route_but_only_where_it_began(world, asking):
    # The route is no part of the call: names differ, what is called does not.
    state, responses = begun(world, asking)
    params = {"name": "get", "arguments": {}, "requestState": state, "inputResponses": responses}
    message = modern_message(params=params, meta=META)
    with world.gateway.unharmed("request_state_refused"):
        assert world.gateway.ask(message, path="/s/hasty/mcp").code == "request_state_refused"
    assert told(world.gateway.ask(message, path=f"/s/{asking}/mcp")) == RED


@pytest.mark.abuse(37)
@pytest.mark.parametrize("asking", ["new"], indirect=True)
def test_a_state_that_has_expired_is_refused(world, asking):
    state, responses = begun(world, "hasty")
    in_time, answers = begun(world, "hasty")
    assert told(call(world, "hasty", requestState=in_time, inputResponses=answers)) == RED
    time.sleep(2.1)
    with world.gateway.unharmed("request_state_refused"):
        answer = call(world, "hasty", requestState=state, inputResponses=responses)
        assert (answer.status, answer.code) == (400, "request_state_refused")


@pytest.mark.abuse(37)
@pytest.mark.parametrize("asking", ["new"], indirect=True)
def test_a_state_that_could_never_be_brought_back_is_not_handed_out(world, asking):
    def large(heard):
        return {"resultType": "input_required", "inputRequests": {}, "requestState": "s" * 2_000_000}

    with world.gateway.unharmed_calls("upstream_garbled"), world.new.doing(tools_call=large):
        result = call(world, "new").result
        assert result["isError"]
        assert result["_meta"]["dev.toolgate/failure"]["code"] == "upstream_garbled"


@pytest.mark.abuse(38)
def test_answers_that_nobody_asked_for_are_dropped(world, asking):
    unasked = {"inputResponses": {"colour": RED, "ask-1": RED, "__proto__": RED}}
    # Without a state there was no question: the call is as any other, and begins anew.
    state, responses = begun(world, asking, arguments={"n": 38}, **unasked)
    if asking == "new":
        assert "inputResponses" not in world.new.calls[-1].params
    more = {**responses, "other": RED, "ask-99": RED, "__proto__": {"polluted": 1}}
    answer = call(world, asking, arguments={"n": 38}, requestState=state, inputResponses=more)
    assert told(answer) == RED
    if asking == "new":
        assert world.new.calls[-1].params["inputResponses"] == responses


@pytest.mark.abuse(38)
@pytest.mark.parametrize("asking", ["new"], indirect=True)
def test_answers_to_a_server_without_a_state_reach_it_from_whom_it_asked_only(world, asking):
    def stateless(heard):
        if "inputResponses" in heard.params:
            return {"content": [{"type": "text", "text": json.dumps(heard.params["inputResponses"])}]}
        asked = {"colour": {"method": "elicitation/create", "params": FORM}}
        return {"resultType": "input_required", "inputRequests": asked}

    with world.new.doing(tools_call=stateless):
        state, responses = begun(world, "new", arguments={"n": 1})
        more = {**responses, "other": RED}
        for changed in ({"who": "ben", "arguments": {"n": 1}}, {"arguments": {"n": 2}}):
            # To another call these are answers that nobody asked for: it is asked itself.
            assert begun(world, "new", inputResponses=more, **changed)
        answer = call(world, "new", arguments={"n": 1}, inputResponses=more)
        assert json.loads(answer.text) == responses
        answer = call(world, "new", arguments={"n": 1}, requestState=state, inputResponses=more)
        assert json.loads(answer.text) == responses


@pytest.mark.abuse(38)
@pytest.mark.parametrize(
    "wrong",
    [
        None,
        [],
        "yes",
        5,
        {},
        {"action": "maybe"},
        {"action": None},
        {"action": "accept", "content": []},
        {"action": "accept", "content": "x"},
    ],
)
def test_an_answer_of_another_form_is_refused(world, asking, wrong):
    state, responses = begun(world, asking)
    with world.gateway.unharmed("request_state_refused"):
        answer = call(world, asking, requestState=state, inputResponses=dict.fromkeys(responses, wrong))
        assert (answer.status, answer.code) == (400, "request_state_refused")
    with world.gateway.unharmed("invalid_params"):
        for shape in ([], "x", 5):
            assert call(world, asking, requestState=state, inputResponses=shape).error == -32602
    assert told(call(world, asking, requestState=state, inputResponses=responses)) == RED


@pytest.mark.abuse(38)
def test_policy_decides_anew_when_a_call_is_carried_on(world, asking):
    state, responses = begun(world, asking)
    frozen = (("Toolgate-Step", "frozen"),)
    brought = {"requestState": state, "inputResponses": responses}
    with world.gateway.unharmed("frozen"):
        result = call(world, asking, headers=frozen, **brought).result
        assert result["isError"]
        assert "frozen" in result["content"][0]["text"]
    # A call that was begun under an allowance that no longer stands is over, also at its server.
    if asking == "old":
        world.gateway.until(lambda: world.old.of("notifications/cancelled"), within_s=5)
    with world.gateway.unharmed("request_state_refused"):
        assert call(world, asking, **brought).code == "request_state_refused"


@pytest.mark.abuse(38)
def test_arguments_that_do_not_fit_are_held_against_the_schema_again(world, asking):
    state, responses = begun(world, asking)
    brought = {"requestState": state, "inputResponses": responses}
    with world.gateway.unharmed():
        for wrong in ([], "x", None):
            params = {"name": f"{asking}__get", "arguments": wrong, **brought}
            assert world.gateway.ask(modern_message(params=params, meta=META)).error == -32602
    assert told(call(world, asking, **brought)) == RED


@pytest.mark.abuse(38)
def test_large_and_deep_answers_cost_little(world, asking):
    large = {"action": "accept", "content": {"colour": "x" * 900_000}}
    deep = {"action": "accept", "content": {"colour": json.loads("[" * 50 + "]" * 50)}}
    too_deep = {"action": "accept", "content": {"colour": json.loads("[" * 70 + "]" * 70)}}
    with (
        world.gateway.unharmed_calls("malformed_message", "wire_refused"),
        world.gateway.grows_at_most_mib(48),
    ):
        for answer in (large, deep):
            state, responses = begun(world, asking)
            brought = dict.fromkeys(responses, answer)
            assert told(call(world, asking, requestState=state, inputResponses=brought)) == answer
        state, responses = begun(world, asking)
        brought = dict.fromkeys(responses, too_deep)
        assert call(world, asking, requestState=state, inputResponses=brought).status == 400
        brought = dict.fromkeys(responses, "x" * 1_100_000)
        assert call(world, asking, requestState=state, inputResponses=brought).status == 413


@pytest.mark.abuse(10)
@pytest.mark.abuse(38)
@pytest.mark.parametrize("asking", ["old"], indirect=True)
def test_calls_that_wait_for_answers_are_capped_for_one_agent(world, asking):
    with world.gateway.unharmed_calls("agent_over_limit"):
        answers = [call(world, asking, who="cap", arguments={"n": number}) for number in range(18)]
        assert [answer.status for answer in answers] == [200] * 16 + [429] * 2
        assert answers[-1].headers["retry-after"] == "1"
        # Nobody else has noticed.
        state, responses = begun(world, asking)
        assert told(call(world, asking, requestState=state, inputResponses=responses)) == RED
        for number, answer in enumerate(answers[:16]):
            (key,) = answer.result["inputRequests"]
            rest = {
                "requestState": answer.result["requestState"],
                "inputResponses": {key: {"action": "decline"}},
            }
            assert told(call(world, asking, who="cap", arguments={"n": number}, **rest)) == {
                "action": "decline"
            }
