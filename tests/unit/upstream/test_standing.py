"""How every upstream stands: in the order of the configuration, and redacted."""

from __future__ import annotations

from durable.pins.state import State
from gateway.core.activity import Latency
from gateway.ports import UpstreamHealth
from gateway.upstream.standing import UpstreamStandings

LATENCY = Latency(calls=1, p50_s=0.1, p95_s=0.1, errors={}, newest_age_s=1.0)


async def test_each_is_told_with_what_there_is_of_it_and_nothing_of_others():
    async def counts():
        return {("b", State.PINNED): 3, ("b", State.DRIFTED): 1, ("gone", State.NEW): 7}

    standings = UpstreamStandings(
        health=lambda: {
            "b": UpstreamHealth(state="ready", era="modern", server="key-123", in_flight=1),
            "a": UpstreamHealth(state="down", reason="said key-123"),
        },
        transports={"a": "stdio", "b": "http"},
        counts=counts,
        latency_of=lambda _: LATENCY,
        redacted=lambda text: text.replace("key-123", "[redacted]"),
    )
    first, second = await standings.upstreams()
    assert (first.id, first.transport, first.server, first.in_flight) == ("b", "http", "[redacted]", 1)
    assert {state: count for state, count in first.definitions.items() if count} == {
        State.PINNED: 3,
        State.DRIFTED: 1,
    }
    assert first.definitions.keys() == set(State)
    assert (second.id, second.reason, second.transport) == ("a", "said [redacted]", "stdio")
    assert not any(second.definitions.values())
    assert first.latency is LATENCY
