"""What people read about calls that real clients made: lists, stories, news, upstreams; no value, nobody else's."""

from __future__ import annotations

import json
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest
from e2e_kit.agents import Agent
from e2e_kit.gateways import ANA, BEN, GatewayProcess, toolgate
from e2e_kit.people import LEA, MAX, OTHER, REVIEWERS, People
from e2e_kit.tool_servers import RunLog, fixture_http
from e2e_kit.waiting import until

CANARY = "canary words of an argument"
TOKEN = "ghp_" + "a1B2c3D4e5" * 3 + "F6g7H8"
OWN = "key-of-the-broken-server-0123456789"
POLICY = """\
package toolgate.rules.activity

import rego.v1

allow if true

deny contains {"code": "never_this_one", "message": "no"} if input.tool.name == "forbidden"

hold contains {"code": "a_person_decides", "by": "lead", "why": "it says so"} if input.tool.name == "held"
"""
BROKEN = f"import sys; sys.exit('cannot start with {OWN}')"


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    folder = tmp_path_factory.mktemp("activity")
    with fixture_http("modern", RunLog(folder / "runs.jsonl")) as server:
        upstreams = {
            "tools": {"url": server.url},
            "broken": {"command": [sys.executable, "-c", BROKEN], "env": {"API_KEY": OWN}},
        }
        with GatewayProcess(
            folder / "gateway",
            upstreams=upstreams,
            policy={"activity.rego": POLICY},
            reviewers=REVIEWERS,
            approvals={"unknown_client_s": 0.2},
        ) as gateway:
            gateway.offers("tools__echo")
            yield gateway


@pytest.fixture
def agent(watched, clients):
    with Agent(clients("sdk2-modern"), url=watched.url + "/mcp", token=ANA) as one:
        yield one


def last(person):
    """The number of the newest call so far."""
    return max((row["seq"] for row in person.ask("GET", "/calls?limit=1")[1]["calls"]), default=-1)


def ended(person, since, tool, status, **query):
    """The newest call of a tool behind a number, once it ended like this."""

    def find():
        words = "&".join(f"{name}={value}" for name, value in {"tool": f"tools/{tool}", **query}.items())
        code, page = person.ask("GET", f"/calls?{words}")
        assert code == 200, page
        return next((row for row in page["calls"] if row["status"] == status and row["seq"] > since), None)

    return until(find, lambda: f"no {tool} that {status}: {person.ask('GET', '/calls')}")


def test_allowed_denied_and_held_calls_are_listed_told_and_linked(watched, agent):
    lea = People(watched)
    since = last(lea)
    agent.call("tools__echo", {"text": "plain"})
    agent.call("tools__fail", {"reason": "on purpose"})
    agent.call("tools__forbidden", {"why": "just so"})
    agent.call("tools__held")
    echo, fail = ended(lea, since, "echo", "succeeded"), ended(lea, since, "fail", "succeeded")
    assert (echo["effect"], echo["subject"], echo["agent"]) == ("allow", "ana@example.com", "ana")
    assert (echo["is_error"], fail["is_error"]) == (False, True)
    assert 0 < echo["duration_ms"] < 60_000
    denied, held = (
        ended(lea, since, "forbidden", "refused", effect="deny"),
        ended(lea, since, "held", "held", effect="hold"),
    )
    assert denied["code"] == "never_this_one"
    assert lea.ask("GET", "/calls?tool=tools/echo&effect=deny")[1]["calls"] == []
    order = [row["call"] for row in lea.ask("GET", "/calls")[1]["calls"]]
    assert [order.index(one["call"]) for one in (held, denied, fail, echo)] == [0, 1, 2, 3]
    first = lea.ask("GET", "/calls?limit=1")[1]
    second = lea.ask("GET", f"/calls?limit=1&before={first['next']}")[1]
    assert [page["calls"][0]["call"] for page in (first, second)] == order[:2]

    code, story = lea.ask("GET", f"/calls/{denied['call'][:14]}")
    assert (code, story["call"], story["hold"]) == (200, denied, None)
    assert [entry["kind"] for entry in story["entries"]] == ["intent", "outcome"]
    assert [reason["code"] for reason in story["reasons"]] == ["never_this_one"]
    assert len(story["definition"]) == 64
    assert story["revision"] == watched.entries("gateway_started")[0]["policy"]["revision"]

    waiting = next(one for one in lea.holds() if one["id"] == held["hold"])
    story = lea.ask("GET", f"/calls/{held['call']}")[1]
    assert story["hold"] == {
        "id": held["hold"], "status": "held", "requested_by": held["call"], "ran_as": "",
    }  # fmt: skip
    lea.approve(waiting)
    lea.becomes(held["hold"], "succeeded")
    ran = ended(lea, since, "held", "succeeded")
    told = {one["call"]: lea.ask("GET", f"/calls/{one['call']}")[1] for one in (held, ran)}
    for story in told.values():
        assert story["hold"]["status"] == "succeeded"
        assert (story["hold"]["requested_by"], story["hold"]["ran_as"]) == (held["call"], ran["call"])
    kinds = [entry["kind"] for entry in told[held["call"]]["entries"]]
    assert kinds[:2] == ["intent", "outcome"]
    assert "hold" in kinds


