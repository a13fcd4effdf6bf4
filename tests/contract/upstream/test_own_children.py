"""A child of the session era for each caller that it may ask: how many, how long, and at whose cost."""

from __future__ import annotations

import asyncio

import pytest

from gateway.bridge.inputs import InputAnswer
from gateway.errors import UpstreamGone, UpstreamTimeout, UpstreamUnreachable

pytestmark = pytest.mark.usefixtures("quick")

FORMS = {"elicitation": {"form": {}}}
ROOTS = {"roots": {}}


async def no_answer(ask):
    return InputAnswer(error=b'{"code":-1,"message":"no"}')


def told_of(child):
    return child.of("initialize")[0]["params"]["capabilities"]


class Hold:
    """Leaves calls of some tools open."""

    def __init__(self, *tools):
        self.tools = tools
        self.open = []

    def __call__(self, child, request):
        if request["params"]["name"] not in self.tools:
            return {"content": [], "child": told_of(child)}
        self.open.append((child, request))
        return None

    def finish(self):
        for child, request in self.open:
            child.answer(request, {"content": []})
        self.open.clear()


def own(who, capabilities=FORMS, **rest):
    return {"session_key": (who,), "capabilities": capabilities, "on_ask": no_answer} | rest


async def test_who_can_be_asked_has_a_child_of_their_own_and_the_others_share_one(workshop, puppets, call):
    async with puppets() as theirs:
        upstream = await workshop.connect(command=theirs.command)
        for _ in range(2):
            for who in ("ana", "ben", "cy"):
                await call(upstream, "get", {"who": who}, session_key=(who,))
            await call(upstream, "get", {"who": "ana"}, **own("ana"))
            await call(upstream, "get", {"who": "ana"}, **own("ana", ROOTS))
            await call(upstream, "get", {"who": "ben"}, **own("ben"))
        assert [told_of(child) for child in theirs.all] == [{}, FORMS, ROOTS, FORMS]
        served = [
            {one["params"]["arguments"]["who"] for one in child.of("tools/call")} for child in theirs.all
        ]
        assert served == [{"ana", "ben", "cy"}, {"ana"}, {"ana"}, {"ben"}]


async def test_calls_of_one_caller_share_its_child_and_come_after_its_greeting(workshop, puppets, call):
    greetings = []

    def initialize(child, request):
        result = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}}
        if not request["params"]["capabilities"]:
            return result
        greetings.append(lambda: child.answer(request, result))
        return None

    async with puppets(on={"initialize": initialize}) as theirs:
        upstream = await workshop.ready(command=theirs.command)
        begun = [asyncio.ensure_future(call(upstream, "get", **own("ana"))) for _ in range(5)]
        await workshop.until(lambda: greetings)
        begun += [asyncio.ensure_future(call(upstream, "get", **own("ana"))) for _ in range(5)]
        # Another caller's call, in the child that all share, proves that these were begun.
        assert (await call(upstream, "get", session_key=("ben",))).result
        greetings[0]()
        assert all(reply.result for reply in await asyncio.gather(*begun))
        _, anas = theirs.all
        methods = [one["method"] for one in anas.heard]
        assert methods == ["initialize", "notifications/initialized", *["tools/call"] * 10]


async def test_a_child_that_idles_makes_room_for_another_caller_s_oldest_first(workshop, puppets, call):
    async with puppets() as theirs:
        upstream = await workshop.connect(command=theirs.command, children_max=2)
        for who in ("ana", "ben", "ana", "cy"):
            await call(upstream, "get", {"who": who}, **own(who))
        await workshop.until(lambda: len(theirs.living) == 3)
        last = {child.of("tools/call")[-1]["params"]["arguments"]["who"] for child in theirs.living[1:]}
        assert last == {"ana", "cy"}


async def test_a_caller_s_child_is_ended_once_it_idled_for_long_enough(workshop, puppets, call):
    async with puppets() as theirs:
        upstream = await workshop.connect(command=theirs.command, session_idle_s=0.2)
        await call(upstream, "get", **own("ana"))
        await call(upstream, "get", **own("ben"))
        assert len(theirs.living) == 3
        await asyncio.sleep(0.25)
        await call(upstream, "get", **own("cy"))
        assert len(theirs.living) == 2


async def test_with_all_children_busy_a_further_caller_is_refused_and_nobody_else_is_harmed(
    workshop, puppets, call
):
    hold = Hold("hold")
    async with puppets(on={"tools/call": hold}) as theirs:
        upstream = await workshop.connect(command=theirs.command, children_max=2)
        busy = [asyncio.ensure_future(call(upstream, "hold", **own(who))) for who in ("ana", "ben")]
        await workshop.until(lambda: len(hold.open) == 2)
        shared = asyncio.ensure_future(call(upstream, "hold", session_key=("cy",)))
        await workshop.until(lambda: len(hold.open) == 3)
        for _ in range(7):
            with pytest.raises(UpstreamUnreachable, match="all busy") as caught:
                await call(upstream, "get", **own("cy"))
            assert not caught.value.sent
            assert "children_max" in caught.value.next_step
        assert upstream.health().state == "ready"
        # Who has a child, or needs none of their own, is served as before.
        assert (await call(upstream, "get", **own("ana"))).result
        assert (await call(upstream, "get", session_key=("cy",))).result
        hold.finish()
        for one in (*busy, shared):
            assert (await one).result
        assert (await call(upstream, "get", **own("cy"))).result
        assert len(theirs.all) == 4


