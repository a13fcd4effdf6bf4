"""What a server of the session era asks in the middle of a call: who is asked, and what it is told."""

from __future__ import annotations

import asyncio
import contextlib
import json

import pytest

from gateway.bridge.inputs import InputAnswer
from gateway.errors import UpstreamTimeout
from gateway.upstream.incoming import ASKS_PER_CALL_MAX
from tests.contract.upstream.places import Agent, Place

pytestmark = pytest.mark.usefixtures("quick")

ASKED = ("elicitation/create", "sampling/createMessage", "roots/list")
CAN = {"capabilities": {"elicitation": {}, "sampling": {}, "roots": {}}}
DECLINED = -32601


@pytest.fixture(params=["call-stream", "session-stream", "stdio"])
async def place(request):
    async with Place(request.param).open() as opened:
        yield opened


@pytest.fixture
async def upstream(workshop, place):
    return await workshop.ready(input_timeout_s=0.2, **place.settings)


@pytest.fixture
def begin(call, upstream):
    """Begin a call of somebody who can be asked everything."""
    begun = []

    def start(agent, who="ana", **rest):
        rest = CAN | {"session_key": (who,)} | rest
        begun.append(asyncio.ensure_future(call(upstream, "get", on_ask=agent, **rest)))
        return begun[-1]

    yield start
    for one in begun:
        one.cancel()


@pytest.mark.parametrize("method", ASKED)
@pytest.mark.parametrize(
    ("answer", "member", "goes_back"),
    [
        (InputAnswer(result=b'{"action":"accept","n":1}'), "result", {"action": "accept", "n": 1}),
        (InputAnswer(error=b'{"code":-1,"message":"no"}'), "error", {"code": -1, "message": "no"}),
    ],
)
async def test_a_question_reaches_the_caller_and_its_answer_or_error_goes_back(
    place, begin, method, answer, member, goes_back
):
    agent = Agent(answer)
    call = begin(agent)
    talk = await place.talk()
    number = await talk.ask(method, {"message": "who?", "x": [1.5]})
    told = await talk.answer_of(number)
    assert told[member] == goes_back
    assert {"result", "error"} & told.keys() == {member}
    (ask,) = agent.asked
    assert (ask.method, ask.params) == (method, {"message": "who?", "x": [1.5]})
    await talk.finish()
    assert (await call).result


@pytest.mark.parametrize("method", ASKED)
async def test_a_question_to_a_call_that_cannot_be_asked_is_declined(place, begin, method):
    call = begin(None)
    talk = await place.talk()
    assert (await talk.answer_of(await talk.ask(method)))["error"]["code"] == DECLINED
    await talk.finish()
    assert (await call).result


async def test_a_ping_is_answered_although_nobody_can_be_asked(place, begin):
    call = begin(None)
    talk = await place.talk()
    assert (await talk.answer_of(await talk.ask("ping")))["result"] == {}
    await talk.finish()
    assert (await call).result


@pytest.mark.abuse(25)
@pytest.mark.parametrize(
    "method",
    [
        "tools/call",
        "resources/read",
        "tasks/get",
        "initialize",
        "logging/setLevel",
        "tasks/list",
        "x/y",
        "",
        "ELICITATION/CREATE",
        "elicitation/create ",
        "notifications/message",
    ],
)
async def test_a_method_that_is_none_of_a_server_is_declined_and_nobody_is_asked(place, begin, method):
    agent = Agent(InputAnswer(result=b"{}"))
    begin(agent)
    talk = await place.talk()
    assert (await talk.answer_of(await talk.ask(method)))["error"]["code"] == DECLINED
    assert agent.asked == []
    assert (await talk.answer_of(await talk.ask("elicitation/create")))["result"] == {}


@pytest.mark.abuse(75)
@pytest.mark.parametrize("params", [[], "x", {"n": 12345678901234567890}])
async def test_a_question_that_could_be_read_in_another_way_is_refused_and_nobody_is_asked(
    place, begin, params
):
    agent = Agent(InputAnswer(result=b"{}"))
    begin(agent)
    talk = await place.talk()
    await talk.say({"jsonrpc": "2.0", "id": "odd", "method": "roots/list", "params": params})
    assert (await talk.answer_of("odd"))["error"]["code"] == -32602
    assert agent.asked == []
    assert (await talk.answer_of(await talk.ask("roots/list")))["result"] == {}


