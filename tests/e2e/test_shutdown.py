"""Signals: running calls finish, nothing is left behind, and a second signal is taken at its word."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest
from e2e_kit import wire
from e2e_kit.agents import Agent
from e2e_kit.gateways import ANA
from e2e_kit.tool_servers import fixture_stdio
from e2e_kit.waiting import until


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def with_child(gateway, http_servers, run_log):
    """A gateway with an HTTP upstream and a child; the child's pid."""
    upstreams = {"web": {"url": http_servers["modern"].url}, "child": fixture_stdio("modern", run_log)}
    made = gateway(upstreams=upstreams).start()
    made.offers("web__slow", "child__slow")
    made.call("child__echo", {"text": f"pid of {made.folder}"})
    pid = next(line["pid"] for line in run_log.lines() if line["tag"] == f"pid of {made.folder}")
    assert is_alive(pid)
    return made, pid


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("upstream", ["web", "child"])
def test_a_call_that_runs_when_the_signal_comes_is_finished(with_child, run_log, number, upstream):
    made, child = with_child
    tag = f"drained {upstream} {number}"
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(made.call, f"{upstream}__slow", {"seconds": 1.0, "tag": tag})
        run_log.wait("slow begins", tag)
        made.process.send_signal(number)
        assert wire.text_of(running.result(20)) == f"slept {tag}"
    assert made.wait() == 0
    until(lambda: not is_alive(child), "the child process is still there")
    assert made.entry("outcome", tool=f"{upstream}/slow")["status"] == "succeeded"
    assert made.entries()[-1]["kind"] == "gateway_stopped"
    assert "Traceback" not in made.stderr


@pytest.mark.parametrize("kind", ["sdk2-modern", "sdk2-legacy"])
def test_open_streams_do_not_hold_up_the_end(with_child, clients, kind):
    made, _ = with_child
    agent = Agent(clients(kind), url=f"{made.url}/mcp", token=ANA)
    agent.__enter__()
    agent.call("web__echo", {"text": "before"})
    assert made.stop(within_s=8) == 0


def test_new_calls_are_refused_while_running_ones_finish(with_child, run_log):
    made, _ = with_child
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(made.call, "web__slow", {"seconds": 2.0, "tag": "last one"})
        run_log.wait("slow begins", "last one")
        made.process.send_signal(signal.SIGTERM)

        def refused():
            try:
                return made.call("web__echo", {"text": "too late"}).status == 503
            except OSError:
                return True

        until(refused, "new calls are still taken")
        assert wire.text_of(running.result(20)) == "slept last one"
    assert made.wait() == 0


def test_a_second_signal_ends_at_once_and_the_child_does_not_stay(with_child, run_log):
    made, child = with_child
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(made.call, "child__slow", {"seconds": 60, "tag": "abandoned"})
        run_log.wait("slow begins", "abandoned")
        made.process.send_signal(signal.SIGTERM)
        until(lambda: "stopping" in made.stderr, "the first signal is not acknowledged")
        made.process.send_signal(signal.SIGTERM)
        assert made.wait(within_s=3) == 130
        assert isinstance(running.exception(10), OSError)
    until(lambda: not is_alive(child), "the child process is still there")
    assert not made.entries("outcome") or made.entries("outcome")[-1]["tool"] != "child/slow"


def test_a_call_that_outlasts_the_drain_is_cut_off_and_may_have_run(gateway, http_servers, run_log):
    upstreams = {"web": {"url": http_servers["modern"].url}}
    made = gateway(upstreams=upstreams, limits={"drain_s": 1}).start()
    made.offers("web__slow")
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(made.call, "web__slow", {"seconds": 60, "tag": "outlasting"})
        run_log.wait("slow begins", "outlasting")
        assert made.stop(within_s=10) == 0
        running.exception(10)
    assert made.entry("outcome", tool="web/slow")["status"] == "outcome_unknown"
    run_log.wait("slow cancelled", "outlasting")
