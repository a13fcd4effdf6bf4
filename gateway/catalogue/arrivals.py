"""Which upstreams have not been listed yet since the start.

An agent that starts together with the gateway asks for its tools at once, and many clients never ask
again. So its first questions wait for the first listings, within one bound counted from the start: an
upstream that hangs delays nobody for longer, and one that is known to be down delays nobody at all.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Arrivals:
    """What is still awaited."""

    def __init__(self, upstreams: Iterable[str], *, until_s: float) -> None:
        """Await the first listing of each, until the loop's clock says ``until_s``."""
        self._awaited = set(upstreams)
        self._until_s = until_s
        self._changed = asyncio.Event()

    def arrived(self, upstream: str) -> None:
        """It was listed, or is known not to answer."""
        if upstream in self._awaited:
            self._awaited.discard(upstream)
            # A new event for whoever waits on for another one.
            self._changed.set()
            self._changed = asyncio.Event()

    async def of(self, upstream: str | None) -> None:
        """Return once this upstream, or with None every one, has arrived or the time is up."""
        while self._awaited and (upstream is None or upstream in self._awaited):
            left_s = self._until_s - asyncio.get_running_loop().time()
            if left_s <= 0:
                self._awaited.clear()
                return
            try:
                async with asyncio.timeout(left_s):
                    await self._changed.wait()
            except TimeoutError:
                continue
