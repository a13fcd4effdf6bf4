"""Fixtures of the end-to-end tests: tool servers and clients once for the session, gateways as each test asks."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import pytest
from e2e_kit.agents import Agent, start_client
from e2e_kit.gateways import ANA, GatewayProcess
from e2e_kit.node import installed
from e2e_kit.people import REVIEWERS
from e2e_kit.tool_servers import ODD, RunLog, ToolServer, fixture_http, fixture_stdio


@pytest.fixture(scope="session")
def run_log(tmp_path_factory):
    """What the shared fixture servers ran."""
    return RunLog(tmp_path_factory.mktemp("fixture") / "runs.jsonl")


@pytest.fixture(scope="session")
def http_servers(run_log):
    """The fixture server over HTTP in each era, by era; and the hand-written one."""
    servers = {era: fixture_http(era, run_log) for era in ("modern", "legacy")}
    servers["odd"] = ToolServer(sys.executable, ODD, "{port}")
    try:
        for server in servers.values():
            server.start(wait=False)
        for server in servers.values():
            server.ready()
        yield servers
    finally:
        for server in servers.values():
            server.kill()


@pytest.fixture(scope="session")
def clients(tmp_path_factory):
    """``clients(kind)``: the driver process of a client library."""
    folder = tmp_path_factory.mktemp("clients")
    started = {}

    def client(kind):
        if kind not in started:
            started[kind] = start_client(kind, folder, installed)
        return started[kind]

    yield client
    for process in started.values():
        process.close()


@pytest.fixture
def gateway(tmp_path):
    """``gateway(upstreams=..., policy=...)``: a gateway that ends with the test."""
    made = []

    def make(name="gateway", **settings):
        made.append(GatewayProcess(tmp_path / name, **settings))
        return made[-1]

    yield make
    for one in made:
        one.__exit__()


SHARED_POLICY = """\
package toolgate.rules.e2e

import rego.v1

allow if true

deny contains {
	"code": "never_this_one",
	"message": "the forbidden tool is forbidden",
	"would_pass": "the tool echo",
} if {
	input.tool.name == "forbidden"
}

deny contains {
	"code": "never_these_words",
	"message": "the forbidden words are forbidden",
	"would_pass": "other words",
} if {
	input.tool.name == "echo"
	input.arguments.text == "the forbidden words"
}

hold contains {"code": "a_person_decides", "by": "lead", "why": "it says so"} if input.tool.name == "held"
"""

UPSTREAMS = ("http_modern", "http_legacy", "stdio_modern", "stdio_legacy")


@pytest.fixture(scope="session")
def shared(tmp_path_factory, http_servers, run_log):
    """One gateway before all four kinds of upstream and the odd one, for tests that leave it as it was."""
    upstreams = {
        "http_modern": {"url": http_servers["modern"].url},
        "http_legacy": {"url": http_servers["legacy"].url},
        "stdio_modern": fixture_stdio("modern", run_log),
        "stdio_legacy": fixture_stdio("legacy", run_log),
        "odd": {"url": http_servers["odd"].url, "call_timeout_s": 1.5},
    }
    folder = tmp_path_factory.mktemp("shared")
    limits = {"calls_per_principal_max": 64}
    # Nobody is kept waiting for a person who never comes.
    approvals = {"unknown_client_s": 0.2, "client_budget_s": {"toolgate-cli": 0.2, "fastmcp": 0.2}}
    with GatewayProcess(
        folder,
        upstreams=upstreams,
        policy={"e2e.rego": SHARED_POLICY},
        limits=limits,
        reviewers=REVIEWERS,
        approvals=approvals,
    ) as process:
        process.offers(*(f"{name}__echo" for name in UPSTREAMS), "odd__odd", within_s=60)
        yield process


@pytest.fixture
def agent(shared, clients):
    """``agent(kind, route)``: an agent of the shared gateway."""
    opened = []

    def connect(kind, route="/mcp", *, token=ANA, **order):
        one = Agent(clients(kind), url=shared.url + route, token=token, **order)
        opened.append(one.__enter__())
        return one

    yield connect
    for one in opened:
        one.__exit__()
