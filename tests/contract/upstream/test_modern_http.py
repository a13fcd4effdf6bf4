"""What a 2026-07-28 server sees of a call, and how its answer comes back."""

from __future__ import annotations

import msgspec
import pytest

from gateway.errors import UpstreamRefused
from gateway.ports import Send

DONE = {"resultType": "complete", "content": []}


@pytest.fixture
def modern(http):
    def respond(request):
        if request.method == "server/discover":
            return http.discover(request)
        return http.result(request, DONE)

    return respond


async def test_every_request_is_complete_in_itself(workshop, scripted, modern, call):
    async with scripted(modern) as server:
        upstream = await workshop.connect(url=server.url)
        await call(upstream, "get", meta={"traceparent": "00-1-2-03"})
        (request,) = server.of("tools/call")
        assert request.headers["mcp-protocol-version"] == "2026-07-28"
        assert request.headers["mcp-method"] == "tools/call"
        assert request.headers["mcp-name"] == "get"
        assert request.headers["accept-encoding"] == "identity"
        assert "mcp-session-id" not in request.headers
        assert "cookie" not in request.headers
        assert request.message["params"]["_meta"] == {
            "traceparent": "00-1-2-03",
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": {"name": "toolgate", "version": "0.1.0"},
            "io.modelcontextprotocol/clientCapabilities": {},
        }


async def test_the_protocol_s_own_meta_members_cannot_be_set_from_outside(workshop, scripted, modern, call):
    async with scripted(modern) as server:
        upstream = await workshop.connect(url=server.url)
        await call(upstream, "get", meta={"io.modelcontextprotocol/clientCapabilities": {"sampling": {}}})
        (request,) = server.of("tools/call")
        assert request.message["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] == {}


async def test_the_arguments_travel_byte_for_byte(workshop, scripted, modern):
    arguments = b'{"a":1.50,"b":1e2,"c":[ "\\u0041" ],"d":12345678901234567890}'
    async with scripted(modern) as server:
        upstream = await workshop.connect(url=server.url)
        params = {"name": "get", "arguments": msgspec.Raw(arguments)}
        await upstream.call(Send(method="tools/call", name="get", params=params), deadline_s=5)
        assert b'"arguments":' + arguments + b"," in server.of("tools/call")[0].body


async def test_the_result_comes_back_byte_for_byte(workshop, scripted, http, call):
    result = b'{"resultType":"complete", "content":[],"n":1.50,"big":123456789012345678901234567890,"x":{"y":1e400}}'

    def respond(request):
        if request.method == "server/discover":
            return http.discover(request)
        return http.answer(b'{"id":%d,"jsonrpc":"2.0","unknown":1,"result":%s}' % (request.id, result))

    async with scripted(respond) as server:
        reply = await call(await workshop.connect(url=server.url), "get")
        assert reply.result == result


async def test_a_result_without_result_type_is_complete(workshop, scripted, http, call):
    def respond(request):
        return (
            http.discover(request)
            if request.method == "server/discover"
            else http.result(request, {"isError": True})
        )

    async with scripted(respond) as server:
        assert (await call(await workshop.connect(url=server.url), "get")).is_error


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("plain-name_1.x", "plain-name_1.x"),
        ("näme", "=?base64?bsOkbWU=?="),
        ("=?base64?eA==?=", "=?base64?PT9iYXNlNjQ/ZUE9PT89?="),
    ],
)
async def test_a_name_that_a_header_cannot_carry_is_encoded(workshop, scripted, modern, call, name, header):
    async with scripted(modern) as server:
        await call(await workshop.connect(url=server.url), name)
        (request,) = server.of("tools/call")
        assert request.headers["mcp-name"] == header
        assert request.message["params"]["name"] == name


async def test_a_line_break_in_a_name_or_argument_never_becomes_a_header(workshop, scripted, modern, call):
    async with scripted(modern) as server:
        upstream = await workshop.connect(url=server.url)
        region = "eu\r\nX-Evil: 1"
        await call(upstream, "a\r\nX-Evil: 1", {"region": region}, param_headers={("region",): "Region"})
        (request,) = server.of("tools/call")
        assert "x-evil" not in request.headers
        assert request.headers["mcp-param-region"].startswith("=?base64?")


async def test_annotated_arguments_are_mirrored_into_headers(workshop, scripted, modern, call):
    async with scripted(modern) as server:
        upstream = await workshop.connect(url=server.url)
        headers = {("region",): "Region", ("deep", "flag"): "Flag", ("absent",): "Absent"}
        await call(upstream, "get", {"region": "eu", "deep": {"flag": True}}, param_headers=headers)
        (request,) = server.of("tools/call")
        assert request.headers["mcp-param-region"] == "eu"
        assert request.headers["mcp-param-flag"] == "true"
        assert "mcp-param-absent" not in request.headers


async def test_a_server_that_no_longer_speaks_the_version_is_asked_anew(workshop, scripted, http, call):
    old = False

    def respond(request):
        if request.method == "server/discover":
            return http.error(request, -32601, status="404 Not Found") if old else http.discover(request)
        if request.method == "initialize":
            return http.result(request, {"protocolVersion": "2025-11-25", "capabilities": {}})
        if request.method == "notifications/initialized":
            return http.answer(status="202 Accepted")
        if old and request.headers["mcp-protocol-version"] == "2026-07-28":
            return http.error(request, -32022, status="400 Bad Request")
        return http.result(request, DONE)

    async with scripted(respond) as server:
        upstream = await workshop.connect(url=server.url)
        await call(upstream, "get")
        old = True
        with pytest.raises(UpstreamRefused, match="no longer"):
            await call(upstream, "get")
        assert (await call(upstream, "get")).result
        assert upstream.health().era == "legacy"


async def test_a_modern_only_setting_refuses_a_legacy_server(workshop, scripted, http, call):
    def respond(request):
        return http.answer(b"what?", status="400 Bad Request", kind="text/plain")

    async with scripted(respond) as server:
        upstream = await workshop.connect(url=server.url, era="modern")
        with pytest.raises(Exception, match="400"):
            await call(upstream, "get")
        assert server.of("initialize") == []


async def test_a_legacy_only_setting_never_probes(workshop, scripted, http, call):
    def respond(request):
        if request.method == "initialize":
            return http.result(request, {"protocolVersion": "2025-03-26", "capabilities": {}})
        return http.result(request, {"content": []}) if request.id else http.answer(status="202 Accepted")

    async with scripted(respond) as server:
        upstream = await workshop.connect(url=server.url, era="legacy")
        assert (await call(upstream, "get")).result
        assert server.of("server/discover") == []
        assert upstream.health().protocol_version == "2025-03-26"
