"""What is in questions and in answers: policy is told, the session is labelled, the log counts, and obligations hold."""

from __future__ import annotations

import json

import pytest

from gateway.bridge.inputs import InputAnswer, InputAsk
from gateway.core.decision import Effect
from gateway.core.obligations import Treatment
from gateway.errors import ApprovalsUnavailable, ScanUnfinished
from gateway.passage.passage import AgentSide
from gateway.ports import Reply
from policies.model import Denial, Duty
from tests.fakes import ALLOWED, Desk, PlainScreen, call_of, hold_rule, ok, verdict

GRANTS = frozenset({"elicitation", "sampling", "roots"})
CLIENT = {"elicitation": {}, "sampling": {}, "roots": {}}
FIELDS = {"type": "object", "properties": {"note": {"type": "string"}}}
CALL = call_of({"order_id": "A-1"})
CANARY = "hunter2"
IN_QUESTION = {"family": "secret", "kind": "password", "rule": "plain", "where": "arguments"}
IN_ANSWERS = {**IN_QUESTION, "where": "answers"}
NO = verdict(denials=(Denial(code="not_this", message="not with that in it", would_pass="without it"),))


def form(message="which?"):
    return {"message": message, "requestedSchema": FIELDS}


def sample(text):
    return {"messages": [{"role": "user", "content": {"type": "text", "text": text}}], "maxTokens": 5}


QUESTIONS = {"elicitation/create": form, "sampling/createMessage": sample}
each_question = pytest.mark.parametrize("method", QUESTIONS)


def required(params, method="elicitation/create"):
    asked = {"q": {"method": method, "params": params}}
    result = {"resultType": "input_required", "inputRequests": asked, "requestState": "s"}
    return Reply(result=json.dumps(result).encode(), kind="input_required", modern=True)


class Policy:
    """Says yes, but for what `says` answers to an evaluation."""

    def __init__(self, says):
        self.says, self.asked = says, []

    async def evaluate(self, evaluation, *, deadline_s):
        self.asked.append(evaluation)
        return self.says(evaluation) or ALLOWED

    def of(self, action):
        return [one["context"] for one in self.asked if one["action"]["name"] == action]


class Talk:
    """One call in which its upstream asks something; both eras on both sides."""

    def __init__(self, agent="modern", upstream="modern", *, says=lambda _: None, answer="fine", **desk):
        self.agent, self.upstream = agent, upstream
        self.desk = Desk(grants=GRANTS, **desk)
        self.desk.upstream.era = upstream
        self.policy = Policy(says)
        self.desk.enforcement._policy = self.desk.rounds._judging._policy = self.policy
        self.answer = answer
        self.put = []
        self.labels_when_put = None

    def _answered(self, method):
        if method == "sampling/createMessage":
            return {"role": "assistant", "content": {"type": "text", "text": self.answer}, "model": "m"}
        return {"action": "accept", "content": {"note": self.answer}}

    async def _ask_agent(self, ask):
        self.put.append(ask.params)
        self.labels_when_put = self.desk.screen.session_labels
        return InputAnswer(result=json.dumps(self._answered(ask.method)).encode())

    async def run(self, params=None, method="elicitation/create", call=CALL):
        params = form() if params is None else params
        if self.upstream == "modern":
            self.desk.upstream.replies = [required(params, method)]
        else:
            raw = json.dumps(params).encode()
            self.desk.upstream.asks = (InputAsk(method=method, params=params, raw=raw),)
        about = {"era": self.agent, "capabilities": CLIENT}
        if self.agent == "legacy":
            return await self.desk.ask(call, AgentSide(ask_agent=self._ask_agent), **about)
        first = await self.desk.ask(call, **about)
        if first.asked is None:
            return first
        ((key, asked),) = json.loads(first.asked.requests).items()
        self.put.append(asked["params"])
        self.labels_when_put = self.desk.screen.session_labels
        brought = AgentSide(request_state=first.asked.state, input_responses={key: self._answered(method)})
        return await self.desk.ask(call, brought, **about)

    @property
    def heard(self):
        """What the upstream was answered, if anything."""
        if self.upstream == "modern":
            brought = self.desk.upstream.sends[-1].params.get("inputResponses", {})
            return json.loads(bytes(brought["q"])) if brought else None
        found = self.desk.upstream.answers
        return json.loads(found[-1].result) if found and found[-1].result else None

    @property
    def said_no(self):
        """Why a question was not put or its answer not carried, in words, to whom it concerns."""
        return [json.loads(one.error)["message"] for one in self.desk.upstream.answers if one.error]