@pytest.mark.abuse(24)
@pytest.mark.parametrize(
    "number", [lambda own: own, str, lambda own: own + 1, lambda own: 0, lambda own: -own]
)
async def test_a_question_under_the_number_of_our_own_request_answers_nothing_and_is_answered(
    place, begin, number
):
    agent = Agent(InputAnswer(result=b'{"n":1}'))
    call = begin(agent)
    talk = await place.talk()
    asked = await talk.ask("roots/list", number=number(talk.call_id))
    assert (await talk.answer_of(asked))["result"] == {"n": 1}
    assert not call.done()
    await talk.finish()
    assert (await call).result == b'{"content": []}'


@pytest.mark.abuse(75)
async def test_more_questions_than_the_bound_are_declined(place, begin):
    agent = Agent(InputAnswer(result=b"{}"))
    begin(agent)
    talk = await place.talk()
    numbers = [await talk.ask("roots/list") for _ in range(ASKS_PER_CALL_MAX + 5)]
    answers = [await talk.answer_of(number) for number in numbers]
    assert len(agent.asked) == ASKS_PER_CALL_MAX
    assert [one for one in answers if "error" in one] == answers[ASKS_PER_CALL_MAX:]
    # The bound is that of one call.
    begin(agent)
    other = await place.talk(1)
    await talk.finish()
    await asyncio.sleep(0.05)
    assert "result" in await other.answer_of(await other.ask("roots/list"))


@pytest.mark.parametrize("ends", ["answered", "given up", "late"])
async def test_a_question_is_withdrawn_when_its_call_ends(place, begin, workshop, ends):
    agent = Agent()
    call = begin(agent, deadline_s=0.2) if ends == "late" else begin(agent)
    talk = await place.talk()
    number = await talk.ask("elicitation/create")
    await workshop.until(lambda: agent.asked)
    assert agent.withdrawn == []
    if ends == "answered":
        await talk.finish()
        assert (await call).result
    elif ends == "given up":
        call.cancel()
    await workshop.until(lambda: agent.withdrawn)
    assert talk.told(number) == []
    with contextlib.suppress(asyncio.CancelledError, UpstreamTimeout):
        await call


async def test_a_question_that_the_server_takes_back_is_withdrawn_and_no_other(place, begin, workshop):
    agent = Agent()
    call = begin(agent)
    talk = await place.talk()
    first, second = [await talk.ask("elicitation/create", {"n": n}) for n in (1, 2)]
    await workshop.until(lambda: len(agent.asked) == 2)
    await talk.cancel(second)
    await workshop.until(lambda: agent.withdrawn)
    assert [ask.params for ask in agent.withdrawn] == [{"n": 2}]
    await talk.cancel("nothing")
    await talk.say({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {}})
    assert "result" in await talk.answer_of(await talk.ask("ping"))
    assert len(agent.withdrawn) == 1
    assert talk.told(first) == talk.told(second) == []
    await talk.finish()
    assert (await call).result


async def test_a_question_is_taken_back_although_its_caller_has_begun_another_call(place, begin, workshop):
    agent, other = Agent(), Agent()
    begin(agent)
    talk = await place.talk()
    number = await talk.ask("elicitation/create")
    await workshop.until(lambda: agent.asked)
    begin(other)
    await place.talk(1)
    await talk.cancel(number)
    await workshop.until(lambda: agent.withdrawn)


async def test_a_question_finds_the_call_that_can_be_asked_beside_one_that_cannot(place, begin, workshop):
    agent = Agent(InputAnswer(result=b"{}"))
    begin(agent)
    talk = await place.talk()
    begin(None)
    await place.talk(1)
    assert (await talk.answer_of(await talk.ask("roots/list")))["result"] == {}


async def test_what_a_server_asks_while_nobody_calls_is_declined(place, begin, workshop):
    agent = Agent(InputAnswer(result=b"{}"))
    call = begin(agent)
    talk = await place.talk()
    await talk.finish()
    assert (await call).result
    if place.name == "call-stream":
        return  # It has ended, and with it the place to ask in.
    assert (await talk.answer_of(await talk.ask("roots/list")))["error"]["code"] == DECLINED
    assert (await talk.answer_of(await talk.ask("ping")))["result"] == {}
    assert agent.asked == []


