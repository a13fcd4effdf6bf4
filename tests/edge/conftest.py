"""One really running gateway with short deadlines, one counting tool server, and an oracle for every abuse."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import pytest

from tests.edge.content import content_gateway
from tests.edge.gateways import TOKENS, Gateway, settings_of
from tests.edge.held import POLICY as HELD_POLICY
from tests.edge.held import HeldGateway, held_settings
from tests.edge.puppet import Puppet
from tests.edge.raw import connect, hear
from tests.edge.upstream_server import ToolServer

__all__ = ["TOKENS", "UPSTREAM_KEY"]

UPSTREAM_KEY = "upstream-key-canary"
POLICY = """\
package toolgate.rules.edge

import rego.v1

allow if input.tool.name in {"echo", "region", "slow"}

deny contains "never" if input.tool.name == "denied"
"""
LIMITS = {
    "header_timeout_s": 1.0,
    "body_timeout_s": 1.0,
    "write_stall_s": 1.0,
    "keep_alive_s": 2.0,
    "stream_ping_s": 1.0,
    "calls_per_principal_max": 4,
    "streams_per_principal_max": 3,
    "streams_max": 5,
    "allowed_origins": ["http://app.example:3000"],
}


def keyed(port):
    """An upstream with a credential of its own."""
    return {"url": f"http://127.0.0.1:{port}/mcp", "headers": {"Authorization": f"Bearer {UPSTREAM_KEY}"}}


@contextlib.contextmanager
def running(folder, settings, policy, *servers, tools=1):
    found = Gateway(folder, settings, policy, *servers)
    try:
        yield found.start(tools=tools)
    finally:
        found.stop()


@pytest.fixture(scope="session")
def upstream():
    with ToolServer() as server:
        yield server


@pytest.fixture(scope="session")
def gateway(upstream, tmp_path_factory):
    settings = settings_of({"tools": keyed(upstream.port)}, limits=LIMITS)
    with running(tmp_path_factory.mktemp("edge"), settings, POLICY, upstream, tools=3) as found:
        yield found


@pytest.fixture
def port(gateway):
    return gateway.port


@pytest.fixture
def line(gateway):
    """An open connection to the agents' port."""
    with contextlib.closing(connect(gateway.port)) as sock:
        yield sock


@pytest.fixture
def listening():
    return hear


WIDE_POLICY = """\
package toolgate.rules.wide

import rego.v1

allow if input.resource.server in {"tools", "new", "old", "shy", "mute", "hasty"}

deny contains "never" if input.resource.name in {"put", "put_odd", "note://secret"}

deny contains "frozen" if input.context.workflow.step == "frozen"

deny contains "not_asked" if {
	input.action.name == "roots/list"
	input.resource.server == "hasty"
}
"""
GRANTS = ["sampling", "elicitation", "roots"]


@dataclass
class World:
    """The gateway with everything there is behind it."""

    gateway: Gateway
    new: Puppet
    """2026-07-28, may ask."""
    old: Puppet
    """Before, may ask."""
    shy: Puppet
    """2026-07-28, may ask for nothing."""
    mute: Puppet
    """Before, may ask for nothing."""
    hasty: Puppet
    """2026-07-28, may ask; questions are good for a second, calls for two."""


@pytest.fixture(scope="session")
def world(upstream, tmp_path_factory):
    with contextlib.ExitStack() as open_servers:
        new, old, shy, mute, hasty = (
            open_servers.enter_context(Puppet(modern=modern)) for modern in (True, False, True, False, True)
        )
        servers = {
            "tools": keyed(upstream.port),
            "new": {"url": new.url, "grants": GRANTS},
            "old": {"url": old.url, "grants": GRANTS},
            "shy": {"url": shy.url},
            "mute": {"url": mute.url},
            "hasty": {"url": hasty.url, "grants": GRANTS, "input_timeout_s": 1, "call_timeout_s": 2},
        }
        limits = LIMITS | {"calls_per_principal_max": 16}
        settings = settings_of(servers, limits=limits)
        folder = tmp_path_factory.mktemp("wide")
        all_servers = (upstream, new, old, shy, mute, hasty)
        with running(folder, settings, WIDE_POLICY, *all_servers, tools=13) as found:
            yield World(found, new, old, shy, mute, hasty)


@pytest.fixture(scope="session")
def held(upstream, tmp_path_factory):
    """A gateway that holds calls; ``new`` is a server with prompts and resources."""
    with Puppet(resources={"resources": [{"uri": "note://held", "name": "held"}]}) as new:
        servers = {"tools": keyed(upstream.port), "new": {"url": new.url}}
        policy = {"path": "./policy", "watch": True}
        settings = held_settings(servers, policy=policy)
        gateway = HeldGateway(tmp_path_factory.mktemp("held"), settings, HELD_POLICY, upstream, new)
        gateway.new = new
        try:
            yield gateway.start(tools=5)
        finally:
            gateway.stop()


@pytest.fixture(scope="session")
def content(upstream, tmp_path_factory):
    """A gateway with a credential of its own at servers that say anything."""
    with content_gateway(tmp_path_factory.mktemp("content"), upstream) as found:
        yield found