each_way = pytest.mark.parametrize(
    ("agent", "upstream"), [(agent, upstream) for agent in ("modern", "legacy") for upstream in ("modern", "legacy")]
)  # fmt: skip


def why(talk, answer):
    """The reason that the upstream was given, or that its call ended with."""
    return talk.said_no[0] if talk.said_no else answer.failure.reason


@each_way
@each_question
async def test_policy_is_told_what_is_in_a_question_and_what_its_session_came_upon(agent, upstream, method):
    talk = Talk(agent, upstream)
    talk.desk.screen.session_labels = frozenset({"private-data"})
    await talk.run(QUESTIONS[method](f"is {CANARY} yours?"), method)
    [context] = talk.policy.of(method)
    assert context["findings"] == [IN_QUESTION]
    assert context["session"]["labels"] == ["private-data"], "what it came upon before this question"
    plain = Talk(agent, upstream)
    await plain.run(QUESTIONS[method]("is it yours?"), method)
    [context] = plain.policy.of(method)
    assert (context["findings"], context["session"]["labels"]) == ([], []), "control"


@pytest.mark.abuse(75)
@each_way
@each_question
async def test_a_question_is_put_cleaned_and_its_session_is_labelled_before(agent, upstream, method):
    talk = Talk(agent, upstream)
    answer = await talk.run(QUESTIONS[method](f"is {CANARY} yours?"), method)
    assert answer.reply.result == ok().result
    [shown] = talk.put
    assert "[REDACTED]" in json.dumps(shown)
    assert CANARY not in json.dumps(shown)
    assert talk.labels_when_put == {"secret-seen"}
    plain = Talk(agent, upstream)
    await plain.run(QUESTIONS[method]("is it yours?"), method)
    assert plain.labels_when_put == frozenset(), "control"


@each_way
async def test_the_log_counts_what_was_found_in_a_question_and_never_says_it(agent, upstream):
    talk = Talk(agent, upstream)
    await talk.run(form(f"is {CANARY} yours?"))
    [entry] = talk.desk.audit.of("input_request")
    assert (entry["effect"], entry["found"], entry["rules"]) == ("allow", {"password": 1}, ["plain"])
    assert CANARY not in str([(one.members, one.payloads) for one in talk.desk.audit.records])
    # What was found in the question is not counted once more with the answer of the call.
    assert all("found" not in one for one in talk.desk.audit.of("outcome"))
    plain = Talk(agent, upstream)
    await plain.run()
    assert "found" not in plain.desk.audit.of("input_request")[0], "control"


@pytest.mark.abuse(75)
@each_way
async def test_policy_can_deny_a_question_for_what_is_in_it(agent, upstream):
    def says(evaluation):
        asks = evaluation["action"]["name"] == "elicitation/create"
        return NO if asks and evaluation["context"]["findings"] else None

    talk = Talk(agent, upstream, says=says)
    answer = await talk.run(form(f"is {CANARY} yours?"))
    assert talk.put == []
    assert "(not_this): not with that in it" in why(talk, answer)
    assert talk.desk.audit.of("input_request")[0]["effect"] == "deny"
    plain = Talk(agent, upstream, says=says)
    await plain.run()
    assert len(plain.put) == 1, "control"


def for_the_call(*duties):
    """Allowed, with these duties, but for questions."""
    return lambda one: verdict(allow=True, duties=duties) if one["action"]["name"] == "tools/call" else None


def duty(do, kind, code="it"):
    return Duty(code=code, do=do, kind=kind, properties={}, rule="toolgate.rules.support")


@each_way
async def test_what_policy_wants_done_to_the_answer_of_a_call_is_done_to_what_is_asked_in_it(agent, upstream):
    talk = Talk(agent, upstream, says=for_the_call(duty("redact", "email"), duty("label", "handled")))
    await talk.run()
    assert talk.desk.screen.treatments == [
        Treatment(redact=frozenset({"email"}), labels=frozenset({"handled"}))
    ]
    assert talk.labels_when_put == {"handled"}