async def test_two_callers_that_can_be_asked_are_asked_what_their_own_calls_lead_to(place, begin):
    agents = {who: Agent(InputAnswer(result=b'{"who":"%s"}' % who.encode())) for who in ("ana", "ben")}
    for number, (who, agent) in enumerate(agents.items()):
        begin(agent, who)
        await place.talk(number)
    for talk, who in zip(place.talks, agents, strict=True):
        assert (await talk.answer_of(await talk.ask("roots/list")))["result"] == {"who": who}
    assert [len(agent.asked) for agent in agents.values()] == [1, 1]


# --------------------------------------------------------------------------------------------- one place only


@pytest.mark.abuse(75)
async def test_on_a_child_that_two_principals_share_nobody_is_asked(workshop, puppets, call):
    open_calls = []
    async with puppets(on={"tools/call": lambda child, request: open_calls.append(request)}) as theirs:
        upstream = await workshop.connect(command=theirs.command)
        agents = {who: Agent(InputAnswer(result=b"{}")) for who in ("ana", "ben")}

        def begin(who):
            # Without a capability it is no child of its own.
            return asyncio.ensure_future(call(upstream, "get", on_ask=agents[who], session_key=(who,)))

        begun = [begin("ana")]
        await workshop.until(lambda: len(open_calls) == 1)
        (child,) = theirs.all
        alone = child.ask("roots/list")
        await workshop.until(lambda: child.answers(alone))
        assert child.answers(alone)[0]["result"] == {}
        begun.append(begin("ben"))
        await workshop.until(lambda: len(open_calls) == 2)
        together = child.ask("roots/list")
        await workshop.until(lambda: child.answers(together))
        assert child.answers(together)[0]["error"]["code"] == DECLINED
        assert [len(agent.asked) for agent in agents.values()] == [1, 0]
        for one in open_calls:
            child.answer(one, {"content": []})
        await asyncio.gather(*begun)


@pytest.mark.abuse(75)
async def test_what_a_call_that_was_given_up_still_leads_to_reaches_no_other_principal(
    workshop, puppets, call
):
    open_calls = []
    async with puppets(on={"tools/call": lambda child, request: open_calls.append(request)}) as theirs:
        upstream = await workshop.connect(command=theirs.command)
        heard = []

        async def hear(notice):
            heard.append(json.loads(bytes(notice.params["data"])))

        def log(child, text):
            child.tell("notifications/message", {"level": "info", "data": text})

        with pytest.raises(UpstreamTimeout):
            await call(upstream, "get", session_key=("ben",), deadline_s=0.2)
        (child,) = theirs.all
        agent = Agent(InputAnswer(result=b"{}"))
        ana = asyncio.ensure_future(call(upstream, "get", session_key=("ana",), on_ask=agent, on_notice=hear))
        await workshop.until(lambda: len(open_calls) == 2)
        log(child, "of ben's call")
        asked = child.ask("roots/list")
        await workshop.until(lambda: child.answers(asked))
        assert child.answers(asked)[0]["error"]["code"] == DECLINED
        child.answer(open_calls[1], {"content": []})
        assert (await ana).result
        # Ben hears of it in his next call; so does everybody once the child is another one.
        ben = asyncio.ensure_future(call(upstream, "get", session_key=("ben",), on_notice=hear))
        await workshop.until(lambda: len(open_calls) == 3)
        log(child, "for ben")
        child.answer(open_calls[2], {"content": []})
        assert (await ben).result
        child.die()
        await workshop.until(lambda: len(theirs.all) == 2)
        ana = asyncio.ensure_future(call(upstream, "get", session_key=("ana",), on_notice=hear))
        await workshop.until(lambda: len(open_calls) == 4)
        log(theirs.all[1], "for ana")
        theirs.all[1].answer(open_calls[3], {"content": []})
        assert (await ana).result
        assert heard == ["for ben", "for ana"]
        assert agent.asked == []


