"""What a person found out about a call whose outcome was lost goes into the log, and is listed no more."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

from e2e_kit.gateways import BEN, GatewayProcess, toolgate
from e2e_kit.people import LEA, MAX, OTHER, REVIEWERS
from e2e_kit.tool_servers import RunLog, fixture_http


def ask(gateway, token, *words):
    return toolgate("audit", *words, "-c", gateway.config, environ={"TOOLGATE_REVIEWER_TOKEN": token})


def listed(gateway):
    done = toolgate("audit", "unresolved", "--json", "-c", gateway.config)
    return [json.loads(line)["call"] for line in done.stdout.splitlines()]


def test_an_operator_says_what_became_of_a_call_and_it_is_listed_no_more(tmp_path):
    run_log = RunLog(tmp_path / "runs.jsonl")
    with fixture_http("modern", run_log) as server:
        gateway = GatewayProcess(
            tmp_path / "gateway", upstreams={"tools": {"url": server.url}}, reviewers=REVIEWERS
        )
        with gateway:
            gateway.offers("tools__slow")
            with ThreadPoolExecutor(1) as pool:
                running = pool.submit(gateway.call, "tools__slow", {"seconds": 3, "tag": "x"})
                run_log.wait("slow begins", "x")
                gateway.kill()
                assert isinstance(running.exception(10), OSError)
            gateway.start()
            (call,) = listed(gateway)
            say = ["resolve", call[:10], "--outcome", "succeeded", "--evidence", "it is in the ledger"]
            for token, why in [(LEA, "operator"), (OTHER, "operator"), (BEN, "agent")]:
                refused = ask(gateway, token, *say)
                assert refused.returncode == 2, token
                assert why in refused.stderr
            assert listed(gateway) == [call]
            assert ask(gateway, MAX, *say).returncode == 0
            assert listed(gateway) == []
            again = ask(gateway, MAX, *say)
            assert again.returncode == 3, again.stderr
            entry = gateway.entry("resolution", call=call)
            assert (entry["by"], entry["status"]) == ("max@example.com", "succeeded")


def test_a_subjects_stored_values_are_erased_by_an_operator(tmp_path):
    run_log = RunLog(tmp_path / "runs.jsonl")
    with fixture_http("modern", run_log) as server:
        gateway = GatewayProcess(
            tmp_path / "gateway", upstreams={"tools": {"url": server.url}}, reviewers=REVIEWERS
        )
        with gateway:
            gateway.offers("tools__echo")
            gateway.call("tools__echo", {"text": "private"})
            assert ask(gateway, LEA, "erase", "ana@example.com", "--yes").returncode == 2
            done = ask(gateway, MAX, "erase", "ana@example.com", "--reason", "she asked", "--yes")
            assert done.returncode == 0, done.stderr
            entry = gateway.entry("subject_erased", subject="ana@example.com")
            assert (entry["by"], entry["reason"]) == ("max@example.com", "she asked")


def test_the_master_key_is_rotated_while_nothing_runs(tmp_path):
    run_log = RunLog(tmp_path / "runs.jsonl")
    with fixture_http("modern", run_log) as server:
        gateway = GatewayProcess(tmp_path / "gateway", upstreams={"tools": {"url": server.url}})
        with gateway:
            gateway.offers("tools__echo")
            gateway.call("tools__echo", {"text": "private"})
            running = toolgate("audit", "rotate-key", "-c", gateway.config)
            assert running.returncode == 2
            assert "writes" in running.stderr
        assert toolgate("audit", "rotate-key", "-c", gateway.config).returncode == 0
        with gateway:
            gateway.offers("tools__echo")
            assert not gateway.call("tools__echo", {"text": "again"}).json["result"].get("isError")
