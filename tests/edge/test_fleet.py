"""Ten thousand streams, and ways to hold more than one's share of the gateway (abuse case 10)."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import threading

import pytest

from tests.edge.conftest import GRANTS, WIDE_POLICY, keyed, running
from tests.edge.gateways import agent, settings_of
from tests.edge.puppet import Puppet
from tests.edge.raw import PREFIX, Stream, legacy_message, modern_message, talk

AGENTS = {f"fleet-{number}": f"tg_{number:064x}" for number in range(101)}
EACH = 100
LISTEN = modern_message("subscriptions/listen", {"notifications": {"toolsListChanged": True}})
SLOW = modern_message(params={"name": "tools__slow", "arguments": {}})
SPARE_FILES = 500


@pytest.fixture
def files():
    """As many open files as the system lets us have; the gateway inherits it."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield before[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


class Fleet:
    """Connections of the event loop: thousands, each with one request and the head of its answer."""

    def __init__(self, port):
        self.port = port
        self.open = []

    async def _one(self, raw, at_once):
        async with at_once:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            writer.write(raw)
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        self.open.append(writer)
        return int(head.split()[1]), "retry-after: 1" in head

    async def send(self, raws, *, at_once=200):
        limit = asyncio.Semaphore(at_once)
        return await asyncio.gather(*(self._one(raw, limit) for raw in raws))

    def abort(self, count):
        going, self.open = self.open[:count], self.open[count:]
        for writer in going:
            writer.transport.abort()


