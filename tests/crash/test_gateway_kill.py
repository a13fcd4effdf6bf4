"""kill -9 of the gateway between intent and outcome: the log keeps the doubt, and nothing is sent again."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from e2e_kit import wire
from e2e_kit.gateways import ANA, BEN, GatewayProcess, toolgate
from e2e_kit.tool_servers import RunLog, fixture_http, fixture_stdio
from e2e_kit.waiting import until


@pytest.fixture
def run_log(tmp_path):
    return RunLog(tmp_path / "runs.jsonl")


def unresolved(gateway):
    """What ``toolgate audit unresolved`` lists."""
    done = toolgate("audit", "unresolved", "--json", "-c", gateway.config)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(params=["http modern", "http legacy", "stdio modern", "stdio legacy"])
def gateway(request, tmp_path, run_log):
    """A gateway before one upstream of each kind in turn."""
    transport, era = request.param.split()
    if transport == "stdio":
        made = GatewayProcess(tmp_path / "gateway", upstreams={"tools": fixture_stdio(era, run_log)})
        with made:
            made.offers("tools__slow")
            yield made
        return
    with fixture_http(era, run_log) as server:
        made = GatewayProcess(tmp_path / "gateway", upstreams={"tools": {"url": server.url}})
        with made:
            made.offers("tools__slow")
            yield made


def test_a_call_under_way_at_the_kill_is_unresolved_after_restart_and_never_sent_again(gateway, run_log):
    finished = gateway.call("tools__slow", {"seconds": 0, "tag": "finished"})
    assert wire.text_of(finished) == "slept finished"
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(gateway.call, "tools__slow", {"seconds": 3, "tag": "killed"}, token=BEN)
        run_log.wait("slow begins", "killed")
        gateway.kill()
        assert isinstance(running.exception(10), OSError)

    gateway.start()
    gateway.offers("tools__echo")
    assert wire.text_of(gateway.call("tools__slow", {"seconds": 0, "tag": "after"})) == "slept after"

    done, killed, after = gateway.entries("intent")
    outcomes = {entry["call"]: entry for entry in gateway.entries("outcome")}
    assert killed["effect"] == "allow"
    assert killed["subject"] == "ben@example.com"
    assert killed["call"] not in outcomes
    # Positive control: the same call, not killed, has its outcome, before and after.
    assert outcomes[done["call"]]["status"] == "succeeded"
    gateway.entry("outcome", call=after["call"])
    assert [(one["call"], one["tool"]) for one in unresolved(gateway)] == [(killed["call"], "tools/slow")]
    text = toolgate("audit", "unresolved", "-c", gateway.config).stdout
    assert killed["call"][:12] in text
    assert "may have happened" in text
    assert run_log.count("slow begins", "killed") == 1
    assert run_log.count("slow begins", "after") == 1


def test_the_child_of_a_killed_gateway_does_not_stay(tmp_path, run_log):
    made = GatewayProcess(tmp_path / "gateway", upstreams={"child": fixture_stdio("modern", run_log)})
    with made:
        made.offers("child__echo")
        made.call("child__echo", {"text": "pid"})
        pid = run_log.lines()[-1]["pid"]
        made.kill()

        def gone():
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                return True
            return False

        until(gone, "the child outlives the gateway")


def test_calls_refused_before_the_kill_are_resolved(tmp_path, run_log):
    # About the words: a tool that is denied whatever it is called with is not even shown.
    rule = (
        "package toolgate.rules.no\n\nimport rego.v1\n\n"
        'allow if true\n\ndeny contains "no" if input.arguments.text == "x"\n'
    )
    upstreams = {"child": fixture_stdio("modern", run_log)}
    with GatewayProcess(tmp_path / "gateway", upstreams=upstreams, policy={"no.rego": rule}) as made:
        made.offers("child__echo")
        assert "DENIED" in wire.text_of(made.call("child__echo", {"text": "x"}))
        made.kill()
        assert unresolved(made) == []
        assert [entry["status"] for entry in made.entries("outcome")] == ["refused"]


def test_every_call_that_was_answered_before_a_kill_under_load_has_its_intent(tmp_path, run_log):
    with fixture_http("modern", run_log) as server:
        made = GatewayProcess(tmp_path / "gateway", upstreams={"tools": {"url": server.url}})
        with made:
            made.offers("tools__echo")
            answered = []

            def one(number):
                try:
                    reply = made.call(
                        "tools__echo", {"text": f"load {number}"}, token=ANA if number % 2 else BEN
                    )
                except OSError:
                    return
                if reply.status == 200:
                    answered.append(number)

            with ThreadPoolExecutor(8) as pool:
                work = [pool.submit(one, number) for number in range(400)]
                until(lambda: len(answered) > 60, "too few answers")
                made.kill()
                for future in work:
                    future.result(20)
            assert len(answered) < 400
            ran = run_log.count("echo")
            made.start()
            intents = [entry for entry in made.entries("intent") if entry["tool"] == "tools/echo"]
            # Nothing ran without an intent, and no answer was given that the log does not know.
            assert len(intents) >= ran >= len(answered)
            outcomes = {entry["call"] for entry in made.entries("outcome")}
            doubtful = {entry["call"] for entry in intents} - outcomes
            assert {one["call"] for one in unresolved(made)} == doubtful
            assert run_log.count("echo") == ran
