"""Upstreams that are down, killed, slow, garbled or restarted: what the agent reads, and that others keep working."""

from __future__ import annotations

import os
import signal
import sys

import pytest
from e2e_kit import wire
from e2e_kit.gateways import ANA
from e2e_kit.tool_servers import ODD, ToolServer, fixture_http, fixture_stdio
from e2e_kit.waiting import until

SENT = "The call was sent and may have run"
NOT_SENT = "The call was not sent; nothing has happened"


def told(reply):
    """A failed call as the agent sees it: a tool error with a sentence and a code."""
    result = reply.json["result"]
    assert result["isError"] is True
    assert result["content"][0]["text"].startswith("FAILED: ")
    return result["content"][0]["text"], result["_meta"]["dev.toolgate/failure"]


@pytest.fixture(params=["modern", "legacy"])
def era(request):
    return request.param


@pytest.fixture
def steady(http_servers):
    """An upstream that nothing happens to."""
    return {"url": http_servers["modern"].url}


def test_an_upstream_that_is_down_at_start_is_named_and_offered_once_it_is_up(gateway, steady, run_log, era):
    late = fixture_http(era, run_log)
    made = gateway(upstreams={"late": {"url": late.url}, "steady": steady}).start()
    made.offers("steady__echo")
    assert not any(name.startswith("late__") for name in made.tools())
    attention = wire.request(f"{made.people_url}/readyz").json["attention"]
    assert attention["upstream late"].startswith("down: ")
    assert "late" in made.stderr
    refused = made.call("late__echo", {"text": "too early"}).json
    assert refused["error"]["data"]["code"] == "unknown_tool"
    assert "upstream 'late' is down; nothing was sent" in refused["error"]["message"]
    wrong = made.call("steady__no_such_tool").json["error"]["message"]
    assert "list the tools again" in wrong
    with late:
        made.offers("late__echo")
        assert made.call("late__echo", {"text": "now"}).json["result"]["structuredContent"]["text"] == "now"
    assert "Traceback" not in made.stderr


def test_an_upstream_killed_while_idle_answers_not_sent_and_recovers_without_restart(
    gateway, steady, run_log, era
):
    with fixture_http(era, run_log) as server:
        made = gateway(upstreams={"shop": {"url": server.url}, "steady": steady}).start()
        made.offers("shop__echo", "steady__echo")
        server.kill()
        text, stated = told(made.call("shop__echo", {"text": f"to nobody {era}"}))
        assert NOT_SENT in text
        assert "'shop'" in text
        assert stated["sent"] is False
        assert made.entry("outcome", call=stated["call"])["status"] == "not_sent"
        assert not made.call("steady__echo", {"text": "still here"}).json["result"].get("isError")
        server.start()
        until(
            lambda: not made.call("shop__echo", {"text": "back"}).json["result"].get("isError"),
            lambda: f"shop did not recover: {made.stderr}",
            within_s=40,
        )
    assert run_log.count("echo", f"to nobody {era}") == 0


def test_an_upstream_killed_during_a_call_answers_may_have_run(gateway, steady, run_log, clients, era):
    from e2e_kit.agents import Agent

    tag = f"killed during {era}"
    with fixture_http(era, run_log) as server:
        made = gateway(upstreams={"shop": {"url": server.url}, "steady": steady}).start()
        made.offers("shop__slow", "steady__echo")
        with Agent(clients("sdk2-modern"), url=f"{made.url}/mcp", token=ANA) as agent:
            running = agent.start("shop__slow", {"seconds": 30, "tag": tag})
            run_log.wait("slow begins", tag)
            server.kill()
            called = running.result(15)
            assert called.is_error
            assert SENT in called.text
            assert not agent.call("steady__echo", {"text": "still here"}).is_error
        assert made.entry("outcome", tool="shop/slow")["status"] == "outcome_unknown"
        server.start()
        until(
            lambda: not made.call("shop__echo", {"text": "back"}).json["result"].get("isError"),
            lambda: f"shop did not recover: {made.stderr}",
            within_s=40,
        )
        assert run_log.count("slow begins", tag) == 1