async def storm(gateway, streams):
    """The whole case, on one event loop; returns what has to hold."""
    fleet, tokens = Fleet(gateway.port), list(AGENTS.values())
    raws = [gateway.post(LISTEN, who=tokens[number // EACH]) for number in range(streams)]
    found = {"idle": set(await fleet.send(raws))}
    # One agent wants a thousand; another one, who has none, comes when all are taken.
    found["one agent"] = set(await fleet.send([gateway.post(LISTEN, who=tokens[0])] * 1000))
    found["all"] = set(await fleet.send([gateway.post(LISTEN, who=tokens[100])]))
    lost = streams // 4
    fleet.abort(lost)
    again, call = await asyncio.gather(
        fleet.send(raws[:lost], at_once=1000),
        asyncio.to_thread(gateway.call, who="ben"),
    )
    found["storm"], found["call"] = set(again), call.status
    fleet.abort(len(fleet.open))
    return found


@pytest.mark.abuse(10)
def test_ten_thousand_idle_streams_and_their_return_cost_running_calls_nothing(upstream, tmp_path, files):
    streams = min(EACH * 100, (files - SPARE_FILES) // EACH * EACH)
    assert streams >= 1000, "too few open files allowed to prove anything"
    settings = settings_of(
        {"tools": keyed(upstream.port)}, limits={"streams_max": streams, "header_timeout_s": 60}
    )
    settings["agents"] += [agent(name, token, "fleet") for name, token in AGENTS.items()]
    with running(tmp_path, settings, WIDE_POLICY, upstream) as gateway:
        calls = len(upstream.calls)
        with (
            upstream.holding() as release,
            Stream(gateway.port, gateway.post(SLOW)) as slow,
            gateway.unharmed_calls(),
        ):
            gateway.until(lambda: len(upstream.calls) == calls + 1)
            with gateway.grows_at_most_mib(streams * 32 / 1024):
                found = asyncio.run(storm(gateway, streams))
            assert found == {
                "idle": {(200, False)},
                "one agent": {(429, True)},
                "all": {(503, True)},
                "storm": {(200, False)},
                "call": 200,
            }
            assert {"agent_over_limit", "overloaded"} <= gateway.codes(after=0)
            # The call that ran all the time finishes, in its own connection.
            release.set()
            assert slow.answer_or_event()["result"]["content"][0]["text"] == "{}"


@pytest.fixture(scope="module")
def alone(upstream, tmp_path_factory):
    """A gateway for what might end one; few streams for each agent, and a server that may hang."""
    with Puppet() as new:
        servers = {"tools": keyed(upstream.port), "new": {"url": new.url, "grants": GRANTS}}
        limits = {"streams_per_principal_max": 3, "calls_per_principal_max": 4, "stream_ping_s": 1}
        folder = tmp_path_factory.mktemp("alone")
        with running(
            folder, settings_of(servers, limits=limits), WIDE_POLICY, upstream, new, tools=3
        ) as found:
            found.new = new
            yield found


def listens(gateway, who):
    with Stream(gateway.port, gateway.post(LISTEN, who=who)) as stream:
        return stream.status() == 200


@pytest.mark.abuse(10)
def test_a_stream_with_a_request_behind_it_ends_with_its_connection(alone):
    # The second request of the connection waits for the end of the first one, which never comes.
    behind = alone.post(modern_message(), who="cap")
    for _ in range(3):
        with Stream(alone.port, alone.post(LISTEN, who="cap") + behind) as stream:
            assert stream.status() == 200
            assert stream.message() is not None
    alone.until(lambda: listens(alone, "cap"), within_s=6)


LARGE = "x" * 450_000


@pytest.mark.abuse(10)
def test_an_idle_stream_is_small_whatever_its_request_said(alone):
    # Before the test below: memory that was free already would hide what is kept.
    laden = {"com.vendor/x": LARGE, PREFIX + "clientCapabilities": {"sampling": {"tools": {"x": LARGE}}}}
    wish = modern_message("subscriptions/listen", {"notifications": {"toolsListChanged": True}}, meta=laden)
    with alone.unharmed(), contextlib.ExitStack() as streams:
        with Stream(alone.port, alone.post(wish, who="cap")) as first:
            assert first.status() == 200
        before_mib = alone.memory_mib()
        for who in ("ana", "ana", "ana", "ben", "ben", "ben"):
            stream = streams.enter_context(Stream(alone.port, alone.post(wish, who=who)))
            assert stream.status() == 200
        assert alone.memory_mib() - before_mib < 2


@pytest.mark.abuse(10)
def test_an_idle_session_is_small_whatever_its_client_said_of_itself(alone):
    laden = {"sampling": {"tools": {"x": LARGE}}, "elicitation": {"form": [LARGE]}, "roots": {"x": 1}}
    alone.initialize(capabilities=laden)
    with alone.unharmed(), alone.grows_at_most_mib(12):
        for _ in range(60):
            alone.initialize(capabilities=laden)


@pytest.mark.abuse(10)
def test_coming_back_to_a_stream_counts_as_a_stream(alone):
    session, _ = alone.initialize()
    slow = legacy_message(params={"name": "tools__slow", "arguments": {}})
    with (
        alone.unharmed_calls("agent_over_limit"),
        contextlib.ExitStack() as streams,
        alone.upstream.holding(),
    ):
        with alone.legacy_stream(slow, session) as first:
            event_id, _ = first.event()
        last = (("Last-Event-ID", event_id),)
        back = [streams.enter_context(alone.get(session, headers=last)) for _ in range(10)]
        statuses = [one.status() for one in back]
        assert (statuses[:3], set(statuses[3:])) == ([200] * 3, {429})


@pytest.mark.abuse(10)
def test_subscriptions_that_no_server_acknowledges_are_capped_for_one_agent(alone):
    def wish(number):
        params = {"notifications": {"resourceSubscriptions": [f"note://by/{number}"]}}
        return alone.post(modern_message("subscriptions/listen", params), path="/s/new/mcp")

    ended = threading.Event()
    with (
        alone.unharmed_calls("agent_over_limit"),
        alone.new.doing(subscriptions_listen=lambda heard: ended.wait(20) and None),
    ):
        waiting = [Stream(alone.port, wish(number)) for number in range(10)]
        try:
            # Some wait for the server, which is well; the others are told at once.
            statuses = [one.status(wait_s=0.5) for one in waiting]
            assert statuses.count(429) >= 10 - 4, statuses
        finally:
            for one in waiting:
                one.close()
            ended.set()


@pytest.mark.abuse(10)
@pytest.mark.abuse(34)
def test_an_event_that_is_not_there_is_not_waited_for_in_circles(upstream, tmp_path):
    slow = legacy_message(params={"name": "tools__slow", "arguments": {}})
    settings = settings_of({"tools": keyed(upstream.port)})
    with running(tmp_path, settings, WIDE_POLICY, upstream) as gateway, upstream.holding() as release:
        session, _ = gateway.initialize()
        with gateway.legacy_stream(slow, session) as first:
            event_id, _ = first.event()

        def back(number):
            beyond = event_id.removesuffix("-0") + "-" + number
            return gateway.get(session, headers=(("Last-Event-ID", beyond),))

        with gateway.unharmed_calls(), gateway.grows_at_most_mib(32), contextlib.ExitStack() as streams:
            early = [streams.enter_context(back(number)) for number in ("1", "2", "999999999")]
            assert all(one.status() in {200, 400, 404} for one in early)
            release.set()
            succeeded = {"kind": "outcome", "status": "succeeded"}
            gateway.until(
                lambda: any(succeeded.items() <= record.items() for record in gateway.records()), within_s=5
            )
            late = [streams.enter_context(back(number)) for number in ("1", "2", "999999999")]
            assert all(one.status() in {200, 400, 404} for one in late)
            asked = gateway.request(b"", verb="GET", headers=())
            assert talk(gateway.port, asked, wait_s=3).only.status == 405, "nothing answers any more"
        # What is there is still given.
        with back("0") as stream:
            assert stream.message()["result"]["content"][0]["text"] == "{}"
