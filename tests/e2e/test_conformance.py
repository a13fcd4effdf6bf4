"""MCP's official conformance suite: against our fixture server, through the gateway, and around the gateway."""

from __future__ import annotations

import asyncio
import collections
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from e2e_kit import conformance
from e2e_kit.agents import DRIVERS
from e2e_kit.conformance import REVISIONS, Check, Run
from e2e_kit.gateways import GatewayProcess
from e2e_kit.tool_servers import SERVERS, ToolServer

pytestmark = pytest.mark.needs("node")

GRANTS = ["sampling", "elicitation", "roots"]
GOVERNED = {"tools/call", "prompts/get", "resources/read", "resources/subscribe", "completion/complete"}
AT_ONCE = 3


def fixture_server():
    return ToolServer(sys.executable, SERVERS / "conformance_server.py", "{port}")


def both_revisions(url: str, folder: Path) -> dict[str, Run]:
    """Both sets of requirements against a URL, at the same time."""
    with ThreadPoolExecutor() as pool:
        started = {
            revision: pool.submit(conformance.against, url, revision, folder / revision)
            for revision in REVISIONS
        }
        return {revision: future.result() for revision, future in started.items()}


@pytest.fixture(scope="module")
def direct(tmp_path_factory):
    """Revision -> what the suite finds at the fixture server itself."""
    with fixture_server() as server:
        return both_revisions(server.url, tmp_path_factory.mktemp("direct"))


def let_in(gateway: GatewayProcess, *, origin: str) -> None:
    """Allow a browser's origin: the suite wants localhost let in, and the gateway lets nobody in unasked."""
    settings = json.loads(gateway.config.read_text())
    gateway.config.write_text(json.dumps({**settings, "limits": {"allowed_origins": [origin]}}))


@dataclass(frozen=True)
class Governed:
    """What the suite finds at the gateway, and what the gateway wrote down meanwhile."""

    runs: dict[str, Run]
    entries: list[dict[str, Any]]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [entry for entry in self.entries if entry["kind"] == kind]


@pytest.fixture(scope="module")
def governed(tmp_path_factory):
    """The same suite with the gateway before a fixture server of its own; the gateway has ended when it is used."""
    folder = tmp_path_factory.mktemp("governed")
    with fixture_server() as server:
        upstreams = {"suite": {"url": server.url, "grants": GRANTS}}
        gateway = GatewayProcess(folder / "gateway", upstreams=upstreams, anonymous="allow")
        let_in(gateway, origin=gateway.url)
        with gateway:
            runs = both_revisions(f"{gateway.url}/s/suite/mcp", folder / "results")
    return Governed(runs, gateway.entries())


@pytest.mark.parametrize("revision", REVISIONS)
def test_the_fixture_server_passes_all_that_the_suite_requires(direct, revision):
    run = direct[revision]
    assert run.having("FAILURE") == []
    assert run.exit_code == 0
    passed = {check.scenario for check in run.having("SUCCESS")}
    assert set(conformance.scored(revision)) <= passed


@pytest.mark.parametrize("revision", REVISIONS)
def test_through_the_gateway_no_check_is_lost(direct, governed, revision):
    lost = conformance.lost(direct[revision], governed.runs[revision])
    assert lost == [], "\n".join(map(str, lost))


def test_what_failed_or_is_missing_in_the_other_run_is_what_counts_as_lost():
    def run(**statuses: str) -> Run:
        return Run(0, tuple(Check("scenario", name, 0, status) for name, status in statuses.items()), "")

    directly = run(kept="SUCCESS", failed="SUCCESS", warned="SUCCESS", missing="SUCCESS", never="FAILURE")
    there = run(kept="SUCCESS", failed="FAILURE", warned="WARNING", never="FAILURE")
    assert [check.id for check in conformance.lost(directly, there)] == ["failed", "warned", "missing"]
    assert conformance.lost(directly, directly) == []