@each_way
async def test_a_question_with_something_in_it_that_policy_keeps_back_is_declined_and_says_so(
    agent, upstream
):
    talk = Talk(agent, upstream, says=for_the_call(duty("block", "secret")))
    answer = await talk.run(form(f"is {CANARY} yours?"))
    assert talk.put == []
    assert "(content_blocked): kept back" in why(talk, answer)
    [entry] = talk.desk.audit.of("input_request")
    assert (entry["effect"], entry["code"], entry["found"]) == ("deny", "content_blocked", {"password": 1})
    assert talk.policy.of("elicitation/create") == [], "nothing is left to decide"
    plain = Talk(agent, upstream, says=for_the_call(duty("block", "secret")))
    await plain.run()
    assert len(plain.put) == 1, "control"


@each_way
async def test_what_policy_wants_done_about_a_question_alone_is_done_as_well(agent, upstream):
    def says(one):
        return (
            verdict(allow=True, duties=(wanted,)) if one["action"]["name"] == "elicitation/create" else None
        )

    wanted = duty("label", "asked")
    talk = Talk(agent, upstream, says=says)
    await talk.run()
    assert talk.desk.screen.treatments[1:] == [Treatment(labels=frozenset({"asked"}))]
    assert talk.labels_when_put == {"asked"}
    wanted = duty("block", "secret")
    talk = Talk(agent, upstream, says=says)
    # What is left of a secret after the first look is none.
    await talk.run(form(f"is {CANARY} yours?"))
    assert len(talk.put) == 1
    talk.desk.screen.question = first_as_it_is(talk.desk.screen)
    answer = await talk.run(form(f"is {CANARY} yours?"))
    assert len(talk.put) == 1
    assert "content_blocked" in why(talk, answer)


def first_as_it_is(screen):
    """A look that lets the word stay, as personal data stay, until policy wants something done."""
    real = screen.question

    async def question(call, caller, ask, treatment):
        seen = await real(call, caller, ask, treatment)
        return seen if treatment.block else type(seen)(ask=ask, observations=seen.observations)

    return question


@pytest.mark.abuse(75)
@pytest.mark.parametrize("upstream", ["modern", "legacy"])
@pytest.mark.parametrize("fails", ["labels", "question"])
async def test_a_question_that_nobody_can_look_at_is_not_put_and_not_kept(upstream, fails):
    talk = Talk("legacy", upstream)
    screen = talk.desk.screen
    if fails == "question":
        real = screen.question

        async def question(*about):
            screen.fails = ScanUnfinished("it did not come to its end")
            try:
                return await real(*about)
            finally:
                screen.fails = None

        screen.question = question
    else:
        told = iter([frozenset()])

        async def labels(caller):
            for one in told:
                return one
            raise ApprovalsUnavailable("the store does not answer")

        screen.labels = labels
    answer = await talk.run(form(f"is {CANARY} yours?"))
    assert talk.put == []
    code = {"question": "scan_unfinished", "labels": "approvals_unavailable"}[fails]
    assert f"({code})" in why(talk, answer)
    [entry] = talk.desk.audit.of("input_request")
    assert (entry["effect"], entry["code"]) == ("deny", code)
    assert CANARY not in str([one.payloads for one in talk.desk.audit.records])


@each_way
async def test_a_form_from_which_something_was_taken_that_is_answered_with_is_not_put(agent, upstream):
    def asking(**field):
        schema = {"type": "object", "properties": {"note": {"type": "string", **field}}}
        return {"message": "which?", "requestedSchema": schema}

    talk = Talk(agent, upstream)
    answer = await talk.run(asking(enum=["a", CANARY]))
    assert talk.put == []
    assert "(redaction_breaks_schema)" in why(talk, answer)
    talk = Talk(agent, upstream)
    await talk.run(asking(enum=["a", "b"], title=f"one of {CANARY}'s"))
    assert talk.put[0]["requestedSchema"]["properties"]["note"]["title"] == "one of [REDACTED]'s", "control"


def denies_answers(evaluation):
    found = evaluation["context"]["findings"]
    return NO if any(one["where"] == "answers" for one in found) else None