async def test_a_child_that_is_told_a_level_counts_as_busy(workshop, puppets, call):
    levels = []
    on = {"logging/setLevel": lambda child, request: levels.append((child, request))}
    async with puppets(capabilities={"logging": {}}, on=on) as theirs:
        upstream = await workshop.connect(command=theirs.command, children_max=1)
        waiting = asyncio.ensure_future(call(upstream, "get", **own("ana", log_level="debug")))
        await workshop.until(lambda: levels)
        with pytest.raises(UpstreamUnreachable, match="all busy"):
            await call(upstream, "get", **own("ben"))
        child, request = levels[0]
        child.answer(request, {})
        assert (await waiting).result


async def test_the_loss_of_one_caller_s_child_is_an_error_of_its_calls_alone(workshop, puppets, call):
    hold = Hold("hold")
    async with puppets(on={"tools/call": hold}) as theirs:
        upstream = await workshop.connect(command=theirs.command)
        others = [
            asyncio.ensure_future(call(upstream, "hold", **own("ben"))),
            asyncio.ensure_future(call(upstream, "hold", session_key=("cy",))),
        ]
        await workshop.until(lambda: len(hold.open) == 2)
        for _ in range(7):
            lost = asyncio.ensure_future(call(upstream, "hold", **own("ana")))
            await workshop.until(lambda: len(hold.open) == 3)
            hold.open.pop()[0].die()
            with pytest.raises(UpstreamGone) as caught:
                await lost
            assert caught.value.sent
        assert upstream.health().state == "ready"
        assert (await call(upstream, "get", **own("ana"))).result
        hold.finish()
        for one in others:
            assert (await one).result


async def test_the_loss_of_the_shared_child_is_no_error_of_a_caller_s_own(workshop, puppets, call):
    hold = Hold("hold")
    async with puppets(on={"tools/call": hold}) as theirs:
        upstream = await workshop.connect(command=theirs.command)
        anas = asyncio.ensure_future(call(upstream, "hold", **own("ana")))
        await workshop.until(lambda: len(hold.open) == 1)
        shared = asyncio.ensure_future(call(upstream, "hold", session_key=("ben",)))
        await workshop.until(lambda: len(hold.open) == 2)
        hold.open.pop()[0].die()
        with pytest.raises(UpstreamGone):
            await shared
        await workshop.until(lambda: upstream.health().state == "ready" and len(theirs.living) == 2)
        hold.finish()
        assert (await anas).result


async def test_a_server_that_dies_of_the_modern_question_is_not_asked_it_for_every_caller(
    workshop, puppets, call
):
    on = {"server/discover": lambda child, request: child.die()}
    async with puppets(on=on) as theirs:
        upstream = await workshop.connect(command=theirs.command)
        for who in ("ana", "ben"):
            assert (await call(upstream, "get", **own(who))).result
        assert [bool(child.of("server/discover")) for child in theirs.all] == [True, False, False, False]


async def test_a_caller_s_child_that_does_not_start_has_sent_nothing_and_harms_nobody(
    workshop, puppets, call
):
    def initialize(child, request):
        if request["params"]["capabilities"]:
            child.die()
            return None
        return {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}}

    hold = Hold("hold")
    async with puppets(on={"initialize": initialize, "tools/call": hold}) as theirs:
        upstream = await workshop.connect(command=theirs.command)
        others = asyncio.ensure_future(call(upstream, "hold", session_key=("ben",)))
        await workshop.until(lambda: hold.open)
        for _ in range(7):
            with pytest.raises(UpstreamUnreachable, match="exited with status") as caught:
                await call(upstream, "get", **own("ana"))
            assert not caught.value.sent
        assert upstream.health().state == "ready"
        hold.finish()
        assert (await others).result


async def test_a_caller_s_child_that_starts_slowly_ends_the_call_at_its_deadline_and_holds_up_nobody(
    workshop, puppets, call
):
    def initialize(child, request):
        capabilities = request["params"]["capabilities"]
        return (
            None
            if capabilities == ROOTS
            else {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}}
        )

    async with puppets(on={"initialize": initialize}) as theirs:
        upstream = await workshop.connect(command=theirs.command, input_timeout_s=0.1)
        await call(upstream, "get", **own("ben"))
        slow = asyncio.ensure_future(call(upstream, "get", **own("ana", ROOTS, deadline_s=0.5)))
        await workshop.until(lambda: len(theirs.all) == 3)
        assert (await call(upstream, "get", **own("ben"))).result
        assert not slow.done()
        with pytest.raises(UpstreamTimeout) as caught:
            await slow
        assert not caught.value.sent
        await workshop.until(lambda: len(theirs.living) == 2)
        assert (await call(upstream, "get", **own("cy"))).result


async def test_closing_ends_the_children_of_all_callers(workshop, puppets, call):
    async with puppets() as theirs:
        upstream = await workshop.connect(command=theirs.command)
        for who in ("ana", "ben"):
            await call(upstream, "get", **own(who))
        assert len(theirs.living) == 3
        await upstream.aclose()
        await workshop.until(lambda: theirs.living == [])
