"""How every bench program written here serves: one uvicorn on a free loopback port, told on stdout."""

from __future__ import annotations

import asyncio
import socket
import sys
from typing import Any

import uvicorn
import uvloop


def serve(app: Any) -> None:
    """Serve one ASGI app with the fastest standard settings until SIGTERM; blocks."""
    uvloop.run(serve_in_loop(app))


async def serve_in_loop(app: Any) -> None:
    """The same inside a running loop, for programs that need it before they have an app."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    config = uvicorn.Config(app, http="httptools", log_config=None, log_level="critical", access_log=False)
    server = uvicorn.Server(config)
    serving = asyncio.ensure_future(server.serve(sockets=[listening]))
    while not server.started and not serving.done():
        await asyncio.sleep(0.01)
    sys.stdout.write(f"ready {listening.getsockname()[1]}\n")
    sys.stdout.flush()
    await serving