@pytest.mark.abuse(75)
@each_way
@each_question
async def test_policy_is_told_what_is_in_answers_and_can_keep_them_from_going_on(agent, upstream, method):
    talk = Talk(agent, upstream, says=denies_answers, answer=f"it is {CANARY}")
    answer = await talk.run(QUESTIONS[method]("which?"), method)
    assert len(talk.put) == 1
    assert talk.policy.of("tools/call")[-1]["findings"] == [IN_ANSWERS]
    assert talk.heard is None
    if agent == "modern":
        assert (answer.decision.effect, answer.decision.codes) == (Effect.DENY, ("not_this",))
    else:
        assert "(not_this): not with that in it" in why(talk, answer)
    plain = Talk(agent, upstream, says=denies_answers)
    done = await plain.run(QUESTIONS[method]("which?"), method)
    assert done.reply.result == ok().result
    assert "fine" in json.dumps(plain.heard)
    assert plain.policy.of("tools/call")[-1]["findings"] == [], "control"


@each_way
async def test_what_was_found_in_answers_is_counted_where_they_are_recorded(agent, upstream):
    talk = Talk(agent, upstream, answer=f"it is {CANARY}")
    await talk.run()
    kind = "intent" if agent == "modern" else "input_answer"
    entries = [(one.members, one.payloads) for one in talk.desk.audit.records if one.kind == kind]
    members, payloads = entries[-1]
    assert (members["effect"], members["found"], members["rules"]) == ("allow", {"password": 1}, ["plain"])
    assert CANARY not in str(members)
    assert CANARY in str([one.body for one in payloads if one.name == "input_responses"]), "sealed"


@each_way
async def test_answers_are_judged_by_what_the_session_has_come_upon_by_then(agent, upstream):
    talk = Talk(agent, upstream)
    await talk.run(form(f"is {CANARY} yours?"))
    first, *_, last = talk.policy.of("tools/call")
    assert (first["session"]["labels"], last["session"]["labels"]) == ([], ["secret-seen"])


@pytest.mark.parametrize("upstream", ["modern", "legacy"])
async def test_answers_that_a_person_would_have_to_decide_about_do_not_go_on(upstream):
    def says(evaluation):
        return verdict(holds=(hold_rule(),)) if denies_answers(evaluation) else None

    talk = Talk("legacy", upstream, says=says, answer=CANARY)
    answer = await talk.run()
    assert "(over_limit)" in why(talk, answer)
    assert talk.heard is None
    assert talk.desk.audit.of("input_answer")[0]["effect"] == "hold"


@pytest.mark.parametrize("upstream", ["modern", "legacy"])
async def test_answers_that_nobody_can_look_at_do_not_go_on(upstream):
    talk = Talk("legacy", upstream)
    real = talk.desk.screen.arguments

    async def arguments(call, caller, answers=None):
        if answers:
            raise ScanUnfinished("the answers could not be looked at to their end")
        return await real(call, caller)

    talk.desk.screen.arguments = arguments
    answer = await talk.run()
    assert "(scan_unfinished)" in why(talk, answer)
    assert talk.heard is None


@each_way
async def test_in_shadow_mode_questions_and_answers_go_on_and_the_log_says_what_would_not_have(
    agent, upstream
):
    def says(evaluation):
        return NO if evaluation["context"]["findings"] else None

    talk = Talk(agent, upstream, says=says, answer=CANARY, shadow=True)
    await talk.run(form(f"is {CANARY} yours?"))
    assert CANARY in json.dumps(talk.heard)
    entries = talk.desk.audit.of("input_request") + talk.desk.audit.of("input_answer")
    assert [(one["effect"], one["code"]) for one in entries] == [("allow", "not_this")] * len(entries)
    assert len(entries) == (1 if agent == "modern" else 2)


async def test_what_policy_wants_done_when_it_lets_answers_go_on_is_done_to_what_comes_after_them():
    def says(evaluation):
        wanted = duty("redact", "email" if denies_answers(evaluation) else "iban")
        return verdict(allow=True, duties=(wanted,)) if evaluation["action"]["name"] == "tools/call" else None

    talk = Talk("legacy", "modern", says=says, answer=CANARY)
    seen = []
    real = talk.desk.screen.reply

    async def reply(call, caller, definition, reply, treatment):
        seen.append(treatment)
        return await real(call, caller, definition, reply, treatment)

    talk.desk.screen.reply = reply
    await talk.run()
    assert seen == [Treatment(redact=frozenset({"iban", "email"}))]