def test_each_request_of_the_suite_that_is_governed_has_one_intent_and_one_outcome(governed):
    intents = [entry["call"] for entry in governed.of("intent")]
    outcomes = collections.Counter(entry["call"] for entry in governed.of("outcome"))
    assert outcomes == dict.fromkeys(intents, 1)
    assert {entry["method"] for entry in governed.of("intent")} >= GOVERNED


@pytest.fixture(scope="module")
def updated_server():
    with fixture_server() as server:
        yield server


async def touched(agent) -> None:
    await agent.call_tool("test_touch_watched_resource")


async def test_the_fixture_server_tells_a_modern_client_that_a_resource_changed(updated_server):
    from mcp import Client

    watched = "test://watched-resource"
    async with (
        Client(updated_server.url, mode="2026-07-28") as agent,
        agent.listen(resource_subscriptions=[watched]) as changes,
    ):
        await touched(agent)
        assert (await asyncio.wait_for(anext(changes), 10)).uri == watched


@pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")
async def test_the_fixture_server_tells_a_legacy_session_that_a_resource_changed_while_it_is_subscribed(
    updated_server,
):
    from mcp import Client
    from mcp_types import ResourceUpdatedNotification, ToolListChangedNotification

    watched, heard = "test://watched-resource", asyncio.Queue()

    async def hear(message):
        if isinstance(message, ResourceUpdatedNotification | ToolListChangedNotification):
            heard.put_nowait(message)

    async with Client(updated_server.url, mode="legacy", message_handler=hear) as agent:
        await agent.subscribe_resource(watched)
        await touched(agent)
        assert (await asyncio.wait_for(heard.get(), 10)).params.uri == watched
        await agent.unsubscribe_resource(watched)
        await touched(agent)
        # What comes next is not about the resource: the stream has only one order.
        await agent.call_tool("test_trigger_tool_change")
        assert isinstance(await asyncio.wait_for(heard.get(), 10), ToolListChangedNotification)


# scenario, revision, how many checks succeed at least: without a bound, a client that does nothing could pass
AROUND = (
    ("initialize", "2025-11-25", 1),
    ("tools_call", "2025-11-25", 1),
    ("elicitation-sep1034-client-defaults", "2025-11-25", 5),
    ("json-schema-2020-12-preservation", "2025-11-25", 8),
    ("sse-retry", "2025-11-25", 3),
    ("tools_call", "2026-07-28", 1),
    ("request-metadata", "2026-07-28", 5),
    ("http-standard-headers", "2026-07-28", 9),
    ("http-custom-headers", "2026-07-28", 5),
    ("http-invalid-tool-headers", "2026-07-28", 12),
    ("json-schema-ref-no-deref", "2026-07-28", 1),
    ("json-schema-2020-12-preservation", "2026-07-28", 8),
    ("sep-2322-client-request-state", "2026-07-28", 5),
)


@pytest.fixture(scope="module")
def around(request, tmp_path_factory):
    """``around(scenario, revision)``: that client scenario, run beside the others that were selected."""
    folder = tmp_path_factory.mktemp("around")
    command = [sys.executable, DRIVERS / "conformance_agent.py"]
    chosen = [
        item.callspec.params["case"][:2]
        for item in request.session.items
        if item.module is request.module
        and "case" in getattr(item, "callspec", item).__dict__.get("params", {})
    ]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        started = {
            (scenario, revision): pool.submit(
                conformance.around, command, scenario, revision, folder / f"{scenario}-{revision}"
            )
            for scenario, revision in chosen
        }
        yield lambda *case: started[case].result()
        for future in started.values():
            future.cancel()


@pytest.mark.parametrize("case", AROUND, ids=lambda case: "-".join(case[:2]))
def test_as_a_client_the_gateway_does_what_the_scenario_wants(around, case):
    scenario, revision, succeed = case
    run = around(scenario, revision)
    # That the reconnect of sse-retry is a little late is a matter of how busy this machine is.
    wrong = [one for one in run.having("FAILURE", "WARNING") if one.id != "client-sse-retry-timing"]
    assert wrong == [], "\n".join([*map(str, wrong), run.output])
    assert len(run.having("SUCCESS")) >= succeed, run.output
