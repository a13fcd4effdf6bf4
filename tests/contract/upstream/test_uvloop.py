"""The gateway runs on uvloop, whose processes and sockets are not asyncio's."""

from __future__ import annotations

import json
import os
import signal
import sys

import pytest
import uvloop

from gateway.errors import UpstreamGone


def test_children_are_run_replaced_and_ended_on_uvloop_too(workshop_class, servers, call):
    async def main():
        async with workshop_class() as workshop:
            upstream = await workshop.connect(command=(sys.executable, str(servers / "hostile_child.py")))

            async def pid():
                return json.loads(json.loads((await call(upstream, "start")).result)["content"][0]["text"])[
                    "pid"
                ]

            first = await pid()
            os.kill(first, signal.SIGSTOP)
            os.kill(first, signal.SIGKILL)
            with pytest.raises(UpstreamGone, match="signal 9"):
                await call(upstream, "silent")
            second = await pid()
            assert second != first
            await upstream.aclose()
            with pytest.raises(ProcessLookupError):
                os.kill(second, 0)
        return workshop.failures

    assert uvloop.run(main()) == []


def test_pooled_connections_are_reused_and_dropped_when_closed_on_uvloop_too(
    workshop_class, call, scripted, http
):
    def respond(request):
        if request.method == "server/discover":
            return http.discover(request)
        if request.message["params"]["name"] == "last":
            return http.result(request, {"resultType": "complete"}, headers=["Connection: close"])
        return http.result(request, {"resultType": "complete"})

    async def main():
        async with scripted(respond) as server, workshop_class() as workshop:
            upstream = await workshop.connect(url=server.url)
            for _ in range(10):
                await call(upstream, "get")
            assert server.connections == 1
            await call(upstream, "last")
            assert (await call(upstream, "get")).result
            assert server.connections == 2
        return workshop.failures

    assert uvloop.run(main()) == []
