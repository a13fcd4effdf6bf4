"""FastMCP's proxy over one connected client, which it then keeps for every request; governs nothing.

Without a connected client it opens a new one for each request, which is many times slower still.
Run it: ``python fastmcp_proxy.py UPSTREAM_URL [auto|legacy]``.
"""

from __future__ import annotations

import logging
import sys

import uvloop
from fastmcp import Client
from fastmcp.server import create_proxy
from ports import serve_in_loop


async def main(upstream_url: str, mode: str) -> None:
    logging.disable(logging.CRITICAL)
    async with Client(upstream_url, mode=mode) as client:
        proxy = create_proxy(client, name="fastmcp-proxy")
        await serve_in_loop(proxy.http_app(path="/mcp", json_response=True))


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "auto"))
