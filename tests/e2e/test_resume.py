"""A client of 2025-11-25 that is cut off in the middle of a call comes back for the rest of it; nobody else can."""

from __future__ import annotations

import asyncio
import contextlib
import json

import pytest
from e2e_kit import fronts, mirrors
from e2e_kit.front import EVERYTHING
from e2e_kit.front_http import events
from e2e_kit.gateways import ANA, BEN, GatewayProcess
from e2e_kit.mirrors import soon, tool

pytestmark = pytest.mark.asyncio(loop_scope="module")

PROGRESS = (
    '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":$token,"progress":%d}}'
)
LATE_S = 0.2
"""After the gateway has noticed that a client hung up."""
STREAMS = 5
DONE = '{"resultType":"complete","content":[{"type":"text","text":"done"}],"x":1.50}'
each_upstream = pytest.mark.parametrize("upstream", mirrors.IDS)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("resume")
    with mirrors.mirrors(folder) as made:
        for mirror in made.values():
            mirror.offer(tools=[tool("run")])
        upstreams = {name: mirror.settings(grants=["roots"]) for name, mirror in made.items()}
        limits = {"streams_per_principal_max": STREAMS}
        with GatewayProcess(folder / "gateway", upstreams=upstreams, limits=limits) as gateway:
            gateway.offers(*(f"{name}__run" for name in made))
            yield gateway, made


@pytest.fixture(scope="module")
def gateway(whole):
    return whole[0]


@pytest.fixture(scope="module")
def made(whole):
    return whole[1]


class Cut:
    """A call whose stream the client loses."""

    def __init__(self, agent, upstream, *, number=77, token="t"):
        params = {"name": f"{upstream}__run", "arguments": {}, "_meta": {"progressToken": token}}
        self.body = json.dumps(
            {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}
        ).encode()
        self.agent = agent

    async def until(self, last):
        """Read events up to the one that ``last`` says is enough, then hang up; all of them, as id and data."""
        seen = []
        async with self.agent.http.post(self.agent.url, data=self.body, headers=self.agent.headers) as reply:
            assert reply.content_type == "text/event-stream"
            async for number, data in events(reply):
                seen.append((number, data))
                if last(data):
                    reply.close()
                    break
        return seen


async def resumed(agent, last_event_id):
    """The status, and the events after that one until the end."""
    headers = {**agent.headers, "Last-Event-ID": last_event_id}
    async with agent.http.get(agent.url, headers=headers) as reply:
        if reply.status != 200:
            return reply.status, []
        return reply.status, [(number, json.loads(data)) async for number, data in events(reply)]


@each_upstream
async def test_the_result_of_a_call_that_was_cut_off_is_had_with_the_last_event_id(gateway, made, upstream):
    mirror, gate = made[upstream], f"cut-{upstream}"
    late = {"pause": LATE_S}
    mirror.say("run", {"say": PROGRESS % 1}, {"gate": gate}, late, {"say": PROGRESS % 2}, {"result": DONE})
    async with fronts.front("legacy-http", gateway) as agent:
        seen = await Cut(agent, upstream).until(lambda data: b"progress" in data)
        # The first event has an id and nothing to read.
        assert (seen[0][1], len(seen)) == (b"", 2)
        assert len({number for number, _ in seen}) == 2
        await mirror.at(gate)
        waiting = asyncio.ensure_future(resumed(agent, seen[-1][0]))
        mirror.let_go(gate)
        status, rest = await waiting
        assert status == 200
        assert [one.get("params", {}).get("progress") for _, one in rest] == [2, None]
        answer = rest[-1][1]
        assert (answer["id"], answer["result"]["content"][0]["text"]) == (77, "done")
        # From the beginning, everything comes again.
        status, whole = await resumed(agent, seen[0][0])
        assert status == 200
        assert [one.get("params", {}).get("progress") for _, one in whole] == [1, 2, None]
    assert len([one for one in mirror.heard("tools/call") if one.params["name"] == b'"run"']) == 1
    call = gateway.entries("intent")[-1]["call"]
    assert gateway.entry("outcome", call=call)["status"] == "succeeded"


@pytest.mark.parametrize("late_s", [0, LATE_S])
async def test_what_ended_while_nobody_was_there_is_kept_for_a_while(gateway, made, late_s):
    mirror, gate = made["http-modern"], f"kept-{late_s}"
    mirror.say("run", {"say": PROGRESS % 1}, {"gate": gate}, {"pause": late_s}, {"result": DONE})
    async with fronts.front("legacy-http", gateway) as agent:
        seen = await Cut(agent, "http-modern").until(lambda data: b"progress" in data)
        outcomes = len(gateway.entries("outcome"))
        mirror.let_go(gate)
        await soon(lambda: len(gateway.entries("outcome")) > outcomes, "the call did not end")
        status, rest = await resumed(agent, seen[-1][0])
        assert status == 200
        assert rest[-1][1]["result"]["content"][0]["text"] == "done"


async def test_a_call_that_says_nothing_can_be_come_back_to_all_the_same(gateway, made):
    mirror = made["stdio-legacy"]
    mirror.say("run", {"gate": "silent"}, {"pause": LATE_S}, {"result": DONE})
    async with fronts.front("legacy-http", gateway) as agent:
        seen = await Cut(agent, "stdio-legacy").until(lambda data: data == b"")
        mirror.let_go("silent")
        status, rest = await resumed(agent, seen[0][0])
        assert (status, rest[-1][1]["id"]) == (200, 77)


