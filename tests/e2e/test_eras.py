"""Which protocol revision each client library and each tool server ends up with, as the audit log records it."""

from __future__ import annotations

import pytest
from e2e_kit import wire
from e2e_kit.agents import KINDS, client_kinds
from e2e_kit.gateways import ANA


@pytest.mark.parametrize("kind", client_kinds())
def test_a_client_speaks_the_newest_revision_it_knows_and_the_intent_says_so(agent, shared, kind):
    one = agent(kind)
    tag = f"era of {kind}"
    one.call("http_modern__echo", {"text": tag})
    era = KINDS[kind][2]
    assert one.version == ("2026-07-28" if era == "modern" else "2025-11-25")
    intent = shared.entries("intent")[-1]
    assert (intent["era"], intent["protocol"]) == (era, one.version)
    assert intent["subject"] == "ana@example.com"
    assert intent["client"]


KEPT = (
    b'{"type":"hologram","depth":1.50,"text":"\\u0041"}',
    b'"structuredContent":{"exact":1.10,"large":1e2,"order":{"b":1,"a":2}}',
    b'"unheardOf":{"kept":[1,2.0]}',
)


def test_members_and_numbers_that_no_library_knows_survive_byte_for_byte_in_both_eras(shared):
    modern = shared.call("odd__odd").body
    legacy = wire.LegacySession(f"{shared.url}/s/odd/mcp", token=ANA).ask(
        "tools/call", {"name": "odd", "arguments": {}}
    )
    for kept in KEPT:
        assert kept in modern
        assert kept in legacy
    assert b'"resultType":"complete"' in modern
    assert b"resultType" not in legacy


def test_members_of_a_definition_that_no_library_knows_are_offered(shared):
    tools = wire.modern(f"{shared.url}/s/odd/mcp", "tools/list", token=ANA).json["result"]["tools"]
    assert next(tool for tool in tools if tool["name"] == "odd")["x-unheard-of"] == {"kept": True}


@pytest.mark.parametrize("version", ["2024-11-05", "2025-06-18", "2025-11-25"])
def test_an_older_legacy_revision_is_spoken_when_asked_for(shared, version):
    import json

    body = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": version,
            "capabilities": {},
            "clientInfo": {"name": "old", "version": "0"},
        },
    }
    headers = {
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "Authorization": f"Bearer {ANA}",
    }
    reply = wire.request(f"{shared.url}/mcp", "POST", json.dumps(body).encode(), headers)
    assert reply.json["result"]["protocolVersion"] == version
