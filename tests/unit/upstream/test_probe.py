"""Which answer to the probe means which era."""

from __future__ import annotations

import json

import pytest

from gateway.errors import (
    UpstreamGarbled,
    UpstreamGone,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from gateway.upstream.messages import answer_to, read_message
from gateway.upstream.party import Party
from gateway.upstream.probe import negotiate

MODERN = {"result": {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {"listChanged": True}}}}
LEGACY = {
    "result": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "serverInfo": {"name": "old", "version": "3"},
    }
}


def error(code, data=None):
    return {"error": {"code": code, "message": "no", "data": data}}


def supported(*versions):
    return error(-32022, {"supported": versions})


class Talk:
    """A dialogue that answers from two lists; an exception in one is raised."""

    party = Party("x", str)

    def __init__(self, discover=(), initialize=()):
        self.script = {"discover": list(discover), "initialize": list(initialize)}
        self.asked = []

    async def _next(self, what):
        self.asked.append(what)
        answer = self.script[what].pop(0)
        if isinstance(answer, Exception):
            raise answer
        body = json.dumps({"jsonrpc": "2.0", "id": 1} | answer).encode()
        return answer_to(1, read_message(body, elements_max=1000), party=self.party)

    async def discover(self):
        return await self._next("discover")

    async def initialize(self):
        return await self._next("initialize")


async def test_a_discover_result_with_our_version_is_modern():
    talk = Talk([MODERN])
    peer = await negotiate(talk, era="auto")
    assert (peer.era, peer.protocol_version, peer.changes) == ("modern", "2026-07-28", ("tools",))
    assert talk.asked == ["discover"]


@pytest.mark.parametrize(
    "answer",
    [
        error(-32601),
        error(-32600),
        error(-32602),
        error(-32603),
        error(1),
        error(-32022),
        error(-32022, "x"),
        error(-32022, {"supported": "2025-11-25"}),
        supported("2025-11-25", "2026-07-28"),
        supported("2025-06-18"),
        {"result": {}},
        {"result": {"supportedVersions": "2026-07-28"}},
        {"result": {"supportedVersions": ["2025-11-25"], "capabilities": {}}},
        UpstreamTimeout("late", sent=True),
        UpstreamGarbled("page", sent=True),
        UpstreamRefused("400", sent=True, status=400),
        UpstreamRefused("404", sent=True, status=404),
        UpstreamRefused("405", sent=True, status=405),
        UpstreamRefused("500", sent=True, status=500),
    ],
)
async def test_what_is_no_evidence_of_a_modern_server_falls_back(answer):
    talk = Talk([answer], [LEGACY])
    peer = await negotiate(talk, era="auto")
    assert (peer.era, peer.protocol_version, peer.server) == ("legacy", "2025-06-18", "old 3")
    assert talk.asked == ["discover", "initialize"]


@pytest.mark.parametrize(
    "failure",
    [
        UpstreamUnreachable("refused", sent=False),
        UpstreamGone("closed", sent=True),
        UpstreamRefused("401", sent=True, status=401),
        UpstreamRefused("403", sent=True, status=403),
        UpstreamRefused("307", sent=True, status=307),
    ],
)
async def test_an_outage_or_a_missing_right_is_no_verdict_about_the_era(failure):
    talk = Talk([failure])
    with pytest.raises(type(failure)):
        await negotiate(talk, era="auto")
    assert talk.asked == ["discover"]


async def test_a_modern_server_of_other_versions_is_refused_by_their_names():
    with pytest.raises(UpstreamRefused, match="2027-01-01"):
        await negotiate(Talk([supported("2027-01-01", "2028-01-01")]), era="auto")
    with pytest.raises(UpstreamRefused, match="none we know"):
        await negotiate(Talk([supported()]), era="auto")


async def test_a_handshake_refused_as_modern_is_followed_by_one_more_probe():
    talk = Talk([UpstreamTimeout("late", sent=True), MODERN], [supported("2026-07-28")])
    assert (await negotiate(talk, era="auto")).era == "modern"
    assert talk.asked == ["discover", "initialize", "discover"]


async def test_a_configured_era_is_the_only_one_tried():
    legacy = Talk([], [LEGACY])
    assert (await negotiate(legacy, era="legacy")).era == "legacy"
    modern = Talk([error(-32601)])
    with pytest.raises(UpstreamRefused, match="does not speak"):
        await negotiate(modern, era="modern")
    assert modern.asked == ["discover"]


@pytest.mark.parametrize("version", ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"])
async def test_every_legacy_version_is_accepted(version):
    talk = Talk([error(-32601)], [{"result": {"protocolVersion": version, "capabilities": {}}}])
    assert (await negotiate(talk, era="auto")).protocol_version == version


async def test_a_refused_handshake_says_what_the_server_said():
    with pytest.raises(UpstreamRefused, match=r"no \(-32000\)"):
        await negotiate(Talk([error(-32601)], [error(-32000)]), era="auto")