@pytest.mark.parametrize("upstream", ["http-legacy", "http-modern"])
async def test_a_question_that_was_put_while_nobody_was_there_is_put_again(gateway, made, upstream):
    mirror, gate = made[upstream], f"asked-{upstream}"
    asks = {"ask": {"method": "roots/list"}}
    if mirror.era == "modern":
        required = {
            "resultType": "input_required",
            "inputRequests": {"a": {"method": "roots/list"}},
            "requestState": "s",
        }
        asks = {"rounds": {"": json.dumps(required), "s": DONE}}
    mirror.say("run", {"say": PROGRESS % 1}, {"gate": gate}, asks, {"result": DONE})
    async with fronts.front("legacy-http", gateway, capabilities=EVERYTHING) as agent:
        seen = await Cut(agent, upstream).until(lambda data: b"progress" in data)
        mirror.let_go(gate)
        headers = {**agent.headers, "Last-Event-ID": seen[-1][0]}
        answer = {}
        async with agent.http.get(agent.url, headers=headers) as reply:
            async for _, data in events(reply):
                answer = json.loads(data)
                if answer.get("method") == "roots/list":
                    told = {"jsonrpc": "2.0", "id": answer["id"], "result": {"roots": []}}
                    assert await agent.post(json.dumps(told).encode()) == 202
        assert answer["result"]["content"][0]["text"] == "done"


@pytest.mark.abuse(34)
async def test_an_event_id_is_good_in_its_own_session_only(gateway, made):
    mirror = made["http-legacy"]
    mirror.say("run", {"say": PROGRESS % 1}, {"gate": "own"}, {"result": DONE})
    async with (
        fronts.front("legacy-http", gateway, token=ANA) as ana,
        fronts.front("legacy-http", gateway, token=ANA) as same,
        fronts.front("legacy-http", gateway, token=BEN) as ben,
    ):
        seen = await Cut(ana, "http-legacy").until(lambda data: b"progress" in data)
        number = seen[-1][0]
        for agent in (same, ben):
            assert (await resumed(agent, number))[0] == 404
        stolen = {**ben.headers, "Mcp-Session-Id": ana.session, "Last-Event-ID": number}
        async with ben.http.get(ben.url, headers=stolen) as reply:
            assert reply.status == 404
        # The last one is beyond what was said; there is nothing to come back to.
        for made_up in ("", "x", "-1", number + "0000000000", "0" * 16 + "-1", number.replace("-", "")):
            assert (await resumed(ana, made_up))[0] == 404, made_up
        mirror.let_go("own")
        assert (await resumed(ana, number))[0] == 200


@pytest.mark.abuse(10)
async def test_streams_of_clients_that_come_back_are_bounded_as_all_streams_are(gateway, made):
    mirror = made["http-legacy"]
    mirror.say("run", {"say": PROGRESS % 1}, {"gate": "bounded"}, {"result": DONE})
    async with fronts.front("legacy-http", gateway) as agent, contextlib.AsyncExitStack() as stack:
        seen = await Cut(agent, "http-legacy").until(lambda data: b"progress" in data)
        headers = {**agent.headers, "Last-Event-ID": seen[-1][0]}

        async def status():
            return (await stack.enter_async_context(agent.http.get(agent.url, headers=headers))).status

        try:
            assert [await status() for _ in range(STREAMS)] == [200] * STREAMS
            assert await status() == 429
        finally:
            mirror.let_go("bounded")


@pytest.mark.parametrize(
    ("version", "resumable"), [("2025-06-18", False), ("2024-11-05", False), ("2025-11-25", True)]
)
async def test_only_clients_that_know_of_it_get_an_empty_first_event(gateway, made, version, resumable):
    mirror, gate = made["http-modern"], f"version-{version}"
    mirror.say("run", {"say": PROGRESS % 1}, {"gate": gate}, {"result": DONE})
    async with fronts.front("legacy-http", gateway, version=version) as agent:
        assert agent.introduced["protocolVersion"] == version
        reading = asyncio.ensure_future(Cut(agent, "http-modern").until(lambda data: b'"result"' in data))
        await mirror.at(gate)
        mirror.let_go(gate)
        seen = await reading
    assert [data == b"" for _, data in seen] == [True, False, False][0 if resumable else 1 :]
    assert all(bool(number) is resumable for number, _ in seen)


async def test_a_client_of_an_older_revision_that_hangs_up_has_not_cancelled(gateway, made):
    mirror = made["http-legacy"]
    mirror.say("run", {"say": PROGRESS % 1}, {"gate": "older"}, {"result": DONE})
    async with fronts.front("legacy-http", gateway, version="2025-06-18") as agent:
        await Cut(agent, "http-legacy").until(lambda data: b"progress" in data)
        outcomes = len(gateway.entries("outcome"))
        mirror.let_go("older")
        await soon(lambda: len(gateway.entries("outcome")) > outcomes, "the call did not end")
        assert gateway.entries("outcome")[-1]["status"] == "succeeded"
        # The request id is free again.
        mirror.say("run", {"result": DONE})
        assert (
            await agent.ask("tools/call", {"name": "http-legacy__run", "arguments": {}}, number=77)
        ).text == "done"


@pytest.mark.parametrize("kind", ["modern-stdio", "legacy-stdio"])
async def test_on_standard_streams_every_line_is_a_message(gateway, made, kind):
    mirror, gate = made["http-modern"], f"lines-{kind}"
    mirror.say("run", {"gate": gate}, {"result": DONE})
    async with fronts.front(kind, gateway) as agent:
        call = asyncio.ensure_future(agent.call("http-modern__run"))
        await mirror.at(gate)
        # Long enough for the gateway to begin a stream.
        await asyncio.wait({call}, timeout=0.2)
        mirror.let_go(gate)
        assert (await call).text == "done"
        assert agent.blank_lines == 0


async def test_nothing_failed_inside_the_gateway(gateway):
    assert "Traceback" not in gateway.stderr
