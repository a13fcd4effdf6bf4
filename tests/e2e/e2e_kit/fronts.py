"""Agents spoken by hand, in either era, over HTTP and on standard streams: every byte can be looked at."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from e2e_kit.front_http import LegacyHttp, ModernHttp
from e2e_kit.front_stdio import LegacyStdio, ModernStdio
from e2e_kit.gateways import GatewayProcess

__all__ = ["KINDS", "LegacyHttp", "LegacyStdio", "ModernHttp", "ModernStdio", "front", "fronts"]

KINDS = ("modern-http", "legacy-http", "modern-stdio", "legacy-stdio")
_CLASSES = dict(zip(KINDS, (ModernHttp, LegacyHttp, ModernStdio, LegacyStdio), strict=True))


def front(kind: str, gateway: GatewayProcess, route: str = "/mcp", **rest: Any) -> Any:
    """An agent of that kind; enter it."""
    return _CLASSES[kind](gateway, route, **rest)


@contextlib.asynccontextmanager
async def fronts(gateway: GatewayProcess, **rest: Any) -> AsyncIterator[dict[str, Any]]:
    """One agent of each kind, by kind."""
    made = {kind: front(kind, gateway, **rest) for kind in KINDS}
    async with contextlib.AsyncExitStack() as stack:
        await asyncio.gather(*(stack.enter_async_context(one) for one in made.values()))
        yield made