async def test_the_answer_of_a_parked_call_is_treated_and_counted_as_the_request_that_waits_for_it_wants():
    def says(evaluation):
        wanted = duty("redact", "email" if evaluation["context"]["session"]["labels"] else "iban")
        return verdict(allow=True, duties=(wanted,)) if evaluation["action"]["name"] == "tools/call" else None

    talk = Talk("modern", "legacy", says=says)
    talk.desk.upstream.reply = ok(CANARY)
    seen = []
    real = talk.desk.screen.reply

    async def reply(call, caller, definition, reply, treatment):
        seen.append(treatment)
        return await real(call, caller, definition, reply, treatment)

    talk.desk.screen.reply = reply
    done = await talk.run(form(f"is {CANARY} yours?"))
    assert CANARY.encode() not in done.reply.result
    assert seen == [Treatment(redact=frozenset({"email"}))]
    assert talk.desk.audit.of("outcome")[-1]["found"] == {"password": 1}


async def test_a_later_question_of_a_parked_call_is_one_of_the_request_that_waits_then():
    def says(evaluation):
        wanted = duty("redact", "email" if evaluation["context"]["session"]["labels"] else "iban")
        return verdict(allow=True, duties=(wanted,)) if evaluation["action"]["name"] == "tools/call" else None

    talk = Talk("modern", "legacy", says=says)
    made, about = talk.desk, {"capabilities": CLIENT}
    made.upstream.asks = tuple(
        InputAsk(method="elicitation/create", params=form(text), raw=json.dumps(form(text)).encode())
        for text in (CANARY, "and now?")
    )
    first = await made.ask(CALL, **about)
    brought = {key: {"action": "decline"} for key in json.loads(first.asked.requests)}
    side = AgentSide(request_state=first.asked.state, input_responses=brought)
    second = await made.ask(CALL, side, **about)
    assert second.asked is not None
    assert made.screen.treatments == [
        Treatment(redact=frozenset({"iban"})),
        Treatment(redact=frozenset({"email"})),
    ]
    assert [one["call"] for one in made.audit.of("input_request")] == [first.call_id, second.call_id]
    made.rounds.close()


async def test_the_questions_of_an_error_are_looked_at_by_themselves_and_the_rest_without_them():
    visit = {
        "mode": "url",
        "elicitationId": "1",
        "message": f"log in, {CANARY}",
        "url": f"https://a.example/{CANARY}",
    }
    error = {"code": -32042, "message": f"visit, {CANARY}", "data": {"elicitations": [visit]}}
    made = Desk(reply=Reply(error=json.dumps(error).encode()), grants=GRANTS)
    made.screen.question = with_addresses_left(made.screen)
    seen = []

    async def reply(call, caller, definition, reply, treatment):
        seen.append(json.loads(reply.error))
        return await PlainScreen.reply(made.screen, call, caller, definition, reply, treatment)

    made.screen.reply = reply
    about = {"era": "legacy", "capabilities": {"elicitation": {"url": {}}}}
    answer = await made.ask(CALL, **about)
    assert seen == [{**error, "data": {"elicitations": []}}]
    [shown] = json.loads(answer.reply.error)["data"]["elicitations"]
    assert shown == {**visit, "message": "orders: log in, [REDACTED]"}
    assert made.audit.of("input_request")[0]["found"] == {"password": 1}


def with_addresses_left(screen):
    """An address is judged as it came; one with something taken out leads elsewhere."""
    real = screen.question

    async def question(call, caller, ask, treatment):
        seen = await real(call, caller, ask, treatment)
        params = {**seen.ask.params, "url": ask.params["url"]}
        shown = InputAsk(method=ask.method, params=params, raw=json.dumps(params).encode())
        return type(seen)(ask=shown, observations=seen.observations)

    return question


async def test_nothing_is_asked_about_answers_where_there_are_none():
    talk = Talk("legacy", "modern")
    state = {"resultType": "input_required", "requestState": "s"}
    talk.desk.upstream.replies = [
        Reply(result=json.dumps(state).encode(), kind="input_required", modern=True)
    ]
    answer = await talk.desk.ask(
        CALL, AgentSide(ask_agent=talk._ask_agent), era="legacy", capabilities=CLIENT
    )
    assert answer.reply.result == ok().result
    assert len(talk.policy.asked) == 1
    assert talk.desk.audit.of("input_answer") == []
