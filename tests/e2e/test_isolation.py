"""Many calls of two principals at once: answers and progress never cross, and bounds refuse without touching others."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait

import pytest
from e2e_kit import wire
from e2e_kit.agents import Agent
from e2e_kit.gateways import ANA, BEN
from e2e_kit.tool_servers import fixture_stdio

CALLS = 200


@pytest.fixture(scope="module")
def busy(tmp_path_factory, http_servers, run_log):
    from e2e_kit.gateways import GatewayProcess

    upstreams = {
        "http_modern": {"url": http_servers["modern"].url},
        "http_legacy": {"url": http_servers["legacy"].url},
        "stdio_legacy": fixture_stdio("legacy", run_log),
    }
    limits = {"calls_max": 2 * CALLS, "calls_per_principal_max": CALLS}
    with GatewayProcess(tmp_path_factory.mktemp("busy"), upstreams=upstreams, limits=limits) as process:
        process.offers(*(f"{name}__echo" for name in upstreams))
        yield process


@pytest.mark.parametrize("kind", ["sdk2-modern", "sdk2-legacy"])
@pytest.mark.parametrize("upstream", ["http_modern", "http_legacy", "stdio_legacy"])
def test_of_200_calls_each_nobody_sees_anothers_answer(busy, clients, kind, upstream):
    route = f"{busy.url}/mcp"
    with (
        Agent(clients(kind), url=route, token=ANA) as ana,
        Agent(clients(kind), url=route, token=BEN) as ben,
    ):
        # Progress is told apart by tokens, which both clients number alike.
        slow = {
            (who, number): agent.start(f"{upstream}__slow", {"seconds": 0.2, "tag": f"{who} {number} {kind}"})
            for number in range(10)
            for who, agent in (("ana", ana), ("ben", ben))
        }
        echoes = {
            (who, number): agent.start(f"{upstream}__echo", {"text": f"{who} {number}", "number": number})
            for number in range(CALLS - 10)
            for who, agent in (("ana", ana), ("ben", ben))
        }
        for (who, number), future in echoes.items():
            told = future.result(60).result["structuredContent"]
            assert (told["text"], told["number"]) == (f"{who} {number}", number)
        for (who, number), future in slow.items():
            called, tag = future.result(60), f"{who} {number} {kind}"
            assert called.text == f"slept {tag}"
            assert {message for _, _, message in called.progress} <= {f"{tag} begins", f"{tag} done"}
            assert called.progress


def test_every_one_of_those_calls_is_in_the_log_under_its_own_principal(busy):
    intents = busy.entries("intent")
    assert len(intents) >= 2 * CALLS
    assert {(intent["subject"], intent["agent"], intent["tenant"]) for intent in intents} == {
        ("ana@example.com", "ana", "acme"),
        ("ben@example.com", "ben", "other"),
    }
    outcomes = {entry["call"] for entry in busy.entries("outcome")}
    assert {intent["call"] for intent in intents} == outcomes


def test_a_stolen_session_id_is_no_session_of_somebody_else(busy):
    session = wire.LegacySession(f"{busy.url}/mcp", token=ANA)
    stolen = {**session._headers, "Authorization": f"Bearer {BEN}"}
    body = b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}'
    assert wire.request(f"{busy.url}/mcp", "POST", body, stolen).status == 404
    assert b'"tools"' in session.ask("tools/list")


@pytest.fixture
def narrow(gateway, http_servers):
    limits = {"calls_max": 3, "calls_per_principal_max": 2}
    made = gateway(upstreams={"tools": {"url": http_servers["modern"].url}}, limits=limits).start()
    made.offers("tools__slow")
    return made


def test_one_principal_over_its_bound_gets_429_and_the_others_are_served(narrow, run_log):
    with ThreadPoolExecutor(8) as pool:

        def slow(tag, token):
            return pool.submit(narrow.call, "tools__slow", {"seconds": 1.5, "tag": tag}, token=token)

        mine = [slow(f"cap {number}", ANA) for number in range(2)]
        for number in range(2):
            run_log.wait("slow begins", f"cap {number}")
        over = narrow.call("tools__echo", {"text": "over"}, token=ANA)
        assert over.status == 429
        assert over.json["error"]["data"]["code"] == "agent_over_limit"
        assert over.headers["retry-after"]
        other = slow("cap other", BEN)
        run_log.wait("slow begins", "cap other")
        full = narrow.call("tools__echo", {"text": "full"}, token=BEN)
        assert full.status == 503
        assert full.json["error"]["data"]["code"] == "overloaded"
        wait([*mine, other])
        assert {wire.text_of(one.result()) for one in [*mine, other]} == {
            "slept cap 0",
            "slept cap 1",
            "slept cap other",
        }
    assert narrow.call("tools__echo", {"text": "after"}, token=ANA).status == 200
    assert run_log.count("echo", "over") == run_log.count("echo", "full") == 0
