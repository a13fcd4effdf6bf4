"""Tokens: known or not, and where they never turn up (abuse cases 98 to 100, 109, 114)."""

from __future__ import annotations

import json

import pytest

from tests.edge.conftest import TOKENS, UPSTREAM_KEY
from tests.edge.raw import modern_message

GOOD = modern_message()

BAD_TOKENS = [
    None,
    "",
    "Bearer",
    "Bearer x",
    "Basic YTpi",
    "Bearer tg_" + "0" * 64,
    "Bearer eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJzdWIiOiJhbmFAZXhhbXBsZS5jb20ifQ.",
    "Bearer eyJhbGciOiJIUzI1NiIsImtpZCI6Ii4uLy4uL2Rldi9udWxsIn0.eyJzdWIiOiJhbmEifQ.AAAA",
    "Bearer \xff\xfe",
    "Bearer " + "x" * 10_000,
    "bearer  ",
]


@pytest.mark.abuse(98)
@pytest.mark.abuse(99)
@pytest.mark.parametrize("path", ["/mcp", "/s/tools/mcp"])
def test_without_a_known_token_there_is_one_answer(gateway, path):
    bodies = set()
    with gateway.unharmed("~unauthenticated"):
        for value in BAD_TOKENS:
            answer = gateway.ask(GOOD, who=None, path=path, headers=(("Authorization", value),))
            assert (answer.status, answer.error) == (401, -32001)
            assert answer.headers["www-authenticate"].startswith("Bearer")
            bodies.add(answer.body)
            # Nothing of the body was looked at.
            assert gateway.ask(b"{", who=None, path=path, headers=(("Authorization", value),)).status == 401
    assert len(bodies) == 1


@pytest.mark.abuse(99)
def test_a_token_of_a_megabyte_is_a_flood_not_an_identity(gateway):
    with gateway.unharmed():
        answer = gateway.ask(GOOD, who=None, headers=(("Authorization", "Bearer " + "x" * 1_000_000),))
        assert answer.status == 431


@pytest.mark.abuse(100)
def test_no_credential_of_the_client_reaches_the_upstream(gateway):
    secrets = (
        ("Cookie", "session=cookie-canary"),
        ("X-Upstream-Authorization", "Bearer client-canary"),
        ("Proxy-Authorization", "Basic proxy-canary"),
        ("X-Api-Key", "api-canary"),
    )
    assert gateway.call(headers=secrets).status == 200
    headers, _ = gateway.upstream.calls[-1]
    assert headers["Authorization"] == f"Bearer {UPSTREAM_KEY}"
    seen = json.dumps([(path, sent, body.decode()) for path, sent, body in gateway.upstream.requests])
    assert TOKENS["ana"] not in seen
    for canary in ("cookie-canary", "client-canary", "proxy-canary", "api-canary"):
        assert canary not in seen


@pytest.mark.abuse(109)
@pytest.mark.parametrize("name", ["access_token", "token", "Authorization", "api_key"])
def test_a_token_in_the_url_is_refused(gateway, name):
    with gateway.unharmed():
        answer = gateway.ask(GOOD, who=None, path=f"/mcp?{name}={TOKENS['ana']}")
        assert answer.status == 400
        assert TOKENS["ana"].encode() not in answer.body
        assert gateway.ask(GOOD, path=f"/mcp?{name}={TOKENS['ana']}").status == 400


@pytest.mark.abuse(109)
@pytest.mark.abuse(114)
def test_no_token_is_written_down_anywhere(gateway):
    assert gateway.call().status == 200
    gateway.ask(GOOD, who=None, path=f"/mcp?token={TOKENS['ana']}")
    written = [path for path in gateway.folder.rglob("*") if path.is_file()]
    assert any(path.suffix == ".jsonl" for path in written)
    for path in written:
        found = path.read_bytes()
        for token in TOKENS.values():
            assert token.encode() not in found, path
        assert UPSTREAM_KEY.encode() not in found or path == gateway.file