def test_upstreams_are_told_with_their_latency_and_what_is_offered(watched, agent):
    lea = People(watched)

    def latency():
        code, answer = lea.ask("GET", "/upstreams")
        assert code == 200, answer
        return {one["id"]: one for one in answer["upstreams"]}["tools"]["latency"]

    before = latency()
    agent.call("tools__echo", {"text": "timed"})
    agent.call("tools__slow", {"seconds": 0.3, "tag": "timed"})
    agent.call("tools__fail", {"reason": "on purpose"})
    agent.call("tools__forbidden")
    after = latency()
    # What policy denied never got there.
    assert after["calls"] - before["calls"] == 3
    assert after["errors"]["tool_error"] - before["errors"].get("tool_error", 0) == 1
    assert after["p95_ms"] >= after["p50_ms"] > 0
    assert after["newest_age_s"] < 60
    tools, broken = lea.ask("GET", "/upstreams")[1]["upstreams"]
    assert (tools["state"], tools["era"], tools["transport"]) == ("ready", "modern", "http")
    assert tools["definitions"]["pinned"] > 5
    assert (broken["state"], broken["transport"], broken["latency"]["calls"]) == ("down", "stdio", 0)
    done = toolgate(
        "upstreams", "--json", "--url", watched.people_url, environ={"TOOLGATE_REVIEWER_TOKEN": LEA}
    )
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == ["tools", "broken"]


@pytest.mark.abuse(105)
def test_another_tenants_reviewer_sees_none_of_it_and_their_own(watched, agent):
    lea, eve = People(watched), People(watched, OTHER)
    since = last(lea)
    agent.call("tools__echo", {"text": "ours"})
    watched.call("tools__echo", {"text": "theirs"}, token=BEN)
    ours, theirs = ended(lea, since, "echo", "succeeded"), ended(eve, since, "echo", "succeeded")
    assert {row["subject"] for row in eve.ask("GET", "/calls")[1]["calls"]} == {"ben@example.com"}
    assert {row["subject"] for row in lea.ask("GET", "/calls")[1]["calls"]} == {"ana@example.com"}
    unknown = eve.ask("GET", f"/calls/{'0' * 24}")
    assert unknown[0] == 404
    assert eve.ask("GET", f"/calls/{ours['call']}") == unknown
    assert lea.ask("GET", f"/calls/{theirs['call']}") == unknown
    assert lea.ask("GET", f"/calls/{ours['call']}")[0] == 200
    assert eve.ask("GET", f"/calls/{theirs['call']}")[0] == 200
    assert eve.ask("GET", "/upstreams")[0] == 200


@pytest.mark.abuse(114)
def test_no_value_and_no_secret_of_a_call_is_in_any_answer(watched, agent):
    lea = People(watched)
    since = last(lea)
    agent.call("tools__echo", {"text": f"{CANARY} {TOKEN}", "nested": {TOKEN: CANARY}})
    agent.call("tools__fail", {"reason": f"{CANARY} {TOKEN}"})
    agent.call("tools__forbidden", {"why": f"{CANARY} {TOKEN}"})
    calls = [
        ended(lea, since, tool, status)
        for tool, status in (("echo", "succeeded"), ("fail", "succeeded"), ("forbidden", "refused"))
    ]
    assert [one["found"].get("github-token", 0) > 0 for one in calls] == [True, True, True]
    answers = [lea.ask("GET", path) for path in ("/calls?limit=200", "/upstreams")]
    answers += [lea.ask("GET", f"/calls/{one['call']}") for one in calls]
    for code, answer in answers:
        assert code == 200, answer
        for secret in (CANARY, TOKEN, OWN):
            assert secret not in json.dumps(answer)
    broken = answers[1][1]["upstreams"][1]
    assert "cannot start with [REDACTED:" in broken["reason"]
    assert [answer["view"] for _, answer in answers[2:]] == ["sealed"] * 3
    code, told = People(watched, MAX).ask(
        "POST", "/subjects/erase", {"subject": "ana@example.com", "reason": "she asked"}
    )
    assert code == 200, told
    assert lea.ask("GET", f"/calls/{calls[0]['call']}")[1]["view"] == "erased"


def test_a_page_that_waits_is_told_when_there_is_more(watched, agent):
    request = urllib.request.Request(
        f"{watched.people_url}/api/v1/activity/events", headers={"Authorization": f"Bearer {LEA}"}
    )
    with urllib.request.urlopen(request, timeout=20) as stream, ThreadPoolExecutor(1) as pool:
        assert [stream.readline() for _ in range(3)] == [b"retry: 2000\n", b": open\n", b"\n"]
        told = pool.submit(lambda: next(line for line in stream if line.startswith(b"event")))
        agent.call("tools__echo", {"text": "news"})
        assert told.result(20) == b"event: reload\n"