@pytest.mark.abuse(75)
@pytest.mark.parametrize("transport", ["http", "stdio"])
async def test_at_2026_07_28_nobody_is_asked_in_the_middle_of_a_call(
    workshop, scripted, puppets, http, call, transport
):
    done = {"resultType": "complete", "content": []}
    question = {"jsonrpc": "2.0", "id": "q", "method": "roots/list", "params": {}}
    answers = []

    def respond(request):
        if request.method == "server/discover":
            return http.discover(request)
        return http.stream(question, {"jsonrpc": "2.0", "id": request.id, "result": done})

    def on_call(child, request):
        child.say(question)
        answers.append((child, request))

    agent = Agent(InputAnswer(result=b"{}"))
    async with scripted(respond) as server, puppets(era="modern", on={"tools/call": on_call}) as theirs:
        there = {"url": server.url} if transport == "http" else {"command": theirs.command}
        upstream = await workshop.connect(**there)
        waiting = asyncio.ensure_future(call(upstream, "get", on_ask=agent, session_key=("ana",), **CAN))
        if transport == "stdio":
            await workshop.until(lambda: answers and answers[0][0].answers("q"))
            child, request = answers[0]
            assert child.answers("q")[0]["error"]["code"] == DECLINED
            child.answer(request, done)
        assert (await waiting).result
        assert agent.asked == []


@pytest.mark.abuse(75)
async def test_a_question_with_duplicate_keys_is_noise_of_a_child_and_nobody_is_asked(
    workshop, puppets, call
):
    open_calls = []
    async with puppets(on={"tools/call": lambda child, request: open_calls.append(request)}) as theirs:
        upstream = await workshop.connect(command=theirs.command)
        agent = Agent(InputAnswer(result=b"{}"))
        waiting = asyncio.ensure_future(call(upstream, "get", on_ask=agent))
        await workshop.until(lambda: open_calls)
        (child,) = theirs.all
        child.say(b'{"jsonrpc":"2.0","id":1,"method":"roots/list","params":{"message":"a","message":"b"}}')
        good = child.ask("roots/list", {"message": "c"})
        await workshop.until(lambda: child.answers(good))
        assert [ask.params for ask in agent.asked] == [{"message": "c"}]
        child.answer(open_calls[0], {"content": []})
        assert (await waiting).result


async def test_a_question_that_is_too_large_for_a_line_is_declined_and_not_left_open(workshop, puppets, call):
    open_calls = []
    async with puppets(on={"tools/call": lambda child, request: open_calls.append(request)}) as theirs:
        upstream = await workshop.connect(command=theirs.command)
        agent = Agent(InputAnswer(result=b"{}"))
        waiting = asyncio.ensure_future(call(upstream, "get", on_ask=agent))
        await workshop.until(lambda: open_calls)
        (child,) = theirs.all
        for size, half in ((200 << 10, "result"), (2 << 20, "error")):
            number = child.ask("sampling/createMessage", {"text": "x" * size})
            await workshop.until(lambda number=number: child.answers(number))
            assert half in child.answers(number)[0]
        assert len(agent.asked) == 1
        child.answer(open_calls[0], {"content": []})
        assert (await waiting).result


async def test_a_caller_s_stream_that_breaks_is_opened_again(workshop, call):
    async with Place("session-stream").open() as place:
        upstream = await workshop.connect(**place.settings)
        agent = Agent(InputAnswer(result=b"{}"))
        waiting = asyncio.ensure_future(call(upstream, "get", on_ask=agent, session_key=("ana",), **CAN))
        await place.talk()
        (session,) = {one.session for one in place.server.of("tools/call")}
        first = place.streams.pop(session)
        await first.cut()
        await workshop.until(lambda: session in place.streams)
        stream = place.streams[session]
        await stream.say({"jsonrpc": "2.0", "id": "later", "method": "roots/list"})
        await workshop.until(lambda: agent.asked)
        await place.talks[0].finish()
        assert (await waiting).result


async def test_a_server_without_a_stream_for_callers_serves_them_all_the_same(
    workshop, scripted, legacy, http, call
):
    script = legacy()
    async with scripted(script) as server:
        upstream = await workshop.connect(url=server.url)
        for _ in range(3):
            assert (await call(upstream, "get", session_key=("ana",), **CAN)).result
        assert len(server.verbs("GET")) == 1