@pytest.mark.parametrize("child_era", ["modern", "legacy"])
def test_a_child_that_ends_during_a_call_is_started_again(gateway, steady, run_log, child_era):
    made = gateway(upstreams={"child": fixture_stdio(child_era, run_log), "steady": steady}).start()
    made.offers("child__crash", "steady__echo")
    before = run_log.count("crash")
    text, stated = told(made.call("child__crash"))
    assert SENT in text
    assert stated["code"] == "upstream_gone"
    assert not made.call("steady__echo", {"text": "still here"}).json["result"].get("isError")
    until(
        lambda: not made.call("child__echo", {"text": "again"}).json["result"].get("isError"),
        lambda: f"the child was not started again: {made.stderr}",
        within_s=30,
    )
    assert run_log.count("crash") == before + 1


@pytest.mark.parametrize(
    ("tool", "code", "fate"),
    [
        ("silent", "upstream_timeout", SENT),
        ("garbled", "upstream_garbled", SENT),
        ("wrong", "upstream_garbled", SENT),
        ("hang_up", "upstream_gone", SENT),
    ],
)
def test_an_answer_that_is_late_garbled_or_missing_is_a_tool_error_that_may_have_run(
    shared, tool, code, fate
):
    text, stated = told(shared.call(f"odd__{tool}"))
    assert fate in text
    assert "'odd'" in text
    assert stated["code"] == code
    assert wire.text_of(shared.call("odd__fine")) == "fine"


@pytest.mark.parametrize("upstream", ["http_modern", "http_legacy", "stdio_modern", "stdio_legacy"])
def test_a_large_answer_arrives_whole_and_one_over_the_bound_is_refused(shared, upstream):
    assert wire.text_of(shared.call(f"{upstream}__big", {"size": 3 << 20})) == "x" * (3 << 20)
    text, stated = told(shared.call(f"{upstream}__big", {"size": 11 << 20}))
    assert SENT in text
    assert stated["code"] == "upstream_garbled"
    until(
        lambda: not shared.call(f"{upstream}__echo", {"text": "after"}).json["result"].get("isError"),
        "the upstream does not recover from its large answer",
    )


def test_a_slow_upstream_holds_up_nobody_else(shared, clients):
    from e2e_kit.agents import Agent

    with Agent(clients("sdk2-modern"), url=f"{shared.url}/mcp", token=ANA) as agent:
        waiting = agent.start("odd__silent")
        for number in range(20):
            assert not agent.call("http_legacy__echo", {"text": str(number)}).is_error
        assert not waiting.done()
        assert waiting.result(10).is_error


def test_an_upstream_that_answers_less_than_http_is_named_and_others_work(gateway, steady):
    import socket
    import threading

    listening = socket.create_server(("127.0.0.1", 0))

    def shout():
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            connection.sendall(b"220 mail.example.com ESMTP\r\n")
            connection.close()

    threading.Thread(target=shout, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/mcp"
        made = gateway(upstreams={"mail": {"url": url}, "steady": steady}).start()
        made.offers("steady__echo")
        attention = until(
            lambda: wire.request(f"{made.people_url}/readyz").json["attention"].get("upstream mail"),
            "the garbled upstream is not named",
        )
        assert "down" in attention
        assert "Traceback" not in made.stderr
    finally:
        listening.close()


def test_a_command_that_does_not_exist_is_named_and_others_work(gateway, steady):
    made = gateway(upstreams={"typo": {"command": ["no-such-program-here"]}, "steady": steady}).start()
    made.offers("steady__echo")
    attention = until(
        lambda: wire.request(f"{made.people_url}/readyz").json["attention"].get("upstream typo"),
        "the missing program is not named",
    )
    assert "no-such-program-here" in attention
    assert "Traceback" not in made.stderr


def test_a_stopped_upstream_process_is_late_and_not_gone(gateway, steady, run_log):
    with ToolServer(sys.executable, ODD, "{port}") as server:
        made = gateway(upstreams={"odd": {"url": server.url, "call_timeout_s": 1}, "steady": steady}).start()
        made.offers("odd__fine", "steady__echo")
        os.kill(server.process.pid, signal.SIGSTOP)
        try:
            text, stated = told(made.call("odd__fine"))
        finally:
            os.kill(server.process.pid, signal.SIGCONT)
        assert stated["code"] == "upstream_timeout"
        assert SENT in text
        until(
            lambda: "FAILED" not in wire.text_of(made.call("odd__fine")),
            "does not recover",
        )
